/* SPDX-License-Identifier: Apache-2.0
 * Whole engines with logs that are cut: who was away for long comes back by a snapshot, and nobody is told a lie by one. */
#include "kit/kit.h"

#include "engine/command.h"
#include "engine/engine_priv.h"
#include "world/cluster.h"
#include "world/world_priv.h"

#include <string.h>

#define S   US_PER_S
#define LOG 10	/* entries that are kept */

/* A cluster with a guest that runs, in which node 3's agent was away for much longer than the log is. */
static struct world *away_for_long(uint64_t seed)
{
	struct world *w = cluster_new_with(seed, 3, LOG);

	cluster_define(w, "web1", 256);
	world_agent_kill(w, 3);
	world_run(w, 10 * S);	/* those who joined fetch no more, so the logs may be cut */
	for (int i = 0; i < 40; i++)
		cluster_want(w, 1, "web1", i % 2 ? DESIRED_STOPPED : DESIRED_RUNNING);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 40 * S);
	return w;
}

static void check_equal(struct world *w)
{
	char a[65], b[65];

	assert_true(cluster_all_current(w, 20 * S));
	world_run(w, 2 * S);
	for (uint32_t n = 2; n <= 3; n++) {
		assert_int_equal(engine_model(world_engine(w, 1))->index, engine_model(world_engine(w, n))->index);
		assert_string_equal(engine_digest(world_engine(w, 1), a), engine_digest(world_engine(w, n), b));
	}
}

/* It comes back by the others' snapshot, with the same state; and again by its own one when its agent begins anew. */
static void test_back_by_snapshot(void **state)
{
	struct world *w = away_for_long(31);
	struct engine_status st;

	(void)state;
	engine_status(world_engine(w, 1), &st);
	assert_true(st.ledger.snapshot > 30);
	world_agent_start(w, 3);
	check_equal(w);
	engine_status(world_engine(w, 3), &st);
	assert_true(st.ledger.snapshot > 30);
	for (uint32_t n = 1; n <= 3; n++) {
		world_agent_kill(w, n);
		world_run(w, S);
		world_agent_start(w, n);
		check_equal(w);
	}
	assert_null(world_broken(w));
	world_free(w);
}

struct answer {
	int calls, code;
};

static void answered(void *ctx, const struct err *err, uint64_t index)
{
	struct answer *a = ctx;

	(void)index;
	a->calls++;
	a->code = err->code;
}

/* The state of @e once @c was applied as well, under the identity @id. */
static struct state *state_with(const struct engine *e, const struct command *c, const struct command_id *id)
{
	struct ledger_entry entry = { .index = engine_model(e)->index + 1, .term = 1, .kind = ENTRY_COMMAND, .id = *id };
	struct buf bytes = { 0 }, data = { 0 };
	struct state *s;
	struct err err;

	state_out(e->state, &bytes);
	assert_int_equal(state_in(bytes.data, bytes.len, &s, &err), 0);
	command_out(c, &data);
	entry.data = data.data;
	entry.len = data.len;
	state_apply(s, &entry);
	buf_free(&bytes);
	buf_free(&data);
	return s;
}

/* Whoever waits for a command that came as a part of a snapshot is told what became of it, once. */
static void test_waiter_is_told(void **state)
{
	struct world *w = cluster_new(32, 3);
	struct command nobody = { .kind = CMD_NODE_DRAIN, .node = 9 };
	struct ledger_effect restore = { .kind = LEDGER_RESTORE };
	struct engine *e = world_engine(w, 1);
	struct answer answer = { 0 };
	ledger_effects out = { 0 };
	struct buf bytes = { 0 };
	struct command_id id;
	struct state *s;
	struct err err;

	(void)state;
	assert_int_equal(engine_submit(e, &nobody, answered, &answer, &id, &err), 0);
	s = state_with(e, &nobody, &id);
	state_out(s, &bytes);
	restore.state = bytes.data;
	restore.state_len = bytes.len;
	vec_push(&out, restore);
	engine_run(e, &out);
	assert_true(e->waiters.v[0].settled);
	world_run(w, S);
	assert_int_equal(answer.calls, 1);
	assert_int_not_equal(answer.code, 0);
	state_free(s);
	buf_free(&bytes);
	world_free(w);
}

/* A state that this version cannot read: the agent says so and does nothing more; its store stays as it was. */
static void test_unreadable_state(void **state)
{
	struct world *w = away_for_long(33);
	struct ledger_snapshot *s = &w->nodes[3].disk.image.snapshot;
	uint64_t index = s->index, committed = w->nodes[3].disk.image.committed;

	(void)state;
	((char *)s->data)[s->len - 1] ^= 64;
	world_agent_start(w, 3);
	world_run(w, 10 * S);
	assert_non_null(strstr(world_trace(w), "does not decode"));
	assert_true(world_engine(w, 3)->stuck);
	assert_int_equal(s->index, index);
	assert_int_equal(w->nodes[3].disk.image.committed, committed);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_by_snapshot),
		cmocka_unit_test(test_waiter_is_told),
		cmocka_unit_test(test_unreadable_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
