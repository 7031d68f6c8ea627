/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: taking over the processes that an earlier agent left. */
#include "qemu_int.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

/* A sound QEMU answers in a millisecond. One that does not is announced all the same. */
#define ADOPT_US (3 * US_PER_S)
/* What could not be looked at is looked at again. */
#define AGAIN_US (1 * US_PER_S)

void qemu_adopt_check(struct qemu *q)
{
	struct map_iter it = { 0 };
	const struct domain *d;

	if (!q->adopting)
		return;
	/* A leftover that does not end (its host's disk hangs) only blocks its own guest. */
	while ((d = map_next(q->domains, &it)))
		if (d->unannounced || (d->leftover && d->adopt_deadline))
			return;
	q->adopting = false;
	q->events->adopted(q->ctx);
}

static void adopt_known(struct domain *d)
{
	struct qemu *q = d->q;

	if (!d->unannounced)
		return;
	d->unannounced = false;
	env_cancel(&q->env, &d->adopt_deadline);
	q->events->found(q->ctx, d);
	qemu_adopt_check(q);
}

static void adopt_late(void *ctx)
{
	struct domain *d = ctx;

	if (d->leftover)
		qemu_adopt_check(d->q);
	else
		adopt_known(d);
}

static bool migration_runs(const char *migration)
{
	static const char *const under_way[] = {
		"setup", "active", "device", "pre-switchover", "cancelling", "wait-unplug",
	};

	for (size_t i = 0; i < ARRAY_SIZE(under_way); i++)
		if (strcmp(under_way[i], migration) == 0)
			return true;
	return false;
}

/*
 * What a source's run state (asked first) and its migration's (asked then) say together: a source
 * that finished stands in postmigrate, and only "completed" says that the target has confirmed it.
 */
static enum domain_state adopted_state(const struct domain *d, const char *run_state,
				       const char *migration)
{
	enum domain_state state = qemu_state_of(d, run_state);
	bool finished = strcmp(run_state, "postmigrate") == 0 || state == DOMAIN_SENDING;

	if (finished && strcmp(migration, "completed") == 0)
		return DOMAIN_SENT;
	if ((state == DOMAIN_RUNNING || state == DOMAIN_PAUSED || state == DOMAIN_SENDING) &&
	    migration_runs(migration))
		return DOMAIN_SENDING;
	return state == DOMAIN_SENDING ? DOMAIN_PAUSED : state;
}

static void migration_known(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	if (d->info.state == DOMAIN_ENDING || err->code)
		return;
	d->info.state = adopted_state(d, d->run_state, qmp_str(data, "status"));
	if (state_runs(d->info.state) && !d->info.was_running) {
		d->info.was_running = true;
		qemu_save_record(d, NULL);
	}
	if (d->info.state == DOMAIN_SENDING)
		qemu_send_resumed(d);
	if (d->unannounced)
		adopt_known(d);
	else
		qemu_event(d, DOMAIN_EV_STATE, "its QEMU answers again");
}

static void status_known(void *ctx, const struct err *err, const struct json_t *data)
{
	struct domain *d = ctx;

	if (d->info.state == DOMAIN_ENDING || err->code)
		return;
	STRCPY(d->run_state, qmp_str(data, "status"));
	qmp_conn_call(d->qmp, "query-migrate", NULL, migration_known, d);
}

void qemu_adopt_ask(struct domain *d)
{
	qmp_conn_call(d->qmp, "query-status", NULL, status_known, d);
}

/* QEMU forks when it comes up: of such a family all are killed here but the youngest. */
static int youngest_process(const struct domain *d)
{
	int last = 0, pid;

	while ((pid = qemu_proc_find(d->q->dir, &d->info.uuid, last)) > 0) {
		if (last)
			kill(last, SIGKILL);
		last = pid;
	}
	return pid < 0 ? pid : last;
}

/* Whether it is there is not known: nothing of it is touched. */
static int not_now(struct domain *d, int r)
{
	qemu_domain_free(d);
	return r;
}

/* Half-made: its creator died before it was told, so it never ran and nobody counts on it. */
static int clear_half_made(struct domain *d, struct err *ret_err)
{
	int pid = youngest_process(d), r;

	if (pid < 0)
		return not_now(d, err_set(ret_err, pid, "/proc: %s", strerror(-pid)));
	d->leftover = true;
	r = pid ? qemu_attach(d, pid, 0, ret_err) : -ESRCH;
	if (r < 0 && r != -ESRCH)
		return not_now(d, r);
	env_timer(&d->q->env, &d->adopt_deadline, ADOPT_US, adopt_late, d);
	if (r == 0)
		qemu_kill_process(d);
	else
		qemu_gone(d, "half-made");
	return 0;
}

static int adopt_process(struct domain *d, struct err *ret_err)
{
	struct err err;
	int r = qemu_attach(d, d->record.pid, d->record.start, &err);

	if (r == -ESRCH) {
		d->leftover = true;
		qemu_gone(d, err.text);
		return 0;
	}
	if (r < 0)
		return not_now(d, err_set(ret_err, r, "%s", err.text));
	qemu_consoles_open(d);
	d->unannounced = true;
	env_timer(&d->q->env, &d->adopt_deadline, ADOPT_US, adopt_late, d);
	qemu_reconnect(d);
	return 0;
}

/* The uuid of a file called UUID.json. */
static bool record_name(const char *name, struct id *ret_uuid)
{
	char uuid[ID_TEXT_SIZE];

	if (strlen(name) != sizeof(uuid) - 1 + strlen("." QEMU_RECORD) ||
	    strcmp(name + sizeof(uuid) - 1, "." QEMU_RECORD) != 0)
		return false;
	memcpy(uuid, name, sizeof(uuid) - 1);
	uuid[sizeof(uuid) - 1] = '\0';
	return id_parse(uuid, ret_uuid) == 0;
}

static bool is_known(const struct qemu *q, const struct id *uuid)
{
	char text[ID_TEXT_SIZE];

	return map_get(q->domains, id_text(uuid, text)) != NULL;
}

/*
 * A record that cannot be read is of another version, or not ours (we replace them whole). It is
 * cleared away when no process is left; else a person, or that other version, must see to it.
 */
static int drop_unreadable(struct qemu *q, const struct id *uuid, int code, struct err *ret_err)
{
	int pid;

	if (code != -EINVAL)
		return code == -ENOENT ? 0 : code;
	pid = qemu_proc_find(q->dir, uuid, 0);
	if (pid < 0)
		return err_set(ret_err, pid, "/proc: %s", strerror(-pid));
	if (pid > 0)
		return err_set(ret_err, -EBUSY,
			       "the run record of process %d cannot be read: start the agent that "
			       "wrote it, or end that process",
			       pid);
	qemu_remove_files(q, uuid);
	return 0;
}

static int adopt_record(struct qemu *q, const struct id *uuid, struct err *ret_err)
{
	struct qemu_record record;
	struct domain *d;
	int r;

	if (is_known(q, uuid))
		return 0;
	r = qemu_record_read(q->dir, uuid, &record, ret_err);
	if (r < 0)
		return drop_unreadable(q, uuid, r, ret_err);
	d = qemu_domain_new(q, &record);
	return record.pid == 0 ? clear_half_made(d, ret_err) : adopt_process(d, ret_err);
}

typedef VEC(struct id) uuids;

/* All of them first: adopting changes the folder. */
static int list_records(const struct qemu *q, uuids *ret, struct err *ret_err)
{
	DIR *dir = opendir(q->dir);
	struct dirent *entry;
	struct id uuid;
	int code;

	if (!dir)
		return err_set(ret_err, -errno, "%s: %s", q->dir, strerror(errno));
	while (errno = 0, (entry = readdir(dir)))
		if (record_name(entry->d_name, &uuid))
			vec_push(ret, uuid);
	code = -errno;
	closedir(dir);
	return code ? err_set(ret_err, code, "%s: %s", q->dir, strerror(-code)) : 0;
}

static int adopt_records(struct qemu *q, struct err *ret_err)
{
	uuids found = { 0 };
	int r = list_records(q, &found, ret_err);

	for (size_t i = 0; r == 0 && i < found.n; i++)
		r = adopt_record(q, &found.v[i], ret_err);
	vec_free(&found);
	return r;
}

/* A process without a record: somebody has removed that. It may run, so nothing may be done here. */
static int refuse_strays(struct qemu *q, struct err *ret_err)
{
	struct id uuid;
	int pid = 0;

	while ((pid = qemu_proc_next(q->dir, pid, &uuid)) > 0)
		if (!is_known(q, &uuid))
			return err_set(ret_err, -EBUSY,
				       "process %d is a guest's, and its run record is gone: end it",
				       pid);
	return pid < 0 ? err_set(ret_err, pid, "/proc: %s", strerror(-pid)) : 0;
}

/*
 * Whoever is not found here counts as gone, and its guest is started elsewhere. So nothing is
 * said before all could be looked at.
 */
static void adopt_all(void *ctx)
{
	struct qemu *q = ctx;
	struct err err = { 0 };

	if (adopt_records(q, &err) < 0 || refuse_strays(q, &err) < 0) {
		q->events->cannot_adopt(q->ctx, err.text);
		env_timer(&q->env, &q->adopt_timer, AGAIN_US, adopt_all, q);
		return;
	}
	q->adopting = true;
	qemu_adopt_check(q);
}

void qemu_adopt(void *drv)
{
	struct qemu *q = drv;

	env_defer(&q->env, &q->adopt_timer, adopt_all, q);
}
