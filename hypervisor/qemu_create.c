/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: from a specification to a process that answers.
 *
 * The record stands before the process, so whenever the agent dies its successor knows where to
 * look. A process whose record holds no pid yet never ran: it is only cleared away. */
#include "qemu_int.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* QEMU needs 50 ms; ten guests at once under full load some seconds. */
#define SPAWN_TIMEOUT_US (30 * US_PER_S)
#define FIRST_CHILD_FD   3

void qemu_create_release(struct domain *d)
{
	if (d->child)
		d->q->children.ops->cancel(d->q->children.ctx, TAKE_PTR(d->child));
	qemu_argv_free(&d->argv);
	vec_free(&d->nics);
	d->waits = false;
}

void qemu_create_fail(struct domain *d, const struct err *err)
{
	struct err why = *err;

	qemu_step_done(d, &why);
	if (d->pidfd >= 0)
		qemu_kill_process(d); /* its death tells the rest */
	else
		qemu_gone(d, why.text);
}

/* Skips @word when the text begins with it. */
static bool skip(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

/* QEMU repeats its name and the option at fault, which is long and of no use to a person. */
static const char *skip_option(const struct domain *d, const char *line)
{
	const char *slash = strrchr(d->q->binary, '/'), *rest = line;

	if (!skip(&rest, slash ? slash + 1 : d->q->binary) || !skip(&rest, ": "))
		return line;
	for (size_t i = 0; i + 1 < d->argv.args.n; i++) {
		const char *p = rest;

		if (skip(&p, d->argv.args.v[i]) && skip(&p, " ") &&
		    skip(&p, d->argv.args.v[i + 1]) && skip(&p, ": "))
			return p;
	}
	return rest;
}

/* The last line of what QEMU wrote is what it died of; the lines before are warnings. */
static char *last_line(const struct child_end *end)
{
	size_t len = end->err_len;
	const char *line;

	while (len > 0 && (unsigned char)end->err[len - 1] <= ' ')
		len--;
	line = memrchr(end->err, '\n', len);
	line = line ? line + 1 : end->err;
	return mem_strndup(line, len - (size_t)(line - end->err));
}

static void spawn_error(const struct domain *d, const struct child_end *end, struct err *ret_err)
{
	_cleanup_(mem_freep) char *line = last_line(end);

	if (end->timed_out)
		err_set(ret_err, -ETIMEDOUT, "QEMU did not come up within %d s",
			(int)(SPAWN_TIMEOUT_US / US_PER_S));
	else if (!line[0])
		err_set(ret_err, -EIO, "QEMU ended with status %d, signal %d, and no word",
			end->status, end->signo);
	else
		err_set(ret_err, -EIO, "%s", skip_option(d, line));
}

static void created(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	(void)data;
	if (d->info.state == DOMAIN_ENDING)
		return;
	if (err->code) {
		qemu_create_fail(d, err);
		return;
	}
	qemu_set_state(d, DOMAIN_CREATED, "created");
	qemu_step_done(d, err);
}

/* QEMU is up and its first process has ended. */
static int came_up(struct domain *d, struct err *ret_err)
{
	int pid = qemu_pidfile_read(d->q->dir, &d->info.uuid), r;

	if (!pid)
		return err_set(ret_err, -EIO, "QEMU left no pidfile");
	r = qemu_attach(d, pid, 0, ret_err);
	if (r < 0)
		return r;
	qemu_consoles_open(d);
	d->info.kvm = d->q->accel == ACCEL_KVM;
	r = qemu_save_record(d, ret_err);
	return r < 0 ? r : qemu_connect(d, ret_err);
}

/* The first process was killed at its deadline, but the one that it had forked may live. */
static void kill_unattached(struct domain *d)
{
	int pid = qemu_pidfile_read(d->q->dir, &d->info.uuid);
	uint64_t start;

	if (pid && qemu_proc_check(pid, d->q->dir, &d->info.uuid, &start) == 0)
		kill(pid, SIGKILL);
}

static void spawned(void *ctx, const struct child_end *end)
{
	struct domain *d = ctx;
	struct err err = { 0 };
	bool killed = d->info.state == DOMAIN_ENDING;

	d->child = NULL;
	if (end->status != 0)
		spawn_error(d, end, &err);
	qemu_create_release(d);
	if (end->status != 0) {
		kill_unattached(d);
		qemu_create_fail(d, &err);
	} else if (came_up(d, &err) < 0) {
		qemu_create_fail(d, &err);
	} else if (killed) {
		qemu_kill_process(d);
	} else if (d->step == STEP_PREPARE_IN) {
		qemu_listen(d);
	} else {
		qmp_conn_call(d->qmp, "query-status", NULL, created, d);
	}
}

static int launch(struct domain *d, struct err *ret_err)
{
	struct child_spec spec = {
		.argv = (const char *const *)d->argv.args.v,
		.fds = d->taps.fds,
		.n_fds = d->taps.n,
		.deadline_us = SPAWN_TIMEOUT_US,
	};

	qemu_argv_set_accel(&d->argv, d->q->accel);
	return d->q->children.ops->spawn(d->q->children.ctx, &spec, spawned, d, &d->child, ret_err);
}

static bool must_wait(const struct domain *d)
{
	return d->q->accel == ACCEL_AUTO || qemu_taps_are_leaving(d->q, &d->info.uuid);
}

static int launch_or_wait(struct domain *d, struct err *ret_err)
{
	int r;

	d->waits = must_wait(d);
	if (d->waits)
		return 0;
	r = qemu_taps_open(d, ret_err);
	return r < 0 ? r : launch(d, ret_err);
}

static struct domain *first_that_may(struct qemu *q)
{
	struct map_iter it = { 0 };
	struct domain *d;

	while ((d = map_next(q->domains, &it)))
		if (d->waits && !must_wait(d) && d->info.state != DOMAIN_ENDING)
			return d;
	return NULL;
}

void qemu_create_go_on(struct qemu *q)
{
	struct domain *d;
	struct err err;

	while ((d = first_that_may(q)))
		if (launch_or_wait(d, &err) < 0)
			qemu_create_fail(d, &err);
}

static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

static void build_argv(struct domain *d, const struct domain_args *args, bool incoming)
{
	bool devices[SPEC_DISKS_MAX] = { false };
	struct qemu_argv_args a = {
		.spec = args->spec,
		.epoch = args->epoch,
		.binary = d->q->binary,
		.machine = d->q->machine,
		.accel = ACCEL_TCG,
		.dir = d->q->dir,
		.console_dir = d->q->console_dir,
		.disk_paths = args->disk_paths,
		.disk_is_device = devices,
		.first_fd = FIRST_CHILD_FD,
		.incoming = incoming,
		.cache_writeback = d->q->cache_writeback,
		.sandbox_off = d->q->sandbox_off,
	};

	for (size_t i = 0; i < args->spec->disks.n; i++)
		devices[i] = is_device(args->disk_paths[i]);
	qemu_argv_build(&a, &d->argv);
}

/* What can be refused before anything is made. */
static int check_args(struct qemu *q, const struct domain_args *args, struct err *ret_err)
{
	_cleanup_(mem_freep) char *socket = qemu_path(q->dir, &args->spec->uuid, QEMU_AGENT_SOCKET);
	_cleanup_(mem_freep) char *record = qemu_path(q->dir, &args->spec->uuid, QEMU_RECORD);
	char uuid[ID_TEXT_SIZE];

	if (args->epoch > INT64_MAX || id_is_none(&args->spec->uuid))
		return err_set(ret_err, -EINVAL, "guest %s: no uuid, or no epoch",
			       args->spec->name);
	if (map_get(q->domains, id_text(&args->spec->uuid, uuid)))
		return err_set(ret_err, -EEXIST, "guest %s: has a process on this node already",
			       args->spec->name);
	if (access(record, F_OK) == 0)
		return err_set(ret_err, -EEXIST,
			       "guest %s: an earlier agent left a process or its record "
			       "(%s), not adopted yet",
			       args->spec->name, record);
	if (strlen(socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return err_set(ret_err, -ENAMETOOLONG, "%s: longer than a socket's path may be",
			       socket);
	return 0;
}

static int begin(struct domain *d, const struct domain_args *args, enum step step,
		 struct err *ret_err)
{
	bool incoming = step == STEP_PREPARE_IN;
	int r = 0;

	if (incoming)
		r = qemu_listen_address(d, args->listen_address, ret_err);
	if (r == 0)
		r = qemu_save_record(d, ret_err);
	if (r < 0)
		return r;
	build_argv(d, args, incoming);
	for (size_t i = 0; i < args->spec->nics.n; i++)
		vec_push(&d->nics, args->spec->nics.v[i]);
	return launch_or_wait(d, ret_err);
}

static int make(struct qemu *q, const struct domain_args *args, enum step step,
		driver_done_fn *done, void *ctx, struct domain **ret_domain, struct err *ret_err)
{
	struct qemu_record record = {
		.uuid = args->spec->uuid,
		.epoch = args->epoch,
		.incoming = step == STEP_PREPARE_IN,
		.vnc = args->spec->vnc,
	};
	struct domain *d;
	int r = check_args(q, args, ret_err);

	if (r < 0)
		return r;
	STRCPY(record.name, args->spec->name);
	d = qemu_domain_new(q, &record);
	r = begin(d, args, step, ret_err);
	if (r < 0) {
		if (ret_err)
			err_prefix(ret_err, record.name);
		qemu_remove_files(q, &record.uuid);
		qemu_domain_free(d);
		return r;
	}
	d->step = step;
	d->waiter = (struct qemu_waiter){ done, ctx };
	*ret_domain = d;
	return 0;
}

int qemu_create(void *drv, const struct domain_args *args, driver_done_fn *done, void *ctx,
		struct domain **ret_domain, struct err *ret_err)
{
	return make(drv, args, STEP_CREATE, done, ctx, ret_domain, ret_err);
}

int qemu_prepare_in(void *drv, const struct domain_args *args, driver_done_fn *done, void *ctx,
		    struct domain **ret_domain, struct err *ret_err)
{
	return make(drv, args, STEP_PREPARE_IN, done, ctx, ret_domain, ret_err);
}
