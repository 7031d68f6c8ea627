/* SPDX-License-Identifier: Apache-2.0
 * The ledger's codec: what is written reads back the same; nothing else is taken for a message. */
#include "kit/kit.h"

#include "base/mem.h"
#include "cluster/ledger_msg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct id an_id(uint8_t b)
{
	struct id id;

	memset(id.b, b, sizeof(id.b));
	return id;
}

static struct ledger_voters three_voters(void)
{
	struct ledger_voters v = { .n = 3 };

	for (uint32_t i = 0; i < 3; i++) {
		v.v[i] = (struct ledger_voter){ .node = i + 1,
						.votes = 1,
						.store = an_id((uint8_t)(i + 10)) };
		snprintf(v.v[i].name, sizeof(v.v[i].name), "n%u", i + 1);
	}
	return v;
}

static struct ledger_open an_open(void)
{
	struct ledger_open o = { .n_members = 2, .n_nodes = 3, .nodes = { 1, 2, 7 } };

	o.members[0].node = 1;
	o.members[0].incarnation = an_id(5);
	o.members[1].node = 7;
	return o;
}

static struct buf open_payload, entries_payload;

/* One message of each type, with every field set. */
static struct ledger_msg sample(enum ledger_msg_type type)
{
	struct ledger_msg m = { .type = type, .view = 0x1122334455667788, .round = 3, .term = 9 };
	static const char text[] = "some command";

	switch (type) {
	case MSG_STATE:
		m.state = (struct msg_state){
			.incarnation = an_id(1),
			.store = an_id(2),
			.cluster = an_id(3),
			.promised = 8,
			.last_term = 7,
			.last_index = 100,
			.committed = 99,
			.stamp_us = 1234567,
			.barred = true,
			.voters = three_voters(),
			.admitted = 4,
			.n_seen = 1,
			.seen = { { .node = 2,
				    .store = an_id(4),
				    .admitted = 5,
				    .promised = 8,
				    .ack_term = 7,
				    .ack_index = 98,
				    .regressed = true } },
		};
		break;
	case MSG_OPEN:
		m.open = (struct msg_open){ 8, 100, 55, open_payload.data, open_payload.len };
		break;
	case MSG_COMMAND:
		m.command = (struct msg_command){
			ENTRY_COMMAND, { 1, an_id(6), 77 }, 42, text, sizeof(text)
		};
		break;
	case MSG_ACK:
		m.ack.index = 101;
		break;
	case MSG_TICK:
		m.tick.applied = 5;
		m.tick.stamp_us = 6;
		m.tick.gate = true;
		break;
	case MSG_FETCH:
		m.fetch.to = 2;
		m.fetch.from = 11;
		m.fetch.snapshot = 9;
		m.fetch.at = 5;
		break;
	case MSG_ENTRIES:
		m.entries = (struct msg_entries){ .to = 3,
						  .prev_index = 10,
						  .prev_term = 2,
						  .final = true,
						  .n = 2,
						  .entries = wire_reader(entries_payload.data,
									 entries_payload.len) };
		break;
	case MSG_JOIN:
		m.join.store = an_id(8);
		m.join.incarnation = an_id(9);
		STRCPY(m.join.name, "n3");
		break;
	case MSG_SNAPSHOT:
		m.snapshot = (struct msg_snapshot){ .to = 3,
						    .from = 4,
						    .index = 10,
						    .term = 9,
						    .sum = UINT64_MAX,
						    .total = 100,
						    .at = 87,
						    .final = true,
						    .data = text,
						    .len = sizeof(text) };
		break;
	default:
		break;
	}
	return m;
}

static int setup(void **state)
{
	struct ledger_open o = an_open();
	struct ledger_voters v = three_voters();
	_cleanup_(buf_free) struct buf voters = { 0 };
	struct ledger_entry e = { .term = 2,
				  .kind = ENTRY_COMMAND,
				  .id = { 1, an_id(6), 1 },
				  .stamp_us = 9,
				  .data = "x",
				  .len = 1 };

	(void)state;
	ledger_open_out(&o, &open_payload);
	ledger_entry_out(&e, &entries_payload);
	ledger_voters_out(&v, &voters);
	e = (struct ledger_entry){
		.term = 3, .kind = ENTRY_VOTERS, .data = voters.data, .len = voters.len
	};
	ledger_entry_out(&e, &entries_payload);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&open_payload);
	buf_free(&entries_payload);
	return 0;
}

/* What was read is written again: the bytes are the same, so every field has come through. */
static void test_round_trip(void **state)
{
	(void)state;
	for (int type = 0; type < MSG_MAX; type++) {
		struct ledger_msg m = sample((enum ledger_msg_type)type), back;
		_cleanup_(buf_free) struct buf once = { 0 }, twice = { 0 };

		ledger_msg_out(&m, &once);
		assert_int_equal(ledger_msg_in(once.data, once.len, &back), 0);
		ledger_msg_out(&back, &twice);
		assert_int_equal(once.len, twice.len);
		assert_memory_equal(once.data, twice.data, once.len);
	}
}

static void test_fields(void **state)
{
	struct ledger_msg m = sample(MSG_STATE), back;
	_cleanup_(buf_free) struct buf b = { 0 };

	(void)state;
	ledger_msg_out(&m, &b);
	assert_int_equal(ledger_msg_in(b.data, b.len, &back), 0);
	assert_int_equal(back.view, m.view);
	assert_int_equal(back.round, 3);
	assert_int_equal(back.term, 9);
	assert_int_equal(back.state.promised, 8);
	assert_int_equal(back.state.committed, 99);
	assert_string_equal(back.state.voters.v[2].name, "n3");
	assert_true(back.state.seen[0].regressed);
	assert_int_equal(back.state.seen[0].ack_index, 98);
	m = sample(MSG_TICK);
	buf_clear(&b);
	ledger_msg_out(&m, &b);
	assert_int_equal(ledger_msg_in(b.data, b.len, &back), 0);
	assert_true(back.tick.gate);
}

/*
 * Cut anywhere, or with one byte more: refused. The copy has no byte to spare, so the sanitizers
 * see any read beyond.
 */
static void test_cut_anywhere(void **state)
{
	(void)state;
	for (int type = 0; type < MSG_MAX; type++) {
		struct ledger_msg m = sample((enum ledger_msg_type)type), back;
		_cleanup_(buf_free) struct buf b = { 0 };

		ledger_msg_out(&m, &b);
		for (size_t len = 0; len < b.len; len++) {
			void *copy = mem_dup(b.data, len);

			assert_int_equal(ledger_msg_in(copy, len, &back), -EBADMSG);
			free(copy);
		}
		buf_char(&b, 0);
		assert_int_equal(ledger_msg_in(b.data, b.len, &back), -EBADMSG);
	}
}

static uint64_t next(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

/* Bytes changed at random: refused or read, never more; what was read can be written. */
static void test_damaged(void **state)
{
	uint64_t r = 42;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		struct ledger_msg m = sample((enum ledger_msg_type)(i % MSG_MAX)), back;
		_cleanup_(buf_free) struct buf b = { 0 }, again = { 0 };

		ledger_msg_out(&m, &b);
		for (uint64_t n = next(&r) % 4 + 1; n > 0; n--)
			b.data[next(&r) % b.len] = (char)next(&r);
		if (ledger_msg_in(b.data, b.len, &back) < 0)
			continue;
		ledger_msg_out(&back, &again);
		assert_int_equal(again.len, b.len);
	}
}

static void test_random(void **state)
{
	char bytes[600];
	uint64_t r = 7;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		struct ledger_msg m;
		size_t len = next(&r) % sizeof(bytes);

		for (size_t k = 0; k < len; k++)
			bytes[k] = (char)next(&r);
		bytes[0] = LEDGER_MSG_VERSION;
		bytes[1] = (char)(next(&r) % MSG_MAX);
		ledger_msg_in(bytes, len, &m);
	}
}

static int decode(const struct ledger_msg *m)
{
	_cleanup_(buf_free) struct buf b = { 0 };
	struct ledger_msg back;

	ledger_msg_out(m, &b);
	return ledger_msg_in(b.data, b.len, &back);
}

#define REFUSED(type, change) \
	do { \
		struct ledger_msg m = sample(type); \
		assert_int_equal(decode(&m), 0); \
		change; \
		assert_int_equal(decode(&m), -EBADMSG); \
	} while (0)

/* Values that no honest agent sends. */
static void test_absurd(void **state)
{
	char big[ENTRY_DATA_MAX + 1] = { 0 };

	(void)state;
	REFUSED(MSG_TICK, m.round = LEDGER_NUMBER_MAX);
	REFUSED(MSG_TICK, m.term = UINT64_MAX);
	REFUSED(MSG_TICK, m.tick.stamp_us = -1);
	REFUSED(MSG_TICK, m.tick.stamp_us = INT64_MAX);
	REFUSED(MSG_ACK, m.ack.index = UINT64_MAX);
	REFUSED(MSG_FETCH, m.fetch.from = 0);
	REFUSED(MSG_SNAPSHOT, m.snapshot.from = 0);
	REFUSED(MSG_SNAPSHOT, m.snapshot.index = 0);
	REFUSED(MSG_SNAPSHOT, m.snapshot.index = LEDGER_NUMBER_MAX);
	REFUSED(MSG_SNAPSHOT, m.snapshot.term = 0);
	REFUSED(MSG_SNAPSHOT, m.snapshot.term = 10);
	REFUSED(MSG_SNAPSHOT, m.snapshot.total = SNAPSHOT_BYTES_MAX + 1);
	REFUSED(MSG_SNAPSHOT, m.snapshot.at = 88);
	REFUSED(MSG_SNAPSHOT, m.snapshot.at = UINT32_MAX);
	REFUSED(MSG_SNAPSHOT, m.snapshot.len = 0);
	REFUSED(MSG_PROMISE, m.term = 0);
	REFUSED(MSG_STATE, m.state.promised = LEDGER_NUMBER_MAX);
	REFUSED(MSG_STATE, m.state.last_term = m.state.promised + 1);
	REFUSED(MSG_STATE, m.state.committed = m.state.last_index + 1);
	REFUSED(MSG_STATE, m.state.cluster = (struct id){ 0 });
	REFUSED(MSG_STATE, m.state.voters.n = 0);
	REFUSED(MSG_STATE, m.state.voters.v[1].node = 1);
	REFUSED(MSG_STATE, m.state.voters.v[1].votes = 0);
	REFUSED(MSG_STATE, m.state.voters.v[1].votes = 11);
	REFUSED(MSG_STATE, m.state.voters.v[1].store = (struct id){ 0 });
	REFUSED(MSG_STATE, m.state.store = (struct id){ 0 });
	REFUSED(MSG_OPEN, m.open.base_term = 9);
	REFUSED(MSG_OPEN, m.open.len--);
	REFUSED(MSG_COMMAND, m.command.kind = ENTRY_OPEN);
	REFUSED(MSG_COMMAND, m.command.kind = ENTRY_KIND_MAX);
	REFUSED(MSG_COMMAND, (m.command.data = big, m.command.len = sizeof(big)));
	REFUSED(MSG_ENTRIES, m.entries.n = 3);
	REFUSED(MSG_ENTRIES, m.entries.n = UINT32_MAX);
	REFUSED(MSG_ENTRIES, m.entries.prev_index = 0);
	REFUSED(MSG_ENTRIES, m.entries.prev_term = 3);
	REFUSED(MSG_ENTRIES, m.term = 2);
	REFUSED(MSG_JOIN, m.join.store = (struct id){ 0 });
}

/* The largest command fits into one message, and into one part of a transfer. */
static void test_largest(void **state)
{
	_cleanup_(mem_freep) char *big = mem_alloc0(ENTRY_DATA_MAX);
	struct ledger_msg m = sample(MSG_COMMAND);
	struct ledger_entry e = {
		.term = 2, .kind = ENTRY_COMMAND, .data = big, .len = ENTRY_DATA_MAX
	};
	_cleanup_(buf_free) struct buf b = { 0 }, part = { 0 }, entry = { 0 };
	struct ledger_msg back;

	(void)state;
	m.command.data = big;
	m.command.len = ENTRY_DATA_MAX;
	ledger_msg_out(&m, &b);
	assert_in_range(b.len, 1, ORDER_MESSAGE_MAX);
	assert_int_equal(ledger_msg_in(b.data, b.len, &back), 0);
	ledger_entry_out(&e, &entry);
	assert_int_equal(entry.len, ledger_entry_size(&e));
	assert_in_range(entry.len, 1, LEDGER_ENTRIES_ROOM);
	m = sample(MSG_ENTRIES);
	m.entries.n = 1;
	m.entries.entries = wire_reader(entry.data, entry.len);
	ledger_msg_out(&m, &part);
	assert_in_range(part.len, 1, ORDER_MESSAGE_MAX);
	assert_int_equal(ledger_msg_in(part.data, part.len, &back), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_fields),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_random),       cmocka_unit_test(test_absurd),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
