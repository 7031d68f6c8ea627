/* SPDX-License-Identifier: Apache-2.0
 * The planner: which nodes are out, and which of the others is the best. */
#include "place.h"

#include "ha_node.h"
#include "policy/ha.h"

/* One node's claim to a guest. */
struct candidate {
	const struct node *node;
	uint64_t used;      /* memory promised, MiB, without the guest */
	uint64_t per_mille; /* of its memory, with the guest */
	size_t guests;
	const char *out; /* why it is out; NULL: it is not */
};

/* Within the guest's window; without one, failures count until a person starts it anew. */
static bool counts(const struct guest *g, const struct failure *f, int64_t now_us)
{
	return !g->restart_window_s ||
	       now_us - f->time_us <= (int64_t)g->restart_window_s * US_PER_S;
}

/* What has happened to it on one node, within its window. */
struct record_there {
	uint32_t ends, starts; /* it ended by itself; it failed to start */
	int64_t last_start_us;
};

static struct record_there record_there(const struct guest *g, uint32_t node, int64_t now_us)
{
	struct record_there there = { 0 };
	const struct failure *f;

	vec_each(f, &g->failures) {
		if (f->node != node || !counts(g, f, now_us))
			continue;
		there.ends += !f->start;
		there.starts += f->start;
		if (f->start)
			there.last_start_us = f->time_us;
	}
	return there;
}

/* One more failed start, twice the pause. */
static int64_t pause_after(uint32_t starts)
{
	int64_t pause = ha_conf_default.start_retry_us;

	while (starts-- > 1 && pause < ha_conf_default.start_retry_max_us)
		pause *= 2;
	return pause < ha_conf_default.start_retry_max_us ? pause
							  : ha_conf_default.start_retry_max_us;
}

int64_t place_out_until(const struct guest *g, uint32_t node, int64_t now_us)
{
	struct record_there there = record_there(g, node, now_us);

	if (there.ends > g->restart_max || (there.starts && !g->ran))
		return INT64_MAX;
	return there.starts ? there.last_start_us + pause_after(there.starts) : 0;
}

/* A node where it failed to start, or ended by itself more often than it may be restarted there. */
static const char *failed_there(const struct guest *g, uint32_t node, int64_t now_us)
{
	if (place_out_until(g, node, now_us) <= now_us)
		return NULL;
	return record_there(g, node, now_us).starts ? "it failed to start there"
						    : "it ended there too often";
}

static size_t guests_at(const struct model *m, uint32_t node)
{
	struct map_iter it = { 0 };
	const struct guest *g;
	size_t n = 0;

	while ((g = map_next(m->guests, &it)))
		if (g->owner.node == node || g->move.target.node == node)
			n++;
	return n;
}

static uint64_t extra_at(const place_extras *extra, uint32_t node)
{
	const struct place_extra *e;
	uint64_t sum = 0;

	vec_each(e, extra)
		if (e->node == node)
			sum += e->memory_mib;
	return sum;
}

static const char *why_out(const struct candidate *c, const struct guest *g, uint32_t avoid,
			   int64_t now_us)
{
	const struct node *n = c->node;

	if (n->id == avoid)
		return "it is there already";
	if (n->leaving)
		return "leaves the cluster";
	if (n->state != NODE_ONLINE)
		return node_state_text(n->state);
	if (!n->memory_mib)
		return "has not said yet how much memory it has";
	if (c->used + g->memory_mib > n->memory_mib)
		return "no room";
	return failed_there(g, n->id, now_us);
}

static struct candidate weigh(const struct model *m, const struct node *n, const struct guest *g,
			      uint32_t avoid, const place_extras *extra, int64_t now_us)
{
	struct candidate c = { .node = n };

	c.used = model_memory_used(m, n->id) + extra_at(extra, n->id);
	c.guests = guests_at(m, n->id);
	c.out = why_out(&c, g, avoid, now_us);
	c.per_mille = n->memory_mib ? (c.used + g->memory_mib) * 1000 / n->memory_mib : 0;
	return c;
}

/*
 * In order of weight: memory, guests, id. Nodes come in the order of their ids, so an equal one
 * later does not win.
 */
static bool better(const struct candidate *a, const struct candidate *b)
{
	if (!b->node || a->per_mille != b->per_mille)
		return !b->node || a->per_mille < b->per_mille;
	return a->guests < b->guests;
}

static void explain(struct buf *why, const struct candidate *c, const struct guest *g)
{
	if (why->len)
		buf_str(why, "; ");
	buf_str(why, c->node->name);
	buf_str(why, ": ");
	if (!c->out) {
		buf_str(why, "memory ");
		buf_u64(why, c->per_mille / 10);
		buf_str(why, " %");
		return;
	}
	buf_str(why, c->out);
	if (c->used + g->memory_mib > c->node->memory_mib && c->node->memory_mib &&
	    node_online(c->node)) {
		buf_str(why, ", ");
		buf_u64(why, c->node->memory_mib > c->used ? c->node->memory_mib - c->used : 0);
		buf_str(why, " MiB free, ");
		buf_u64(why, g->memory_mib);
		buf_str(why, " needed");
	}
}

uint32_t place_guest(const struct model *m, const struct guest *g, uint32_t only, uint32_t avoid,
		     const place_extras *extra, int64_t now_us, char ret_why[MODEL_TEXT_MAX])
{
	struct candidate best = { 0 };
	struct map_iter it = { 0 };
	struct buf why = { 0 };
	const struct node *n;

	while ((n = map_next(m->nodes, &it))) {
		struct candidate c = weigh(m, n, g, avoid, extra, now_us);

		if (only && n->id != only)
			continue;
		if (!c.out && better(&c, &best))
			best = c;
		if (n->id != avoid || only)
			explain(&why, &c, g);
	}
	if (!why.len)
		buf_str(&why, "no node is there");
	mem_strcpy(ret_why, MODEL_TEXT_MAX, SAY(buf_cstr(&why)));
	buf_free(&why);
	return best.node ? best.node->id : 0;
}
