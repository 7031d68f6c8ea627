/* SPDX-License-Identifier: Apache-2.0
 * The state as bytes: what goes out comes in again, behaves as before, and nothing else comes in. */
#include "kit/kit.h"

#include "engine/command.h"
#include "engine/model_wire.h"
#include "engine/state.h"

#include <stdlib.h>
#include <string.h>

static char *json_of(const struct state *s)
{
	struct buf out = { 0 };

	state_json(s, &out);
	return buf_take(&out);
}

static char *model_text(const struct model *m)
{
	struct buf out = { 0 };

	model_json(m, &out);
	return buf_take(&out);
}

/* ---- a model in which nothing is zero ---- */

/* No number and no flag of a record is zero, those that come some day included; texts and enumerations are set one by one. */
#define FILLED(type) ({ type *r_ = mem_new(type); memset(r_, 1, sizeof(type)); r_; })
#define EMPTY(list)  memset(&(list), 0, sizeof(list))

static void fill_guest_lists(struct guest *g)
{
	struct guest_volume v = { .pool = "p", .name = "disk", .readonly = true };
	struct failure f = { .node = 2, .time_us = 3, .start = true };
	struct reason r = { .index = 4, .time_us = 5, .text = "because" };

	EMPTY(g->volumes);
	EMPTY(g->failures);
	EMPTY(g->reasons);
	vec_push(&g->volumes, v);
	vec_push(&g->failures, f);
	vec_push(&g->reasons, r);
}

static void fill_guest(struct model *m)
{
	struct guest *g = FILLED(struct guest);

	STRCPY(g->name, "web1");
	g->spec = mem_strdup("{}");
	g->on_poweroff = g->on_reboot = g->on_crash = AFTER_RESTART;
	g->desired = DESIRED_PAUSED;
	g->state = g->before_loss = GUEST_HELD;
	g->move.phase = MOVE_ACTIVATING;
	STRCPY(g->move.address, "10.0.0.1");
	STRCPY(g->move.failed, "no");
	fill_guest_lists(g);
	map_put(m->guests, g->name, g);
}

static void fill_node(struct model *m)
{
	struct fence_conf_param p = { .key = "port", .value = "7" };
	struct node *n = FILLED(struct node);

	STRCPY(n->name, "n1");
	n->state = NODE_FENCED;
	n->proof.kind = PROOF_RESTARTED;
	STRCPY(n->proof.by, "n2");
	STRCPY(n->fence_agent, "fence_x");
	EMPTY(n->fence_params);
	vec_push(&n->fence_params, p);
	map_put_u64(m->nodes, n->id, n);
}

static void fill_storage(struct model *m)
{
	struct pool *p = FILLED(struct pool);
	struct volume *v = FILLED(struct volume);

	STRCPY(p->name, "p");
	STRCPY(p->backend, "dir");
	STRCPY(p->path, "/srv");
	STRCPY(v->pool, "p");
	STRCPY(v->name, "disk");
	v->state = VOLUME_FAILED;
	STRCPY(v->reason, "full");
	map_put(m->pools, p->name, p);
	map_put(m->volumes, "p/disk", v);
}

static void fill_operation(struct model *m)
{
	struct operation *op = FILLED(struct operation);

	op->kind = OP_FENCE;
	STRCPY(op->guest, "web1");
	STRCPY(op->pool, "p");
	STRCPY(op->volume, "disk");
	map_put_u64(m->operations, op->id, op);
}

static struct model *filled(void)
{
	struct model_member member = { .node = 1, .incarnation = { { 1 } } };
	struct event e = { .seq = 7, .index = 8, .time_us = 9, .subject = "web1", .text = "is up" };
	struct model *m = model_new();

	STRCPY(m->cluster, "c");
	m->index = 11;
	m->term = 12;
	m->time_us = 13;
	m->next_event = 8;
	vec_push(&m->members, member);
	vec_push(&m->ring, 1);
	vec_push(&m->events, e);
	fill_guest(m);
	fill_node(m);
	fill_storage(m);
	fill_operation(m);
	return m;
}

/* What the canonical JSON tells of a model comes back; and it tells nothing that is zero, so every field was on its way. */
static void test_every_field(void **state)
{
	static const char *const zeros[] = { ":0,", ":0}", ":false", ":\"\"", ":[]", ":null", "\"00000000-", ":\"none\"", ":\"stopped\"" };
	struct model *m = filled(), *back = model_new();
	struct buf bytes = { 0 };
	struct wire w;

	(void)state;
	model_wire_out(m, &bytes);
	w = wire_reader(bytes.data, bytes.len);
	assert_true(model_wire_in(back, &w) && wire_done(&w));
	_cleanup_(mem_freep) char *before = model_text(m), *after = model_text(back);

	assert_string_equal(before, after);
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		assert_null(strstr(before, zeros[i]));
	model_free(m);
	model_free(back);
	buf_free(&bytes);
}

/* ---- a state with a past ---- */


static struct state_result apply(struct state *s, uint64_t index, enum entry_kind kind, uint64_t nonce, const struct buf *data)
{
	struct ledger_entry e = { .index = index, .term = 1, .kind = kind, .stamp_us = (int64_t)index * 1000, .data = data->data,
				  .len = data->len };

	if (kind == ENTRY_COMMAND)
		e.id = (struct command_id){ .node = 1 + nonce % 2, .incarnation = { { 5 } }, .nonce = 3ULL << 32 | nonce };
	return state_apply(s, &e);
}

static struct state_result command_at(struct state *s, uint64_t index, uint64_t nonce, const struct command *c)
{
	struct buf data = { 0 };
	struct state_result r;

	command_out(c, &data);
	r = apply(s, index, ENTRY_COMMAND, nonce, &data);
	buf_free(&data);
	return r;
}

static void open_at(struct state *s, uint64_t index)
{
	struct ledger_open open = { .n_members = 2, .n_nodes = 2, .nodes = { 1, 2 } };
	struct buf data = { 0 };

	for (uint32_t i = 0; i < 2; i++)
		open.members[i].node = i + 1, open.members[i].incarnation = (struct id){ { 5 } };
	ledger_open_out(&open, &data);
	apply(s, index, ENTRY_OPEN, 0, &data);
	buf_free(&data);
}

static void voters_at(struct state *s, uint64_t index)
{
	struct ledger_voters v = { .n = 2 };
	struct buf data = { 0 };

	for (uint32_t i = 0; i < 2; i++) {
		v.v[i] = (struct ledger_voter){ .node = i + 1, .votes = 1, .store = { { 1 } } };
		STRCPY(v.v[i].name, i ? "n2" : "n1");
	}
	ledger_voters_out(&v, &data);
	apply(s, index, ENTRY_VOTERS, 0, &data);
	buf_free(&data);
}

/* Command @n of a long mixed list, some of which are refused. */
static struct command nth(uint64_t n)
{
	static const enum command_kind kinds[] = { CMD_POOL_DEFINE, CMD_VOLUME_CREATE, CMD_NODE_DRAIN, CMD_REPORT_FACTS, CMD_VOLUME_DELETE };
	struct command c = { .kind = kinds[n % ARRAY_SIZE(kinds)], .node = 1 + (uint32_t)n % 3, .size = 4096, .memory_mib = 100 + n,
			     .cpus = 2, .detail = "dir", .text = "/srv" };

	c.incarnation = (struct id){ { 5 } };
	c.name[0] = (char)('a' + n % 7);
	if (c.kind != CMD_POOL_DEFINE)
		c.pool[0] = (char)('a' + n % 5);
	return c;
}

static struct state *past(uint64_t n)
{
	struct state *s = state_new();

	voters_at(s, 1);
	open_at(s, 2);
	for (uint64_t i = 3; i <= n; i++) {
		struct command c = nth(i);

		command_at(s, i, i, &c);
	}
	return s;
}

static struct state *again(const struct state *s)
{
	struct buf bytes = { 0 }, twice = { 0 };
	struct state *back = NULL;
	struct err err = { 0 };

	state_out(s, &bytes);
	assert_int_equal(state_in(bytes.data, bytes.len, &back, &err), 0);
	state_out(back, &twice);
	assert_int_equal(bytes.len, twice.len);
	assert_memory_equal(bytes.data, twice.data, bytes.len);
	buf_free(&bytes);
	buf_free(&twice);
	return back;
}

static void check_same(const struct state *a, const struct state *b)
{
	_cleanup_(mem_freep) char *ja = json_of(a), *jb = json_of(b);

	assert_string_equal(ja, jb);
}

static void test_empty(void **state)
{
	struct state *s = state_new(), *back = again(s);

	(void)state;
	check_same(s, back);
	state_free(s);
	state_free(back);
}

/* The same entries, repetitions among them, do the same to both, and are answered in the same way. */
static void test_behaves_the_same(void **state)
{
	struct state *s = past(400), *back = again(s);

	(void)state;
	check_same(s, back);
	for (uint64_t i = 401; i < 800; i++) {
		uint64_t nonce = i % 3 ? i : i - 200;	/* every third was there already */
		struct command c = nth(nonce);
		struct state_result a = command_at(s, i, nonce, &c), b = command_at(back, i, nonce, &c);

		assert_int_equal(a.fresh, b.fresh);
		assert_int_equal(a.err.code, b.err.code);
		assert_string_equal(a.err.text, b.err.text);
	}
	open_at(s, 800);
	open_at(back, 800);
	check_same(s, back);
	state_free(s);
	state_free(back);
}

/* So many commands that old results are forgotten: what is too old to tell stays so. */
static void test_forgotten(void **state)
{
	struct command_id id = { .node = 2, .incarnation = { { 5 } }, .nonce = 3ULL << 32 | 5 };
	struct state *s = past(2 * 8192 + 100), *back = again(s);
	struct command c = nth(5);
	struct err err;
	uint64_t index;

	(void)state;
	assert_int_equal(state_outcome(back, &id, &err, &index), -ENOENT);
	assert_false(command_at(back, 17000, 5, &c).fresh);
	state_free(s);
	state_free(back);
}

/* ---- hostile bytes ---- */

/* Each beginning is refused, and so is one byte too many. */
static void test_cut_anywhere(void **state)
{
	struct state *s = past(30), *back;
	struct buf bytes = { 0 };
	struct err err = { 0 };

	(void)state;
	state_out(s, &bytes);
	for (size_t n = 0; n < bytes.len; n++) {
		char *copy = mem_dup(bytes.data, n);	/* on the heap, so that a read beyond it is seen */

		assert_int_equal(state_in(copy, n, &back, &err), -EBADMSG);
		free(copy);
	}
	buf_char(&bytes, 'x');
	assert_int_equal(state_in(bytes.data, bytes.len, &back, &err), -EBADMSG);
	state_free(s);
	buf_free(&bytes);
}

/* Any one bit changed: refused, or another state that is well-formed (it prints to the same bytes again). */
static void test_damaged_bytes(void **state)
{
	struct state *s = past(30), *back;
	struct buf bytes = { 0 };
	struct err err = { 0 };
	size_t refused = 0;

	(void)state;
	state_out(s, &bytes);
	for (size_t i = 0; i < bytes.len * 8; i++) {
		bytes.data[i / 8] ^= (char)(1 << i % 8);
		if (state_in(bytes.data, bytes.len, &back, &err) < 0) {
			refused++;
		} else {
			struct buf twice = { 0 };

			state_out(back, &twice);
			assert_int_equal(bytes.len, twice.len);
			assert_memory_equal(bytes.data, twice.data, bytes.len);
			buf_free(&twice);
			state_free(back);
		}
		bytes.data[i / 8] ^= (char)(1 << i % 8);
	}
	assert_true(refused > 100);
	state_free(s);
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_behaves_the_same),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_damaged_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
