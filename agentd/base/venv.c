/* SPDX-License-Identifier: Apache-2.0
 * The virtual environment: clocks that stand still, timers fired by hand, seeded randomness. */
#include "env.h"
#include "mem.h"
#include "timers.h"

#include <stdlib.h>
#include <string.h>

/* Not 0, which the real clock never shows either; and 2026-01-01 00:00:00 UTC. */
#define START_MONO US_PER_S
#define START_WALL (INT64_C(1767225600) * US_PER_S)

struct venv {
	struct mono now;
	int64_t wall_offset;	/* wall = now + this */
	uint64_t random;	/* the generator's state, never 0 */
	struct timers timers;
};

static struct mono venv_now(void *ctx)
{
	const struct venv *v = ctx;

	return v->now;
}

static struct wall venv_wall(void *ctx)
{
	const struct venv *v = ctx;

	return (struct wall){ v->now.us + v->wall_offset };
}

static void venv_timer(void *ctx, struct env_timer **slot, int64_t delay_us, env_fn *fn, void *arg)
{
	struct venv *v = ctx;

	timers_arm(&v->timers, slot, mono_add(v->now, delay_us > 0 ? delay_us : 0), fn, arg);
}

static void venv_cancel(void *ctx, struct env_timer **slot)
{
	struct venv *v = ctx;

	timers_cancel(&v->timers, slot);
}

/* xorshift64* (Marsaglia 2003, Vigna 2016): short, and the same on every machine. */
static uint64_t next_random(struct venv *v)
{
	v->random ^= v->random >> 12;
	v->random ^= v->random << 25;
	v->random ^= v->random >> 27;
	return v->random * UINT64_C(2685821657736338717);
}

static void venv_random(void *ctx, void *ret_bytes, size_t len)
{
	struct venv *v = ctx;
	uint8_t *p = ret_bytes;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(next_random(v) >> 56);
}

static const struct env_ops venv_ops = {
	.now = venv_now,
	.wall = venv_wall,
	.timer = venv_timer,
	.cancel = venv_cancel,
	.random = venv_random,
};

struct venv *venv_new(uint64_t seed)
{
	struct venv *v = mem_new(struct venv);

	v->now.us = START_MONO;
	v->wall_offset = START_WALL - START_MONO;
	/* Spread, so that neighbouring seeds differ from the first byte on. */
	v->random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	if (!v->random)
		v->random = 1;
	return v;
}

void venv_free(struct venv *v)
{
	if (!v)
		return;
	timers_free(&v->timers);
	free(v);
}

void venv_freep(struct venv **v)
{
	venv_free(*v);
	*v = NULL;
}

struct env venv_env(struct venv *v)
{
	return (struct env){ .ops = &venv_ops, .ctx = v };
}

int venv_step(struct venv *v, struct mono until)
{
	struct mono due;

	if (!timers_next(&v->timers, &due) || due.us > until.us)
		return 0;
	if (due.us > v->now.us)
		v->now = due;
	return timers_fire(&v->timers, v->now, UINT64_MAX);
}

void venv_run(struct venv *v, struct mono until)
{
	while (venv_step(v, until))
		;
	if (until.us > v->now.us)
		v->now = until;
}

void venv_set_wall(struct venv *v, struct wall w)
{
	v->wall_offset = w.us - v->now.us;
}
