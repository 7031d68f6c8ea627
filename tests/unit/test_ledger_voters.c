/* SPDX-License-Identifier: Apache-2.0
 * The ledger's rules L7 and L8 one by one: which stores have a vote, and how that changes. */
#include "ledger_forge.h"

/*
 * Blank stores open nothing, propose nothing, and say what to do. One is born a ledger, the
 * others are not born a second one.
 */
static void test_l7_blank_stores_wait(void **state)
{
	struct world *w = world_new(18, 3);

	(void)state;
	world_ring(w, THREE, false);
	for (uint32_t id = 1; id <= 3; id++)
		world_boot(w, id);
	world_run(w, 3 * US_PER_S);
	assert_false(world_status(w, 1).open);
	assert_int_equal(world_status(w, 1).role, LEDGER_BLANK);
	assert_string_equal(world_status(w, 1).why_not_open,
			    "blank store: run domus cluster init or join");
	assert_int_equal(world_propose(w, 1, 10), -ENODEV);
	assert_int_equal(world_init(w, 2), 0);
	world_run(w, US_PER_S);
	assert_true(world_status(w, 2).open);
	assert_int_equal(world_init(w, 2), -EEXIST);
	assert_int_equal(world_init(w, 1), -EEXIST);
	assert_int_equal(world_join(w, 2), -EALREADY);
	assert_int_equal(world_status(w, 1).role, LEDGER_BLANK);
	assert_int_equal(world_status(w, 1).last, 0);
	world_free(w);
}

/*
 * A wiped disk has no vote: with it and one other, a third of three is missing. It is let in
 * again in two records.
 */
static void test_l7_a_wiped_store_has_no_vote(void **state)
{
	struct world *w = world_cluster(19, 3);
	uint64_t records = ledger_of(w, 1)->records.n;

	(void)state;
	world_crash(w, 3, false);
	world_wipe(w, 3);
	world_crash(w, 1, true);
	world_boot(w, 3);
	world_join(w, 3);
	world_run(w, 5 * US_PER_S);
	assert_false(world_status(w, 2).open);
	assert_false(world_status(w, 3).open);
	assert_int_equal(world_status(w, 3).last, 0);
	world_boot(w, 1);
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	assert_int_equal(ledger_of(w, 1)->records.n, records + 2);
	assert_true(id_equal(&ledger_voters(ledger_of(w, 1))->v[2].store,
			     &world_node(w, 3)->disk.store));
	world_free(w);
}

/*
 * A disk set back to an older state has lost what it acknowledged: no vote, though it is the
 * same store, until it is let in again.
 */
static void test_l7_a_regressed_store_has_no_vote(void **state)
{
	struct world *w = world_cluster(20, 3);
	struct ledger_image old = image_copy(&world_node(w, 3)->disk);
	struct ledger_status st;

	(void)state;
	world_propose(w, 1, 10);
	world_run(w, 2 * US_PER_S);
	world_crash(w, 3, true);
	image_free(&world_node(w, 3)->disk);
	world_node(w, 3)->disk = old;
	w->disks_lied = true;
	world_crash(w, 1, true);
	world_boot(w, 3);
	world_run(w, 5 * US_PER_S);
	assert_false(ledger_of(w, 2)->term.open);
	assert_int_equal(world_status(w, 3).role, LEDGER_LEARNER);
	assert_non_null(strstr(w->alarm, "store of node 3 has lost"));
	world_boot(w, 1);
	world_run(w, 5 * US_PER_S);
	st = world_status(w, 3);
	assert_true(st.open && st.caught_up);
	assert_int_equal(st.role, LEDGER_LEARNER);
	/* it has all entries again; what it promised once is still lost */
	world_ring(w, THREE, false);
	world_run(w, 5 * US_PER_S);
	assert_int_equal(world_status(w, 3).role, LEDGER_LEARNER);
	assert_non_null(strstr(ledger_alarm_standing(ledger_of(w, 2), 0), "node 3 has lost"));
	assert_int_equal(world_join(w, 3), 0);
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	assert_null(ledger_alarm_standing(ledger_of(w, 2), 0));
	world_ring(w, THREE, false);
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	world_free(w);
}

/*
 * Another cluster's node on our ring: ignored by us, ignores us, says so on both sides; we go
 * on.
 */
static void test_l7_a_foreign_store_is_ignored(void **state)
{
	struct world *w = world_cluster(21, 3);
	struct id ours = world_node(w, 3)->disk.cluster;

	(void)state;
	world_crash(w, 3, true);
	world_node(w, 3)->disk.cluster = world_id(w);
	world_boot(w, 3);
	world_run(w, 3 * US_PER_S);
	assert_int_equal(w->alarms, 4); /* about each stranger once, not with every message */
	assert_int_equal(world_status(w, 3).role, LEDGER_FOREIGN);
	assert_false(world_status(w, 3).open);
	assert_true(world_status(w, 1).open);
	world_propose(w, 1, 10);
	world_run(w, US_PER_S);
	assert_int_equal(world_status(w, 1).waiting, 0);
	assert_true(id_equal(&ours, &ledger_of(w, 1)->cluster));
	assert_int_equal(world_status(w, 3).last, world_node(w, 3)->disk.entries.n);
	world_free(w);
}

/* Whether node @id has an alarm that still stands and says @what. */
static bool warns_of(struct world *w, uint32_t id, const char *what)
{
	const char *text;

	for (size_t i = 0; (text = ledger_alarm_standing(ledger_of(w, id), i)); i++) {
		if (strstr(text, what))
			return true;
	}
	return false;
}

/* Two strangers at once: an alarm about each of them, which stands while it is there. */
static void test_l7_each_foreign_store_is_named(void **state)
{
	struct world *w = world_cluster(106, 3);

	(void)state;
	for (uint32_t id = 2; id <= 3; id++) {
		world_crash(w, id, true);
		world_node(w, id)->disk.cluster = world_id(w);
	}
	for (uint32_t id = 2; id <= 3; id++)
		world_boot(w, id);
	world_run(w, 3 * US_PER_S);
	assert_int_equal(w->alarms, 6);
	assert_true(warns_of(w, 1, "node 2") && warns_of(w, 1, "node 3"));
	world_crash(w, 2, false);
	world_run(w, US_PER_S);
	assert_true(!warns_of(w, 1, "node 2") && warns_of(w, 1, "node 3"));
	world_free(w);
}

/*
 * What is committed here is not what the others have: it is not cut; this node takes no part any
 * more and says so.
 */
static void test_l7_committed_is_never_cut(void **state)
{
	struct world *w = world_cluster(22, 3);
	struct ledger_image *disk = &world_node(w, 3)->disk;
	struct ledger_entry lie;

	(void)state;
	world_crash(w, 3, true);
	world_run(w, US_PER_S);
	world_propose(w, 1, 10);
	world_run(w, US_PER_S);
	lie = disk->entries.v[disk->entries.n - 1];
	lie.index++;
	image_append(disk, &lie);
	disk->committed = lie.index;
	world_node(w, 3)->lies = true;
	world_boot(w, 3);
	world_run(w, 3 * US_PER_S);
	assert_int_equal(disk->entries.n, lie.index);
	assert_int_equal(world_status(w, 3).role, LEDGER_LEARNER);
	assert_non_null(strstr(w->alarm, "takes no part any more"));
	assert_false(world_status(w, 3).caught_up);
	assert_int_equal(world_join(w, 3), -EUCLEAN);
	assert_true(world_status(w, 1).open);
	world_free(w);
}

/* The gate alone opens nothing, and no majority opens while the gate is shut. */
static void test_l8_quorate_is_a_gate_not_a_count(void **state)
{
	struct world *w = world_cluster(23, 3);

	(void)state;
	world_ring(w, 4, false);
	world_ring(w, 3, false);
	world_run(w, 3 * US_PER_S);
	assert_true(world_status(w, 3).quorate);
	assert_false(world_status(w, 3).open);
	assert_string_equal(world_status(w, 3).why_not_open, "2 of 3 votes needed, 1 here");
	w->quorate = false;
	world_ring(w, THREE, false);
	world_run(w, 3 * US_PER_S);
	assert_false(world_status(w, 1).open);
	assert_string_equal(world_status(w, 1).why_not_open, "not quorate");
	world_gate(w, world_node(w, 1)->ring, true);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_string_equal(world_status(w, 1).why_not_open, "");
	world_free(w);
}

static struct ledger_msg record_of(struct world *w, uint32_t from, const struct ledger_voters *v,
				   struct buf *payload)
{
	struct ledger_msg m = command_of(w, from, 5000);

	buf_clear(payload);
	ledger_voters_out(v, payload);
	m.command.kind = ENTRY_VOTERS;
	m.command.data = payload->data;
	m.command.len = payload->len;
	return m;
}

/*
 * Only the leader changes the voters, one at a time, and not before the change before it is
 * committed.
 */
static void test_l8_one_voter_at_a_time(void **state)
{
	struct world *w = world_cluster(24, 3);
	uint64_t last = world_status(w, 1).last;
	struct ledger_voters two = *ledger_voters(ledger_of(w, 1)), one;
	_cleanup_(buf_free) struct buf payload = { 0 };
	uint32_t leader = world_status(w, 1).leader;
	struct ledger_msg m;

	(void)state;
	two.n = 2;
	one = two;
	one.n = 1;
	m = record_of(w, leader % 3 + 1, &two, &payload);
	forge(w, leader % 3 + 1, &m, 0);
	m = record_of(w, leader, &one, &payload);
	forge(w, leader, &m, 0);
	world_settle(w);
	assert_int_equal(world_status(w, 2).last, last);
	hold_disks(w, 7);
	m = record_of(w, leader, &two, &payload);
	forge(w, leader, &m, 0);
	m = record_of(w, leader, &one, &payload);
	forge(w, leader, &m, 0);
	world_settle(w);
	assert_int_equal(world_status(w, 2).last, last + 1);
	assert_int_equal(ledger_voters(ledger_of(w, 2))->n, 2);
	world_free(w);
}

/*
 * A change fits when every majority before meets every one after: two votes more at once may
 * not.
 */
static void test_l8_majorities_meet(void **state)
{
	struct ledger_voters before = { .n = 3 }, after;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		before.v[i] = (struct ledger_voter){ .node = i + 1,
						     .votes = 1,
						     .store = { { (uint8_t)(i + 1) } } };
	after = before;
	assert_false(voters_change_fits(&before, &after));
	after.v[after.n++] = (struct ledger_voter){ .node = 4, .votes = 1, .store = { { 4 } } };
	assert_true(voters_change_fits(&before, &after));
	assert_true(voters_change_fits(&after, &before));
	after.v[3].votes = 2;
	assert_false(voters_change_fits(&before, &after));
	after.v[3].votes = 10;
	assert_false(voters_change_fits(&before, &after));
	after = before;
	after.v[2].store.b[0] = 99;
	assert_false(voters_change_fits(&before, &after));
	after = before; /* two at once, though their majorities do meet */
	before.v[0].votes = after.v[0].votes = 10;
	before.n = 1;
	assert_false(voters_change_fits(&before, &after));
}

/*
 * The evidence comes late, in a term that is open already: from there on its acknowledgements
 * count no more.
 */
static void test_l7_a_regressed_store_is_found_out_late(void **state)
{
	struct world *w = world_cluster(36, 3);
	struct ledger_image old = image_copy(&world_node(w, 3)->disk);
	struct ledger_msg ack = { .type = MSG_ACK };

	(void)state;
	world_propose(w, 1, 10);
	world_run(w, 2 * US_PER_S);
	world_crash(w, 3, true);
	image_free(&world_node(w, 3)->disk);
	world_node(w, 3)->disk = old;
	w->disks_lied = true;
	world_crash(w, 2, true); /* forgets what 3 once had; 1, who knows, is late */
	world_settle(w);
	world_boot(w, 3);
	world_node(w, 1)->hold_wire = true;
	world_boot(w, 2);
	world_run(w, 2 * US_PER_S);
	assert_int_equal(ledger_of(w, 2)->term.source, 2);
	assert_true(world_status(w, 3).caught_up);
	world_node(w, 2)->hold_wire = true;
	world_node(w, 1)->hold_wire = false;
	world_settle(w);
	assert_true(ledger_member(ledger_of(w, 3), 3)->regressed);
	world_propose(w, 3, 10);
	world_settle(w);
	ack.ack.index = ledger_of(w, 3)->term.next - 1;
	world_node(w, 1)->hold_wire = true;
	forge_as(w, 3, 2, &ack, 0);
	world_settle(w);
	assert_true(ledger_member(ledger_of(w, 3), 3)->acked == ack.ack.index);
	assert_true(ledger_of(w, 3)->term.commit < ack.ack.index);
	world_free(w);
}

/* Nodes 1 to 3 are a cluster of their own; node 4, blank, comes to them having promised @promised. */
static struct world *cluster_and_blank(uint64_t seed, uint64_t promised)
{
	struct world *w = world_new(seed, 4);

	world_ring(w, THREE, false);
	world_ring(w, 8, false);
	for (uint32_t id = 1; id <= 3; id++)
		world_boot(w, id);
	world_settle(w);
	assert_int_equal(world_init(w, 1), 0);
	world_run(w, US_PER_S);
	for (uint32_t id = 2; id <= 3; id++)
		assert_int_equal(world_join(w, id), 0);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	world_node(w, 4)->disk.promised = promised;
	world_boot(w, 4);
	world_ring(w, ALL_NODES(4), false);
	return w;
}

/*
 * An agent that ends while its blank store is being let in goes on with that in its next life, if the
 * store has got anything.
 */
static void test_l7_a_join_survives_the_agent(void **state)
{
	struct world *w = cluster_and_blank(107, 0);

	(void)state;
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	assert_int_equal(world_join(w, 4), 0);
	for (int i = 0; world_node(w, 4)->disk.entries.n == 0; i++) {
		assert_true(i < 1000);
		assert_true(settle_once(w));
	}
	world_crash(w, 4, true);
	assert_int_equal(ledger_voters(ledger_of(w, 1))->n, 3);
	world_boot(w, 4);
	assert_true(world_status(w, 4).joining);
	world_until_caught_up(w, ALL_NODES(4), 10 * US_PER_S);
	assert_false(world_status(w, 4).joining);
	world_free(w);
}

/*
 * A blank store that has promised something keeps that promise when it is made the first of a
 * ledger, in a view or between two.
 */
static void test_l3_birth_keeps_the_promise(void **state)
{
	struct world *w = world_new(105, 1);
	ledger_effects out = { 0 };

	(void)state;
	world_node(w, 1)->disk.promised = 50;
	world_ring(w, 1, false);
	world_boot(w, 1);
	world_settle(w);
	ledger_view(ledger_of(w, 1), NULL, false, w->now, &out);
	take_effects(w, world_node(w, 1), &out);
	assert_int_equal(world_init(w, 1), 0);
	world_settle(w);
	world_ring(w, 1, false);
	world_until_caught_up(w, 1, 5 * US_PER_S);
	assert_int_equal(world_status(w, 1).term, 51);
	world_free(w);
}

/*
 * A blank store that has promised more than the open term (in another cluster, say) and asks to be
 * let in is: a round is made in which it speaks in time.
 */
static void test_l7_a_blank_store_with_a_promise_joins(void **state)
{
	struct world *w = cluster_and_blank(104, 50);

	(void)state;
	world_node(w, 4)->hold_wire = true; /* its STATE comes when the term is fixed */
	world_run(w, 600 * US_PER_MS);
	world_node(w, 4)->hold_wire = false;
	world_run(w, 5 * US_PER_S);
	assert_true(world_status(w, 1).term < 50);
	assert_int_equal(world_join(w, 4), 0);
	world_until_caught_up(w, ALL_NODES(4), 10 * US_PER_S);
	assert_true(world_status(w, 1).term > 50);
	world_free(w);
}

/* A promise at the end of the range, a blank store's or a voter's, does not take the others there. */
static void test_l7_an_absurd_promise_is_left_out(void **state)
{
	struct world *w = cluster_and_blank(103, LEDGER_NUMBER_MAX - 1);
	uint64_t round;

	(void)state;
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	assert_int_equal(world_join(w, 4), 0);
	world_run(w, 10 * US_PER_S);
	assert_int_equal(world_status(w, 4).role, LEDGER_BLANK);
	assert_non_null(strstr(w->alarm, "cannot be"));
	world_crash(w, 4, false);
	world_crash(w, 3, true);
	world_node(w, 3)->disk.promised = LEDGER_NUMBER_MAX - 1;
	world_boot(w, 3);
	world_ring(w, THREE, false);
	world_until_caught_up(w, 3, 10 * US_PER_S);
	assert_true(world_status(w, 1).term < 100);
	assert_false(world_status(w, 3).caught_up);
	round = ledger_of(w, 1)->round;
	world_run(w, 60 * US_PER_S);
	assert_int_equal(ledger_of(w, 1)->round, round);
	assert_int_equal(world_status(w, 1).bad_messages, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_l7_blank_stores_wait),
		cmocka_unit_test(test_l7_a_regressed_store_is_found_out_late),
		cmocka_unit_test(test_l7_a_wiped_store_has_no_vote),
		cmocka_unit_test(test_l7_a_regressed_store_has_no_vote),
		cmocka_unit_test(test_l7_a_foreign_store_is_ignored),
		cmocka_unit_test(test_l7_each_foreign_store_is_named),
		cmocka_unit_test(test_l7_committed_is_never_cut),
		cmocka_unit_test(test_l7_a_join_survives_the_agent),
		cmocka_unit_test(test_l3_birth_keeps_the_promise),
		cmocka_unit_test(test_l7_a_blank_store_with_a_promise_joins),
		cmocka_unit_test(test_l7_an_absurd_promise_is_left_out),
		cmocka_unit_test(test_l8_quorate_is_a_gate_not_a_count),
		cmocka_unit_test(test_l8_one_voter_at_a_time),
		cmocka_unit_test(test_l8_majorities_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
