/* SPDX-License-Identifier: Apache-2.0
 * A node's states: every cell of the table; agents and nodes that come and go; voters;
 * maintenance. */
#include "kit/kit.h"

#include "arena/arena.h"
#include "policy/ha_node.h"

#include <stdlib.h>
#include <string.h>

#define ALL (N(1) | N(2) | N(3))

static struct node *node(struct arena *a, uint32_t id)
{
	struct node *n = model_node(a->m, id);

	if (!n)
		fail_msg("no node %u", id);
	return n;
}

/* Each cell leads to its state; a change is noted and dated once, no change is no event. */
static void test_walk(void **state)
{
	(void)state;
	for (int s = 0; s < NODE_STATE_MAX; s++)
		for (int ev = 0; ev < NODE_EVENT_MAX; ev++) {
			struct model *m = model_new();
			struct node *n = mem_new(struct node);
			enum node_state next = node_next[s][ev];

			n->id = 1;
			n->state = (enum node_state)s;
			map_put_u64(m->nodes, 1, n);
			m->time_us = 77;
			node_happens(m, n, (enum node_event)ev, "because");
			assert_int_equal(n->state, next);
			assert_int_equal(m->events.n, next != (enum node_state)s);
			assert_int_equal(n->since_us, next != (enum node_state)s ? 77 : 0);
			model_free(m);
		}
	for (int ev = 0; ev < NODE_EVENT_MAX; ev++)
		assert_int_equal(node_event_parse(node_event_text(ev)), ev);
}

/* Only being listed makes a node online, and only a proof makes it fenced. */
static void test_what_leads_where(void **state)
{
	(void)state;
	for (int s = 0; s < NODE_STATE_MAX; s++)
		for (int ev = 0; ev < NODE_EVENT_MAX; ev++) {
			enum node_state next = node_next[s][ev];

			assert_int_equal(next == NODE_ONLINE, ev == NODE_EV_HERE);
			assert_int_equal(next == NODE_MAINTENANCE, ev == NODE_EV_HERE_DRAINED);
			if (next == NODE_FENCED && s != NODE_FENCED)
				assert_int_equal(ev, NODE_EV_PROVEN);
		}
}

/* In the group: online. In the ring only: away. In neither: lost. */
static void test_members_and_ring(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	arena_open(a, N(1) | N(2), ALL);
	assert_int_equal(node(a, 3)->state, NODE_AWAY);
	assert_int_equal(node(a, 3)->last_term, 1);
	assert_int_equal(node(a, 1)->last_term, 2);
	arena_open(a, N(1) | N(2), N(1) | N(2));
	assert_int_equal(node(a, 3)->state, NODE_LOST);
	arena_open(a, ALL, ALL);
	assert_int_equal(node(a, 3)->state, NODE_ONLINE);
	assert_int_equal(node(a, 3)->last_term, 4);
	arena_free(a);
}

/* An agent that is in the group but has not said in which life is treated as away. */
static void test_silent_agent(void **state)
{
	struct arena *a = arena_new(2, false);
	struct apply_member members[] = { { .node = 1, .incarnation = arena_life(a, 1) },
					  { .node = 2 } };
	uint32_t ring[] = { 1, 2 };
	struct apply_at at = { 100, 9, a->now };

	(void)state;
	model_open(a->m, &at, members, 2, ring, 2);
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	assert_int_equal(node(a, 2)->state, NODE_AWAY);
	arena_free(a);
}

/* A guest on a node whose agent is away goes on, untouched. */
static void test_away_touches_no_guest(void **state)
{
	struct arena *a = arena_new(2, false);
	uint64_t revision;

	(void)state;
	arena_run(a, "web1", 128, 1);
	revision = arena_guest(a, "web1")->revision;
	arena_open(a, N(2), N(1) | N(2));
	assert_int_equal(arena_decide(a), 0);
	arena_open(a, N(1) | N(2), N(1) | N(2));
	assert_int_equal(arena_decide(a), 0);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_int_equal(arena_guest(a, "web1")->revision, revision);
	arena_free(a);
}

/*
 * A new life ends the one before: its guests are recovered, without fencing, even if it was
 * never seen to leave.
 */
static void test_new_life(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_reboot(a, 1);
	arena_open(a, N(1) | N(2), N(1) | N(2));
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	assert_int_equal(node(a, 1)->proof.kind, PROOF_RESTARTED);
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	assert_int_equal(arena_guest(a, "web1")->failures.n, 0);
	arena_free(a);
}

/* Guests that nobody wants any more are stopped by it, not recovered. */
static void test_new_life_of_stopping(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	arena_reboot(a, 1);
	arena_open(a, N(1), N(1));
	arena_is(a, "web1", GUEST_STOPPED, 0);
	assert_int_equal(arena_decide(a), 0);
	arena_free(a);
}

/*
 * All nodes lose power. Who comes back first proves its own end only; the rest waits for the
 * rest.
 */
static void test_all_lose_power(void **state)
{
	struct arena *a = arena_new(3, true);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_run(a, "web2", 128, 2);
	for (uint32_t i = 1; i <= 3; i++)
		arena_reboot(a, i);
	arena_open(a, N(1) | N(3), N(1) | N(3));
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_is(a, "web2", GUEST_LOST, 2);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_is(a, "web2", GUEST_LOST, 2);
	arena_open(a, ALL, ALL);
	arena_is(a, "web2", GUEST_RECOVERING, 0);
	arena_free(a);
}

/* Maintenance: takes no guests; it outlives being lost, and ends by activate only. */
static void test_maintenance(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	assert_int_equal(arena_kind(a, CMD_NODE_DRAIN, "", 1), 0);
	assert_int_equal(node(a, 1)->state, NODE_MAINTENANCE);
	arena_run(a, "web1", 128, 2);
	arena_open(a, N(2), N(2));
	arena_open(a, N(1) | N(2), N(1) | N(2));
	assert_int_equal(node(a, 1)->state, NODE_MAINTENANCE);
	assert_int_equal(arena_kind(a, CMD_NODE_ACTIVATE, "", 1), 0);
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	arena_open(a, N(2), N(2));
	assert_int_equal(arena_kind(a, CMD_NODE_DRAIN, "", 1), 0);
	assert_int_equal(node(a, 1)->state, NODE_LOST);
	arena_free(a);
}

static void set_voters(struct arena *a, unsigned set)
{
	struct apply_voter voters[ARENA_NODES];
	struct apply_at at = { ++a->index, a->term, a->now };
	size_t n = 0;

	memset(voters, 0, sizeof(voters));
	for (uint32_t i = 1; i <= ARENA_NODES; i++)
		if (set & N(i)) {
			voters[n].node = i;
			memcpy(voters[n].name, "nX", 3);
			voters[n++].name[1] = (char)('0' + i);
		}
	model_voters(a->m, &at, voters, n);
}

/*
 * A node that the last OPEN listed is online as soon as it is a voter; one that it did not list
 * is not.
 */
static void test_voters_join(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	a->n_nodes = 3;
	a->life[2] = a->life[3] = 1;
	arena_open(a, N(1) | N(2), N(1) | N(2));
	assert_null(model_node(a->m, 2));
	set_voters(a, ALL);
	assert_int_equal(node(a, 2)->state, NODE_ONLINE);
	assert_int_equal(node(a, 2)->last_term, a->m->term);
	assert_int_equal(node(a, 3)->state, NODE_LOST);
	assert_string_equal(node(a, 2)->name, "n2");
	arena_free(a);
}

/*
 * A voter that leaves keeps its record while it is there or owns something: what it owns needs a
 * proof, and its fence device is still known when it joins again at once (a wiped store does).
 * It takes nothing new.
 */
static void test_voters_leave(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	set_voters(a, N(2) | N(3));
	assert_true(node(a, 1)->leaving);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_run(a, "web2", 10, 2);
	arena_run(a, "web3", 10, 3);
	set_voters(a, ALL);
	assert_false(node(a, 1)->leaving);
	assert_string_equal(node(a, 1)->fence_agent, "fence_test");
	set_voters(a, N(2) | N(3));
	arena_open(a, N(2) | N(3), N(2) | N(3));
	assert_non_null(model_node(a->m, 1));
	arena_decide(a);
	arena_fenced(a, 1, NULL);
	assert_null(model_node(a->m, 1));
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_what_leads_where),
		cmocka_unit_test(test_members_and_ring),
		cmocka_unit_test(test_silent_agent),
		cmocka_unit_test(test_away_touches_no_guest),
		cmocka_unit_test(test_new_life),
		cmocka_unit_test(test_new_life_of_stopping),
		cmocka_unit_test(test_all_lose_power),
		cmocka_unit_test(test_maintenance),
		cmocka_unit_test(test_voters_join),
		cmocka_unit_test(test_voters_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
