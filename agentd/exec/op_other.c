/* SPDX-License-Identifier: Apache-2.0
 * Fence and volume operations on this node. */
#include "exec_priv.h"

static void fenced(void *ctx, const struct err *err)
{
	struct job *j = ctx;

	j->fence = NULL;
	job_called(j, err);
}

static void fence_request_of(const struct node *victim, int64_t timeout_us, struct fence_request *ret)
{
	const struct fence_conf_param *p;

	*ret = (struct fence_request){ .timeout_us = timeout_us, .power_on_after = victim->fence_power_on };
	STRCPY(ret->agent, victim->fence_agent);
	vec_each(p, &victim->fence_params) {
		struct fence_param *to;

		if (ret->n_params == FENCE_PARAMS_MAX)
			break;
		to = &ret->params[ret->n_params++];
		STRCPY(to->key, p->key);
		STRCPY(to->value, p->value);
	}
}

#define FENCE_CALL_US (20 * US_PER_S)	/* one call of an agent: off, or status */

void step_fence(struct job *j)
{
	const struct node *victim = model_node(j->x->conf.model, j->op.victim);
	struct fence_request request;
	struct err err;

	if (j->asked && !j->fence) {
		job_report(j, "");
		return;
	}
	if (!exec_may_run(j->x) || j->fence)
		return;
	if (!victim || !victim->fence_agent[0]) {
		job_fail(j, "no fence device is set for it");
		job_report(j, "");
		return;
	}
	fence_request_of(victim, FENCE_CALL_US, &request);
	j->fence = fence_start(&j->x->conf.env, &j->x->conf.fence, &request, fenced, j, &err);
	j->asked = j->busy = j->fence != NULL;
	if (!j->fence) {
		job_fail(j, err.text);
		job_report(j, "");
	}
}

/*
 * An error by which it is done all the same: an agent before us, here or elsewhere, began it; or it is about a volume that failed before, in
 * a pool whose place is not there (-ENODEV). A good one's place may be missing on this node only.
 */
static bool is_settled(const struct job *j, int code)
{
	const struct volume *v = model_volume(j->x->conf.model, j->op.pool, j->op.volume);

	if (j->op.kind == OP_VOLUME_CREATE)
		return code == -EEXIST && (j->inherited || (v && v->again));
	return code == -ENOENT || (code == -ENODEV && v && v->was_failed);
}

static void volume_done(void *ctx, const struct err *err)
{
	struct job *j = ctx;
	static const struct err fine;

	job_called(j, is_settled(j, err->code) ? &fine : err);
}

static bool volume_begin(struct job *j)
{
	if (j->asked)
		job_report(j, "");
	if (j->asked || !exec_may_run(j->x))
		return false;
	return j->asked = true;
}

void step_volume_create(struct job *j)
{
	const struct volume *v = model_volume(j->x->conf.model, j->op.pool, j->op.volume);
	struct err err;

	if (v && volume_begin(j) &&
	    !job_begin(j, storage_create(j->x->conf.storage, v->pool, v->name, v->size, volume_done, j, &err), &err))
		job_report(j, "");
}

void step_volume_delete(struct job *j)
{
	const struct volume *v = model_volume(j->x->conf.model, j->op.pool, j->op.volume);
	struct err err;
	int rc;

	if (!v || !volume_begin(j))
		return;
	rc = storage_remove(j->x->conf.storage, v->pool, v->name, volume_done, j, &err);
	if (is_settled(j, rc) || !job_begin(j, rc, &err))
		job_report(j, "");
}
