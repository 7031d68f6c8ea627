/* SPDX-License-Identifier: Apache-2.0
 * Start, stop, kill, pause and resume of a guest on this node. */
#include "exec_priv.h"

/*
 * Runs the vCPUs, if the gate lets us at this moment; else the next sync tries again. One that has sent all stands still,
 * too, and is ours to run: its migration is over, or this order would not stand.
 */
static void run(struct job *j, struct local *l)
{
	const struct driver_ops *ops = j->x->conf.driver.ops;
	bool sent = local_state(j->x, l) == DOMAIN_SENT;
	struct err err;

	if (exec_may_run(j->x))
		job_begin(j, (sent ? ops->resume_source : ops->cont)(j->x->conf.driver.drv, l->domain, job_called, j, &err), &err);
	if (j->failure[0])
		job_step(j);
}

void step_start(struct job *j)
{
	struct local *l;
	struct domain_info info;

	if (!job_has_process(j, ACCESS_PRIVATE, false))
		return;
	l = local_get(j->x, j->op.guest);
	exec_domain(j->x, j->op.guest, &info);
	if (info.state == DOMAIN_CREATED)
		run(j, l);
	else if (info.state == DOMAIN_RUNNING || info.was_running)
		job_report(j, "");
}

static void stop_expired(void *ctx)
{
	struct job *j = ctx;

	j->expired = true;
	exec_log(j->x, 5, "%s did not stop in its time: killing it", j->op.guest);
	job_step(j);
}

/* Asks the guest once; true when that is of no use and it has to be killed. */
static bool ask_to_stop(struct job *j, struct local *l)
{
	const struct guest *g = model_guest(j->x->conf.model, j->op.guest);
	int64_t patience = (g ? (int64_t)g->stop_timeout_s : 0) * US_PER_S;
	struct err err;

	if (j->asked || patience <= 0)
		return patience <= 0;
	j->asked = true;
	env_timer(&j->x->conf.env, &j->timer, patience, stop_expired, j);
	return !job_begin(j, j->x->conf.driver.ops->shutdown(j->x->conf.driver.drv, l->domain, job_called, j, &err), &err);
}

void step_stop(struct job *j)
{
	struct local *l = local_get(j->x, j->op.guest);

	if (!l) {
		j->failure[0] = '\0';		/* gone, in whatever way: that is what was asked for */
		if (job_is_clear(j))
			job_report(j, "");
		return;
	}
	if (j->expired || j->failure[0] || local_state(j->x, l) != DOMAIN_RUNNING || ask_to_stop(j, l))
		local_end(j->x, l);
}

void step_kill(struct job *j)
{
	struct local *l = local_get(j->x, j->op.guest);

	if (l)
		local_end(j->x, l);
	else if (job_is_clear(j))
		job_report(j, "");
}

void step_pause(struct job *j)
{
	struct local *l = local_get(j->x, j->op.guest);
	struct err err;

	if (!l)
		job_fail(j, "its process is gone");
	else if (!j->failure[0] && local_state(j->x, l) == DOMAIN_RUNNING &&
		 job_begin(j, j->x->conf.driver.ops->pause(j->x->conf.driver.drv, l->domain, job_called, j, &err), &err))
		return;
	job_report(j, "");
}

void step_resume(struct job *j)
{
	struct local *l = local_get(j->x, j->op.guest);
	enum domain_state state = l ? local_state(j->x, l) : DOMAIN_STATE_INVALID;

	if (!l)
		job_fail(j, "its process is gone");
	if (j->failure[0] || state == DOMAIN_RUNNING)
		job_report(j, "");
	else if (!j->asked && exec_may_run(j->x)) {
		j->asked = true;
		run(j, l);
	}
}
