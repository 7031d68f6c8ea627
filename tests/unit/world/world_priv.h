/* SPDX-License-Identifier: Apache-2.0
 * Private to the world: its nodes, and the total order between them. */
#ifndef DOMUS_TESTS_WORLD_PRIV_H
#define DOMUS_TESTS_WORLD_PRIV_H

#include "world.h"

#include "base/vec.h"
#include "storage/storage.h"

struct fence_run;
struct packet;

struct world_node {
	struct world *w;
	uint32_t id, pid;
	char name[8];
	bool powered, agent_up;
	unsigned life;			/* counts agents: what was begun for an earlier one is void */
	struct id incarnation;
	struct ledger_image disk;	/* what is durable */
	store_loaded_fn *loaded;
	void *loaded_ctx;
	struct env_timer *load;
	struct engine *engine;
	struct storage *storage;
	struct driver driver;
	/* what its corosync believes */
	bool in_ring;			/* of its component's present ring */
	struct order_ring ring;
};

struct world {
	struct venv *venv;
	struct env env;
	struct sim_world *guests;
	struct storage_world *disks;
	struct storage_backend backend;
	struct world_node nodes[WORLD_NODES_MAX + 1];	/* by id */
	size_t n_nodes;
	uint32_t next_pid;
	uint32_t side_a;		/* see world_split */
	uint64_t ring_seq;
	struct env_timer *ring_timer;
	VEC(struct packet *) packets;
	VEC(struct fence_run *) fences;
	struct buf trace;
	size_t double_runs;
};

/* world_order.c */
struct order world_order_of(struct world_node *n);
void world_order_joined(struct world_node *n);	/* its agent has come: the group changes */
void world_order_left(struct world_node *n);
void world_ring_soon(struct world *w, int64_t us);	/* new rings form then, one a side */
void world_order_free(struct world *w);

#endif
