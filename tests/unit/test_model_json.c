/* SPDX-License-Identifier: Apache-2.0
 * Canonical JSON: the same model gives the same bytes, any difference gives others, and keys
 * stand in order. */
#include "kit/kit.h"

#include "arena/arena.h"

#include <string.h>

/* A model in which every kind of record occurs. */
static struct arena *full(void)
{
	struct arena *a = arena_new(3, false);
	struct command pool = {
		.kind = CMD_POOL_DEFINE, .name = "p", .detail = "dir", .text = "/srv"
	};
	struct command volume = {
		.kind = CMD_VOLUME_CREATE, .pool = "p", .name = "disk", .size = 4096
	};

	arena_apply(a, &pool);
	arena_apply(a, &volume);
	arena_run(a, "web1", 128, 1);
	arena_run(a, "web2", 128, 2);
	arena_ended(a, "web2", END_CRASH);
	arena_kind(a, CMD_GUEST_MIGRATE, "web1", 3);
	arena_decide(a);
	return a;
}

static char *json_of(const struct arena *a)
{
	struct buf out = { 0 };

	model_json(a->m, &out);
	return buf_take(&out);
}

static void test_same_bytes(void **state)
{
	struct arena *a = full(), *b = full();
	_cleanup_(mem_freep) char *ja = json_of(a), *jb = json_of(b);

	(void)state;
	assert_string_equal(ja, jb);
	arena_free(a);
	arena_free(b);
}

/* Small changes anywhere are seen: digests are made from this. */
static void test_any_difference(void **state)
{
	struct arena *a = full();
	struct guest *g = arena_guest(a, "web1");
	struct node *n = model_node(a->m, 2);
	bool *const flags[] = { &g->stop_now,    &g->wants_move,   &g->move.sent,
				&g->move.loaded, &g->move.drain,   &n->drain,
				&n->leaving,     &n->fence_wanted, &n->fence_power_on };
	uint64_t *const numbers[] = { &a->m->index,  &a->m->term,     &a->m->next_event,
				      &g->revision,  &g->owner.epoch, &g->operation,
				      &g->last_move.index,
				      &n->last_term, &n->proof.term,  &n->memory_mib };
	_cleanup_(mem_freep) char *before = json_of(a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		_cleanup_(mem_freep) char *after = NULL;

		*flags[i] = !*flags[i];
		after = json_of(a);
		assert_string_not_equal(before, after);
		*flags[i] = !*flags[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		_cleanup_(mem_freep) char *after = NULL;

		++*numbers[i];
		after = json_of(a);
		assert_string_not_equal(before, after);
		--*numbers[i];
	}
	arena_free(a);
}

/* Keys of one object, as a walk over the text sees them. Strings hold no braces in this model. */
#define DEPTH 16
static void test_keys_in_order(void **state)
{
	struct arena *a = full();
	_cleanup_(mem_freep) char *json = json_of(a);
	char last[DEPTH][64] = { "" };
	int depth = 0;
	size_t keys = 0;

	(void)state;
	for (char *p = json; *p; p++) {
		if (*p == '{')
			last[++depth][0] = '\0';
		else if (*p == '}')
			depth--;
		if (*p != '"')
			continue;
		char *end = p + 1;

		while (*end != '"')
			end += *end == '\\' ? 2 : 1;
		if (end[1] == ':') {
			char key[64] = "";

			memcpy(key, p + 1, (size_t)(end - p - 1));
			assert_true(strcmp(last[depth], key) < 0);
			memcpy(last[depth], key, sizeof(key));
			keys++;
		}
		p = end;
	}
	assert_int_equal(depth, 0);
	assert_true(keys > 200);
	arena_free(a);
}

/* Snapshots are made from it too: what a node needs to fence is there. Events never hold it. */
static void test_secrets(void **state)
{
	struct arena *a = full();
	_cleanup_(mem_freep) char *json = json_of(a);

	(void)state;
	assert_non_null(strstr(json, "hidden-word"));
	assert_false(arena_said(a, "hidden-word"));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_any_difference),
		cmocka_unit_test(test_keys_in_order),
		cmocka_unit_test(test_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
