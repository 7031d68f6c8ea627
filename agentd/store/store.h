/* SPDX-License-Identifier: Apache-2.0
 * The store on disk: SQLite in a thread of its own, so that a stalling disk does not stall the
 * ticks. */
#ifndef DOMUS_STORE_STORE_H
#define DOMUS_STORE_STORE_H

#include "base/env.h"
#include "base/err.h"
#include "cluster/log_store.h"

struct loop;

/*
 * Opens the store in the folder @dir (made if it is missing, its parent is not): DIR/ledger.db,
 * made at the first load with a random store id, and DIR/lock, which keeps a second agent of the
 * same node away.
 *
 * Returns 0; -EBUSY when another process has the store (the text says which); the errno of the
 * folder or the lock. What is wrong with the database itself comes as the error of the load:
 * -EUCLEAN damaged, -EMEDIUMTYPE not ours, -EPROTO made by a newer Domus. Such a database is never
 * written to. -ENOSPC from a write: the disk is full.
 *
 * Done functions come from @loop; none may call store_close.
 */
int store_open(const char *dir, const struct env *env, struct loop *loop, struct store *ret_store,
	       struct err *ret_err);

/* Waits for the writes that were given to it (they block as long as the disk does), calls no done
 * function, unlocks. Accepts one that never opened. */
void store_close(struct store *s);

#endif
