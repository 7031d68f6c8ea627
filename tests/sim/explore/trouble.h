/* SPDX-License-Identifier: Apache-2.0
 * Trouble as data: what happens to a cluster, when, and to whom. It can be drawn, written down, read back, and done. */
#ifndef DOMUS_TESTS_TROUBLE_H
#define DOMUS_TESTS_TROUBLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/table.h"
#include "base/vec.h"
#include "world/world.h"

/* Their names, their arguments and how often they are drawn stand in one table (trouble.c). */
enum trouble_kind {
	TROUBLE_POWER,		/* off if the node is on, else on */
	TROUBLE_CRASH,
	TROUBLE_BOOT,
	TROUBLE_AGENT,		/* ends if it is there, else comes */
	TROUBLE_AGENT_KILL,
	TROUBLE_AGENT_START,
	TROUBLE_SPLIT,		/* side: see world_split */
	TROUBLE_HEAL,
	TROUBLE_CLOCK,		/* node, milliseconds ahead */
	TROUBLE_CLOCKS,		/* the same of all at once */
	TROUBLE_SUSPEND,
	TROUBLE_RESUME,
	TROUBLE_STAND,		/* stands still if the node goes, else goes on */
	TROUBLE_RATE,		/* node, millionths that its monotonic clock is faster */
	TROUBLE_TOKEN,		/* the node's ring loses it */
	TROUBLE_JOIN,		/* of every node that is not in the cluster, as a person would ask for */
	TROUBLE_FAULTS,		/* percent: see struct world_faults */
	/* A node's disk. */
	TROUBLE_DISK,		/* node, microseconds that a transaction takes */
	TROUBLE_STALL,		/* node, milliseconds */
	TROUBLE_CUT,		/* node, at which write from now the power goes, whether that is kept */
	TROUBLE_DISK_FULL,
	TROUBLE_DISK_EIO,
	TROUBLE_DISK_FSYNC,
	TROUBLE_DISK_WELL,
	TROUBLE_ROLL_BACK,	/* node, transactions; one store at a time: with two a majority may be gone for good */
	TROUBLE_WIPE,		/* likewise */
	TROUBLE_LIE,		/* node, transactions that are acknowledged and not kept, milliseconds before the power goes */
	/* A node's power switch. */
	TROUBLE_DEVICE_APART,
	TROUBLE_DEVICE_WITH_NODE,
	TROUBLE_DEVICE_LIES,
	/* A guest by itself. */
	TROUBLE_DIES,
	TROUBLE_POWERS_OFF,
	TROUBLE_PANICS,
	TROUBLE_REBOOTS,
	TROUBLE_LOSES_DISK,
	/* Orders; the last argument is the node that is asked, or the next one whose agent is there. */
	TROUBLE_START,
	TROUBLE_STOP,
	TROUBLE_STOP_NOW,
	TROUBLE_PAUSE,
	TROUBLE_MIGRATE,
	TROUBLE_DEFINE,
	TROUBLE_UNDEFINE,
	TROUBLE_DRAIN,
	TROUBLE_ACTIVATE,
	TROUBLE_FENCE,
	TROUBLE_CONFIRM_OFF,	/* only if the node is off: a person who tells the truth */
	TROUBLE_VOLUME_CREATE,
	TROUBLE_VOLUME_DELETE,
	/* No trouble any more: all must come into order. The times of what follows count from when it has. */
	TROUBLE_SETTLE,
	TROUBLE_KIND_MAX,
	TROUBLE_KIND_INVALID = -1
};
TABLE_DECLARE(trouble_kind, enum trouble_kind);

#define TROUBLE_ARGS 5

struct trouble {
	int64_t at_us;		/* since the cluster was set up, or has settled last */
	enum trouble_kind kind;
	int64_t args[TROUBLE_ARGS];
};
typedef VEC(struct trouble) troubles;

/* How many there are to have it. Nodes are n1, n2, ...; guests g1, g2, ...; guest N has the volumes v(2N-1) and v(2N), or fewer. */
struct shape {
	uint32_t nodes, guests;
	uint64_t log_entries;		/* after which logs are cut; 0: the usual, which is never here */
};

/* A line without its end: "1250.000 crash n2". trouble_parse: 0, or -EINVAL with what is wrong. */
void trouble_print(const struct trouble *t, struct buf *out);
int trouble_parse(const char *line, const struct shape *shape, struct trouble *ret, struct err *ret_err);

/* A run of troubles that ends with TROUBLE_SETTLE; a function of @random, which goes on. Looks at no world. */
void trouble_draw(uint64_t *random, const struct shape *shape, troubles *out);

/* Does it to @w, all but TROUBLE_SETTLE. What makes no sense there and then (a crash of who is off) does nothing. */
void trouble_do(struct world *w, const struct shape *shape, const struct trouble *t);

#endif
