/* SPDX-License-Identifier: Apache-2.0
 * Children: what they get (descriptors, signals, environment), how their end is told, and
 * that none is left over. */
#include "kit/kit.h"

#include "base/child.h"
#include "base/loop.h"
#include "base/mem.h"

#include <fcntl.h>
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
	struct child_runner *runner;
	struct children children;
};

/* What was told about a child's end. */
struct told {
	bool done;
	int calls;
	struct child_end end;
	char *out, *err;
};

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	f->loop = loop_new();
	f->runner = child_runner_new(f->loop);
	f->children = child_runner_children(f->runner);
	*state = f;
	return 0;
}

/* No child may be left, running or unreaped. */
static int tear_down(void **state)
{
	struct fixture *f = *state;

	child_runner_free(f->runner);
	loop_free(f->loop);
	free(f);
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static void note_end(void *ctx, const struct child_end *end)
{
	struct told *t = ctx;

	t->done = true;
	t->calls++;
	t->end = *end;
	t->out = mem_strndup(end->out, end->out_len);
	t->err = mem_strndup(end->err, end->err_len);
}

static void told_free(struct told *t)
{
	mem_freep(&t->out);
	mem_freep(&t->err);
}

static bool is_done(void *ctx)
{
	return ((struct told *)ctx)->done;
}

static struct child *spawn(struct fixture *f, const struct child_spec *spec, struct told *t)
{
	struct child *child = NULL;
	struct err err = {0};

	assert_int_equal(
		f->children.ops->spawn(f->children.ctx, spec, note_end, t, &child, &err), 0);
	assert_non_null(child);
	assert_false(t->done);
	return child;
}

static void run(struct fixture *f, const struct child_spec *spec, struct told *t)
{
	spawn(f, spec, t);
	kit_loop_until(f->loop, is_done, t, LIMIT_S, spec->argv[0]);
	assert_int_equal(t->calls, 1);
}

static void run_shell(struct fixture *f, const char *script, struct told *t)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };

	run(f, &(struct child_spec){ .argv = argv }, t);
}

static void test_status_and_output(void **state)
{
	_cleanup_(told_free) struct told t = {0};

	run_shell(*state, "echo out; echo err >&2; exit 7", &t);
	assert_int_equal(t.end.status, 7);
	assert_int_equal(t.end.signo, 0);
	assert_false(t.end.timed_out);
	assert_string_equal(t.out, "out\n");
	assert_string_equal(t.err, "err\n");
}

static void test_signal_ends_it(void **state)
{
	_cleanup_(told_free) struct told t = {0};

	run_shell(*state, "kill -KILL $$", &t);
	assert_int_equal(t.end.status, -1);
	assert_int_equal(t.end.signo, SIGKILL);
	assert_false(t.end.timed_out);
}

/* Input reaches it whole, even more than a pipe holds; without input there is an end at once. */
static void test_input(void **state)
{
	const char *argv[] = { "/usr/bin/wc", "-c", NULL };
	_cleanup_(told_free) struct told big = {0}, none = {0};
	_cleanup_(mem_freep) char *input = mem_alloc0(300001);

	memset(input, 'x', 300000);
	run(*state, &(struct child_spec){ .argv = argv, .input = input }, &big);
	assert_string_equal(big.out, "300000\n");
	run(*state, &(struct child_spec){ .argv = argv }, &none);
	assert_string_equal(none.out, "0\n");
}

/* Output beyond 64 KiB is dropped, and the child is not held up by it. */
static void test_output_is_cut(void **state)
{
	_cleanup_(told_free) struct told t = {0};

	run_shell(*state, "head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2", &t);
	assert_int_equal(t.end.status, 0);
	assert_int_equal(t.end.out_len, 65536);
	assert_string_equal(t.err, "end\n");
}

/* PATH and LANG only; folder "/"; a session of its own. */
static void test_surroundings(void **state)
{
	_cleanup_(told_free) struct told env = {0}, dir = {0}, session = {0};
	const char *argv[] = { "/usr/bin/env", NULL };

	setenv("DOMUS_SECRET", "x", 1);
	run(*state, &(struct child_spec){ .argv = argv }, &env);
	assert_non_null(strstr(env.out, "LANG=C\n"));
	assert_non_null(strstr(env.out, "PATH="));
	assert_null(strstr(env.out, "DOMUS_SECRET"));
	run_shell(*state, "pwd", &dir);
	assert_string_equal(dir.out, "/\n");
	run_shell(*state, "read -r _ _ _ _ _ sid _ < /proc/self/stat; test $sid = $$", &session);
	assert_int_equal(session.end.status, 0);
}

/* 32 and 33 are the C library's own: nobody can set them, and whoever started us may ignore them. */
#define SETTABLE(mask) ((mask) & ~UINT64_C(0x180000000))

static uint64_t signal_set(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	assert_non_null(line);
	return SETTABLE(strtoull(line + strlen(name), NULL, 16));
}

/* The agent ignores SIGPIPE and may block others: its children must not inherit that. */
static void test_default_signals(void **state)
{
	_cleanup_(told_free) struct told t = {0};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	run_shell(*state, "cat /proc/self/status", &t);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	assert_int_equal(signal_set(t.out, "SigBlk:"), 0);
	assert_int_equal(signal_set(t.out, "SigIgn:"), 0);
}

/* Those given become 3, 4, 5 in their order, whatever number they had, even crossed over. */
static void test_descriptors(void **state)
{
	struct fixture *f = *state;
	_cleanup_(told_free) struct told t = {0};
	const char *argv[] = { "/bin/sh", "-c", "cat <&3; cat <&4; cat <&5", NULL };
	_cleanup_(mem_freep) char *dir = kit_mkdir();
	int fds[3], low[3];

	for (int i = 0; i < 3; i++) {
		_cleanup_(mem_freep) char *path = kit_path(dir, i == 0 ? "a" : i == 1 ? "b" : "c");

		kit_write(path, i == 0 ? "A" : i == 1 ? "B" : "C");
		fds[i] = open(path, O_RDONLY);
		assert_true(fds[i] >= 0);
	}
	/* Lowest numbers last, so that each target is another one's source. */
	low[0] = fds[2], low[1] = fds[0], low[2] = fds[1];
	run(f, &(struct child_spec){ .argv = argv, .fds = low, .n_fds = 3 }, &t);
	assert_string_equal(t.out, "CAB");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	kit_rmdir(TAKE_PTR(dir));
}

/* All other descriptors are closed in the child, also those that are not close-on-exec. */
static void test_no_other_descriptors(void **state)
{
	static const char script[] = "for i in 3 4 5 6 7 8 9 200; do\n"
				     "test -e /proc/$$/fd/$i && echo $i; done; exit 0";
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	_cleanup_(told_free) struct told t = {0};
	int high = dup2(STDIN_FILENO, 200), given = STDIN_FILENO;

	assert_int_equal(high, 200);
	run(*state, &(struct child_spec){ .argv = argv, .fds = &given, .n_fds = 1 }, &t);
	assert_string_equal(t.out, "3\n");
	close(high);
}

/* Whether the process runs; a zombie, which init may reap late, does not. */
static bool runs(pid_t pid)
{
	char path[64], stat[512] = "";
	const char *after_name;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		n = read(fd, stat, sizeof(stat) - 1);
		close(fd);
	}
	after_name = n > 0 ? strrchr(stat, ')') : NULL;
	return after_name && after_name[2] != 'Z' && after_name[2] != 'X';
}

static bool is_gone(void *ctx)
{
	return !runs(*(pid_t *)ctx);
}

/* At its deadline the whole group goes, also what ignores polite signals. */
static void test_deadline(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = { "/bin/sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait", NULL };
	_cleanup_(told_free) struct told t = {0};
	pid_t background;

	run(f, &(struct child_spec){ .argv = argv, .deadline_us = 100 * US_PER_MS }, &t);
	assert_true(t.end.timed_out);
	assert_int_equal(t.end.signo, SIGKILL);
	background = atoi(t.out);
	assert_true(background > 1);
	kit_loop_until(f->loop, is_gone, &background, LIMIT_S, "the group's other process");
}

/* The end is the process's own: what stays in the background with its output is not waited for. */
static void test_background_is_not_waited_for(void **state)
{
	_cleanup_(told_free) struct told t = {0};
	pid_t background;

	run_shell(*state, "sleep 1000 & echo $!", &t);
	assert_int_equal(t.end.status, 0);
	background = atoi(t.out);
	assert_true(background > 1);
	assert_int_equal(kill(background, SIGKILL), 0);
}

/* After cancel nothing is told, and the child is gone. */
static void test_cancel(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = { "/bin/sleep", "1000", NULL };
	_cleanup_(told_free) struct told cancelled = {0}, other = {0};
	struct child *child = spawn(f, &(struct child_spec){ .argv = argv }, &cancelled);

	f->children.ops->cancel(f->children.ctx, child);
	run_shell(f, "exit 0", &other);
	assert_int_equal(cancelled.calls, 0);
}

/* The runner's end is its children's: tear_down finds none. */
static void test_free_ends_all(void **state)
{
	const char *argv[] = { "/bin/sleep", "1000", NULL };
	struct told t = {0};

	for (int i = 0; i < 5; i++)
		spawn(*state, &(struct child_spec){ .argv = argv }, &t);
	assert_int_equal(t.calls, 0);
}

static bool all_done(void *ctx)
{
	struct told *t = ctx;

	for (int i = 0; i < 20; i++)
		if (!t[i].done)
			return false;
	return true;
}

/* Many at once, each with its own answer. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	struct told t[20] = {0};
	const char *argv[] = { "/bin/sh", "-c", "read n; exit $n", NULL };

	for (int i = 0; i < 20; i++) {
		char number[] = { (char)('0' + i / 10), (char)('0' + i % 10), '\n', '\0' };

		spawn(f, &(struct child_spec){ .argv = argv, .input = number }, &t[i]);
	}
	kit_loop_until(f->loop, all_done, t, LIMIT_S, "twenty children");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(t[i].end.status, i);
		told_free(&t[i]);
	}
}

static void refused(struct fixture *f, const char *program, int code)
{
	const char *argv[] = { program, NULL };
	struct child_spec spec = { .argv = argv };
	struct child *child = NULL;
	struct told t = {0};
	struct err err = {0};

	assert_int_equal(f->children.ops->spawn(f->children.ctx, &spec, note_end, &t, &child, &err),
			 code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, program));
	assert_null(child);
}

/* What cannot be run is refused at once, by name. */
static void test_refused(void **state)
{
	_cleanup_(mem_freep) char *dir = kit_mkdir();
	_cleanup_(mem_freep) char *plain = kit_path(dir, "plain");

	kit_write(plain, "");
	refused(*state, "/nonexistent/program", -ENOENT);
	refused(*state, plain, -EACCES);
	refused(*state, "sh", -EINVAL);
	kit_rmdir(TAKE_PTR(dir));
}

/* What only turns out not to be a program when it is run ends with 127 and a text. */
static void test_not_a_program(void **state)
{
	_cleanup_(mem_freep) char *dir = kit_mkdir();
	_cleanup_(mem_freep) char *path = kit_path(dir, "program");
	const char *argv[] = { path, NULL };
	_cleanup_(told_free) struct told t = {0};

	kit_write(path, "#!/nonexistent/interpreter\n");
	assert_int_equal(chmod(path, 0755), 0);
	run(*state, &(struct child_spec){ .argv = argv }, &t);
	assert_int_equal(t.end.status, 127);
	assert_string_equal(t.err, "cannot run the program\n");
	kit_rmdir(TAKE_PTR(dir));
}

#define CHILD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHILD_TEST(test_status_and_output),
		CHILD_TEST(test_signal_ends_it),
		CHILD_TEST(test_input),
		CHILD_TEST(test_output_is_cut),
		CHILD_TEST(test_surroundings),
		CHILD_TEST(test_default_signals),
		CHILD_TEST(test_descriptors),
		CHILD_TEST(test_no_other_descriptors),
		CHILD_TEST(test_deadline),
		CHILD_TEST(test_background_is_not_waited_for),
		CHILD_TEST(test_cancel),
		CHILD_TEST(test_free_ends_all),
		CHILD_TEST(test_many),
		CHILD_TEST(test_refused),
		CHILD_TEST(test_not_a_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
