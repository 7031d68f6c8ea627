/* SPDX-License-Identifier: Apache-2.0
 * The processes on this node: what happens to them, and whether they may be here. */
#include "exec_priv.h"

#include <stdlib.h>
#include <string.h>

static const struct driver_ops *driver(const struct exec *x)
{
	return x->conf.driver.ops;
}

void local_free(void *local)
{
	struct local *l = local;

	vec_free(&l->tickets);
	free(l);
}

struct local *local_get(const struct exec *x, const char *guest)
{
	return map_get(x->locals, guest);
}

struct local *local_of(const struct exec *x, const struct domain *d)
{
	struct map_iter it = { 0 };
	struct local *l;

	while ((l = map_next(x->locals, &it)))
		if (l->domain == d)
			return l;
	return NULL;
}

struct local *local_add(struct exec *x, const char *guest, struct domain *d, uint64_t epoch)
{
	struct local *l = mem_new(struct local);

	STRCPY(l->guest, guest);
	l->domain = d;
	l->epoch = epoch;
	l->reported = GUEST_STATE_INVALID;
	l->cause = END_CAUSE_INVALID;
	l->asked_mode = ACCESS_MODE_INVALID;
	map_put(x->locals, guest, l);
	return l;
}

static void local_info(const struct exec *x, const struct local *l, struct domain_info *ret)
{
	driver(x)->info(x->conf.driver.drv, l->domain, ret);
}

enum domain_state local_state(const struct exec *x, const struct local *l)
{
	struct domain_info info;

	local_info(x, l, &info);
	return info.state;
}

int exec_domain(const struct exec *x, const char *guest, struct domain_info *ret)
{
	const struct local *l = local_get(x, guest);

	if (!l)
		return -ENOENT;
	local_info(x, l, ret);
	return 0;
}

/* The end itself comes as DOMAIN_EV_GONE. */
static void end_asked(void *ctx, const struct err *err)
{
	struct exec *x = ctx;

	if (err->code)
		exec_log(x, 3, "a guest's process cannot be ended: %s", err->text);
	x->conf.events->moved(x->conf.ctx);
}

void local_end(struct exec *x, struct local *l)
{
	struct err err;

	if (l->ending)
		return;
	l->ending = driver(x)->kill(x->conf.driver.drv, l->domain, end_asked, x, &err) == 0;
	if (!l->ending)
		exec_log(x, 3, "%s: its process cannot be ended: %s", l->guest, err.text);
}

static void report(struct exec *x, struct command *c, const char *guest, uint64_t epoch, const char *why)
{
	STRCPY(c->name, guest);
	c->epoch = epoch;
	STRCPY(c->text, why);
	x->conf.events->report(x->conf.ctx, c);
}

static bool was_told(const struct exec *x, const char *guest, uint64_t epoch)
{
	const uint64_t *told = map_get(x->ended, guest);

	return told && *told == epoch;
}

/* Whether the end of this process has not been reported yet. It has, once this was asked. */
static bool first_word(struct exec *x, const char *guest, uint64_t epoch)
{
	uint64_t *told;

	if (was_told(x, guest, epoch))
		return false;
	told = mem_new(uint64_t);
	*told = epoch;
	map_put(x->ended, guest, told);
	return true;
}

static void report_ended(struct exec *x, const char *guest, uint64_t epoch, enum end_cause cause, const char *why)
{
	struct command c = { .kind = CMD_REPORT_ENDED, .cause = cause == END_CAUSE_INVALID ? END_CRASH : cause };

	if (first_word(x, guest, epoch))
		report(x, &c, guest, epoch, why);
}

static void report_broken(struct exec *x, const char *guest, uint64_t epoch, const char *why)
{
	struct command c = { .kind = CMD_REPORT_BROKEN };

	if (first_word(x, guest, epoch))
		report(x, &c, guest, epoch, why);
}

static bool is_owner(const struct exec *x, const struct guest *g, uint64_t epoch)
{
	return exec_is_me(x, &g->owner) && g->owner.epoch == epoch;
}

static bool is_target(const struct exec *x, const struct guest *g, uint64_t epoch)
{
	return g->move.phase != MOVE_NONE && exec_is_me(x, &g->move.target) && g->move.target.epoch == epoch;
}

/* Jobs that see to the end of a process themselves, and will report it. */
static bool job_in_charge(const struct exec *x, const char *guest)
{
	return job_has(x, guest, OP_STOP) || job_has(x, guest, OP_KILL) || job_has(x, guest, OP_START) ||
	       job_has(x, guest, OP_PREPARE_IN) || job_has(x, guest, OP_ACTIVATE) || job_has(x, guest, OP_RESUME_SOURCE);
}

/* Its process and its volumes are gone from here. */
static void is_over(struct exec *x, const char *guest, const struct ending *end)
{
	const struct guest *g = model_guest(x->conf.model, guest);

	if (!g || !x->node || job_in_charge(x, guest))
		return;
	if (is_owner(x, g, end->epoch))
		report_ended(x, guest, end->epoch, end->cause, end->why);
	else if (is_target(x, g, end->epoch))
		report_broken(x, guest, end->epoch, end->why);
}

static void on_gone(struct exec *x, struct local *l, const char *why)
{
	char guest[MODEL_NAME_MAX];
	struct ending end = { .epoch = l->epoch, .cause = l->cause };
	tickets list = l->tickets;

	STRCPY(guest, l->guest);
	if (STRCPY(end.why, l->why[0] ? l->why : why) < 0)
		STRCPY(end.why, "its process ended");
	if (!l->tickets_known)
		volumes_tickets(x, guest, l->epoch, &list);
	l->tickets = (tickets){ 0 };
	map_remove(x->locals, guest);
	volumes_release(x, guest, &list, is_over, &end);
	vec_free(&list);
}

/* The guest ended by itself, or its disk or stream failed for good: the process is of no more use. */
static void finish(struct exec *x, struct local *l, enum end_cause cause, const char *why)
{
	if (l->cause == END_CAUSE_INVALID)
		l->cause = cause;
	if (!l->why[0])
		STRCPY(l->why, why);
	local_end(x, l);
}

/* How the guest ended itself; END_CAUSE_INVALID: it did not. */
static enum end_cause cause_of(const struct exec *x, const struct local *l)
{
	struct domain_info info;

	local_info(x, l, &info);
	if (info.state == DOMAIN_POWERED_OFF)
		return info.rebooted ? END_REBOOT : END_POWEROFF;
	return info.state == DOMAIN_CRASHED ? END_CRASH : END_CAUSE_INVALID;
}

static void on_state(struct exec *x, struct local *l, const char *why)
{
	enum end_cause cause = cause_of(x, l);

	if (cause != END_CAUSE_INVALID)
		finish(x, l, cause, why);
	job_step_guest(x, l->guest);
}

static void report_loaded(struct exec *x, struct local *l)
{
	struct command c = { .kind = CMD_REPORT_LOADED, .operation = l->epoch };

	if (l->loaded_reported)
		return;
	l->loaded_reported = true;
	report(x, &c, l->guest, l->epoch, "");
}

static void on_failed(struct exec *x, struct local *l, const char *why)
{
	const struct guest *g = model_guest(x->conf.model, l->guest);

	if (g && is_target(x, g, l->epoch) && g->move.phase != MOVE_ACTIVATING)
		finish(x, l, END_CRASH, why);
	else if (!l->why[0])
		STRCPY(l->why, why);
	job_step_guest(x, l->guest);
}

void exec_domain_event(struct exec *x, struct domain *d, enum domain_event event, const char *why)
{
	struct local *l = local_of(x, d);

	if (!l)
		return;
	switch (event) {
	case DOMAIN_EV_GONE: on_gone(x, l, why); break;
	case DOMAIN_EV_STATE: on_state(x, l, why); break;
	case DOMAIN_EV_LOADED: report_loaded(x, l); break;
	case DOMAIN_EV_SENT: job_step_guest(x, l->guest); break;
	case DOMAIN_EV_FAILED: on_failed(x, l, why); break;
	case DOMAIN_EV_RESET: exec_log(x, 6, "%s rebooted", l->guest); break;
	default: break;
	}
	x->conf.events->moved(x->conf.ctx);
}

void exec_domain_found(struct exec *x, struct domain *d)
{
	struct domain_info info;

	driver(x)->info(x->conf.driver.drv, d, &info);
	local_add(x, info.name, d, info.epoch);
	exec_log(x, 6, "%s: found its process %d (%s, epoch %llu)", info.name, info.pid, domain_state_text(info.state),
		 (unsigned long long)info.epoch);
}

/* What the process does, in the model's words; GUEST_STATE_INVALID where only an operation may say. */
static enum guest_state seen_state(enum domain_state s)
{
	switch (s) {
	case DOMAIN_RUNNING: return GUEST_RUNNING;
	case DOMAIN_PAUSED: return GUEST_PAUSED;
	case DOMAIN_SENT: return GUEST_PAUSED;	/* the migration that it was sent for is over, and it was not resumed */
	case DOMAIN_IO_ERROR: return GUEST_IO_ERROR;
	default: return GUEST_STATE_INVALID;
	}
}

static void compare_state(struct exec *x, const struct guest *g, struct local *l)
{
	struct command c = { .kind = CMD_REPORT_STATE, .state = seen_state(local_state(x, l)) };

	if (c.state == GUEST_STATE_INVALID)
		return;
	/* What was told before is refused meanwhile: it is told again afterwards. */
	if (g->operation || g->move.phase != MOVE_NONE || c.state == g->state) {
		l->reported = GUEST_STATE_INVALID;
		return;
	}
	if (l->reported == c.state)
		return;
	l->reported = c.state;
	report(x, &c, g->name, l->epoch, l->why);
}

/*
 * Shared from the beginning of a migration to its end, on both sides; else private. A process that was adopted holds its
 * volumes already: storage has to know.
 */
static void map_volumes(struct exec *x, const struct guest *g, struct local *l)
{
	bool moves = g->move.phase == MOVE_PREPARING || g->move.phase == MOVE_SENDING;

	if (!l->tickets_known)
		volumes_tickets(x, g->name, l->epoch, &l->tickets);
	l->tickets_known = true;
	volumes_map_as(x, l, moves ? ACCESS_SHARED : ACCESS_PRIVATE);
}

static void reconcile_local(struct exec *x, struct local *l)
{
	const struct guest *g = model_guest(x->conf.model, l->guest);
	bool owner = g && is_owner(x, g, l->epoch), target = g && is_target(x, g, l->epoch);
	enum domain_state state = local_state(x, l);

	if (!owner && !target) {
		if (!l->ending)
			exec_log(x, 5, "%s: its process here (epoch %llu) is not the owner's: ending it", l->guest,
				 (unsigned long long)l->epoch);
		local_end(x, l);
		return;
	}
	if (!job_has(x, l->guest, OP_START) && !job_has(x, l->guest, OP_PREPARE_IN))
		map_volumes(x, g, l);	/* those see to it themselves */
	if (target && !owner && state == DOMAIN_LOADED && !g->move.loaded)
		report_loaded(x, l);
	if (cause_of(x, l) != END_CAUSE_INVALID)
		finish(x, l, cause_of(x, l), "the guest ended while nobody looked");
	if (owner)
		compare_state(x, g, l);
}

/* Ours by the ledger, but no process: it died while no agent was here to see. */
static void reconcile_missing(struct exec *x, const struct guest *g)
{
	struct ending end = { .cause = END_CRASH, .why = "its process is gone" };

	if (local_get(x, g->name) || job_in_charge(x, g->name) || volumes_leave(x, g->name))
		return;
	if (exec_is_me(x, &g->owner))
		end.epoch = g->owner.epoch;
	else if (g->move.phase == MOVE_SENDING && exec_is_me(x, &g->move.target))
		end.epoch = g->move.target.epoch;
	if (end.epoch && !was_told(x, g->name, end.epoch))
		volumes_release_known(x, g->name, end.epoch, is_over, &end);
}

void local_reconcile(struct exec *x)
{
	struct map_iter it = { 0 }, it2 = { 0 };
	const struct guest *g;
	struct local *l;

	while ((l = map_next(x->locals, &it)))
		reconcile_local(x, l);
	while ((g = map_next(x->conf.model->guests, &it2)))
		reconcile_missing(x, g);
}
