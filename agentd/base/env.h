/* SPDX-License-Identifier: Apache-2.0
 * What a process gets from its surroundings: clocks, timers, randomness.
 * Real (loop.h) or virtual (tests, simulator). */
#ifndef DOMUS_BASE_ENV_H
#define DOMUS_BASE_ENV_H

#include "mono.h"

#include <stddef.h>
#include <stdint.h>

struct env_timer;	/* opaque, owned by the environment */

typedef void env_fn(void *ctx);

/*
 * A timer stands in a slot (`struct env_timer *`, NULL when idle) that must not
 * move while it is armed. Arming an armed slot replaces it. The slot is NULL
 * again before @fn is called, so @fn may arm it anew. A delay of 0 or less
 * means: soon, from the loop, never from inside the call. Timers due at the same
 * time fire in the order in which they were armed. Cancelling an idle slot does
 * nothing. None of these block.
 */
struct env_ops {
	struct mono (*now)(void *ctx);
	struct wall (*wall)(void *ctx);
	void (*timer)(void *ctx, struct env_timer **slot, int64_t delay_us, env_fn *fn, void *arg);
	void (*cancel)(void *ctx, struct env_timer **slot);
	void (*random)(void *ctx, void *ret_bytes, size_t len);
};

/* A plain value: copy it freely; @ctx outlives every copy. */
struct env {
	const struct env_ops *ops;
	void *ctx;
};

static inline struct mono env_now(const struct env *e)
{
	return e->ops->now(e->ctx);
}

static inline struct wall env_wall(const struct env *e)
{
	return e->ops->wall(e->ctx);
}

static inline void env_timer(const struct env *e, struct env_timer **slot, int64_t delay_us,
			     env_fn *fn, void *arg)
{
	e->ops->timer(e->ctx, slot, delay_us, fn, arg);
}

/* Runs @fn soon, from the loop. */
static inline void env_defer(const struct env *e, struct env_timer **slot, env_fn *fn,
			     void *arg)
{
	e->ops->timer(e->ctx, slot, 0, fn, arg);
}

static inline void env_cancel(const struct env *e, struct env_timer **slot)
{
	e->ops->cancel(e->ctx, slot);
}

static inline void env_random(const struct env *e, void *ret_bytes, size_t len)
{
	e->ops->random(e->ctx, ret_bytes, len);
}

/*
 * The virtual environment: time stands still until venv_step. Randomness comes
 * from @seed only (xorshift; not for keys).
 */
struct venv;
struct venv *venv_new(uint64_t seed);
void venv_free(struct venv *v);		/* forgets armed timers, sets their slots to NULL */
void venv_freep(struct venv **v);
struct env venv_env(struct venv *v);
/*
 * Moves time to the next armed timer, fires it and returns 1. Returns 0, and leaves
 * time where it is, when none is armed or the next is later than @until.
 */
int venv_step(struct venv *v, struct mono until);
/* Fires all timers up to @until, the ones armed meanwhile too, and leaves time there. */
void venv_run(struct venv *v, struct mono until);
/* Sets what the wall clock shows now (it goes on from there with the monotonic time). */
void venv_set_wall(struct venv *v, struct wall w);

#endif
