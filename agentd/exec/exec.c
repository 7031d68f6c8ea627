/* SPDX-License-Identifier: Apache-2.0
 * The executor's jobs: each operation of the model that is ours becomes one, is stepped, and is reported. */
#include "exec_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void (*const steps[OP_KIND_MAX])(struct job *) = {
	[OP_START] = step_start,
	[OP_STOP] = step_stop,
	[OP_KILL] = step_kill,
	[OP_PAUSE] = step_pause,
	[OP_RESUME] = step_resume,
	[OP_PREPARE_IN] = step_prepare_in,
	[OP_SEND] = step_send,
	[OP_ACTIVATE] = step_activate,
	[OP_RESUME_SOURCE] = step_resume_source,
	[OP_FENCE] = step_fence,
	[OP_VOLUME_CREATE] = step_volume_create,
	[OP_VOLUME_DELETE] = step_volume_delete,
};

void exec_log(const struct exec *x, int priority, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	x->conf.events->log(x->conf.ctx, priority, text);
}

bool exec_may_run(const struct exec *x)
{
	return x->conf.events->may_run(x->conf.ctx);
}

bool exec_is_me(const struct exec *x, const struct owner *o)
{
	return x->node && owner_is(o, x->node, &x->conf.incarnation);
}

static void job_free(void *p)
{
	struct job *j = p;
	char **path;

	env_cancel(&j->x->conf.env, &j->timer);
	if (j->fence)
		fence_cancel(j->fence);
	spec_free(j->spec);
	vec_each(path, &j->paths)
		free(*path);
	vec_free(&j->paths);
	vec_free(&j->tickets);
	free(j);
}

/* The jobs map does not own: a busy job outlives its operation until its call completes. */
static void job_drop(struct job *j)
{
	map_remove_u64(j->x->jobs, j->op.id);
	j->dropped = true;
	if (j->fence) {
		fence_cancel(TAKE_PTR(j->fence));
		j->busy = false;
	}
	if (j->busy) {
		vec_push(&j->x->leaving, j);
		return;
	}
	job_release_volumes(j);
	job_free(j);
}

/* The call of an operation that is over is still under way: what it will have done is not to be seen yet. */
static bool has_leaving(const struct exec *x, const char *guest)
{
	struct job *const *j;

	vec_each(j, &x->leaving)
		if (!strcmp((*j)->op.guest, guest))
			return true;
	return false;
}

static void job_leave(struct job *j)
{
	struct exec *x = j->x;

	vec_drop(&x->leaving, j);
	job_release_volumes(j);
	job_free(j);
	x->conf.events->moved(x->conf.ctx);
}

void job_step(struct job *j)
{
	if (j->busy || j->done || j->dropped)
		return;
	if (j->op.guest[0] && (has_leaving(j->x, j->op.guest) || volumes_leave(j->x, j->op.guest)))
		return;
	steps[j->op.kind](j);
}

void job_step_guest(struct exec *x, const char *guest)
{
	struct map_iter it = { 0 };
	struct job *j;

	while ((j = map_next(x->jobs, &it)))
		if (!strcmp(j->op.guest, guest))
			job_step(j);
}

bool job_has(const struct exec *x, const char *guest, enum op_kind kind)
{
	struct map_iter it = { 0 };
	const struct job *j;

	while ((j = map_next(x->jobs, &it)))
		if (j->op.kind == kind && !j->done && !strcmp(j->op.guest, guest))
			return true;
	return false;
}

void job_fail(struct job *j, const char *why)
{
	if (!j->failure[0])
		STRCPY(j->failure, why[0] ? why : "failed without a word");
}

bool job_begin(struct job *j, int started, const struct err *err)
{
	j->busy = started == 0;
	if (started < 0)
		job_fail(j, err->text);
	return j->busy;
}

void job_called(void *job, const struct err *err)
{
	struct job *j = job;

	j->busy = false;
	if (j->dropped) {
		job_leave(j);
		return;
	}
	if (err->code)
		job_fail(j, err->text);
	job_step(j);
}

void job_report(struct job *j, const char *detail)
{
	struct command c = { .kind = CMD_REPORT_DONE, .operation = j->op.id, .ok = !j->failure[0] };
	struct domain_info info;

	STRCPY(c.name, j->op.guest);
	STRCPY(c.text, j->failure);
	STRCPY(c.detail, detail);
	if (j->op.kind == OP_SEND && exec_domain(j->x, j->op.guest, &info) == 0) {
		c.downtime_ms = info.downtime_ms;
		c.total_ms = info.total_ms;
	}
	j->done = true;
	if (!c.ok)
		exec_log(j->x, 4, "%s of %s failed: %s", op_kind_text(j->op.kind), j->op.guest[0] ? j->op.guest : j->op.volume,
			 j->failure);
	j->x->conf.events->report(j->x->conf.ctx, &c);
}

static void job_add(struct exec *x, const struct operation *op)
{
	struct job *j = mem_new(struct job);

	j->x = x;
	j->op = *op;
	j->inherited = !x->synced;
	map_put_u64(x->jobs, op->id, j);
}

static bool op_is_mine(const struct exec *x, const struct operation *op)
{
	return op->node == x->node && id_equal(&op->incarnation, &x->conf.incarnation);
}

static void drop_finished(struct exec *x)
{
	struct map_iter it = { 0 };
	struct job *j;

	while ((j = map_next(x->jobs, &it)))
		if (!model_operation(x->conf.model, j->op.id))
			job_drop(j);
}

static void begin_ordered(struct exec *x)
{
	struct map_iter it = { 0 };
	const struct operation *op;

	while ((op = map_next(x->conf.model->operations, &it)))
		if (op_is_mine(x, op) && !map_get_u64(x->jobs, op->id))
			job_add(x, op);
}

static void step_all(struct exec *x)
{
	struct map_iter it = { 0 };
	struct job *j;

	while ((j = map_next(x->jobs, &it)))
		job_step(j);
}

static void forget_pools(struct exec *x)
{
	for (size_t i = x->pools.n; i-- > 0;) {
		if (model_pool(x->conf.model, x->pools.v[i].name))
			continue;
		storage_pool_forget(x->conf.storage, x->pools.v[i].name);
		vec_remove(&x->pools, i);
	}
}

static void pool_told(struct exec *x, const char *name)
{
	struct pool_name *p;

	vec_each(p, &x->pools)
		if (!strcmp(p->name, name))
			return;
	STRCPY(vec_add(&x->pools)->name, name);
}

static void tell_pools(struct exec *x)
{
	struct map_iter it = { 0 };
	const struct pool *p;
	uint64_t seen = x->pools_seen;

	while ((p = map_next(x->conf.model->pools, &it))) {
		struct pool_conf conf = { 0 };
		struct err err;

		if (p->revision <= seen)
			continue;
		STRCPY(conf.name, p->name);
		STRCPY(conf.backend, p->backend);
		STRCPY(conf.path, p->path);
		if (storage_pool(x->conf.storage, &conf, &err) < 0)
			exec_log(x, 4, "%s", err.text);
		pool_told(x, p->name);
		if (p->revision > x->pools_seen)
			x->pools_seen = p->revision;
	}
}

void exec_sync(struct exec *x, uint32_t node)
{
	if (!x->adopted)
		return;
	x->node = node;
	forget_pools(x);
	tell_pools(x);
	if (!x->synced)
		volumes_release_strange(x);
	drop_finished(x);
	begin_ordered(x);
	local_reconcile(x);
	step_all(x);
	x->synced = true;
}

void exec_gate_closed(struct exec *x)
{
	struct map_iter it = { 0 };
	struct job *j;

	while ((j = map_next(x->jobs, &it))) {
		if (j->op.kind != OP_FENCE || j->done)
			continue;
		if (j->fence)
			fence_cancel(TAKE_PTR(j->fence));
		j->busy = j->asked = false;
	}
}

void exec_adopt(struct exec *x)
{
	x->conf.driver.ops->adopt(x->conf.driver.drv);
}

void exec_domains_adopted(struct exec *x)
{
	x->adopted = true;
	x->conf.events->moved(x->conf.ctx);
}

struct exec *exec_new(const struct exec_conf *conf)
{
	struct exec *x = mem_new(struct exec);

	x->conf = *conf;
	x->locals = map_new(local_free);
	x->jobs = map_new(NULL);
	x->ended = map_new(free);
	return x;
}

void exec_free(struct exec *x)
{
	struct map_iter it = { 0 };
	struct job *j;

	if (!x)
		return;
	while ((j = map_next(x->jobs, &it)))
		job_free(j);
	while (x->leaving.n)
		job_free(x->leaving.v[--x->leaving.n]);
	vec_free(&x->leaving);
	vec_free(&x->pools);
	while (x->releases.n)
		release_free(x->releases.v[--x->releases.n]);
	vec_free(&x->releases);
	env_cancel(&x->conf.env, &x->remap);
	map_free(x->jobs);
	map_free(x->locals);
	map_free(x->ended);
	free(x);
}
