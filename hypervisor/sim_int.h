/* SPDX-License-Identifier: Apache-2.0
 * What the parts of the simulated driver know of each other. */
#ifndef DOMUS_HYPERVISOR_SIM_INT_H
#define DOMUS_HYPERVISOR_SIM_INT_H

#include "base/map.h"
#include "sim.h"
#include "steps.h"

#define SIM_NODE_MAX    64
#define SIM_ADDRESS_MAX 160

struct sim_world {
	struct env env;
	struct sim_conf conf;
	struct sim_hooks hooks;
	void *hooks_ctx;
	struct map *processes; /* "NODE/UUID" -> struct sim_process, owned */
	struct map *drivers;   /* node -> struct sim_driver, not owned: agents that live */
	uint64_t serial;       /* of the last process made: our pids */
	uint64_t changes;      /* see sim_world_changes */
};

enum sim_phase { SIM_TRANSFERRING, SIM_SWITCHING_OVER, SIM_CONFIRMING };

/*
 * A migration, owned by its source. The target is looked up anew at each step, since it may have
 * died meanwhile.
 */
struct sim_stream {
	char target_node[SIM_NODE_MAX];
	uint64_t target_serial; /* of the process that was there at the beginning */
	enum sim_phase phase;
	unsigned int steps_left; /* of the transfer */
	bool paused_before;      /* by a person: then a failure leaves it paused */
	struct env_timer *timer;
};

/*
 * A guest's process, owned by the world. A step that was asked for takes effect even when the agent
 * dies before the answer. Invariant: @vcpus only in a state for which state_runs().
 */
struct sim_process {
	struct sim_world *world;
	char node[SIM_NODE_MAX], key[SIM_NODE_MAX + ID_TEXT_SIZE];
	struct domain_info info;
	uint64_t serial;
	bool vcpus;
	bool reboots_in_place;
	bool ending;
	struct domain *domain; /* the living agent's handle, or NULL */
	enum step step;        /* under way */
	struct env_timer *step_timer, *guest_timer, *end_timer;
	struct sim_stream *stream;
	char address[SIM_ADDRESS_MAX];
	char send_to[SIM_ADDRESS_MAX]; /* of STEP_SEND */
};

struct sim_waiter {
	driver_done_fn *done;
	void *ctx;
};

/* One agent's view of a process. @process is NULL once it has died; GONE is on its way then. */
struct domain {
	struct sim_driver *driver;
	struct sim_process *process;
	struct domain_info last;  /* of a process that is no more */
	struct sim_waiter waiter; /* for process->step */
	VEC(struct sim_waiter) kills;
	struct env_timer *deadline; /* of a send: kept by the agent, as in the real driver */
	struct env_timer *deaf;     /* armed: it does not answer, and nothing is heard of it but its end */
};

/* Something to tell the agent, from its loop, in order. @event is _INVALID for a completed call. */
struct sim_notice {
	struct domain *domain;
	enum domain_event event;
	bool found, adopted; /* instead of an event or a completion */
	struct sim_waiter waiter;
	struct err err;
};

struct sim_driver {
	struct sim_world *world;
	char node[SIM_NODE_MAX];
	struct env env;
	const struct driver_events *events;
	void *ctx;
	VEC(struct sim_notice) notices;
	struct env_timer *timer;
	VEC(struct domain *) domains; /* owned */
	bool cut;                     /* see sim_driver_cut */
};

/* sim.c: the agent's side. Each is harmless when no agent lives. */
void sim_tell(struct sim_process *p, enum domain_event event, const char *why);
void sim_step_done(struct sim_process *p, int code, const char *why);
/*
 * The agent hears of nothing any more: it has ended, or its node has. Its processes go on without
 * it.
 */
void sim_driver_cut(struct sim_driver *drv);
void sim_tell_gone(struct sim_process *p, const char *why);

/* sim_world.c: processes. */
struct sim_process *sim_find(const struct sim_world *w, const char *node, const struct id *uuid);
const char *sim_fault(const struct sim_process *p, enum sim_point point);
void sim_set_state(struct sim_process *p, enum domain_state state, const char *why);
void sim_step_begin(struct sim_process *p, enum step step);
void sim_end(struct sim_process *p);
/* Takes @p out of the world and frees it; whoever knows it is told @why. */
void sim_die(struct sim_process *p, const char *why);

/* sim_migrate.c. Each accepts a process without a stream. */
void sim_stream_begin(struct sim_process *source);
void sim_stream_cancel(struct sim_process *source, const char *why);
void sim_stream_free(struct sim_process *source);
void sim_stream_lost_peer(struct sim_process *gone);

#endif
