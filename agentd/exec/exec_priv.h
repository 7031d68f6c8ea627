/* SPDX-License-Identifier: Apache-2.0
 * Private to agentd/exec: jobs and local domains. */
#ifndef DOMUS_EXEC_PRIV_H
#define DOMUS_EXEC_PRIV_H

#include "base/map.h"
#include "base/vec.h"
#include "exec/exec.h"

typedef VEC(struct ticket) tickets;

/* A guest's process on this node, and the volumes that are mapped for it. At most one for each guest. */
struct local {
	char guest[MODEL_NAME_MAX];
	struct domain *domain;
	uint64_t epoch;			/* of the process */
	bool ending;			/* we have asked for its end */
	bool loaded_reported;
	enum guest_state reported;	/* the last state told by CMD_REPORT_STATE, GUEST_STATE_INVALID: none */
	enum end_cause cause;		/* why it will have ended; END_CAUSE_INVALID: nothing known yet */
	char why[ERR_TEXT_MAX];
	bool tickets_known;
	tickets tickets;
	enum access_mode asked_mode;	/* the last one asked of storage for them; ACCESS_MODE_INVALID: ask */
};

/* An operation of the model that is being carried out here. Stands until the model no longer has it. */
struct job {
	struct exec *x;
	struct operation op;
	bool inherited;			/* ordered before this agent came up: an earlier one may have done a part */
	bool busy;			/* a call is under way whose completion steps the job again */
	bool done;			/* reported */
	bool dropped;			/* no longer in the model; freed when not busy. Until then other jobs of its guest wait */
	bool created;			/* the process was asked for by this job */
	bool asked;			/* its one attempt was begun (a stop: the guest was asked; of the source's resume: the cancel) */
	bool tried;			/* of the source's resume: the resume itself was begun */
	bool expired;			/* of a stop: its time is over */
	bool released;			/* what an earlier agent may have mapped was given back */
	char failure[ERR_TEXT_MAX];	/* what went wrong; reported once nothing is left behind */
	struct guest_spec *spec;
	VEC(char *) paths;		/* of the volumes mapped so far */
	tickets tickets;
	struct env_timer *timer;
	struct fence_job *fence;
};

struct pool_name {
	char name[MODEL_NAME_MAX];
};

struct exec {
	struct exec_conf conf;
	uint32_t node;			/* 0 before the first sync */
	bool adopted, synced;
	uint64_t pools_seen;		/* highest revision of a pool that storage was told */
	VEC(struct pool_name) pools;	/* that storage was told, and has not been told to forget */
	struct map *locals;		/* guest -> struct local */
	struct map *jobs;		/* operation -> struct job */
	VEC(struct job *) leaving;	/* dropped ones whose call is still under way */
	VEC(struct release *) releases;
	struct env_timer *remap;
	struct map *ended;		/* guest -> uint64_t *: epoch whose end was reported */
};

void exec_log(const struct exec *x, int priority, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool exec_may_run(const struct exec *x);
bool exec_is_me(const struct exec *x, const struct owner *o);

/* volumes.c */
/* A process that is no more: what is to be said of it once its volumes are free. */
struct ending {
	uint64_t epoch;
	enum end_cause cause;
	char why[ERR_TEXT_MAX];
};
typedef void released_fn(struct exec *x, const char *guest, const struct ending *end);
struct release;
void release_free(struct release *r);		/* whatever is under way is not awaited */
/* Unmaps; then calls @done (may be NULL, with any @end), from inside when there is nothing to unmap. @list is copied. */
void volumes_release(struct exec *x, const char *guest, const tickets *list, released_fn *done, const struct ending *end);
/* The same for all volumes that the model says the guest has: an agent before us may have mapped them. */
void volumes_release_known(struct exec *x, const char *guest, uint64_t epoch, released_fn *done, const struct ending *end);
void volumes_release_strange(struct exec *x);	/* all that no process here can have: an agent before us died over them */
void volumes_tickets(const struct exec *x, const char *guest, uint64_t epoch, tickets *ret);
bool volumes_leave(const struct exec *x, const char *guest);	/* some are being unmapped */
/* Maps all that a process has in another mode of its own epoch; tries until it is so or another mode is asked for. */
void volumes_map_as(struct exec *x, struct local *l, enum access_mode mode);
bool volumes_are(const struct exec *x, const struct local *l, enum access_mode mode);

/* local.c */
void local_free(void *local);
struct local *local_get(const struct exec *x, const char *guest);
struct local *local_of(const struct exec *x, const struct domain *d);
struct local *local_add(struct exec *x, const char *guest, struct domain *d, uint64_t epoch);
enum domain_state local_state(const struct exec *x, const struct local *l);
void local_end(struct exec *x, struct local *l);		/* kills it unless that is under way */
void local_reconcile(struct exec *x);				/* ends what must not run, reports what differs */

/* jobs: exec.c */
void job_step(struct job *j);
void job_step_guest(struct exec *x, const char *guest);		/* all jobs of a guest */
bool job_has(const struct exec *x, const char *guest, enum op_kind kind);	/* one that has not reported yet */
bool job_begin(struct job *j, int started, const struct err *err);	/* after a call that returned @started: busy, or failed */
void job_called(void *job, const struct err *err);		/* driver_done_fn, storage_done_fn: an error fails the job */
void job_fail(struct job *j, const char *why);
void job_report(struct job *j, const char *detail);		/* done: success, or failure when there is one */

/* The steps of each kind: look at what is there, do the next thing; called again whenever something has changed. */
void step_start(struct job *j);
void step_stop(struct job *j);
void step_kill(struct job *j);
void step_pause(struct job *j);
void step_resume(struct job *j);
void step_prepare_in(struct job *j);
void step_send(struct job *j);
void step_activate(struct job *j);
void step_resume_source(struct job *j);
void step_fence(struct job *j);
void step_volume_create(struct job *j);
void step_volume_delete(struct job *j);

/*
 * op_create.c: makes the process of the job's guest under its epoch, volumes first. True when it stands as @wanted; else
 * something is under way, or the job has failed.
 */
void job_release_volumes(struct job *j);	/* what was mapped for a process that never came to be */
bool job_is_clear(struct job *j);		/* no process here: its volumes, whoever mapped them, are free too */
bool job_has_process(struct job *j, enum access_mode mode, bool incoming);

#endif
