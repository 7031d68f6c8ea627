/* SPDX-License-Identifier: Apache-2.0
 * The ledger's rules L1 to L6 one by one, and what any input must not do. A test is named for
 * the rule that it would catch broken. */
#include "ledger_forge.h"

/*
 * A command is committed, and so applied, when two of three disks hold it: not with one, and
 * nobody waits for the third.
 */
static void test_l1_commit_needs_a_majority_of_disks(void **state)
{
	struct world *w = world_cluster(1, 3);
	uint64_t before = world_status(w, 1).committed;

	(void)state;
	hold_disks(w, 6);
	world_propose(w, 1, 10);
	world_settle(w);
	assert_int_equal(world_status(w, 1).last, before + 1);
	assert_int_equal(world_status(w, 1).committed, before);
	assert_int_equal(world_status(w, 1).applied, before);
	hold_disks(w, 4);
	world_settle(w);
	for (uint32_t id = 1; id <= 3; id++)
		assert_int_equal(world_status(w, id).applied, before + 1);
	world_free(w);
}

/* What gathers while a write is under way goes out with the next one, all of it. */
static void test_l1_writes_are_grouped(void **state)
{
	struct world *w = world_cluster(2, 3);
	uint64_t before = world_status(w, 3).last;

	(void)state;
	hold_disks(w, 4);
	for (int i = 0; i < 50; i++)
		assert_int_equal(world_propose(w, 1, 10), 0);
	world_settle(w);
	assert_true(world_node(w, 3)->writing);
	disk_done(w, world_node(w, 3));
	assert_true(world_node(w, 3)->writing);
	disk_done(w, world_node(w, 3));
	assert_false(world_node(w, 3)->writing);
	assert_int_equal(world_node(w, 3)->disk.entries.n, before + 50);
	world_free(w);
}

/* Nothing is acknowledged while the write is under way. */
static void test_l2_no_acknowledgement_before_durable(void **state)
{
	struct world *w = world_cluster(3, 3);

	(void)state;
	tap(w);
	hold_disks(w, 2);
	world_propose(w, 1, 10);
	world_settle(w);
	assert_int_equal(said(w, MSG_ACK, 2), 0);
	assert_int_equal(said(w, MSG_ACK, 1), 1);
	hold_disks(w, 0);
	world_settle(w);
	assert_int_equal(said(w, MSG_ACK, 2), 1);
	world_free(w);
}

/*
 * A failed disk: no acknowledgement, promise, STATE or tick any more, an alarm that says what the
 * store says, and the others go on.
 */
static void test_l2_a_failed_store_is_silent_for_good(void **state)
{
	struct world *w = world_cluster(4, 3);
	struct ledger_status st;

	(void)state;
	world_node(w, 1)->fail_next_write = true;
	tap(w);
	world_propose(w, 2, 10);
	world_settle(w);
	assert_int_equal(world_status(w, 1).role, LEDGER_FAILED);
	assert_non_null(strstr(w->alarm, "disk has failed"));
	assert_non_null(strstr(w->alarm, "ledger.db: no space left: make room"));
	assert_int_equal(world_propose(w, 1, 10), -EIO);
	world_propose(w, 2, 10);
	world_run(w, 2 * US_PER_S);
	world_ring(w, THREE, false);
	world_run(w, 2 * US_PER_S);
	st = world_status(w, 2);
	assert_true(st.open);
	assert_int_equal(st.leader, 2);
	assert_int_equal(said(w, MSG_ACK, 1) + said(w, MSG_STATE, 1) + said(w, MSG_PROMISE, 1) +
				 said(w, MSG_TICK, 1),
			 0);
	assert_false(world_node(w, 1)->writing);
	world_free(w);
}

/* It still follows, without its disk: what the others commit is applied here too. */
static void test_l2_a_failed_store_follows(void **state)
{
	struct world *w = world_cluster(5, 3);

	(void)state;
	world_node(w, 1)->fail_next_write = true;
	world_propose(w, 2, 10);
	world_settle(w);
	world_ring(w, THREE, false);
	world_run(w, 2 * US_PER_S);
	world_propose(w, 2, 10);
	world_run(w, 2 * US_PER_S);
	assert_int_equal(world_status(w, 1).applied, w->facts.n);
	world_free(w);
}

/* The promise is on the disk before it is said. */
static void test_l3_promise_is_durable_first(void **state)
{
	struct world *w = world_cluster(6, 3);
	uint64_t term = world_status(w, 1).term;

	(void)state;
	tap(w);
	hold_disks(w, 2);
	world_ring(w, THREE, false);
	world_settle(w);
	assert_int_equal(said(w, MSG_STATE, 2), 1);
	assert_int_equal(said(w, MSG_PROMISE, 2), 0);
	assert_int_equal(world_node(w, 2)->disk.promised, term);
	hold_disks(w, 0);
	world_settle(w);
	assert_int_equal(world_node(w, 2)->disk.promised, term + 1);
	assert_int_equal(said(w, MSG_PROMISE, 2), 1);
	world_free(w);
}

/*
 * A promise survives its agent: the term of the next view is higher, though the last one never
 * opened.
 */
static void test_l3_the_term_is_above_all_promises(void **state)
{
	struct world *w = world_cluster(7, 3);
	uint64_t term = world_status(w, 1).term;

	(void)state;
	hold_disks(w, 6);
	world_ring(w, THREE, false);
	world_settle(w);
	assert_int_equal(world_node(w, 1)->disk.promised, term + 1);
	assert_false(world_status(w, 1).open);
	for (uint32_t id = 1; id <= 3; id++)
		world_crash(w, id, false);
	hold_disks(w, 0);
	world_boot(w, 1);
	world_boot(w, 2);
	world_until_caught_up(w, 3, 5 * US_PER_S);
	assert_int_equal(world_status(w, 1).term, term + 2);
	world_free(w);
}

/*
 * STATE waits for the write under way and tells what is durable; what was not handed over, and
 * what nobody has acknowledged, is dropped.
 */
static void test_l3_state_tells_what_is_durable(void **state)
{
	struct world *w = world_cluster(8, 3);
	uint64_t before = world_status(w, 2).last;

	(void)state;
	hold_disks(w, 7);
	world_propose(w, 1, 10);
	world_settle(w);
	world_propose(w, 1, 10);
	world_settle(w);
	assert_int_equal(world_status(w, 2).last, before + 2);
	tap(w);
	world_ring(w, THREE, false);
	world_settle(w);
	assert_int_equal(world_status(w, 2).last, before);
	assert_int_equal(said(w, MSG_STATE, 0), 0);
	hold_disks(w, 0);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(w->proposed.v[1].applied, 1);
	world_free(w);
}

/* A majority is enough: the third, whose disk hangs, catches up in the open term. */
static void test_l3_opens_without_all(void **state)
{
	struct world *w = world_cluster(9, 3);

	(void)state;
	hold_disks(w, 4);
	world_propose(w, 1, 10);
	world_settle(w);
	world_ring(w, THREE, false);
	world_run(w, 2 * US_PER_S);
	assert_true(world_status(w, 1).open);
	world_propose(w, 1, 10);
	world_run(w, US_PER_S);
	assert_int_equal(world_status(w, 1).waiting, 0);
	assert_false(world_status(w, 3).caught_up);
	hold_disks(w, 0);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	world_free(w);
}

/*
 * {1, 2} commit what 3 has not; then {2, 3} go on from 2's log, and 3 cuts the tail of its own
 * that nobody committed.
 */
static void test_l3_source_is_the_most_advanced(void **state)
{
	struct world *w = world_cluster(10, 3);

	(void)state;
	world_ring(w, 3, true);
	world_propose(w, 3, 10); /* in the old view: 3 alone gets it */
	wire_one(w, world_node(w, 3));
	world_settle(w);
	world_ring(w, 4, false);
	world_settle(w);
	for (int i = 0; i < 5; i++)
		world_propose(w, 1, 10);
	world_run(w, US_PER_S);
	assert_int_equal(world_status(w, 1).waiting, 0);
	world_crash(w, 1, false);
	world_ring(w, 1, false);
	world_ring(w, 6, false);
	world_until_caught_up(w, 6, 5 * US_PER_S);
	for (size_t i = 0; i < w->proposed.n; i++)
		assert_int_equal(w->proposed.v[i].applied, 1);
	world_free(w);
}

/* Only the source opens, whoever else says so, and only when a majority has promised. */
static void test_l3_only_the_source_opens(void **state)
{
	struct world *w = world_cluster(34, 3);
	uint64_t last = world_status(w, 1).last, term = ledger_of(w, 1)->log.v[last - 1]->term;
	static const char nobody[4];
	struct ledger_msg open = { .type = MSG_OPEN,
				   .open = { term, last, 1, nobody, sizeof(nobody) } };

	(void)state;
	world_ring(w, THREE, false);
	until_said(w, MSG_PROMISE);
	forge(w, 1, &open, 0);
	for (uint32_t id = 2; id <= 3; id++) {
		while (deliver_one(w, world_node(w, id)))
			;
		assert_false(ledger_of(w, id)->term.open);
	}
	world_node(w, 1)->hold_wire = true;
	world_settle(w);
	assert_int_equal(view_source(ledger_of(w, 2))->node, 1);
	forge(w, 2, &open, 0);
	world_settle(w);
	assert_false(ledger_of(w, 2)->term.open);
	world_node(w, 1)->hold_wire = false;
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(ledger_of(w, 2)->term.source, 1);
	world_free(w);
}

/*
 * A late member's STATE comes after the OPEN: one more round, so that the next OPEN names its
 * incarnation.
 */
static void test_l3_a_late_member_is_listed(void **state)
{
	struct world *w = world_cluster(11, 3);
	const struct ledger_open *listed;

	(void)state;
	world_crash(w, 3, true);
	world_node(w, 3)->incarnation = world_id(w);
	world_boot(w, 3);
	world_node(w, 3)->hold_wire = true;
	world_run(w, 2 * US_PER_S);
	listed = &ledger_of(w, 1)->term.listed;
	assert_int_equal(listed->n_members, 3);
	assert_true(id_is_none(&listed->members[2].incarnation));
	world_node(w, 3)->hold_wire = false;
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(ledger_of(w, 1)->round, 1);
	assert_true(id_equal(&listed->members[2].incarnation, &world_node(w, 3)->incarnation));
	world_free(w);
}

/*
 * Two disks hold an entry of an older term: that commits nothing, and nor does an
 * acknowledgement of it, before the OPEN is held by two.
 */
static void test_l4_older_entries_commit_with_the_open_only(void **state)
{
	struct world *w = world_cluster(12, 3);
	uint64_t before = world_status(w, 1).committed;
	struct ledger_msg old = { .type = MSG_ACK, .ack = { .index = before + 1 } };

	(void)state;
	world_propose(w, 1, 10);
	ledger_forget(ledger_of(w, 1), &w->proposed.v[0].id);
	until_last(w, 3, before + 1);
	for (uint32_t id = 2; id <= 3; id++)
		world_node(w, id)->hold_wire = true;
	world_settle(w);
	assert_int_equal(world_node(w, 2)->disk.entries.n, before + 1);
	world_ring(w, THREE, true);
	for (uint32_t id = 1; id <= 3; id++) {
		while (world_node(w, id)->in.n > 0)
			deliver_one(w, world_node(w, id));
		world_node(w, id)->hold_wire = false;
	}
	until_said(w, MSG_OPEN);
	hold_disks(w, 7);
	world_settle(w);
	assert_int_equal(world_status(w, 1).last, before + 2);
	forge(w, 2, &old, 0);
	forge(w, 3, &old, 0);
	world_settle(w);
	assert_int_equal(world_status(w, 1).committed, before);
	hold_disks(w, 6);
	world_settle(w);
	assert_int_equal(world_status(w, 1).committed, before);
	assert_false(world_status(w, 1).open);
	hold_disks(w, 4);
	world_settle(w);
	assert_int_equal(world_status(w, 1).committed, before + 2);
	world_free(w);
}

/* Messages of another term, or of nobody in the view, change nothing for anybody. */
static void test_l5_another_term_is_ignored(void **state)
{
	struct world *w = world_cluster(13, 3);
	uint64_t last = world_status(w, 1).last;
	struct ledger_msg m;

	(void)state;
	hold_disks(w, 6);
	world_propose(w, 1, 10);
	world_settle(w);
	for (int offset = -1; offset <= 1; offset += 2) {
		m = command_of(w, 2, 1000);
		forge(w, 2, &m, offset);
		m = (struct ledger_msg){ .type = MSG_ACK, .ack = { .index = last + 1 } };
		forge(w, 2, &m, offset);
		forge(w, 3, &m, offset);
		m = (struct ledger_msg){ .type = MSG_OPEN, .open = { 1, 1, 1, "\0\0\0", 4 } };
		forge(w, 2, &m, offset);
	}
	m = command_of(w, 2, 1000);
	forge(w, 9, &m, 0);
	forge(w, 1, &m, 0); /* in another's name */
	world_settle(w);
	assert_int_equal(world_status(w, 1).last, last + 1);
	assert_int_equal(world_status(w, 3).last, last + 1);
	assert_int_equal(world_status(w, 1).committed, last);
	world_free(w);
}

/*
 * A command queued across the change of views comes late, is ignored by all, and is proposed
 * again in the new term: applied once.
 */
static void test_l5_late_command_is_proposed_again(void **state)
{
	struct world *w = world_cluster(14, 3);

	(void)state;
	world_propose(w, 1, 10);
	world_node(w, 1)->hold_in = true;
	world_ring(w, THREE, false);
	/* now on the wire, in the new ring, with the old view in it */
	world_settle(w);
	world_node(w, 1)->hold_in = false;
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(w->proposed.v[0].applied, 1);
	world_free(w);
}

/*
 * A member that fetches counts what is accepted meanwhile, so its log has the same indexes when
 * it has caught up.
 */
static void test_l5_index_is_counted_by_all(void **state)
{
	struct world *w = world_cluster(15, 3);

	(void)state;
	world_ring(w, 3, false);
	world_ring(w, 4, false);
	for (int i = 0; i < 30; i++)
		world_propose(w, 1, 20000);
	world_run(w, US_PER_S);
	world_ring(w, THREE, false);
	for (int i = 0; i < 2000 && ledger_of(w, 3)->follow != FOLLOW_FETCHING; i++)
		settle_once(w);
	assert_int_equal(ledger_of(w, 3)->follow, FOLLOW_FETCHING);
	for (int i = 0; i < 20; i++)
		world_propose(w, 2, 10);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	world_free(w);
}

/* An agent dies and comes back without a new ring: each time another view and another term. */
static void test_l6_an_agents_death_is_a_view(void **state)
{
	struct world *w = world_cluster(16, 3);
	uint64_t term = world_status(w, 1).term, digest = ledger_of(w, 1)->digest;

	(void)state;
	world_crash(w, 3, true);
	world_until_caught_up(w, 3, 5 * US_PER_S);
	assert_int_equal(world_status(w, 1).term, term + 1);
	assert_int_equal(ledger_of(w, 1)->term.listed.n_nodes, 3);
	assert_int_equal(ledger_of(w, 1)->term.listed.n_members, 2);
	world_boot(w, 3);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_true(world_status(w, 1).term > term + 1);
	assert_true(ledger_of(w, 1)->digest != digest);
	world_free(w);
}

/*
 * A promise that comes before its sender's STATE is one from an earlier occurrence of the same
 * view: it does not count, then or later.
 */
static void test_l6_nothing_counts_before_its_state(void **state)
{
	struct world *w = world_cluster(35, 3);
	struct ledger_msg stale = { .type = MSG_PROMISE };

	(void)state;
	hold_disks(w, 6);
	world_node(w, 2)->hold_wire = true;
	world_ring(w, THREE, false);
	world_settle(w);
	assert_true(ledger_of(w, 1)->number > 0);
	forge(w, 2, &stale, 0);
	world_settle(w);
	world_node(w, 2)->hold_wire = false;
	world_settle(w);
	assert_true(ledger_member(ledger_of(w, 1), 2)->spoken);
	assert_null(view_source(ledger_of(w, 1)));
	assert_false(ledger_of(w, 1)->term.open);
	hold_disks(w, 0);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	world_free(w);
}

/* No view: no messages but nothing is lost; a view of another digest does not count. */
static void test_l6_nothing_counts_without_its_view(void **state)
{
	struct world *w = world_cluster(17, 3);
	struct ledger_msg m = command_of(w, 2, 1000);
	_cleanup_(buf_free) struct buf late = { 0 };
	uint64_t last = world_status(w, 1).last;
	ledger_effects out = { 0 };

	(void)state;
	m.view = ledger_of(w, 1)->digest + 1;
	m.round = ledger_of(w, 1)->round;
	m.term = ledger_of(w, 1)->number;
	ledger_msg_out(&m, &late);
	ledger_message(ledger_of(w, 1), 2, late.data, late.len, w->now, &out);
	assert_int_equal(world_status(w, 1).last, last);
	ledger_view(ledger_of(w, 1), NULL, false, w->now, &out);
	ledger_message(ledger_of(w, 1), 2, late.data, late.len, w->now, &out);
	ledger_tick(ledger_of(w, 1), w->now, (struct wall){ 1 }, &out);
	assert_false(world_status(w, 1).open);
	assert_string_equal(world_status(w, 1).why_not_open, "no view of the cluster");
	for (size_t i = 0; i < out.n; i++)
		assert_int_not_equal(out.v[i].kind, LEDGER_SEND);
	ledger_effects_free(&out);
	world_free(w);
}

/*
 * Bytes that are no message are counted, and change nothing. So do messages in the name of
 * others' stores.
 */
static void test_hostile_messages(void **state)
{
	struct world *w = world_cluster(31, 3);
	struct event noise = { .kind = EVENT_MESSAGE, .from = 2 };
	uint64_t last = world_status(w, 1).last;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t len = world_random(w, 200);

		buf_clear(&noise.data);
		for (size_t k = 0; k < len; k++)
			buf_char(&noise.data, (char)world_random(w, 256));
		if (len > 1 && i % 2) {
			noise.data.data[0] = LEDGER_MSG_VERSION;
			noise.data.data[1] = (char)world_random(w, MSG_MAX);
		}
		broadcast(w, world_node(w, 1)->ring, &noise);
		world_settle(w);
	}
	event_free(&noise);
	assert_true(world_status(w, 1).bad_messages > 10000);
	assert_int_equal(world_status(w, 1).last, last);
	assert_true(world_status(w, 1).open);
	world_free(w);
}

/* Proposals: bounded in number and size; what nobody waits for is not sent again. */
static void test_proposals_are_bounded(void **state)
{
	struct world *w = world_cluster(32, 3);
	struct command_id id;

	(void)state;
	world_ring(w, 4, false);
	world_ring(w, 3, false);
	world_settle(w);
	assert_int_equal(world_propose(w, 3, ENTRY_DATA_MAX + 1), -EMSGSIZE);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(world_propose(w, 3, 1), 0);
	assert_int_equal(world_propose(w, 3, 1), -ENOBUFS);
	for (size_t i = 0; i < 4095; i++) {
		id = w->proposed.v[i].id;
		ledger_forget(ledger_of(w, 3), &id);
	}
	assert_int_equal(world_status(w, 3).waiting, 1);
	world_ring(w, THREE, false);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(w->proposed.v[4095].applied, 1);
	assert_int_equal(w->proposed.v[0].applied, 0);
	world_free(w);
}

/*
 * A node stopped and started again applies, once each, what it knew to be committed, then the
 * rest.
 */
static void test_restart_replays(void **state)
{
	struct world *w = world_cluster(33, 3);

	(void)state;
	for (int i = 0; i < 10; i++)
		world_propose(w, 1, 10);
	world_run(w, 3 * US_PER_S); /* what is committed is made durable when idle */
	for (uint32_t id = 1; id <= 3; id++) {
		assert_int_equal(world_node(w, id)->disk.committed, w->facts.n);
		world_crash(w, id, false);
	}
	for (uint32_t id = 1; id <= 3; id++) {
		world_boot(w, id);
		assert_int_equal(world_node(w, id)->applied, w->facts.n);
	}
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	world_free(w);
}

/*
 * Bound to a higher promise a member does not follow the open term, nor acknowledge in it; the
 * next round's term is above its promise.
 */
static void test_l3_nobody_follows_below_its_promise(void **state)
{
	struct world *w = world_cluster(37, 3);

	(void)state;
	world_crash(w, 3, true);
	world_run(w, US_PER_S);
	world_node(w, 3)->disk.promised += 10;
	world_boot(w, 3);
	world_node(w, 3)->hold_wire = true;
	world_run(w, 2 * US_PER_S);
	assert_true(world_status(w, 1).open);
	tap(w);
	world_node(w, 1)->hold_wire = world_node(w, 2)->hold_wire = true;
	world_node(w, 3)->hold_wire = false;
	world_settle(w);
	assert_true(ledger_member(ledger_of(w, 3), 3)->spoken);
	assert_int_equal(ledger_of(w, 3)->follow, FOLLOW_NOT);
	assert_int_equal(said(w, MSG_ACK, 3), 0);
	world_node(w, 1)->hold_wire = world_node(w, 2)->hold_wire = false;
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_true(world_status(w, 1).term > world_node(w, 3)->disk.promised - 1);
	world_free(w);
}

/*
 * Node 3 is writing what is committed, and cannot begin with more, when it has a view whose term
 * opens. Gives it every event of its ring until then.
 */
static void open_while_writing(struct world *w)
{
	w->now.us += 1100 * US_PER_MS;
	world_ring(w, THREE, false);
	for (uint32_t id = 1; id <= 3; id++)
		assert_true(deliver_one(w, world_node(w, id)));
	assert_true(ledger_of(w, 3)->state_sent);
	hold_disks(w, 4);
	tick_one(w, world_node(w, 3));
	assert_true(ledger_of(w, 3)->writing.active);
	world_node(w, 3)->hold_in = true;
	for (int i = 0; i < 10 && !ledger_of(w, 3)->term.open; i++) {
		world_run(w, LEDGER_TICK_US);
		while (!ledger_of(w, 3)->term.open && deliver_one(w, world_node(w, 3)))
			;
	}
	assert_true(ledger_of(w, 3)->term.open);
	world_node(w, 3)->hold_in = false;
}

/*
 * What the others have committed stays in the log though the disk has not been given it when the
 * next view comes; the promise of its term goes to the disk with it. So the STATE is sound, and
 * the node has its vote when it is needed.
 */
static void test_l3_what_stays_keeps_its_promise(void **state)
{
	struct world *w = world_cluster(100, 3);
	struct ledger *l = ledger_of(w, 3);

	(void)state;
	world_propose(w, 1, 10);
	world_settle(w);
	open_while_writing(w);
	world_settle(w);
	assert_true(l->committed > l->handed);
	world_ring(w, THREE, false);
	world_settle(w);
	assert_true(l->want_promised >= log_term(l, log_last(l)));
	hold_disks(w, 0);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(world_status(w, 1).bad_messages, 0);
	world_crash(w, 2, true);
	world_until_caught_up(w, 5, 5 * US_PER_S);
	world_free(w);
}

/*
 * What a later term has cut is deleted on the disk together with the promise of that term: a
 * view in between does not make it look like a store that has lost what it acknowledged.
 */
static void test_l7_a_cut_keeps_its_promise(void **state)
{
	struct world *w = world_cluster(101, 3);
	uint64_t last = world_status(w, 1).last;
	struct ledger *l = ledger_of(w, 3);

	(void)state;
	hold_disks(w, 3);
	for (int i = 0; i < 2; i++) {
		world_propose(w, 1, 10);
		world_settle(w);
	}
	world_node(w, 1)->hold_wire = true;
	disk_done(w, world_node(w, 1));
	world_propose(w, 3, 10); /* 1 and 2 never write this one, 3 acknowledges it */
	world_settle(w);
	assert_int_equal(l->durable, last + 3);
	world_node(w, 1)->hold_wire = false;
	world_settle(w);
	assert_int_equal(ledger_of(w, 1)->handed, last + 2);
	open_while_writing(w);
	assert_int_equal(l->truncate_from, last + 3);
	world_ring(w, THREE, true);
	lose_after(world_node(w, 3), world_node(w, 3)->delivered_ring,
		   world_node(w, 3)->delivered_pos, 0);
	world_settle(w);
	hold_disks(w, 0);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(world_status(w, 3).role, LEDGER_VOTER);
	assert_int_equal(w->alarms, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_l1_commit_needs_a_majority_of_disks),
		cmocka_unit_test(test_l1_writes_are_grouped),
		cmocka_unit_test(test_l2_no_acknowledgement_before_durable),
		cmocka_unit_test(test_l2_a_failed_store_is_silent_for_good),
		cmocka_unit_test(test_l2_a_failed_store_follows),
		cmocka_unit_test(test_l3_promise_is_durable_first),
		cmocka_unit_test(test_l3_nobody_follows_below_its_promise),
		cmocka_unit_test(test_l3_the_term_is_above_all_promises),
		cmocka_unit_test(test_l3_what_stays_keeps_its_promise),
		cmocka_unit_test(test_l7_a_cut_keeps_its_promise),
		cmocka_unit_test(test_l3_state_tells_what_is_durable),
		cmocka_unit_test(test_l3_opens_without_all),
		cmocka_unit_test(test_l3_source_is_the_most_advanced),
		cmocka_unit_test(test_l3_only_the_source_opens),
		cmocka_unit_test(test_l3_a_late_member_is_listed),
		cmocka_unit_test(test_l4_older_entries_commit_with_the_open_only),
		cmocka_unit_test(test_l5_another_term_is_ignored),
		cmocka_unit_test(test_l5_late_command_is_proposed_again),
		cmocka_unit_test(test_l5_index_is_counted_by_all),
		cmocka_unit_test(test_l6_an_agents_death_is_a_view),
		cmocka_unit_test(test_l6_nothing_counts_before_its_state),
		cmocka_unit_test(test_l6_nothing_counts_without_its_view),
		cmocka_unit_test(test_hostile_messages),
		cmocka_unit_test(test_proposals_are_bounded),
		cmocka_unit_test(test_restart_replays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
