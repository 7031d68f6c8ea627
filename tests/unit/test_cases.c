/* SPDX-License-Identifier: Apache-2.0
 * All cases of tests/sim/cases: every promise is kept, and the story is the one that is written there.
 * `make golden` writes the stories anew: look at the difference. */
#include "kit/kit.h"

#include "base/mem.h"
#include "explore/case.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CASES "tests/sim/cases"

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* One sentence for people: one line that ends with a full stop. */
static void assert_has_sentence(const char *dir)
{
	_cleanup_(mem_freep) char *path = kit_path(dir, "README");
	_cleanup_(mem_freep) char *text = kit_read(path);
	size_t len = strlen(text);

	if (len < 3 || strchr(text, '\n') != text + len - 1 || text[len - 2] != '.')
		fail_msg("%s: not one sentence", path);
}

static void play(const char *name, bool update, size_t *failed)
{
	_cleanup_(mem_freep) char *dir = kit_path(CASES, name);
	struct err err = { 0 };

	assert_has_sentence(dir);
	if (case_play(dir, update, &err) == 0)
		return;
	print_error("%s\n", err.text);
	++*failed;
}

static void test_cases(void **state)
{
	bool update = getenv("DOMUS_GOLDEN_UPDATE") != NULL;
	struct dirent **entries;
	int n = scandir(CASES, &entries, is_case, alphasort);
	size_t failed = 0;

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		play(entries[i]->d_name, update, &failed);
		free(entries[i]);
	}
	free(entries);
	if (failed)
		fail_msg("%zu cases of %d (make golden writes their stories anew)", failed, n);
}

/* A case whose story is another, whose promise is broken, or that is none, is told apart. */
static void test_bad_cases(void **state)
{
	char *dir = kit_mkdir(), *script = kit_path(dir, "script"), *expected = kit_path(dir, "log.expect");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(case_play(dir, false, &err), -EIO);
	kit_write(script, "nonsense\n");
	assert_int_equal(case_play(dir, false, &err), -EINVAL);
	kit_write(script, "guests 1\n0.000 heal\n");
	kit_write(expected, "another story\n");
	assert_int_equal(case_play(dir, false, &err), -ESTALE);
	assert_int_equal(case_play(dir, true, &err), 0);
	assert_int_equal(case_play(dir, false, &err), 0);
	free(script);
	free(expected);
	kit_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_bad_cases) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
