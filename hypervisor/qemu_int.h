/* SPDX-License-Identifier: Apache-2.0
 * What the parts of the QEMU driver know of each other. */
#ifndef DOMUS_HYPERVISOR_QEMU_INT_H
#define DOMUS_HYPERVISOR_QEMU_INT_H

#include "base/map.h"
#include "qemu.h"
#include "qemu_argv.h"
#include "qemu_proc.h"
#include "qemu_record.h"
#include "qmp_conn.h"
#include "steps.h"

#include <sys/types.h>

#define QEMU_ADDRESS_MAX 80 /* tcp:[IPv6]:port */

struct qemu {
	struct env env;
	struct loop *loop;
	struct children children;
	const struct driver_events *events;
	void *ctx;
	char *binary, *machine, *run_dir;
	char *dir, *console_dir; /* run_dir/guests, run_dir/consoles */
	gid_t console_gid;       /* -1: consoles are root's alone */
	bool cache_writeback, sandbox_off;
	enum accel accel; /* ACCEL_AUTO until the probe has answered */
	struct accel_probe *probe;
	struct map *domains; /* uuid text -> struct domain */
	VEC(struct qemu_leaving *) leaving;
	struct env_timer *adopt_timer;
	bool adopting; /* adopted() is owed */
};

struct qemu_leaving;

struct qemu_taps {
	int fds[SPEC_NICS_MAX];
	size_t n;
};

struct qemu_waiter {
	driver_done_fn *done;
	void *ctx;
};

/* Of the migration under way, on the source. */
struct qemu_send {
	char address[QEMU_ADDRESS_MAX];
	uint64_t max_bytes_per_s;
	int64_t deadline_us;
	uint32_t downtime_ms; /* the limit now in force */
	unsigned int passes;
	unsigned int settle_tries, figures_tries;
	bool paused_before;     /* by a person: then a failure leaves it paused */
	bool ending;            /* QEMU has said completed, failed or cancelled */
	char why[ERR_TEXT_MAX]; /* of our own cancel, or "" */
	struct env_timer *deadline, *poll, *last_pass, *cancel;
};

/*
 * Invariants: @pidfd is -1 and @qmp NULL until the process is up; @waiter is set exactly while
 * @step is not STEP_NONE; a domain stands in qemu->domains until it is freed.
 */
struct domain {
	struct qemu *q;
	struct domain_info info;
	struct qemu_record record; /* as it stands in the run folder */
	int pidfd;
	struct loop_fd *pid_watch;
	struct qmp_conn *qmp;
	enum step step;
	struct qemu_waiter waiter;
	VEC(struct qemu_waiter) kills;
	struct env_timer *timer;        /* reconnect, or gone without a process */
	char cause[ERR_TEXT_MAX];       /* of the next change of state, from an event */
	char address[QEMU_ADDRESS_MAX]; /* where we listen */
	/* While it comes up: */
	struct qemu_argv argv;
	struct child *child;
	VEC(struct spec_nic) nics;
	bool waits; /* to be started, see qemu_create_go_on */
	/* Held from the start of the process, by the agent that made it, to its end: */
	struct qemu_taps taps;
	/* While it is being adopted: */
	bool unannounced; /* found() is owed */
	bool leftover;    /* half-made by an earlier agent: it is only cleared away */
	struct env_timer *adopt_deadline;
	char run_state[32];
	struct qemu_send send;
};

/* qemu.c: life. */
struct domain *qemu_domain_new(struct qemu *q, const struct qemu_record *record);
void qemu_domain_free(struct domain *d);
void qemu_event(struct domain *d, enum domain_event event, const char *why);
void qemu_set_state(struct domain *d, enum domain_state state, const char *why);
/* Answers the step under way, if there is one. */
void qemu_step_done(struct domain *d, const struct err *err);
int qemu_step_begin(struct domain *d, enum step step, driver_done_fn *done, void *ctx,
		    struct err *ret_err);
/* The process is no more, or never was: tells everybody who waits and frees @d. */
void qemu_gone(struct domain *d, const char *why);
void qemu_kill_process(struct domain *d);
int qemu_save_record(struct domain *d, struct err *ret_err);
/* All that a guest's process leaves in the run folder. */
void qemu_remove_files(const struct qemu *q, const struct id *uuid);

/* qemu_console.c: who may use the consoles and screens. */
int qemu_consoles_make(struct qemu *q, const char *group, struct err *ret_err);
void qemu_consoles_open(const struct domain *d); /* its process is up */
void qemu_consoles_remove(const struct qemu *q, const struct id *uuid);

/* qemu_create.c: from a specification to a process that answers. */
int qemu_create(void *drv, const struct domain_args *args, driver_done_fn *done, void *ctx,
		struct domain **ret_domain, struct err *ret_err);
int qemu_prepare_in(void *drv, const struct domain_args *args, driver_done_fn *done, void *ctx,
		    struct domain **ret_domain, struct err *ret_err);
/* The accelerator is known, or taps have left: starts what waited for that. */
void qemu_create_go_on(struct qemu *q);
/* Ends a creation: tells why, then kills what there is of the process. */
void qemu_create_fail(struct domain *d, const struct err *err);
void qemu_create_release(struct domain *d);

/* qemu_taps.c: the taps of a guest, from before its process to after it. */
int qemu_taps_open(struct domain *d, struct err *ret_err); /* those of d->nics */
void qemu_taps_close(struct qemu_taps *t);
/* The process is gone: its taps go too, and nobody here waits for that. */
void qemu_taps_leave(struct domain *d);
bool qemu_taps_are_leaving(const struct qemu *q, const struct id *uuid);
void qemu_taps_forget(struct qemu *q); /* those that leave do so by themselves */

/* qemu_watch.c: what QEMU and the kernel say by themselves. */
/*
 * Watches process @pid, which is known by its @start, or (0) by its command line. -ESRCH: it is
 * not there; other errors say nothing about that.
 */
int qemu_attach(struct domain *d, int pid, uint64_t start, struct err *ret_err);
int qemu_connect(struct domain *d, struct err *ret_err);
/* Connects, now and again until it succeeds, and asks for the state. */
void qemu_reconnect(struct domain *d);
/* What QEMU's run state means for this domain. */
enum domain_state qemu_state_of(const struct domain *d, const char *run_state);

/* qemu_adopt.c. */
void qemu_adopt(void *drv);
/* Asks QEMU for its state, of which nothing is known. */
void qemu_adopt_ask(struct domain *d);
void qemu_adopt_check(struct qemu *q); /* tells adopted() when nothing is owed any more */

/* qemu_incoming.c: the target's end, and what both ends need. */
extern const char qemu_migrate_capabilities[]; /* the same on both ends */
bool qemu_address_ok(const char *address);
int qemu_listen_address(struct domain *d, const char *address, struct err *ret_err);
void qemu_listen(struct domain *d); /* the last part of prepare_in */
void qemu_incoming_event(struct domain *d, const char *status);

/* qemu_migrate.c: the source's end. */
int qemu_send(void *drv, struct domain *d, const struct send_params *params, driver_done_fn *done,
	      void *ctx, struct err *ret_err);
int qemu_cancel_send(void *drv, struct domain *d, driver_done_fn *done, void *ctx,
		     struct err *ret_err);
void qemu_migration_event(struct domain *d, const struct json_t *data);
void qemu_migration_pass(struct domain *d, const struct json_t *data);
/* Gives up a send under way, if there is one; how it ends comes by event. */
void qemu_send_stop(struct domain *d, const char *why);
void qemu_last_pass(struct domain *d);    /* the source's vCPUs have stopped */
void qemu_send_resumed(struct domain *d); /* adopted while sending */
void qemu_send_forget(struct domain *d);

#endif
