/* SPDX-License-Identifier: Apache-2.0
 * What is done about guests on one node: stop, pause, resume, start. */
#include "ha_guest.h"
#include "ha_priv.h"

#include <string.h>

static const struct operation *operation_of(const struct ha_round *r, const struct guest *g)
{
	return model_operation(r->m, g->operation);
}

static void order_stop(struct ha_round *r, const struct guest *g, bool now, const char *reason)
{
	ha_order_guest(r, CMD_GUEST_STOP, g, reason)->stop_now = now;
}

/* A start that hangs has a process, perhaps: it is ended before the guest is tried elsewhere. */
static void stop_starting(struct ha_round *r, const struct guest *g)
{
	const struct operation *op = operation_of(r, g);

	if (g->desired == DESIRED_STOPPED)
		order_stop(r, g, true, "stopped before it ran");
	else if (op && ha_overdue(r, op))
		order_stop(r, g, true, "the start takes too long: it is ended");
}

static void stop_standing(struct ha_round *r, const struct guest *g)
{
	if (g->desired == DESIRED_STOPPED)
		order_stop(r, g, g->stop_now,
			   g->stop_now ? "a person wants it stopped at once"
				       : "a person wants it stopped");
}

/*
 * A process that cannot be killed (its host's disk hangs) is killed again and again: nothing
 * less than the end of its host helps, and that is a person's decision.
 */
static void stop_stopping(struct ha_round *r, const struct guest *g)
{
	const struct operation *op = operation_of(r, g);
	const char *host = model_node_name(r->m, g->owner.node);

	if (!op)
		order_stop(r, g, true, "the stop failed: it is ended");
	else if (op->kind == OP_STOP && g->desired == DESIRED_STOPPED && g->stop_now)
		order_stop(r, g, true, "a person wants it stopped at once");
	else if (op->kind == OP_STOP && ha_overdue(r, op))
		order_stop(r, g, true, "it did not stop in time: it is ended");
	else if (op->kind == OP_KILL && ha_overdue(r, op))
		order_stop(r, g, true,
			   SAY("its process does not end: look at ", host,
			       ", or say: domus node fence ", host));
}

/*
 * Where only one node has a process, a step that hangs is ended there, and the guest started
 * anew.
 */
static void stop_migrating(struct ha_round *r, const struct guest *g)
{
	const struct operation *op = operation_of(r, g);
	bool alone = g->move.phase == MOVE_CANCELLING || g->move.phase == MOVE_ACTIVATING;

	if (alone && op && ha_overdue(r, op))
		order_stop(r, g, true, "it does not go on after its migration: it is ended");
}

void ha_guests_stop(struct ha_round *r)
{
	ha_each_guest(r, GUEST_STARTING, stop_starting);
	ha_each_guest(r, GUEST_RUNNING, stop_standing);
	ha_each_guest(r, GUEST_PAUSED, stop_standing);
	ha_each_guest(r, GUEST_IO_ERROR, stop_standing);
	ha_each_guest(r, GUEST_STOPPING, stop_stopping);
	ha_each_guest(r, GUEST_MIGRATING, stop_migrating);
}

static void pause(struct ha_round *r, const struct guest *g)
{
	if (g->desired == DESIRED_PAUSED && !g->operation)
		ha_order_guest(r, CMD_GUEST_PAUSE, g, "a person wants it paused");
}

static void resume(struct ha_round *r, const struct guest *g)
{
	if (g->desired == DESIRED_RUNNING && !g->operation && ha_due(r, g->resume_retry_us))
		ha_order_guest(r, CMD_GUEST_RESUME, g, "it is paused and wanted running");
}

void ha_guests_pause(struct ha_round *r)
{
	ha_each_guest(r, GUEST_RUNNING, pause);
}

void ha_guests_resume(struct ha_round *r)
{
	ha_each_guest(r, GUEST_PAUSED, resume);
}

/* Whether nothing but its failures keeps it from a node. */
static bool failed_everywhere(struct ha_round *r, const struct guest *g)
{
	struct guest blameless = *g;
	char why[MODEL_TEXT_MAX];

	memset(&blameless.failures, 0, sizeof(blameless.failures));
	return place_guest(r->m, &blameless, g->wanted_node, 0, &r->extra, r->now, why) != 0;
}

/* Whether a node comes back into question by itself; looks again then. */
static bool tried_later(struct ha_round *r, const struct guest *g)
{
	struct map_iter it = { 0 };
	const struct node *n;
	bool later = false;

	while ((n = map_next(r->m->nodes, &it))) {
		int64_t until = place_out_until(g, n->id, r->now);

		if (!node_takes_orders(n) || until == INT64_MAX)
			continue;
		later = true;
		ha_due(r, until);
	}
	return later;
}

static void start(struct ha_round *r, const struct guest *g)
{
	char why[MODEL_TEXT_MAX];
	uint32_t node;

	if (g->desired == DESIRED_STOPPED)
		return;
	node = place_guest(r->m, g, g->wanted_node, 0, &r->extra, r->now, why);
	if (node)
		ha_order_at(r, CMD_GUEST_START, g, node,
			    SAY("on ", model_node_name(r->m, node), " (", why, ")"));
	else if (g->state == GUEST_RECOVERING && failed_everywhere(r, g) && !tried_later(r, g))
		ha_order_guest(r, CMD_GUEST_HOLD, g,
			       SAY("given up, 'domus guest start ", g->name,
				   "' tries anew; the last: ", guest_last_reason(g)));
	else
		ha_say(r, CMD_GUEST_START, g, SAY("waits for a node: ", why));
}

void ha_guests_recover(struct ha_round *r)
{
	ha_each_guest(r, GUEST_RECOVERING, start);
}

void ha_guests_start(struct ha_round *r)
{
	ha_each_guest(r, GUEST_STOPPED, start);
}
