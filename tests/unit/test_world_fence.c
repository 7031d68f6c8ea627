/* SPDX-License-Identifier: Apache-2.0
 * The world's power switches do what they say, and lie as they are told to. */
#include "kit/kit.h"

#include "world/cluster.h"
#include "world/world_priv.h"

#include <string.h>

#define S US_PER_S
#define NONE 99


static void called(void *ctx, int exit_status, const char *why)
{
	(void)why;
	*(int *)ctx = exit_status;
}

static void pass(struct world *w, int64_t us)
{
	venv_run(w->venv, mono_add(env_now(&w->env), us));
}

/* One call by node 1 about node 2: what the agent answers. */
static int ask(struct world *w, const char *action)
{
	struct fence_runner r = world_fence_of(&w->nodes[1]);
	struct fence_param p = { .key = "port", .value = "2" };
	struct fence_call c = { .agent = "fence_world", .action = action, .params = &p, .n_params = 1, .timeout_us = 20 * S };
	struct err err;
	int answer = NONE;

	assert_int_equal(r.ops->call(r.runner, &c, called, &answer, &err), 0);
	for (int i = 0; i < 60 && answer == NONE; i++)
		pass(w, S);
	return answer;
}

static struct world *two_nodes(uint64_t seed)
{
	struct world *w = world_new(seed, 2);

	w->nodes[1].powered = w->nodes[2].powered = true;
	return w;
}

static void test_off(void **state)
{
	struct world *w = two_nodes(1);

	(void)state;
	assert_int_equal(ask(w, "status"), 0);
	assert_int_equal(ask(w, "off"), 0);
	assert_false(world_powered(w, 2));
	assert_int_equal(ask(w, "status"), 2);
	assert_false(world_excused(w));
	world_free(w);
}

/* It cannot be reached once its node is off, nor from the other side of a cut. */
static void test_with_node(void **state)
{
	struct world *w = two_nodes(2);

	(void)state;
	world_set_fence_device(w, 2, WORLD_FENCE_WITH_NODE);
	assert_int_equal(ask(w, "status"), 0);
	world_split(w, 1);
	assert_int_equal(ask(w, "off"), 1);
	assert_true(world_powered(w, 2));
	world_split(w, 0);
	assert_int_equal(ask(w, "off"), 0);
	assert_false(world_powered(w, 2));
	assert_int_equal(ask(w, "status"), 1);
	world_free(w);
}

static void test_lies(void **state)
{
	struct world *w = two_nodes(3);

	(void)state;
	world_set_fence_device(w, 2, WORLD_FENCE_LIES);
	assert_int_equal(ask(w, "status"), 0);
	assert_false(world_excused(w));
	assert_int_equal(ask(w, "off"), 0);
	assert_int_equal(ask(w, "status"), 2);
	assert_true(world_powered(w, 2));
	assert_true(world_excused(w));
	world_free(w);
}

/* Among the fates of many calls: off was answered and the status says truly that the power is still on; then it goes. */
static void test_late(void **state)
{
	struct world_faults all = { .fence = 100 }, none = { 0 };
	size_t late = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct world *w = two_nodes(seed);

		world_set_faults(w, &all);
		if (ask(w, "off") == 0 && world_powered(w, 2)) {
			world_set_faults(w, &none);
			assert_int_equal(ask(w, "status"), 0);
			pass(w, 10 * S);
			late += !world_powered(w, 2);
		}
		assert_false(world_excused(w));
		world_free(w);
	}
	assert_true(late > 0);
}

/* The device acts at once, a runner that stands still hears of it when it goes on. */
static void test_runner_stands_still(void **state)
{
	struct world *w = two_nodes(4);
	struct fence_runner r = world_fence_of(&w->nodes[1]);
	struct fence_param p = { .key = "port", .value = "2" };
	struct fence_call c = { .agent = "fence_world", .action = "off", .params = &p, .n_params = 1, .timeout_us = 20 * S };
	struct err err;
	int answer = NONE;

	(void)state;
	assert_int_equal(r.ops->call(r.runner, &c, called, &answer, &err), 0);
	world_suspend(w, 1);
	pass(w, 5 * S);
	assert_false(world_powered(w, 2));
	assert_int_equal(answer, NONE);
	world_resume(w, 1);
	pass(w, S);
	assert_int_equal(answer, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_with_node),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_runner_stands_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
