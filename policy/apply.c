/* SPDX-License-Identifier: Apache-2.0
 * Applying: which handler carries out which command, and whether what it was decided on still
 * holds. */
#include "apply_priv.h"

#include <string.h>

static apply_fn *const handlers[COMMAND_KIND_MAX] = {
	[CMD_CLUSTER_NAME] = apply_cluster_name,
	[CMD_GUEST_DEFINE] = apply_guest_define,
	[CMD_GUEST_UNDEFINE] = apply_guest_undefine,
	[CMD_GUEST_WANT] = apply_guest_want,
	[CMD_GUEST_MIGRATE] = apply_guest_migrate,
	[CMD_NODE_DRAIN] = apply_node_drain,
	[CMD_NODE_ACTIVATE] = apply_node_activate,
	[CMD_NODE_FENCE] = apply_node_fence,
	[CMD_NODE_CONFIRM_OFF] = apply_node_confirm_off,
	[CMD_NODE_FENCE_SET] = apply_node_fence_set,
	[CMD_POOL_DEFINE] = apply_pool_define,
	[CMD_VOLUME_CREATE] = apply_volume_create,
	[CMD_VOLUME_DELETE] = apply_volume_delete,
	[CMD_GUEST_START] = apply_guest_start,
	[CMD_GUEST_STOP] = apply_guest_stop,
	[CMD_GUEST_PAUSE] = apply_guest_pause,
	[CMD_GUEST_RESUME] = apply_guest_resume,
	[CMD_GUEST_HOLD] = apply_guest_hold,
	[CMD_MOVE_BEGIN] = apply_move_begin,
	[CMD_MOVE_CANCEL] = apply_move_cancel,
	[CMD_MOVE_REFUSE] = apply_move_refuse,
	[CMD_MOVE_HAND_OVER] = apply_move_hand_over,
	[CMD_FENCE] = apply_fence,
	[CMD_OPERATION_DROP] = apply_operation_drop,
	[CMD_REPORT_DONE] = apply_report_done,
	[CMD_REPORT_LOADED] = apply_report_loaded,
	[CMD_REPORT_BROKEN] = apply_report_broken,
	[CMD_REPORT_ENDED] = apply_report_ended,
	[CMD_REPORT_STATE] = apply_report_state,
	[CMD_REPORT_FACTS] = apply_report_facts,
	[CMD_POOL_DELETE] = apply_pool_delete,
};

struct guest *apply_find_guest(const struct model *m, const char *name, struct err *ret_err)
{
	struct guest *g = model_guest(m, name);

	if (!g)
		err_set(ret_err, -ENOENT,
			"guest %s: there is none of this name: see 'domus guest list'", name);
	return g;
}

struct node *apply_find_node(const struct model *m, uint32_t id, struct err *ret_err)
{
	struct node *n = model_node(m, id);

	if (!n)
		err_set(ret_err, -ENOENT,
			"node %u: there is none of this id: see 'domus node list'", id);
	return n;
}

struct line apply_wanted(const struct command *c, const char *what)
{
	return line_join((const char *const[]){ what, c->reason[0] ? ", " : "", c->reason, NULL });
}

int apply_check_grant(const struct model *m, const struct guest *g, const struct command *c,
		      struct err *ret_err)
{
	const struct node *n = apply_find_node(m, c->node, ret_err);

	if (!n)
		return -ENOENT;
	if (!node_takes_orders(n) || !id_equal(&n->incarnation, &c->incarnation))
		return err_set(ret_err, -ESTALE,
			       "node %s is no longer there in the life that was meant", n->name);
	if (model_memory_used(m, n->id) + g->memory_mib > n->memory_mib)
		return err_set(ret_err, -ESTALE, "node %s has no room for guest %s any more",
			       n->name, g->name);
	return 0;
}

static void clock_on(struct model *m, const struct apply_at *at)
{
	m->index = at->index;
	if (at->time_us > m->time_us)
		m->time_us = at->time_us;
}

static bool read_holds(const struct model *m, const struct command_read *r)
{
	const struct guest *g;
	const struct node *n;

	if (r->kind == RECORD_GUEST) {
		g = model_guest(m, r->guest);
		return g && g->revision == r->revision;
	}
	n = model_node(m, r->node);
	return n && n->revision == r->revision;
}

int model_apply(struct model *m, const struct apply_at *at, const struct command *c,
		struct err *ret_err)
{
	int rc;

	clock_on(m, at);
	if (c->kind < 0 || c->kind >= COMMAND_KIND_MAX || c->n_reads > COMMAND_READS_MAX)
		return err_set(ret_err, -EINVAL, "no such command");
	for (size_t i = 0; i < c->n_reads; i++)
		if (!read_holds(m, &c->reads[i]))
			return err_set(ret_err, -ESTALE,
				       "%s was decided on something that has changed since",
				       command_kind_text(c->kind));
	rc = handlers[c->kind](m, c, ret_err);
	node_forget_leavers(m);
	return rc;
}

/* No member is in a life that was known before: all have booted since. */
static bool all_are_new(const struct model *m, const struct apply_member *members, size_t n)
{
	const struct node *node;

	for (size_t i = 0; i < n; i++) {
		node = model_node(m, members[i].node);
		if (node && !id_is_none(&members[i].incarnation) &&
		    id_equal(&node->incarnation, &members[i].incarnation))
			return false;
	}
	return true;
}

void model_open(struct model *m, const struct apply_at *at, const struct apply_member *members,
		size_t n_members, const uint32_t *ring, size_t n_ring)
{
	bool booted = all_are_new(m, members, n_members);
	struct map_iter it = { 0 };
	struct node *n;

	clock_on(m, at);
	m->term = at->term;
	vec_clear(&m->members);
	vec_clear(&m->ring);
	for (size_t i = 0; i < n_members; i++)
		vec_push(&m->members,
			 (struct model_member){ members[i].node, members[i].incarnation });
	for (size_t i = 0; i < n_ring; i++)
		vec_push(&m->ring, ring[i]);
	while ((n = map_next(m->nodes, &it)))
		node_follow(m, n);
	if (booted)
		fence_wait_for_boot(m);
	fence_give_back(m);
	node_forget_leavers(m);
}

static bool is_voter(uint32_t node, const struct apply_voter *voters, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (voters[i].node == node)
			return true;
	return false;
}

static void voter_joins(struct model *m, const struct apply_voter *voter)
{
	struct node *n = model_node(m, voter->node);

	if (n && !n->leaving && !strncmp(n->name, voter->name, sizeof(n->name)))
		return;
	if (!n) {
		n = mem_new(struct node);
		n->id = voter->node;
		n->state = NODE_LOST;
		n->since_us = m->time_us;
		map_put_u64(m->nodes, n->id, n);
	}
	memcpy(n->name, voter->name, sizeof(n->name));
	n->name[sizeof(n->name) - 1] = '\0';
	n->leaving = false;
	node_note(m, n, "is a node of this cluster");
	node_follow(m, n);
}

void model_voters(struct model *m, const struct apply_at *at, const struct apply_voter *voters,
		  size_t n_voters)
{
	struct map_iter it = { 0 };
	struct node *n;

	clock_on(m, at);
	for (size_t i = 0; i < n_voters; i++)
		voter_joins(m, &voters[i]);
	fence_give_back(m);
	while ((n = map_next(m->nodes, &it))) {
		if (n->leaving || is_voter(n->id, voters, n_voters))
			continue;
		n->leaving = true;
		node_note(m, n, "is no voter any more: it takes nothing new");
	}
	node_forget_leavers(m);
}
