/* SPDX-License-Identifier: Apache-2.0
 * Placement: memory is respected, load is spread, ties are broken the same way everywhere, and
 * each node's reason is told. */
#include "kit/kit.h"

#include "arena/arena.h"
#include "policy/place.h"

#include <string.h>

static char why[MODEL_TEXT_MAX];
static const place_extras nothing;

static uint32_t place(struct arena *a, const char *guest, uint32_t only, uint32_t avoid)
{
	return place_guest(a->m, arena_guest(a, guest), only, avoid, &nothing, a->now, why);
}

/* Empty nodes of the same size: the lowest id. Then the least loaded. */
static void test_spreads(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_run(a, "a", 200, 1);
	arena_run(a, "b", 200, 2);
	arena_run(a, "c", 200, 3);
	arena_run(a, "d", 300, 1);
	arena_run(a, "e", 100, 2);
	arena_run(a, "f", 100, 3);
	arena_run(a, "g", 10, 2);
	arena_free(a);
}

/* The share of a node's memory counts, not the amount: the bigger node takes more. */
static void test_per_mille(void **state)
{
	struct arena *a = arena_new(2, false);
	struct command facts = {
		.kind = CMD_REPORT_FACTS, .node = 2, .memory_mib = 4096, .cpus = 2
	};

	(void)state;
	arena_apply(a, &facts);
	arena_run(a, "a", 512, 2);
	arena_run(a, "b", 512, 2);
	arena_run(a, "c", 256, 1);
	arena_free(a);
}

/* Equal load: the node with fewer guests, whatever its id. */
static void test_fewest_guests(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_run(a, "a", 50, 1);
	arena_run(a, "b", 100, 2);
	arena_run(a, "c", 50, 1);
	arena_define(a, "d", 10);
	assert_int_equal(place(a, "d", 0, 0), 2);
	arena_free(a);
}

/* Exactly fitting fits; one MiB more does not, and the text says how much is free and needed. */
static void test_room(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "a", 24, 1);
	arena_define(a, "exact", 1000);
	arena_define(a, "more", 1001);
	assert_int_equal(place(a, "exact", 0, 0), 1);
	assert_string_equal(why, "n1: memory 100 %");
	assert_int_equal(place(a, "more", 0, 0), 0);
	assert_string_equal(why, "n1: no room, 1000 MiB free, 1001 needed");
	arena_free(a);
}

/* Decisions of the same round that are not applied yet count as if they were. */
static void test_extras(void **state)
{
	struct arena *a = arena_new(2, false);
	place_extras extra = { 0 };

	(void)state;
	arena_define(a, "a", 100);
	vec_push(&extra, (struct place_extra){ 1, 500 });
	assert_int_equal(place_guest(a->m, arena_guest(a, "a"), 0, 0, &extra, a->now, why), 2);
	vec_push(&extra, (struct place_extra){ 2, 600 });
	assert_int_equal(place_guest(a->m, arena_guest(a, "a"), 0, 0, &extra, a->now, why), 1);
	vec_push(&extra, (struct place_extra){ 1, 500 });
	vec_push(&extra, (struct place_extra){ 2, 400 });
	assert_int_equal(place_guest(a->m, arena_guest(a, "a"), 0, 0, &extra, a->now, why), 0);
	vec_free(&extra);
	arena_free(a);
}

/* Out: lost, away, in maintenance, without facts, to be avoided, not the one that is asked for. */
static void test_who_is_out(void **state)
{
	struct arena *a = arena_new(4, false);

	(void)state;
	arena_define(a, "a", 100);
	arena_open(a, N(1) | N(2) | N(4), N(1) | N(2) | N(3) | N(4));
	arena_open(a, N(1) | N(2), N(1) | N(2) | N(3));
	arena_kind(a, CMD_NODE_DRAIN, "", 1);
	assert_int_equal(place(a, "a", 0, 0), 2);
	assert_string_equal(why, "n1: maintenance; n2: memory 9 %; n3: away; n4: lost");
	assert_int_equal(place(a, "a", 0, 2), 0);
	assert_int_equal(place(a, "a", 3, 0), 0);
	assert_string_equal(why, "n3: away");
	model_node(a->m, 2)->memory_mib = 0;
	assert_int_equal(place(a, "a", 0, 0), 0);
	assert_non_null(strstr(why, "n2: has not said yet"));
	arena_free(a);
}

static void failed(struct arena *a, const char *guest, uint32_t node, bool start)
{
	struct failure f = { node, a->now, start };

	vec_push(&arena_guest(a, guest)->failures, f);
}

/*
 * One failed start rules a node out, ends only above the limit; both are forgotten when the
 * window has passed.
 */
static void test_failures(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_define(a, "a", 100);
	failed(a, "a", 1, true);
	assert_int_equal(place(a, "a", 0, 0), 2);
	failed(a, "a", 2, false);
	failed(a, "a", 2, false);
	assert_int_equal(place(a, "a", 0, 0), 2);
	failed(a, "a", 2, false);
	assert_int_equal(place(a, "a", 0, 0), 0);
	assert_string_equal(why, "n1: it failed to start there; n2: it ended there too often");
	a->now += 600 * US_PER_S;
	assert_int_equal(place(a, "a", 0, 0), 0);
	a->now += 1;
	assert_int_equal(place(a, "a", 0, 0), 1);
	arena_guest(a, "a")->restart_window_s = 0;
	assert_int_equal(place(a, "a", 0, 0), 0);
	arena_free(a);
}

/* No node at all is a reason too; an endless list of nodes is cut, not overrun. */
static void test_texts(void **state)
{
	struct model *m = model_new();
	struct guest g = { .name = "a", .memory_mib = 1 };

	(void)state;
	assert_int_equal(place_guest(m, &g, 0, 0, &nothing, 0, why), 0);
	assert_string_equal(why, "no node is there");
	for (uint32_t i = 1; i <= 200; i++) {
		struct node *n = mem_new(struct node);

		n->id = i;
		STRCPY(n->name, "a-node-with-a-rather-long-name");
		n->state = NODE_LOST;
		map_put_u64(m->nodes, i, n);
	}
	assert_int_equal(place_guest(m, &g, 0, 0, &nothing, 0, why), 0);
	assert_int_equal(strlen(why), MODEL_TEXT_MAX - 1);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spreads),       cmocka_unit_test(test_per_mille),
		cmocka_unit_test(test_fewest_guests), cmocka_unit_test(test_room),
		cmocka_unit_test(test_extras),        cmocka_unit_test(test_who_is_out),
		cmocka_unit_test(test_failures),      cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
