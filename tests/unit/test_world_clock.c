/* SPDX-License-Identifier: Apache-2.0
 * The nodes' clocks run by their own rates, and stand still with their node. */
#include "kit/kit.h"

#include "world/cluster.h"
#include "world/world_priv.h"

#define S US_PER_S

struct alarm {
	struct world *w;
	struct env_timer *timer;
	int64_t at;		/* by the world's clock; 0: not yet */
};

static void rings(void *ctx)
{
	struct alarm *a = ctx;

	a->at = world_now(a->w);
}

static void pass(struct world *w, int64_t us)
{
	venv_run(w->venv, mono_add(env_now(&w->env), us));
}

static void set(struct alarm *a, struct world *w, uint32_t node, int64_t us)
{
	*a = (struct alarm){ .w = w };
	env_timer(&w->nodes[node].env, &a->timer, us, rings, a);
}

static int64_t node_us(struct world *w, uint32_t node)
{
	return env_now(&w->nodes[node].env).us;
}

/* Ten seconds of a clock that is 5 % fast or slow, measured by the world's. */
static void test_rates(void **state)
{
	struct world *w = world_new(1, 2);
	int64_t start = world_now(w), shown = node_us(w, 1);
	struct alarm fast, slow;

	(void)state;
	world_set_rate(w, 1, 50000);
	world_set_rate(w, 2, -50000);
	set(&fast, w, 1, 10 * S);
	set(&slow, w, 2, 10 * S);
	pass(w, 20 * S);
	assert_in_range(fast.at - start, 9523800, 9523820);
	assert_in_range(slow.at - start, 10526310, 10526330);
	assert_int_equal(node_us(w, 1) - shown, 21 * S);
	world_free(w);
}

/* It never goes back, and a timer is never early by its own clock, whatever the rate becomes. */
static void test_rate_changes(void **state)
{
	static const int rates[] = { 50000, -50000, 12345, -777, 0 };
	struct world *w = world_new(2, 1);
	int64_t last = node_us(w, 1);

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct alarm a;
		int64_t due = node_us(w, 1) + 1 + i * 37;

		set(&a, w, 1, 1 + i * 37);
		while (!a.at)
			assert_int_equal(venv_step(w->venv, mono_add(env_now(&w->env), S)), 1);
		assert_true(node_us(w, 1) >= due && node_us(w, 1) <= due + 2);
		world_set_rate(w, 1, rates[i % 5]);
		assert_true(node_us(w, 1) >= last);
		last = node_us(w, 1);
	}
	world_free(w);
}

/* Timers of a node that stands still fire when it goes on, in their order; cancelled ones do not. */
static void test_suspend(void **state)
{
	struct world *w = world_new(3, 1);
	struct alarm a, b, c;

	(void)state;
	w->nodes[1].powered = true;
	set(&a, w, 1, 2 * S);
	set(&b, w, 1, 90 * S);
	set(&c, w, 1, 3 * S);
	world_suspend(w, 1);
	assert_true(world_suspended(w, 1));
	pass(w, 60 * S);
	assert_int_equal(a.at, 0);
	env_cancel(&w->nodes[1].env, &c.timer);
	world_resume(w, 1);
	pass(w, S);
	assert_in_range(a.at, 61 * S, 61 * S + 10);
	assert_int_equal(c.at, 0);
	assert_int_equal(b.at, 0);
	pass(w, 60 * S);
	assert_in_range(b.at, 91 * S, 91 * S + 10);
	world_free(w);
}

/* A cluster whose clocks differ by 10 % is one, and stays one. */
static void test_cluster_with_rates(void **state)
{
	struct world *w = cluster_new(4, 3);
	struct engine_status s;
	uint64_t term;

	(void)state;
	world_set_rate(w, 1, 50000);
	world_set_rate(w, 3, -50000);
	engine_status(world_engine(w, 1), &s);
	term = s.ledger.term;
	world_run(w, 600 * S);
	assert_true(cluster_all_current(w, S));
	engine_status(world_engine(w, 1), &s);
	assert_int_equal(s.ledger.term, term);
	world_free(w);
}

/* A node that stands still for a minute and owns nothing comes back as it was. */
static void test_cluster_with_a_pause(void **state)
{
	struct world *w = cluster_new(5, 3);

	(void)state;
	world_suspend(w, 2);
	world_run(w, 60 * S);
	cluster_define(w, "a", 64);
	assert_null(cluster_guest(w, 2, "a"));
	world_resume(w, 2);
	world_run(w, 5 * S);
	assert_true(cluster_all_current(w, 20 * S));
	assert_non_null(cluster_guest(w, 2, "a"));
	assert_true(world_powered(w, 2));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_rate_changes),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_cluster_with_rates),
		cmocka_unit_test(test_cluster_with_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
