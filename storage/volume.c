/* SPDX-License-Identifier: Apache-2.0
 * Volumes in use on this node: mapped under tickets, of which the newest wins. */
#include "storage_priv.h"

#include "ticket.h"

static const char *const under_way[] = {
	[CALL_REMOVE] = "deleted",
	[CALL_MAP] = "mapped",
	[CALL_UNMAP] = "unmapped",
};

/* Those who asked for the same while it was being done get the same answer. */
static void answer_joined(const struct call *first)
{
	for (size_t i = 0; i < first->storage->calls.n; i++) {
		struct call *c = first->storage->calls.v[i];

		if (!c->joined || c->pool != first->pool || strcmp(c->volume, first->volume))
			continue;
		c->joined = false;
		c->result = first->result;
		c->path = mem_strdup(first->path);
		storage_answer_soon(c);
	}
}

static void mapped(void *arg, const struct err *err, const char *path)
{
	struct call *c = arg;
	struct volume *v = map_get(c->pool->volumes, c->volume);

	v->call = NULL;
	c->result = *err;
	if (err->code == 0) {
		v->held = true;
		v->ticket = c->ticket;
		mem_freep(&v->path);
		v->path = mem_strdup(path);
		c->path = mem_strdup(path);
	}
	answer_joined(c);
	storage_answer(c);
}

static void unmapped(void *arg, const struct err *err)
{
	struct call *c = arg;
	struct volume *v = map_get(c->pool->volumes, c->volume);

	v->call = NULL;
	c->result = *err;
	if (err->code == 0) {
		v->held = false;
		mem_freep(&v->path);
	}
	answer_joined(c);
	storage_answer(c);
}

/*
 * The part that map and unmap share. Gives the call that waits for the one that the backend is at
 * (*ret_joined), or a fresh one; NULL when another ticket's call is under way.
 */
static struct call *ticket_call(struct storage *s, struct pool *pool, const struct volume *v,
				enum call_kind kind, const struct ticket *t, bool *ret_joined,
				struct err *ret_err)
{
	bool join = v->call && v->call->kind == kind && ticket_equal(&v->call->ticket, t);
	struct call *c;

	if (v->call && !join) {
		err_set(ret_err, -EBUSY, "volume %s/%s: is just being %s here, try again", t->pool,
			t->volume, under_way[v->call->kind]);
		return NULL;
	}
	c = storage_call_new(s, pool, kind, t->volume);
	c->ticket = *t;
	c->joined = *ret_joined = join;
	return c;
}

int storage_map(struct storage *s, const struct ticket *t, storage_mapped_fn *done, void *arg,
		struct err *ret_err)
{
	struct pool *pool;
	struct volume *v;
	struct call *c;
	bool joined;
	int r = ticket_check(t, ret_err);

	if (r < 0)
		return r;
	pool = storage_find_pool(s, t->pool, ret_err);
	if (!pool)
		return -ENODEV;
	v = storage_get_volume(pool, t->volume);
	r = ticket_admit(t, v->held ? &v->ticket : NULL, v->seen, ret_err);
	if (r < 0)
		return r;
	c = ticket_call(s, pool, v, CALL_MAP, t, &joined, ret_err);
	if (!c)
		return -EBUSY;
	v->seen = t->epoch;
	c->fn.mapped = done;
	c->arg = arg;
	if (joined)
		return 0;
	if (v->held && ticket_equal(&v->ticket, t)) {
		c->path = mem_strdup(v->path);
		storage_answer_soon(c);
		return 0;
	}
	v->call = c;
	r = pool->backend->map(pool->ctx, t, mapped, c, ret_err);
	if (r < 0)
		v->call = NULL;
	return storage_refused(c, r);
}

int storage_unmap(struct storage *s, const struct ticket *t, storage_done_fn *done, void *arg,
		  struct err *ret_err)
{
	struct pool *pool;
	struct volume *v;
	struct call *c;
	bool joined;
	int r = ticket_check(t, ret_err);

	if (r < 0)
		return r;
	pool = storage_find_pool(s, t->pool, ret_err);
	if (!pool)
		return -ENODEV;
	v = storage_get_volume(pool, t->volume);
	if (v->held && t->epoch < v->ticket.epoch)
		return ticket_admit(t, NULL, v->ticket.epoch, ret_err);
	c = ticket_call(s, pool, v, CALL_UNMAP, t, &joined, ret_err);
	if (!c)
		return -EBUSY;
	if (t->epoch > v->seen)
		v->seen = t->epoch;
	c->fn.done = done;
	c->arg = arg;
	if (joined)
		return 0;
	/* Also when it is not held: the agent before this one may have mapped it. */
	v->call = c;
	r = pool->backend->unmap(pool->ctx, t, unmapped, c, ret_err);
	if (r < 0)
		v->call = NULL;
	return storage_refused(c, r);
}

const struct ticket *storage_held(const struct storage *s, const char *pool_name,
				  const char *volume)
{
	const struct pool *pool = map_get(s->pools, pool_name);
	const struct volume *v = pool ? map_get(pool->volumes, volume) : NULL;

	return v && v->held && !v->call ? &v->ticket : NULL;
}
