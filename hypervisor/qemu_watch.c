/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: what QEMU and the kernel say by themselves. */
#include "qemu_int.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* A monitor that was lost while the process lives is tried again this much later. */
#define RECONNECT_US (500 * US_PER_MS)

static const struct {
	const char *run_state;
	enum domain_state state;
} run_states[] = {
	{ "running", DOMAIN_RUNNING },
	{ "suspended", DOMAIN_RUNNING }, /* the guest sleeps (ACPI S3) by its own wish */
	{ "paused", DOMAIN_PAUSED },
	{ "debug", DOMAIN_PAUSED },
	{ "save-vm", DOMAIN_PAUSED },
	{ "restore-vm", DOMAIN_PAUSED },
	{ "prelaunch", DOMAIN_CREATED },
	{ "inmigrate", DOMAIN_INCOMING },
	{ "finish-migrate", DOMAIN_SENDING },
	{ "postmigrate", DOMAIN_PAUSED },
	{ "shutdown", DOMAIN_POWERED_OFF },
	{ "guest-panicked", DOMAIN_CRASHED },
	{ "internal-error", DOMAIN_CRASHED },
	{ "watchdog", DOMAIN_CRASHED },
	{ "io-error", DOMAIN_IO_ERROR },
};

enum domain_state qemu_state_of(const struct domain *d, const char *run_state)
{
	enum domain_state state = DOMAIN_PAUSED;

	for (size_t i = 0; i < ARRAY_SIZE(run_states); i++)
		if (strcmp(run_states[i].run_state, run_state) == 0)
			state = run_states[i].state;
	/*
	 * An incoming guest never passes through prelaunch; it stands in paused until it is
	 * activated.
	 */
	if (state == DOMAIN_PAUSED && d->record.incoming && !d->info.was_running)
		return DOMAIN_LOADED;
	if (state == DOMAIN_PAUSED && !d->info.was_running)
		return DOMAIN_CREATED;
	return state;
}

/* States in which only the step under way, or the migration, decides what comes next. */
static bool led_by_a_step(const struct domain *d)
{
	enum domain_state s = d->info.state;

	return s == DOMAIN_BEING_CREATED || s == DOMAIN_INCOMING || s == DOMAIN_SENT ||
	       s == DOMAIN_ENDING;
}

static void status_answered(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;
	enum domain_state state;

	if (err->code || led_by_a_step(d))
		return;
	state = qemu_state_of(d, qmp_str(data, "status"));
	/* While sending, running and standing still belong to the migration; an end does not. */
	if (d->info.state == DOMAIN_SENDING) {
		if (state >= DOMAIN_POWERED_OFF)
			qemu_send_stop(d, d->cause);
		return;
	}
	if (d->info.state == DOMAIN_LOADED && state != DOMAIN_RUNNING)
		return;
	qemu_set_state(d, state, d->cause[0] ? d->cause : "its state changed");
	d->cause[0] = '\0';
}

/* Events are hints; the state is what QEMU answers when asked. */
static void ask_status(struct domain *d, const struct json_t *data)
{
	(void)data;
	qmp_conn_call(d->qmp, "query-status", NULL, status_answered, d);
}

static void on_stop(struct domain *d, const struct json_t *data)
{
	if (d->info.state == DOMAIN_SENDING)
		qemu_last_pass(d);
	ask_status(d, data);
}

static void on_shutdown(struct domain *d, const struct json_t *data)
{
	bool reboot = strcmp(qmp_str(data, "reason"), "guest-reset") == 0;

	d->info.rebooted = reboot;
	snprintf(d->cause, sizeof(d->cause), "%s",
		 reboot ? "the guest rebooted" : "the guest powered itself off");
	ask_status(d, data);
}

static void on_panic(struct domain *d, const struct json_t *data)
{
	snprintf(d->cause, sizeof(d->cause), "the guest's kernel panicked");
	ask_status(d, data);
}

static void on_io_error(struct domain *d, const struct json_t *data)
{
	if (strcmp(qmp_str(data, "action"), "stop") == 0)
		snprintf(d->cause, sizeof(d->cause), "disk %.40s: %s failed: %.100s",
			 qmp_str(data, "node-name"), qmp_str(data, "operation"),
			 qmp_str(data, "reason"));
	ask_status(d, data);
}

static void on_reset(struct domain *d, const struct json_t *data)
{
	if (json_is_true(json_object_get(data, "guest")))
		qemu_event(d, DOMAIN_EV_RESET, "the guest rebooted");
}

static const struct {
	const char *event;
	void (*handle)(struct domain *d, const struct json_t *data);
} handlers[] = {
	{ "STOP", on_stop },
	{ "RESUME", ask_status },
	{ "SHUTDOWN", on_shutdown },
	{ "RESET", on_reset },
	{ "GUEST_PANICKED", on_panic },
	{ "BLOCK_IO_ERROR", on_io_error },
	{ "MIGRATION", qemu_migration_event },
	{ "MIGRATION_PASS", qemu_migration_pass },
};

static void qmp_event(void *ctx, const char *event, const struct json_t *data)
{
	struct domain *d = ctx;

	if (d->info.state == DOMAIN_ENDING)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (strcmp(handlers[i].event, event) == 0)
			handlers[i].handle(d, data);
}

static void reconnect_fires(void *ctx)
{
	qemu_reconnect(ctx);
}

/* The event may have been missed. */
static void incoming_answered(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	if (!err->code && d->info.state == DOMAIN_INCOMING)
		qemu_incoming_event(d, qmp_str(data, "status"));
}

void qemu_reconnect(struct domain *d)
{
	qmp_conn_free(TAKE_PTR(d->qmp));
	if (qemu_connect(d, NULL) < 0)
		env_timer(&d->q->env, &d->timer, RECONNECT_US, reconnect_fires, d);
	else if (d->info.state == DOMAIN_BEING_CREATED)
		qemu_adopt_ask(d);
	else if (d->info.state == DOMAIN_INCOMING)
		qmp_conn_call(d->qmp, "query-migrate", NULL, incoming_answered, d);
	else
		ask_status(d, NULL);
}

/* Mostly the process is dying, and its pidfd says so next. */
static void qmp_closed(void *ctx, const char *why)
{
	struct domain *d = ctx;

	(void)why;
	if (d->info.state != DOMAIN_ENDING)
		env_timer(&d->q->env, &d->timer, RECONNECT_US, reconnect_fires, d);
}

static const struct qmp_conn_events conn_events = { qmp_event, qmp_closed };

int qemu_connect(struct domain *d, struct err *ret_err)
{
	_cleanup_(mem_freep) char *path = qemu_path(d->q->dir, &d->info.uuid, QEMU_AGENT_SOCKET);

	return qmp_conn_open(d->q->loop, path, &conn_events, d, &d->qmp, ret_err);
}

static void process_ended(void *ctx, int fd, uint32_t revents)
{
	struct domain *d = ctx;

	(void)fd;
	(void)revents;
	qemu_gone(d, d->info.state == DOMAIN_ENDING ? "killed" : "its QEMU ended unexpectedly");
}

/* A pid that is now a thread's is nobody's: the kernel calls that EINVAL. */
static int open_process(int pid)
{
	int fd = pidfd_open(pid, 0);

	if (fd >= 0)
		return fd;
	return errno == EINVAL ? -ESRCH : -errno;
}

/*
 * A process that is ending has no command line any more, but may still write to its disks: its
 * start is enough to know it by.
 */
static int check_process(struct domain *d, int pid, uint64_t start, uint64_t *ret_started)
{
	int r;

	if (!start)
		return qemu_proc_check(pid, d->q->dir, &d->info.uuid, ret_started);
	r = qemu_proc_start(pid, ret_started);
	return r == 0 && *ret_started != start ? -ESRCH : r;
}

/*
 * The pid may belong to another process by now. What the descriptor refers to cannot change any
 * more once it is open, so the checks come after.
 */
int qemu_attach(struct domain *d, int pid, uint64_t start, struct err *ret_err)
{
	uint64_t started = 0;
	int fd = open_process(pid), r = fd < 0 ? fd : check_process(d, pid, start, &started);

	if (r < 0 && fd >= 0)
		close(fd);
	if (r == -ESRCH)
		return err_set(ret_err, r, "process %d is not this guest's QEMU", pid);
	if (r < 0)
		return err_set(ret_err, r, "process %d: %s", pid, strerror(-r));
	d->pidfd = fd;
	d->info.pid = d->record.pid = pid;
	d->record.start = started;
	d->pid_watch = loop_fd_add(d->q->loop, fd, POLLIN, process_ended, d);
	return 0;
}
