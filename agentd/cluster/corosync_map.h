/* SPDX-License-Identifier: Apache-2.0
 * What corosync's configuration map says: names and addresses of nodes, and settings that rule L8 refuses. An adapter. */
#ifndef DOMUS_CLUSTER_COROSYNC_MAP_H
#define DOMUS_CLUSTER_COROSYNC_MAP_H

#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct corosync_node {
	uint32_t node;
	char name[64];
	char address[64];
};

/* Zero-initialised is empty. */
struct corosync_map {
	VEC(struct corosync_node) nodes;
	bool known;			/* it could be read when it was tried last; @unsafe is of then */
	const char *unsafe;		/* static text, or NULL */
};

/* Reads it anew; keeps the nodes that it had if corosync does not answer, and says false. Takes well below a millisecond (local shared memory). */
bool corosync_map_read(struct corosync_map *m);
void corosync_map_clear(struct corosync_map *m);
const char *corosync_map_name(const struct corosync_map *m, uint32_t node);		/* NULL: not known */
const char *corosync_map_address(const struct corosync_map *m, uint32_t node);
const char *corosync_map_unsafe(const struct corosync_map *m);				/* NULL: it was read, and there is nothing to refuse */

#endif
