/* SPDX-License-Identifier: Apache-2.0
 * Fence agents by libcrmservice, for real: small scripts that pretend to be agents, run on the real
 * loop. */
#include "kit/kit.h"

#include "base/loop.h"
#include "base/mem.h"
#include "fence/device.h"
#include "pcmk/exec.h"

#include <dirent.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_S 20

struct fixture {
	struct loop *loop;
	struct env env;
	struct fence_runner runner;
	char *dir;
};

struct result {
	int calls;
	int status;
	char why[256];
	struct err err; /* of a whole device */
};

static void on_called(void *ctx, int exit_status, const char *why)
{
	struct result *r = ctx;

	r->calls++;
	r->status = exit_status;
	STRCPY(r->why, why);
}

static bool is_called(void *ctx)
{
	const struct result *r = ctx;

	return r->calls > 0;
}

/* An agent is the shell script @body; $d is the folder of the test. */
static void write_agent(struct fixture *f, const char *name, const char *body)
{
	char *path = kit_path(f->dir, name), text[1024];

	snprintf(text, sizeof(text), "#!/bin/sh\nd=%s\n%s\n", f->dir, body);
	kit_write(path, text);
	assert_int_equal(chmod(path, 0700), 0);
	mem_freep(&path);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	f->loop = loop_new();
	f->env = loop_env(f->loop);
	f->dir = kit_mkdir();
	f->runner = pcmk_runner_new(f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pcmk_runner_free(&f->runner);
	loop_free(f->loop);
	kit_rmdir(f->dir);
	mem_freep(&f);
	return 0;
}

static const struct fence_param params[] = { { "ip", "192.0.2.1" },
					     { "passwd", "s3cret = $x \"'" } };

static struct fence_call call_of(const char *agent, const char *action, int64_t timeout_us)
{
	struct fence_call c = { .agent = agent,
				.action = action,
				.params = params,
				.n_params = ARRAY_SIZE(params),
				.timeout_us = timeout_us };

	return c;
}

static int start(struct fixture *f, const struct fence_call *c, struct result *r)
{
	return f->runner.ops->call(f->runner.runner, c, on_called, r, &r->err);
}

static int run(struct fixture *f, const char *agent, const char *action, int64_t timeout_us,
	       struct result *r)
{
	struct fence_call c = call_of(agent, action, timeout_us);

	*r = (struct result){ 0 };
	assert_int_equal(start(f, &c, r), 0);
	assert_int_equal(r->calls, 0);
	kit_loop_until(f->loop, is_called, r, LIMIT_S, "the agent's end");
	return r->status;
}

/* The agent's exit status comes through unchanged: it is the answer. */
static void exit_statuses(void **state)
{
	struct fixture *f = *state;
	struct result r;

	write_agent(f, "fence_zero", "exit 0");
	write_agent(f, "fence_two", "exit 2");
	write_agent(f, "fence_fails",
		    "echo connecting >&2; printf 'bad\\033[2J password\\n' >&2; exit 1");
	assert_int_equal(run(f, "fence_zero", "status", US_PER_S * 10, &r), 0);
	assert_int_equal(run(f, "fence_two", "status", US_PER_S * 10, &r), 2);
	assert_int_equal(run(f, "fence_fails", "off", US_PER_S * 10, &r), 1);
	assert_string_equal(r.why, "bad?[2J password");
}

/*
 * All parameters and the action are on the agent's standard input, as they are; a secret is neither
 * in its arguments nor in its environment.
 */
static void input_of_an_agent(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char *in = kit_path(f->dir, "in"), *args = kit_path(f->dir, "args"),
	     *env = kit_path(f->dir, "env"), *text;

	write_agent(f, "fence_look",
		    "sort > $d/in; tr '\\0' '\\n' < /proc/$$/cmdline > $d/args; tr '\\0' '\\n' < "
		    "/proc/$$/environ > "
		    "$d/env");
	assert_int_equal(run(f, "fence_look", "off", US_PER_S * 10, &r), 0);
	text = kit_read(in);
	assert_string_equal(text, "action=off\nip=192.0.2.1\npasswd=s3cret = $x \"'\n");
	mem_freep(&text);
	text = kit_read(args);
	assert_null(strstr(text, "s3cret"));
	mem_freep(&text);
	text = kit_read(env);
	assert_true(strlen(text) > 0);
	assert_null(strstr(text, "s3cret"));
	assert_null(strstr(text, "passwd"));
	mem_freep(&text);
	mem_freep(&in);
	mem_freep(&args);
	mem_freep(&env);
}

/* An agent that never reads its input, however long that is, harms nobody. */
static void input_that_nobody_reads(void **state)
{
	struct fixture *f = *state;
	struct fence_param *many = mem_resize(NULL, FENCE_PARAMS_MAX, sizeof(*many));
	struct fence_call c = call_of("fence_deaf", "off", 10 * US_PER_S);
	struct result r = { 0 };

	for (int i = 0; i < FENCE_PARAMS_MAX; i++) {
		snprintf(many[i].key, sizeof(many[i].key), "key%d", i);
		memset(many[i].value, 'x', sizeof(many[i].value) - 1);
		many[i].value[sizeof(many[i].value) - 1] = '\0';
	}
	c.params = many;
	c.n_params = FENCE_PARAMS_MAX;
	write_agent(f, "fence_deaf", "exec 0<&-; exit 2");
	assert_int_equal(start(f, &c, &r), 0);
	kit_loop_until(f->loop, is_called, &r, LIMIT_S, "the agent's end");
	assert_int_equal(r.status, 2);
	mem_freep(&many);
}

/* Whether some process has @word in its arguments. */
static bool is_running(const char *word)
{
	char path[300], text[512];
	bool found = false;
	struct dirent *e;
	DIR *d = opendir("/proc");

	assert_non_null(d);
	while (!found && (e = readdir(d))) {
		size_t n = 0;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		n = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
		found = memmem(text, n, word, strlen(word)) != NULL;
	}
	closedir(d);
	return found;
}

static bool is_gone(void *ctx)
{
	return !is_running(ctx);
}

static bool is_there(void *ctx)
{
	return is_running(ctx);
}

/* At its timeout an agent is killed with its children: status -1, which proves nothing. */
static void timeout(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char *slow = kit_path(f->dir, "fence_slow");

	write_agent(f, "fence_slow", "sh -c 'sleep 61; : '$0; exit 0");
	assert_int_equal(run(f, "fence_slow", "off", 300 * US_PER_MS, &r), -1);
	assert_string_equal(r.why, "killed at its timeout");
	kit_loop_until(f->loop, is_gone, slow, LIMIT_S, "the agent's children's end");
	mem_freep(&slow);
}

static void killed_by_somebody(void **state)
{
	struct fixture *f = *state;
	struct result r;

	write_agent(f, "fence_dies", "kill -9 $$");
	assert_int_equal(run(f, "fence_dies", "off", US_PER_S * 10, &r), -1);
	assert_true(r.why[0]);
}

/* GLib gives its poll function no context. */
static struct {
	char *closed, *go;
	struct env env;
	struct mono asleep; /* when it went to sleep too late */
} race;

/*
 * Once nothing is left to be handled and the agent has closed its output, goes to sleep only when
 * it has ended and its SIGCHLD is over: what can happen at any time by bad luck.
 */
static gint sleep_too_late(GPollFD *fds, guint n, gint timeout_ms)
{
	gint ready = g_poll(fds, n, 0);
	siginfo_t info;

	if (ready != 0 || timeout_ms == 0 || access(race.closed, F_OK) < 0)
		return ready;
	kit_write(race.go, "");
	while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	race.asleep = env_now(&race.env);
	return g_poll(fds, n, timeout_ms);
}

static void quit_when_called(void *ctx, int exit_status, const char *why)
{
	struct fixture *f = ctx;

	(void)why;
	assert_int_equal(exit_status, 2);
	loop_quit(f->loop);
}

static void give_up(void *ctx)
{
	struct fixture *f = ctx;

	loop_quit(f->loop);
}

/* Then the end is noticed all the same, at once: a lost node's guests are waiting for it. */
static void end_just_before_the_loop_sleeps(void **state)
{
	struct fixture *f = *state;
	struct fence_call c = call_of("fence_race", "status", 10 * US_PER_S);
	struct env_timer *limit = NULL;

	race.env = f->env;
	race.closed = kit_path(f->dir, "closed");
	race.go = kit_path(f->dir, "go");
	write_agent(
		f, "fence_race",
		"exec >/dev/null 2>&1; : > $d/closed; while [ ! -e $d/go ]; do :; done; exit 2");
	g_main_context_set_poll_func(NULL, sleep_too_late);
	env_timer(&f->env, &limit, LIMIT_S * US_PER_S, give_up, f);
	assert_int_equal(f->runner.ops->call(f->runner.runner, &c, quit_when_called, f, NULL), 0);
	loop_run(f->loop); /* with no timer of the kit's, which would wake it */
	env_cancel(&f->env, &limit);
	g_main_context_set_poll_func(NULL, NULL);
	assert_true(race.asleep.us > 0);
	assert_true(mono_diff_us(env_now(&f->env), race.asleep) < 250 * US_PER_MS);
	mem_freep(&race.closed);
	mem_freep(&race.go);
}

/* Several at once do not wait for each other: a dead device must not hold up the next. */
static void side_by_side(void **state)
{
	struct fixture *f = *state;
	struct fence_call slow = call_of("fence_slow", "off", 60 * US_PER_S);
	struct result r, s = { 0 };

	write_agent(f, "fence_slow", "exec sleep 62");
	write_agent(f, "fence_quick", "exit 0");
	assert_int_equal(start(f, &slow, &s), 0);
	assert_int_equal(run(f, "fence_quick", "off", US_PER_S * 10, &r), 0);
	assert_int_equal(s.calls, 0);
	f->runner.ops->cancel(f->runner.runner, &s);
}

/* A cancelled agent is ended, whoever started it is not called; the same for all when the runner
 * goes. */
static void cancelled(void **state)
{
	struct fixture *f = *state;
	struct fence_call c = call_of("fence_slow", "off", 60 * US_PER_S);
	struct result a = { 0 }, b = { 0 };
	char *slow = kit_path(f->dir, "fence_slow");

	write_agent(f, "fence_slow", "sh -c 'sleep 63; : '$0; exit 0");
	assert_int_equal(start(f, &c, &a), 0);
	assert_int_equal(start(f, &c, &b), 0);
	kit_loop_until(f->loop, is_there, slow, LIMIT_S, "the agent's start");
	f->runner.ops->cancel(f->runner.runner, &a);
	pcmk_runner_free(&f->runner);
	kit_loop_until(f->loop, is_gone, slow, LIMIT_S, "the agents' end");
	assert_int_equal(a.calls + b.calls, 0);
	mem_freep(&slow);
}

/* At once after the start the process group may not exist yet: it must be killed all the same. */
static void cancelled_at_once(void **state)
{
	struct fixture *f = *state;
	struct fence_call c = call_of("fence_slow", "off", 60 * US_PER_S);
	struct result r = { 0 };
	char *slow = kit_path(f->dir, "fence_slow");

	write_agent(f, "fence_slow", "sh -c 'sleep 64; : '$0; exit 0");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(start(f, &c, &r), 0);
		f->runner.ops->cancel(f->runner.runner, &r);
	}
	kit_loop_until(f->loop, is_gone, slow, LIMIT_S, "the agents' end");
	assert_int_equal(r.calls, 0);
	mem_freep(&slow);
}

static int look(struct fixture *f, const char *agent)
{
	struct err err = { 0 };
	int rc = f->runner.ops->look(f->runner.runner, agent, &err);

	assert_int_equal(err.code, rc);
	assert_true(rc == 0 || err.text[0]);
	return rc;
}

/* What is no agent in the agents' folder is not run, nor is it told to be one. */
static void not_an_agent(void **state)
{
	static const char *const bad[] = { "fence_",    "sh", "../bin/sh", "fence_x/../../bin/sh",
					   "fence_x y", "" };
	static const struct fence_param secret = { "passwd", "lrm://" };
	struct fixture *f = *state;
	struct result r = { 0 };
	struct fence_call c;
	char *path = kit_path(f->dir, "fence_plain");

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		c = call_of(bad[i], "off", US_PER_S);
		assert_int_equal(start(f, &c, &r), -EINVAL);
		assert_int_equal(look(f, bad[i]), -EINVAL);
	}
	assert_int_equal(look(f, "fence_missing"), -ENOENT);
	c = call_of("fence_missing", "off", US_PER_S);
	assert_int_equal(start(f, &c, &r), -ENOENT);
	assert_non_null(strstr(r.err.text, "fence_missing"));
	kit_write(path, "not executable");
	c = call_of("fence_plain", "off", US_PER_S);
	assert_int_equal(start(f, &c, &r), -EACCES);
	assert_int_equal(look(f, "fence_plain"), -EACCES);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(look(f, "fence_plain"), 0);
	c.params = &secret;
	c.n_params = 1;
	assert_int_equal(start(f, &c, &r), -EINVAL);
	assert_int_equal(r.calls, 0);
	mem_freep(&path);
}

/* An executable that the kernel does not know ends with a status that is neither success nor "off".
 */
static void not_executable_after_all(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char *path = kit_path(f->dir, "fence_odd");

	kit_write(path, "#!/nonexistent/interpreter\n");
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_not_equal(run(f, "fence_odd", "status", US_PER_S * 5, &r), 0);
	assert_int_not_equal(r.status, 2);
	mem_freep(&path);
}

static void on_proof(void *ctx, const struct err *err)
{
	struct result *r = ctx;

	r->calls++;
	r->err = *err;
}

/* The whole of it: a device with a memory is switched off, asked, and switched on again. */
static void a_device(void **state)
{
	struct fixture *f = *state;
	struct fence_request request = { .agent = "fence_switch",
					 .timeout_us = 10 * US_PER_S,
					 .power_on_after = true };
	struct result r = { 0 };
	char *log = kit_path(f->dir, "log"), *text = NULL;
	struct mono deadline;

	write_agent(f, "fence_switch",
		    "a=$(sed -n s/^action=//p); printf '%s ' $a >> $d/log\n"
		    "case $a in off) : > $d/isoff;; on) rm $d/isoff;; status) [ -e $d/isoff ] && "
		    "exit 2;; esac; exit 0");
	assert_non_null(fence_start(&f->env, &f->runner, &request, on_proof, &r, &r.err));
	kit_loop_until(f->loop, is_called, &r, LIMIT_S, "the proof");
	assert_int_equal(r.err.code, 0);
	deadline = mono_add(env_now(&f->env), LIMIT_S * US_PER_S);
	do {
		mem_freep(&text);
		text = kit_read(log);
		assert_true(mono_diff_us(deadline, env_now(&f->env)) > 0);
	} while (strcmp(text, "off status on ") != 0);
	mem_freep(&text);
	mem_freep(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exit_statuses, setup, teardown),
		cmocka_unit_test_setup_teardown(input_of_an_agent, setup, teardown),
		cmocka_unit_test_setup_teardown(input_that_nobody_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_by_somebody, setup, teardown),
		cmocka_unit_test_setup_teardown(end_just_before_the_loop_sleeps, setup, teardown),
		cmocka_unit_test_setup_teardown(side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(not_an_agent, setup, teardown),
		cmocka_unit_test_setup_teardown(not_executable_after_all, setup, teardown),
		cmocka_unit_test_setup_teardown(a_device, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
