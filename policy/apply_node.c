/* SPDX-License-Identifier: Apache-2.0
 * Commands about nodes and the cluster: maintenance, fencing, what an agent says of its host. */
#include "apply_priv.h"

int apply_cluster_name(struct model *m, const struct command *c, struct err *ret_err)
{
	if (!name_is_fine(c->name))
		return err_set(ret_err, -EINVAL,
			       "a cluster's name is letters, digits, '.', '-' and '_'");
	STRCPY(m->cluster, c->name);
	event_add(m, m->cluster, "is this cluster's name");
	return 0;
}

/* A drain begins with a clean sheet: earlier failures of migrations do not count for it. */
static void forget_move_failures(struct model *m, const struct node *n)
{
	struct map_iter it = { 0 };
	struct guest *g;

	while ((g = map_next(m->guests, &it))) {
		if (!node_owns(n, g) || !g->move_failures)
			continue;
		g->move_failures = 0;
		g->move_retry_us = 0;
		g->revision = m->index;
	}
}

static int set_drain(struct model *m, const struct command *c, bool drain, struct err *ret_err)
{
	struct node *n = apply_find_node(m, c->node, ret_err);
	struct line why = apply_wanted(c, drain ? "to be drained" : "takes guests again");

	if (!n)
		return -ENOENT;
	if (n->drain == drain)
		return 0;
	n->drain = drain;
	n->revision = m->index;
	forget_move_failures(m, n);
	if (node_online(n))
		node_happens(m, n, drain ? NODE_EV_HERE_DRAINED : NODE_EV_HERE, why.text);
	else
		node_note(m, n, why.text);
	return 0;
}

int apply_node_drain(struct model *m, const struct command *c, struct err *ret_err)
{
	return set_drain(m, c, true, ret_err);
}

int apply_node_activate(struct model *m, const struct command *c, struct err *ret_err)
{
	return set_drain(m, c, false, ret_err);
}

static bool other_online(const struct model *m, const struct node *victim)
{
	struct map_iter it = { 0 };
	const struct node *n;

	while ((n = map_next(m->nodes, &it)))
		if (n != victim && node_takes_orders(n))
			return true;
	return false;
}

int apply_node_fence(struct model *m, const struct command *c, struct err *ret_err)
{
	struct node *n = apply_find_node(m, c->node, ret_err);

	if (!n)
		return -ENOENT;
	if (!n->fence_agent[0])
		return err_set(ret_err, -EINVAL,
			       "fence %s: it has no fence device: say 'domus fence set %s AGENT "
			       "...' first",
			       n->name, n->name);
	if (id_is_none(&n->incarnation) || fence_proven(n))
		return err_set(ret_err, -EINVAL,
			       "fence %s: it is %s: there is no life of it to end", n->name,
			       node_state_text(n->state));
	if (!other_online(m, n))
		return err_set(ret_err, -EINVAL, "fence %s: no other node is online to do it",
			       n->name);
	if (n->fence_wanted)
		return 0;
	n->fence_wanted = true;
	n->fence_retry_us = 0;
	node_note(m, n, apply_wanted(c, "is to be fenced").text);
	return 0;
}

int apply_node_confirm_off(struct model *m, const struct command *c, struct err *ret_err)
{
	struct node *n = apply_find_node(m, c->node, ret_err);
	char by[MODEL_NAME_MAX] = "a person";

	if (!n)
		return -ENOENT;
	/*
	 * AWAY too: its corosync answers at this moment, so it is certainly not off, and its
	 * guests may run.
	 */
	if (node_online(n) || n->state == NODE_AWAY)
		return err_set(ret_err, -EINVAL,
			       "confirm-off %s refused: it is in the ring, so it is not off: "
			       "switch it off first",
			       n->name);
	if (n->state == NODE_FENCED)
		return err_set(ret_err, -EINVAL, "confirm-off %s: it is proven off already",
			       n->name);
	if (id_is_none(&n->incarnation) || !id_equal(&n->incarnation, &c->incarnation))
		return err_set(ret_err, -ESTALE,
			       "confirm-off %s: that was about another life of it: look again",
			       n->name);
	if (c->text[0])
		STRCPY(by, c->text);
	fence_life_over(m, n, PROOF_CONFIRMED, by, SAY("proven off: ", by, " confirmed it"));
	fence_give_back(m);
	return 0;
}

int apply_node_fence_set(struct model *m, const struct command *c, struct err *ret_err)
{
	struct node *n = apply_find_node(m, c->node, ret_err);
	const struct fence_conf_param *p;

	if (!n)
		return -ENOENT;
	if (c->name[0] && !name_is_fine(c->name))
		return err_set(ret_err, -EINVAL, "fence set %s: '%s' is no name of an agent",
			       n->name, c->name);
	if (c->params.n > MODEL_PARAMS_MAX)
		return err_set(ret_err, -EINVAL, "fence set %s: more than %d parameters", n->name,
			       MODEL_PARAMS_MAX);
	STRCPY(n->fence_agent, c->name);
	vec_clear(&n->fence_params);
	vec_each(p, &c->params)
		vec_push(&n->fence_params, *p);
	n->fence_power_on = c->power_on;
	n->fence_retry_us = 0;
	node_note(m, n,
		  c->name[0] ? SAY("is fenced by ", c->name) : "has no fence device any more");
	return 0;
}

int apply_report_facts(struct model *m, const struct command *c, struct err *ret_err)
{
	struct node *n = apply_find_node(m, c->node, ret_err);

	if (!n)
		return -ENOENT;
	if (n->memory_mib == c->memory_mib && n->cpus == c->cpus)
		return 0;
	n->memory_mib = c->memory_mib;
	n->cpus = c->cpus;
	node_note(m, n,
		  SAY("has ", NUM(n->memory_mib), " MiB for guests and ", NUM(n->cpus), " CPUs"));
	return 0;
}

static int check_fence(const struct model *m, const struct command *c, const struct node *n,
		       struct err *ret_err)
{
	const struct node *executor = apply_find_node(m, c->executor, ret_err);

	if (!executor)
		return -ENOENT;
	if (!id_equal(&n->incarnation, &c->incarnation) || n->fence_operation || fence_proven(n) ||
	    !n->fence_agent[0] || (node_online(n) && !n->fence_wanted))
		return err_set(ret_err, -ESTALE, "node %s is not to be fenced now", n->name);
	if (executor == n || !node_takes_orders(executor))
		return err_set(ret_err, -ESTALE, "node %s cannot fence now", executor->name);
	return 0;
}

int apply_fence(struct model *m, const struct command *c, struct err *ret_err)
{
	struct node *n = apply_find_node(m, c->node, ret_err);
	struct operation *op;
	struct owner at;
	int rc;

	if (!n)
		return -ENOENT;
	rc = check_fence(m, c, n, ret_err);
	if (rc < 0)
		return rc;
	at = node_life(model_node(m, c->executor));
	op = operation_add(m, OP_FENCE, &at);
	op->victim = n->id;
	op->victim_incarnation = n->incarnation;
	op->victim_term = n->last_term;
	n->fence_operation = op->id;
	node_note(m, n, c->reason);
	fence_lose_guests(m, n);
	return 0;
}
