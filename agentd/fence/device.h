/* SPDX-License-Identifier: Apache-2.0
 * Runs one fence device once and reports what it proves. Levels, retries and which device is next
 * are policy's. */
#ifndef DOMUS_FENCE_DEVICE_H
#define DOMUS_FENCE_DEVICE_H

#include "base/env.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define FENCE_NAME_MAX   64
#define FENCE_VALUE_MAX  1024
#define FENCE_PARAMS_MAX 32

struct fence_param {
	char key[FENCE_NAME_MAX];
	char value[FENCE_VALUE_MAX]; /* may be a secret: goes to the agent's standard input, never
					into a log or a command line */
};

/* One call of a fence agent, by whoever runs agents here (agentd/pcmk in the product). */
struct fence_call {
	const char *agent;  /* a file name: fence_ipmilan */
	const char *action; /* off, on, status */
	const struct fence_param *params;
	size_t n_params;
	int64_t timeout_us;
};

/* @exit_status: the agent's, -1 when it was killed at its timeout or could not be started (@why
 * says which). */
typedef void fence_called_fn(void *ctx, int exit_status, const char *why);

struct fence_runner_ops {
	/* 0 if there is such an agent and it can be run here; or a negative errno and a sentence. */
	int (*look)(void *runner, const char *agent, struct err *ret_err);
	/* 0 and @done once, later; or a negative errno. Does not block. Copies what it needs of
	 * @call; @done may be NULL. */
	int (*call)(void *runner, const struct fence_call *call, fence_called_fn *done, void *ctx,
		    struct err *ret_err);
	/* Forgets the caller: @done functions with this @ctx will not be called. The agents
	 * themselves are ended. */
	void (*cancel)(void *runner, void *ctx);
};

struct fence_runner {
	const struct fence_runner_ops *ops;
	void *runner;
};

/* What is to be done to one node. Copied. */
struct fence_request {
	char agent[FENCE_NAME_MAX];
	struct fence_param params[FENCE_PARAMS_MAX];
	size_t n_params;
	int64_t timeout_us;  /* for each call of the agent */
	bool power_on_after; /* switch it on again once it was proven off */
};

/* @err->code 0: the device said it is off, and a status call after that said so too. Anything else
 * proves nothing. */
typedef void fence_done_fn(void *ctx, const struct err *err);

/*
 * -EINVAL when the request is malformed: agent or parameter names, the parameter "action" (it is
 * ours), a control character in a value (on the agent's input it would be another parameter), no
 * timeout. Besides the runner's timeout there is one here, 2 s later, so that a child that cannot
 * be killed does not hold up the next device.
 *
 * off, then status (exit status 2 = off, as fence agents answer), then @done; then on, when wanted,
 * whose result is only logged by the caller's runner. Returns the running job or NULL with
 * @ret_err. The job ends by itself just before @done; @runner outlives that. cancel: @done will not
 * be called.
 */
struct fence_job;
struct fence_job *fence_start(const struct env *env, const struct fence_runner *runner,
			      const struct fence_request *request, fence_done_fn *done, void *ctx,
			      struct err *ret_err);
void fence_cancel(struct fence_job *job);

#endif
