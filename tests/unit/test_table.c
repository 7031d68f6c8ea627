/* SPDX-License-Identifier: Apache-2.0
 * Enum tables: each name parses to its value; what has no name is "?" and does not parse. */
#include "kit/kit.h"

#include "base/table.h"

enum colour { COLOUR_RED, COLOUR_UNNAMED, COLOUR_BLUE, COLOUR_MAX, COLOUR_INVALID = -1 };

TABLE_DECLARE(colour, enum colour);

static const char *const colour_names[COLOUR_MAX] = {
	[COLOUR_RED] = "red",
	[COLOUR_BLUE] = "blue",
};
TABLE_DEFINE(colour, enum colour, COLOUR_MAX)

static void test_round_trip(void **state)
{
	(void)state;
	assert_int_equal(colour_parse(colour_text(COLOUR_RED)), COLOUR_RED);
	assert_int_equal(colour_parse(colour_text(COLOUR_BLUE)), COLOUR_BLUE);
}

static void test_unknown(void **state)
{
	(void)state;
	assert_string_equal(colour_text(COLOUR_UNNAMED), "?");
	assert_string_equal(colour_text(COLOUR_MAX), "?");
	assert_string_equal(colour_text(COLOUR_INVALID), "?");
	assert_int_equal(colour_parse("green"), COLOUR_INVALID);
	assert_int_equal(colour_parse("Red"), COLOUR_INVALID);
	assert_int_equal(colour_parse(""), COLOUR_INVALID);
	assert_int_equal(colour_parse("?"), COLOUR_INVALID);
	assert_int_equal(colour_parse(NULL), COLOUR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
