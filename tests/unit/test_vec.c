/* SPDX-License-Identifier: Apache-2.0
 * Growable arrays: elements survive growth, removal keeps the order, any type fits. */
#include "kit/kit.h"

#include "base/vec.h"

struct pair {
	int a;
	char b[13];
};

static void test_grows_and_keeps(void **state)
{
	VEC(int) numbers = {0};
	int *p;
	int want = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		vec_push(&numbers, i);
	assert_int_equal(numbers.n, 1000);
	vec_each(p, &numbers)
		assert_int_equal(*p, want++);
	assert_int_equal(want, 1000);
	vec_clear(&numbers);
	assert_int_equal(numbers.n, 0);
	assert_true(numbers.cap >= 1000);
	vec_free(&numbers);
	assert_null(numbers.v);
	assert_int_equal(numbers.cap, 0);
	vec_free(&numbers);
}

/* First, last and middle. */
static void test_remove_keeps_order(void **state)
{
	VEC(char) text = {0};

	(void)state;
	for (char c = 'a'; c <= 'e'; c++)
		vec_push(&text, c);
	vec_remove(&text, 2);
	vec_remove(&text, 0);
	vec_remove(&text, 2);
	assert_int_equal(text.n, 2);
	assert_memory_equal(text.v, "bd", 2);
	vec_free(&text);
}

/* vec_add gives a zeroed element even where an older one stood; a literal can be pushed. */
static void test_structs(void **state)
{
	VEC(struct pair) pairs = {0};

	(void)state;
	vec_push(&pairs, (struct pair){ .a = 1, .b = "one" });
	vec_clear(&pairs);
	assert_int_equal(vec_add(&pairs)->a, 0);
	vec_add(&pairs)->a = 7;
	assert_int_equal(pairs.n, 2);
	assert_string_equal(pairs.v[0].b, "");
	assert_int_equal(pairs.v[1].a, 7);
	vec_free(&pairs);
}

/* Walking over nothing. */
static void test_empty(void **state)
{
	VEC(int) none = {0};
	int *p;

	(void)state;
	vec_each(p, &none)
		fail();
	vec_free(&none);
}

/* One of equal elements goes, the first; one that is not there changes nothing. */
static void test_drop_by_value(void **state)
{
	VEC(int) v = { 0 };

	(void)state;
	vec_drop(&v, 1);
	for (int i = 0; i < 3; i++) {
		vec_push(&v, i);
		vec_push(&v, 7);
	}
	vec_drop(&v, 7);
	vec_drop(&v, 9);
	assert_int_equal(v.n, 5);
	assert_int_equal(v.v[0], 0);
	assert_int_equal(v.v[1], 1);
	assert_int_equal(v.v[2], 7);
	assert_int_equal(v.v[4], 7);
	vec_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_and_keeps),
		cmocka_unit_test(test_remove_keeps_order),
		cmocka_unit_test(test_drop_by_value),
		cmocka_unit_test(test_structs),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
