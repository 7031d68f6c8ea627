/* SPDX-License-Identifier: Apache-2.0
 * Commands as bytes: what stands in a ledger entry. */
#ifndef DOMUS_ENGINE_COMMAND_H
#define DOMUS_ENGINE_COMMAND_H

#include "base/buf.h"
#include "base/err.h"
#include "policy/command.h"

#include <stddef.h>

#define COMMAND_SPEC_MAX    (20 * 1024)	/* bytes of a guest's specification */
#define COMMAND_VOLUMES_MAX 16		/* of one guest */

/* Appends @c. Only what differs from zero is written; equal commands give equal bytes. */
void command_out(const struct command *c, struct buf *out);

/*
 * Hostile until checked: 0, or -EBADMSG for unknown kinds and fields, fields out of
 * order, lengths and enumerations out of range, anything left over. On failure nothing is owned. command_free what it gave.
 */
int command_in(const void *data, size_t len, struct command *ret, struct err *ret_err);

#endif
