/* SPDX-License-Identifier: Apache-2.0
 * Live migration, step by step (rules H1 to H3). Each report leads to the next step in the entry
 * that brings it. */
#include "apply_priv.h"

#include <string.h>

/*
 * PREPARING --prepared--> SENDING --sent and loaded--> ACTIVATING --activated--> at the target
 *     |                      |                             |
 *     | failed, cancelled    | cancelled, broken           | failed: no process, cold start
 *     v                      v
 * at the source <------- CANCELLING (the source may stand, all sent: it has to be told to go on)
 *
 * Up to the hand-over (SENDING to ACTIVATING) only the source may run the guest, after it only
 * the target.
 */

static const char *target_name(const struct model *m, const struct guest *g)
{
	return model_node_name(m, g->move.target.node);
}

static const char *owner_name(const struct model *m, const struct guest *g)
{
	return model_node_name(m, g->owner.node);
}

static void count_failure(struct model *m, struct guest *g)
{
	g->move_failures++;
	g->move_retry_us = m->time_us + ha_conf_default.drain_retry_us;
}

static struct line what_failed(const struct model *m, const struct guest *g, const char *why)
{
	return line_join((const char *const[]){ "migration of ", g->name, " to ",
						target_name(m, g), " failed: ", why, NULL });
}

/* It runs at its source, which never stopped owning it. */
static void goes_on_at_source(struct model *m, struct guest *g, const char *failed)
{
	guest_happens(m, g, EV_RUNS, SAY(failed, "; it goes on at ", owner_name(m, g)), NULL);
}

/* Nothing was sent yet, or the source runs again already. */
static void failed_at_source(struct model *m, struct guest *g, const char *why)
{
	count_failure(m, g);
	goes_on_at_source(m, g, what_failed(m, g, why).text);
}

/* The target's process is ended by its executor, because it is no target any more. */
static void cancel_sending(struct model *m, struct guest *g, const char *why)
{
	count_failure(m, g);
	if (g->move.phase == MOVE_SENDING)
		STRCPY(g->move.failed, what_failed(m, g, why).text);
	g->move.phase = MOVE_CANCELLING;
	g->move.target = (struct owner){ 0 };
	g->move.sent = g->move.loaded = false;
	operation_order(m, g, OP_RESUME_SOURCE, &g->owner);
	guest_note(m, g, SAY(g->move.failed, "; ", owner_name(m, g), " is to go on with it"));
}

int apply_move_begin(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);
	int rc;

	if (!g)
		return -ENOENT;
	if (g->state != GUEST_RUNNING || g->operation || g->desired != DESIRED_RUNNING ||
	    c->node == g->owner.node || !owner_online(m, &g->owner))
		return err_set(ret_err, -ESTALE, "guest %s is not to be migrated now", g->name);
	rc = apply_check_grant(m, g, c, ret_err);
	if (rc < 0)
		return rc;
	g->move = (struct move){ .phase = MOVE_PREPARING,
				 .target = { c->node, c->incarnation, m->index },
				 .from = g->owner.node,
				 .began_us = m->time_us,
				 .drain = !g->wants_move };
	g->move.deadline_us = m->time_us + ha_conf_default.move_deadline_us;
	g->wants_move = false;
	g->wanted_node = 0;
	operation_order(m, g, OP_PREPARE_IN, &g->move.target);
	return guest_happens(m, g, EV_MOVE_BEGUN, c->reason, ret_err);
}

int apply_move_cancel(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (g->state == GUEST_MIGRATING && g->move.phase == MOVE_PREPARING)
		failed_at_source(m, g, c->reason);
	else if (g->state == GUEST_MIGRATING &&
		 (g->move.phase == MOVE_SENDING ||
		  (g->move.phase == MOVE_CANCELLING && !g->operation)))
		cancel_sending(m, g, c->reason);
	else
		return err_set(ret_err, -ESTALE, "guest %s has no migration that can be cancelled",
			       g->name);
	return 0;
}

int apply_move_refuse(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	g->wants_move = false;
	g->wanted_node = 0;
	guest_note(m, g, c->reason);
	return 0;
}

void move_prepare_failed(struct model *m, struct guest *g, const struct operation *op,
			 const struct command *c)
{
	(void)op;
	failed_at_source(m, g, c->text);
}

void move_prepared(struct model *m, struct guest *g, const struct operation *op,
		   const struct command *c)
{
	(void)op;
	if (!c->detail[0]) {
		failed_at_source(m, g, "the target gave no address");
		return;
	}
	STRCPY(g->move.address, c->detail);
	g->move.phase = MOVE_SENDING;
	operation_order(m, g, OP_SEND, &g->owner);
}

/*
 * The commit that makes the target the owner (rule H1). Its epoch is that of the grant under
 * which its process was made: later than the source's, so the process needs no new name, and the
 * source's is nobody's from here on. A target that is gone gets nothing: the leader cancels.
 */
static void try_hand_over(struct model *m, struct guest *g)
{
	if (!g->move.sent || !g->move.loaded || !owner_online(m, &g->move.target))
		return;
	guest_note(m, g, SAY("handed over from ", owner_name(m, g), " to ", target_name(m, g)));
	g->owner = g->move.target;
	g->move.phase = MOVE_ACTIVATING;
	operation_order(m, g, OP_ACTIVATE, &g->owner);
}

int apply_move_hand_over(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (g->state != GUEST_MIGRATING || g->move.phase != MOVE_SENDING)
		return err_set(ret_err, -ESTALE, "guest %s: that migration is over", g->name);
	try_hand_over(m, g);
	return 0;
}

/* The guest stands still from now on, so there is little time left for the other word. */
static void hurry(struct model *m, struct guest *g)
{
	int64_t soon = m->time_us + ha_conf_default.hand_over_deadline_us;

	if (g->move.deadline_us > soon)
		g->move.deadline_us = soon;
}

void move_sent(struct model *m, struct guest *g, const struct operation *op,
	       const struct command *c)
{
	(void)op;
	g->move.sent = true;
	g->move.downtime_ms = c->downtime_ms;
	g->move.total_ms = c->total_ms;
	operation_end(m, g);
	hurry(m, g);
	try_hand_over(m, g);
}

/* Its executor has seen the guest run again before it reported. */
void move_send_failed(struct model *m, struct guest *g, const struct operation *op,
		      const struct command *c)
{
	(void)op;
	failed_at_source(m, g, c->text);
}

void move_activated(struct model *m, struct guest *g, const struct operation *op,
		    const struct command *c)
{
	(void)op;
	(void)c;
	g->move_failures = 0;
	g->move_retry_us = 0;
	g->last_move = (struct last_move){ .from = g->move.from,
					   .to = g->owner.node,
					   .downtime_ms = g->move.downtime_ms,
					   .total_ms = g->move.total_ms,
					   .index = m->index,
					   .time_us = m->time_us };
	guest_happens(m, g, EV_RUNS,
		      SAY("migrated to ", owner_name(m, g), " in ", NUM(g->move.total_ms),
			  " ms, downtime ", NUM(g->move.downtime_ms), " ms"),
		      NULL);
}

void move_activate_failed(struct model *m, struct guest *g, const struct operation *op,
			  const struct command *c)
{
	(void)op;
	guest_failure(m, g, g->owner.node, true);
	guest_process_gone(
		m, g,
		SAY("could not go on at ", owner_name(m, g), " after the hand-over: ", c->text));
}

void move_resumed(struct model *m, struct guest *g, const struct operation *op,
		  const struct command *c)
{
	(void)op;
	(void)c;
	goes_on_at_source(m, g, g->move.failed);
}

void move_resume_failed(struct model *m, struct guest *g, const struct operation *op,
			const struct command *c)
{
	(void)op;
	guest_failure(m, g, g->owner.node, false);
	guest_process_gone(m, g, SAY("could not go on at ", owner_name(m, g), ": ", c->text));
}

/* Before the hand-over, with that target. */
static bool move_is(const struct guest *g, uint64_t epoch)
{
	return g->state == GUEST_MIGRATING && g->move.target.epoch == epoch &&
	       (g->move.phase == MOVE_PREPARING || g->move.phase == MOVE_SENDING);
}

int apply_report_loaded(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (!move_is(g, c->operation))
		return err_set(ret_err, -ESTALE, "guest %s: that migration is over", g->name);
	g->move.loaded = true;
	g->revision = m->index;
	try_hand_over(m, g);
	return 0;
}

int apply_report_broken(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (move_is(g, c->epoch) && g->move.phase == MOVE_PREPARING)
		failed_at_source(m, g, c->text);
	else if (move_is(g, c->epoch))
		cancel_sending(m, g, c->text);
	else if (g->move.phase == MOVE_ACTIVATING && g->owner.epoch == c->epoch)
		move_activate_failed(m, g, NULL,
				     c); /* it broke while the hand-over was on its way */
	else
		return err_set(ret_err, -ESTALE, "guest %s: that migration is over", g->name);
	return 0;
}
