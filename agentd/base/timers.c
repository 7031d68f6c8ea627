/* SPDX-License-Identifier: Apache-2.0
 * A queue of timers in slots: a binary heap whose entries know their place, for cancelling. */
#include "timers.h"

#include <stdbool.h>
#include <stdlib.h>

struct env_timer {
	struct env_timer **slot;
	struct mono due;
	uint64_t number;
	size_t place;		/* in the heap */
	env_fn *fn;
	void *arg;
};

static bool sooner(const struct env_timer *a, const struct env_timer *b)
{
	return a->due.us != b->due.us ? a->due.us < b->due.us : a->number < b->number;
}

static void set_place(struct timers *t, size_t place, struct env_timer *timer)
{
	t->heap.v[place] = timer;
	timer->place = place;
}

static void move_up(struct timers *t, struct env_timer *timer)
{
	size_t place = timer->place;

	while (place > 0 && sooner(timer, t->heap.v[(place - 1) / 2])) {
		set_place(t, place, t->heap.v[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	set_place(t, place, timer);
}

static void move_down(struct timers *t, struct env_timer *timer)
{
	size_t place = timer->place;
	size_t child;

	while ((child = 2 * place + 1) < t->heap.n) {
		if (child + 1 < t->heap.n && sooner(t->heap.v[child + 1], t->heap.v[child]))
			child++;
		if (!sooner(t->heap.v[child], timer))
			break;
		set_place(t, place, t->heap.v[child]);
		place = child;
	}
	set_place(t, place, timer);
}

void timers_arm(struct timers *t, struct env_timer **slot, struct mono due, env_fn *fn, void *arg)
{
	struct env_timer *timer;

	timers_cancel(t, slot);
	timer = mem_new(struct env_timer);
	*timer = (struct env_timer){ .slot = slot, .due = due, .number = t->armed++,
				     .place = t->heap.n, .fn = fn, .arg = arg };
	vec_push(&t->heap, timer);
	move_up(t, timer);
	*slot = timer;
}

/* Takes @timer out of the heap; the slot is idle again. */
static void disarm(struct timers *t, struct env_timer *timer)
{
	struct env_timer *last = t->heap.v[--t->heap.n];

	*timer->slot = NULL;
	if (last == timer)
		return;
	set_place(t, timer->place, last);
	move_up(t, last);
	move_down(t, last);
}

void timers_cancel(struct timers *t, struct env_timer **slot)
{
	struct env_timer *timer = *slot;

	if (!timer)
		return;
	disarm(t, timer);
	free(timer);
}

void timers_free(struct timers *t)
{
	while (t->heap.n)
		timers_cancel(t, t->heap.v[t->heap.n - 1]->slot);
	vec_free(&t->heap);
}

int timers_next(const struct timers *t, struct mono *ret_due)
{
	if (t->heap.n == 0)
		return 0;
	*ret_due = t->heap.v[0]->due;
	return 1;
}

int timers_fire(struct timers *t, struct mono now, uint64_t before)
{
	struct env_timer *first = t->heap.n ? t->heap.v[0] : NULL;
	struct env_timer fired;

	if (!first || first->due.us > now.us || first->number >= before)
		return 0;
	fired = *first;
	timers_cancel(t, first->slot);
	fired.fn(fired.arg);
	return 1;
}
