/* SPDX-License-Identifier: Apache-2.0
 * Private to the world's order: what is on its way in a ring (world_order.c), and the rings (world_ring.c). */
#ifndef DOMUS_TESTS_ORDER_PRIV_H
#define DOMUS_TESTS_ORDER_PRIV_H

#include "world_priv.h"

/* What has a place in a ring's order: a message, or, without @data, a change of the group. */
struct packet {
	unsigned refs;
	struct order_member from;
	struct order_ring ring;
	uint32_t received;		/* bit N-1: node N's corosync has it */
	void *data;
	size_t len;
	struct group group;
};

enum news_kind { NEWS_PACKET, NEWS_GROUP_RING_FOLLOWS, NEWS_RING };

/* What a node's corosync tells its agent next. */
struct news {
	enum news_kind kind;
	struct mono due;		/* by the world's clock */
	unsigned life;			/* for this agent only */
	struct packet *packet;		/* a reference; NULL for NEWS_RING */
	struct order_ring ring;
	uint32_t nodes[WORLD_NODES_MAX];
	size_t n_nodes;
};

/* world_order.c. The inbox is told in order: nothing is told before what was put before it. */
bool order_same_ring(const struct order_ring *a, const struct order_ring *b);
struct group order_agents(const struct world *w, const struct order_ring *ring);
void inbox_put(struct world_node *n, struct news news, int64_t delay_us);	/* copied; takes a reference of its own */
void inbox_put_group(struct world_node *n, const struct group *g);		/* a ring follows */
struct group inbox_last_group(const struct world_node *n);	/* what its agent knows when all that waits has been told */
void inbox_token_lost(struct world_node *n);
void inbox_recover(struct world_node *n, uint32_t with);
void inbox_clear(struct world_node *n);				/* and all else that was on its way here or from here */
void order_tell_group(struct world_node *n);			/* to all of its ring, in their order */
void order_send_unsent(struct world_node *n);

#endif
