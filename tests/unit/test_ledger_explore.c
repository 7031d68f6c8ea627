/* SPDX-License-Identifier: Apache-2.0
 * The ledger under random faults. From each seed: views that split and merge with messages lost
 * at their ends, crashes with what is not durable lost, slow disks, wiped disks, late
 * deliveries. What must hold stands in ledger_world.h and is looked at with every event; when
 * the faults stop, everything that was proposed must be applied and everybody caught up, soon.
 *
 *	DOMUS_SEEDS=N	so many seeds	DOMUS_SEED=K	begin with this one (alone, if N is not said) */
#include "ledger_world.h"

#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define SEEDS 30 /* ten times as slow */
#else
#define SEEDS 300
#endif
#define STEPS    6000
#define BOUND_US (60 * US_PER_S)

static void random_views(struct world *w)
{
	unsigned int a = (unsigned int)world_random(w, 1u << w->n), b = ALL_NODES(w->n) & ~a;
	bool lose = world_random(w, 2);

	if (w->next_ring > 4000)
		return;
	w->quorate = world_random(w, 4) > 0;
	if (world_random(w, 3) == 0)
		a = ALL_NODES(w->n), b = 0;
	if (a)
		world_ring(w, a, lose);
	if (b)
		world_ring(w, b, lose);
}

static void random_crash(struct world *w, struct node *n)
{
	if (n->l)
		world_crash(w, n->id, world_random(w, 2));
	if (world_random(w, 3) == 0)
		n->incarnation = world_id(w);
}

/* What a person does with a node that is down, has come up blank, or has a broken disk. */
static void care(struct world *w, struct node *n)
{
	if (!n->l)
		world_boot(w, n->id);
	else if (world_status(w, n->id).role == LEDGER_BLANK)
		world_join(w, n->id);
	else if (world_status(w, n->id).role == LEDGER_FAILED)
		world_crash(w, n->id, false);
}

static void rare(struct world *w, struct node *n)
{
	switch (world_random(w, 12)) {
	case 0 ... 2:
		random_views(w);
		break;
	case 3:
		random_crash(w, n);
		break;
	case 4:
		world_gate(w, n->ring, world_random(w, 4) > 0);
		break;
	case 5:
		n->hold_disk = world_random(w, 3) == 0;
		break;
	case 6:
		n->hold_in = world_random(w, 4) == 0;
		break;
	case 7:
		n->hold_wire = world_random(w, 4) == 0;
		break;
	case 8:
		n->fail_next_write = world_random(w, 4) == 0;
		break;
	default:
		care(w, n);
	}
}

static void step(struct world *w)
{
	struct node *n = &w->nodes[world_random(w, w->n)];

	w->steps++;
	switch (world_random(w, 16)) {
	case 0 ... 4:
		for (uint64_t i = world_random(w, 12); i > 0 && !n->hold_in; i--)
			deliver_one(w, n);
		break;
	case 5 ... 9:
		if (!n->hold_wire)
			wire_one(w, n);
		break;
	case 10 ... 12:
		if (!n->hold_disk)
			disk_done(w, n);
		break;
	case 13:
		w->now.us += (int64_t)world_random(w, 100 * US_PER_MS);
		if (n->l)
			tick_one(w, n);
		break;
	case 14:
		if (n->l)
			world_propose(w, n->id, world_random(w, 20) ? 20 : ENTRY_DATA_MAX);
		break;
	default:
		if (world_random(w, UINT64_C(1) << w->seed % 5) == 0)
			rare(w, n);
	}
}

static void end_of_faults(struct world *w)
{
	w->quorate = true;
	for (size_t i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		n->hold_disk = n->hold_in = n->hold_wire = n->fail_next_write = false;
		if (n->l && world_status(w, n->id).role == LEDGER_FAILED)
			world_crash(w, n->id, false);
		if (!n->l)
			world_boot(w, n->id);
	}
	world_ring(w, ALL_NODES(w->n), false);
	world_settle(w);
	for (uint32_t id = 1; id <= w->n; id++)
		care(w, world_node(w, id));
}

static void check_end(struct world *w)
{
	uint32_t leader = world_status(w, 1).leader;

	for (size_t i = 0; i < w->proposed.n; i++) {
		if (w->proposed.v[i].applied == 0 && !w->proposed.v[i].lost)
			world_fail(w, "a command was never applied");
	}
	for (uint32_t id = 1; id <= w->n; id++) {
		if (world_status(w, id).leader != leader || leader == 0)
			world_fail(w, "node %u has another leader", id);
	}
	if (w->alarms > 0)
		world_fail(w, "alarm: %s", w->alarm);
}

/*
 * Returns the trace of the run. Every second seed has logs so short that snapshots take the place
 * of their beginning all the time.
 */
static uint64_t explore(uint64_t seed, bool wipe, unsigned int *ret_restored)
{
	uint64_t log_entries = seed % 2 ? 0 : 5 + seed % 64;
	struct world *w = world_cluster_with(seed, seed % 3 == 0 ? 5 : 3, log_entries);
	uint64_t wipe_at = wipe ? STEPS / 2 : 0, trace;

	for (uint64_t i = 0; i < STEPS; i++) {
		step(w);
		if (wipe_at && i == wipe_at) {
			struct node *n = world_node(w, (uint32_t)w->n);

			if (n->l)
				world_crash(w, n->id, false);
			world_wipe(w, n->id);
		}
	}
	end_of_faults(w);
	world_until_caught_up(w, ALL_NODES(w->n), BOUND_US);
	check_end(w);
	trace = w->trace;
	*ret_restored += w->restored;
	world_free(w);
	return trace;
}

static uint64_t first_seed(void)
{
	const char *text = getenv("DOMUS_SEED");

	return text ? strtoull(text, NULL, 10) : 1;
}

static uint64_t n_seeds(void)
{
	const char *text = getenv("DOMUS_SEEDS");

	if (text)
		return strtoull(text, NULL, 10);
	return getenv("DOMUS_SEED") ? 1 : SEEDS;
}

/* Crashes, splits, delays: nothing committed is lost, all agree, everything is done in the end. */
static void test_faults(void **state)
{
	unsigned int restored = 0;

	(void)state;
	for (uint64_t seed = first_seed(); seed < first_seed() + n_seeds(); seed++)
		explore(seed, false, &restored);
	assert_true(restored > 0 || n_seeds() < 20);
}

/*
 * The same with one disk that comes back empty: it has no vote until it is let in anew (rule
 * L7).
 */
static void test_faults_and_a_wiped_disk(void **state)
{
	unsigned int restored = 0;

	(void)state;
	for (uint64_t seed = first_seed(); seed < first_seed() + n_seeds() / 3 + 1; seed++)
		explore(seed, true, &restored);
}

/*
 * The same messages in, the same effects out (rule L11): no clock, address or hash order in
 * them.
 */
static void test_same_seed_same_run(void **state)
{
	unsigned int restored = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		uint64_t trace = explore(seed, true, &restored);

		assert_true(trace == explore(seed, true, &restored));
		assert_true(trace != explore(seed + 1, true, &restored));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_faults_and_a_wiped_disk),
		cmocka_unit_test(test_same_seed_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
