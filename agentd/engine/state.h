/* SPDX-License-Identifier: Apache-2.0
 * The replicated state: the model, and which commands of whom were applied already. Changes by ledger entries only (rule L11). */
#ifndef DOMUS_ENGINE_STATE_H
#define DOMUS_ENGINE_STATE_H

#include "base/err.h"
#include "cluster/ledger.h"
#include "policy/model.h"

#include <stdint.h>

struct state;

struct state *state_new(void);
void state_free(struct state *s);
struct model *state_model(const struct state *s);

/* What became of an entry. @fresh: it was not a repetition. */
struct state_result {
	bool fresh;
	struct err err;
};

/* Applies one committed entry. The same entries in the same order give the same bytes in state_json on every node. */
struct state_result state_apply(struct state *s, const struct ledger_entry *entry);

/* 1: applied, with its result; 0: not seen; -ENOENT: too old to tell. */
int state_outcome(const struct state *s, const struct command_id *id, struct err *ret_err, uint64_t *ret_index);

/* Canonical JSON of everything replicated. */
void state_json(const struct state *s, struct buf *out);

/*
 * All of it as bytes, and back: a state that was read behaves at the next entries as the one that was written. Equal states give
 * equal bytes; secrets are included. state_in: 0, or -EBADMSG for anything that state_out would not have written.
 */
void state_out(const struct state *s, struct buf *out);
int state_in(const void *data, size_t len, struct state **ret, struct err *ret_err);

/* @s becomes what @with is, which ends. state_model stays the same pointer; records that were found in it before are gone. */
void state_replace(struct state *s, struct state *with);

#endif
