/* SPDX-License-Identifier: Apache-2.0
 * The accelerator: the little guest comes through where a stock one would, an answer is given
 * exactly once and kept for this boot, and what cannot be run is no KVM. */
#include "kit/kit.h"

#include "base/loop.h"
#include "base/mem.h"
#include "hypervisor/accel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QEMU    "/usr/bin/qemu-system-x86_64"
#define LIMIT_S 30

struct fixture {
	struct loop *loop;
	struct env env;
	struct child_runner *runner;
	struct children children;
	char *dir;
	unsigned int answers;
	enum accel accel;
	char why[128];
	int status;
};

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	f->loop = loop_new();
	f->env = loop_env(f->loop);
	f->runner = child_runner_new(f->loop);
	f->children = child_runner_children(f->runner);
	f->dir = kit_mkdir();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	child_runner_free(f->runner);
	loop_free(f->loop);
	kit_rmdir(f->dir);
	free(f);
	return 0;
}

static void on_answer(void *ctx, enum accel accel, const char *why)
{
	struct fixture *f = ctx;

	f->answers++;
	f->accel = accel;
	mem_strcpy(f->why, sizeof(f->why), why);
}

static void on_end(void *ctx, const struct child_end *end)
{
	struct fixture *f = ctx;

	f->answers++;
	f->status = end->status;
}

static bool answered(void *ctx)
{
	return ((struct fixture *)ctx)->answers > 0;
}

static struct accel_probe *start(struct fixture *f, const char *binary)
{
	struct accel_probe *probe = NULL;
	struct err err = { 0 };

	f->answers = 0;
	if (accel_probe_start(f->dir, binary, &f->env, &f->children, on_answer, f, &probe, &err) <
	    0)
		fail_msg("%s", err.text);
	assert_int_equal(f->answers, 0);
	return probe;
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < ACCEL_MAX; i++)
		assert_int_equal(accel_parse(accel_text(i)), i);
}

/* TCG runs anything: if the guest is right, it ends with its own status there. */
static void test_guest(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *firmware = kit_path(f->dir, "guest.bin");
	const char *argv[20];
	struct child_spec spec = { .argv = argv, .deadline_us = 20 * US_PER_S };
	struct child *child;
	struct err err;

	if (access(QEMU, X_OK) < 0)
		skip();
	assert_int_equal(accel_write_guest(firmware, &err), 0);
	accel_probe_argv(QEMU, ACCEL_TCG, firmware, argv);
	assert_int_equal(f->children.ops->spawn(f->children.ctx, &spec, on_end, f, &child, &err),
			 0);
	kit_loop_until(f->loop, answered, f, LIMIT_S, "the guest's end");
	assert_int_equal(f->status, ACCEL_RAN);
}

/* Whatever the answer is here, it is given once, kept, and given again without a run. */
static void test_kept(void **state)
{
	struct fixture *f = *state;
	enum accel first;

	start(f, QEMU);
	kit_loop_until(f->loop, answered, f, LIMIT_S, "the answer");
	assert_int_equal(f->answers, 1);
	first = f->accel;
	assert_true(first == ACCEL_KVM || first == ACCEL_TCG);
	print_message("%s: %s\n", accel_text(first), f->why);
	start(f, "/nonexistent");
	kit_loop_until(f->loop, answered, f, LIMIT_S, "the kept answer");
	assert_int_equal(f->accel, first);
	assert_non_null(strstr(f->why, "earlier"));
}

/* What is kept may have been damaged: then it is found out anew. */
static void test_damaged(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *kept = kit_path(f->dir, "accel");

	kit_write(kept, "auto\nkvm");
	start(f, QEMU);
	kit_loop_until(f->loop, answered, f, LIMIT_S, "the answer");
	assert_null(strstr(f->why, "earlier"));
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *firmware = kit_path(f->dir, "accel-probe.bin");

	accel_probe_cancel(start(f, QEMU));
	accel_probe_cancel(NULL);
	assert_int_equal(access(firmware, F_OK), -1);
}

int main(void)
{
#define ACCEL_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), ACCEL_TEST(test_guest),  ACCEL_TEST(test_kept),
		ACCEL_TEST(test_damaged),     ACCEL_TEST(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
