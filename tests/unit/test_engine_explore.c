/* SPDX-License-Identifier: Apache-2.0
 * Whole clusters through random trouble: power cuts, split networks, agents that die, guests that die, orders at any node.
 * No promise is ever broken; and once the trouble is over, what is wanted is so everywhere, and nothing hangs.
 *
 *	DOMUS_SEEDS=N	so many seeds (default 60)	DOMUS_SEED=K	begin with this one, and print its trace when it fails */
#include "kit/kit.h"

#include "explore/apart.h"
#include "explore/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many nodes have a snapshot. */
static size_t explore(uint64_t seed)
{
	struct script script = { .seed = seed, .shape = { seed % 4 ? 3 : 5, 4, script_log_entries(seed) } };
	bool show = getenv("DOMUS_SEED") && !getenv("DOMUS_SEEDS");
	struct record record = { 0 };
	struct outcome outcome;

	play_seed(&script, 1, &record, &outcome);
	if (outcome.failed && show)
		puts(buf_cstr(&record.trace));
	if (outcome.failed)
		fail_msg("seed %llu: %s", (unsigned long long)seed, outcome.what);
	record_free(&record);
	script_free(&script);
	return outcome.snapshots;
}

static void test_random_trouble(void **state)
{
	const char *first = getenv("DOMUS_SEED"), *count = getenv("DOMUS_SEEDS");
	uint64_t from = first ? strtoull(first, NULL, 10) : 1, n = count ? strtoull(count, NULL, 10) : first ? 1 : 60;
	size_t snapshots = 0;

	(void)state;
	for (uint64_t seed = from; seed < from + n; seed++)
		snapshots += explore(seed);
	assert_true(snapshots > 0 || n < 10);
}

/* A script that was drawn says the same again when it is written down and read: same trace, to the letter. */
static void test_a_script_repeats_a_seed(void **state)
{
	struct script drawn = { .seed = 5, .shape = { 3, 4, 9 } }, read;
	struct outcome first, again;
	struct buf text = { 0 };
	struct err err = { 0 };

	(void)state;
	play_seed(&drawn, 1, NULL, &first);
	script_print(&drawn, &text);
	assert_int_equal(script_parse(buf_cstr(&text), &read, &err), 0);
	play_script(&read, NULL, &again);
	assert_false(first.failed);
	assert_true(first.hash == again.hash);
	assert_int_equal(first.simulated_us, again.simulated_us);
	script_free(&drawn);
	script_free(&read);
	buf_free(&text);
}

/* After a lie that nobody can make good the cluster is left alone; another one has the troubles after the next settling. */
static void test_a_cluster_is_given_up(void **state)
{
	static const char text[] = "guests 2\n1000.000 device-lies n1\n1100.000 agent-kill n1\n60000.000 crash n2\n"
				   "90000.000 settle\n1000.000 crash n3\n30000.000 settle\n";
	struct script script;
	struct record record = { 0 };
	struct outcome first, again;
	struct err err;

	(void)state;
	assert_int_equal(script_parse(text, &script, &err), 0);
	play_script(&script, &record, &first);
	play_script(&script, NULL, &again);
	assert_false(first.failed);
	assert_int_equal(first.given_up, 1);
	assert_int_equal(first.done, script.troubles.n);
	assert_null(strstr(buf_cstr(&record.story), "crash n2"));
	assert_non_null(strstr(buf_cstr(&record.story), "crash n3"));
	assert_true(first.hash == again.hash);
	record_free(&record);
	script_free(&script);
}

/* A stand-in for a fault: it needs the third and the seventh trouble. */
static bool needs_two(void *ctx, const struct script *script)
{
	const struct trouble *t;
	unsigned found = 0;

	++*(size_t *)ctx;
	vec_each(t, &script->troubles)
		found |= t->at_us == 3 ? 1 : t->at_us == 7 ? 2 : 0;
	return found == 3;
}

static void test_shrinking(void **state)
{
	struct script s = { .seed = 1, .shape = { 3, 4, 0 } };
	size_t runs = 0;

	(void)state;
	for (int64_t i = 0; i < 100; i++)
		vec_push(&s.troubles, (struct trouble){ .at_us = i, .kind = TROUBLE_HEAL });
	shrink(&s, needs_two, &runs);
	assert_int_equal(s.troubles.n, 2);
	assert_int_equal(s.troubles.v[0].at_us, 3);
	assert_int_equal(s.troubles.v[1].at_us, 7);
	assert_true(runs < 60);
	script_free(&s);
}

/* A run in a process of its own tells the same. */
static void test_apart(void **state)
{
	struct script here = { .seed = 9, .shape = { 3, 4, 0 } }, there = here;
	struct outcome a, b;

	(void)state;
	play_seed(&here, 1, NULL, &a);
	apart_seed(&there, 1, &b);
	assert_true(a.hash == b.hash);
	assert_int_equal(here.troubles.n, there.troubles.n);
	script_free(&here);
	script_free(&there);
}

static void test_bad_scripts(void **state)
{
	static const char *const bad[] = { "nodes 9", "guests 0", "0.000 crash n4", "0.000 crash", "0.000 crash n1 n2", "0 crash n1",
					   "0.000 smile n1", "0.000 dies g5", "0.000 clocks 1x", "colour 3", "0.000 split",
					   "0.000 faults 1 2 3", "0.000 cut n1 2" };
	struct script s;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(script_parse(bad[i], &s, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_trouble),
		cmocka_unit_test(test_a_script_repeats_a_seed),
		cmocka_unit_test(test_a_cluster_is_given_up),
		cmocka_unit_test(test_shrinking),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_bad_scripts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
