/* SPDX-License-Identifier: Apache-2.0
 * Policy orders the owner of a guest: start, stop, pause, resume; or gives up. */
#include "apply_priv.h"

#include <string.h>

/* Noted once: it is said again only when it has changed. */
static int note_waiting(struct model *m, struct guest *g, const char *why)
{
	if (strcmp(guest_last_reason(g), why) != 0)
		guest_note(m, g, why);
	return 0;
}

int apply_guest_start(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);
	int rc;

	if (!g)
		return -ENOENT;
	if (g->desired == DESIRED_STOPPED || !guest_row(g->state, EV_GRANTED))
		return err_set(ret_err, -ESTALE, "guest %s is not to be started now", g->name);
	if (!c->node)
		return note_waiting(m, g, c->reason);
	rc = apply_check_grant(m, g, c, ret_err);
	if (rc < 0)
		return rc;
	g->owner = (struct owner){ c->node, c->incarnation, m->index };
	g->wanted_node = 0;
	operation_order(m, g, OP_START, &g->owner);
	return guest_happens(m, g, EV_GRANTED, c->reason, ret_err);
}

/* An overdue start is killed: the node counts as one where it cannot start. */
static void count_overdue_start(struct model *m, struct guest *g)
{
	const struct operation *op = model_operation(m, g->operation);
	bool starting = g->state == GUEST_STARTING || (op && op->kind == OP_ACTIVATE);

	if (starting && g->desired != DESIRED_STOPPED)
		guest_failure(m, g, g->owner.node, true);
}

int apply_guest_stop(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	/* Before a hand-over two nodes have a process: the migration has to be cancelled first. */
	if (!guest_row(g->state, EV_STOP_ORDERED) || g->move.phase == MOVE_PREPARING ||
	    g->move.phase == MOVE_SENDING)
		return err_set(ret_err, -ESTALE, "guest %s is %s: there is nothing to stop",
			       g->name, guest_state_text(g->state));
	count_overdue_start(m, g);
	operation_order(m, g, c->stop_now ? OP_KILL : OP_STOP, &g->owner);
	return guest_happens(m, g, EV_STOP_ORDERED, c->reason, ret_err);
}

static int order(struct model *m, const struct command *c, enum op_kind kind, enum guest_state from,
		 struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (g->state != from || g->operation)
		return err_set(ret_err, -ESTALE, "guest %s is %s: %s makes no sense now", g->name,
			       guest_state_text(g->state), op_kind_text(kind));
	operation_order(m, g, kind, &g->owner);
	guest_note(m, g, c->reason);
	return 0;
}

int apply_guest_pause(struct model *m, const struct command *c, struct err *ret_err)
{
	return order(m, c, OP_PAUSE, GUEST_RUNNING, ret_err);
}

int apply_guest_resume(struct model *m, const struct command *c, struct err *ret_err)
{
	return order(m, c, OP_RESUME, GUEST_PAUSED, ret_err);
}

int apply_guest_hold(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	return guest_happens(m, g, EV_GIVEN_UP, c->reason, ret_err);
}
