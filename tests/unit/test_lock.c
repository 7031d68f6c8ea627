/* SPDX-License-Identifier: Apache-2.0
 * The lock of a folder: one holder, who is named to all others, and none once it is let go. */
#include "kit/kit.h"

#include "base/lock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
	*state = kit_mkdir();
	return 0;
}

static int tear_down(void **state)
{
	kit_rmdir(*state);
	return 0;
}

/* The second one is refused, with the pid of the first; it has the lock as soon as that lets go. */
static void test_one_holder(void **state)
{
	char expected[200];
	struct err err = { 0 };
	int first = lock_take(*state, "lock", &err), again;

	assert_true(first >= 0);
	assert_int_equal(lock_take(*state, "lock", &err), -EBUSY);
	snprintf(expected, sizeof(expected),
		 "%s: in use by another domus-agentd, pid %d; stop that one first",
		 (const char *)*state, (int)getpid());
	assert_string_equal(err.text, expected);
	close(first);
	again = lock_take(*state, "lock", &err);
	assert_true(again >= 0);
	close(again);
}

/* Locks of one folder with different names have nothing to do with each other. */
static void test_names(void **state)
{
	int one = lock_take(*state, "one", NULL), other = lock_take(*state, "other", NULL);

	assert_true(one >= 0);
	assert_true(other >= 0);
	close(one);
	close(other);
}

/* A file that an earlier holder left is no lock, and what stands in it is not believed. */
static void test_leftover(void **state)
{
	_cleanup_(mem_freep) char *path = kit_path(*state, "lock"), *text = NULL;
	struct err err = { 0 };
	char pid[32];
	int fd;

	kit_write(path, "1234567890 and more\n");
	fd = lock_take(*state, "lock", &err);
	assert_true(fd >= 0);
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	text = kit_read(path);
	assert_string_equal(text, pid);
	kit_write(path, "nonsense\n");
	assert_int_equal(lock_take(*state, "lock", &err), -EBUSY);
	assert_non_null(strstr(err.text, "in use by another domus-agentd; stop that one first"));
	close(fd);
}

/* What stands in the way is named. */
static void test_no_folder(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(lock_take("/nonexistent", "lock", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/lock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_holder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leftover, set_up, tear_down),
		cmocka_unit_test(test_no_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
