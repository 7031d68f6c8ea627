/* SPDX-License-Identifier: Apache-2.0
 * Private to the world: its nodes, and the total order between them. */
#ifndef DOMUS_TESTS_WORLD_PRIV_H
#define DOMUS_TESTS_WORLD_PRIV_H

#include "world.h"

#include "base/timers.h"
#include "base/vec.h"
#include "storage/storage.h"

struct fence_run;
struct witness;
struct world_sent;
struct packet;
struct disk_write;

#define DISK_HISTORY_MAX 500	/* more than anybody undoes; each may hold a snapshot */

/* What one transaction has changed: the disk as it was before. */
struct disk_undo {
	struct id cluster;
	uint64_t promised, committed;
	size_t kept;			/* so many entries stood when it began to append */
	ledger_entries cut;		/* those that it deleted, the highest first; owned */
	bool compacted;			/* it brought a snapshot, in place of: */
	struct ledger_snapshot snapshot;	/* the one before; owned */
	ledger_entries dropped;		/* and the entries that the new one stands for, in order; owned */
};

/*
 * One node's disk, with the store on it. Invariants: @history holds the last transactions, at most DISK_HISTORY_MAX, that
 * have made @image; @solid, @honest <= history.n; the queue is empty while no agent is up.
 */
struct world_disk {
	struct ledger_image image;	/* what a load sees */
	VEC(struct disk_undo) history;
	size_t solid;			/* transactions that outlive a power cut: the others are in the page cache */
	VEC(struct disk_write *) queue;	/* under way, in order; owned */
	struct env_timer *timer;	/* of the load, then of the first of the queue */
	store_loaded_fn *loaded;
	void *loaded_ctx;
	int64_t us;			/* one transaction */
	struct mono stalled_until;	/* by the world's clock */
	enum world_disk_fault fault;
	struct err failure;		/* of this life of the agent: every later write gets it too */
	size_t lies, honest;		/* transactions that a power cut takes, none of the first so many */
	size_t cut_in;			/* the power goes at this write from now; 0: not */
	bool cut_kept;
	bool doubtful;			/* see world_disk_doubtful */
	bool witnessed;			/* while no agent is up: all others were in one view with the last, and are up since */
	bool forgot;			/* doubtful, and the store is the same: its neighbours must remember (rule L7) */
};

/* A node's clocks. Invariant: @wake stands for the first of @timers, unless the node is suspended. */
struct world_clock {
	struct timers timers;		/* due by the node's own clock */
	struct env_timer *wake;		/* the world's */
	struct mono shown, since;	/* the node's clock showed @shown when the world's showed @since */
	int ppm;			/* so many parts of a million faster than the world's */
	int64_t wall_ahead_us;
	bool suspended;
};

struct group {
	struct order_member v[WORLD_NODES_MAX];
	size_t n;
};

struct news;

struct world_node {
	struct world *w;
	uint32_t id, pid;
	char name[8];
	bool powered, agent_up;
	bool joined;			/* the agent is in the group */
	unsigned life;			/* counts agents: what was begun for an earlier one is void */
	struct id incarnation;
	struct world_disk disk;
	struct engine *engine;
	struct world_clock clock;
	struct env env;			/* with its clock */
	enum world_fence_device fence_device;
	bool said_off;			/* that has lied: the node runs, and its status is off */
	struct storage *storage;
	struct driver driver;
	const struct order_events *events;	/* the agent's ear for its corosync */
	void *events_ctx;
	/* Its corosync, see world_order.c and world_ring.c. */
	bool in_ring;			/* of @ring, as it believes */
	bool stalled;			/* that ring has lost its token */
	bool synced;			/* that ring's callback has been called */
	struct order_ring ring, before;	/* the one that it was in before; seq 0: none */
	VEC(struct news *) inbox;	/* what its agent is told next, in order */
	struct env_timer *inbox_timer;
	VEC(struct packet *) missing;	/* of the ring that lost its token: not received, or above such a hole */
	VEC(struct packet *) unsent;	/* taken while there was no token */
	struct mono full_until;		/* takes no message before */
	struct group told;		/* as last told to its agent */
	struct env_timer *quorum_timer, *token_timer;
	bool quorate;			/* what that will say */
};

struct world {
	struct venv *venv;
	struct env env;
	struct sim_world *guests;
	struct storage_world *disks;
	struct storage_backend backend;
	const struct storage_backend *backends[2];
	struct world_faults faults;
	struct world_node nodes[WORLD_NODES_MAX + 1];	/* by id */
	size_t n_nodes;
	uint32_t next_pid;
	uint32_t side_a;		/* see world_split */
	bool two_node;
	uint64_t ring_seq;
	struct env_timer *ring_timer;
	VEC(struct fence_run *) fences;
	VEC(struct world_sent *) sent;	/* commands whose outcome nobody was told yet */
	struct buf trace, story;
	char broken[ERR_TEXT_MAX];	/* the first broken promise, or "" */
	struct witness *witness;
	uint64_t seen_guests, seen_disks;	/* how much had changed when all was looked at last */
	bool excused;			/* see world_excused */
	uint64_t log_entries;		/* see world_set_log */
};

/* world.c: a line of the story. @subject may be NULL. */
void world_tell(struct world *w, const char *subject, const char *text);
void world_befalls(struct world_node *n, const char *text);	/* into trace and story: what happens to a node, and its agent cannot say */

/* world_disk.c */
void world_disk_new(struct world_node *n);
void world_disk_free(struct world_node *n);
struct store world_disk_of(struct world_node *n);
void world_disk_agent_ends(struct world_node *n);
void world_disk_power_lost(struct world_node *n);	/* after its agent has ended */

/* world_fault.c: the world's dice. Nothing is drawn for 0 percent. */
uint32_t world_draw(struct world *w, uint32_t n);	/* 0 .. @n - 1 */
bool world_strikes(struct world *w, unsigned percent);
extern const struct sim_hooks world_hypervisor_hooks;	/* their ctx is the world */
storage_fault_fn world_storage_fault;

/* world_fence.c */
struct fence_runner world_fence_of(struct world_node *n);
void world_fence_free(struct world *w);

/* world_check.c: looks at everything. */
void world_check(struct world *w);
void world_break(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* only the first is kept */

/* world_clock.c */
void world_clock_new(struct world_node *n);
void world_clock_free(struct world_node *n);	/* when nothing of the node is left */
void world_clock_power_lost(struct world_node *n);

/* world_order.c, world_ring.c */
bool world_wired(const struct world *w, uint32_t a, uint32_t b);	/* no cut is between them */
bool world_linked(const struct world *w, uint32_t a, uint32_t b);	/* packets would pass between them */
struct order world_order_of(struct world_node *n);
void world_order_joined(struct world_node *n);	/* its agent has come: the group changes */
void world_order_left(struct world_node *n);
void world_order_suspends(struct world_node *n);
void world_order_resumed(struct world_node *n);
void world_order_power_lost(struct world_node *n);
bool world_one_ring(const struct world *w);	/* all nodes are in it, and it has its token */
void world_ring_soon(struct world *w, int64_t us);	/* new rings form then, one a side */
void world_order_free(struct world *w);

#endif
