/* SPDX-License-Identifier: Apache-2.0
 * Identities: version 4 UUIDs whose text form is read back, and nothing else is. */
#include "kit/kit.h"

#include "base/id.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

static void test_random(void **state)
{
	_cleanup_(venv_freep) struct venv *v = venv_new(1);
	struct env env = venv_env(v);
	struct id a = id_random(&env), b = id_random(&env);
	char text[ID_TEXT_SIZE];

	(void)state;
	assert_false(id_equal(&a, &b));
	assert_false(id_is_none(&a));
	id_text(&a, text);
	assert_int_equal(strlen(text), ID_TEXT_SIZE - 1);
	assert_int_equal(text[14], '4');
	assert_non_null(strchr("89ab", text[19]));
}

static void test_round_trip(void **state)
{
	static const char lower[] = "00112233-4455-6677-8899-aabbccddeeff";
	static const char upper[] = "00112233-4455-6677-8899-AABBCCDDEEFF";
	struct id a, b;
	char text[ID_TEXT_SIZE];

	(void)state;
	assert_int_equal(id_parse(lower, &a), 0);
	assert_int_equal(id_parse(upper, &b), 0);
	assert_true(id_equal(&a, &b));
	assert_string_equal(id_text(&b, text), lower);
}

/* A failed parse leaves the result alone. */
static void test_bad_texts(void **state)
{
	static const char *const bad[] = {
		"",
		"0",
		"00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeeff0",
		"00112233-4455-6677-8899-aabbccddeeff ",
		" 00112233-4455-6677-8899-aabbccddeeff",
		"00112233445566778899aabbccddeeff",
		"00112233-4455-6677-8899_aabbccddeeff",
		"0011223g-4455-6677-8899-aabbccddeeff",
		"{00112233-4455-6677-8899-aabbccddeeff}",
		"00112233-4455-6677-8899-",
	};
	struct id before = { .b = { 1, 2, 3 } }, id = before;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(id_parse(bad[i], &id), -EINVAL);
		assert_true(id_equal(&id, &before));
	}
}

static void test_compare(void **state)
{
	struct id none = {0}, small = { .b = { [15] = 1 } }, big = { .b = { 0x80 } };

	(void)state;
	assert_true(id_is_none(&none));
	assert_true(id_compare(&small, &big) < 0);
	assert_true(id_compare(&big, &small) > 0);
	assert_int_equal(id_compare(&big, &big), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bad_texts),
		cmocka_unit_test(test_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
