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

void qemu_adopt_check(struct qemu *q)
{
	struct map_iter it = { 0 };
	const struct domain *d;

	if (!q->adopting)
		return;
	while ((d = map_next(q->domains, &it)))
		if (d->unannounced || d->leftover)
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
	adopt_known(ctx);
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

	while ((pid = qemu_process_find(d->q->dir, &d->info.uuid, last))) {
		if (last)
			kill(last, SIGKILL);
		last = pid;
	}
	return last;
}

/* Half-made: its creator died before it was told, so it never ran and nobody counts on it. */
static void clear_half_made(struct domain *d)
{
	int pid = youngest_process(d);

	d->leftover = true;
	if (pid && qemu_attach(d, pid, 0, NULL) == 0)
		qemu_kill_process(d);
	else
		qemu_gone(d, "half-made");
}

static void adopt_process(struct domain *d)
{
	struct err err;

	if (qemu_attach(d, d->record.pid, d->record.start, &err) < 0) {
		d->leftover = true;
		qemu_gone(d, err.text);
		return;
	}
	d->unannounced = true;
	env_timer(&d->q->env, &d->adopt_deadline, ADOPT_US, adopt_late, d);
	qemu_reconnect(d);
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

/*
 * A record that cannot be read (ours are replaced whole, so somebody else wrote it) is cleared away
 * when no process is left. Else it stays, and create refuses this guest: a person must look.
 */
static void adopt_record(struct qemu *q, const struct id *uuid)
{
	struct qemu_record record;
	char text[ID_TEXT_SIZE];
	struct domain *d;

	if (map_get(q->domains, id_text(uuid, text)))
		return;
	if (qemu_record_read(q->dir, uuid, &record, NULL) < 0) {
		if (!qemu_process_find(q->dir, uuid, 0))
			qemu_record_remove(q->dir, uuid);
		return;
	}
	d = qemu_domain_new(q, &record);
	if (record.pid == 0)
		clear_half_made(d);
	else
		adopt_process(d);
}

static void adopt_all(void *ctx)
{
	struct qemu *q = ctx;
	DIR *dir = opendir(q->dir);
	VEC(struct id) uuids = { 0 };
	struct dirent *entry;
	struct id uuid;

	/* Collected first: adopting changes the folder. */
	while (dir && (entry = readdir(dir)))
		if (record_name(entry->d_name, &uuid))
			vec_push(&uuids, uuid);
	if (dir)
		closedir(dir);
	for (size_t i = 0; i < uuids.n; i++)
		adopt_record(q, &uuids.v[i]);
	vec_free(&uuids);
	q->adopting = true;
	qemu_adopt_check(q);
}

void qemu_adopt(void *drv)
{
	struct qemu *q = drv;

	env_defer(&q->env, &q->adopt_timer, adopt_all, q);
}
