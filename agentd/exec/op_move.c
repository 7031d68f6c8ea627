/* SPDX-License-Identifier: Apache-2.0
 * The halves of a live migration on this node (rules H1 to H3). The sequence is the model's; nothing here decides it. */
#include "exec_priv.h"

#define STREAM_BYTES_PER_S  (UINT64_C(4) << 30)	/* no limit of ours: the network is one */
#define FIRST_DOWNTIME_MS   20
#define SEND_TIME_MIN_US    (1 * US_PER_S)
#define SEND_TIME_MAX_US    (3600 * US_PER_S)

void step_prepare_in(struct job *j)
{
	struct local *l;

	if (!job_has_process(j, ACCESS_SHARED, true))
		return;
	l = local_get(j->x, j->op.guest);
	/* An agent before us may have prepared it: its address went with that agent, unless the report got through. */
	if (j->inherited && !j->created) {
		job_fail(j, "the agent of the target restarted while it was being prepared");
		local_end(j->x, l);
		return;
	}
	job_report(j, j->x->conf.driver.ops->incoming_address(j->x->conf.driver.drv, l->domain));
}

static int64_t time_left(const struct job *j)
{
	int64_t left = j->op.deadline_us - j->x->conf.events->ledger_us(j->x->conf.ctx);

	if (left < SEND_TIME_MIN_US)
		return SEND_TIME_MIN_US;
	return left > SEND_TIME_MAX_US ? SEND_TIME_MAX_US : left;
}

static void begin_send(struct job *j, struct local *l, const struct guest *g)
{
	struct send_params params = { .address = g->move.address, .max_bytes_per_s = STREAM_BYTES_PER_S,
				      .downtime_ms = FIRST_DOWNTIME_MS, .deadline_us = time_left(j) };
	struct err err;

	j->asked = true;
	l->why[0] = '\0';
	if (!job_begin(j, j->x->conf.driver.ops->send(j->x->conf.driver.drv, l->domain, &params, job_called, j, &err), &err))
		job_report(j, "");
}

/*
 * Everything is sent: the offer is kept with the process before it is proposed (rule H2), so that no later agent runs
 * it by itself. What cannot be kept is not proposed: the migration's deadline cancels it then.
 */
static void offer(struct job *j, struct local *l)
{
	struct err err;

	if (j->x->conf.driver.ops->note(j->x->conf.driver.drv, l->domain, j->op.id, &err) < 0)
		exec_log(j->x, 3, "%s: the offer of its migration cannot be kept: %s", l->guest, err.text);
	else
		job_report(j, "");
}

void step_send(struct job *j)
{
	struct local *l = local_get(j->x, j->op.guest);
	const struct guest *g = model_guest(j->x->conf.model, j->op.guest);
	enum domain_state state = l ? local_state(j->x, l) : DOMAIN_STATE_INVALID;

	if (!l || !g || l->epoch != j->op.epoch)
		return;				/* its end is reported for itself */
	if (state == DOMAIN_SENT)
		offer(j, l);
	else if (state == DOMAIN_SENDING || state == DOMAIN_BEING_CREATED || state == DOMAIN_ENDING)
		return;				/* under way, or not known yet: what it has sent may be all */
	else if (j->asked || j->failure[0] || state != DOMAIN_RUNNING) {
		job_fail(j, l->why[0] ? l->why : "the stream broke");
		job_report(j, "");
	} else if (exec_may_run(j->x) && volumes_are(j->x, l, ACCESS_SHARED))
		begin_send(j, l, g);	/* the target may only be given what is not private here any more */
}

void step_activate(struct job *j)
{
	struct local *l = local_get(j->x, j->op.guest);
	enum domain_state state = l ? local_state(j->x, l) : DOMAIN_STATE_INVALID;
	struct err err;

	if (!l)
		job_fail(j, "its process is gone");
	if (j->failure[0] && l)
		local_end(j->x, l);
	else if (j->failure[0] || state == DOMAIN_RUNNING)
		job_report(j, "");
	else if (state == DOMAIN_LOADED && exec_may_run(j->x)) {
		job_begin(j, j->x->conf.driver.ops->activate(j->x->conf.driver.drv, l->domain, job_called, j, &err), &err);
		if (j->failure[0])
			job_step(j);
	}
}

/* The committed cancel: this side runs it again. QEMU may have done so already when the stream broke. */
void step_resume_source(struct job *j)
{
	const struct driver_ops *ops = j->x->conf.driver.ops;
	void *drv = j->x->conf.driver.drv;
	struct local *l = local_get(j->x, j->op.guest);
	enum domain_state state = l ? local_state(j->x, l) : DOMAIN_STATE_INVALID;
	struct err err;

	if (!l)
		job_fail(j, "its process is gone");
	if (!l || state == DOMAIN_RUNNING || state == DOMAIN_PAUSED || state == DOMAIN_IO_ERROR) {
		if (l)
			ops->note(drv, l->domain, 0, &err);
		if (l)
			j->failure[0] = '\0';
		job_report(j, "");
	} else if (state == DOMAIN_SENDING && !j->asked) {
		j->asked = true;
		job_begin(j, ops->cancel_send(drv, l->domain, job_called, j, &err), &err);
	} else if (state == DOMAIN_SENT && exec_may_run(j->x)) {
		if (!j->tried) {
			j->failure[0] = '\0';	/* of the cancel: it came too late */
			j->tried = true;
			job_begin(j, ops->resume_source(drv, l->domain, job_called, j, &err), &err);
		}
		if (j->failure[0])
			local_end(j->x, l);	/* it cannot go on: its end is reported, and it is started anew */
	}
}
