/* SPDX-License-Identifier: Apache-2.0
 * A queue of timers in slots: what the real and the virtual environment share. */
#ifndef DOMUS_BASE_TIMERS_H
#define DOMUS_BASE_TIMERS_H

#include "env.h"
#include "vec.h"

/* Timers that are due at the same time fire in the order in which they were armed. */
struct timers {
	VEC(struct env_timer *) heap;	/* private: the first one is due first */
	uint64_t armed;			/* how many were armed so far */
};

void timers_arm(struct timers *t, struct env_timer **slot, struct mono due, env_fn *fn, void *arg);
void timers_cancel(struct timers *t, struct env_timer **slot);
void timers_free(struct timers *t);	/* forgets all timers, sets their slots to NULL */

/* Whether a timer is armed; then @ret_due is when the first one is due. */
int timers_next(const struct timers *t, struct mono *ret_due);

/*
 * Fires the first timer if it is due at @now and was armed before the number
 * @before (of timers.armed), so that one that arms itself again cannot keep the
 * caller. Returns whether it did.
 */
int timers_fire(struct timers *t, struct mono now, uint64_t before);

#endif
