/* SPDX-License-Identifier: Apache-2.0
 * Three whole engines in one process and in virtual time: start, crash, fence, recover; and the same again, to the letter. */
#include "kit/kit.h"

#include "engine/command.h"
#include "hypervisor/spec.h"
#include "world/world.h"

#include <stdlib.h>
#include <string.h>

#define S US_PER_S

static bool all_current(struct world *w, void *ctx)
{
	uint32_t n = *(uint32_t *)ctx;

	for (uint32_t i = 1; i <= n; i++) {
		struct engine_status s;
		const struct node *node;

		if (!world_engine(w, i))
			continue;
		engine_status(world_engine(w, i), &s);
		node = model_node(engine_model(world_engine(w, i)), i);
		if (!s.current || !node || !node->memory_mib)
			return false;
	}
	return true;
}

static bool first_is_current(struct world *w, void *ctx)
{
	struct engine_status s;

	(void)ctx;
	engine_status(world_engine(w, 1), &s);
	return s.current;
}

static bool has_ledger(struct world *w, void *ctx)
{
	struct engine_status s;

	engine_status(world_engine(w, *(uint32_t *)ctx), &s);
	return s.ledger.has_view;
}

/* A cluster of three with fence devices, a pool and one guest defined. */
static struct world *cluster(uint64_t seed)
{
	struct world *w = world_new(seed, 3);
	struct err err = { 0 };

	for (uint32_t i = 1; i <= 3; i++)
		world_boot(w, i);
	for (uint32_t i = 1; i <= 3; i++)
		assert_true(world_until(w, has_ledger, &i, 10 * S));
	assert_int_equal(engine_cluster_init(world_engine(w, 1), "test", &err), 0);
	assert_true(world_until(w, first_is_current, NULL, 10 * S));
	for (uint32_t i = 2; i <= 3; i++) {
		assert_int_equal(engine_cluster_join(world_engine(w, i), &err), 0);
		assert_true(world_until(w, all_current, &i, 20 * S));
	}
	for (uint32_t i = 1; i <= 3; i++) {
		struct command c = { .kind = CMD_NODE_FENCE_SET, .node = i };
		struct fence_conf_param p = { .key = "port" };

		STRCPY(c.name, "fence_world");
		p.value[0] = (char)('0' + i);
		vec_push(&c.params, p);
		assert_int_equal(world_order(w, 1, &c, &err), 0);
	}
	return w;
}

static void define(struct world *w, const char *name, uint32_t memory)
{
	static const char pattern[] = "{\"name\":\"%s\",\"uuid\":\"00000000-0000-4000-8000-%012x\",\"memory_mib\":%u,\"vcpus\":1}";
	struct command c = { .kind = CMD_GUEST_DEFINE };
	struct guest_spec *spec;
	struct buf text = { 0 };
	struct err err = { 0 };
	unsigned sum = 0;

	for (const char *p = name; *p; p++)
		sum = sum * 31 + (unsigned char)*p;
	buf_printf(&text, pattern, name, sum, memory);
	assert_int_equal(spec_parse(buf_cstr(&text), text.len, &spec, &err), 0);
	buf_clear(&text);
	spec_print(spec, &text);
	STRCPY(c.name, name);
	c.guest = mem_new(struct guest);
	STRCPY(c.guest->name, name);
	c.guest->uuid = spec->uuid;
	c.guest->memory_mib = memory;
	c.guest->vcpus = 1;
	c.guest->on_reboot = c.guest->on_crash = AFTER_RESTART;
	c.guest->stop_timeout_s = 10;
	c.guest->restart_max = 3;
	c.guest->restart_window_s = 600;
	c.guest->spec = buf_take(&text);
	spec_free(spec);
	if (world_order(w, 1, &c, &err))
		fail_msg("%s", err.text);
}

static void want(struct world *w, uint32_t node, const char *name, enum desired desired)
{
	struct command c = { .kind = CMD_GUEST_WANT, .desired = desired };
	struct err err = { 0 };

	STRCPY(c.name, name);
	if (world_order(w, node, &c, &err))
		fail_msg("%s", err.text);
}

struct wish {
	uint32_t ask;			/* whom */
	const char *guest;
	enum guest_state state;
	uint32_t not_on, on;		/* 0: any */
};

static bool is_so(struct world *w, void *ctx)
{
	const struct wish *wish = ctx;
	const struct guest *g = model_guest(engine_model(world_engine(w, wish->ask)), wish->guest);

	return g && g->state == wish->state && (!wish->not_on || g->owner.node != wish->not_on) &&
	       (!wish->on || g->owner.node == wish->on);
}

static void until(struct world *w, struct wish wish, int64_t us)
{
	if (!world_until(w, is_so, &wish, us)) {
		const struct guest *g = model_guest(engine_model(world_engine(w, wish.ask)), wish.guest);

		fail_msg("%s is %s on node %u, not %s\n%s", wish.guest, g ? guest_state_text(g->state) : "unknown",
			 g ? g->owner.node : 0, guest_state_text(wish.state), world_trace(w));
	}
}

static uint32_t owner(struct world *w, uint32_t ask, const char *guest)
{
	return model_guest(engine_model(world_engine(w, ask)), guest)->owner.node;
}

/* Starts a guest, takes the power from the node it runs on; the others fence that node and start the guest again. Ends with the trace. */
static char *start_crash_recover(uint64_t seed)
{
	struct world *w = cluster(seed);
	uint32_t victim, asked;
	char *trace;

	define(w, "web1", 256);
	want(w, 2, "web1", DESIRED_RUNNING);
	until(w, (struct wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	victim = owner(w, 1, "web1");
	asked = victim == 1 ? 2 : 1;
	world_crash(w, victim);
	until(w, (struct wish){ asked, "web1", GUEST_RUNNING, victim, 0 }, 20 * S);
	assert_int_equal(model_node(engine_model(world_engine(w, asked)), victim)->state, NODE_FENCED);
	world_run(w, 2 * S);
	assert_int_equal(world_double_runs(w), 0);
	trace = mem_strdup(world_trace(w));
	world_free(w);
	return trace;
}

static void test_crash_is_recovered(void **state)
{
	char *trace = start_crash_recover(1);

	(void)state;
	assert_non_null(strstr(trace, "web1"));
	free(trace);
}

/* The whole run is a function of its seed: two runs give the same log, to the letter; another seed another one. */
static void test_same_seed_same_trace(void **state)
{
	char *a = start_crash_recover(7), *b = start_crash_recover(7);

	(void)state;
	assert_string_equal(a, b);
	free(a);
	free(b);
}

/* A live migration hands over, and the digests of all three are equal at the same index afterwards. */
static void test_migration(void **state)
{
	struct world *w = cluster(3);
	struct command c = { .kind = CMD_GUEST_MIGRATE };
	struct err err = { 0 };
	char a[65], b[65];
	uint32_t from, three = 3;

	(void)state;
	define(w, "web1", 256);
	want(w, 1, "web1", DESIRED_RUNNING);
	until(w, (struct wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	from = owner(w, 1, "web1");
	STRCPY(c.name, "web1");
	assert_int_equal(world_order(w, 1, &c, &err), 0);
	until(w, (struct wish){ 1, "web1", GUEST_RUNNING, from, 0 }, 60 * S);
	world_run(w, 2 * S);
	assert_true(world_until(w, all_current, &three, S));
	assert_int_equal(world_double_runs(w), 0);
	assert_int_equal(engine_model(world_engine(w, 1))->index, engine_model(world_engine(w, 2))->index);
	assert_string_equal(engine_digest(world_engine(w, 1), a), engine_digest(world_engine(w, 2), b));
	assert_string_equal(engine_digest(world_engine(w, 1), a), engine_digest(world_engine(w, 3), b));
	world_free(w);
}

/* An agent that dies and comes back touches no guest: the same process goes on, in the same epoch. */
static void test_agent_restart_adopts(void **state)
{
	struct world *w = cluster(4);
	uint32_t on, three = 3;
	uint64_t epoch;
	struct domain_info info;

	(void)state;
	define(w, "web1", 256);
	want(w, 1, "web1", DESIRED_RUNNING);
	until(w, (struct wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	on = owner(w, 1, "web1");
	assert_int_equal(engine_domain(world_engine(w, on), "web1", &info), 0);
	epoch = info.epoch;
	world_agent_kill(w, on);
	world_run(w, 2 * S);
	world_agent_start(w, on);
	assert_true(world_until(w, all_current, &three, 20 * S));
	world_run(w, 2 * S);
	assert_int_equal(engine_domain(world_engine(w, on), "web1", &info), 0);
	assert_int_equal(info.epoch, epoch);
	assert_int_equal(info.state, DOMAIN_RUNNING);
	until(w, (struct wish){ on, "web1", GUEST_RUNNING, 0, on }, S);
	world_free(w);
}

/* A node that is cut off refuses orders in a sentence; its guest is fenced away by the majority, and never runs twice. */
static void test_minority_refuses(void **state)
{
	struct world *w = cluster(5);
	struct command c = { .kind = CMD_GUEST_WANT, .desired = DESIRED_STOPPED };
	struct err err = { 0 };
	uint32_t on, other;

	(void)state;
	define(w, "web1", 256);
	want(w, 1, "web1", DESIRED_RUNNING);
	until(w, (struct wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	on = owner(w, 1, "web1");
	other = on == 1 ? 2 : 1;
	world_split(w, 1u << (on - 1));
	world_run(w, WORLD_TOKEN_US + 5 * US_PER_MS);
	STRCPY(c.name, "web1");
	assert_int_equal(world_order(w, on, &c, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "majority"));
	until(w, (struct wish){ other, "web1", GUEST_RUNNING, on, 0 }, 20 * S);
	assert_int_equal(world_double_runs(w), 0);
	world_free(w);
}

/* All nodes lose power and come back: the state is what it was, and what should run runs again. */
static void test_all_down_and_up(void **state)
{
	struct world *w = cluster(6);
	uint32_t three = 3;

	(void)state;
	define(w, "web1", 256);
	define(w, "web2", 256);
	want(w, 1, "web1", DESIRED_RUNNING);
	until(w, (struct wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	for (uint32_t i = 1; i <= 3; i++)
		world_crash(w, i);
	world_run(w, 5 * S);
	for (uint32_t i = 1; i <= 3; i++)
		world_boot(w, i);
	assert_true(world_until(w, all_current, &three, 30 * S));
	until(w, (struct wish){ 2, "web1", GUEST_RUNNING, 0, 0 }, 30 * S);
	until(w, (struct wish){ 3, "web2", GUEST_STOPPED, 0, 0 }, S);
	assert_int_equal(world_double_runs(w), 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crash_is_recovered),
		cmocka_unit_test(test_same_seed_same_trace),
		cmocka_unit_test(test_migration),
		cmocka_unit_test(test_agent_restart_adopts),
		cmocka_unit_test(test_minority_refuses),
		cmocka_unit_test(test_all_down_and_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
