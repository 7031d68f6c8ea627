/* SPDX-License-Identifier: Apache-2.0
 * The world's order does what corosync does: all members of a ring hear the same in the same order, and those who come
 * out of a ring together have heard the same of it before they hear of the next. */
#include "kit/kit.h"

#include "world/cluster.h"
#include "world/world_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S US_PER_S
#define NODES 3

/* Agents that only write down what they hear: m and sender and text, g and members, r and nodes, q and the answer. */
struct ears {
	struct world *w;
	struct buf heard[NODES + 1];
	uint32_t sent;
};


static void on_group(void *ctx, const struct order_member *members, size_t n, bool ring_follows)
{
	buf_printf(ctx, "g");
	for (size_t i = 0; i < n; i++)
		buf_printf(ctx, "%u", members[i].node);
	buf_printf(ctx, "%s ", ring_follows ? "+" : "");
}

static void on_ring(void *ctx, const struct order_ring *ring, const uint32_t *nodes, size_t n)
{
	(void)ring;
	buf_printf(ctx, "r");
	for (size_t i = 0; i < n; i++)
		buf_printf(ctx, "%u", nodes[i]);
	buf_printf(ctx, " ");
}

static void on_quorum(void *ctx, const struct order_ring *ring, bool quorate)
{
	(void)ring;
	buf_printf(ctx, "q%d ", quorate);
}

static void on_message(void *ctx, struct order_member from, const void *data, size_t len)
{
	buf_printf(ctx, "m%u%.*s ", from.node, (int)len, (const char *)data);
}

static void on_lost(void *ctx, const char *why)
{
	(void)ctx, (void)why;
}

static const struct order_events ear = { .group = on_group, .ring = on_ring, .quorum = on_quorum, .message = on_message,
					 .lost = on_lost };

static void pass(struct ears *e, int64_t us)
{
	venv_run(e->w->venv, mono_add(env_now(&e->w->env), us));
}

static void forget(struct ears *e)
{
	for (uint32_t i = 1; i <= NODES; i++)
		buf_clear(&e->heard[i]);
}

static void agent_comes(struct ears *e, uint32_t node)
{
	struct world_node *n = &e->w->nodes[node];

	n->life++;
	n->pid = ++e->w->next_pid;
	n->joined = true;
	n->events = &ear;
	n->events_ctx = &e->heard[node];
	world_order_joined(n);
}

static void agent_goes(struct ears *e, uint32_t node)
{
	struct world_node *n = &e->w->nodes[node];

	n->joined = false;
	n->life++;
	world_order_left(n);
}

static void power_goes(struct ears *e, uint32_t node)
{
	struct world_node *n = &e->w->nodes[node];

	n->powered = n->joined = false;
	n->life++;
	world_order_power_lost(n);
}

static void setup(struct ears *e, uint64_t seed, unsigned faults)
{
	struct world_faults f = { .order = faults };

	memset(e, 0, sizeof(*e));
	e->w = world_new(seed, NODES);
	for (uint32_t i = 1; i <= NODES; i++) {
		e->w->nodes[i].powered = true;
		agent_comes(e, i);
	}
	world_ring_soon(e->w, 0);
	pass(e, S);
	world_set_faults(e->w, &f);
	forget(e);
}

static void teardown(struct ears *e)
{
	for (uint32_t i = 1; i <= NODES; i++) {
		e->w->nodes[i].joined = false;
		buf_free(&e->heard[i]);
	}
	world_free(e->w);
}

/* Messages are numbered, so that no two are the same. */
static int say(struct ears *e, uint32_t node)
{
	struct order o = world_order_of(&e->w->nodes[node]);
	char text[16];

	snprintf(text, sizeof(text), ".%u", ++e->sent);
	return o.ops->send(o.order, text, strlen(text));
}

static const char *heard(struct ears *e, uint32_t node)
{
	return buf_cstr(&e->heard[node]);
}

static bool in_order(const char *text, const char *first, const char *then)
{
	const char *a = strstr(text, first), *b = strstr(text, then);

	return a && b && a < b;
}

static void test_same_order_sender_first(void **state)
{
	struct ears e;

	(void)state;
	setup(&e, 1, 0);
	assert_int_equal(say(&e, 2), 0);
	pass(&e, 100);
	assert_string_equal(heard(&e, 2), "m2.1 ");
	assert_string_equal(heard(&e, 1), "");
	pass(&e, S);
	assert_string_equal(heard(&e, 1), "m2.1 ");
	for (int i = 0; i < 50; i++) {
		say(&e, 1 + (uint32_t)i % NODES);
		pass(&e, 50);
	}
	pass(&e, S);
	assert_string_equal(heard(&e, 1), heard(&e, 2));
	assert_string_equal(heard(&e, 1), heard(&e, 3));
	teardown(&e);
}

/* An agent goes and comes: the group changes at the same place of the order for all, and the ring stays. */
static void test_group_changes_in_order(void **state)
{
	struct ears e;

	(void)state;
	setup(&e, 2, 60);
	say(&e, 3);
	agent_goes(&e, 3);
	say(&e, 1);
	pass(&e, S);
	assert_string_equal(heard(&e, 1), heard(&e, 2));
	assert_non_null(strstr(heard(&e, 1), "m3.1 g12 m1.2 "));
	forget(&e);
	agent_comes(&e, 3);
	pass(&e, S);
	assert_string_equal(heard(&e, 1), "g123 ");
	assert_string_equal(heard(&e, 2), "g123 ");
	assert_true(in_order(heard(&e, 3), "g123 ", "r123 "));
	assert_non_null(strstr(heard(&e, 3), "q1 "));
	teardown(&e);
}

/* What was heard of the old ring: all before the first word of a group or a ring, quorum answers left out. */
static size_t old_ring(const char *text, char *ret)
{
	size_t n = 0;
	char *copy = strdup(text), *save = NULL;

	ret[0] = '\0';
	for (char *word = strtok_r(copy, " ", &save); word && *word != 'g' && *word != 'r'; word = strtok_r(NULL, " ", &save))
		if (*word == 'm') {
			strcat(ret, word);
			n++;
		}
	free(copy);
	return n;
}

/*
 * A node's power goes while messages are on their way. The other two have heard the same when the next ring is told, each
 * all of its own; and it happens that this is not all that was said.
 */
static void test_survivors_agree(void **state)
{
	size_t all = 0, some = 0, alone = 0;
	struct ears e;

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		char one[256], two[256], three[256];
		size_t n;

		setup(&e, seed, 50);
		for (uint32_t i = 1; i <= 9; i++)
			say(&e, 1 + i % NODES);
		pass(&e, (int64_t)(seed % 20) * 100);
		old_ring(heard(&e, 3), three);
		power_goes(&e, 3);
		pass(&e, 3 * S);
		n = old_ring(heard(&e, 1), one);
		old_ring(heard(&e, 2), two);
		assert_string_equal(one, two);
		all += n == e.sent;
		some += n < e.sent;
		alone += strlen(three) > strlen(one);
		assert_non_null(strstr(heard(&e, 1), "g12+ "));
		assert_non_null(strstr(heard(&e, 1), "r12 "));
		teardown(&e);
	}
	assert_true(all > 0 && some > 0 && alone > 0);
}

/* Both sides of a cut: node 1 has heard less than 2 and 3, who have heard the same. */
static void test_sides_differ(void **state)
{
	size_t differ = 0;
	struct ears e;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		char one[256], two[256], three[256];

		setup(&e, seed, 50);
		for (uint32_t i = 1; i <= 9; i++)
			say(&e, 1 + i % NODES);
		world_split(e.w, 1);
		pass(&e, 3 * S);
		old_ring(heard(&e, 1), one);
		old_ring(heard(&e, 2), two);
		old_ring(heard(&e, 3), three);
		assert_string_equal(two, three);
		differ += strcmp(one, two) != 0;
		assert_non_null(strstr(heard(&e, 1), "q0 "));
		teardown(&e);
	}
	assert_true(differ > 0);
}

/* The ring forms anew with the same members: nobody hears of a group, and a message waits no longer than that. */
static void test_token_loss(void **state)
{
	struct ears e;

	(void)state;
	setup(&e, 3, 1);
	world_token_loss(e.w, 2);
	assert_int_equal(say(&e, 2), 0);
	pass(&e, 900 * US_PER_MS);
	assert_string_equal(heard(&e, 1), "");
	pass(&e, S);
	assert_true(in_order(heard(&e, 1), "m2.1 ", "r123 "));
	assert_null(strstr(heard(&e, 1), "g"));
	teardown(&e);
}

/* What was sent while a ring formed goes to those who know the sender from the ring before, and to nobody else (rule L6). */
static void test_unknown_members(void **state)
{
	struct ears e;

	(void)state;
	setup(&e, 4, 1);
	world_split(e.w, 1);
	pass(&e, 3 * S);
	forget(&e);
	world_token_loss(e.w, 2);
	assert_int_equal(say(&e, 2), 0);
	world_split(e.w, 0);
	pass(&e, 3 * S);
	assert_true(in_order(heard(&e, 3), "m2.1 ", "g123+ "));
	assert_true(in_order(heard(&e, 3), "g123+ ", "r123 "));
	assert_non_null(strstr(heard(&e, 2), "m2.1 "));
	assert_null(strstr(heard(&e, 1), "m2.1"));
	teardown(&e);
}

/* Three come together: who was alone hears of the two others one after the other. */
static void test_several_callbacks(void **state)
{
	struct ears e;

	(void)state;
	setup(&e, 5, 1);
	world_split(e.w, 1);
	pass(&e, 3 * S);
	forget(&e);
	world_split(e.w, 0);
	pass(&e, 3 * S);
	assert_non_null(strstr(heard(&e, 1), "g12+ "));
	assert_non_null(strstr(heard(&e, 1), "g123+ "));
	assert_non_null(strstr(heard(&e, 2), "g123+ "));
	teardown(&e);
}

/* The quorum answer comes before the ring for some, after it for others. */
static void test_quorum_early_and_late(void **state)
{
	size_t early = 0, late = 0;
	struct ears e;

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		const char *q, *r;

		setup(&e, seed, 50);
		world_token_loss(e.w, 1);
		pass(&e, 3 * S);
		q = strstr(heard(&e, 1), "q1");
		r = strstr(heard(&e, 1), "r123");
		assert_true(q && r);
		early += q < r;
		late += q > r;
		teardown(&e);
	}
	assert_true(early > 0 && late > 0);
}

static void test_flow_control_in_bursts(void **state)
{
	size_t taken = 0, refused = 0, bursts = 0;
	int before = 0;
	struct ears e;

	(void)state;
	setup(&e, 6, 50);
	for (int i = 0; i < 400; i++) {
		int r = say(&e, 1);

		assert_true(r == 0 || r == -EAGAIN);
		taken += r == 0;
		refused += r != 0;
		bursts += r != 0 && before == 0;
		before = r;
		pass(&e, US_PER_MS);
	}
	assert_true(taken > 100 && refused > 20 && bursts > 2 && bursts < refused / 2);
	teardown(&e);
}

static bool quorate(struct world *w, uint32_t node)
{
	struct engine_status s;

	engine_status(world_engine(w, node), &s);
	return s.ledger.quorate;
}

/* After a cut both halves of a cluster of two are quorate, and none opens a view by that (rule L9). */
static void test_two_node(void **state)
{
	struct world *w = cluster_new(9, 2);
	struct engine_status s;

	(void)state;
	world_set_two_node(w, true);
	world_split(w, 1);
	world_run(w, 10 * S);
	for (uint32_t i = 1; i <= 2; i++) {
		engine_status(world_engine(w, i), &s);
		assert_true(quorate(w, i));
		assert_false(s.current);
	}
	world_split(w, 0);
	assert_true(cluster_all_current(w, 20 * S));
	world_free(w);
}

/* A node that stood still for longer than the token's time hears what waited, then of its new ring. */
static void test_suspended(void **state)
{
	struct ears e;

	(void)state;
	setup(&e, 10, 0);
	say(&e, 1);
	world_suspend(e.w, 3);
	pass(&e, 5 * S);
	assert_string_equal(heard(&e, 3), "");
	assert_non_null(strstr(heard(&e, 1), "m1.1 "));
	assert_true(in_order(heard(&e, 1), "g12+ ", "r12 "));
	assert_int_equal(say(&e, 1), 0);
	world_resume(e.w, 3);
	assert_int_equal(say(&e, 3), 0);
	pass(&e, 50 * US_PER_MS);
	assert_string_equal(heard(&e, 3), "m1.1 m3.3 ");
	pass(&e, 3 * S);
	assert_null(strstr(heard(&e, 1), "m3.3"));
	assert_null(strstr(heard(&e, 3), "m1.2"));
	assert_non_null(strstr(heard(&e, 3), "r123 "));
	assert_non_null(strstr(heard(&e, 1), "r123 "));
	teardown(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_order_sender_first),
		cmocka_unit_test(test_group_changes_in_order),
		cmocka_unit_test(test_survivors_agree),
		cmocka_unit_test(test_sides_differ),
		cmocka_unit_test(test_token_loss),
		cmocka_unit_test(test_unknown_members),
		cmocka_unit_test(test_several_callbacks),
		cmocka_unit_test(test_quorum_early_and_late),
		cmocka_unit_test(test_flow_control_in_bursts),
		cmocka_unit_test(test_two_node),
		cmocka_unit_test(test_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
