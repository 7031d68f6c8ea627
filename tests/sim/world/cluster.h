/* SPDX-License-Identifier: Apache-2.0
 * Ready-made clusters in a world, and what tests do with them again and again. All call world_fail when it does not go as it must. */
#ifndef DOMUS_TESTS_CLUSTER_H
#define DOMUS_TESTS_CLUSTER_H

#include "world.h"

/* Nodes 1 .. @n_nodes booted, the ledger born on n1, the others joined, each with a power switch. */
struct world *cluster_new(uint64_t seed, uint32_t n_nodes);
/* The same with logs that are cut after so many entries. */
struct world *cluster_new_with(uint64_t seed, uint32_t n_nodes, uint64_t log_entries);

/* The pool of all tests, on disks that all nodes see; asked of node 1. */
#define CLUSTER_POOL	  "pool"
#define CLUSTER_POOL_PATH "/disks"
void cluster_pool(struct world *w);
/* The order to create or to delete a volume there. */
struct command cluster_volume(enum command_kind kind, const char *name);

/* @volumes: of that pool; NULL ends them. */
#define CLUSTER_VOLUMES_MAX 2
struct cluster_guest_conf {
	const char *name;
	uint32_t memory_mib;
	const char *volumes[CLUSTER_VOLUMES_MAX];
};
/* The order to define it; it owns what it points to. */
struct command cluster_definition(const struct cluster_guest_conf *conf);
/* A guest without volumes; asked of node 1. */
void cluster_define(struct world *w, const char *name, uint32_t memory_mib);
/* Asks @node: start, stop or pause. */
void cluster_want(struct world *w, uint32_t node, const char *name, enum desired desired);
/* Until every node that is up is current, and knows its facts; says whether it came to that. */
bool cluster_all_current(struct world *w, int64_t us);

/* What node @ask says of a guest: 0 in @on and @not_on: any node. */
struct cluster_wish {
	uint32_t ask;
	const char *guest;
	enum guest_state state;
	uint32_t not_on, on;
};
void cluster_until(struct world *w, struct cluster_wish wish, int64_t us);
const struct guest *cluster_guest(struct world *w, uint32_t ask, const char *name);

#endif
