/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: domains, their steps, their ends. */
#include "qemu_int.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct domain *qemu_domain_new(struct qemu *q, const struct qemu_record *record)
{
	struct domain *d = mem_new(struct domain);
	char uuid[ID_TEXT_SIZE];

	d->q = q;
	d->record = *record;
	d->pidfd = -1;
	d->info.uuid = record->uuid;
	STRCPY(d->info.name, record->name);
	d->info.epoch = record->epoch;
	d->info.note = record->note;
	d->info.was_running = record->ran;
	d->info.kvm = record->kvm;
	d->info.state = DOMAIN_BEING_CREATED;
	map_put(q->domains, id_text(&record->uuid, uuid), d);
	return d;
}

/* Lets go of the process, which goes on if it lives. */
void qemu_domain_free(struct domain *d)
{
	char uuid[ID_TEXT_SIZE];

	map_remove(d->q->domains, id_text(&d->info.uuid, uuid));
	qemu_create_release(d);
	qemu_taps_close(&d->taps);
	qemu_send_forget(d);
	env_cancel(&d->q->env, &d->timer);
	env_cancel(&d->q->env, &d->adopt_deadline);
	loop_fd_remove(d->pid_watch);
	if (d->pidfd >= 0)
		close(d->pidfd);
	qmp_conn_free(d->qmp);
	vec_free(&d->kills);
	free(d);
}

void qemu_event(struct domain *d, enum domain_event event, const char *why)
{
	if (!d->leftover && !d->unannounced)
		d->q->events->event(d->q->ctx, d, event, why);
}

int qemu_save_record(struct domain *d, struct err *ret_err)
{
	d->record.ran = d->info.was_running;
	d->record.note = d->info.note;
	d->record.kvm = d->info.kvm;
	return qemu_record_write(d->q->dir, &d->record, ret_err);
}

void qemu_remove_files(const struct qemu *q, const struct id *uuid)
{
	qemu_consoles_remove(q, uuid);
	qemu_record_remove(q->dir, uuid);
}

void qemu_set_state(struct domain *d, enum domain_state state, const char *why)
{
	if (d->info.state == state)
		return;
	d->info.state = state;
	if (state_runs(state) && !d->info.was_running) {
		d->info.was_running = true;
		/* If this fails (tmpfs full), a successor that finds us paused takes us for
		 * never run, and asks before it runs us: safe. */
		qemu_save_record(d, NULL);
	}
	qemu_event(d, DOMAIN_EV_STATE, why);
}

void qemu_step_done(struct domain *d, const struct err *err)
{
	struct qemu_waiter waiter = d->waiter;
	struct err named = *err;

	if (d->step == STEP_NONE)
		return;
	if (named.code)
		err_set(&named, err->code, "guest %s: cannot %s: %s", d->info.name,
			step_text(d->step), err->text);
	d->step = STEP_NONE;
	d->waiter = (struct qemu_waiter){ 0 };
	waiter.done(waiter.ctx, &named);
}

int qemu_step_begin(struct domain *d, enum step step, driver_done_fn *done, void *ctx,
		    struct err *ret_err)
{
	int r = step_check(step, d->info.name, d->info.state, d->step, ret_err);

	if (r < 0)
		return r;
	if (!d->qmp)
		return err_set(ret_err, -ENOTCONN, "guest %s: its QEMU does not listen",
			       d->info.name);
	d->step = step;
	d->waiter = (struct qemu_waiter){ done, ctx };
	return 0;
}

/* A creation hears its failure before GONE, all others after it, as the contract says. */
void qemu_gone(struct domain *d, const char *why)
{
	struct qemu *q = d->q;
	struct qemu_waiter waiter;
	struct err none = { 0 }, gone;
	__typeof__(d->kills) kills;

	err_set(&gone, -ECHILD, "its process is gone: %s", why);
	if (d->step == STEP_CREATE || d->step == STEP_PREPARE_IN)
		qemu_step_done(d, &gone);
	err_set(&gone, -ECHILD, "guest %s: cannot %s: its process is gone: %s", d->info.name,
		step_text(d->step), why);
	waiter = d->waiter;
	kills = d->kills;
	memset(&d->kills, 0, sizeof(d->kills));
	qemu_remove_files(q, &d->info.uuid);
	qemu_taps_leave(d);
	qemu_event(d, DOMAIN_EV_GONE, why);
	qemu_domain_free(d);
	if (waiter.done)
		waiter.done(waiter.ctx, &gone);
	for (size_t i = 0; i < kills.n; i++)
		kills.v[i].done(kills.v[i].ctx, &none);
	vec_free(&kills);
	qemu_adopt_check(q);
}

static void gone_without_process(void *ctx)
{
	qemu_gone(ctx, "it was ended before its process was up");
}

/*
 * One that is still coming up is killed when it is up (its creation has a deadline), since between
 * QEMU's forks there is a moment when nobody could name the process.
 */
void qemu_kill_process(struct domain *d)
{
	d->info.state = DOMAIN_ENDING;
	if (d->pidfd >= 0)
		pidfd_send_signal(d->pidfd, SIGKILL, NULL, 0);
	else if (!d->child)
		env_defer(&d->q->env, &d->timer, gone_without_process, d);
}

static int qemu_kill(void *drv, struct domain *d, driver_done_fn *done, void *ctx,
		     struct err *ret_err)
{
	(void)drv;
	(void)ret_err;
	vec_push(&d->kills, (struct qemu_waiter){ done, ctx });
	qemu_kill_process(d);
	return 0;
}

/* What a simple step sends, and the state that its success gives. */
static const struct simple_step {
	const char *command;
	enum domain_state next;
	const char *why;
} simple_steps[STEP_MAX] = {
	[STEP_CONT] = { "cont", DOMAIN_RUNNING, "runs" },
	[STEP_PAUSE] = { "stop", DOMAIN_PAUSED, "paused" },
	[STEP_SHUTDOWN] = { "system_powerdown", DOMAIN_STATE_INVALID, "" },
	[STEP_ACTIVATE] = { "cont", DOMAIN_RUNNING, "runs here now" },
	[STEP_RESUME_SOURCE] = { "cont", DOMAIN_RUNNING, "runs here again" },
};

/* An event may have brought a newer state already, or the kill: then that one stands. */
static void simple_answered(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	const struct simple_step *row = &simple_steps[d->step];

	(void)data;
	if (!err->code && row->next != DOMAIN_STATE_INVALID && step_allowed(d->step, d->info.state))
		qemu_set_state(d, row->next, row->why);
	qemu_step_done(d, err);
}

static int simple(struct domain *d, enum step step, driver_done_fn *done, void *ctx,
		  struct err *ret_err)
{
	int r = qemu_step_begin(d, step, done, ctx, ret_err);

	if (r < 0)
		return r;
	qmp_conn_call(d->qmp, simple_steps[step].command, NULL, simple_answered, d);
	return 0;
}

/* The operations that differ in nothing but the step. */
#define QEMU_STEP(name, step) \
	static int name(void *drv, struct domain *d, driver_done_fn *done, void *ctx, \
			struct err *ret_err) \
	{ \
		(void)drv; \
		return simple(d, step, done, ctx, ret_err); \
	}

QEMU_STEP(qemu_cont, STEP_CONT)
QEMU_STEP(qemu_pause, STEP_PAUSE)
QEMU_STEP(qemu_shutdown, STEP_SHUTDOWN)
QEMU_STEP(qemu_activate, STEP_ACTIVATE)
QEMU_STEP(qemu_resume_source, STEP_RESUME_SOURCE)

static const char *qemu_incoming_address(void *drv, struct domain *d)
{
	(void)drv;
	return d->address;
}

static int qemu_note(void *drv, struct domain *d, uint64_t note, struct err *ret_err)
{
	uint64_t before = d->info.note;
	int r;

	(void)drv;
	if (note > INT64_MAX)
		return err_set(ret_err, -ERANGE, "guest %s: the note is too large", d->info.name);
	d->info.note = note;
	r = qemu_save_record(d, ret_err);
	if (r < 0)
		d->info.note = before;
	return r;
}

static void copy_path(const struct domain *d, const char *suffix, bool there, char *ret,
		      size_t size)
{
	_cleanup_(mem_freep) char *path = qemu_path(d->q->console_dir, &d->info.uuid, suffix);

	ret[0] = '\0';
	if (there)
		mem_strcpy(ret, size, path);
}

static void qemu_info(void *drv, const struct domain *d, struct domain_info *ret_info)
{
	(void)drv;
	*ret_info = d->info;
	copy_path(d, QEMU_SERIAL_SOCKET, true, ret_info->serial, sizeof(ret_info->serial));
	copy_path(d, QEMU_VNC_SOCKET, d->record.vnc, ret_info->vnc, sizeof(ret_info->vnc));
}

static void qemu_free(void *drv)
{
	struct qemu *q = drv;

	if (!q)
		return;
	accel_probe_cancel(q->probe);
	env_cancel(&q->env, &q->adopt_timer);
	while (q->domains && map_count(q->domains) > 0)
		qemu_domain_free(map_first(q->domains));
	map_free(q->domains);
	qemu_taps_forget(q);
	free(q->binary);
	free(q->machine);
	free(q->run_dir);
	free(q->dir);
	free(q->console_dir);
	free(q);
}

static const struct driver_ops qemu_ops = {
	.name = "qemu",
	.create = qemu_create,
	.cont = qemu_cont,
	.pause = qemu_pause,
	.shutdown = qemu_shutdown,
	.kill = qemu_kill,
	.prepare_in = qemu_prepare_in,
	.incoming_address = qemu_incoming_address,
	.send = qemu_send,
	.cancel_send = qemu_cancel_send,
	.activate = qemu_activate,
	.abort_in = qemu_kill,
	.resume_source = qemu_resume_source,
	.adopt = qemu_adopt,
	.note = qemu_note,
	.info = qemu_info,
	.free = qemu_free,
};

static void accel_known(void *ctx, enum accel accel, const char *why)
{
	struct qemu *q = ctx;

	(void)why;
	q->probe = NULL;
	q->accel = accel;
	qemu_create_go_on(q);
}

/* Without an answer guests get TCG: slow, and right everywhere. */
static void find_accel(struct qemu *q)
{
	if (q->accel != ACCEL_AUTO)
		return;
	if (accel_probe_start(q->run_dir, q->binary, &q->env, &q->children, accel_known, q,
			      &q->probe, NULL) < 0)
		q->accel = ACCEL_TCG;
}

static int make_dir(const char *path, struct err *ret_err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(ret_err, -errno, "cannot make the folder %s: %s", path,
			       strerror(errno));
	return 0;
}

static char *or_default(const char *text, const char *other)
{
	return mem_strdup(text && text[0] ? text : other);
}

static char *below(const char *dir, const char *name)
{
	struct buf path = { 0 };

	buf_str(&path, dir);
	buf_str(&path, name);
	return buf_take(&path);
}

static struct qemu *qemu_new(const struct qemu_conf *conf)
{
	struct qemu *q = mem_new(struct qemu);

	q->binary = or_default(conf->binary, "/usr/bin/qemu-system-x86_64");
	q->machine = or_default(conf->machine, "pc-q35-7.2");
	q->run_dir = or_default(conf->run_dir, "/run/domus");
	q->dir = below(q->run_dir, "/guests");
	q->console_dir = below(q->run_dir, "/consoles");
	q->accel = conf->accel;
	q->cache_writeback = conf->cache_writeback;
	q->sandbox_off = conf->sandbox_off;
	q->domains = map_new(NULL);
	return q;
}

struct driver qemu_driver_new(const struct qemu_conf *conf, const struct env *env,
			      struct loop *loop, const struct children *children,
			      const struct driver_events *events, void *ctx, struct err *ret_err)
{
	struct qemu *q = qemu_new(conf);

	q->env = *env;
	q->loop = loop;
	q->children = *children;
	q->events = events;
	q->ctx = ctx;
	if (make_dir(q->run_dir, ret_err) < 0 || make_dir(q->dir, ret_err) < 0 ||
	    qemu_consoles_make(q, conf->console_group, ret_err) < 0) {
		qemu_free(q);
		return (struct driver){ 0 };
	}
	find_accel(q);
	return (struct driver){ &qemu_ops, q };
}
