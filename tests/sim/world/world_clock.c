/* SPDX-License-Identifier: Apache-2.0
 * The nodes' clocks: each has timers of its own, which run by its own rate and stand still while it is suspended. */
#include "world_priv.h"

#define MILLION INT64_C(1000000)

/* Rounded up: a timer must not be early by the clock of its node. */
static int64_t to_world(const struct world_clock *c, int64_t us)
{
	return us <= 0 ? 0 : (us * MILLION + MILLION + c->ppm - 1) / (MILLION + c->ppm);
}

static struct mono node_now(void *ctx)
{
	const struct world_node *n = ctx;
	const struct world_clock *c = &n->clock;
	int64_t since = mono_diff_us(env_now(&n->w->env), c->since);

	return mono_add(c->shown, since * (MILLION + c->ppm) / MILLION);
}

static void wake_for_first(struct world_node *n);

static void wakes(void *ctx)
{
	struct world_node *n = ctx;

	timers_fire(&n->clock.timers, node_now(n), UINT64_MAX);
	wake_for_first(n);
}

static void wake_for_first(struct world_node *n)
{
	struct world_clock *c = &n->clock;
	struct mono due;

	if (c->suspended || !timers_next(&c->timers, &due))
		env_cancel(&n->w->env, &c->wake);
	else
		env_timer(&n->w->env, &c->wake, to_world(c, mono_diff_us(due, node_now(n))), wakes, n);
}

static struct wall node_wall(void *ctx)
{
	const struct world_node *n = ctx;

	return (struct wall){ env_wall(&n->w->env).us + n->clock.wall_ahead_us };
}

static void node_timer(void *ctx, struct env_timer **slot, int64_t delay_us, env_fn *fn, void *arg)
{
	struct world_node *n = ctx;

	timers_arm(&n->clock.timers, slot, mono_add(node_now(n), delay_us > 0 ? delay_us : 0), fn, arg);
	wake_for_first(n);
}

static void node_cancel(void *ctx, struct env_timer **slot)
{
	struct world_node *n = ctx;

	timers_cancel(&n->clock.timers, slot);
	wake_for_first(n);
}

static void node_random(void *ctx, void *ret_bytes, size_t len)
{
	env_random(&((struct world_node *)ctx)->w->env, ret_bytes, len);
}

static const struct env_ops node_env_ops = { .now = node_now, .wall = node_wall, .timer = node_timer,
					     .cancel = node_cancel, .random = node_random };

void world_clock_new(struct world_node *n)
{
	n->env = (struct env){ &node_env_ops, n };
	n->clock.shown = n->clock.since = env_now(&n->w->env);
}

void world_clock_free(struct world_node *n)
{
	env_cancel(&n->w->env, &n->clock.wake);
	timers_free(&n->clock.timers);
}

void world_clock_power_lost(struct world_node *n)
{
	n->clock.suspended = false;
	wake_for_first(n);
}

/* It goes on from what it shows: a monotonic clock never jumps. */
void world_set_rate(struct world *w, uint32_t node, int ppm)
{
	struct world_node *n = &w->nodes[node];

	n->clock.shown = node_now(n);
	n->clock.since = env_now(&w->env);
	n->clock.ppm = ppm;
	wake_for_first(n);
}

void world_set_wall(struct world *w, uint32_t node, int64_t ahead_us)
{
	w->nodes[node].clock.wall_ahead_us = ahead_us;
}

void world_suspend(struct world *w, uint32_t node)
{
	struct world_node *n = &w->nodes[node];

	if (!n->powered || n->clock.suspended)
		return;
	world_befalls(n, "stands still");
	world_order_suspends(n);
	n->clock.suspended = true;
	wake_for_first(n);
}

/* What has fallen due meanwhile happens now, one after the other. */
void world_resume(struct world *w, uint32_t node)
{
	struct world_node *n = &w->nodes[node];

	if (!n->clock.suspended)
		return;
	world_befalls(n, "goes on");
	n->clock.suspended = false;
	wake_for_first(n);
	world_order_resumed(n);
}

bool world_suspended(const struct world *w, uint32_t node)
{
	return w->nodes[node].clock.suspended;
}
