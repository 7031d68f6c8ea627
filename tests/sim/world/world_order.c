/* SPDX-License-Identifier: Apache-2.0
 * The world's total order: one ring on each side of a split; its members get the same messages in the same order. */
#include "world_priv.h"

#include <stdlib.h>
#include <string.h>

/* A message on its way: for those who were in its ring with its sender when it was sent, and still are. */
struct packet {
	struct world *w;
	struct order_member from;
	struct order_ring ring;
	void *data;
	size_t len;
	struct env_timer *timer;
};

static bool same_ring(const struct order_ring *a, const struct order_ring *b)
{
	return a->node == b->node && a->seq == b->seq;
}

static void deliver(void *ctx)
{
	struct packet *p = ctx;
	struct world *w = p->w;

	vec_drop(&w->packets, p);
	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		struct world_node *n = &w->nodes[i];

		if (n->agent_up && n->in_ring && same_ring(&n->ring, &p->ring))
			engine_order_events.message(n->engine, p->from, p->data, p->len);
	}
	free(p->data);
	free(p);
}

static int order_send(void *order, const void *data, size_t len)
{
	struct world_node *n = order;
	struct packet *p;

	if (!n->in_ring)
		return -EAGAIN;
	p = mem_new(struct packet);
	*p = (struct packet){ n->w, { n->id, n->pid }, n->ring, mem_dup(data, len), len, NULL };
	vec_push(&n->w->packets, p);
	env_timer(&n->w->env, &p->timer, WORLD_DELIVERY_US, deliver, p);
	return 0;
}

static uint32_t order_node(void *order)
{
	return ((struct world_node *)order)->id;
}

static const char *order_node_name(void *order, uint32_t node)
{
	struct world *w = ((struct world_node *)order)->w;

	return node >= 1 && node <= w->n_nodes ? w->nodes[node].name : NULL;
}

static const char *order_unsafe(void *order)
{
	(void)order;
	return NULL;
}

static const struct order_ops order_ops = { .send = order_send, .node = order_node, .node_name = order_node_name,
					    .node_address = order_node_name, .unsafe = order_unsafe };

struct order world_order_of(struct world_node *n)
{
	return (struct order){ &order_ops, n };
}

static bool side(const struct world *w, uint32_t node)
{
	return w->side_a >> (node - 1) & 1;
}

bool world_linked(const struct world *w, uint32_t a, uint32_t b)
{
	return side(w, a) == side(w, b);
}

static size_t agents_of(struct world *w, const struct order_ring *ring, struct order_member *ret)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].agent_up && w->nodes[i].in_ring && same_ring(&w->nodes[i].ring, ring))
			ret[n++] = (struct order_member){ i, w->nodes[i].pid };
	return n;
}

static void tell_group(struct world *w, const struct order_ring *ring, bool ring_follows)
{
	struct order_member members[WORLD_NODES_MAX];
	size_t n = agents_of(w, ring, members);

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].agent_up && w->nodes[i].in_ring && same_ring(&w->nodes[i].ring, ring))
			engine_order_events.group(w->nodes[i].engine, members, n, ring_follows);
}

static size_t form_ring(struct world *w, bool on_a, uint32_t *ret_nodes, struct order_ring *ret_ring)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].powered && side(w, i) == on_a)
			ret_nodes[n++] = i;
	*ret_ring = (struct order_ring){ n ? ret_nodes[0] : 0, ++w->ring_seq };
	for (size_t i = 0; i < n; i++) {
		w->nodes[ret_nodes[i]].in_ring = true;
		w->nodes[ret_nodes[i]].ring = *ret_ring;
	}
	return n;
}

static void new_side(struct world *w, bool on_a)
{
	uint32_t nodes[WORLD_NODES_MAX];
	struct order_ring ring;
	size_t n = form_ring(w, on_a, nodes, &ring);
	bool quorate = 2 * n > w->n_nodes;

	tell_group(w, &ring, true);
	for (size_t i = 0; i < n; i++) {
		struct world_node *node = &w->nodes[nodes[i]];

		if (!node->agent_up)
			continue;
		if (i % 2)
			engine_order_events.quorum(node->engine, &ring, quorate);
		engine_order_events.ring(node->engine, &ring, nodes, n);
		if (i % 2 == 0)
			engine_order_events.quorum(node->engine, &ring, quorate);
	}
}

static void new_rings(void *ctx)
{
	struct world *w = ctx;

	new_side(w, false);
	new_side(w, true);
}

void world_ring_soon(struct world *w, int64_t us)
{
	env_timer(&w->env, &w->ring_timer, us, new_rings, w);
}

/* A cut is noticed by silence: until then both halves believe in the old ring, and nothing is delivered. */
void world_split(struct world *w, uint32_t side_a)
{
	w->side_a = side_a;
	for (uint32_t i = 1; i <= w->n_nodes; i++)
		w->nodes[i].in_ring = false;
	world_ring_soon(w, WORLD_TOKEN_US);
}

void world_order_joined(struct world_node *n)
{
	uint32_t nodes[WORLD_NODES_MAX];
	size_t count = 0;

	if (!n->in_ring)
		return;			/* the ring that forms tells it */
	for (uint32_t i = 1; i <= n->w->n_nodes; i++)
		if (n->w->nodes[i].in_ring && same_ring(&n->w->nodes[i].ring, &n->ring))
			nodes[count++] = i;
	tell_group(n->w, &n->ring, false);
	engine_order_events.ring(n->engine, &n->ring, nodes, count);
	engine_order_events.quorum(n->engine, &n->ring, 2 * count > n->w->n_nodes);
}

void world_order_left(struct world_node *n)
{
	if (!n->powered)
		n->in_ring = false;	/* the others go on believing in the old ring until the token's time is over */
	else if (n->in_ring)
		tell_group(n->w, &n->ring, false);
}

void world_order_free(struct world *w)
{
	struct packet **p;

	env_cancel(&w->env, &w->ring_timer);
	vec_each(p, &w->packets) {
		env_cancel(&w->env, &(*p)->timer);
		free((*p)->data);
		free(*p);
	}
	vec_free(&w->packets);
}
