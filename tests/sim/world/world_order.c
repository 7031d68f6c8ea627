/* SPDX-License-Identifier: Apache-2.0
 * The world's total order within a ring: its members get the same messages in the same order, each in its own time, the
 * sender first. What a node's corosync has for its agent waits in the node's inbox. */
#include "order_priv.h"

#include <stdlib.h>
#include <string.h>

#define OWN_US	      (20)		/* a message comes back to its sender */
#define LATER_US      (4 * US_PER_MS)	/* at most, beyond WORLD_DELIVERY_US */
#define FLOW_US	      (30 * US_PER_MS)	/* at most, that no message is taken */
#define UNSENT_MAX    64		/* messages that corosync takes while it has no token */

bool order_same_ring(const struct order_ring *a, const struct order_ring *b)
{
	return a->node == b->node && a->seq == b->seq;
}

/* Bit N-1 stands for node N. */
static uint32_t bit(uint32_t node)
{
	return 1u << (node - 1);
}

/* ---- packets ---- */

static struct packet *packet_new(const struct world_node *from, const void *data, size_t len)
{
	struct packet *p = mem_new(struct packet);

	p->refs = 1;
	p->from = (struct order_member){ from->id, from->pid };
	p->ring = from->ring;
	p->data = data ? mem_dup(data, len) : NULL;
	p->len = len;
	return p;
}

static void packet_unref(struct packet *p)
{
	if (--p->refs)
		return;
	free(p->data);
	free(p);
}

/* ---- the inbox ---- */

static void news_free(struct news *news)
{
	if (news->packet)
		packet_unref(news->packet);
	free(news);
}

static void tell(struct world_node *n, const struct news *news)
{
	const struct packet *p = news->packet;

	if (!p) {
		n->events->ring(n->events_ctx, &news->ring, news->nodes, news->n_nodes);
	} else if (p->data) {
		n->events->message(n->events_ctx, p->from, p->data, p->len);
	} else {
		n->told = p->group;
		n->events->group(n->events_ctx, p->group.v, p->group.n, news->kind == NEWS_GROUP_RING_FOLLOWS);
	}
}

static void inbox_arm(struct world_node *n);

static void inbox_next(void *ctx)
{
	struct world_node *n = ctx;
	struct news *news = n->inbox.v[0];

	vec_remove(&n->inbox, 0);
	inbox_arm(n);
	if (news->packet)
		news->packet->received |= bit(n->id);
	else
		n->synced = true;
	if (n->joined && news->life == n->life)
		tell(n, news);
	news_free(news);
}

static void inbox_arm(struct world_node *n)
{
	if (n->inbox.n)
		env_timer(&n->env, &n->inbox_timer, mono_diff_us(n->inbox.v[0]->due, env_now(&n->w->env)), inbox_next, n);
	else
		env_cancel(&n->env, &n->inbox_timer);
}

/* Never before what came before it. */
void inbox_put(struct world_node *n, struct news news, int64_t delay_us)
{
	struct news *put = mem_dup(&news, sizeof(news));
	struct mono last = n->inbox.n ? n->inbox.v[n->inbox.n - 1]->due : (struct mono){ 0 };

	put->due = mono_add(env_now(&n->w->env), delay_us);
	if (put->due.us < last.us)
		put->due = last;
	put->life = n->life;
	if (put->packet)
		put->packet->refs++;
	vec_push(&n->inbox, put);
	if (n->inbox.n == 1)
		inbox_arm(n);
}

struct group order_agents(const struct world *w, const struct order_ring *ring)
{
	struct group g = { .n = 0 };

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].joined && w->nodes[i].in_ring && order_same_ring(&w->nodes[i].ring, ring))
			g.v[g.n++] = (struct order_member){ i, w->nodes[i].pid };
	return g;
}

void inbox_put_group(struct world_node *n, const struct group *g)
{
	struct packet *p = packet_new(n, NULL, 0);

	p->group = *g;
	p->received = ~0u;
	inbox_put(n, (struct news){ .kind = NEWS_GROUP_RING_FOLLOWS, .packet = p }, 0);
	packet_unref(p);
}

struct group inbox_last_group(const struct world_node *n)
{
	for (size_t i = n->inbox.n; i > 0; i--) {
		const struct news *news = n->inbox.v[i - 1];

		if (news->life == n->life && news->packet && !news->packet->data)
			return news->packet->group;
	}
	return n->told;
}

/* ---- losing and finding again ---- */

static void miss(struct world_node *n, struct packet *p)
{
	p->refs++;
	vec_push(&n->missing, p);
}

static bool arrives(struct world_node *n, const struct packet *p)
{
	return world_linked(n->w, p->from.node, n->id) && !world_strikes(n->w, n->w->faults.order ? 50 : 0);
}

/*
 * The token is lost: of the messages on their way some arrive, and an agent is given none above one that did not. Those
 * wait for the others to come together again.
 */
void inbox_token_lost(struct world_node *n)
{
	bool gap = n->missing.n > 0;
	size_t kept = 0;

	for (size_t i = 0; i < n->inbox.n; i++) {
		struct news *news = n->inbox.v[i];
		struct packet *p = news->packet;

		if (news->kind != NEWS_PACKET || !order_same_ring(&p->ring, &n->ring)) {
			n->inbox.v[kept++] = news;
			continue;
		}
		if (!(p->received & bit(n->id)) && arrives(n, p))
			p->received |= bit(n->id);
		if (!(p->received & bit(n->id)))
			gap = true;
		if (gap) {
			miss(n, p);
			news_free(news);
		} else {
			n->inbox.v[kept++] = news;
		}
	}
	n->inbox.n = kept;
	inbox_arm(n);
}

/*
 * Those who come out of a ring together (@with, as bits) give their agents all that any of them has received, in order;
 * above a hole only what they have sent themselves (extended virtual synchrony).
 */
void inbox_recover(struct world_node *n, uint32_t with)
{
	struct packet **p;
	bool gap = false;

	vec_each(p, &n->missing) {
		if (!((*p)->received & with))
			gap = true;
		else if (!gap || with & bit((*p)->from.node))
			inbox_put(n, (struct news){ .kind = NEWS_PACKET, .packet = *p }, 0);
		packet_unref(*p);
	}
	vec_clear(&n->missing);
}

/* ---- sending ---- */

static int64_t latency_us(struct world_node *n)
{
	struct world *w = n->w;

	return WORLD_DELIVERY_US + (world_strikes(w, w->faults.order) ? world_draw(w, LATER_US) : 0);
}

/* Gives @p its place in the order of its ring. */
static void sequence(struct world *w, struct packet *p)
{
	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		struct world_node *n = &w->nodes[i];
		bool own = p->from.node == i;

		if (!n->in_ring || !order_same_ring(&n->ring, &p->ring))
			continue;
		if (own)
			p->received |= bit(i);
		if (n->missing.n)
			miss(n, p);
		else
			inbox_put(n, (struct news){ .kind = NEWS_PACKET, .packet = p }, own ? OWN_US : latency_us(n));
	}
}

/*
 * What was taken while there was no token is sent in the new ring before that is told: those who know the sender from the
 * ring before get it, the others drop it (rule L6). From then until all is told nothing is taken.
 */
static void send_early(struct world_node *from, struct packet *p)
{
	struct world *w = from->w;

	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		struct world_node *n = &w->nodes[i];

		if (i == from->id || (n->in_ring && n->before.seq && order_same_ring(&n->ring, &from->ring) &&
				      order_same_ring(&n->before, &from->before)))
			inbox_put(n, (struct news){ .kind = NEWS_PACKET, .packet = p }, 0);
	}
}

void order_send_unsent(struct world_node *n)
{
	struct packet **p;

	vec_each(p, &n->unsent) {
		(*p)->ring = n->ring;
		(*p)->received = ~0u;
		send_early(n, *p);
		packet_unref(*p);
	}
	vec_clear(&n->unsent);
}

/* Flow control comes in bursts. */
static bool flows(struct world_node *n)
{
	struct mono now = env_now(&n->w->env);

	if (now.us < n->full_until.us)
		return false;
	if (!world_strikes(n->w, n->w->faults.order) || world_draw(n->w, 10))
		return true;
	n->full_until = mono_add(now, world_draw(n->w, FLOW_US));
	return false;
}

static int send_without_token(struct world_node *n, const void *data, size_t len)
{
	if (!n->w->faults.order || n->unsent.n >= UNSENT_MAX)
		return -EAGAIN;
	vec_push(&n->unsent, packet_new(n, data, len));
	return 0;
}

static int order_send(void *order, const void *data, size_t len)
{
	struct world_node *n = order;
	struct packet *p;

	if (!n->in_ring || !n->synced || !flows(n))
		return -EAGAIN;
	if (n->stalled)
		return send_without_token(n, data, len);
	p = packet_new(n, data, len);
	sequence(n->w, p);
	packet_unref(p);
	return 0;
}

/* An agent's coming and going has its place among the messages. */
void order_tell_group(struct world_node *n)
{
	struct packet *p = packet_new(n, NULL, 0);

	p->group = order_agents(n->w, &n->ring);
	sequence(n->w, p);
	packet_unref(p);
}

void inbox_clear(struct world_node *n)
{
	struct news **news;
	struct packet **p;

	vec_each(news, &n->inbox)
		news_free(*news);
	vec_free(&n->inbox);
	vec_each(p, &n->missing)
		packet_unref(*p);
	vec_free(&n->missing);
	vec_each(p, &n->unsent)
		packet_unref(*p);
	vec_free(&n->unsent);
	env_cancel(&n->env, &n->inbox_timer);
}

/* ---- what an agent asks ---- */

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
