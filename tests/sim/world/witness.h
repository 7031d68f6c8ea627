/* SPDX-License-Identifier: Apache-2.0
 * A witness of the ledger: applies what is committed itself, once and in order, and compares every node with that. */
#ifndef DOMUS_TESTS_WITNESS_H
#define DOMUS_TESTS_WITNESS_H

#include "world.h"

#include "engine/state.h"

struct witness *witness_new(void);
void witness_free(struct witness *x);

/*
 * To be asked after each step: looks at what nodes have applied since. What is broken goes to world_break:
 * - a node has another entry at an index than the first that applied it: a command was lost there, or a term's history forked;
 * - a command that was applied before has an effect again;
 * - a guest's owner changed without a proof, or a proof is not true;
 * - a node's state is not, byte for byte, the witness's at the same index (looked at now and then: a state that differs stays so).
 * Says whether anything was new.
 */
bool witness_look(struct world *w);

/* @n applies @e, now; kept until the next look, for its log may be cut in the same step. */
struct world_node;
void witness_applied(struct world_node *n, const struct ledger_entry *e);

/* Whoever gave a command was told that it was applied, as @index. */
void witness_told(struct world *w, const struct command_id *id, uint64_t index);

/* All that was ever applied by any node. Valid until the next look. */
const struct model *witness_model(const struct witness *x);

/* One more entry; public for tests, which show that each check can fail. */
void witness_entry(struct world *w, const struct ledger_entry *e);
struct state *witness_state(struct witness *x);

#endif
