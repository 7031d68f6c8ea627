/* SPDX-License-Identifier: Apache-2.0
 * Snapshots in the ledger: the log's beginning goes, in memory and on disk, and those who lack it
 * get what it has become. */
#include "ledger_forge.h"

#define BOUND 20 /* entries that are kept */

/* Proposes at @id until @index is applied there. */
static void fill(struct world *w, uint32_t id, uint64_t index)
{
	for (int i = 0; world_status(w, id).applied < index; i++) {
		assert_true(i < 1000);
		world_propose(w, id, 10);
		world_settle(w);
	}
}

/* Node 3 is alone on a ring of its own while the others go on, to @index and some snapshots. */
static void leave_behind(struct world *w, uint64_t index)
{
	world_ring(w, 3, false);
	world_ring(w, 4, false);
	world_run(w, US_PER_S);
	fill(w, 1, index);
	assert_true(world_status(w, 1).snapshot > world_status(w, 3).last);
}

/* Until so many bytes of a snapshot have come to node 3. */
static void until_fetched(struct world *w, size_t bytes)
{
	for (int i = 0; ledger_of(w, 3)->catchup.snapshot.bytes.len < bytes; i++) {
		assert_true(i < 100000);
		if (!settle_once(w))
			world_run(w, LEDGER_TICK_US);
	}
}

static void come_back(struct world *w)
{
	world_ring(w, THREE, false);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
}

/* The log is never longer than its bound for long, in memory and on disk alike. */
static void test_log_is_bounded(void **state)
{
	struct world *w = world_cluster_with(1, 3, BOUND);

	(void)state;
	for (uint64_t i = 1; i <= 10; i++) {
		fill(w, 1 + (uint32_t)i % 3, 40 * i);
		world_run(w, 10 * US_PER_S); /* nobody fetches any more */
		fill(w, 1, world_status(w, 1).applied + 1);
		for (uint32_t id = 1; id <= 3; id++) {
			const struct node *n = world_node(w, id);

			assert_true(world_status(w, id).last - world_status(w, id).snapshot <= BOUND);
			assert_int_equal(n->l->base.index, n->disk.snapshot.index);
			assert_true(n->disk.entries.n <= BOUND);
		}
	}
	world_free(w);
}

/* Not without a bound of its own: by default nothing of a short log is cut. */
static void test_short_logs_stay(void **state)
{
	struct world *w = world_cluster(2, 3);

	(void)state;
	fill(w, 1, 200);
	assert_int_equal(world_status(w, 1).snapshot, 0);
	world_free(w);
}

/* What is not applied here is not in a snapshot here: the others' do not wait for it. */
static void test_only_applied(void **state)
{
	struct world *w = world_cluster_with(3, 3, BOUND);
	uint64_t before = world_status(w, 1).applied;

	(void)state;
	hold_disks(w, 6);
	for (int i = 0; i < 3 * BOUND; i++)
		world_propose(w, 1, 10);
	world_settle(w);
	assert_int_equal(world_status(w, 1).applied, before);
	assert_true(world_status(w, 1).snapshot <= before);
	assert_true(world_status(w, 1).last >= before + 3 * BOUND);
	world_free(w);
}

/* After its restart a node goes on from its snapshot, with its vote, and has the same voters. */
static void test_restart(void **state)
{
	struct world *w = world_cluster_with(4, 3, BOUND);
	const struct ledger_voters *v;

	(void)state;
	fill(w, 1, 200);
	world_crash(w, 2, false);
	world_boot(w, 2);
	assert_true(world_status(w, 2).applied >= world_status(w, 2).snapshot);
	assert_false(world_status(w, 2).joining);
	world_until_caught_up(w, THREE, 10 * US_PER_S);
	v = ledger_voters(ledger_of(w, 2));
	assert_int_equal(v->n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(voters_admitted(ledger_of(w, 1), v->v[i].node, &v->v[i].store),
				 voters_admitted(ledger_of(w, 2), v->v[i].node, &v->v[i].store));
	assert_int_equal(voters_admitted(ledger_of(w, 2), 1, &v->v[0].store), 1);
	assert_int_equal(w->alarms, 0);
	world_free(w);
}

/* Who was away for long gets the snapshot, in parts that fit into messages, then the rest. */
static void test_away_for_long(void **state)
{
	struct world *w = world_cluster_with(5, 3, BOUND);

	(void)state;
	leave_behind(w, 200);
	tap(w);
	come_back(w);
	assert_true(said(w, MSG_SNAPSHOT, 0) >= 3);
	assert_int_equal(w->restored, 1);
	assert_int_equal(w->alarms, 0);
	world_free(w);
}

/* Logs are cut already when the third of a cluster has lost its store and is told to join again. */
static struct world *third_joins_blank(uint64_t seed)
{
	struct world *w = world_cluster_with(seed, 3, BOUND);

	fill(w, 1, 200);
	world_crash(w, 3, false);
	world_wipe(w, 3);
	world_boot(w, 3);
	world_settle(w);
	assert_int_equal(world_join(w, 3), 0);
	return w;
}

/* A blank store gets it too, and is let in. */
static void test_blank_store_joins(void **state)
{
	struct world *w = third_joins_blank(6);

	(void)state;
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	assert_int_equal(w->alarms, 0);
	world_free(w);
}

/* A join goes on after a restart, also when all that there is in the store is a snapshot. */
static void test_join_survives_a_restart(void **state)
{
	struct world *w = third_joins_blank(7);

	(void)state;
	for (int i = 0; world_node(w, 3)->disk.snapshot.index == 0; i++) {
		assert_true(i < 100000);
		if (!settle_once(w))
			world_run(w, LEDGER_TICK_US);
	}
	assert_false(world_node(w, 3)->disk.snapshot.voted);
	world_crash(w, 3, false);
	world_boot(w, 3);
	assert_true(world_status(w, 3).joining);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	fill(w, 1, world_status(w, 1).applied + 10 * BOUND);
	assert_true(world_node(w, 3)->disk.snapshot.voted);
	world_free(w);
}

/*
 * A store that is in none of the records that are left, with entries: it was joining, unless it
 * had a vote before what is left. Then a person has let it go, and it stays out.
 */
static void test_let_go_stays_out(void **state)
{
	(void)state;
	for (int voted = 0; voted < 2; voted++) {
		struct world *w = world_cluster_with(14, 3, BOUND);
		struct node *n = world_node(w, 3);

		world_run(w, 10 * US_PER_S);
		fill(w, 1, 200);
		world_settle(w);
		world_crash(w, 3, false);
		n->disk.store = world_id(w);
		n->disk.snapshot.voted = voted;
		world_boot(w, 3);
		assert_int_equal(world_status(w, 3).role, LEDGER_LEARNER);
		assert_int_equal(world_status(w, 3).joining, !voted);
		world_free(w);
	}
}

/*
 * A transfer goes on from another server: who has the same snapshot sends the parts that lack. The
 * first server goes in the middle.
 */
static void test_other_server(void **state)
{
	struct world *w = world_cluster_with(8, 3, BOUND);
	uint32_t server;

	(void)state;
	leave_behind(w, 200);
	world_ring(w, THREE, false);
	until_fetched(w, 1);
	server = ledger_of(w, 3)->catchup.server;
	world_crash(w, server, false);
	world_run(w, 5 * US_PER_S);
	world_until_caught_up(w, THREE & ~(1u << (server - 1)), 30 * US_PER_S);
	assert_int_equal(w->restored, 1);
	assert_int_equal(w->alarms, 0);
	world_free(w);
}

/*
 * The install is one transaction. A crash before it is done leaves the old log, one after it the new
 * one; and what is not on the disk is not acknowledged.
 */
static void test_crash_at_install(void **state)
{
	(void)state;
	for (int written = 0; written < 2; written++) {
		struct world *w = world_cluster_with(9, 3, BOUND);
		uint64_t before = world_node(w, 3)->disk.snapshot.index;

		leave_behind(w, 200);
		world_ring(w, THREE, false);
		until_fetched(w, 1);
		tap(w);
		world_node(w, 3)->hold_disk = true;
		world_settle(w);
		if (!world_node(w, 3)->writing || w->restored == 0)
			fail_msg("it is not being installed");
		assert_int_equal(said(w, MSG_ACK, 3), 0);
		assert_int_equal(world_node(w, 3)->disk.snapshot.index, before);
		world_crash(w, 3, written);
		assert_int_equal(world_node(w, 3)->disk.snapshot.index > before, written);
		world_node(w, 3)->hold_disk = false;
		world_boot(w, 3);
		world_until_caught_up(w, THREE, 30 * US_PER_S);
		assert_int_equal(w->alarms, 0);
		world_free(w);
	}
}

/* A part that follows on what node 3 has got so far: all that is left, in zeros. */
static struct ledger_msg last_part(struct world *w)
{
	static const char zeros[LEDGER_ENTRIES_ROOM];
	const struct catchup *c = &ledger_of(w, 3)->catchup;
	const struct fetched *f = &c->snapshot;

	assert_true(f->total - f->bytes.len <= sizeof(zeros));
	return (struct ledger_msg){ .type = MSG_SNAPSHOT,
				    .snapshot = { .to = 3,
						  .from = c->want,
						  .index = f->index,
						  .term = f->term,
						  .sum = f->sum,
						  .total = f->total,
						  .at = (uint32_t)f->bytes.len,
						  .data = zeros,
						  .len = f->total - f->bytes.len } };
}

/* One whose bytes have changed on the way is not used; the next one is. */
static void test_damaged(void **state)
{
	struct world *w = world_cluster_with(10, 3, BOUND);
	struct ledger_msg m;

	(void)state;
	leave_behind(w, 200);
	world_ring(w, THREE, false);
	until_fetched(w, STATE_SIZE / 2);
	m = last_part(w);
	queue_free(&world_node(w, 3)->in);
	forge_as(w, 3, ledger_of(w, 3)->catchup.server, &m, 0);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	assert_int_equal(w->alarms, 1);
	assert_non_null(strstr(w->alarm, "damaged"));
	assert_int_equal(w->restored, 1);
	world_free(w);
}

/* One below what is committed here would take back what was answered for. */
static void test_below_committed(void **state)
{
	struct world *w = world_cluster_with(11, 3, BOUND);
	struct ledger_msg m;

	(void)state;
	leave_behind(w, 200);
	world_ring(w, THREE, false);
	until_fetched(w, STATE_SIZE / 2);
	m = last_part(w);
	m.snapshot.index = world_status(w, 3).committed;
	queue_free(&world_node(w, 3)->in);
	forge_as(w, 3, ledger_of(w, 3)->catchup.server, &m, 0);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	assert_int_equal(w->alarms, 1);
	assert_non_null(strstr(w->alarm, "refused"));
	assert_int_equal(w->restored, 1);
	world_free(w);
}

/* Until a term opens that does not list node 3, whose STATE is late; node 3 speaks then. */
static void open_without_3(struct world *w)
{
	struct node *n = world_node(w, 3);

	n->hold_wire = true;
	tap(w);
	for (int i = 0; said(w, MSG_OPEN, 0) == 0; i++) {
		assert_true(i < 100000);
		if (!settle_once(w))
			world_run(w, LEDGER_TICK_US);
	}
	n->hold_wire = false;
}

/*
 * What follows on the snapshot stays, for it may be a majority's copy: node 3 has acknowledged
 * entries without knowing that they were committed, node 2 has none of them, and node 1 has cut
 * its log in their midst. After each write the majority's disks are looked at.
 */
static void test_keeps_what_follows(void **state)
{
	struct world *w = world_cluster_with(12, 3, BOUND);
	uint64_t before, snapshot;

	(void)state;
	fill(w, 1, 45);
	world_crash(w, 2, false);
	world_run(w, 10 * US_PER_S); /* nobody fetches any more */
	fill(w, 1, world_status(w, 1).applied + 1);
	fill(w, 1, world_status(w, 1).snapshot + BOUND - 1); /* the next one makes a snapshot */
	hold_disks(w, 1);
	for (int i = 0; i < BOUND - 5; i++)
		world_propose(w, 1, 10);
	world_settle(w);
	world_node(w, 3)->hold_in = true;
	hold_disks(w, 0);
	world_settle(w);
	before = world_status(w, 3).last;
	assert_int_equal(world_status(w, 1).applied, before);
	assert_in_range(world_status(w, 1).snapshot, world_status(w, 3).committed + 1, before - 1);
	world_crash(w, 3, false);
	world_node(w, 3)->hold_in = false;
	world_boot(w, 2);
	world_boot(w, 3);
	open_without_3(w); /* is opened anew for it, once */
	hold_disks(w, 2);
	until_said(w, MSG_STATE);
	hold_disks(w, 0);
	open_without_3(w);
	hold_disks(w, 2);
	snapshot = world_status(w, 3).snapshot;
	for (int i = 0; world_status(w, 3).snapshot == snapshot; i++) {
		assert_true(i < 100000);
		if (!settle_once(w))
			world_run(w, LEDGER_TICK_US);
	}
	assert_true(world_status(w, 3).last >= before);
	world_settle(w);
	hold_disks(w, 0);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	world_free(w);
}

/*
 * What does not follow on it goes in the same transaction: node 3 has a tail that nobody else has,
 * longer than the snapshot, and dies when it has installed that.
 */
static void test_drops_what_does_not_follow(void **state)
{
	struct world *w = world_cluster_with(13, 3, BOUND);
	uint64_t last = world_status(w, 3).last, snapshot;

	(void)state;
	world_run(w, 10 * US_PER_S);
	hold_disks(w, 3);
	for (int i = 0; i < 4 * BOUND; i++)
		world_propose(w, 1, 10);
	world_settle(w);
	world_ring(w, 3, false);
	world_ring(w, 4, false);
	for (uint32_t id = 1; id <= 2; id++) {
		world_crash(w, id, false);
		world_boot(w, id);
	}
	hold_disks(w, 0);
	world_run(w, US_PER_S);
	fill(w, 1, last + 2 * BOUND);
	snapshot = world_status(w, 3).snapshot;
	assert_in_range(world_status(w, 1).snapshot, last + 1, world_status(w, 3).last - 1);
	world_ring(w, THREE, false);
	for (int i = 0; world_status(w, 3).snapshot == snapshot; i++) {
		assert_true(i < 100000);
		if (!settle_once(w))
			world_run(w, LEDGER_TICK_US);
	}
	world_crash(w, 3, true);
	world_boot(w, 3);
	assert_int_equal(world_status(w, 3).role, LEDGER_VOTER);
	world_until_caught_up(w, THREE, 30 * US_PER_S);
	assert_int_equal(w->alarms, 0);
	world_free(w);
}

/* Not its bytes but its beginning is the ledger's: a store whose snapshot does not decode takes no part. */
static void test_bad_snapshot_on_disk(void **state)
{
	struct world *w = world_cluster_with(41, 3, BOUND);

	(void)state;
	fill(w, 1, 200);
	world_crash(w, 3, false);
	((char *)world_node(w, 3)->disk.snapshot.data)[0] ^= 1;
	world_boot(w, 3);
	assert_int_equal(world_status(w, 3).role, LEDGER_FAILED);
	assert_int_equal(world_status(w, 3).applied, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_is_bounded),
		cmocka_unit_test(test_short_logs_stay),
		cmocka_unit_test(test_only_applied),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_away_for_long),
		cmocka_unit_test(test_blank_store_joins),
		cmocka_unit_test(test_join_survives_a_restart),
		cmocka_unit_test(test_let_go_stays_out),
		cmocka_unit_test(test_other_server),
		cmocka_unit_test(test_crash_at_install),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_below_committed),
		cmocka_unit_test(test_keeps_what_follows),
		cmocka_unit_test(test_drops_what_does_not_follow),
		cmocka_unit_test(test_bad_snapshot_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
