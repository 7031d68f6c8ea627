/* SPDX-License-Identifier: Apache-2.0
 * Runs one fence device once: off, then status, and only both together are a proof. */
#include "device.h"

#include "base/mem.h"

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"

/* How long after its timeout an agent may still be dying. */
#define DYING_US (2 * US_PER_S)

/* What fence agents answer, as all of them do that speak the fence agent API. */
#define STATUS_DONE 0
#define STATUS_ON   0
#define STATUS_OFF  2

enum phase { PHASE_OFF, PHASE_STATUS, PHASE_MAX };

struct fence_job {
	struct env env;
	struct fence_runner runner;
	struct fence_request request;
	enum phase phase;
	struct env_timer *deadline;
	fence_done_fn *done;
	void *ctx;
};

static const struct {
	const char *action;
	int expected;
} phases[PHASE_MAX] = {
	[PHASE_OFF] = { "off", STATUS_DONE },
	[PHASE_STATUS] = { "status", STATUS_OFF },
};

static bool consists_of(const char *text, const char *set)
{
	return *text && text[strspn(text, set)] == '\0';
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return true;
	return false;
}

static int check_param(const struct fence_param *p, struct err *ret_err)
{
	if (!consists_of(p->key, LOWER DIGIT "_-ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return err_set(ret_err, -EINVAL,
			       "fence device: a parameter name is letters, digits, _ and -");
	if (strcmp(p->key, "action") == 0 || strcmp(p->key, "option") == 0)
		return err_set(ret_err, -EINVAL,
			       "fence device: the parameter '%s' is set by Domus, leave it out",
			       p->key);
	if (has_control(p->value))
		return err_set(
			ret_err, -EINVAL,
			"fence device: the value of '%s' has a control character or a newline",
			p->key);
	return 0;
}

static int check_request(const struct fence_request *r, struct err *ret_err)
{
	if (strncmp(r->agent, "fence_", 6) != 0 || !consists_of(r->agent + 6, LOWER DIGIT "_"))
		return err_set(ret_err, -EINVAL,
			       "fence device: an agent is called fence_ and letters, digits or _, "
			       "for example fence_ipmilan");
	if (r->timeout_us <= 0 || r->n_params > FENCE_PARAMS_MAX)
		return err_set(ret_err, -EINVAL,
			       "fence device %s: no timeout, or too many parameters", r->agent);
	for (size_t i = 0; i < r->n_params; i++)
		if (check_param(&r->params[i], ret_err) < 0)
			return -EINVAL;
	return 0;
}

static int call(const struct fence_job *job, const char *action, fence_called_fn *done, void *ctx,
		struct err *ret_err)
{
	const struct fence_call c = {
		.agent = job->request.agent,
		.action = action,
		.params = job->request.params,
		.n_params = job->request.n_params,
		.timeout_us = job->request.timeout_us,
	};

	return job->runner.ops->call(job->runner.runner, &c, done, ctx, ret_err);
}

/* The proof goes first: a guest waits for it, while nobody waits for the switching on. */
static void finish(struct fence_job *job, const struct err *err)
{
	struct fence_job end = *job;

	env_cancel(&job->env, &job->deadline);
	explicit_bzero(&job->request, sizeof(job->request));
	mem_freep(&job);
	end.done(end.ctx, err);
	if (err->code == 0 && end.request.power_on_after)
		call(&end, "on", NULL, NULL, NULL);
	explicit_bzero(&end.request, sizeof(end.request));
}

static int next(struct fence_job *job, struct err *ret_err);

static void called(void *ctx, int exit_status, const char *why)
{
	struct fence_job *job = ctx;
	const char *action = phases[job->phase].action;
	struct err err = { 0 };
	int r;

	if (exit_status == phases[job->phase].expected) {
		if (++job->phase == PHASE_MAX) {
			finish(job, &err);
			return;
		}
		r = next(job, &err);
		if (r == 0)
			return;
		err.code = r; /* 0 would be a proof: never rely on the runner for it */
	} else if (exit_status < 0)
		err_set(&err, -ETIMEDOUT, "%s: '%s' did not end well: %s", job->request.agent,
			action, why);
	else if (job->phase == PHASE_STATUS && exit_status == STATUS_ON)
		err_set(&err, -EIO,
			"%s: said that it switched off, but its status says that it is on",
			job->request.agent);
	else
		err_set(&err, -EIO, "%s: '%s' failed with exit status %d%s%s", job->request.agent,
			action, exit_status, why && *why ? ": " : "", why ? why : "");
	finish(job, &err);
}

static void too_late(void *ctx)
{
	struct fence_job *job = ctx;
	struct err err;

	job->runner.ops->cancel(job->runner.runner, job);
	err_set(&err, -ETIMEDOUT, "%s: '%s' did not end and could not be killed",
		job->request.agent, phases[job->phase].action);
	finish(job, &err);
}

static int next(struct fence_job *job, struct err *ret_err)
{
	env_timer(&job->env, &job->deadline, job->request.timeout_us + DYING_US, too_late, job);
	return call(job, phases[job->phase].action, called, job, ret_err);
}

struct fence_job *fence_start(const struct env *env, const struct fence_runner *runner,
			      const struct fence_request *request, fence_done_fn *done, void *ctx,
			      struct err *ret_err)
{
	struct fence_job *job;

	if (check_request(request, ret_err) < 0)
		return NULL;
	job = mem_new(struct fence_job);
	job->env = *env;
	job->runner = *runner;
	job->request = *request;
	job->done = done;
	job->ctx = ctx;
	if (next(job, ret_err) < 0) {
		env_cancel(&job->env, &job->deadline);
		mem_freep(&job);
	}
	return job;
}

void fence_cancel(struct fence_job *job)
{
	if (!job)
		return;
	job->runner.ops->cancel(job->runner.runner, job);
	env_cancel(&job->env, &job->deadline);
	explicit_bzero(&job->request, sizeof(job->request));
	mem_freep(&job);
}
