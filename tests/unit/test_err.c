/* SPDX-License-Identifier: Apache-2.0
 * Errors: the code comes back, the text is one line that fits and is valid UTF-8. */
#include "kit/kit.h"

#include "base/err.h"

#include <string.h>

/* A failing function can end with return err_set(...), with or without someone who listens. */
static void test_gives_the_code_back(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, -ENOENT, "volume %s: not there, create it first", "a"),
			 -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "volume a: not there, create it first");
	assert_int_equal(err_set(NULL, -EIO, "nobody listens"), -EIO);
}

/* A text that is too long is cut, and never inside a character: each cut is tried. */
static void test_cuts_between_characters(void **state)
{
	static const char *const characters[] = { "x", "\xc3\xa4", "\xe2\x82\xac",
						  "\xf0\x9f\x90\x91" };

	(void)state;
	for (size_t c = 0; c < 4; c++) {
		for (int shift = 0; shift < 5; shift++) {
			char text[2 * ERR_TEXT_MAX + 8] = "";
			struct err err;
			size_t size = strlen(characters[c]);

			memset(text, 'a', (size_t)shift);
			while (strlen(text) < ERR_TEXT_MAX + 4)
				strcat(text, characters[c]);
			err_set(&err, -EINVAL, "%s", text);
			assert_true(strlen(err.text) <= ERR_TEXT_MAX - 1);
			assert_true(strlen(err.text) > ERR_TEXT_MAX - 1 - size);
			assert_int_equal((strlen(err.text) - (size_t)shift) % size, 0);
			assert_memory_equal(err.text, text, strlen(err.text));
		}
	}
}

/* A text that just fits is not cut, whatever its last character is. */
static void test_keeps_what_fits(void **state)
{
	char text[ERR_TEXT_MAX];
	struct err err;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(text) - 5, "\xf0\x9f\x90\x91", 5);
	err_set(&err, -EINVAL, "%s", text);
	assert_string_equal(err.text, text);
}

/* What a child wrote may hold several lines: they become one. */
static void test_is_one_line(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, -EIO, "lvs: %s", "first\nsecond\tthird\x7f\x1b");
	assert_string_equal(err.text, "lvs: first second third  ");
}

/* A caller adds what it was about; a text may be built from itself. */
static void test_prefix(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, -EIO, "no answer");
	assert_int_equal(err_prefix(&err, "guest web1"), -EIO);
	assert_string_equal(err.text, "guest web1: no answer");
	err_set(&err, -EAGAIN, "again: %s", err.text);
	assert_string_equal(err.text, "again: guest web1: no answer");
	assert_int_equal(err_prefix(NULL, "guest web1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives_the_code_back),
		cmocka_unit_test(test_cuts_between_characters),
		cmocka_unit_test(test_keeps_what_fits),
		cmocka_unit_test(test_is_one_line),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
