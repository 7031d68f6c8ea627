/* SPDX-License-Identifier: Apache-2.0
 * A script: a cluster and the trouble that it is to have. What a seed draws, what is left of it when it has been shrunk, what a case keeps. */
#ifndef DOMUS_TESTS_SCRIPT_H
#define DOMUS_TESTS_SCRIPT_H

#include "trouble.h"

/*
 *	# what it is about
 *	seed 7
 *	nodes 3
 *	guests 4
 *	log 20
 *	0.000 crash n1
 *	1500.000 settle
 */
struct script {
	uint64_t seed;			/* of all that the world draws by itself */
	struct shape shape;
	troubles troubles;		/* owned */
};

/* How short a seed's logs are to be: with most of them snapshots are made all the time. */
uint64_t script_log_entries(uint64_t seed);

void script_free(struct script *s);
void script_print(const struct script *s, struct buf *out);
/* 0, or -EINVAL with the line that is wrong; nothing is owned then. */
int script_parse(const char *text, struct script *ret, struct err *ret_err);
/* The same of a file; -EIO when it cannot be read. */
int script_read(const char *path, struct script *ret, struct err *ret_err);

#endif
