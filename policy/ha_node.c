/* SPDX-License-Identifier: Apache-2.0
 * A node's states: here, away, lost, proven off. */
#include "ha_node.h"

#include "ha_fence.h"
#include "ha_guest.h"

static const char *const node_event_names[NODE_EVENT_MAX] = {
	[NODE_EV_HERE] = "here",
	[NODE_EV_HERE_DRAINED] = "here-drained",
	[NODE_EV_AGENT_GONE] = "agent-gone",
	[NODE_EV_GONE] = "gone",
	[NODE_EV_PROVEN] = "proven",
};
TABLE_DEFINE(node_event, enum node_event, NODE_EVENT_MAX)

#define HERE NODE_ONLINE, NODE_MAINTENANCE

/* clang-format off */
const enum node_state node_next[NODE_STATE_MAX][NODE_EVENT_MAX] = {
	/*                     here, drained  agent gone   gone         proven */
	[NODE_ONLINE] =      { HERE,          NODE_AWAY,   NODE_LOST,   NODE_FENCED },
	[NODE_MAINTENANCE] = { HERE,          NODE_AWAY,   NODE_LOST,   NODE_FENCED },
	[NODE_AWAY] =        { HERE,          NODE_AWAY,   NODE_LOST,   NODE_FENCED },
	[NODE_LOST] =        { HERE,          NODE_AWAY,   NODE_LOST,   NODE_FENCED },
	/*
	 * What is proven stays so until its agent is listed again: its corosync alone says
	 * nothing about guests.
	 */
	[NODE_FENCED] =      { HERE,          NODE_FENCED, NODE_FENCED, NODE_FENCED },
};
/* clang-format on */

void node_happens(struct model *m, struct node *n, enum node_event ev, const char *why)
{
	enum node_state next = node_next[n->state][ev];

	if (next == n->state)
		return;
	n->state = next;
	n->since_us = m->time_us;
	node_note(m, n, SAY(node_state_text(next), ": ", why));
}

bool node_owns(const struct node *n, const struct guest *g)
{
	return owner_is(&g->owner, n->id, &n->incarnation);
}

bool node_owns_any(const struct model *m, const struct node *n)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	while ((g = map_next(m->guests, &it)))
		if (node_owns(n, g))
			return true;
	return false;
}

static bool works_at_volume(const struct model *m, const struct node *n)
{
	struct map_iter it = { 0 };
	const struct operation *op;

	while ((op = map_next(m->operations, &it)))
		if (op->volume[0] &&
		    owner_is(&(struct owner){ op->node, op->incarnation, 0 }, n->id, &n->incarnation))
			return true;
	return false;
}

bool node_matters(const struct model *m, const struct node *n)
{
	return node_owns_any(m, n) || works_at_volume(m, n);
}

bool node_takes_orders(const struct node *n)
{
	return node_online(n) && !n->leaving;
}

struct owner node_life(const struct node *n)
{
	return (struct owner){ .node = n->id, .incarnation = n->incarnation };
}

/* A new life proves the end of the one before: see fence_life_over. */
static void begin_life(struct model *m, struct node *n, const struct id *incarnation)
{
	bool another = !id_is_none(&n->incarnation) && !id_equal(&n->incarnation, incarnation);

	if (another && !fence_proven(n))
		fence_life_over(m, n, PROOF_RESTARTED, n->name,
				"came back in a new life: the one before is over");
	n->incarnation = *incarnation;
}

static void come_back(struct model *m, struct node *n)
{
	const char *why = "its agent is here";
	struct owner life = node_life(n);

	if (!node_online(n))
		operations_renew(m, &life);
	if (fence_proven(n))
		why = "ALARM: it was said to be off, and the same life of it is here: check its "
		      "fence device, "
		      "or who confirmed it";
	node_happens(m, n, n->drain ? NODE_EV_HERE_DRAINED : NODE_EV_HERE, why);
}

static void node_is_here(struct model *m, struct node *n, const struct id *incarnation)
{
	begin_life(m, n, incarnation);
	come_back(m, n);
	n->last_term = m->term;
	n->revision = m->index;
	if (fence_proven(n))
		n->proof = (struct proof){ 0 }; /* void: a later OPEN lists that life (rule G4) */
}

static const struct model_member *member_of(const struct model *m, uint32_t node)
{
	const struct model_member *member;

	vec_each(member, &m->members)
		if (member->node == node && !id_is_none(&member->incarnation))
			return member;
	return NULL;
}

static bool in_ring(const struct model *m, uint32_t node)
{
	const uint32_t *id;

	vec_each(id, &m->ring)
		if (*id == node)
			return true;
	return false;
}

void node_follow(struct model *m, struct node *n)
{
	const struct model_member *member = member_of(m, n->id);

	if (member) {
		node_is_here(m, n, &member->incarnation);
	} else if (in_ring(m, n->id)) {
		node_happens(m, n, NODE_EV_AGENT_GONE,
			     "its agent does not answer; its guests go on meanwhile");
	} else {
		node_happens(m, n, NODE_EV_GONE, "it left the ring");
		fence_lose_guests(m, n);
	}
}

static bool anything_at(const struct model *m, const struct node *n)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	while ((g = map_next(m->guests, &it)))
		if (g->owner.node == n->id || g->move.target.node == n->id)
			return true;
	return n->fence_operation != 0;
}

void node_forget_leavers(struct model *m)
{
	struct map_iter it = { 0 };
	struct node *n;

	while ((n = map_next(m->nodes, &it)))
		if (n->leaving && !node_online(n) && !in_ring(m, n->id) && !anything_at(m, n)) {
			event_add(m, n->name, "is no longer a node of this cluster");
			map_remove_u64(m->nodes, n->id);
		}
}
