/* SPDX-License-Identifier: Apache-2.0
 * The map: compared with a plain array as its model through thousands of random steps. */
#include "kit/kit.h"

#include "base/map.h"
#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEYS 600

static void test_empty(void **state)
{
	_cleanup_(map_freep) struct map *m = map_new(NULL);
	struct map_iter it = {0};

	(void)state;
	assert_int_equal(map_count(m), 0);
	assert_null(map_get(m, "a"));
	assert_null(map_first(m));
	assert_null(map_last(m));
	assert_null(map_next(m, &it));
	assert_null(map_next(m, &it));
	assert_int_equal(map_remove(m, "a"), 0);
	map_free(NULL);
}

/* Order: bytes as unsigned, a beginning before what it begins, the empty key first. */
static void test_order_of_text(void **state)
{
	static const char *const sorted[] = { "", "a", "aa", "ab", "b", "\xc3\xa4" };
	_cleanup_(map_freep) struct map *m = map_new(NULL);
	struct map_iter it = {0};

	(void)state;
	for (size_t i = 6; i-- > 0;)
		map_put(m, sorted[i], (void *)sorted[i]);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(map_next(m, &it), sorted[i]);
	assert_null(map_next(m, &it));
	assert_string_equal(map_first(m), "");
	assert_string_equal(map_last(m), "\xc3\xa4");
}

/* Numbers stand in their own order, also beyond 32 bits. */
static void test_order_of_numbers(void **state)
{
	static const uint64_t sorted[] = { 0, 1, 255, 256, 65536, 1ULL << 40, UINT64_MAX };
	_cleanup_(map_freep) struct map *m = map_new(NULL);
	struct map_iter it = {0};

	(void)state;
	for (size_t i = 0; i < 7; i++)
		map_put_u64(m, sorted[(i * 3) % 7], (void *)&sorted[(i * 3) % 7]);
	for (size_t i = 0; i < 7; i++)
		assert_ptr_equal(map_next(m, &it), &sorted[i]);
	assert_ptr_equal(map_get_u64(m, 256), &sorted[3]);
	assert_int_equal(map_remove_u64(m, 256), 1);
	assert_null(map_get_u64(m, 256));
}

/* Who owns the values: put frees what it replaces (not the same value), remove and free the rest. */
static void test_frees_values(void **state)
{
	struct map *m = map_new(free);
	char *same = mem_strdup("same");

	(void)state;
	map_put(m, "a", mem_strdup("old"));
	map_put(m, "a", mem_strdup("new"));
	map_put(m, "b", same);
	map_put(m, "b", same);
	map_put(m, "c", mem_strdup("gone"));
	assert_int_equal(map_remove(m, "c"), 1);
	assert_string_equal(map_get(m, "a"), "new");
	assert_string_equal(map_get(m, "b"), "same");
	map_free(m);
}

/* The map must hold exactly what the model says, in order. */
static void compare(const struct map *m, const bool *model)
{
	struct map_iter it = {0};
	size_t count = 0;

	for (uintptr_t k = 1; k < KEYS; k++) {
		if (!model[k])
			continue;
		assert_ptr_equal(map_next(m, &it), (void *)k);
		count++;
	}
	assert_null(map_next(m, &it));
	assert_int_equal(map_count(m), count);
}

static void test_like_the_model(void **state)
{
	_cleanup_(map_freep) struct map *m = map_new(NULL);
	bool model[KEYS] = {0};
	unsigned int seed = 20260101;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		uintptr_t k = 1 + (uintptr_t)rand_r(&seed) % (KEYS - 1);

		/* Grows and shrinks in turns. */
		if (rand_r(&seed) % 100 < (step / 4000 % 2 ? 30 : 70)) {
			map_put_u64(m, k, (void *)k);
			model[k] = true;
		} else {
			assert_int_equal(map_remove_u64(m, k), model[k]);
			model[k] = false;
		}
		assert_int_equal(map_get_u64(m, k) != NULL, model[k]);
		if (step % 97 == 0)
			compare(m, model);
	}
	compare(m, model);
}

/* While walking, the entry just returned may go, and values may be replaced. */
static void test_remove_while_walking(void **state)
{
	_cleanup_(map_freep) struct map *m = map_new(NULL);
	struct map_iter it = {0};
	void *value;
	uintptr_t seen = 0;

	(void)state;
	for (uintptr_t k = 1; k <= 1000; k++)
		map_put_u64(m, k, (void *)k);
	while ((value = map_next(m, &it))) {
		assert_int_equal((uintptr_t)value, ++seen);
		if (seen % 3)
			assert_int_equal(map_remove_u64(m, seen), 1);
		else
			map_put_u64(m, seen, (void *)(seen + 5000));
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(map_count(m), 333);
	assert_int_equal((uintptr_t)map_first(m), 5003);
}

/* Another change while walking would be a use of freed memory: it ends the process instead. */
static void test_change_while_walking_aborts(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct map *m = map_new(NULL);
		struct map_iter it = {0};

		signal(SIGABRT, SIG_DFL);
		map_put(m, "a", m);
		map_put(m, "b", m);
		map_next(m, &it);
		map_put(m, "c", m);
		map_next(m, &it);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/*
 * Sorted input is the worst for a tree that does not balance: 100,000 keys would
 * take 5,000,000,000 comparisons, minutes, where a balanced one takes 2,000,000.
 */
static void test_sorted_input_stays_fast(void **state)
{
	_cleanup_(map_freep) struct map *m = map_new(NULL);
	clock_t start = clock();

	(void)state;
	for (uintptr_t k = 1; k <= 100000; k++)
		map_put_u64(m, k, (void *)k);
	for (uintptr_t k = 100000; k > 0; k--)
		assert_int_equal(map_remove_u64(m, k), 1);
	assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_order_of_text),
		cmocka_unit_test(test_order_of_numbers),
		cmocka_unit_test(test_frees_values),
		cmocka_unit_test(test_like_the_model),
		cmocka_unit_test(test_remove_while_walking),
		cmocka_unit_test(test_change_while_walking_aborts),
		cmocka_unit_test(test_sorted_input_stays_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
