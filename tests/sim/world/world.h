/* SPDX-License-Identifier: Apache-2.0
 * A world of whole engines in one thread and in virtual time: an order, disks, guests, volumes and power switches in memory. */
#ifndef DOMUS_TESTS_WORLD_H
#define DOMUS_TESTS_WORLD_H

#include "base/buf.h"
#include "engine/engine.h"
#include "hypervisor/sim.h"
#include "storage/sim.h"

#include <stdbool.h>

#define WORLD_NODES_MAX 8

/* Virtual times, in microseconds. */
#define WORLD_DELIVERY_US  (300)		/* of one message to all members */
#define WORLD_DISK_US	   (250)		/* one transaction, where nothing else was said */
#define WORLD_TOKEN_US	   (1000 * US_PER_MS)	/* before a ring without a silent node forms */
#define WORLD_MERGE_US	   (100 * US_PER_MS)	/* before nodes that see each other again have one ring */
#define WORLD_FENCE_US	   (20 * US_PER_MS)	/* one call of a fence agent */

struct world;

/* How often, in percent, what is asked of the surroundings fails or takes long. All 0 at first. */
struct world_faults {
	unsigned hypervisor;		/* each point of sim_point */
	unsigned storage;		/* create, remove and map fail; all are slow now and then */
	unsigned fence;			/* a call is refused, has no effect, hangs, is slow, or switches after its answer */
	/*
	 * Messages are late here and there, do not reach everybody when a ring ends, and are refused in bursts; callbacks of
	 * a new ring come one by one and the quorum answer at any time about then; what is sent without a token goes to few.
	 */
	unsigned order;
	unsigned disk;			/* a write under way at its agent's end is there all the same */
};

/* What a disk does with the next write. */
enum world_disk_fault {
	WORLD_DISK_WELL,
	WORLD_DISK_FULL,
	WORLD_DISK_EIO,
	WORLD_DISK_FSYNC,		/* it is written, but not through to the disk */
};

struct world *world_new(uint64_t seed, size_t n_nodes);
void world_free(struct world *w);

/* Switches a node on, in a new life, with its disk as it was; its agent comes up and joins the ring. */
void world_boot(struct world *w, uint32_t node);
/* Power off: guests and agent vanish, what was not yet on its disk is lost; the others notice after the token's time. */
void world_crash(struct world *w, uint32_t node);
/* The agent alone ends, or comes up again in the same life. */
void world_agent_kill(struct world *w, uint32_t node);
void world_agent_start(struct world *w, uint32_t node);
/* Splits the network: bit N-1 of @side_a says that node N is on that side. 0 heals it. */
void world_split(struct world *w, uint32_t side_a);
/* The ring that @node is in loses its token, and forms anew with the same members. */
void world_token_loss(struct world *w, uint32_t node);
/* corosync's two_node: each half of a cluster of two is quorate. */
void world_set_two_node(struct world *w, bool on);
/* The whole node stops and goes on: its timers, its agent, its corosync. */
void world_suspend(struct world *w, uint32_t node);
void world_resume(struct world *w, uint32_t node);
bool world_suspended(const struct world *w, uint32_t node);
void world_set_rate(struct world *w, uint32_t node, int ppm);	/* its monotonic clock runs so many millionths faster */

void world_set_faults(struct world *w, const struct world_faults *faults);
void world_set_log(struct world *w, uint64_t entries);	/* engine_conf.log_entries of agents that start from now on */
void world_set_wall(struct world *w, uint32_t node, int64_t ahead_us);	/* its wall clock, from now on */

/*
 * A node's disk. By itself a transaction is there when it was acknowledged, and never in part.
 */
void world_set_disk(struct world *w, uint32_t node, int64_t us);	/* how long one transaction takes */
/* From the next write on, until it is set to WORLD_DISK_WELL; the agent's store fails with it for that life (rule L2). */
void world_disk_break(struct world *w, uint32_t node, enum world_disk_fault fault);
/* For so long nothing is written; what was asked for meanwhile is then. */
void world_disk_stall(struct world *w, uint32_t node, int64_t us);
/* From now on a power cut takes the last @n transactions, though they were acknowledged; 0: no more. */
void world_disk_lie(struct world *w, uint32_t node, size_t n);
/* The power goes at the @nth write from now (1: the next) before it is acknowledged; @kept: it is on the disk. */
void world_disk_cut(struct world *w, uint32_t node, size_t nth, bool kept);
/* While the agent is down: the last @n transactions are undone (a backup was put back); all of it is. */
void world_disk_roll_back(struct world *w, uint32_t node, size_t n);
void world_disk_wipe(struct world *w, uint32_t node);
/* It has lost what it had acknowledged, and has not had a vote since. */
bool world_disk_doubtful(struct world *w, uint32_t node);
const struct ledger_image *world_disk_image(const struct world *w, uint32_t node);

/* The power switch of a node. What world_faults.fence makes of its calls comes on top. */
enum world_fence_device {
	WORLD_FENCE_APART,		/* has its own power and network */
	WORLD_FENCE_WITH_NODE,		/* cannot be reached when the node has no power, or is cut off from the caller */
	WORLD_FENCE_LIES,		/* says that it is off, to off and to status, and it still runs */
};
void world_set_fence_device(struct world *w, uint32_t node, enum world_fence_device device);

/*
 * Something has lied where no rule helps: a fence device; or a disk has lost what it had
 * acknowledged, and nobody is left who heard that. Then broken promises do not count.
 */
bool world_excused(const struct world *w);

bool world_all_current(struct world *w);	/* every node has an agent, and that believes so */
struct engine *world_engine(struct world *w, uint32_t node);	/* NULL while its agent is down */
struct sim_world *world_guests(struct world *w);
/* Runs until @cond is true or the virtual @deadline_us from now has passed; says whether it is. Checks
 * after each step what world_broken tells. */
bool world_until(struct world *w, bool (*cond)(struct world *w, void *ctx), void *ctx, int64_t deadline_us);
void world_run(struct world *w, int64_t us);

/* Submits at @node, waits for the outcome. 0 or the command's error. Frees what @c owns. */
int world_order(struct world *w, uint32_t node, struct command *c, struct err *ret_err);

/* Submits and does not wait; whether it is taken does not matter. Frees what @c owns. */
void world_send(struct world *w, uint32_t node, struct command *c);
bool world_powered(const struct world *w, uint32_t node);

/* All that was logged, with the virtual time: equal for equal seeds and orders. */
const char *world_trace(struct world *w);
/* What of it a person would tell: trouble, and each event of the cluster once. In tenths of a second. */
const char *world_story(struct world *w);
/* The first promise that was broken, and how, before world_excused; NULL while all are kept (world_check.c). */
const char *world_broken(const struct world *w);
struct storage_world *world_disks(struct world *w);
int64_t world_now(struct world *w);
const struct env *world_env(struct world *w);
/* A line of trace and story that is of no node. */
void world_note(struct world *w, const char *text);

#endif
