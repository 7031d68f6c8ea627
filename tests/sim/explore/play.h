/* SPDX-License-Identifier: Apache-2.0
 * Playing a script: a cluster from its first boot to the verdict. */
#ifndef DOMUS_TESTS_PLAY_H
#define DOMUS_TESTS_PLAY_H

#include "script.h"

/* A plain value. */
struct outcome {
	bool failed;
	char what[ERR_TEXT_MAX];	/* the first promise that was broken, or "" */
	uint64_t hash;			/* of the trace: equal for equal scripts, on every machine */
	int64_t simulated_us;
	size_t done;			/* troubles */
};

/* @trace may be NULL; else what happened is added to it, and when it failed what each node knew then. */
void play_script(const struct script *script, struct buf *trace, struct outcome *ret);

/* Draws trouble from @script's seed, until @us of virtual time have gone by, and plays it. The script then holds what was drawn. */
void play_seed(struct script *script, int64_t us, struct buf *trace, struct outcome *ret);

#endif
