/* SPDX-License-Identifier: Apache-2.0
 * Executors report what came of their operations, and what happened without any. */
#include "apply_priv.h"

#include <string.h>

static void started(struct model *m, struct guest *g, const struct operation *op,
		    const struct command *c)
{
	(void)c;
	guest_happens(m, g, EV_RUNS, SAY("runs on ", model_node_name(m, op->node)), NULL);
}

/* The executor says so only when nothing of it is left. */
static void start_failed(struct model *m, struct guest *g, const struct operation *op,
			 const struct command *c)
{
	guest_failure(m, g, op->node, true);
	guest_process_gone(
		m, g, SAY("the start on ", model_node_name(m, op->node), " failed: ", c->text));
}

static void stopped(struct model *m, struct guest *g, const struct operation *op,
		    const struct command *c)
{
	(void)c;
	guest_process_gone(m, g, SAY("its process on ", model_node_name(m, op->node), " is gone"));
}

static void not_stopped(struct model *m, struct guest *g, const struct operation *op,
			const struct command *c)
{
	operation_end(m, g);
	guest_note(m, g,
		   SAY("could not be stopped on ", model_node_name(m, op->node), ": ", c->text));
}

static void paused(struct model *m, struct guest *g, const struct operation *op,
		   const struct command *c)
{
	(void)op;
	(void)c;
	guest_happens(m, g, EV_PAUSES, "by a person", NULL);
}

static void resumed(struct model *m, struct guest *g, const struct operation *op,
		    const struct command *c)
{
	(void)c;
	guest_happens(m, g, EV_RUNS, SAY("goes on at ", model_node_name(m, op->node)), NULL);
}

/* The state of its process, as far as its owner told. */
static enum guest_state behind_loss(const struct guest *g)
{
	return g->state == GUEST_LOST ? g->before_loss : g->state;
}

/* The wish ends with the failure: it goes on running, and a person asked for nothing else. */
static void not_paused(struct model *m, struct guest *g, const struct operation *op,
		       const struct command *c)
{
	operation_end(m, g);
	if (g->desired == DESIRED_PAUSED && op->kind == OP_PAUSE)
		g->desired = DESIRED_RUNNING;
	guest_note(m, g, SAY("could not be paused: ", c->text));
}

static void not_resumed(struct model *m, struct guest *g, const struct operation *op,
			const struct command *c)
{
	(void)op;
	operation_end(m, g);
	g->resume_retry_us = m->time_us + ha_conf_default.resume_retry_us;
	guest_note(m, g, SAY("could not be resumed: ", c->text));
}

/*
 * What follows, by kind. @may_drop: the operation may be given up without a report, since no
 * process hangs on it.
 */
static const struct {
	done_fn *done, *failed;
	bool may_drop;
} outcomes[OP_KIND_MAX] = {
	[OP_START] = { started, start_failed, false },
	[OP_STOP] = { stopped, not_stopped, false },
	[OP_KILL] = { stopped, not_stopped, false },
	[OP_PAUSE] = { paused, not_paused, true },
	[OP_RESUME] = { resumed, not_resumed, true },
	[OP_PREPARE_IN] = { move_prepared, move_prepare_failed, false },
	[OP_SEND] = { move_sent, move_send_failed, false },
	[OP_ACTIVATE] = { move_activated, move_activate_failed, false },
	[OP_RESUME_SOURCE] = { move_resumed, move_resume_failed, false },
};

static struct operation *find_operation(const struct model *m, const struct command *c,
					struct err *ret_err)
{
	struct operation *op = model_operation(m, c->operation);

	if (!op)
		err_set(ret_err, -ESTALE, "operation %llu is over",
			(unsigned long long)c->operation);
	return op;
}

static void guest_done(struct model *m, const struct operation *op, const struct command *c)
{
	struct guest *g = model_guest(m, op->guest);
	const struct operation copy = *op;
	done_fn *next = c->ok ? outcomes[op->kind].done : outcomes[op->kind].failed;

	if (g && g->operation == op->id)
		next(m, g, &copy, c);
	operation_remove(m, copy.id);
}

int apply_report_done(struct model *m, const struct command *c, struct err *ret_err)
{
	const struct operation *op = find_operation(m, c, ret_err);

	if (!op)
		return -ESTALE;
	if (op->kind == OP_FENCE)
		fence_done(m, op, c->ok, c->text);
	else if (op->kind == OP_VOLUME_CREATE || op->kind == OP_VOLUME_DELETE)
		volume_done(m, op, c->ok, c->text);
	else
		guest_done(m, op, c);
	return 0;
}

int apply_operation_drop(struct model *m, const struct command *c, struct err *ret_err)
{
	const struct operation *op = find_operation(m, c, ret_err);
	struct command failed = { .kind = CMD_REPORT_DONE };

	if (!op)
		return -ESTALE;
	if (op->kind == OP_FENCE) {
		fence_dropped(m, op, c->reason);
	} else if (outcomes[op->kind].may_drop) {
		STRCPY(failed.text, c->reason);
		guest_done(m, op, &failed);
	} else {
		return err_set(ret_err, -EINVAL,
			       "operation %llu: a process may hang on it, it cannot be dropped",
			       (unsigned long long)c->operation);
	}
	return 0;
}

/* What people read of an end, and what the guest's definition says about it. */
static const struct {
	const char *text;
	size_t after; /* offset in struct guest */
} ends[END_CAUSE_MAX] = {
	[END_POWEROFF] = { "powered itself off", offsetof(struct guest, on_poweroff) },
	[END_REBOOT] = { "rebooted", offsetof(struct guest, on_reboot) },
	[END_CRASH] = { "crashed", offsetof(struct guest, on_crash) },
};

static enum after after_end(const struct guest *g, enum end_cause cause)
{
	return *(const enum after *)((const char *)g + ends[cause].after);
}

/* While it is being stopped, or after the wish to stop it, an end is just that. */
static void ended(struct model *m, struct guest *g, const struct command *c)
{
	struct line why = line_join((const char *const[]){ ends[c->cause].text, " on ",
							   model_node_name(m, g->owner.node),
							   c->text[0] ? ": " : "", c->text, NULL });

	if (g->state != GUEST_STOPPING && g->desired != DESIRED_STOPPED) {
		if (after_end(g, c->cause) == AFTER_STOP)
			g->desired = DESIRED_STOPPED;
		else
			guest_failure(m, g, g->owner.node, false);
	}
	guest_process_gone(m, g, why.text);
}

int apply_report_ended(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (!g->owner.node || g->owner.epoch != c->epoch)
		return err_set(ret_err, -ESTALE, "guest %s: that process was not its owner's",
			       g->name);
	if (c->cause < 0 || c->cause >= END_CAUSE_MAX)
		return err_set(ret_err, -EINVAL, "guest %s: no such cause of an end", g->name);
	if (g->move.phase == MOVE_ACTIVATING)
		move_activate_failed(m, g, NULL, c);
	else if (g->state == GUEST_MIGRATING && g->move.phase == MOVE_SENDING && g->move.sent)
		guest_note(m, g, SAY("its process on ", model_node_name(m, g->owner.node),
				     " has ended, all sent: the target goes on with it"));
	else
		ended(m, g, c);
	return 0;
}

static bool stands(enum guest_state s)
{
	return s == GUEST_RUNNING || s == GUEST_PAUSED || s == GUEST_IO_ERROR;
}

int apply_report_state(struct model *m, const struct command *c, struct err *ret_err)
{
	static const enum guest_event events[GUEST_STATE_MAX] = {
		[GUEST_RUNNING] = EV_RUNS,
		[GUEST_PAUSED] = EV_PAUSES,
		[GUEST_IO_ERROR] = EV_IO_ERROR,
	};
	struct guest *g = apply_find_guest(m, c->name, ret_err);
	enum guest_state now;

	if (!g)
		return -ENOENT;
	now = behind_loss(g);
	if (!g->owner.node || g->owner.epoch != c->epoch || !stands(now))
		return err_set(ret_err, -ESTALE, "guest %s is %s: that was about another moment",
			       g->name, guest_state_text(g->state));
	if (!stands(c->state))
		return err_set(ret_err, -EINVAL, "guest %s: a process is not '%s'", g->name,
			       guest_state_text(c->state));
	if (c->state == now)
		return 0;
	return guest_happens(m, g, events[c->state],
			     SAY("by itself, on ", model_node_name(m, g->owner.node),
				 c->text[0] ? ": " : "", c->text),
			     ret_err);
}
