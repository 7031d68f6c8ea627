/* SPDX-License-Identifier: Apache-2.0
 * The two kinds of time, as types that do not mix. */
#ifndef DOMUS_BASE_MONO_H
#define DOMUS_BASE_MONO_H

#include <stdint.h>

/* Time since some start, only ever rising: for deadlines and durations. Microseconds. */
struct mono {
	int64_t us;
};

/* Time of day since 1970, UTC; may jump: for people and for ledger time. Microseconds. */
struct wall {
	int64_t us;
};

#define US_PER_MS INT64_C(1000)
#define US_PER_S  INT64_C(1000000)

static inline struct mono mono_add(struct mono t, int64_t us)
{
	return (struct mono){ t.us + us };
}

static inline int64_t mono_diff_us(struct mono later, struct mono earlier)
{
	return later.us - earlier.us;
}

#endif
