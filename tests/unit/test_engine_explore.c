/* SPDX-License-Identifier: Apache-2.0
 * Whole clusters through random trouble: power cuts, split networks, agents that die, guests that die, orders at any node.
 * Never may a guest run twice; and once the trouble is over, what is wanted is so everywhere, and nothing hangs.
 *
 *	DOMUS_SEEDS=N	so many seeds (default 60)	DOMUS_SEED=K	begin with this one, and print its trace when it fails */
#include "kit/kit.h"

#include "world/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S US_PER_S
#define NODES 3
#define GUESTS 3
#define STEPS 25
#define SETTLE_US (400 * S)	/* a migration to a silent peer may take its whole deadline of 300 s */

struct trouble {
	struct world *w;
	uint64_t random;
};

static const char *const guests[GUESTS] = { "a", "b", "c" };

static uint32_t pick(struct trouble *t, uint32_t n)
{
	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(t->random >> 33) % n;
}

static uint32_t up_node(struct trouble *t)
{
	uint32_t first = 1 + pick(t, NODES);

	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t n = 1 + (first - 1 + i) % NODES;

		if (world_engine(t->w, n))
			return n;
	}
	return 0;
}

static void order(struct trouble *t, struct command *c)
{
	uint32_t n = up_node(t);

	if (n)
		world_send(t->w, n, c);
}

static void do_crash(struct trouble *t)
{
	uint32_t n = 1 + pick(t, NODES);

	if (!world_powered(t->w, n))
		world_boot(t->w, n);
	else
		world_crash(t->w, n);
}

static void do_agent(struct trouble *t)
{
	uint32_t n = 1 + pick(t, NODES);

	if (!world_powered(t->w, n))
		return;
	if (world_engine(t->w, n))
		world_agent_kill(t->w, n);
	else
		world_agent_start(t->w, n);
}

static void do_split(struct trouble *t)
{
	world_split(t->w, pick(t, 2) ? 0 : 1u << pick(t, NODES));
}

static void do_want(struct trouble *t)
{
	struct command c = { .kind = CMD_GUEST_WANT, .desired = pick(t, 4) ? DESIRED_RUNNING : DESIRED_STOPPED,
			     .stop_now = pick(t, 2) };

	STRCPY(c.name, guests[pick(t, GUESTS)]);
	order(t, &c);
}

static void do_migrate(struct trouble *t)
{
	struct command c = { .kind = CMD_GUEST_MIGRATE };

	STRCPY(c.name, guests[pick(t, GUESTS)]);
	order(t, &c);
}

static void do_drain(struct trouble *t)
{
	struct command c = { .kind = pick(t, 2) ? CMD_NODE_DRAIN : CMD_NODE_ACTIVATE, .node = 1 + pick(t, NODES) };

	order(t, &c);
}

static void do_deed(struct trouble *t)
{
	static const enum sim_deed deeds[] = { SIM_DIES, SIM_POWERS_OFF, SIM_PANICS, SIM_REBOOTS };
	uint32_t ask = up_node(t);
	const struct guest *g = ask ? cluster_guest(t->w, ask, guests[pick(t, GUESTS)]) : NULL;
	char node[16];

	if (!g || !g->owner.node)
		return;
	snprintf(node, sizeof(node), "n%u", g->owner.node);
	sim_guest_deed(world_guests(t->w), node, &g->uuid, deeds[pick(t, 4)]);
}

static void (*const troubles[])(struct trouble *) = { do_crash, do_agent, do_split,   do_want,	do_want,
						      do_migrate, do_migrate, do_drain, do_deed };

static void end_trouble(struct trouble *t)
{
	world_split(t->w, 0);
	for (uint32_t n = 1; n <= NODES; n++) {
		if (!world_powered(t->w, n))
			world_boot(t->w, n);
		else if (!world_engine(t->w, n))
			world_agent_start(t->w, n);
	}
}

/* Whoever was fenced in the end has to be switched on. */
static void boot_fenced(struct world *w)
{
	for (uint32_t n = 1; n <= NODES; n++)
		if (!world_powered(w, n))
			world_boot(w, n);
}

static bool someone_current(struct world *w, void *ctx)
{
	struct engine_status s;

	boot_fenced(w);
	engine_status(world_engine(w, 1), &s);
	*(bool *)ctx = s.current;
	return s.current;
}

/* Nodes that were drained take guests again; tried until it is done, for the trouble before may still take an effect. */
static bool activate_all(struct trouble *t)
{
	bool current = false;

	for (uint32_t n = 1; n <= NODES; n++) {
		struct command c = { .kind = CMD_NODE_ACTIVATE, .node = n };
		struct err err;

		if (!world_until(t->w, someone_current, &current, 100 * S))
			return false;
		if (world_order(t->w, 1, &c, &err) < 0)
			n--;
	}
	return true;
}

static bool guest_settled(const struct guest *g)
{
	if (g->operation || g->move.phase != MOVE_NONE || g->wants_move)
		return false;
	return g->desired == DESIRED_STOPPED ? g->state == GUEST_STOPPED : g->state == GUEST_RUNNING || g->state == GUEST_HELD;
}

static bool settled(struct world *w, void *ctx)
{
	(void)ctx;
	boot_fenced(w);
	for (uint32_t n = 1; n <= NODES; n++) {
		struct engine_status s;

		engine_status(world_engine(w, n), &s);
		if (!s.current || map_count(engine_model(world_engine(w, n))->operations))
			return false;
		for (size_t i = 0; i < GUESTS; i++)
			if (!guest_settled(cluster_guest(w, n, guests[i])))
				return false;
	}
	return true;
}

static bool same_state(struct world *w, void *ctx)
{
	char a[65], b[65];

	(void)ctx;
	for (uint32_t n = 2; n <= NODES; n++)
		if (engine_model(world_engine(w, 1))->index != engine_model(world_engine(w, n))->index ||
		    strcmp(engine_digest(world_engine(w, 1), a), engine_digest(world_engine(w, n), b)))
			return false;
	return true;
}

static void explain(struct trouble *t, uint64_t seed, const char *what)
{
	for (uint32_t n = 1; n <= NODES; n++)
		for (size_t i = 0; i < GUESTS && world_engine(t->w, n); i++) {
			const struct guest *g = cluster_guest(t->w, n, guests[i]);
			struct engine_status s;

			engine_status(world_engine(t->w, n), &s);
			print_message("n%u (%s): %s %s wants %s on %u op %llu move %d, %zu operations\n", n, s.why_not, g->name,
				      guest_state_text(g->state), desired_text(g->desired), g->owner.node,
				      (unsigned long long)g->operation, (int)g->move.phase,
				      map_count(engine_model(world_engine(t->w, n))->operations));
		}
	if (getenv("DOMUS_SEED"))
		puts(world_trace(t->w));
	fail_msg("seed %llu: %s", (unsigned long long)seed, what);
}

/* What the model says runs, and nothing else. */
static bool processes_agree(struct trouble *t)
{
	for (size_t i = 0; i < GUESTS; i++) {
		const struct guest *g = cluster_guest(t->w, 1, guests[i]);

		if (sim_world_running(world_guests(t->w), &g->uuid) != (g->state == GUEST_RUNNING))
			return false;
	}
	return true;
}

static void explore(uint64_t seed)
{
	struct trouble t = { .w = cluster_new(seed, NODES), .random = seed * 977 + 1 };

	for (size_t i = 0; i < GUESTS; i++) {
		cluster_define(t.w, guests[i], 128);
		cluster_want(t.w, 1, guests[i], DESIRED_RUNNING);
	}
	for (int i = 0; i < STEPS; i++) {
		troubles[pick(&t, ARRAY_SIZE(troubles))](&t);
		world_run(t.w, (int64_t)pick(&t, 3000) * US_PER_MS / (pick(&t, 2) ? 1 : 100));
		if (world_double_runs(t.w))
			explain(&t, seed, "a guest ran twice");
	}
	end_trouble(&t);
	if (!activate_all(&t) || !world_until(t.w, settled, NULL, SETTLE_US))
		explain(&t, seed, "it does not settle");
	world_run(t.w, 3 * S);
	if (world_double_runs(t.w))
		explain(&t, seed, "a guest ran twice");
	if (!world_until(t.w, same_state, NULL, 10 * S))
		explain(&t, seed, "the replicas differ");
	if (!processes_agree(&t))
		explain(&t, seed, "what runs is not what the model says");
	world_free(t.w);
}

static void test_random_trouble(void **state)
{
	const char *first = getenv("DOMUS_SEED"), *count = getenv("DOMUS_SEEDS");
	uint64_t from = first ? strtoull(first, NULL, 10) : 1, n = count ? strtoull(count, NULL, 10) : first ? 1 : 60;

	(void)state;
	for (uint64_t seed = from; seed < from + n; seed++)
		explore(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_trouble) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
