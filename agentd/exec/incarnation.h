/* SPDX-License-Identifier: Apache-2.0
 * The identity of this node's present life. An adapter: it reads and writes files, at start only. */
#ifndef DOMUS_EXEC_INCARNATION_H
#define DOMUS_EXEC_INCARNATION_H

#include "base/env.h"
#include "base/err.h"
#include "base/id.h"

/*
 * Reads RUN_DIR/incarnation, or makes a new one when there is none or it is from an earlier boot. A new life
 * counts as proof that the guests of the one before are gone, so it is refused (-EBUSY) while
 * a process of a guest still runs from this RUN_DIR in this mount namespace. May block briefly (local files only).
 */
int incarnation_read(const char *run_dir, const struct env *env, struct id *ret_id, struct err *ret_err);

#endif
