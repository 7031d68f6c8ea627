/* SPDX-License-Identifier: Apache-2.0
 * Playing a script: a cluster from its first boot to the verdict. One that is given up is left alone until it should
 * settle; another one takes its place then. */
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
	size_t given_up;		/* clusters, after a lie that nobody can make good (world_excused) */
	size_t snapshots;		/* disks with one when their cluster was freed */
};

/* What happened: all of it, and when it failed what each node knew then; and what a person would tell of it, from the set-up on. */
struct record {
	struct buf trace, story;
};
void record_free(struct record *r);

/* @record may be NULL; else it is added to. */
void play_script(const struct script *script, struct record *record, struct outcome *ret);

/* Draws trouble from @script's seed, until @us of virtual time have gone by, and plays it. The script then holds what was drawn. */
void play_seed(struct script *script, int64_t us, struct record *record, struct outcome *ret);

#endif
