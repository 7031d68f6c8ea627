/* SPDX-License-Identifier: Apache-2.0
 * A node's storage: pools by name, and the calls that are running. */
#include "storage_priv.h"

#include "ticket.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool storage_name_ok(const char *name)
{
	size_t len = strspn(name, ALNUM "._-");

	return len > 0 && len < STORAGE_NAME_MAX && name[len] == '\0' && strspn(name, ALNUM) > 0;
}

static void volume_free(void *p)
{
	struct volume *v = p;

	mem_freep(&v->path);
	mem_freep(&v);
}

static void pool_free(void *p)
{
	struct pool *pool = p;

	if (pool->ctx)
		pool->backend->close(pool->ctx);
	map_free(pool->volumes);
	mem_freep(&pool);
}

static void call_free(struct call *c)
{
	env_cancel(&c->storage->env, &c->soon);
	mem_freep(&c->path);
	mem_freep(&c);
}

struct storage *storage_new(const struct env *env, const struct children *children,
			    const struct storage_backend *const *backends)
{
	struct storage *s = mem_new(struct storage);

	s->env = *env;
	s->children = children;
	s->backends = backends;
	s->pools = map_new(pool_free);
	return s;
}

void storage_free(struct storage *s)
{
	if (!s)
		return;
	map_free(s->pools);
	for (size_t i = 0; i < s->leaving.n; i++)
		pool_free(s->leaving.v[i]);
	vec_free(&s->leaving);
	for (size_t i = 0; i < s->calls.n; i++)
		call_free(s->calls.v[i]);
	vec_free(&s->calls);
	mem_freep(&s);
}

static const struct storage_backend *find_backend(const struct storage *s, const char *name)
{
	for (size_t i = 0; s->backends[i]; i++)
		if (strcmp(s->backends[i]->name, name) == 0)
			return s->backends[i];
	return NULL;
}

static bool pool_in_use(const struct pool *pool)
{
	struct map_iter it = { 0 };
	struct volume *v;

	if (pool->calls)
		return true;
	while ((v = map_next(pool->volumes, &it)))
		if (v->held)
			return true;
	return false;
}

static int pool_open(struct storage *s, const struct pool_conf *conf, struct pool **ret_pool,
		     struct err *ret_err)
{
	const struct storage_backend *backend = find_backend(s, conf->backend);
	struct pool *pool;
	void *ctx;
	int r;

	if (!storage_name_ok(conf->name))
		return err_set(ret_err, -EINVAL,
			       "pool: bad name (use letters, digits, . _ -, at most %d)",
			       STORAGE_NAME_MAX - 1);
	if (!backend)
		return err_set(ret_err, -EINVAL, "pool %s: no backend called '%s'", conf->name,
			       conf->backend);
	r = backend->open(backend->shared, conf, &s->env, s->children, &ctx, ret_err);
	if (r < 0)
		return r;
	pool = mem_new(struct pool);
	pool->conf = *conf;
	pool->backend = backend;
	pool->ctx = ctx;
	pool->volumes = map_new(volume_free);
	*ret_pool = pool;
	return 0;
}

static bool is_at(const struct pool *pool, const struct pool_conf *conf)
{
	return strcmp(pool->backend->name, conf->backend) == 0 &&
	       strcmp(pool->conf.path, conf->path) == 0;
}

int storage_pool(struct storage *s, const struct pool_conf *conf, struct err *ret_err)
{
	struct pool *pool, *old = map_get(s->pools, conf->name);
	int r;

	if (old && is_at(old, conf))
		return 0;
	if (old && pool_in_use(old))
		return err_set(ret_err, -EBUSY,
			       "pool %s: in use here, it cannot change its place now", conf->name);
	r = pool_open(s, conf, &pool, ret_err);
	if (r == 0)
		map_put(s->pools, conf->name, pool);
	return r;
}

/* Takes the pool out of the map without freeing it: the map frees its values, so a shell is left to
 * it. */
void storage_pool_forget(struct storage *s, const char *name)
{
	struct pool *pool = map_get(s->pools, name), *moved;

	if (!pool)
		return;
	if (pool->calls) {
		moved = mem_new(struct pool);
		*moved = *pool;
		moved->forgotten = true;
		for (size_t i = 0; i < s->calls.n; i++)
			if (s->calls.v[i]->pool == pool)
				s->calls.v[i]->pool = moved;
		vec_push(&s->leaving, moved);
		pool->ctx = NULL;
		pool->volumes = NULL;
	}
	map_remove(s->pools, name);
}

/* Starts the bookkeeping of a call; call_drop undoes it. */
struct call *storage_call_new(struct storage *s, struct pool *pool, enum call_kind kind,
			      const char *volume)
{
	struct call *c = mem_new(struct call);

	c->storage = s;
	c->pool = pool;
	c->kind = kind;
	if (volume)
		STRCPY(c->volume, volume);
	pool->calls++;
	vec_push(&s->calls, c);
	return c;
}

static void call_drop(struct call *c)
{
	struct storage *s = c->storage;
	struct pool *pool = c->pool;

	vec_drop(&s->calls, c);
	call_free(c);
	if (--pool->calls || !pool->forgotten)
		return;
	vec_drop(&s->leaving, pool);
	pool_free(pool);
}

/* The last thing that is done with a call: whoever is told may free the storage. */
void storage_answer(struct call *c)
{
	struct call end = *c;

	c->path = NULL;
	call_drop(c);
	if (end.kind == CALL_MAP)
		end.fn.mapped(end.arg, &end.result, end.result.code == 0 ? end.path : NULL);
	else
		end.fn.done(end.arg, &end.result);
	mem_freep(&end.path);
}

static void answer_now(void *arg)
{
	storage_answer(arg);
}

void storage_answer_soon(struct call *c)
{
	env_defer(&c->storage->env, &c->soon, answer_now, c);
}

struct pool *storage_find_pool(const struct storage *s, const char *name, struct err *ret_err)
{
	struct pool *pool = map_get(s->pools, name);

	if (!pool)
		err_set(ret_err, -ENODEV, "there is no storage pool %s on this node",
			storage_name_ok(name) ? name : "of that name");
	return pool;
}

static int check_name(const char *volume, struct err *ret_err)
{
	if (storage_name_ok(volume))
		return 0;
	return err_set(ret_err, -EINVAL,
		       "volume: bad name (use letters, digits, . _ -, at most %d)",
		       STORAGE_NAME_MAX - 1);
}

struct volume *storage_get_volume(struct pool *pool, const char *name)
{
	struct volume *v = map_get(pool->volumes, name);

	if (!v) {
		v = mem_new(struct volume);
		map_put(pool->volumes, name, v);
	}
	return v;
}

int storage_refused(struct call *c, int r)
{
	if (r < 0)
		call_drop(c);
	return r;
}

static void created(void *arg, const struct err *err)
{
	struct call *c = arg;

	c->result = *err;
	storage_answer(c);
}

static void removed(void *arg, const struct err *err)
{
	struct call *c = arg;
	struct volume *v = map_get(c->pool->volumes, c->volume);

	v->call = NULL;
	c->result = *err;
	if (err->code == 0)
		map_remove(c->pool->volumes, c->volume);
	storage_answer(c);
}

int storage_create(struct storage *s, const char *pool_name, const char *volume, uint64_t size,
		   storage_done_fn *done, void *arg, struct err *ret_err)
{
	struct pool *pool = storage_find_pool(s, pool_name, ret_err);
	struct call *c;
	int r;

	if (!pool)
		return -ENODEV;
	r = check_name(volume, ret_err);
	if (r < 0)
		return r;
	/* A guest sees sectors of 512 bytes; offsets are signed in the kernel. */
	if (size == 0 || size % 512 || size > INT64_MAX)
		return err_set(ret_err, -EINVAL,
			       "volume %s/%s: the size must be a multiple of 512 bytes", pool_name,
			       volume);
	c = storage_call_new(s, pool, CALL_CREATE, volume);
	c->fn.done = done;
	c->arg = arg;
	return storage_refused(c,
			       pool->backend->create(pool->ctx, volume, size, created, c, ret_err));
}

int storage_remove(struct storage *s, const char *pool_name, const char *volume,
		   storage_done_fn *done, void *arg, struct err *ret_err)
{
	struct pool *pool = storage_find_pool(s, pool_name, ret_err);
	struct volume *v;
	struct call *c;
	int r;

	if (!pool)
		return -ENODEV;
	r = check_name(volume, ret_err);
	if (r < 0)
		return r;
	v = storage_get_volume(pool, volume);
	if (v->held || v->call)
		return err_set(ret_err, -EBUSY, "volume %s/%s: in use on this node", pool_name,
			       volume);
	c = storage_call_new(s, pool, CALL_REMOVE, volume);
	c->fn.done = done;
	c->arg = arg;
	v->call = c;
	r = pool->backend->remove(pool->ctx, volume, removed, c, ret_err);
	if (r < 0)
		v->call = NULL;
	return storage_refused(c, r);
}

static void listed(void *arg, const struct err *err, const struct volume_info *volumes, size_t n)
{
	struct call *c = arg;
	storage_list_fn *done = c->fn.list;
	void *done_arg = c->arg;

	call_drop(c);
	done(done_arg, err, volumes, n);
}

int storage_list(struct storage *s, const char *pool_name, storage_list_fn *done, void *arg,
		 struct err *ret_err)
{
	struct pool *pool = storage_find_pool(s, pool_name, ret_err);
	struct call *c;

	if (!pool)
		return -ENODEV;
	c = storage_call_new(s, pool, CALL_LIST, NULL);
	c->fn.list = done;
	c->arg = arg;
	return storage_refused(c, pool->backend->list(pool->ctx, listed, c, ret_err));
}

static void looked(void *arg, const struct err *err, const struct volume_info *volumes, size_t n)
{
	struct call *c = arg;

	(void)volumes;
	(void)n;
	c->result = *err;
	storage_answer(c);
}

int storage_look(struct storage *s, const struct pool_conf *conf, storage_done_fn *done, void *arg,
		 struct err *ret_err)
{
	struct pool *pool;
	struct call *c;
	int r = pool_open(s, conf, &pool, ret_err);

	if (r < 0)
		return r;
	pool->forgotten = true;
	vec_push(&s->leaving, pool);
	c = storage_call_new(s, pool, CALL_LOOK, NULL);
	c->fn.done = done;
	c->arg = arg;
	return storage_refused(c, pool->backend->list(pool->ctx, looked, c, ret_err));
}

/* Its pool goes with it, and what the backend runs for that. */
void storage_look_cancel(struct storage *s, const void *arg)
{
	for (size_t i = 0; i < s->calls.n; i++)
		if (s->calls.v[i]->kind == CALL_LOOK && s->calls.v[i]->arg == arg) {
			call_drop(s->calls.v[i]);
			return;
		}
}
