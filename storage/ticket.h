/* SPDX-License-Identifier: Apache-2.0
 * Tickets: what a new one means beside the one that is held. Pure; private to storage/. */
#ifndef DOMUS_STORAGE_TICKET_H
#define DOMUS_STORAGE_TICKET_H

#include "storage.h"

/* 0, or -EINVAL: a bad name, no node, no epoch, an unknown mode. */
int ticket_check(const struct ticket *t, struct err *ret_err);
bool ticket_equal(const struct ticket *a, const struct ticket *b);

/*
 * May this node map under @t, where it holds @held (NULL: nothing) and has seen epochs up to @seen?
 * 0, -ESTALE when a newer epoch was seen, -EBUSY when @held excludes it.
 */
int ticket_admit(const struct ticket *t, const struct ticket *held, uint64_t seen,
		 struct err *ret_err);

#endif
