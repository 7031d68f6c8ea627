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
#define GUESTS ARRAY_SIZE(guests)
#define STEPS 25
#define SETTLE_US (400 * S)	/* a migration to a silent peer may take its whole deadline of 300 s */

struct trouble {
	struct world *w;
	uint64_t random;
	uint32_t nodes;
};

static const struct cluster_guest_conf guests[] = {
	{ "a", 128, { "va", "vb" } },
	{ "b", 128, { "vc" } },
	{ "c", 128, { NULL } },
	{ "d", 128, { "vd" } },		/* is undefined and defined again */
};
static const char *const volumes[] = { "va", "vb", "vc", "vd", "spare" };

static uint32_t pick(struct trouble *t, uint32_t n)
{
	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(t->random >> 33) % n;
}

static const char *some_guest(struct trouble *t)
{
	return guests[pick(t, GUESTS)].name;
}

static uint32_t some_node(struct trouble *t)
{
	return 1 + pick(t, t->nodes);
}

static uint32_t up_node(struct trouble *t)
{
	uint32_t first = some_node(t);

	for (uint32_t i = 0; i < t->nodes; i++) {
		uint32_t n = 1 + (first - 1 + i) % t->nodes;

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
	else
		command_free(c);
}

static void do_crash(struct trouble *t)
{
	uint32_t n = some_node(t);

	if (!world_powered(t->w, n))
		world_boot(t->w, n);
	else
		world_crash(t->w, n);
}

static void do_agent(struct trouble *t)
{
	uint32_t n = some_node(t);

	if (!world_powered(t->w, n))
		return;
	if (world_engine(t->w, n))
		world_agent_kill(t->w, n);
	else
		world_agent_start(t->w, n);
}

static void do_split(struct trouble *t)
{
	world_split(t->w, pick(t, 2) ? 0 : t->nodes > 3 ? pick(t, 1u << t->nodes) : 1u << pick(t, t->nodes));
}

static void do_want(struct trouble *t)
{
	struct command c = { .kind = CMD_GUEST_WANT, .desired = pick(t, 4) ? DESIRED_RUNNING : pick(t, 3) ? DESIRED_STOPPED : DESIRED_PAUSED,
			     .stop_now = pick(t, 2) };

	STRCPY(c.name, some_guest(t));
	order(t, &c);
}

static void do_migrate(struct trouble *t)
{
	struct command c = { .kind = CMD_GUEST_MIGRATE };

	STRCPY(c.name, some_guest(t));
	order(t, &c);
}

static void do_drain(struct trouble *t)
{
	struct command c = { .kind = pick(t, 2) ? CMD_NODE_DRAIN : CMD_NODE_ACTIVATE, .node = some_node(t) };

	order(t, &c);
}

static void do_deed(struct trouble *t)
{
	static const enum sim_deed deeds[] = { SIM_DIES, SIM_POWERS_OFF, SIM_PANICS, SIM_REBOOTS, SIM_LOSES_DISK };
	uint32_t ask = up_node(t);
	const struct guest *g = ask ? cluster_guest(t->w, ask, some_guest(t)) : NULL;
	char node[16];

	if (!g || !g->owner.node)
		return;
	snprintf(node, sizeof(node), "n%u", g->owner.node);
	sim_guest_deed(world_guests(t->w), node, &g->uuid, deeds[pick(t, ARRAY_SIZE(deeds))]);
}

static void do_definition(struct trouble *t)
{
	struct command c = { .kind = CMD_GUEST_UNDEFINE };

	if (pick(t, 2))
		c = cluster_definition(&guests[GUESTS - 1]);
	STRCPY(c.name, guests[GUESTS - 1].name);
	order(t, &c);
}

static void do_volume(struct trouble *t)
{
	struct command c = cluster_volume(pick(t, 2) ? CMD_VOLUME_CREATE : CMD_VOLUME_DELETE, volumes[pick(t, ARRAY_SIZE(volumes))]);

	order(t, &c);
}

static void do_fence(struct trouble *t)
{
	struct command c = { .kind = CMD_NODE_FENCE, .node = some_node(t) };

	order(t, &c);
}

/* A person who tells the truth: nothing of that life is left. */
static void do_confirm(struct trouble *t)
{
	struct command c = { .kind = CMD_NODE_CONFIRM_OFF, .node = some_node(t) };
	uint32_t ask = up_node(t);
	const struct node *n = ask ? model_node(engine_model(world_engine(t->w, ask)), c.node) : NULL;

	if (!n || world_powered(t->w, c.node))
		return;
	c.incarnation = n->incarnation;
	world_send(t->w, ask, &c);
}

static void do_clock(struct trouble *t)
{
	static const int64_t jumps[] = { 0, S, -S, 30 * S, -30 * S, 86400 * S, -86400 * S };

	world_set_wall(t->w, some_node(t), jumps[pick(t, ARRAY_SIZE(jumps))]);
}

/* All clocks, together: ledger time is behind them, or they are behind it. */
static void do_clocks(struct trouble *t)
{
	static const int64_t jumps[] = { 3600 * S, -3600 * S, 60 * S, 0 };
	int64_t ahead_us = jumps[pick(t, ARRAY_SIZE(jumps))];

	for (uint32_t n = 1; n <= t->nodes; n++)
		world_set_wall(t->w, n, ahead_us);
}

static void do_disk(struct trouble *t)
{
	static const int64_t times[] = { WORLD_DISK_US, 5 * US_PER_MS, 60 * US_PER_MS, 400 * US_PER_MS, 1500 * US_PER_MS };

	world_set_disk(t->w, some_node(t), times[pick(t, ARRAY_SIZE(times))]);
}

static void do_faults(struct trouble *t)
{
	struct world_faults f = { .hypervisor = pick(t, 2) * 12, .storage = pick(t, 2) * 10, .fence = pick(t, 2) * 40 };

	world_set_faults(t->w, &f);
}

static void (*const troubles[])(struct trouble *) = {
	do_crash,   do_agent,	do_agent, do_split, do_split, do_want,	  do_want,    do_want,	 do_migrate, do_migrate, do_migrate,
	do_drain,   do_deed,	do_fence, do_clock, do_clocks, do_disk,	  do_disk,    do_faults, do_confirm, do_volume,	 do_definition,
};

/* Everything in order again, but for who is off. */
static void make_good(struct trouble *t)
{
	static const struct world_faults none;

	world_split(t->w, 0);
	world_set_faults(t->w, &none);
	for (uint32_t n = 1; n <= t->nodes; n++) {
		world_set_disk(t->w, n, WORLD_DISK_US);
		world_set_wall(t->w, n, 0);
	}
}

static void end_trouble(struct trouble *t)
{
	make_good(t);
	for (uint32_t n = 1; n <= t->nodes; n++) {
		if (!world_powered(t->w, n))
			world_boot(t->w, n);
		else if (!world_engine(t->w, n))
			world_agent_start(t->w, n);
	}
}

/* Whoever was fenced in the end has to be switched on. */
static void boot_fenced(struct trouble *t)
{
	for (uint32_t n = 1; n <= t->nodes; n++)
		if (!world_powered(t->w, n))
			world_boot(t->w, n);
}

static bool is_current(struct world *w, uint32_t n)
{
	struct engine_status s;

	engine_status(world_engine(w, n), &s);
	return s.current;
}

static bool first_current(struct world *w, void *ctx)
{
	boot_fenced(ctx);
	return world_engine(w, 1) && is_current(w, 1);
}

/* Nodes that were drained take guests again; tried until it is done, for the trouble before may still take an effect. */
static bool activate_all(struct trouble *t)
{
	for (uint32_t n = 1; n <= t->nodes; n++) {
		struct command c = { .kind = CMD_NODE_ACTIVATE, .node = n };
		struct err err;

		if (!world_until(t->w, first_current, t, 100 * S))
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
	if (g->state == GUEST_HELD || g->state == GUEST_IO_ERROR)	/* a person's turn */
		return g->desired != DESIRED_STOPPED;
	return g->state == (enum guest_state[]){ GUEST_STOPPED, GUEST_RUNNING, GUEST_PAUSED }[g->desired];
}

static bool model_settled(const struct model *m)
{
	struct map_iter it = { 0 }, it2 = { 0 };
	const struct guest *g;
	const struct node *n;

	while ((g = map_next(m->guests, &it)))
		if (!guest_settled(g))
			return false;
	while ((n = map_next(m->nodes, &it2)))
		if (!node_online(n) || n->fence_operation || n->fence_wanted)
			return false;
	return map_count(m->operations) == 0;
}

static bool settled(struct world *w, void *ctx)
{
	struct trouble *t = ctx;

	boot_fenced(t);
	for (uint32_t n = 1; n <= t->nodes; n++)
		if (!world_engine(w, n) || !is_current(w, n) || !model_settled(engine_model(world_engine(w, n))))
			return false;
	return true;
}

static bool same_state(struct world *w, void *ctx)
{
	struct trouble *t = ctx;
	char a[65], b[65];

	if (!settled(w, t))
		return false;
	for (uint32_t n = 2; n <= t->nodes; n++)
		if (engine_model(world_engine(w, 1))->index != engine_model(world_engine(w, n))->index ||
		    strcmp(engine_digest(world_engine(w, 1), a), engine_digest(world_engine(w, n), b)))
			return false;
	return true;
}

static void explain_model(struct world *w, uint32_t node)
{
	const struct model *m = engine_model(world_engine(w, node));
	struct map_iter guest_it = { 0 }, op_it = { 0 };
	const struct operation *op;
	const struct guest *g;
	struct engine_status s;

	engine_status(world_engine(w, node), &s);
	print_message("n%u (%s) at %llu\n", node, s.why_not, (unsigned long long)m->index);
	while ((g = map_next(m->guests, &guest_it)))
		print_message("  %s: %s wants %s, n%u, operation %llu, %s\n", g->name, guest_state_text(g->state),
			      desired_text(g->desired), g->owner.node, (unsigned long long)g->operation,
			      move_phase_text(g->move.phase));
	while ((op = map_next(m->operations, &op_it)))
		print_message("  operation %llu: %s of %s%s by n%u\n", (unsigned long long)op->id, op_kind_text(op->kind),
			      op->guest, op->volume, op->node);
}

static void explain(struct trouble *t, uint64_t seed, const char *what)
{
	for (uint32_t n = 1; n <= t->nodes; n++)
		if (world_engine(t->w, n))
			explain_model(t->w, n);
	if (getenv("DOMUS_SEED") && !getenv("DOMUS_SEEDS"))
		puts(world_trace(t->w));
	fail_msg("seed %llu: %s", (unsigned long long)seed, what);
}

static void check_promises(struct trouble *t, uint64_t seed)
{
	const struct world_broken *broken = world_broken(t->w);

	if (broken->double_runs)
		explain(t, seed, "a guest ran twice");
	if (broken->strangers)
		explain(t, seed, "a guest ran where it was not its owner's");
	if (broken->unmapped)
		explain(t, seed, "a guest ran without its volumes");
	if (storage_world_violations(world_disks(t->w)))
		explain(t, seed, "a volume was asked for that was another's");
}

static void count_process(void *ctx, const struct sim_seen *seen)
{
	(void)seen;
	++*(size_t *)ctx;
}

/* What the model says runs, and nothing else. */
static bool processes_agree(struct trouble *t)
{
	const struct model *m = engine_model(world_engine(t->w, 1));
	struct map_iter it = { 0 };
	const struct guest *g;
	size_t owned = 0, there = 0;

	while ((g = map_next(m->guests, &it))) {
		owned += g->owner.node != 0;
		if (sim_world_running(world_guests(t->w), &g->uuid) != (g->state == GUEST_RUNNING))
			return false;
	}
	sim_world_walk(world_guests(t->w), count_process, &there);
	return owned == there;
}

/* A volume is open where its guest's process is, privately, and nowhere else. */
static bool volumes_agree(struct trouble *t)
{
	const struct model *m = engine_model(world_engine(t->w, 1));
	const struct storage_world *disks = world_disks(t->w);

	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++) {
		const struct guest *user = model_volume_user(m, CLUSTER_POOL, volumes[i]);
		bool used = user && user->owner.node;

		if (storage_world_users(disks, CLUSTER_POOL_PATH, volumes[i], ACCESS_PRIVATE) != used ||
		    storage_world_users(disks, CLUSTER_POOL_PATH, volumes[i], ACCESS_SHARED))
			return false;
	}
	return true;
}

static void set_up(struct trouble *t)
{
	struct err err;

	cluster_pool(t->w);
	for (size_t i = 0; i < ARRAY_SIZE(volumes) - 1; i++) {
		struct command c = cluster_volume(CMD_VOLUME_CREATE, volumes[i]);

		assert_int_equal(world_order(t->w, 1, &c, &err), 0);
	}
	world_run(t->w, S);
	for (size_t i = 0; i < GUESTS; i++) {
		struct command c = cluster_definition(&guests[i]);

		assert_int_equal(world_order(t->w, 1, &c, &err), 0);
		cluster_want(t->w, 1, guests[i].name, DESIRED_RUNNING);
	}
}

static void explore(uint64_t seed)
{
	uint32_t nodes = seed % 4 ? 3 : 5;
	struct trouble t = { .w = cluster_new(seed, nodes), .random = seed * 977 + 1, .nodes = nodes };

	set_up(&t);
	for (int i = 0; i < STEPS; i++) {
		troubles[pick(&t, ARRAY_SIZE(troubles))](&t);
		world_run(t.w, (int64_t)pick(&t, 3000) * US_PER_MS / (pick(&t, 2) ? 1 : 100));
		check_promises(&t, seed);
	}
	end_trouble(&t);
	if (!activate_all(&t) || !world_until(t.w, settled, &t, SETTLE_US))
		explain(&t, seed, "it does not settle");
	world_run(t.w, 3 * S);
	check_promises(&t, seed);
	if (!world_until(t.w, same_state, &t, 100 * S))
		explain(&t, seed, "the replicas differ");
	if (!processes_agree(&t))
		explain(&t, seed, "what runs is not what the model says");
	if (!volumes_agree(&t))
		explain(&t, seed, "what is open is not what the model says");
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
