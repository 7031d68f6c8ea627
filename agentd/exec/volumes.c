/* SPDX-License-Identifier: Apache-2.0
 * The volumes of this node's processes: given back when a process is gone, and shared while it is migrated. */
#include "exec_priv.h"

#include <stdlib.h>
#include <string.h>

#define BUSY_WAIT_US  (20 * US_PER_MS)	/* a call on the same volume is just under way */
#define REMAP_WAIT_US (500 * US_PER_MS)	/* the storage refused: it is asked again, not in a frenzy */

/*
 * Volumes that are being given back, one after the other. Until that is done no operation goes on for their guest, and
 * its end is not reported: whoever starts it next is to find them free.
 */
struct release {
	struct exec *x;
	char guest[MODEL_NAME_MAX];
	tickets tickets;		/* those still to be unmapped; the last one is under way */
	struct env_timer *retry;
	released_fn *done;
	struct ending end;
};

void release_free(struct release *r)
{
	env_cancel(&r->x->conf.env, &r->retry);
	vec_free(&r->tickets);
	free(r);
}

bool volumes_leave(const struct exec *x, const char *guest)
{
	struct release *const *r;

	vec_each(r, &x->releases)
		if (!strcmp((*r)->guest, guest))
			return true;
	return false;
}

static void release_done(struct release *r)
{
	struct exec *x = r->x;
	char guest[MODEL_NAME_MAX];

	STRCPY(guest, r->guest);
	vec_drop(&x->releases, r);
	if (r->done)
		r->done(x, guest, &r->end);
	release_free(r);
	job_step_guest(x, guest);
	x->conf.events->moved(x->conf.ctx);
}

static void release_next(void *ctx);

static void unmapped(void *ctx, const struct err *err)
{
	struct release *r = ctx;

	if (err->code && err->code != -ESTALE)
		exec_log(r->x, 4, "%s", err->text);
	r->tickets.n--;
	release_next(r);
}

static void release_next(void *ctx)
{
	struct release *r = ctx;
	struct err err;

	while (r->tickets.n) {
		int rc = storage_unmap(r->x->conf.storage, &r->tickets.v[r->tickets.n - 1], unmapped, r, &err);

		if (rc == 0)
			return;
		if (rc == -EBUSY) {
			env_timer(&r->x->conf.env, &r->retry, BUSY_WAIT_US, release_next, r);
			return;
		}
		if (rc != -ESTALE)
			exec_log(r->x, 4, "%s", err.text);
		r->tickets.n--;
	}
	release_done(r);
}

void volumes_release(struct exec *x, const char *guest, const tickets *list, released_fn *done, const struct ending *end)
{
	struct release *r = mem_new(struct release);
	const struct ticket *t;

	r->x = x;
	STRCPY(r->guest, guest);
	vec_each(t, list)
		vec_push(&r->tickets, *t);
	r->done = done;
	if (end)
		r->end = *end;
	vec_push(&x->releases, r);
	release_next(r);
}

void volumes_tickets(const struct exec *x, const char *guest, uint64_t epoch, tickets *ret)
{
	const struct guest *g = model_guest(x->conf.model, guest);
	const struct guest_volume *v;

	if (!g)
		return;
	vec_each(v, &g->volumes) {
		struct ticket *t = vec_add(ret);

		*t = (struct ticket){ .node = x->node, .epoch = epoch, .mode = ACCESS_PRIVATE };
		STRCPY(t->pool, v->pool);
		STRCPY(t->volume, v->name);
	}
}

void volumes_release_known(struct exec *x, const char *guest, uint64_t epoch, released_fn *done, const struct ending *end)
{
	tickets list = { 0 };

	volumes_tickets(x, guest, epoch, &list);
	volumes_release(x, guest, &list, done, end);
	vec_free(&list);
}

static bool is_of_here(const struct exec *x, const struct guest *user)
{
	return exec_is_me(x, &user->owner) || exec_is_me(x, &user->move.target) || local_get(x, user->name);
}

/* Under the newest epoch there is: what is granted later has a later one. */
void volumes_release_strange(struct exec *x)
{
	struct map_iter it = { 0 };
	const struct volume *v;

	while ((v = map_next(x->conf.model->volumes, &it))) {
		const struct guest *user = model_volume_user(x->conf.model, v->pool, v->name);
		struct ticket t = { .node = x->node, .epoch = x->conf.model->index, .mode = ACCESS_PRIVATE };
		tickets one = { 0 };

		if (user && is_of_here(x, user))
			continue;
		STRCPY(t.pool, v->pool);
		STRCPY(t.volume, v->name);
		vec_push(&one, t);
		volumes_release(x, user ? user->name : "", &one, NULL, NULL);
		vec_free(&one);
	}
}

/* ---- private or shared ---- */

static void ask_again(void *ctx)
{
	struct exec *x = ctx;
	struct map_iter it = { 0 };
	struct local *l;

	while ((l = map_next(x->locals, &it)))
		l->asked_mode = ACCESS_MODE_INVALID;
	x->conf.events->moved(x->conf.ctx);
}

static void remap_failed(struct exec *x, const struct err *err)
{
	if (err->code != -EBUSY)
		exec_log(x, 4, "%s", err->text);
	env_timer(&x->conf.env, &x->remap, REMAP_WAIT_US, ask_again, x);
}

static void remapped(void *ctx, const struct err *err, const char *path)
{
	struct exec *x = ctx;

	(void)path;
	if (err->code)
		remap_failed(x, err);
	else
		x->conf.events->moved(x->conf.ctx);
}

void volumes_map_as(struct exec *x, struct local *l, enum access_mode mode)
{
	struct ticket *t;
	struct err err;

	if (l->ending || l->asked_mode == mode)
		return;
	l->asked_mode = mode;
	vec_each(t, &l->tickets) {
		t->mode = mode;
		if (storage_map(x->conf.storage, t, remapped, x, &err) < 0)
			remap_failed(x, &err);
	}
}

bool volumes_are(const struct exec *x, const struct local *l, enum access_mode mode)
{
	const struct ticket *t;

	vec_each(t, &l->tickets) {
		const struct ticket *held = storage_held(x->conf.storage, t->pool, t->volume);

		if (!held || held->epoch != l->epoch || held->mode != mode)
			return false;
	}
	return true;
}
