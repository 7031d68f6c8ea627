/* SPDX-License-Identifier: Apache-2.0
 * Policy as a whole: golden scenarios, the same bytes for the same input, and chaos in which no
 * guest may be active twice. */
#include "kit/kit.h"

#include "arena/arena.h"
#include "arena/chaos.h"

#include <stdlib.h>
#include <string.h>

#define CHAOS_SEEDS 200
#define CHAOS_STEPS 400

/* Start, the owner crashes, fence, recover; the old node comes back in a new life. */
static char *scenario_crash(void)
{
	struct arena *a = arena_new(3, false);
	char *log;

	arena_run(a, "web1", 256, 1);
	arena_run(a, "db1", 256, 2);
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_decide(a);
	arena_fenced(a, 1, NULL);
	arena_decide(a);
	arena_done(a, "web1", OP_START, NULL);
	arena_reboot(a, 1);
	arena_open(a, N(1) | N(2) | N(3), N(1) | N(2) | N(3));
	arena_decide(a);
	log = buf_take(&a->log);
	arena_free(a);
	return log;
}

/* A migration that works, and one whose target is lost in the middle. */
static char *scenario_migrate(void)
{
	struct arena *a = arena_new(3, false);
	struct command loaded = { .kind = CMD_REPORT_LOADED, .name = "web1" };
	char *log;

	arena_run(a, "web1", 256, 1);
	arena_kind(a, CMD_GUEST_MIGRATE, "web1", 2);
	arena_decide(a);
	arena_done(a, "web1", OP_PREPARE_IN, NULL);
	loaded.operation = arena_guest(a, "web1")->move.target.epoch;
	arena_apply(a, &loaded);
	arena_done(a, "web1", OP_SEND, NULL);
	arena_done(a, "web1", OP_ACTIVATE, NULL);
	arena_kind(a, CMD_GUEST_MIGRATE, "web1", 0);
	arena_decide(a);
	arena_done(a, "web1", OP_PREPARE_IN, NULL);
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_decide(a);
	arena_done(a, "web1", OP_RESUME_SOURCE, NULL);
	arena_decide(a);
	log = buf_take(&a->log);
	arena_free(a);
	return log;
}

/*
 * A device that fails twice, then a person's word; a node that came back in time keeps its
 * guest.
 */
static char *scenario_proofs(void)
{
	struct arena *a = arena_new(3, false);
	struct command confirm = { .kind = CMD_NODE_CONFIRM_OFF, .node = 1, .text = "anna" };
	char *log;

	arena_run(a, "web1", 256, 1);
	confirm.incarnation = arena_life(a, 1);
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_open(a, N(1) | N(2) | N(3), N(1) | N(2) | N(3));
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_decide(a);
	arena_fenced(a, 1, "no route to 10.0.0.9");
	arena_wait(a, US_PER_S);
	arena_fenced(a, 1, "no route to 10.0.0.9");
	arena_apply(a, &confirm);
	arena_decide(a);
	log = buf_take(&a->log);
	arena_free(a);
	return log;
}

/*
 * A guest that crashes again and again: restarted, relocated, held. Another drains away; one
 * fits nowhere.
 */
static char *scenario_limits(void)
{
	struct arena *a = arena_new(2, false);
	char *log;

	arena_run(a, "web1", 128, 1);
	for (int i = 0; i < 6; i++) {
		arena_ended(a, "web1", END_CRASH);
		arena_decide(a);
		if (arena_guest(a, "web1")->state == GUEST_STARTING)
			arena_done(a, "web1", OP_START, NULL);
	}
	arena_define(a, "huge", 4096);
	arena_want(a, "huge", DESIRED_RUNNING);
	arena_run(a, "db1", 600, 1);
	arena_run(a, "db2", 600, 2);
	arena_kind(a, CMD_NODE_DRAIN, "", 1);
	arena_decide(a);
	log = buf_take(&a->log);
	arena_free(a);
	return log;
}

static const struct {
	const char *golden;
	char *(*run)(void);
} scenarios[] = {
	{ "ha/crash.log", scenario_crash },
	{ "ha/migrate.log", scenario_migrate },
	{ "ha/proofs.log", scenario_proofs },
	{ "ha/limits.log", scenario_limits },
};

/* The logs are what a person would read: look at the difference before writing them anew. */
static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		_cleanup_(mem_freep) char *log = scenarios[i].run();

		kit_golden(scenarios[i].golden, log);
	}
}

static char *chaos_json(uint64_t seed)
{
	struct chaos *c = chaos_new(seed, 3);
	struct buf json = { 0 };

	for (int i = 0; i < CHAOS_STEPS; i++)
		chaos_step(c);
	model_json(c->a->m, &json);
	buf_add(&json, buf_cstr(&c->a->log), c->a->log.len);
	chaos_free(c);
	return buf_take(&json);
}

/* The same input twice: the same model and the same commands, byte for byte. */
static void test_same_bytes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		_cleanup_(mem_freep) char *one = chaos_json(seed), *two = chaos_json(seed);

		assert_string_equal(one, two);
	}
}

/* ha_step is a function: asked twice it answers the same, and it has changed nothing. */
static void test_step_is_pure(void **state)
{
	struct arena *a = arena_new(3, false);
	struct buf before = { 0 }, after = { 0 };
	struct ha_out one, two;

	(void)state;
	arena_run(a, "web1", 64, 1);
	arena_define(a, "web2", 64);
	arena_want(a, "web2", DESIRED_RUNNING);
	arena_open(a, N(2) | N(3), N(2) | N(3));
	model_json(a->m, &before);
	ha_step(a->m, &a->conf, a->now, &one);
	ha_step(a->m, &a->conf, a->now, &two);
	model_json(a->m, &after);
	assert_string_equal(buf_cstr(&before), buf_cstr(&after));
	assert_int_equal(one.commands.n, 2);
	assert_int_equal(one.commands.n, two.commands.n);
	assert_int_equal(one.again_us, two.again_us);
	for (size_t i = 0; i < one.commands.n; i++)
		assert_memory_equal(&one.commands.v[i], &two.commands.v[i], sizeof(struct command));
	ha_out_free(&one);
	ha_out_free(&two);
	buf_free(&before);
	buf_free(&after);
	arena_free(a);
}

/* One round places several guests as if each had been applied before the next. */
static void test_one_round_counts_itself(void **state)
{
	struct arena *a = arena_new(2, false);
	struct ha_out out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		char name[] = "web0";

		name[3] = (char)('0' + i);
		arena_define(a, name, 500);
		arena_want(a, name, DESIRED_RUNNING);
	}
	ha_step(a->m, &a->conf, a->now, &out);
	assert_int_equal(out.commands.n, 4);
	assert_int_equal(out.commands.v[0].node, 1);
	assert_int_equal(out.commands.v[1].node, 2);
	assert_int_equal(out.commands.v[2].node, 1);
	assert_int_equal(out.commands.v[3].node, 2);
	ha_out_free(&out);
	arena_free(a);
}

/* What ran before has the first claim to room. */
static void test_recovery_comes_first(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web9", 900, 1);
	arena_ended(a, "web9", END_CRASH);
	arena_define(a, "web1", 900);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_is(a, "web9", GUEST_STARTING, 1);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	arena_free(a);
}

/* Nothing to do: no commands, and no reason to look again. */
static void test_rest(void **state)
{
	struct arena *a = arena_new(3, false);
	struct ha_out out;

	(void)state;
	arena_run(a, "web1", 64, 1);
	ha_step(a->m, &a->conf, a->now, &out);
	assert_int_equal(out.commands.n, 0);
	assert_true(out.again_us == INT64_MAX);
	ha_out_free(&out);
	arena_free(a);
}

/*
 * Crashes, cuts, agents that die, fencing that fails halfway, late and lost reports, decisions
 * that are overtaken: a guest is never active twice, and when all is well again everything comes
 * to rest and is as the model says.
 */
static void test_chaos(void **state)
{
	const char *one = getenv("DOMUS_CHAOS_SEED");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1, last = one ? first : CHAOS_SEEDS;

	(void)state;
	for (uint64_t seed = first; seed <= last; seed++) {
		struct chaos *c = chaos_new(seed, seed % 4 ? 3 : 4);

		buf_printf(&c->a->log, "seed %llu\n", (unsigned long long)seed);
		for (int i = 0; i < CHAOS_STEPS; i++)
			chaos_step(c);
		chaos_settle(c);
		chaos_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_step_is_pure),
		cmocka_unit_test(test_one_round_counts_itself),
		cmocka_unit_test(test_recovery_comes_first),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_chaos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
