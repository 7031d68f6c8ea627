/* SPDX-License-Identifier: Apache-2.0
 * One agent per folder. */
#ifndef DOMUS_BASE_LOCK_H
#define DOMUS_BASE_LOCK_H

#include "err.h"

/*
 * Locks the file DIR/NAME, made if need be, for as long as the descriptor given back is open. Does
 * not wait: -EBUSY when another process has it; the text says which.
 */
int lock_take(const char *dir, const char *name, struct err *ret_err);

#endif
