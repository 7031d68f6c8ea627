/* SPDX-License-Identifier: Apache-2.0
 * The simulated driver: guests that take virtual time, and die and fail on demand. */
#ifndef DOMUS_HYPERVISOR_SIM_H
#define DOMUS_HYPERVISOR_SIM_H

#include "hypervisor/driver.h"

/* The guest processes of all nodes. They outlive drivers as real ones outlive agents. */
struct sim_world;

/* How long things take, in microseconds. */
struct sim_conf {
	int64_t create_us;  /* to a process that answers */
	int64_t command_us; /* cont, pause, a shutdown being asked, activate, resume, cancel */
	int64_t kill_us;
	int64_t shutdown_us;   /* that the guest needs to power off */
	int64_t transfer_us;   /* memory, while the source runs */
	int64_t switchover_us; /* the last pass: the vCPUs stand */
	int64_t confirm_us;    /* from loaded on the target to sent on the source */
	int64_t deaf_us;       /* that an adopted process does not answer, see SIM_ADOPT */
};

/* Where a fault can strike. */
enum sim_point {
	SIM_CREATE, /* the process does not come up */
	SIM_PREPARE_IN,
	SIM_CONT, /* refused */
	SIM_PAUSE,
	SIM_SHUTDOWN,   /* not heard by the guest (the request itself succeeds) */
	SIM_SEND,       /* refused */
	SIM_TRANSFER,   /* the stream breaks while the source runs */
	SIM_SWITCHOVER, /* it breaks in the last pass */
	SIM_CONFIRM,    /* the target is loaded, and its word does not reach the source */
	SIM_CANCEL_SEND,
	SIM_ACTIVATE, /* refused */
	SIM_RESUME_SOURCE,
	SIM_ADOPT,  /* it does not answer for a while: it is announced with its state unknown */
	SIM_POINT_MAX,
	SIM_POINT_INVALID = -1
};
TABLE_DECLARE(sim_point, enum sim_point);

struct sim_hooks {
	/*
	 * Asked at each point. NULL: all is well; else the reason of the failure. May be NULL
	 * itself.
	 */
	const char *(*fault)(void *ctx, const char *node, const struct id *uuid,
			     enum sim_point point);
	/*
	 * False while the link is cut: a stream then stands silent until it is healed, cancelled
	 * or its deadline is over.
	 */
	bool (*linked)(void *ctx, const char *from, const char *to);
};

/* What a guest, or its process, does by itself. */
enum sim_deed { SIM_DIES, SIM_POWERS_OFF, SIM_PANICS, SIM_REBOOTS, SIM_LOSES_DISK };

/* A process as somebody outside the agents sees it. */
struct sim_seen {
	const char *node;
	struct id uuid;
	uint64_t epoch;
	enum domain_state state;
	bool vcpus_run;
};

/*
 * NULL @conf: like a QEMU on a small machine. @hooks may be NULL and is copied. @env outlives the
 * world.
 */
struct sim_world *sim_world_new(const struct env *env, const struct sim_conf *conf,
				const struct sim_hooks *hooks, void *hooks_ctx);
void sim_world_free(struct sim_world *w); /* after its drivers */
extern const struct sim_conf sim_conf_default;

/* One agent's driver on @node; at most one at a time for a node. @events outlives it. */
struct driver sim_driver_new(struct sim_world *w, const char *node, const struct env *env,
			     const struct driver_events *events, void *ctx);

/*
 * The node loses power: all its processes vanish. Its driver, if not freed yet, hears nothing more
 * and refuses everything; peers of its migrations see silence, not a reset.
 */
void sim_node_crash(struct sim_world *w, const char *node);
/*
 * Returns 0 or -ENOENT when @node has no such guest, -EINVAL when it does not run (SIM_DIES is
 * always possible).
 */
int sim_guest_deed(struct sim_world *w, const char *node, const struct id *uuid,
		   enum sim_deed deed);

/* All processes, ordered by node and uuid. */
void sim_world_walk(const struct sim_world *w, void (*fn)(void *ctx, const struct sim_seen *seen),
		    void *ctx);
/*
 * On how many nodes the guest's vCPUs run at this instant: more than one is the end of everything.
 */
size_t sim_world_running(const struct sim_world *w, const struct id *uuid);
/* Grows whenever a process comes, goes or changes its state: what was looked at need not be looked at again before. */
uint64_t sim_world_changes(const struct sim_world *w);

#endif
