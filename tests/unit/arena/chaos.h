/* SPDX-License-Identifier: Apache-2.0
 * Chaos around an arena: nodes with real (simulated) processes, executors that follow their
 * operations, and all that can befall them. */
#ifndef DOMUS_TESTS_CHAOS_H
#define DOMUS_TESTS_CHAOS_H

#include "arena.h"

#define CHAOS_GUESTS 3

enum chaos_proc_state {
	PROC_NONE,
	PROC_RUNS,
	PROC_PAUSED,
	PROC_IO_ERROR,
	PROC_INCOMING,
	PROC_LOADED, /* all is here, stands */
	PROC_SENT    /* all is sent, stands */
};

/* What is on a node, whatever the ledger thinks. */
struct chaos_proc {
	enum chaos_proc_state state;
	uint64_t epoch;
	/* what its executor remembers of its reports; gone with the agent */
	uint64_t reported_op, reported_loaded, reported_end;
};

struct chaos_node {
	bool powered, agent, cut;
	uint64_t reported_fence;
	struct chaos_proc procs[CHAOS_GUESTS];
};

/* A report on its way to the ledger. */
struct chaos_report {
	uint32_t node;
	unsigned life;
	struct command c;
};

struct chaos {
	struct arena *a;
	uint64_t seed;
	struct chaos_node nodes[ARENA_NODES + 1];
	unsigned agents, ring;           /* of the last OPEN */
	unsigned lives[ARENA_NODES + 1]; /* and in which life each was in it */
	bool open;                       /* a majority is in it */
	bool kind;                       /* nothing fails any more */
	VEC(struct chaos_report) reports;
	size_t steps;
};

struct chaos *chaos_new(uint64_t seed, uint32_t n_nodes);
void chaos_free(struct chaos *c);

/* Something happens, chosen by the seed. Fails the test when a guest is active at two places. */
void chaos_step(struct chaos *c);
/* All comes back and works; fails the test unless everything is settled within a bound. */
void chaos_settle(struct chaos *c);

#endif
