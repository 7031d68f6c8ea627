/* SPDX-License-Identifier: Apache-2.0
 * What is done about nodes that are lost, and about operations whose executor is. */
#include "ha_fence.h"
#include "ha_priv.h"

static bool gone_for_long(struct ha_round *r, const struct node *n)
{
	return n->state == NODE_LOST ||
	       (n->state == NODE_AWAY && ha_due(r, n->since_us + r->conf->agent_grace_us));
}

/*
 * Without a device only a person, or the node itself, can bring the proof. A node that owns
 * nothing, and works at no volume, is left in peace.
 */
static bool needs_fencing(struct ha_round *r, const struct node *n)
{
	if (!n->fence_agent[0] || n->fence_operation || id_is_none(&n->incarnation) ||
	    fence_proven(n))
		return false;
	return n->fence_wanted || (node_matters(r->m, n) && gone_for_long(r, n));
}

/* Two that fence each other would both be off. */
static bool may_fence(const struct node *n)
{
	return node_takes_orders(n) && !n->fence_wanted && !n->fence_operation;
}

/* The nodes take turns: one that cannot reach the device does not hold up the proof. */
static const struct node *pick_executor(const struct ha_round *r, const struct node *victim)
{
	const struct node *n, *able[256];
	struct map_iter it = { 0 };
	size_t count = 0;

	while (count < ARRAY_SIZE(able) && (n = map_next(r->m->nodes, &it)))
		if (n != victim && may_fence(n))
			able[count++] = n;
	return count ? able[victim->fence_attempts % count] : NULL;
}

static void fence(struct ha_round *r, const struct node *n)
{
	const struct node *executor = pick_executor(r, n);
	const char *why = n->fence_wanted         ? "a person wants it"
			  : n->state == NODE_AWAY ? "its agent does not come back"
			  : node_owns_any(r->m, n) ? "it is lost and owns guests"
						   : "it is lost and worked at a volume";

	if (!executor)
		return;
	ha_order_node(r, CMD_FENCE, n, SAY("is being fenced by ", executor->name, ": ", why))
		->executor = executor->id;
	vec_push(&r->fenced, n->id);
}

void ha_fence_lost(struct ha_round *r)
{
	struct map_iter it = { 0 };
	const struct node *n;

	while ((n = map_next(r->m->nodes, &it)))
		if (needs_fencing(r, n) && ha_due(r, n->fence_retry_us))
			fence(r, n);
}

static const char *why_drop_fence(struct ha_round *r, const struct operation *op)
{
	if (ha_executor_gone(r, op))
		return "the node that was to fence it has gone: another one tries";
	return ha_overdue(r, op) ? "fencing took too long: another node tries" : NULL;
}

/* Its guest's process is known and stays: only the order is taken back. */
static const char *why_drop_order(struct ha_round *r, const struct operation *op)
{
	const struct guest *g = model_guest(r->m, op->guest);
	bool stops = g && g->desired == DESIRED_STOPPED; /* which takes its place anyway */

	return !stops && g && g->state != GUEST_LOST && ha_overdue(r, op) ? "it took too long"
									  : NULL;
}

void ha_operations_drop(struct ha_round *r)
{
	static const char *(*const why_drop[OP_KIND_MAX])(struct ha_round *,
							  const struct operation *) = {
		[OP_FENCE] = why_drop_fence,
		[OP_PAUSE] = why_drop_order,
		[OP_RESUME] = why_drop_order,
	};
	struct map_iter it = { 0 };
	const struct operation *op;

	while ((op = map_next(r->m->operations, &it))) {
		const char *why = why_drop[op->kind] ? why_drop[op->kind](r, op) : NULL;

		if (why)
			ha_order(r, CMD_OPERATION_DROP, why)->operation = op->id;
	}
}

static bool any_online(const struct ha_round *r)
{
	struct map_iter it = { 0 };
	const struct node *n;

	while ((n = map_next(r->m->nodes, &it)))
		if (node_takes_orders(n))
			return true;
	return false;
}

void ha_volumes_repeat(struct ha_round *r)
{
	static const enum command_kind again[VOLUME_STATE_MAX] = {
		[VOLUME_CREATING] = CMD_VOLUME_CREATE,
		[VOLUME_DELETING] = CMD_VOLUME_DELETE,
	};
	struct map_iter it = { 0 };
	const struct volume *v;
	struct command *c;

	while ((v = map_next(r->m->volumes, &it))) {
		if (v->operation || !again[v->state] || !any_online(r))
			continue;
		c = ha_order(r, again[v->state], "its node has gone: another one goes on");
		STRCPY(c->pool, v->pool);
		STRCPY(c->name, v->name);
		c->size = v->size;
	}
}
