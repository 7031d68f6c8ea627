/* SPDX-License-Identifier: Apache-2.0
 * Storage that exists only in memory and in virtual time: the simulator's, with faults.
 *
 * The world is what the disks and the nodes' kernels would be. It outlives agents: what an agent
 * mapped stays mapped when the agent ends, until it is unmapped, or the node is gone. It is the
 * second opinion on promise 1: it refuses and counts what must never be asked of it. */
#ifndef DOMUS_STORAGE_SIM_H
#define DOMUS_STORAGE_SIM_H

#include "storage.h"

struct storage_world;
struct storage_world *storage_world_new(void);
void storage_world_free(struct storage_world *w); /* after all storages that use it; accepts NULL */

/* The backend "sim" in this world, to be listed in storage_new's @backends. Pools with the same
 * path are the same disks. */
struct storage_backend storage_world_backend(struct storage_world *w);

enum storage_op {
	STORAGE_CREATE,
	STORAGE_REMOVE,
	STORAGE_LIST,
	STORAGE_MAP,
	STORAGE_UNMAP,
	STORAGE_OP_MAX
};

/*
 * Asked at the start of each operation: how long it takes (@delay_us holds 1 ms when it comes) and
 * whether it fails then: 0, or a negative errno, by which the operation ends without an effect.
 * @node is 0 where no ticket says it.
 */
typedef int storage_fault_fn(void *ctx, enum storage_op op, uint32_t node, const char *volume,
			     int64_t *delay_us);
void storage_world_faults(struct storage_world *w, storage_fault_fn *fn, void *ctx);

/* Volumes may have this many bytes together (-ENOSPC beyond). At first: no limit. */
void storage_world_capacity(struct storage_world *w, uint64_t bytes);

/* The node has lost power: it maps nothing any more. */
void storage_world_node_gone(struct storage_world *w, uint32_t node);

/* How often a second private user of a volume, or an epoch older than one that was mapped already,
 * was asked for. */
unsigned storage_world_violations(const struct storage_world *w);
/* How many nodes have the volume mapped in @mode. */
size_t storage_world_users(const struct storage_world *w, const char *path, const char *volume,
			   enum access_mode mode);
/* Whether that node has it mapped, in whatever mode. */
bool storage_world_mapped(const struct storage_world *w, const char *path, const char *volume, uint32_t node);
/* Grows whenever a volume, or who has it mapped, may have changed. */
uint64_t storage_world_changes(const struct storage_world *w);

#endif
