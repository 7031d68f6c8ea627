/* SPDX-License-Identifier: Apache-2.0
 * The model's records: names and numbers agree both ways; what is asked of guests, owners and
 * volumes is answered right. */
#include "kit/kit.h"

#include "arena/arena.h"

#include <string.h>

#define ROUND_TRIP(name, max) \
	do { \
		for (int i_ = 0; i_ < (max); i_++) { \
			assert_string_not_equal(name##_text(i_), "?"); \
			assert_int_equal(name##_parse(name##_text(i_)), i_); \
		} \
		assert_string_equal(name##_text((max)), "?"); \
		assert_int_equal(name##_parse("no such thing"), -1); \
	} while (0)

/* Every enum has a text for each of its values, and each text leads back to its value. */
static void test_tables(void **state)
{
	(void)state;
	ROUND_TRIP(desired, DESIRED_MAX);
	ROUND_TRIP(guest_state, GUEST_STATE_MAX);
	ROUND_TRIP(after, AFTER_MAX);
	ROUND_TRIP(move_phase, MOVE_PHASE_MAX);
	ROUND_TRIP(node_state, NODE_STATE_MAX);
	ROUND_TRIP(proof_kind, PROOF_KIND_MAX);
	ROUND_TRIP(volume_state, VOLUME_STATE_MAX);
	ROUND_TRIP(volume_access, VOLUME_ACCESS_MAX);
	ROUND_TRIP(op_kind, OP_KIND_MAX);
	ROUND_TRIP(command_kind, COMMAND_KIND_MAX);
	ROUND_TRIP(end_cause, END_CAUSE_MAX);
}

/* Nodes are found by id and by name; who is not there is nobody, and has a name that says so. */
static void test_finding(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	assert_int_equal(model_node_named(a->m, "n2")->id, 2);
	assert_null(model_node_named(a->m, "n9"));
	assert_null(model_node(a->m, 9));
	assert_string_equal(model_node_name(a->m, 9), "?");
	assert_null(model_guest(a->m, "web1"));
	assert_null(model_operation(a->m, 0));
	arena_free(a);
}

/*
 * An owner is one life of a node: the same node in another life is not the owner, and node 0
 * never is.
 */
static void test_owner(void **state)
{
	struct arena *a = arena_new(2, false);
	struct id life = arena_life(a, 1), none = { { 0 } };
	struct owner o = { 1, life, 7 };

	(void)state;
	assert_true(owner_is(&o, 1, &life));
	assert_false(owner_is(&o, 2, &life));
	assert_true(owner_online(a->m, &o));
	arena_reboot(a, 1);
	life = arena_life(a, 1);
	assert_false(owner_is(&o, 1, &life));
	arena_open(a, N(1) | N(2), N(1) | N(2));
	assert_false(owner_online(a->m, &o));
	assert_false(owner_is(&(struct owner){ 0 }, 0, &none));
	arena_free(a);
}

static void create_volume(struct arena *a, const char *name)
{
	struct command c = { .kind = CMD_VOLUME_CREATE, .size = 1 << 20 };
	struct command done = { .kind = CMD_REPORT_DONE, .ok = true };

	STRCPY(c.pool, "p");
	STRCPY(c.name, name);
	assert_int_equal(arena_apply(a, &c), 0);
	done.operation = model_volume(a->m, "p", name)->operation;
	assert_int_equal(arena_apply(a, &done), 0);
}

static void give_volume(struct arena *a, const char *guest, const char *volume, bool readonly)
{
	struct guest_volume *v = vec_add(&arena_guest(a, guest)->volumes);

	STRCPY(v->pool, "p");
	STRCPY(v->name, volume);
	v->readonly = readonly;
}

/*
 * Not in use while nobody owns its guest, private then, shared from the start of a migration to
 * the hand-over.
 */
static void test_volume_access(void **state)
{
	struct arena *a = arena_new(2, false);
	struct command pool = {
		.kind = CMD_POOL_DEFINE, .name = "p", .detail = "dir", .text = "/srv"
	};
	struct guest *g;

	(void)state;
	assert_int_equal(arena_apply(a, &pool), 0);
	create_volume(a, "disk");
	assert_null(model_volume_user(a->m, "p", "disk"));
	arena_run(a, "web1", 128, 1);
	arena_define(a, "idle", 128);
	give_volume(a, "web1", "disk", true);
	give_volume(a, "idle", "disk", true);
	g = arena_guest(a, "web1");
	assert_ptr_equal(model_volume_user(a->m, "p", "disk"), g);
	assert_int_equal(model_volume_access(a->m, "p", "disk"), VOLUME_PRIVATE);
	assert_int_equal(model_volume_access(a->m, "p", "other"), VOLUME_NOT_IN_USE);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 2), 0);
	arena_decide(a);
	assert_int_equal(model_volume_access(a->m, "p", "disk"), VOLUME_SHARED);
	arena_done(a, "web1", OP_PREPARE_IN, "no");
	assert_int_equal(model_volume_access(a->m, "p", "disk"), VOLUME_PRIVATE);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	arena_done(a, "web1", OP_STOP, NULL);
	assert_int_equal(model_volume_access(a->m, "p", "disk"), VOLUME_NOT_IN_USE);
	arena_free(a);
}

/* Promised memory: guests that are owned there, and migrations on their way there, each once. */
static void test_memory_used(void **state)
{
	struct arena *a = arena_new(2, false);
	struct command loaded = { .kind = CMD_REPORT_LOADED, .name = "web1" };

	(void)state;
	arena_run(a, "web1", 300, 1);
	assert_int_equal(model_memory_used(a->m, 1), 300);
	assert_int_equal(model_memory_used(a->m, 2), 0);
	assert_int_equal(model_memory_used(a->m, 0), 0);
	arena_kind(a, CMD_GUEST_MIGRATE, "web1", 0);
	arena_decide(a);
	assert_int_equal(model_memory_used(a->m, 1), 300);
	assert_int_equal(model_memory_used(a->m, 2), 300);
	arena_done(a, "web1", OP_PREPARE_IN, NULL);
	loaded.operation = arena_guest(a, "web1")->move.target.epoch;
	arena_apply(a, &loaded);
	arena_done(a, "web1", OP_SEND, NULL);
	assert_int_equal(model_memory_used(a->m, 1), 0);
	assert_int_equal(model_memory_used(a->m, 2), 300);
	arena_free(a);
}

/* The newest events and reasons are kept, the numbers go on without a gap. */
static void test_bounds(void **state)
{
	struct arena *a = arena_new(1, false);
	uint64_t seq;

	(void)state;
	arena_define(a, "web1", 16);
	for (int i = 0; i < MODEL_EVENTS_MAX; i++)
		arena_define(a, "web1", 16);
	assert_int_equal(a->m->events.n, MODEL_EVENTS_MAX);
	assert_int_equal(arena_guest(a, "web1")->reasons.n, MODEL_REASONS_MAX);
	seq = a->m->events.v[0].seq;
	for (size_t i = 0; i < a->m->events.n; i++)
		assert_int_equal(a->m->events.v[i].seq, seq + i);
	assert_int_equal(a->m->next_event, seq + MODEL_EVENTS_MAX);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),      cmocka_unit_test(test_finding),
		cmocka_unit_test(test_owner),       cmocka_unit_test(test_volume_access),
		cmocka_unit_test(test_memory_used), cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
