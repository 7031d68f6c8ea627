/* SPDX-License-Identifier: Apache-2.0
 * Applying commands to the model: the only way it changes. Pure functions of (model, command)
 * (rule L11). */
#ifndef DOMUS_POLICY_APPLY_H
#define DOMUS_POLICY_APPLY_H

#include "base/err.h"
#include "policy/command.h"

/* Where and when in the ledger. */
struct apply_at {
	uint64_t index, term;
	int64_t time_us;	/* the proposer's stamp; ledger time becomes max(before, this) */
};

/*
 * Applies @c. Returns 0, or a negative errno with one line for whoever asked; then nothing has
 * changed but index, term and time.
 * -ENOENT no such record, -EEXIST, -EINVAL the command makes no sense in this state, -ESTALE a
 * record it read has changed (policy decides anew), -ENOSPC no room, -EBUSY.
 */
int model_apply(struct model *m, const struct apply_at *at, const struct command *c,
		struct err *ret_err);

/* A member of a term that opens. */
struct apply_member {
	uint32_t node;
	/* none: its agent is in the group and has not spoken: treated as away */
	struct id incarnation;
};

/*
 * A term has opened with these agents, and these nodes in its ring (sorted by node). Nodes come,
 * go away or are lost; who came back in another life has ended the one before.
 */
void model_open(struct model *m, const struct apply_at *at, const struct apply_member *members,
		size_t n_members, const uint32_t *ring, size_t n_ring);

/* The voters are now these: nodes appear (online if the last OPEN listed them) and leave. */
struct apply_voter {
	uint32_t node;
	char name[MODEL_NAME_MAX];
};
void model_voters(struct model *m, const struct apply_at *at, const struct apply_voter *voters,
		  size_t n);

#endif
