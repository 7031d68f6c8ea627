/* SPDX-License-Identifier: Apache-2.0
 * Memory: zeroed, owned by attribute, never too short; what cannot be met ends the process. */
#include "kit/kit.h"

#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_new_is_zeroed(void **state)
{
	_cleanup_(mem_freep) int64_t *p = mem_new(int64_t);

	(void)state;
	assert_int_equal(*p, 0);
}

/* Size 0 gives something that can be freed and is nobody else's. */
static void test_size_zero(void **state)
{
	_cleanup_(mem_freep) void *a = mem_alloc0(0);
	_cleanup_(mem_freep) void *b = mem_alloc0(0);

	(void)state;
	assert_non_null(a);
	assert_ptr_not_equal(a, b);
}

static void test_copies(void **state)
{
	_cleanup_(mem_freep) char *whole = mem_strdup("domus");
	_cleanup_(mem_freep) char *part = mem_strndup("domus", 3);
	_cleanup_(mem_freep) char *all = mem_strndup("domus", 99);
	_cleanup_(mem_freep) void *bytes = mem_dup("a\0b", 3);

	(void)state;
	assert_string_equal(whole, "domus");
	assert_string_equal(part, "dom");
	assert_string_equal(all, "domus");
	assert_memory_equal(bytes, "a\0b", 3);
	assert_null(mem_strdup(NULL));
	assert_null(mem_strndup(NULL, 3));
}

/* TAKE_PTR gives a pointer away: its cleanup does nothing then. */
static char *make_text(void)
{
	_cleanup_(mem_freep) char *text = mem_strdup("kept");

	return TAKE_PTR(text);
}

static void test_take_ptr(void **state)
{
	char *text = make_text();
	char *taken = TAKE_PTR(text);

	(void)state;
	assert_null(text);
	assert_string_equal(taken, "kept");
	mem_freep(&taken);
	assert_null(taken);
	mem_freep(&taken);
}

/* Too long is an error, and then nothing is copied. */
static void test_strcpy(void **state)
{
	char small[4] = "old";

	(void)state;
	assert_int_equal(STRCPY(small, "four"), -ENAMETOOLONG);
	assert_string_equal(small, "old");
	assert_int_equal(STRCPY(small, "new"), 0);
	assert_string_equal(small, "new");
	assert_int_equal(STRCPY(small, ""), 0);
	assert_string_equal(small, "");
}

/* In a child, which must abort: a multiplication that overflows must not give a short block. */
static void test_overflow_aborts(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		free(mem_resize(NULL, SIZE_MAX / 2, 4));
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_is_zeroed), cmocka_unit_test(test_size_zero),
		cmocka_unit_test(test_copies),	      cmocka_unit_test(test_take_ptr),
		cmocka_unit_test(test_strcpy),	      cmocka_unit_test(test_overflow_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
