/* SPDX-License-Identifier: Apache-2.0
 * The gate: what is lost, what proves it, and what a proof sets free. */
#include "ha_fence.h"

#include "ha_guest.h"

#define RETRY_MAX_US (30 * US_PER_S)

bool fence_proven(const struct node *n)
{
	return n->proof.kind != PROOF_NONE && id_equal(&n->proof.incarnation, &n->incarnation);
}

static struct line lost_why(const struct node *n)
{
	const char *how = node_online(n) ? "being fenced" : node_state_text(n->state);
	const char *const device[] = { n->name, " is ", how,
				       ": nothing happens before it is proven off", NULL };
	const char *const none[] = {
		n->name, " is ",
		how,     " and has no fence device: power it off and say: domus node confirm-off ",
		n->name, NULL
	};

	return line_join(n->fence_agent[0] ? device : none);
}

void fence_lose_guests(struct model *m, struct node *n)
{
	struct map_iter it = { 0 };
	struct guest *g;

	while ((g = map_next(m->guests, &it)))
		if (node_owns(n, g) && g->state != GUEST_LOST)
			guest_happens(m, g, EV_OWNER_LOST, lost_why(n).text, NULL);
}

static void give_back(struct model *m, const struct node *n)
{
	struct map_iter it = { 0 };
	struct owner life = node_life(n);
	struct guest *g;

	operations_renew(m, &life);
	while ((g = map_next(m->guests, &it)))
		if (node_owns(n, g) && g->state == GUEST_LOST)
			guest_happens(m, g, EV_OWNER_BACK,
				      SAY(n->name, " is back, not fenced: it keeps its guest"),
				      NULL);
}

void fence_give_back(struct model *m)
{
	struct map_iter it = { 0 };
	struct node *n;

	while ((n = map_next(m->nodes, &it))) {
		if (!node_online(n) || n->fence_operation)
			continue;
		give_back(m, n);
		if (n->fence_wanted)
			continue;
		n->fence_attempts = 0;
		n->fence_retry_us = 0;
	}
}

void fence_wait_for_boot(struct model *m)
{
	struct map_iter it = { 0 };
	struct node *n;

	while ((n = map_next(m->nodes, &it))) {
		if (n->state != NODE_LOST || n->fence_wanted || fence_proven(n) ||
		    !node_matters(m, n))
			continue;
		n->fence_retry_us = m->time_us + ha_conf_default.boot_grace_us;
		node_note(m, n,
			  SAY("is not here yet, as the whole cluster comes up: fenced in ",
			      NUM((uint64_t)(ha_conf_default.boot_grace_us / US_PER_S)),
			      " s if it does not come"));
	}
}

/* Nobody waits for an operation that is not in the model. */
static void unless_there(struct model *m, uint64_t *operation, uint64_t *revision)
{
	if (!*operation || model_operation(m, *operation))
		return;
	*operation = 0;
	*revision = m->index;
}

/* Operations that a life should have carried out: who waits for them must not wait any longer. */
static void forget_operations(struct model *m, const struct node *n)
{
	struct map_iter ops = { 0 }, guests = { 0 }, volumes = { 0 }, nodes = { 0 };
	struct operation *op;
	struct guest *g;
	struct volume *v;
	struct node *victim;

	while ((op = map_next(m->operations, &ops)))
		if (owner_is(&(struct owner){ op->node, op->incarnation, 0 }, n->id,
			     &n->incarnation))
			operation_remove(m, op->id);
	while ((g = map_next(m->guests, &guests)))
		unless_there(m, &g->operation, &g->revision);
	while ((v = map_next(m->volumes, &volumes)))
		unless_there(m, &v->operation, &v->revision);
	while ((victim = map_next(m->nodes, &nodes)))
		unless_there(m, &victim->fence_operation, &victim->revision);
}

static void release_guests(struct model *m, const struct node *n, const char *why)
{
	struct map_iter it = { 0 };
	struct guest *g;

	while ((g = map_next(m->guests, &it)))
		if (node_owns(n, g))
			guest_process_gone(m, g, SAY(n->name, " ", why));
}

static void forget_fencing(struct model *m, struct node *n)
{
	operation_remove(m, n->fence_operation);
	n->fence_operation = 0;
	n->fence_wanted = false;
	n->fence_attempts = 0;
	n->fence_retry_us = 0;
}

void fence_life_over(struct model *m, struct node *n, enum proof_kind kind, const char *by,
		     const char *why)
{
	n->proof = (struct proof){ .kind = kind,
				   .incarnation = n->incarnation,
				   .term = n->last_term,
				   .index = m->index,
				   .time_us = m->time_us };
	STRCPY(n->proof.by, by);
	node_note(m, n, why);
	forget_fencing(m, n);
	release_guests(m, n, why);
	forget_operations(m, n);
	if (kind != PROOF_RESTARTED)
		node_happens(m, n, NODE_EV_PROVEN, why);
}

static int64_t backoff(uint32_t attempts)
{
	int64_t wait = ha_conf_default.fence_retry_us;

	while (attempts-- > 1 && wait < RETRY_MAX_US)
		wait *= 2;
	return wait < RETRY_MAX_US ? wait : RETRY_MAX_US;
}

static void fence_failed(struct model *m, struct node *n, const char *text)
{
	int64_t wait = backoff(++n->fence_attempts);

	n->fence_retry_us = m->time_us + wait;
	/*
	 * A person's wish for a node that is here ends with this: it must not be fenced out of
	 * the blue later.
	 */
	n->fence_wanted = false;
	node_note(m, n, SAY("fencing failed: ", text));
}

/*
 * A success proves something only if that life has not been listed since the operation was
 * ordered: the power may have been cut before it came back.
 */
static bool proof_holds(const struct node *n, const struct operation *op)
{
	return id_equal(&n->incarnation, &op->victim_incarnation) &&
	       n->last_term == op->victim_term;
}

static void fence_succeeded(struct model *m, struct node *n, const struct operation *op)
{
	char by[MODEL_NAME_MAX];

	STRCPY(by, model_node_name(m, op->node));
	if (proof_holds(n, op))
		fence_life_over(m, n, PROOF_FENCED, by,
				"proven off by its fence device, status checked");
	else
		node_note(m, n, "was fenced, but has been seen since: that proves nothing");
}

void fence_done(struct model *m, const struct operation *op, bool ok, const char *text)
{
	struct node *n = model_node(m, op->victim);
	const struct operation done = *op;

	operation_remove(m, done.id);
	if (!n || n->fence_operation != done.id)
		return;
	n->fence_operation = 0;
	n->revision = m->index;
	if (ok)
		fence_succeeded(m, n, &done);
	else
		fence_failed(m, n, text);
	fence_give_back(m);
}

void fence_dropped(struct model *m, const struct operation *op, const char *why)
{
	struct node *n = model_node(m, op->victim);

	if (n && n->fence_operation == op->id) {
		n->fence_operation = 0;
		n->fence_attempts++; /* so that another node has its turn */
		node_note(m, n, why);
	}
	operation_remove(m, op->id);
	fence_give_back(m);
}
