/* SPDX-License-Identifier: Apache-2.0
 * One fence device, once: only off that succeeded and a status that says off are a proof. The
 * agents are pretended. */
#include "kit/kit.h"

#include "base/mem.h"
#include "fence/device.h"

#include <string.h>

struct fixture {
	struct venv *venv;
	struct env env;
	struct fence_runner runner;
	struct fence_request request;
	/* The pretended runner: what was called, and how the call under way is answered. */
	char called[64];
	fence_called_fn *answer;
	void *answer_ctx;
	int refuse;
	int cancels;
	/* What the job said. */
	int calls;
	struct err err;
};

static int run_call(void *runner, const struct fence_call *call, fence_called_fn *done, void *ctx,
		    struct err *ret_err)
{
	struct fixture *f = runner;

	if (f->refuse)
		return ret_err ? f->refuse
			       : -EINVAL; /* says nothing in @ret_err: must not become a proof */
	assert_string_equal(call->agent, "fence_test");
	assert_int_equal(call->n_params, 2);
	assert_string_equal(call->params[1].key, "passwd");
	assert_string_equal(call->params[1].value, "s3cret");
	assert_int_equal(call->timeout_us, 10 * US_PER_S);
	strcat(strcat(f->called, call->action), " ");
	f->answer = done;
	f->answer_ctx = ctx;
	return 0;
}

static void run_cancel(void *runner, void *ctx)
{
	struct fixture *f = runner;

	assert_ptr_equal(ctx, f->answer_ctx);
	f->cancels++;
}

static const struct fence_runner_ops runner_ops = { .call = run_call, .cancel = run_cancel };

static void on_done(void *ctx, const struct err *err)
{
	struct fixture *f = ctx;

	f->calls++;
	f->err = *err;
}

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	f->venv = venv_new(1);
	f->env = venv_env(f->venv);
	f->runner = (struct fence_runner){ &runner_ops, f };
	f->request = (struct fence_request){ .agent = "fence_test",
					     .n_params = 2,
					     .timeout_us = 10 * US_PER_S };
	STRCPY(f->request.params[0].key, "ip");
	STRCPY(f->request.params[0].value, "192.0.2.1");
	STRCPY(f->request.params[1].key, "passwd");
	STRCPY(f->request.params[1].value, "s3cret");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	venv_free(f->venv);
	mem_freep(&f);
	return 0;
}

static struct fence_job *start(struct fixture *f)
{
	struct err err = { 0 };
	struct fence_job *job = fence_start(&f->env, &f->runner, &f->request, on_done, f, &err);

	assert_non_null(job);
	assert_int_equal(f->calls, 0);
	return job;
}

static void answer(struct fixture *f, int exit_status, const char *why)
{
	f->answer(f->answer_ctx, exit_status, why);
}

/* No timer of an ended job is left. */
static void nothing_pending(struct fixture *f)
{
	assert_int_equal(venv_step(f->venv, (struct mono){ INT64_MAX }), 0);
}

static void proven_off(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_string_equal(f->called, "off ");
	answer(f, 0, "");
	assert_int_equal(f->calls, 0);
	assert_string_equal(f->called, "off status ");
	answer(f, 2, "");
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.code, 0);
	assert_string_equal(f->called, "off status ");
	nothing_pending(f);
}

/* Every other pair of answers proves nothing, whatever it looks like. */
static void anything_else_proves_nothing(void **state)
{
	static const struct {
		int off, status;
		const char *text;
	} rows[] = {
		{ 1, 0, "failed with exit status 1: no route" },
		{ 2, 0, "failed with exit status 2" }, /* "off" answered as if it were "status" */
		{ -1, 0, "no route" },
		{ 0, 0, "says that it is on" },
		{ 0, 1, "failed with exit status 1" },
		{ 0, 3, "failed with exit status 3" },
		{ 0, -1, "did not end well" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		f->calls = 0;
		f->called[0] = '\0';
		f->request.power_on_after = true;
		start(f);
		answer(f, rows[i].off, "no route");
		if (rows[i].off == 0)
			answer(f, rows[i].status, "no route");
		assert_int_equal(f->calls, 1);
		assert_true(f->err.code < 0);
		assert_non_null(strstr(f->err.text, rows[i].text));
		assert_null(strstr(f->err.text, "s3cret"));
		assert_null(strstr(f->called, "on "));
		nothing_pending(f);
	}
}

/* The proof does not wait for the switching on, and nobody waits for that. */
static void switched_on_after_the_proof(void **state)
{
	struct fixture *f = *state;

	f->request.power_on_after = true;
	start(f);
	answer(f, 0, "");
	answer(f, 2, "");
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.code, 0);
	assert_string_equal(f->called, "off status on ");
	assert_null(f->answer);
	nothing_pending(f);
}

/* An agent that cannot be killed: 2 s after its timeout it is given up. */
static void second_way_out(void **state)
{
	struct fixture *f = *state;
	struct mono before = env_now(&f->env);

	start(f);
	assert_int_equal(venv_step(f->venv, (struct mono){ INT64_MAX }), 1);
	assert_int_equal(mono_diff_us(env_now(&f->env), before), 12 * US_PER_S);
	assert_int_equal(f->cancels, 1);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.code, -ETIMEDOUT);
	nothing_pending(f);
}

static void cancelled(void **state)
{
	struct fixture *f = *state;

	fence_cancel(start(f));
	assert_int_equal(f->cancels, 1);
	assert_int_equal(f->calls, 0);
	nothing_pending(f);
	fence_cancel(NULL);
}

/* A runner that refuses: at the start no job, later a failure, even if it does not say why. */
static void runner_refuses(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	f->refuse = -ENOENT;
	assert_null(fence_start(&f->env, &f->runner, &f->request, on_done, f, &err));
	nothing_pending(f);
	f->refuse = 0;
	start(f);
	f->refuse = -ENOENT;
	answer(f, 0, "");
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->err.code, -ENOENT);
	nothing_pending(f);
}

static void refused(struct fixture *f)
{
	struct err err = { 0 };

	assert_null(fence_start(&f->env, &f->runner, &f->request, on_done, f, &err));
	assert_int_equal(err.code, -EINVAL);
	assert_null(strstr(err.text, "s3cret"));
	assert_string_equal(f->called, "");
}

/* What could run another program, another action, or smuggle a parameter in is refused. */
static void malformed_requests(void **state)
{
	static const char *const agents[] = { "",           "fence_",    "sh",     "/sbin/fence_x",
					      "fence_../x", "fence_a b", "fence_A" };
	static const char *const keys[] = { "", "a b", "a=b", "a\nb", "action", "option" };
	static const char *const values[] = { "s3cret\naction=on", "s3cret\r", "s3cret\x7f" };
	struct fixture *f = *state;
	const struct fence_request good = f->request;

	for (size_t i = 0; i < ARRAY_SIZE(agents); i++) {
		STRCPY(f->request.agent, agents[i]);
		refused(f);
	}
	f->request = good;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		STRCPY(f->request.params[0].key, keys[i]);
		refused(f);
	}
	f->request = good;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		STRCPY(f->request.params[1].value, values[i]);
		refused(f);
	}
	f->request = good;
	f->request.timeout_us = 0;
	refused(f);
	f->request = good;
	f->request.n_params = FENCE_PARAMS_MAX + 1;
	refused(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(proven_off, setup, teardown),
		cmocka_unit_test_setup_teardown(anything_else_proves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(switched_on_after_the_proof, setup, teardown),
		cmocka_unit_test_setup_teardown(second_way_out, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(runner_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_requests, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
