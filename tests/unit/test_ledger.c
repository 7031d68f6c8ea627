/* SPDX-License-Identifier: Apache-2.0
 * The ledger's rules one by one: each test is named for the rule that it would catch broken. */
#include "ledger_world.h"

#include "cluster/ledger_priv.h"

#define THREE ALL_NODES(3)

static struct ledger *ledger_of(struct world *w, uint32_t id)
{
	return world_node(w, id)->l;
}

/* Messages of @type from @from (0: anybody) on the wire since tapping began. */
static size_t said(struct world *w, enum ledger_msg_type type, uint32_t from)
{
	size_t n = 0;

	for (size_t i = 0; i < w->wiretap.n; i++) {
		const struct event *e = &w->wiretap.v[i];

		if (e->kind == EVENT_MESSAGE && (from == 0 || e->from == from))
			n += (uint8_t)e->data.data[1] == type;
	}
	return n;
}

static void tap(struct world *w)
{
	queue_free(&w->wiretap);
	w->tapped = true;
}

/* Puts a message into the order as if @from had sent it in the view, round and term in which node 1 is. */
static void forge(struct world *w, uint32_t from, struct ledger_msg *m, int64_t term_offset)
{
	const struct ledger *l = ledger_of(w, 1);
	struct event e = {.kind = EVENT_MESSAGE, .from = from};

	m->view = l->digest;
	m->round = l->round;
	m->term = l->number + (uint64_t)term_offset;
	ledger_msg_out(m, &e.data);
	broadcast(w, world_node(w, 1)->ring, &e);
	event_free(&e);
}

static struct ledger_msg command_of(struct world *w, uint32_t from, uint64_t nonce)
{
	return (struct ledger_msg){.type = MSG_COMMAND, .command = {
		.kind = ENTRY_COMMAND, .id = {from, world_node(w, from)->incarnation, nonce},
		.stamp_us = world_wall(w, world_node(w, from)).us, .data = "forged", .len = 6}};
}

/* Runs until node @id's log has @index; whatever is held stays held. */
static void until_last(struct world *w, uint32_t id, uint64_t index)
{
	for (int i = 0; world_status(w, id).last < index; i++) {
		assert_true(i < 100000);
		assert_true(settle_once(w));
	}
}

/* Runs until a message of @type is on the wire, delivered to nobody. */
static void until_said(struct world *w, enum ledger_msg_type type)
{
	tap(w);
	for (uint32_t id = 1; said(w, type, 0) == 0; id = id % (uint32_t)w->n + 1) {
		if (wire_one(w, world_node(w, id)) && said(w, type, 0) > 0)
			return;
		deliver_one(w, world_node(w, id));
		disk_done(w, world_node(w, id));
	}
}

static void hold_disks(struct world *w, unsigned int mask)
{
	for (size_t i = 0; i < w->n; i++)
		w->nodes[i].hold_disk = (mask >> i) & 1;
}

/* A command is committed, and so applied, when two of three disks hold it: not with one, and nobody waits for the third. */
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

/* A failed disk: no acknowledgement, promise, STATE or tick any more, an alarm, and the others go on. */
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
	assert_int_equal(world_propose(w, 1, 10), -EIO);
	world_propose(w, 2, 10);
	world_run(w, 2 * US_PER_S);
	world_ring(w, THREE, false);
	world_run(w, 2 * US_PER_S);
	st = world_status(w, 2);
	assert_true(st.open);
	assert_int_equal(st.leader, 2);
	assert_int_equal(said(w, MSG_ACK, 1) + said(w, MSG_STATE, 1) + said(w, MSG_PROMISE, 1) + said(w, MSG_TICK, 1), 0);
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

/* A promise survives its agent: the term of the next view is higher, though the last one never opened. */
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

/* STATE waits for the write under way and tells what is durable; what was not handed over is dropped. */
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
	assert_int_equal(world_status(w, 2).last, before + 1);
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

/* {1, 2} commit what 3 has not; then {2, 3} go on from 2's log, and 3 cuts the tail of its own that nobody committed. */
static void test_l3_source_is_the_most_advanced(void **state)
{
	struct world *w = world_cluster(10, 3);

	(void)state;
	world_ring(w, 3, true);
	world_propose(w, 3, 10);		/* in the old view: 3 alone gets it */
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

/* A late member's STATE comes after the OPEN: one more round, so that the next OPEN names its incarnation. */
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

/* Two disks hold an entry of an older term: that commits nothing, and nor does an acknowledgement of it, before the OPEN is held by two. */
static void test_l4_older_entries_commit_with_the_open_only(void **state)
{
	struct world *w = world_cluster(12, 3);
	uint64_t before = world_status(w, 1).committed;
	struct ledger_msg old = {.type = MSG_ACK, .ack = {.index = before + 1}};

	(void)state;
	world_propose(w, 1, 10);
	ledger_forget(ledger_of(w, 1), &w->proposed.v[0].id);
	until_last(w, 3, before + 1);
	for (uint32_t id = 1; id <= 3; id++)
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
		m = (struct ledger_msg){.type = MSG_ACK, .ack = {.index = last + 1}};
		forge(w, 2, &m, offset);
		forge(w, 3, &m, offset);
		m = (struct ledger_msg){.type = MSG_OPEN, .open = {1, 1, 1, "\0\0\0", 4}};
		forge(w, 2, &m, offset);
	}
	m = command_of(w, 2, 1000);
	forge(w, 9, &m, 0);
	forge(w, 1, &m, 0);			/* in another's name */
	world_settle(w);
	assert_int_equal(world_status(w, 1).last, last + 1);
	assert_int_equal(world_status(w, 3).last, last + 1);
	assert_int_equal(world_status(w, 1).committed, last);
	world_free(w);
}

/* A command queued across the change of views comes late, is ignored by all, and is proposed again in the new term: applied once. */
static void test_l5_late_command_is_proposed_again(void **state)
{
	struct world *w = world_cluster(14, 3);

	(void)state;
	world_propose(w, 1, 10);
	world_node(w, 1)->hold_in = true;
	world_ring(w, THREE, false);
	world_settle(w);			/* now on the wire, in the new ring, with the old view in it */
	world_node(w, 1)->hold_in = false;
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_int_equal(w->proposed.v[0].applied, 1);
	world_free(w);
}

/* A member that fetches counts what is accepted meanwhile, so its log has the same indexes when it has caught up. */
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
	uint64_t term = world_status(w, 1).term;

	(void)state;
	world_crash(w, 3, true);
	world_until_caught_up(w, 3, 5 * US_PER_S);
	assert_int_equal(world_status(w, 1).term, term + 1);
	assert_int_equal(ledger_of(w, 1)->term.listed.n_nodes, 3);
	assert_int_equal(ledger_of(w, 1)->term.listed.n_members, 2);
	world_boot(w, 3);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	assert_true(world_status(w, 1).term > term + 1);
	world_free(w);
}

/* No view: no messages but nothing is lost; a view of another digest does not count. */
static void test_l6_nothing_counts_without_its_view(void **state)
{
	struct world *w = world_cluster(17, 3);
	struct ledger_msg m = command_of(w, 2, 1000);
	_cleanup_(buf_free) struct buf late = {0};
	uint64_t last = world_status(w, 1).last;
	ledger_effects out = {0};

	(void)state;
	m.view = ledger_of(w, 1)->digest + 1;
	m.round = ledger_of(w, 1)->round;
	m.term = ledger_of(w, 1)->number;
	ledger_msg_out(&m, &late);
	ledger_message(ledger_of(w, 1), 2, late.data, late.len, w->now, &out);
	assert_int_equal(world_status(w, 1).last, last);
	ledger_view(ledger_of(w, 1), NULL, false, w->now, &out);
	ledger_message(ledger_of(w, 1), 2, late.data, late.len, w->now, &out);
	ledger_tick(ledger_of(w, 1), w->now, (struct wall){1}, &out);
	assert_false(world_status(w, 1).open);
	assert_string_equal(world_status(w, 1).why_not_open, "no view of the cluster");
	for (size_t i = 0; i < out.n; i++)
		assert_int_not_equal(out.v[i].kind, LEDGER_SEND);
	ledger_effects_free(&out);
	world_free(w);
}

/* Blank stores open nothing, propose nothing, and say what to do. One is born a ledger, the others are not born a second one. */
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
	assert_string_equal(world_status(w, 1).why_not_open, "blank store: run domus cluster init or join");
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

/* A wiped disk has no vote: with it and one other, a third of three is missing. It is let in again in two records. */
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
	assert_true(id_equal(&ledger_voters(ledger_of(w, 1))->v[2].store, &world_node(w, 3)->disk.store));
	world_free(w);
}

/* A disk set back to an older state has lost what it acknowledged: no vote, though it is the same store, until it is let in again. */
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
	assert_false(world_status(w, 2).open);
	assert_int_equal(world_status(w, 3).role, LEDGER_LEARNER);
	assert_non_null(strstr(w->alarm, "store of node 3 has lost"));
	world_boot(w, 1);
	world_run(w, 5 * US_PER_S);
	st = world_status(w, 3);
	assert_true(st.open && st.caught_up);
	assert_int_equal(st.role, LEDGER_LEARNER);
	world_ring(w, THREE, false);		/* it has all entries again; what it promised once is still lost */
	world_run(w, 5 * US_PER_S);
	assert_int_equal(world_status(w, 3).role, LEDGER_LEARNER);
	assert_int_equal(world_join(w, 3), 0);
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	world_ring(w, THREE, false);
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	world_free(w);
}

/* Another cluster's node on our ring: ignored by us, ignores us, says so on both sides; we go on. */
static void test_l7_a_foreign_store_is_ignored(void **state)
{
	struct world *w = world_cluster(21, 3);
	struct id ours = world_node(w, 3)->disk.cluster;

	(void)state;
	world_crash(w, 3, true);
	world_node(w, 3)->disk.cluster = world_id(w);
	world_boot(w, 3);
	world_run(w, 3 * US_PER_S);
	assert_int_equal(w->alarms, 3);		/* once each, not with every message */
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

/* What is committed here is not what the others have: it is not cut; this node takes no part any more and says so. */
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

static struct ledger_msg record_of(struct world *w, uint32_t from, const struct ledger_voters *v, struct buf *payload)
{
	struct ledger_msg m = command_of(w, from, 5000);

	buf_clear(payload);
	ledger_voters_out(v, payload);
	m.command.kind = ENTRY_VOTERS;
	m.command.data = payload->data;
	m.command.len = payload->len;
	return m;
}

/* Only the leader changes the voters, one at a time, and not before the change before it is committed. */
static void test_l8_one_voter_at_a_time(void **state)
{
	struct world *w = world_cluster(24, 3);
	uint64_t last = world_status(w, 1).last;
	struct ledger_voters two = *ledger_voters(ledger_of(w, 1)), one;
	_cleanup_(buf_free) struct buf payload = {0};
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

/* A change fits when every majority before meets every one after: two votes more at once may not. */
static void test_l8_majorities_meet(void **state)
{
	struct ledger_voters before = {.n = 3}, after;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		before.v[i] = (struct ledger_voter){.node = i + 1, .votes = 1, .store = {{(uint8_t)(i + 1)}}};
	after = before;
	assert_false(voters_change_fits(&before, &after));
	after.v[after.n++] = (struct ledger_voter){.node = 4, .votes = 1, .store = {{4}}};
	assert_true(voters_change_fits(&before, &after));
	assert_true(voters_change_fits(&after, &before));
	after.v[3].votes = 2;
	assert_false(voters_change_fits(&before, &after));
	after.v[3].votes = 10;
	assert_false(voters_change_fits(&before, &after));
	after = before;
	after.v[2].store.b[0] = 99;
	assert_false(voters_change_fits(&before, &after));
}

/* The lowest that has caught up when the term's OPEN commits leads, and goes on when a lower one has caught up later. */
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

/* A leader whose ticks are missing while the others' come is silent: another one leads, for all alike. When all are late nobody is silent. */
static void test_l10_a_silent_leader_is_replaced(void **state)
{
	struct world *w = world_cluster(26, 3);
	uint32_t leader = world_status(w, 1).leader, next = leader == 1 ? 2 : 1;

	(void)state;
	w->now.us += 60 * US_PER_S;
	world_run(w, 2 * LEDGER_TICK_US);
	assert_int_equal(world_status(w, 1).n_silent, 0);
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

/* A stamp far ahead of the members' clocks is refused by all alike; a node whose clock is wrong still gets its commands through, and an alarm. */
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
	world_node(w, 3)->clock_ahead_us = 3600 * US_PER_S;
	world_run(w, 10 * US_PER_S);
	assert_non_null(strstr(w->alarm, "clock of this node"));
	world_propose(w, 3, 10);
	world_ring(w, THREE, false);
	world_until_caught_up(w, THREE, 5 * US_PER_S);
	for (size_t i = 0; i < w->facts.n; i++)
		assert_true(w->facts.v[i].stamp_us < world_wall(w, world_node(w, 1)).us + 10 * US_PER_S);
	world_free(w);
}

/* A node that lacks a long log gets it in parts below a message's size, at most eight for each time it asks. */
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

/* Bytes that are no message are counted, and change nothing. So do messages in the name of others' stores. */
static void test_hostile_messages(void **state)
{
	struct world *w = world_cluster(31, 3);
	struct event noise = {.kind = EVENT_MESSAGE, .from = 2};
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

/* A node stopped and started again applies, once each, what it knew to be committed, then the rest. */
static void test_restart_replays(void **state)
{
	struct world *w = world_cluster(33, 3);

	(void)state;
	for (int i = 0; i < 10; i++)
		world_propose(w, 1, 10);
	world_run(w, 3 * US_PER_S);		/* what is committed is made durable when idle */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_l1_commit_needs_a_majority_of_disks),
		cmocka_unit_test(test_l1_writes_are_grouped),
		cmocka_unit_test(test_l2_no_acknowledgement_before_durable),
		cmocka_unit_test(test_l2_a_failed_store_is_silent_for_good),
		cmocka_unit_test(test_l2_a_failed_store_follows),
		cmocka_unit_test(test_l3_promise_is_durable_first),
		cmocka_unit_test(test_l3_the_term_is_above_all_promises),
		cmocka_unit_test(test_l3_state_tells_what_is_durable),
		cmocka_unit_test(test_l3_opens_without_all),
		cmocka_unit_test(test_l3_source_is_the_most_advanced),
		cmocka_unit_test(test_l3_a_late_member_is_listed),
		cmocka_unit_test(test_l4_older_entries_commit_with_the_open_only),
		cmocka_unit_test(test_l5_another_term_is_ignored),
		cmocka_unit_test(test_l5_late_command_is_proposed_again),
		cmocka_unit_test(test_l5_index_is_counted_by_all),
		cmocka_unit_test(test_l6_an_agents_death_is_a_view),
		cmocka_unit_test(test_l6_nothing_counts_without_its_view),
		cmocka_unit_test(test_l7_blank_stores_wait),
		cmocka_unit_test(test_l7_a_wiped_store_has_no_vote),
		cmocka_unit_test(test_l7_a_regressed_store_has_no_vote),
		cmocka_unit_test(test_l7_a_foreign_store_is_ignored),
		cmocka_unit_test(test_l7_committed_is_never_cut),
		cmocka_unit_test(test_l8_quorate_is_a_gate_not_a_count),
		cmocka_unit_test(test_l8_one_voter_at_a_time),
		cmocka_unit_test(test_l8_majorities_meet),
		cmocka_unit_test(test_l10_the_leader_stays),
		cmocka_unit_test(test_l10_a_silent_leader_is_replaced),
		cmocka_unit_test(test_l11_stamps_far_ahead_are_refused),
		cmocka_unit_test(test_l12_catching_up_in_parts),
		cmocka_unit_test(test_l12_another_one_is_asked),
		cmocka_unit_test(test_l12_what_is_held_back_is_bounded),
		cmocka_unit_test(test_hostile_messages),
		cmocka_unit_test(test_proposals_are_bounded),
		cmocka_unit_test(test_restart_replays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
