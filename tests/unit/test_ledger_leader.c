/* SPDX-License-Identifier: Apache-2.0
 * The ledger's rules L10 to L12 one by one: silence and the leader, clocks, catching up. */
#include "ledger_forge.h"

/*
 * The lowest that has caught up when the term's OPEN commits leads, and goes on when a lower one
 * has caught up later.
 */
static void test_l10_the_leader_stays(void **state)
{
	struct world *w = world_cluster(25, 3);

	(void)state;
	assert_true(world_status(w, 1).leader > 0);
	world_ring(w, THREE, false);
	until_said(w, MSG_OPEN);
	hold_disks(w, 1);
	world_settle(w);
	assert_int_equal(world_status(w, 2).leader, 2);
	hold_disks(w, 0);
	world_run(w, US_PER_S);
	for (uint32_t id = 1; id <= 3; id++)
		assert_int_equal(world_status(w, id).leader, 2);
	assert_true(ledger_is_leader(ledger_of(w, 2)));
	assert_false(ledger_is_leader(ledger_of(w, 1)));
	world_free(w);
}

/*
 * A leader whose ticks are missing while the others' come is silent: another one leads, for all
 * alike. When all are late nobody is silent.
 */
static void test_l10_a_silent_leader_is_replaced(void **state)
{
	struct world *w = world_cluster(26, 3);
	uint32_t leader = world_status(w, 1).leader, next = leader == 1 ? 2 : 1;

	(void)state;
	w->now.us += 60 * US_PER_S;
	world_run(w, 2 * LEDGER_TICK_US);
	assert_int_equal(world_status(w, 1).n_silent, 0);
	world_node(w, 3)->hold_wire = world_node(w, next)->hold_wire = true;
	/* one that ticks alone says nothing of the others */
	world_run(w, 2 * US_PER_S);
	assert_int_equal(world_status(w, 1).n_silent, 0);
	world_node(w, 3)->hold_wire = world_node(w, next)->hold_wire = false;
	world_run(w, US_PER_S);
	world_node(w, leader)->hold_wire = true;
	world_run(w, 2 * US_PER_S);
	for (uint32_t id = 1; id <= 3; id++) {
		assert_int_equal(world_status(w, id).leader, next);
		assert_int_equal(world_status(w, id).n_silent, 1);
		assert_int_equal(world_status(w, id).silent[0], leader);
	}
	world_node(w, leader)->hold_wire = false;
	world_run(w, US_PER_S);
	assert_int_equal(world_status(w, 1).n_silent, 0);
	assert_int_equal(world_status(w, 1).leader, next);
	world_free(w);
}

static void set_gate(struct world *w, uint32_t id, bool open)
{
	ledger_effects out = { 0 };

	ledger_gate(ledger_of(w, id), open, w->now, &out);
	take_effects(w, world_node(w, id), &out);
}

static void assert_leader(struct world *w, uint32_t leader)
{
	for (uint32_t id = 1; id <= 3; id++) {
		assert_int_equal(world_status(w, id).leader, leader);
		assert_int_equal(ledger_is_leader(ledger_of(w, id)), id == leader);
	}
}

/*
 * Its own gate is shut on one node only: it follows, but another one leads, for all alike, from its
 * next tick on. When nobody's is open nobody leads.
 */
static void test_l10_a_leader_needs_its_own_gate(void **state)
{
	struct world *w = world_cluster(102, 3);

	(void)state;
	world_ring(w, THREE, false);
	while (deliver_one(w, world_node(w, 1)))
		;
	set_gate(w, 1, false);
	world_run(w, 2 * US_PER_S);
	assert_true(world_status(w, 1).caught_up);
	assert_leader(w, 2);
	set_gate(w, 1, true);
	world_run(w, US_PER_S);
	assert_leader(w, 2);
	set_gate(w, 2, false);
	world_run(w, US_PER_S);
	assert_leader(w, 1);
	set_gate(w, 1, false);
	set_gate(w, 3, false);
	world_run(w, US_PER_S);
	assert_leader(w, 0);
	set_gate(w, 3, true);
	world_run(w, US_PER_S);
	assert_leader(w, 3);
	world_free(w);
}

/*
 * A stamp far ahead of the members' clocks is refused by all alike; a node whose clock is wrong
 * still gets its commands through, and an alarm.
 */
static void test_l11_stamps_far_ahead_are_refused(void **state)
{
	struct world *w = world_cluster(27, 3);
	uint64_t last = world_status(w, 1).last;
	struct ledger_msg m = command_of(w, 2, 1000);

	(void)state;
	m.command.stamp_us += 11 * US_PER_S;
	forge(w, 2, &m, 0);
	world_settle(w);
	assert_int_equal(world_status(w, 1).last, last);
	m.command.stamp_us -= 2 * US_PER_S;
	forge(w, 2, &m, 0);
	world_settle(w);
	assert_int_equal(world_status(w, 1).last, last + 1);
	world_node(w, 1)->clock_ahead_us = 3600 * US_PER_S;
	world_run(w, 10 * US_PER_S);
	assert_non_null(strstr(w->alarm, "clock of this node"));
	world_propose(w, 1, 10);
	world_ring(w, THREE, false);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(ledger_of(w, 2)->term.source, 1);
	for (size_t i = 0; i < w->facts.n; i++)
		assert_true(w->facts.v[i].stamp_us <
			    world_wall(w, world_node(w, 2)).us + 10 * US_PER_S);
	world_free(w);
}

/*
 * A node that lacks a long log gets it in parts below a message's size, at most eight for each
 * time it asks.
 */
static void test_l12_catching_up_in_parts(void **state)
{
	struct world *w = world_cluster(28, 3);
	size_t parts, asked;

	(void)state;
	world_crash(w, 3, true);
	world_run(w, US_PER_S);
	for (int i = 0; i < 200; i++)
		world_propose(w, 1 + i % 2, ENTRY_DATA_MAX - 1);
	world_run(w, 2 * US_PER_S);
	tap(w);
	world_boot(w, 3);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	parts = said(w, MSG_ENTRIES, 0);
	asked = said(w, MSG_FETCH, 3);
	assert_in_range(parts, 200, 220);
	assert_in_range(asked, parts / 8, parts / 8 + 3);
	world_free(w);
}

/* The one that was asked does not answer: another one that has caught up is asked. */
static void test_l12_another_one_is_asked(void **state)
{
	struct world *w = world_cluster(29, 3);

	(void)state;
	world_crash(w, 3, true);
	world_run(w, US_PER_S);
	world_propose(w, 1, 10);
	world_run(w, US_PER_S);
	world_boot(w, 3);
	for (int i = 0; i < 2000 && ledger_of(w, 3)->follow != FOLLOW_FETCHING; i++)
		settle_once(w);
	assert_int_equal(ledger_of(w, 3)->catchup.server, 1);
	world_node(w, 1)->hold_in = true;
	tap(w);
	world_run(w, 3 * US_PER_S);
	assert_true(said(w, MSG_ENTRIES, 2) > 0);
	assert_int_equal(ledger_of(w, 3)->follow, FOLLOW_CAUGHT_UP);
	world_free(w);
}

/* What is accepted while a node fetches is held back up to a bound; beyond, it is fetched too. */
static void test_l12_what_is_held_back_is_bounded(void **state)
{
	struct world *w = world_cluster(30, 3);

	(void)state;
	world_ring(w, 3, false);
	world_ring(w, 4, false);
	world_propose(w, 2, 10);
	world_run(w, US_PER_S);
	world_ring(w, THREE, false);
	for (int i = 0; i < 2000 && ledger_of(w, 3)->follow != FOLLOW_FETCHING; i++)
		settle_once(w);
	world_node(w, 1)->hold_wire = true;
	assert_int_equal(ledger_of(w, 3)->catchup.server, 1);
	for (int i = 0; i < 1300; i++)
		world_propose(w, 2, ENTRY_DATA_MAX - 1);
	world_settle(w);
	assert_int_equal(ledger_of(w, 3)->follow, FOLLOW_FETCHING);
	assert_in_range(ledger_of(w, 3)->catchup.held.n, 1, 1200);
	world_node(w, 1)->hold_wire = false;
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_l10_the_leader_stays),
		cmocka_unit_test(test_l10_a_silent_leader_is_replaced),
		cmocka_unit_test(test_l10_a_leader_needs_its_own_gate),
		cmocka_unit_test(test_l11_stamps_far_ahead_are_refused),
		cmocka_unit_test(test_l12_catching_up_in_parts),
		cmocka_unit_test(test_l12_another_one_is_asked),
		cmocka_unit_test(test_l12_what_is_held_back_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
