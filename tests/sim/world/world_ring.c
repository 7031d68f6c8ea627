/* SPDX-License-Identifier: Apache-2.0
 * The world's rings: one on each side of a split. How they break, how new ones form, and what agents are told of it. */
#include "order_priv.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_US	  (150)			/* the token, by one node */
#define QUORUM_US (5 * US_PER_MS)	/* the quorum answer is so much late at most */
#define SYNC_US	  (20 * US_PER_MS)	/* from a change of the group to the ring's callback, at most */

static bool side(const struct world *w, uint32_t node)
{
	return w->side_a >> (node - 1) & 1;
}

bool world_wired(const struct world *w, uint32_t a, uint32_t b)
{
	return side(w, a) == side(w, b);
}

bool world_linked(const struct world *w, uint32_t a, uint32_t b)
{
	return world_wired(w, a, b) && !w->nodes[a].clock.suspended && !w->nodes[b].clock.suspended;
}

/* Nobody gets the token any more: what is sent from now on waits for the next ring. */
static void lose_token(struct world *w, struct order_ring ring)
{
	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		struct world_node *n = &w->nodes[i];

		if (n->in_ring && !n->stalled && order_same_ring(&n->ring, &ring)) {
			n->stalled = true;
			inbox_token_lost(n);
		}
	}
}

/* ---- a new ring ---- */

struct forming {
	uint32_t nodes[WORLD_NODES_MAX];
	size_t n;
	struct order_ring ring;
};

static struct forming gather(struct world *w, bool on_a)
{
	struct forming f = { .n = 0 };

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].powered && !w->nodes[i].clock.suspended && side(w, i) == on_a)
			f.nodes[f.n++] = i;
	return f;
}

static size_t in_one_ring(const struct world *w, const struct order_ring *ring)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		n += w->nodes[i].in_ring && order_same_ring(&w->nodes[i].ring, ring);
	return n;
}

/* They are a ring already, and have its token. */
static bool stands(const struct world *w, const struct forming *f)
{
	const struct world_node *first = &w->nodes[f->nodes[0]];

	for (size_t i = 0; i < f->n; i++) {
		const struct world_node *n = &w->nodes[f->nodes[i]];

		if (!n->in_ring || n->stalled || !order_same_ring(&n->ring, &first->ring))
			return false;
	}
	return in_one_ring(w, &first->ring) == f->n;
}

bool world_one_ring(const struct world *w)
{
	struct forming all = { .n = w->n_nodes };

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		all.nodes[i - 1] = i;
	return stands(w, &all);
}

/* Those who come out of the same ring together, as bits. */
static uint32_t fellows(const struct world *w, const struct forming *f, const struct world_node *n)
{
	uint32_t with = 0;

	for (size_t i = 0; i < f->n; i++)
		if (w->nodes[f->nodes[i]].before.seq && order_same_ring(&w->nodes[f->nodes[i]].before, &n->before))
			with |= 1u << (f->nodes[i] - 1);
	return with | 1u << (n->id - 1);
}

static bool is_in(const struct group *g, const struct order_member *m)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].node == m->node && g->v[i].pid == m->pid)
			return true;
	return false;
}

static void add(struct group *g, const struct order_member *m)
{
	size_t at = g->n++;

	for (; at > 0 && g->v[at - 1].node > m->node; at--)
		g->v[at] = g->v[at - 1];
	g->v[at] = *m;
}

/*
 * Who has gone is told in one callback, and who has come in another, or in one each. None at all where the same ones are
 * there again: then the ring's callback is all that an agent hears.
 */
static void tell_group_change(struct world_node *n, const struct group *now)
{
	struct group told = inbox_last_group(n), g = { .n = 0 };
	bool one_each = n->w->faults.order && told.n;

	for (size_t i = 0; i < now->n; i++)
		if (is_in(&told, &now->v[i]))
			add(&g, &now->v[i]);
	if (g.n < told.n)
		inbox_put_group(n, &g);
	for (size_t i = 0; i < now->n; i++) {
		if (is_in(&g, &now->v[i]))
			continue;
		add(&g, &now->v[i]);
		if (one_each || g.n == now->n)
			inbox_put_group(n, &g);
	}
}

/* ---- the quorum answer, which comes on another socket ---- */

static void quorum_answers(void *ctx)
{
	struct world_node *n = ctx;

	if (n->joined)
		n->events->quorum(n->events_ctx, &n->ring, n->quorate);
}

static void ask_quorum(struct world_node *n)
{
	struct world *w = n->w;
	size_t nodes = in_one_ring(w, &n->ring);

	n->quorate = 2 * nodes > w->n_nodes || (w->two_node && w->n_nodes == 2);
	env_timer(&n->env, &n->quorum_timer, w->faults.order ? world_draw(w, QUORUM_US) : n->id % 2 ? 0 : US_PER_MS,
		  quorum_answers, n);
}

static void put_ring(struct world_node *n, int64_t delay_us)
{
	struct news news = { .kind = NEWS_RING, .ring = n->ring };

	for (uint32_t i = 1; i <= n->w->n_nodes; i++)
		if (n->w->nodes[i].in_ring && order_same_ring(&n->w->nodes[i].ring, &n->ring))
			news.nodes[news.n_nodes++] = i;
	inbox_put(n, news, delay_us);
}

/* ---- forming ---- */

/* What the old rings have left is told before anything of the new one (the transitional configuration). */
static void leave_old_rings(struct world *w, const struct forming *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (w->nodes[f->nodes[i]].in_ring)
			lose_token(w, w->nodes[f->nodes[i]].ring);
	for (size_t i = 0; i < f->n; i++) {
		struct world_node *n = &w->nodes[f->nodes[i]];

		n->before = n->in_ring ? n->ring : (struct order_ring){ 0 };
	}
	for (size_t i = 0; i < f->n; i++)
		inbox_recover(&w->nodes[f->nodes[i]], fellows(w, f, &w->nodes[f->nodes[i]]));
}

static void enter_new_ring(struct world *w, const struct forming *f)
{
	struct order_ring ring = { f->nodes[0], ++w->ring_seq };

	for (size_t i = 0; i < f->n; i++) {
		struct world_node *n = &w->nodes[f->nodes[i]];

		n->in_ring = true;
		n->stalled = n->synced = false;
		n->ring = ring;
	}
	for (size_t i = 0; i < f->n; i++)
		order_send_unsent(&w->nodes[f->nodes[i]]);
}

static void tell_new_ring(struct world *w, const struct forming *f)
{
	struct group group = order_agents(w, &w->nodes[f->nodes[0]].ring);

	for (size_t i = 0; i < f->n; i++) {
		struct world_node *n = &w->nodes[f->nodes[i]];

		ask_quorum(n);
		tell_group_change(n, &group);
		put_ring(n, w->faults.order ? world_draw(w, SYNC_US) : 0);
	}
}

static void form(struct world *w, bool on_a)
{
	struct forming f = gather(w, on_a);

	if (!f.n || stands(w, &f))
		return;
	leave_old_rings(w, &f);
	enter_new_ring(w, &f);
	tell_new_ring(w, &f);
}

static void new_rings(void *ctx)
{
	form(ctx, false);
	form(ctx, true);
}

void world_ring_soon(struct world *w, int64_t us)
{
	env_timer(&w->env, &w->ring_timer, us, new_rings, w);
}

/* ---- what breaks rings ---- */

static bool is_cut(const struct world *w, const struct order_ring *ring)
{
	bool on[2] = { false };

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].in_ring && order_same_ring(&w->nodes[i].ring, ring))
			on[side(w, i)] = true;
	return on[0] && on[1];
}

/* A cut is noticed by silence: until the token's time is over both halves believe in the old ring, and nothing is delivered. */
void world_split(struct world *w, uint32_t side_a)
{
	bool cut = false;

	w->side_a = side_a;
	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		struct world_node *n = &w->nodes[i];

		if (!n->in_ring || !is_cut(w, &n->ring))
			continue;
		cut = true;
		lose_token(w, n->ring);
	}
	world_ring_soon(w, cut ? WORLD_TOKEN_US : WORLD_MERGE_US);
}

void world_token_loss(struct world *w, uint32_t node)
{
	if (!w->nodes[node].in_ring)
		return;
	lose_token(w, w->nodes[node].ring);
	world_ring_soon(w, WORLD_TOKEN_US);
}

void world_set_two_node(struct world *w, bool on)
{
	w->two_node = on;
}

void world_order_suspends(struct world_node *n)
{
	world_token_loss(n->w, n->id);
}

static void passes_token(void *ctx)
{
	struct world_node *n = ctx;

	if (in_one_ring(n->w, &n->ring) == 1)
		lose_token(n->w, n->ring);
}

/*
 * Its corosync does not know yet that the others have a ring without it: it takes the token that waited in its socket, and
 * gives its agent what that sends before it passes it on, to nobody.
 */
void world_order_resumed(struct world_node *n)
{
	if (n->in_ring && in_one_ring(n->w, &n->ring) == 1) {
		n->stalled = false;
		env_timer(&n->env, &n->token_timer, HOLD_US, passes_token, n);
	}
	world_ring_soon(n->w, WORLD_MERGE_US);
}

void world_order_joined(struct world_node *n)
{
	n->told.n = 0;
	if (!n->in_ring || n->stalled)
		return;			/* the ring that forms tells it */
	order_tell_group(n);
	put_ring(n, 0);
	ask_quorum(n);
}

void world_order_left(struct world_node *n)
{
	if (n->in_ring && !n->stalled)
		order_tell_group(n);
}

/* The others go on believing in the old ring until the token's time is over. */
void world_order_power_lost(struct world_node *n)
{
	struct order_ring ring = n->ring;
	bool was = n->in_ring;

	inbox_clear(n);
	env_cancel(&n->env, &n->quorum_timer);
	env_cancel(&n->env, &n->token_timer);
	n->in_ring = n->stalled = false;
	if (was)
		lose_token(n->w, ring);
	world_ring_soon(n->w, WORLD_TOKEN_US);
}

void world_order_free(struct world *w)
{
	env_cancel(&w->env, &w->ring_timer);
	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		inbox_clear(&w->nodes[i]);
		env_cancel(&w->nodes[i].env, &w->nodes[i].quorum_timer);
		env_cancel(&w->nodes[i].env, &w->nodes[i].token_timer);
	}
}
