/* SPDX-License-Identifier: Apache-2.0
 * Views come out whole: never from half of a change, never with another ring's quorum answer
 * (rule L6). */
#include "kit/kit.h"

#include "cluster/membership.h"

static const struct order_ring ring_a = { 1, 8 }, ring_b = { 1, 12 };
static const uint32_t nodes_123[] = { 3, 1, 2 }, nodes_12[] = { 1, 2 };
static const struct order_member agents_123[] = { { 2, 20 }, { 1, 10 }, { 3, 30 } },
				 agents_12[] = { { 1, 10 }, { 2, 20 } };

static int setup(void **state)
{
	*state = membership_new();
	return 0;
}

static int teardown(void **state)
{
	membership_free(*state);
	return 0;
}

/* Three agents on a quorate ring: what most tests start from. */
static void stand(struct membership *m)
{
	membership_group(m, agents_123, 3, false);
	membership_ring(m, &ring_a, nodes_123, 3);
	membership_quorum(m, &ring_a, true);
	assert_non_null(membership_view(m));
	assert_true(membership_quorate(m));
}

/*
 * A group alone, a ring alone: no view. Both: a view with sorted members and nodes, not quorate
 * before an answer has come.
 */
static void test_needs_group_and_ring(void **state)
{
	struct membership *m = *state;

	assert_int_equal(membership_group(m, agents_123, 3, false), MEMBERSHIP_NONE);
	assert_null(membership_view(m));
	assert_int_equal(membership_ring(m, &ring_a, nodes_123, 3), MEMBERSHIP_VIEW);
	assert_int_equal(membership_view(m)->n_members, 3);
	assert_int_equal(membership_view(m)->members[0].node, 1);
	assert_int_equal(membership_view(m)->members[2].pid, 30);
	assert_int_equal(membership_view(m)->nodes[0], 1);
	assert_int_equal(membership_view(m)->nodes[2], 3);
	assert_false(membership_quorate(m));
}

/*
 * Nodes left, so a ring is on its way: no view until it has come, however many group callbacks
 * there are.
 */
static void test_group_before_ring(void **state)
{
	struct membership *m = *state;

	stand(m);
	assert_int_equal(membership_group(m, agents_12, 2, true), MEMBERSHIP_GONE);
	assert_null(membership_view(m));
	assert_false(membership_quorate(m));
	assert_int_equal(membership_group(m, agents_12, 2, false), MEMBERSHIP_NONE);
	assert_int_equal(membership_ring(m, &ring_b, nodes_12, 2), MEMBERSHIP_VIEW);
	assert_int_equal(membership_view(m)->n_members, 2);
	assert_false(membership_quorate(m));
}

/* A ring without a node that still has an agent in the group: half a change. */
static void test_agent_off_the_ring(void **state)
{
	struct membership *m = *state;

	stand(m);
	assert_int_equal(membership_ring(m, &ring_b, nodes_12, 2), MEMBERSHIP_GONE);
	assert_int_equal(membership_group(m, agents_12, 2, false), MEMBERSHIP_VIEW);
}

/*
 * An agent dies, its node stays: another view on the same ring, quorate as before. It comes back
 * as another process: another view.
 */
static void test_agent_death_without_ring(void **state)
{
	const struct order_member back[] = { { 1, 10 }, { 2, 20 }, { 3, 31 } };
	struct membership *m = *state;
	struct view before;

	stand(m);
	before = *membership_view(m);
	assert_int_equal(membership_group(m, agents_12, 2, false), MEMBERSHIP_VIEW);
	assert_true(membership_quorate(m));
	assert_int_equal(membership_view(m)->n_nodes, 3);
	assert_int_equal(membership_group(m, back, 3, false), MEMBERSHIP_VIEW);
	assert_false(view_equal(&before, membership_view(m)));
}

/* The same said twice is no change. */
static void test_repetition(void **state)
{
	struct membership *m = *state;

	stand(m);
	assert_int_equal(membership_group(m, agents_123, 3, false), MEMBERSHIP_NONE);
	assert_int_equal(membership_quorum(m, &ring_a, true), MEMBERSHIP_NONE);
}

/*
 * The answer for the next ring comes before that ring: the old view keeps its own answer, the
 * new one has it at once.
 */
static void test_quorum_early(void **state)
{
	struct membership *m = *state;

	stand(m);
	assert_int_equal(membership_quorum(m, &ring_b, false), MEMBERSHIP_NONE);
	assert_true(membership_quorate(m));
	membership_group(m, agents_12, 2, true);
	assert_int_equal(membership_ring(m, &ring_b, nodes_12, 2), MEMBERSHIP_VIEW);
	assert_false(membership_quorate(m));
	assert_int_equal(membership_quorum(m, &ring_b, true), MEMBERSHIP_GATE);
	assert_true(membership_quorate(m));
}

/* It comes late: only the gate changes. One for the ring before counts no more. */
static void test_quorum_late(void **state)
{
	struct membership *m = *state;

	stand(m);
	membership_group(m, agents_12, 2, true);
	membership_ring(m, &ring_b, nodes_12, 2);
	assert_int_equal(membership_quorum(m, &ring_a, true), MEMBERSHIP_NONE);
	assert_false(membership_quorate(m));
	assert_int_equal(membership_quorum(m, &ring_b, true), MEMBERSHIP_GATE);
	assert_int_equal(membership_quorum(m, &ring_b, false), MEMBERSHIP_GATE);
	assert_false(membership_quorate(m));
}

/* The service is gone: everything heard before is void, the quorum answer too. */
static void test_lost(void **state)
{
	struct membership *m = *state;

	stand(m);
	assert_int_equal(membership_lost(m), MEMBERSHIP_GONE);
	assert_int_equal(membership_lost(m), MEMBERSHIP_NONE);
	assert_null(membership_view(m));
	membership_group(m, agents_123, 3, false);
	assert_int_equal(membership_ring(m, &ring_a, nodes_123, 3), MEMBERSHIP_VIEW);
	assert_false(membership_quorate(m));
}

/* More agents than there may be: the rest is left out, nothing is written beyond the table. */
static void test_too_many(void **state)
{
	struct order_member many[ORDER_MEMBERS_MAX + 10];
	uint32_t nodes[ORDER_MEMBERS_MAX + 10];
	struct membership *m = *state;

	for (uint32_t i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = (struct order_member){ i + 1, 1 };
		nodes[i] = i + 1;
	}
	membership_group(m, many, ARRAY_SIZE(many), false);
	assert_int_equal(membership_ring(m, &ring_a, nodes, ARRAY_SIZE(nodes)), MEMBERSHIP_VIEW);
	assert_int_equal(membership_view(m)->n_members, ORDER_MEMBERS_MAX);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_needs_group_and_ring),
		CASE(test_group_before_ring),
		CASE(test_agent_off_the_ring),
		CASE(test_agent_death_without_ring),
		CASE(test_repetition),
		CASE(test_quorum_early),
		CASE(test_quorum_late),
		CASE(test_lost),
		CASE(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
