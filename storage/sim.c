/* SPDX-License-Identifier: Apache-2.0
 * Storage that exists only in memory and in virtual time, with faults. */
#include "sim.h"

#include "base/map.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define USUAL_DELAY_US US_PER_MS
#define KEY_MAX        (STORAGE_PATH_MAX + STORAGE_NAME_MAX + 1)

/* Who has it open. Invariant: at most one in use per node; at most one of them ACCESS_PRIVATE. */
struct disk {
	char path[STORAGE_PATH_MAX]; /* of the pool */
	struct volume_info info;
	uint64_t newest; /* epoch of the newest private ticket: a migration's target may come to nothing */
	VEC(struct ticket) users;
};

struct storage_world {
	struct map *disks; /* "path/volume" -> struct disk */
	uint64_t capacity, used;
	storage_fault_fn *fault;
	void *fault_ctx;
	unsigned violations;
	uint64_t changes;
};

/* One pool of one node. */
struct sim {
	struct storage_world *world;
	struct env env;
	char path[STORAGE_PATH_MAX];
	VEC(struct job *) jobs;
};

struct job {
	struct sim *sim;
	enum storage_op op;
	struct env_timer *timer;
	int fault;
	char volume[STORAGE_NAME_MAX];
	uint64_t size;
	struct ticket ticket;
	union {
		storage_done_fn *done;
		storage_mapped_fn *mapped;
		storage_list_fn *list;
	} fn;
	void *arg;
};

static void disk_free(void *p)
{
	struct disk *d = p;

	vec_free(&d->users);
	mem_freep(&d);
}

struct storage_world *storage_world_new(void)
{
	struct storage_world *w = mem_new(struct storage_world);

	w->disks = map_new(disk_free);
	w->capacity = UINT64_MAX;
	return w;
}

void storage_world_free(struct storage_world *w)
{
	if (!w)
		return;
	map_free(w->disks);
	mem_freep(&w);
}

struct storage_backend storage_world_backend(struct storage_world *w)
{
	struct storage_backend b = storage_sim;

	b.shared = w;
	return b;
}

void storage_world_faults(struct storage_world *w, storage_fault_fn *fn, void *ctx)
{
	w->fault = fn;
	w->fault_ctx = ctx;
}

void storage_world_capacity(struct storage_world *w, uint64_t bytes)
{
	w->capacity = bytes;
}

static void drop_user(struct disk *d, uint32_t node)
{
	for (size_t i = d->users.n; i-- > 0;)
		if (d->users.v[i].node == node)
			vec_remove(&d->users, i);
}

void storage_world_node_gone(struct storage_world *w, uint32_t node)
{
	struct map_iter it = { 0 };
	struct disk *d;

	w->changes++;
	while ((d = map_next(w->disks, &it)))
		drop_user(d, node);
}

uint64_t storage_world_changes(const struct storage_world *w)
{
	return w->changes;
}

unsigned storage_world_violations(const struct storage_world *w)
{
	return w->violations;
}

static struct disk *find_disk(const struct storage_world *w, const char *path, const char *volume)
{
	char key[KEY_MAX];

	snprintf(key, sizeof(key), "%s/%s", path, volume);
	return map_get(w->disks, key);
}

size_t storage_world_users(const struct storage_world *w, const char *path, const char *volume,
			   enum access_mode mode)
{
	const struct disk *d = find_disk(w, path, volume);
	size_t n = 0;

	for (size_t i = 0; d && i < d->users.n; i++)
		n += d->users.v[i].mode == mode;
	return n;
}

bool storage_world_mapped(const struct storage_world *w, const char *path, const char *volume, uint32_t node)
{
	const struct disk *d = find_disk(w, path, volume);

	for (size_t i = 0; d && i < d->users.n; i++)
		if (d->users.v[i].node == node)
			return true;
	return false;
}

static int do_create(struct job *j, struct err *err)
{
	struct storage_world *w = j->sim->world;
	char key[KEY_MAX];
	struct disk *d;

	if (find_disk(w, j->sim->path, j->volume))
		return err_set(err, -EEXIST, "create volume %s: there is one of that name already",
			       j->volume);
	if (j->size > w->capacity - w->used)
		return err_set(err, -ENOSPC, "create volume %s: no space left", j->volume);
	d = mem_new(struct disk);
	STRCPY(d->path, j->sim->path);
	STRCPY(d->info.name, j->volume);
	d->info.size = j->size;
	w->used += j->size;
	snprintf(key, sizeof(key), "%s/%s", j->sim->path, j->volume);
	map_put(w->disks, key, d);
	return 0;
}

static int do_remove(struct job *j, struct err *err)
{
	struct storage_world *w = j->sim->world;
	struct disk *d = find_disk(w, j->sim->path, j->volume);
	char key[KEY_MAX];

	if (!d)
		return err_set(err, -ENOENT, "delete volume %s: there is no such volume",
			       j->volume);
	if (d->users.n)
		w->violations++;
	w->used -= d->info.size;
	snprintf(key, sizeof(key), "%s/%s", j->sim->path, j->volume);
	map_remove(w->disks, key);
	return 0;
}

/* Two private users: one of them would write over the other's data. */
static bool second_writer(const struct disk *d, const struct ticket *t)
{
	if (t->mode != ACCESS_PRIVATE)
		return false;
	for (size_t i = 0; i < d->users.n; i++)
		if (d->users.v[i].node != t->node && d->users.v[i].mode == ACCESS_PRIVATE)
			return true;
	return false;
}

/* A restarted agent asks for what its node has had all along. */
static bool has_it(const struct disk *d, const struct ticket *t)
{
	for (size_t i = 0; i < d->users.n; i++)
		if (d->users.v[i].node == t->node && d->users.v[i].epoch == t->epoch &&
		    d->users.v[i].mode == t->mode)
			return true;
	return false;
}

static int do_map(struct job *j, struct err *err)
{
	struct storage_world *w = j->sim->world;
	struct disk *d = find_disk(w, j->sim->path, j->volume);

	if (!d)
		return err_set(err, -ENOENT, "open volume %s: there is no such volume", j->volume);
	if (j->ticket.epoch < d->newest && !has_it(d, &j->ticket)) {
		/* A target whose migration was cancelled may come late: it is refused, and wrote nothing. */
		w->violations += j->ticket.mode == ACCESS_PRIVATE;
		return err_set(err, -ESTALE, "open volume %s: epoch %" PRIu64 " is outdated",
			       j->volume, j->ticket.epoch);
	}
	if (second_writer(d, &j->ticket)) {
		w->violations++;
		return err_set(err, -EBUSY, "open volume %s: another node has it", j->volume);
	}
	if (j->ticket.mode == ACCESS_PRIVATE && j->ticket.epoch > d->newest)
		d->newest = j->ticket.epoch;
	drop_user(d, j->ticket.node);
	vec_push(&d->users, j->ticket);
	return 0;
}

static int do_unmap(struct job *j, struct err *err)
{
	struct disk *d = find_disk(j->sim->world, j->sim->path, j->volume);

	for (size_t i = 0; d && i < d->users.n; i++)
		if (d->users.v[i].node == j->ticket.node && d->users.v[i].epoch > j->ticket.epoch)
			return err_set(err, -ESTALE, "close volume %s: a newer epoch has it",
				       j->volume);
	if (d)
		drop_user(d, j->ticket.node);
	return 0;
}

static int (*const effects[STORAGE_OP_MAX])(struct job *, struct err *) = {
	[STORAGE_CREATE] = do_create,
	[STORAGE_REMOVE] = do_remove,
	[STORAGE_MAP] = do_map,
	[STORAGE_UNMAP] = do_unmap,
};

static void job_free(struct job *j)
{
	struct sim *s = j->sim;

	vec_drop(&s->jobs, j);
	env_cancel(&s->env, &j->timer);
	mem_freep(&j);
}

static void finish_list(const struct job *j, const struct storage_world *w, const char *path,
			const struct err *err)
{
	VEC(struct volume_info) infos = { 0 };
	struct map_iter it = { 0 };
	struct disk *d;

	while (err->code == 0 && (d = map_next(w->disks, &it)))
		if (strcmp(d->path, path) == 0)
			vec_push(&infos, d->info);
	j->fn.list(j->arg, err, infos.v, infos.n);
	vec_free(&infos);
}

/* The effect comes at the end of the operation's time, all at once. */
static void job_due(void *arg)
{
	struct job *j = arg, end;
	struct sim *s = j->sim;
	struct storage_world *w = s->world;
	struct err err = { 0 };
	char path[KEY_MAX + 4];

	w->changes++;
	if (j->fault < 0)
		err_set(&err, j->fault, "volume %s: the simulated disk failed", j->volume);
	else if (effects[j->op])
		effects[j->op](j, &err);
	end = *j;
	if (j->op == STORAGE_LIST) {
		STRCPY(path, s->path);
		job_free(j);
		finish_list(&end, w, path, &err);
		return;
	}
	snprintf(path, sizeof(path), "sim:%s/%s", s->path, j->volume);
	job_free(j);
	if (end.op == STORAGE_MAP)
		end.fn.mapped(end.arg, &err, err.code == 0 ? path : NULL);
	else
		end.fn.done(end.arg, &err);
}

static struct job *start(struct sim *s, enum storage_op op, const char *volume,
			 const struct ticket *t, void *arg)
{
	struct storage_world *w = s->world;
	struct job *j = mem_new(struct job);
	int64_t delay = USUAL_DELAY_US;

	j->sim = s;
	j->op = op;
	j->arg = arg;
	STRCPY(j->volume, volume);
	if (t)
		j->ticket = *t;
	if (w->fault)
		j->fault = w->fault(w->fault_ctx, op, j->ticket.node, volume, &delay);
	vec_push(&s->jobs, j);
	env_timer(&s->env, &j->timer, delay, job_due, j);
	return j;
}

static int sim_open(void *shared, const struct pool_conf *conf, const struct env *env,
		    const struct children *children, void **ret_ctx, struct err *ret_err)
{
	struct sim *s;

	(void)children;
	if (!shared)
		return err_set(ret_err, -EINVAL,
			       "pool %s: the backend 'sim' exists in a simulator only", conf->name);
	s = mem_new(struct sim);
	s->world = shared;
	s->env = *env;
	STRCPY(s->path, conf->path);
	*ret_ctx = s;
	return 0;
}

static void sim_close(void *ctx)
{
	struct sim *s = ctx;

	while (s->jobs.n)
		job_free(s->jobs.v[s->jobs.n - 1]);
	vec_free(&s->jobs);
	mem_freep(&s);
}

static int sim_create(void *ctx, const char *volume, uint64_t size, storage_done_fn *done,
		      void *arg, struct err *ret_err)
{
	struct job *j = start(ctx, STORAGE_CREATE, volume, NULL, arg);

	(void)ret_err;
	j->size = size;
	j->fn.done = done;
	return 0;
}

static int sim_remove(void *ctx, const char *volume, storage_done_fn *done, void *arg,
		      struct err *ret_err)
{
	(void)ret_err;
	start(ctx, STORAGE_REMOVE, volume, NULL, arg)->fn.done = done;
	return 0;
}

static int sim_list(void *ctx, storage_list_fn *done, void *arg, struct err *ret_err)
{
	(void)ret_err;
	start(ctx, STORAGE_LIST, "", NULL, arg)->fn.list = done;
	return 0;
}

static int sim_map(void *ctx, const struct ticket *t, storage_mapped_fn *done, void *arg,
		   struct err *ret_err)
{
	(void)ret_err;
	start(ctx, STORAGE_MAP, t->volume, t, arg)->fn.mapped = done;
	return 0;
}

static int sim_unmap(void *ctx, const struct ticket *t, storage_done_fn *done, void *arg,
		     struct err *ret_err)
{
	(void)ret_err;
	start(ctx, STORAGE_UNMAP, t->volume, t, arg)->fn.done = done;
	return 0;
}

const struct storage_backend storage_sim = {
	.name = "sim",
	.open = sim_open,
	.close = sim_close,
	.create = sim_create,
	.remove = sim_remove,
	.list = sim_list,
	.map = sim_map,
	.unmap = sim_unmap,
};
