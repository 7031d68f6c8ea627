/* SPDX-License-Identifier: Apache-2.0
 * The world's power switches: agent "fence_world", whose first parameter is the node to be switched. */
#include "world_priv.h"

#include <stdlib.h>
#include <string.h>

#define SLOW_US (25 * US_PER_S)		/* beyond the time that an agent has for a call */
#define LATE_US (8 * US_PER_S)		/* the power goes so much after the answer at most */

/* What becomes of one call. */
enum fence_fate { FENCE_WELL, FENCE_REFUSED, FENCE_WITHOUT_EFFECT, FENCE_HANGS, FENCE_LATE };

struct fence_run {
	struct world *w;
	struct world_node *runner, *victim;
	bool off, slow;
	enum fence_fate fate;
	int answer;
	fence_called_fn *done;
	void *ctx;
	struct env_timer *timer;	/* the device's, by the world's clock */
	struct env_timer *told;		/* by the runner's */
};

static enum fence_fate draw_fate(struct world *w, int64_t *ret_delay_us)
{
	static const enum fence_fate fates[] = { FENCE_REFUSED, FENCE_WITHOUT_EFFECT, FENCE_HANGS, FENCE_WELL, FENCE_LATE };
	enum fence_fate fate;

	*ret_delay_us = WORLD_FENCE_US;
	if (!world_strikes(w, w->faults.fence))
		return FENCE_WELL;
	fate = fates[world_draw(w, ARRAY_SIZE(fates))];
	if (fate == FENCE_WELL)
		*ret_delay_us += world_draw(w, SLOW_US);
	return fate;
}

/* A device that has its power and its network from the node that it switches. */
static bool reachable(const struct fence_run *f)
{
	return f->victim->fence_device != WORLD_FENCE_WITH_NODE ||
	       (f->victim->powered && world_wired(f->w, f->runner->id, f->victim->id));
}

/* What the agent's process answers: as fence agents do, -1 for one that had to be killed. */
static int answer(const struct fence_run *f)
{
	const struct world_node *victim = f->victim;

	if (f->fate == FENCE_HANGS)
		return -1;
	if (f->fate == FENCE_REFUSED)
		return 1;
	return f->off || (victim->powered && !victim->said_off) ? 0 : 2;
}

static void forget(struct fence_run *f)
{
	vec_drop(&f->w->fences, f);
	free(f);
}

static void power_off(struct fence_run *f)
{
	if (f->victim->fence_device == WORLD_FENCE_LIES) {
		f->victim->said_off = true;
		f->w->excused = f->w->excused || f->victim->powered;
	} else if (f->victim->powered) {
		world_crash(f->w, f->victim->id);
	}
}

static void is_late(void *arg)
{
	struct fence_run *f = arg;

	power_off(f);
	forget(f);
}

static void tell(void *arg)
{
	struct fence_run *f = arg;

	if (f->done)
		f->done(f->ctx, f->answer, "");
	if (f->off && f->fate == FENCE_LATE)
		env_timer(&f->w->env, &f->timer, world_draw(f->w, LATE_US), is_late, f);
	else
		forget(f);
}

/* The device has done it, or not; the runner may stand still and hear of it later. */
static void has_run(void *arg)
{
	struct fence_run *f = arg;

	if (!reachable(f))
		f->fate = FENCE_REFUSED;
	f->answer = answer(f);
	if (f->off && f->fate == FENCE_WELL)
		power_off(f);
	env_timer(&f->runner->env, &f->told, 0, tell, f);
}

static struct world_node *victim_of(struct world *w, const struct fence_call *call)
{
	unsigned long node = call->n_params ? strtoul(call->params[0].value, NULL, 10) : 0;

	return &w->nodes[node <= WORLD_NODES_MAX ? node : 0];
}

static int fence_call(void *runner, const struct fence_call *call, fence_called_fn *done, void *ctx, struct err *ret_err)
{
	struct world *w = ((struct world_node *)runner)->w;
	struct fence_run *f = mem_new(struct fence_run);
	int64_t delay_us;

	(void)ret_err;
	f->w = w;
	f->runner = runner;
	f->victim = victim_of(w, call);
	f->fate = draw_fate(w, &delay_us);
	f->off = !strcmp(call->action, "off");
	f->done = done;
	f->ctx = ctx;
	vec_push(&w->fences, f);
	if (f->fate == FENCE_HANGS)
		delay_us = call->timeout_us;
	f->slow = delay_us > WORLD_FENCE_US;
	env_timer(&w->env, &f->timer, delay_us, has_run, f);
	return 0;
}

static int fence_look(void *runner, const char *agent, struct err *ret_err)
{
	(void)runner;
	(void)agent;
	(void)ret_err;
	return 0;
}

/* The agent's process is ended; what it has told the device may still happen. */
static void fence_cancel_calls(void *runner, void *ctx)
{
	struct fence_run **f;

	vec_each(f, &((struct world_node *)runner)->w->fences)
		if ((*f)->ctx == ctx) {
			(*f)->done = NULL;
			(*f)->off = (*f)->off && !(*f)->slow;	/* ended in time, or only just too late */
		}
}

static const struct fence_runner_ops fence_ops = { .look = fence_look, .call = fence_call, .cancel = fence_cancel_calls };

struct fence_runner world_fence_of(struct world_node *n)
{
	return (struct fence_runner){ &fence_ops, n };
}

void world_set_fence_device(struct world *w, uint32_t node, enum world_fence_device device)
{
	w->nodes[node].fence_device = device;
}

void world_fence_free(struct world *w)
{
	struct fence_run **f;

	vec_each(f, &w->fences) {
		env_cancel(&w->env, &(*f)->timer);
		env_cancel(&(*f)->runner->env, &(*f)->told);
		free(*f);
	}
	vec_free(&w->fences);
}
