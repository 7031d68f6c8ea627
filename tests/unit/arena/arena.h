/* SPDX-License-Identifier: Apache-2.0
 * An arena for policy: a model, a leader that decides, and a test that plays nodes, people and
 * executors. */
#ifndef DOMUS_TESTS_ARENA_H
#define DOMUS_TESTS_ARENA_H

#include "policy/apply.h"
#include "policy/ha.h"

#define ARENA_NODES  4
#define ARENA_MEMORY 1024 /* MiB of each node */

struct arena {
	struct model *m;
	uint32_t n_nodes;
	unsigned life[ARENA_NODES + 1]; /* the node's present life: 1, 2, 3 ... */
	uint64_t index, term;
	int64_t now; /* what the proposer's clock shows */
	struct ha_conf conf;
	struct err err;   /* of the last apply */
	int64_t again_us; /* what the last ha_step asked for */
	bool quick;       /* does not compare the whole model after a refusal */
	uint64_t logged;  /* last event in the log */
	struct buf log;   /* commands and events, as text */
};

/* Nodes n1, n2 ... online, each with a fence device (unless @bare) and ARENA_MEMORY. */
struct arena *arena_new(uint32_t n_nodes, bool bare);
void arena_free(struct arena *a);

struct id arena_life(const struct arena *a, uint32_t node);

/* A term opens. Bit N of @agents: node N's agent is listed; of @ring: the node is in the ring. */
#define N(node) (1u << (node))
void arena_open(struct arena *a, unsigned agents, unsigned ring);
void arena_reboot(struct arena *a, uint32_t node); /* its next listing is in a new life */

/*
 * Applies and frees what @c owns. Checks what holds for every command: a refusal has a sentence
 * and changes nothing, and afterwards the model's records fit together.
 */
int arena_apply(struct arena *a, struct command *c);

/*
 * The leader decides until nothing is left to be ordered; every order must be accepted. Returns
 * how many there were.
 */
size_t arena_decide(struct arena *a);
/* Lets time pass, then decides. */
void arena_wait(struct arena *a, int64_t us);

/* People. 0 or the refusal. */
int arena_define(struct arena *a, const char *name, uint32_t memory);
int arena_want(struct arena *a, const char *name, enum desired desired);
int arena_kind(struct arena *a, enum command_kind kind, const char *name, uint32_t node);

/*
 * Executors: the guest's operation is done, or failed with a word. Fails the test if there is
 * none of that kind.
 */
int arena_done(struct arena *a, const char *name, enum op_kind kind, const char *failure);
int arena_fenced(struct arena *a, uint32_t victim, const char *failure);
int arena_ended(struct arena *a, const char *name, enum end_cause cause);

/* Wanted, decided, started: runs on @node, which the test expects. */
void arena_run(struct arena *a, const char *name, uint32_t memory, uint32_t node);

struct guest *arena_guest(struct arena *a, const char *name);
void arena_is(struct arena *a, const char *name, enum guest_state state, uint32_t owner);
bool arena_said(const struct arena *a, const char *text); /* some event holds @text */

/* Prints the end of the log, for the message of a test that fails; gives "". */
const char *arena_tail(const struct arena *a);

/* Fails the test unless owners, operations and migrations fit the states that the guests are in. */
void arena_check(struct arena *a);

#endif
