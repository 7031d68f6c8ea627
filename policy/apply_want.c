/* SPDX-License-Identifier: Apache-2.0
 * People want a guest to run, to stop, to pause, to move. What is done about it is ha_step's. */
#include "apply_priv.h"
#include "policy/place.h"

#include <string.h>

/* No process anywhere: a start would place it. */
static bool is_down(const struct guest *g)
{
	return g->state == GUEST_STOPPED || g->state == GUEST_RECOVERING || g->state == GUEST_HELD;
}

/*
 * Agents report the memory of their nodes soon after they have come up; before that nobody can
 * say what fits.
 */
static bool any_facts(const struct model *m)
{
	struct map_iter it = { 0 };
	const struct node *n;

	while ((n = map_next(m->nodes, &it)))
		if (node_takes_orders(n) && n->memory_mib)
			return true;
	return false;
}

/* A person starts it anew: what failed before no longer counts. */
static int check_fits(const struct model *m, const struct guest *g, uint32_t only,
		      struct err *ret_err)
{
	const place_extras none = { 0 };
	struct guest anew = *g;
	char why[MODEL_TEXT_MAX];

	memset(&anew.failures, 0, sizeof(anew.failures));
	if (!any_facts(m) || place_guest(m, &anew, only, 0, &none, m->time_us, why))
		return 0;
	return err_set(ret_err, -ENOSPC, "start %s: it fits on no node: %s", g->name, why);
}

/* A person who says it again has more patience with nothing that failed before. */
static bool is_wanted_so(const struct guest *g, const struct command *c)
{
	if (g->desired != DESIRED_RUNNING || g->state == GUEST_HELD)
		return false;
	if (g->state == GUEST_PAUSED && !g->operation)
		return false;
	return !is_down(g) || c->node == g->wanted_node;
}

/* "is to run on n2, ordered by root on n1" */
static void note_wish(struct model *m, struct guest *g, const struct command *c, const char *what)
{
	const char *to = c->kind == CMD_GUEST_MIGRATE ? " to " : " on ";

	guest_note(m, g,
		   apply_wanted(c, c->node ? SAY(what, to, model_node_name(m, c->node)) : what)
			   .text);
}

static int want_running(struct model *m, struct guest *g, const struct command *c,
			struct err *ret_err)
{
	bool stands = g->desired == DESIRED_PAUSED || g->state == GUEST_IO_ERROR;
	int rc;

	if (c->node && !apply_find_node(m, c->node, ret_err))
		return -ENOENT;
	if (g->state == GUEST_IO_ERROR && !g->operation)
		operation_order(m, g, OP_RESUME, &g->owner);
	else if (is_wanted_so(g, c))
		return 0;
	if (is_down(g)) {
		rc = check_fits(m, g, c->node, ret_err);
		if (rc < 0)
			return rc;
		if (g->state == GUEST_HELD)
			guest_happens(m, g, EV_OVER, "tried anew", NULL);
		g->wanted_node = c->node;
		vec_clear(&g->failures);
		g->ran = false;
	}
	g->resume_retry_us = 0;
	g->desired = DESIRED_RUNNING;
	g->stop_now = false;
	note_wish(m, g, c, stands ? "is to go on" : "is to run");
	return 0;
}

static int want_stopped(struct model *m, struct guest *g, const struct command *c,
			struct err *ret_err)
{
	(void)ret_err;
	if (g->desired == DESIRED_STOPPED && (g->stop_now || !c->stop_now || is_down(g)))
		return 0;
	g->desired = DESIRED_STOPPED;
	g->stop_now = c->stop_now && !is_down(g);
	g->wants_move = false;
	g->wanted_node = 0;
	note_wish(m, g, c, c->stop_now ? "is to stop at once" : "is to stop");
	if (g->state == GUEST_HELD || g->state == GUEST_RECOVERING)
		guest_happens(m, g, EV_OVER, "not wanted any more", NULL);
	return 0;
}

static int want_paused(struct model *m, struct guest *g, const struct command *c,
		       struct err *ret_err)
{
	if (g->desired == DESIRED_PAUSED && (g->state == GUEST_PAUSED || g->state == GUEST_RUNNING))
		return 0;
	if (g->state != GUEST_RUNNING || g->desired != DESIRED_RUNNING)
		return err_set(ret_err, -EINVAL,
			       "pause %s: it is %s: only a running guest can be paused", g->name,
			       guest_state_text(g->state));
	g->desired = DESIRED_PAUSED;
	g->wants_move = false;
	note_wish(m, g, c, "is to pause");
	return 0;
}

int apply_guest_want(struct model *m, const struct command *c, struct err *ret_err)
{
	static int (*const wants[DESIRED_MAX])(struct model *, struct guest *,
					       const struct command *, struct err *) = {
		[DESIRED_STOPPED] = want_stopped,
		[DESIRED_RUNNING] = want_running,
		[DESIRED_PAUSED] = want_paused,
	};
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (c->desired < 0 || c->desired >= DESIRED_MAX)
		return err_set(ret_err, -EINVAL, "guest %s: no such wish", c->name);
	return wants[c->desired](m, g, c, ret_err);
}

static int check_movable(const struct model *m, const struct guest *g, struct err *ret_err)
{
	if (g->state == GUEST_MIGRATING || g->wants_move)
		return err_set(ret_err, -EBUSY,
			       "migrate %s refused: a migration of it is under way", g->name);
	if (g->state != GUEST_RUNNING || g->desired != DESIRED_RUNNING)
		return err_set(ret_err, -EINVAL,
			       "migrate %s refused: it is %s: only a running guest can be migrated",
			       g->name,
			       g->desired == DESIRED_STOPPED && !is_down(g)
				       ? "stopping"
				       : guest_state_text(g->state));
	if (!owner_online(m, &g->owner))
		return err_set(ret_err, -EINVAL,
			       "migrate %s refused: the agent of %s does not answer", g->name,
			       model_node_name(m, g->owner.node));
	return 0;
}

static int check_target(const struct model *m, const struct guest *g, uint32_t node,
			struct err *ret_err)
{
	const struct node *n = apply_find_node(m, node, ret_err);

	if (!n)
		return -ENOENT;
	if (n->id == g->owner.node)
		return err_set(ret_err, -EINVAL, "migrate %s refused: it runs on %s already",
			       g->name, n->name);
	if (n->state != NODE_ONLINE || n->leaving)
		return err_set(ret_err, -EINVAL, "migrate %s refused: %s is %s", g->name, n->name,
			       n->leaving ? "leaving the cluster" : node_state_text(n->state));
	return 0;
}

int apply_guest_migrate(struct model *m, const struct command *c, struct err *ret_err)
{
	const place_extras none = { 0 };
	struct guest *g = apply_find_guest(m, c->name, ret_err);
	char why[MODEL_TEXT_MAX];
	int rc;

	if (!g)
		return -ENOENT;
	rc = check_movable(m, g, ret_err);
	if (rc == 0 && c->node)
		rc = check_target(m, g, c->node, ret_err);
	if (rc < 0)
		return rc;
	if (!place_guest(m, g, c->node, g->owner.node, &none, m->time_us, why))
		return err_set(ret_err, -ENOSPC, "migrate %s refused: it fits on no other node: %s",
			       g->name, why);
	g->wants_move = true;
	g->wanted_node = c->node;
	note_wish(m, g, c, "is to migrate");
	return 0;
}
