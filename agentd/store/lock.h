/* SPDX-License-Identifier: Apache-2.0
 * One agent per state folder. Private to the store. */
#ifndef DOMUS_STORE_LOCK_H
#define DOMUS_STORE_LOCK_H

#include "base/err.h"

/*
 * Makes the folder @dir if need be and locks DIR/lock for as long as the descriptor given back is
 * open. -EBUSY when another process has it: the text says which.
 */
int lock_take(const char *dir, struct err *ret_err);

#endif
