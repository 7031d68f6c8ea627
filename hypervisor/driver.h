/* SPDX-License-Identifier: Apache-2.0
 * A driver's contract: one node's guests as processes, all asynchronous.
 *
 * The driver does single steps. Their sequence, above all in a migration, is policy's; whether a step
 * is allowed at this instant (ownership, freshness) is checked by the caller right before it. */
#ifndef DOMUS_HYPERVISOR_DRIVER_H
#define DOMUS_HYPERVISOR_DRIVER_H

#include "base/env.h"
#include "base/err.h"
#include "base/id.h"
#include "base/table.h"
#include "hypervisor/spec.h"

#include <stdbool.h>
#include <stdint.h>

/* One guest process on this node. Owned by the driver; valid until its DOMAIN_GONE event returns. */
struct domain;

enum domain_state {
	DOMAIN_BEING_CREATED,	/* the process is coming up */
	DOMAIN_CREATED,		/* loaded, never ran: the vCPUs wait for cont */
	DOMAIN_INCOMING,	/* waits for a migration stream, or is receiving it */
	DOMAIN_LOADED,		/* has received everything; waits for activate */
	DOMAIN_RUNNING,
	DOMAIN_PAUSED,		/* by a person */
	DOMAIN_SENDING,		/* still runs (or is in its last pass) while its state is sent */
	DOMAIN_SENT,		/* everything sent and confirmed by the target; stands still until resume_source or kill */
	DOMAIN_POWERED_OFF,	/* the guest ended itself; the process still stands, so that the cause can be read */
	DOMAIN_CRASHED,		/* the guest's kernel panicked; the process still stands */
	DOMAIN_IO_ERROR,	/* stopped by its disk */
	DOMAIN_ENDING,		/* killed by us, not yet gone */
	DOMAIN_STATE_MAX,
	DOMAIN_STATE_INVALID = -1
};
TABLE_DECLARE(domain_state, enum domain_state);

enum domain_event {
	DOMAIN_EV_STATE,	/* the state changed, by us or by itself (powered off, crashed, resumed by itself, ...) */
	DOMAIN_EV_RESET,	/* the guest rebooted in place */
	DOMAIN_EV_PROGRESS,	/* of a migration, on the source: see domain_info */
	DOMAIN_EV_LOADED,	/* target: everything is here, the vCPUs still stand */
	DOMAIN_EV_SENT,		/* source: completed, stands still */
	DOMAIN_EV_FAILED,	/* source: the migration failed or was cancelled and the guest RUNS here again (state says so);
				   target: the stream broke: only abort_in is left. @why says what */
	DOMAIN_EV_GONE,		/* the process is no more; @domain is invalid when the call returns */
	DOMAIN_EVENT_MAX,
	DOMAIN_EVENT_INVALID = -1
};
TABLE_DECLARE(domain_event, enum domain_event);

/* What is known of a domain now. A plain value. */
struct domain_info {
	struct id uuid;
	char name[SPEC_NAME_MAX];
	uint64_t epoch;			/* of the grant under which the process was made */
	enum domain_state state;
	bool was_running;		/* ran at least once under our eyes or by its own word */
	uint64_t note;			/* see driver_ops.note */
	int pid;
	char serial[108], vnc[108];	/* UNIX socket paths; "" when there is none */
	/* of the last migration, as the hypervisor reports it: */
	uint64_t sent_bytes, total_bytes, remaining_bytes;
	uint32_t downtime_ms, total_ms;
	bool kvm;			/* hardware acceleration is in use */
	bool rebooted;			/* of a POWERED_OFF one: it wanted to boot anew. Not known after an agent's restart */
};

struct driver_events {
	/* @why is never NULL. Called from the loop, never from inside a call to the driver. */
	void (*event)(void *ctx, struct domain *domain, enum domain_event event, const char *why);
	/* adopt() found a process that lives: it is the caller's now. */
	void (*found)(void *ctx, struct domain *domain);
	/* adopt() is through. */
	void (*adopted)(void *ctx);
	/* adopt() cannot say what runs here, and tries again: until adopted() nothing is known. */
	void (*cannot_adopt)(void *ctx, const char *why);
};

/* Called exactly once per call that returned 0, from the loop. @err->code is 0 on success. */
typedef void driver_done_fn(void *ctx, const struct err *err);

struct domain_args {
	const struct guest_spec *spec;		/* copied as needed */
	uint64_t epoch;
	const char *const *disk_paths;		/* one for each of spec->disks, from storage */
	const char *listen_address;		/* incoming only: the node's address for the stream */
};

/* Migration limits. */
struct send_params {
	const char *address;			/* as the target's incoming_address gave it */
	uint64_t max_bytes_per_s;		/* never 0 */
	uint32_t downtime_ms;			/* the first limit; the driver raises it in steps while the stream does not converge */
	int64_t deadline_us;			/* the driver cancels by itself after this long: a silent peer would hold it for ever */
};

/*
 * Each call returns 0 and completes by @done, or a negative errno with
 * @ret_err and @done is never called. None blocks. A call in the
 * wrong state gives -EINVAL; a second one while the first is under way -EALREADY.
 */
struct driver_ops {
	const char *name;
	/* Starts the process with the vCPUs held; -EEXIST if this guest has a process on this node already. On failure nothing
	 * is left: @done says why, and DOMAIN_EV_GONE follows it. */
	int (*create)(void *drv, const struct domain_args *args, driver_done_fn *done, void *ctx, struct domain **ret_domain,
		      struct err *ret_err);
	/* Runs the vCPUs of a CREATED, PAUSED or IO_ERROR domain (the failed I/O is tried again). The gate is the caller's, at this very moment. */
	int (*cont)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);
	int (*pause)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);
	/* Asks the guest to power off (ACPI). Done = asked. */
	int (*shutdown)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);
	/* Ends the process for good. DOMAIN_EV_GONE comes first, then @done. Allowed in every state, twice too. A step under way
	 * fails with -ECHILD. */
	int (*kill)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);

	/* Target: a process that waits for the stream, vCPUs held, disks not activated. When @done says 0, incoming_address gives where it listens. */
	int (*prepare_in)(void *drv, const struct domain_args *args, driver_done_fn *done, void *ctx, struct domain **ret_domain,
			  struct err *ret_err);
	const char *(*incoming_address)(void *drv, struct domain *d);
	/* Source: starts to send. Done = under way; the outcome comes as DOMAIN_EV_SENT or DOMAIN_EV_FAILED. */
	int (*send)(void *drv, struct domain *d, const struct send_params *params, driver_done_fn *done, void *ctx, struct err *ret_err);
	/* Source, while SENDING: gives up. DOMAIN_EV_FAILED follows, or DOMAIN_EV_SENT if it was too late. */
	int (*cancel_send)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);
	/* Target, LOADED: runs it. Only after the hand-over is committed. */
	int (*activate)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);
	/* Target, before activate: ends it. As kill. */
	int (*abort_in)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);
	/* Source, SENT: runs it again. Only after a committed cancel. From SENDING it is cancel_send. */
	int (*resume_source)(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *ret_err);

	/* Looks for processes that an earlier agent left; events found ... adopted follow. Dead leftovers are cleared away. */
	void (*adopt)(void *drv);
	/* Remembers a number for as long as the process lives, over restarts of the agent (written before the call returns). 0 = none. */
	int (*note)(void *drv, struct domain *d, uint64_t note, struct err *ret_err);
	void (*info)(void *drv, const struct domain *d, struct domain_info *ret_info);
	void (*free)(void *drv);		/* lets go of the processes, which go on; NULL is accepted */
};

struct driver {
	const struct driver_ops *ops;
	void *drv;
};

/* The real one (QEMU by QMP). Its own adapter to the loop: see hypervisor/qemu.h. The simulated one: hypervisor/sim.h. */

#endif
