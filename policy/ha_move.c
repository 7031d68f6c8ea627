/* SPDX-License-Identifier: Apache-2.0
 * When migrations begin and when they are cancelled; what a drain moves away. The steps between
 * are apply_move.c's. */
#include "ha_priv.h"

#define DRAIN_MOVES_MAX    2 /* at once in the cluster: more only make each of them slower */
#define DRAIN_FAILURES_MAX 3

static bool before_hand_over(const struct guest *g)
{
	return g->move.phase == MOVE_PREPARING || g->move.phase == MOVE_SENDING;
}

/* Why the migration must not go on; NULL: it may. */
static const char *why_cancel(struct ha_round *r, const struct guest *g)
{
	const struct operation *op = model_operation(r->m, g->operation);

	if (g->desired == DESIRED_STOPPED)
		return "a person wants it stopped";
	if (!owner_online(r->m, &g->move.target))
		return "the target is not there any more";
	if (ha_due(r, g->move.deadline_us))
		return "it takes too long";
	if (op && op->kind == OP_PREPARE_IN && ha_overdue(r, op))
		return "the target was not ready in time";
	return NULL;
}

static void cancel(struct ha_round *r, const struct guest *g)
{
	const char *why = before_hand_over(g) ? why_cancel(r, g) : NULL;

	if (g->move.phase == MOVE_CANCELLING && !g->operation)
		why = "its source is back";
	if (why)
		ha_order_guest(r, CMD_MOVE_CANCEL, g, why);
}

void ha_moves_cancel(struct ha_round *r)
{
	ha_each_guest(r, GUEST_MIGRATING, cancel);
}

/* The second word hands over by itself, unless the target was away then: it is back now. */
static void hand_over(struct ha_round *r, const struct guest *g)
{
	if (g->move.phase == MOVE_SENDING && g->move.sent && g->move.loaded && !why_cancel(r, g))
		ha_order_guest(r, CMD_MOVE_HAND_OVER, g, "its target is back, and all is there");
}

void ha_moves_hand_over(struct ha_round *r)
{
	ha_each_guest(r, GUEST_MIGRATING, hand_over);
}

static bool may_begin(const struct ha_round *r, const struct guest *g)
{
	return g->desired == DESIRED_RUNNING && !g->operation && owner_online(r->m, &g->owner);
}

static void begin(struct ha_round *r, const struct guest *g, uint32_t node, const char *what,
		  const char *why)
{
	const char *from = model_node_name(r->m, g->owner.node), *to = model_node_name(r->m, node);

	ha_order_at(r, CMD_MOVE_BEGIN, g, node,
		    SAY("from ", from, " to ", to, ": ", what, " (", why, ")"));
}

static void begin_wanted(struct ha_round *r, const struct guest *g)
{
	char why[MODEL_TEXT_MAX];
	uint32_t node;

	if (!g->wants_move || !may_begin(r, g))
		return;
	node = place_guest(r->m, g, g->wanted_node, g->owner.node, &r->extra, r->now, why);
	if (node)
		begin(r, g, node, "a person wants it", why);
	else
		ha_order_guest(r, CMD_MOVE_REFUSE, g,
			       SAY("migration refused: it fits on no other node: ", why));
}

void ha_moves_begin(struct ha_round *r)
{
	ha_each_guest(r, GUEST_RUNNING, begin_wanted);
}

static bool is_drained(const struct ha_round *r, const struct guest *g)
{
	const struct node *n = model_node(r->m, g->owner.node);

	return n && n->state == NODE_MAINTENANCE && node_owns(n, g);
}

/*
 * Those under way, and those that this round has ordered: their memory is promised, and they are
 * not wanted by a person.
 */
static size_t drain_moves(const struct ha_round *r)
{
	struct map_iter it = { 0 };
	const struct command *c;
	const struct guest *g;
	size_t n = 0;

	while ((g = map_next(r->m->guests, &it)))
		n += g->state == GUEST_MIGRATING && g->move.drain;
	vec_each(c, &r->out->commands)
		n += c->kind == CMD_MOVE_BEGIN && !model_guest(r->m, c->name)->wants_move;
	return n;
}

static void stays(struct ha_round *r, const struct guest *g, const char *why)
{
	ha_say(r, CMD_MOVE_REFUSE, g,
	       SAY("stays on ", model_node_name(r->m, g->owner.node), ", which is drained: ", why));
}

static void drain_running(struct ha_round *r, const struct guest *g)
{
	char why[MODEL_TEXT_MAX];
	uint32_t node;

	if (!is_drained(r, g) || g->wants_move || !may_begin(r, g))
		return;
	if (g->move_failures >= DRAIN_FAILURES_MAX) {
		stays(r, g, "its migration failed too often");
		return;
	}
	if (!ha_due(r, g->move_retry_us) || drain_moves(r) >= DRAIN_MOVES_MAX)
		return;
	node = place_guest(r->m, g, 0, g->owner.node, &r->extra, r->now, why);
	if (node)
		begin(r, g, node, SAY(model_node_name(r->m, g->owner.node), " is drained"), why);
	else
		stays(r, g, SAY("it fits on no other node: ", why));
}

static void drain_other(struct ha_round *r, const struct guest *g)
{
	enum desired rests = g->state == GUEST_PAUSED ? DESIRED_PAUSED : g->desired;

	if (is_drained(r, g) && g->desired == rests && g->desired != DESIRED_STOPPED &&
	    !g->operation)
		stays(r, g, "only a running guest can be migrated");
}

void ha_nodes_drain(struct ha_round *r)
{
	ha_each_guest(r, GUEST_RUNNING, drain_running);
	ha_each_guest(r, GUEST_PAUSED, drain_other);
	ha_each_guest(r, GUEST_IO_ERROR, drain_other);
}
