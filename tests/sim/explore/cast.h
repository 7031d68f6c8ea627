/* SPDX-License-Identifier: Apache-2.0
 * Who plays: the guests and volumes of a cluster that is to have trouble. */
#ifndef DOMUS_TESTS_CAST_H
#define DOMUS_TESTS_CAST_H

#include "trouble.h"
#include "world/cluster.h"

#include <stdio.h>

struct cast_name {
	char text[16];
};

static inline struct cast_name cast_name(char letter, int64_t number)
{
	struct cast_name name;

	snprintf(name.text, sizeof(name.text), "%c%u", letter, (unsigned)number);
	return name;
}

/* What defines guest @number, from 1 on; owns what it points to. */
struct command cast_definition(const struct shape *shape, int64_t number);
/* A cluster of that shape: all guests are defined, have their volumes, and are to run. */
struct world *cast_new(uint64_t seed, const struct shape *shape);
/* Asks for @node to be let in, if its agent is there and it has no vote. */
void cast_join(struct world *w, uint32_t node);

#endif
