/* SPDX-License-Identifier: Apache-2.0
 * The ledger's messages on the wire: one row a type, all input hostile until checked. */
#include "ledger_msg.h"

#include "base/mem.h"

#include <errno.h>

/* Version, type, view, round, term: in front of every message. */
#define HEAD_SIZE (1 + 1 + 8 + 8 + 8)

/* Wall clock stamps, in microseconds: until the year 146000. */
#define STAMP_MAX (INT64_C(1) << 62)

static bool number_sound(uint64_t v)
{
	return v < LEDGER_NUMBER_MAX;
}

static bool stamp_sound(int64_t us)
{
	return us >= 0 && us < STAMP_MAX;
}

static int seen_in(struct wire *w, struct msg_state *s)
{
	s->n_seen = wire_u16(w);
	if (s->n_seen > LEDGER_VOTERS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < s->n_seen; i++) {
		struct ledger_seen *seen = &s->seen[i];

		seen->node = wire_u32(w);
		seen->store = wire_id(w);
		seen->admitted = wire_u64(w);
		seen->promised = wire_u64(w);
		seen->ack_term = wire_u64(w);
		seen->ack_index = wire_u64(w);
		seen->regressed = wire_u8(w) != 0;
	}
	return 0;
}

static void seen_out(const struct msg_state *s, struct buf *out)
{
	wire_put_u16(out, (uint16_t)s->n_seen);
	for (size_t i = 0; i < s->n_seen; i++) {
		const struct ledger_seen *seen = &s->seen[i];

		wire_put_u32(out, seen->node);
		wire_put_id(out, &seen->store);
		wire_put_u64(out, seen->admitted);
		wire_put_u64(out, seen->promised);
		wire_put_u64(out, seen->ack_term);
		wire_put_u64(out, seen->ack_index);
		wire_put_u8(out, seen->regressed);
	}
}

/* A blank store has nothing; any other has a cluster, entries and voters. */
static bool state_sound(const struct msg_state *s)
{
	bool blank = id_is_none(&s->cluster);

	return number_sound(s->promised) && number_sound(s->last_index) &&
	       s->last_term <= s->promised && s->committed <= s->last_index &&
	       stamp_sound(s->stamp_us) && !id_is_none(&s->store) && !id_is_none(&s->incarnation) &&
	       blank == (s->voters.n == 0) && blank == (s->last_index == 0) &&
	       blank == (s->last_term == 0);
}

static int state_in(struct wire *w, struct ledger_msg *m)
{
	struct msg_state *s = &m->state;
	const void *voters;
	size_t len;

	*s = (struct msg_state){ .incarnation = wire_id(w),
				 .store = wire_id(w),
				 .cluster = wire_id(w) };
	s->promised = wire_u64(w);
	s->last_term = wire_u64(w);
	s->last_index = wire_u64(w);
	s->committed = wire_u64(w);
	s->admitted = wire_u64(w);
	s->stamp_us = wire_i64(w);
	s->barred = wire_u8(w) != 0;
	voters = wire_bytes(w, ORDER_MESSAGE_MAX, &len);
	if (w->failed || (len > 0 && ledger_voters_in(voters, len, &s->voters) < 0))
		return -EBADMSG;
	if (seen_in(w, s) < 0 || !state_sound(s))
		return -EBADMSG;
	return 0;
}

static void state_out(const struct ledger_msg *m, struct buf *out)
{
	const struct msg_state *s = &m->state;
	_cleanup_(buf_free) struct buf voters = { 0 };

	wire_put_id(out, &s->incarnation);
	wire_put_id(out, &s->store);
	wire_put_id(out, &s->cluster);
	wire_put_u64(out, s->promised);
	wire_put_u64(out, s->last_term);
	wire_put_u64(out, s->last_index);
	wire_put_u64(out, s->committed);
	wire_put_u64(out, s->admitted);
	wire_put_i64(out, s->stamp_us);
	wire_put_u8(out, s->barred);
	if (s->voters.n > 0)
		ledger_voters_out(&s->voters, &voters);
	wire_put_bytes(out, voters.data, voters.len);
	seen_out(s, out);
}

/* A promise is its head: view, round and term. */
static int promise_in(struct wire *w, struct ledger_msg *m)
{
	(void)w;
	return m->term > 0 ? 0 : -EBADMSG;
}

static void promise_out(const struct ledger_msg *m, struct buf *out)
{
	(void)m, (void)out;
}

static int open_in(struct wire *w, struct ledger_msg *m)
{
	struct msg_open *o = &m->open;
	struct ledger_open open;

	o->base_term = wire_u64(w);
	o->base_index = wire_u64(w);
	o->stamp_us = wire_i64(w);
	o->data = wire_bytes(w, ENTRY_DATA_MAX, &o->len);
	if (w->failed || !number_sound(o->base_index) || o->base_term >= m->term ||
	    !stamp_sound(o->stamp_us))
		return -EBADMSG;
	return ledger_open_in(o->data, o->len, &open);
}

static void open_out(const struct ledger_msg *m, struct buf *out)
{
	wire_put_u64(out, m->open.base_term);
	wire_put_u64(out, m->open.base_index);
	wire_put_i64(out, m->open.stamp_us);
	wire_put_bytes(out, m->open.data, m->open.len);
}

static int command_in(struct wire *w, struct ledger_msg *m)
{
	struct msg_command *c = &m->command;

	c->kind = (enum entry_kind)wire_u8(w);
	c->id.node = wire_u32(w);
	c->id.incarnation = wire_id(w);
	c->id.nonce = wire_u64(w);
	c->stamp_us = wire_i64(w);
	c->data = wire_bytes(w, ENTRY_DATA_MAX, &c->len);
	if (w->failed || !stamp_sound(c->stamp_us) ||
	    (c->kind != ENTRY_COMMAND && c->kind != ENTRY_VOTERS))
		return -EBADMSG;
	return 0;
}

static void command_out(const struct ledger_msg *m, struct buf *out)
{
	const struct msg_command *c = &m->command;

	wire_put_u8(out, (uint8_t)c->kind);
	wire_put_u32(out, c->id.node);
	wire_put_id(out, &c->id.incarnation);
	wire_put_u64(out, c->id.nonce);
	wire_put_i64(out, c->stamp_us);
	wire_put_bytes(out, c->data, c->len);
}

static int ack_in(struct wire *w, struct ledger_msg *m)
{
	m->ack.index = wire_u64(w);
	return number_sound(m->ack.index) ? 0 : -EBADMSG;
}

static void ack_out(const struct ledger_msg *m, struct buf *out)
{
	wire_put_u64(out, m->ack.index);
}

static int tick_in(struct wire *w, struct ledger_msg *m)
{
	m->tick.applied = wire_u64(w);
	m->tick.stamp_us = wire_i64(w);
	m->tick.gate = wire_u8(w) != 0;
	return number_sound(m->tick.applied) && stamp_sound(m->tick.stamp_us) ? 0 : -EBADMSG;
}

static void tick_out(const struct ledger_msg *m, struct buf *out)
{
	wire_put_u64(out, m->tick.applied);
	wire_put_i64(out, m->tick.stamp_us);
	wire_put_u8(out, m->tick.gate);
}

static int fetch_in(struct wire *w, struct ledger_msg *m)
{
	m->fetch.to = wire_u32(w);
	m->fetch.from = wire_u64(w);
	m->fetch.snapshot = wire_u64(w);
	m->fetch.at = wire_u32(w);
	return m->fetch.from > 0 && number_sound(m->fetch.from) ? 0 : -EBADMSG;
}

static void fetch_out(const struct ledger_msg *m, struct buf *out)
{
	wire_put_u32(out, m->fetch.to);
	wire_put_u64(out, m->fetch.from);
	wire_put_u64(out, m->fetch.snapshot);
	wire_put_u32(out, m->fetch.at);
}

/*
 * Walks them once, so that whoever installs them meets sound entries only: terms never fall,
 * none is of a later term.
 */
static int entries_walk(struct wire *w, const struct msg_entries *e, uint64_t term)
{
	uint64_t before = e->prev_term;
	struct ledger_entry entry;

	for (uint32_t i = 0; i < e->n; i++) {
		if (ledger_entry_in(w, e->prev_index + 1 + i, &entry) < 0)
			return -EBADMSG;
		if (entry.term < before || entry.term > term)
			return -EBADMSG;
		before = entry.term;
	}
	return 0;
}

static int entries_in(struct wire *w, struct ledger_msg *m)
{
	struct msg_entries *e = &m->entries;

	e->to = wire_u32(w);
	e->prev_index = wire_u64(w);
	e->prev_term = wire_u64(w);
	e->final = wire_u8(w) != 0;
	e->n = wire_u32(w);
	e->entries = *w;
	if (w->failed || !number_sound(e->prev_index) ||
	    (e->prev_index == 0) != (e->prev_term == 0))
		return -EBADMSG;
	return entries_walk(w, e, m->term);
}

static void entries_out(const struct ledger_msg *m, struct buf *out)
{
	const struct msg_entries *e = &m->entries;

	wire_put_u32(out, e->to);
	wire_put_u64(out, e->prev_index);
	wire_put_u64(out, e->prev_term);
	wire_put_u8(out, e->final);
	wire_put_u32(out, e->n);
	buf_add(out, e->entries.p, wire_left(&e->entries));
}

static int join_in(struct wire *w, struct ledger_msg *m)
{
	m->join.store = wire_id(w);
	m->join.incarnation = wire_id(w);
	wire_str(w, m->join.name, sizeof(m->join.name));
	return id_is_none(&m->join.store) ? -EBADMSG : 0;
}

static void join_out(const struct ledger_msg *m, struct buf *out)
{
	wire_put_id(out, &m->join.store);
	wire_put_id(out, &m->join.incarnation);
	wire_put_str(out, m->join.name);
}

static bool part_sound(const struct msg_snapshot *p, uint64_t term)
{
	return p->from > 0 && number_sound(p->from) && p->index > 0 && number_sound(p->index) && p->term > 0 && p->term <= term &&
	       p->total <= SNAPSHOT_BYTES_MAX && p->len > 0 && p->at <= p->total &&
	       p->len <= p->total - p->at;
}

static int snapshot_in(struct wire *w, struct ledger_msg *m)
{
	struct msg_snapshot *p = &m->snapshot;

	p->to = wire_u32(w);
	p->from = wire_u64(w);
	p->index = wire_u64(w);
	p->term = wire_u64(w);
	p->sum = wire_u64(w);
	p->total = wire_u32(w);
	p->at = wire_u32(w);
	p->final = wire_u8(w) != 0;
	p->data = wire_bytes(w, ORDER_MESSAGE_MAX, &p->len);
	return !w->failed && part_sound(p, m->term) ? 0 : -EBADMSG;
}

static void snapshot_out(const struct ledger_msg *m, struct buf *out)
{
	const struct msg_snapshot *p = &m->snapshot;

	wire_put_u32(out, p->to);
	wire_put_u64(out, p->from);
	wire_put_u64(out, p->index);
	wire_put_u64(out, p->term);
	wire_put_u64(out, p->sum);
	wire_put_u32(out, p->total);
	wire_put_u32(out, p->at);
	wire_put_u8(out, p->final);
	wire_put_bytes(out, p->data, p->len);
}

/* @min: bytes that the message has at least, its head included. */
static const struct row {
	size_t min;
	int (*in)(struct wire *w, struct ledger_msg *m);
	void (*out)(const struct ledger_msg *m, struct buf *out);
} rows[MSG_MAX] = {
	/* clang-format off */
	[MSG_STATE]   = { HEAD_SIZE + 48 + 48 + 1 + 4 + 2, state_in,   state_out   },
	[MSG_PROMISE] = { HEAD_SIZE,                       promise_in, promise_out },
	[MSG_OPEN]    = { HEAD_SIZE + 24 + 4,              open_in,    open_out    },
	[MSG_COMMAND] = { HEAD_SIZE + 1 + 28 + 8 + 4,      command_in, command_out },
	[MSG_ACK]     = { HEAD_SIZE + 8,                   ack_in,     ack_out     },
	[MSG_TICK]    = { HEAD_SIZE + 16 + 1,              tick_in,    tick_out    },
	[MSG_FETCH]   = { HEAD_SIZE + 24,                  fetch_in,   fetch_out   },
	[MSG_ENTRIES] = { HEAD_SIZE + 4 + 16 + 1 + 4,      entries_in, entries_out },
	[MSG_JOIN]    = { HEAD_SIZE + 32 + 4,              join_in,    join_out    },
	[MSG_SNAPSHOT] = { HEAD_SIZE + 36 + 8 + 1 + 4,     snapshot_in, snapshot_out },
	/* clang-format on */
};

int ledger_msg_in(const void *data, size_t len, struct ledger_msg *ret)
{
	struct wire w = wire_reader(data, len);
	uint8_t version = wire_u8(&w), type = wire_u8(&w);

	if (version != LEDGER_MSG_VERSION || type >= MSG_MAX || len < rows[type].min ||
	    len > ORDER_MESSAGE_MAX)
		return -EBADMSG;
	ret->type = (enum ledger_msg_type)type;
	ret->view = wire_u64(&w);
	ret->round = wire_u64(&w);
	ret->term = wire_u64(&w);
	if (!number_sound(ret->round) || !number_sound(ret->term) || rows[type].in(&w, ret) < 0)
		return -EBADMSG;
	return wire_done(&w) ? 0 : -EBADMSG;
}

void ledger_msg_out(const struct ledger_msg *m, struct buf *out)
{
	wire_put_u8(out, LEDGER_MSG_VERSION);
	wire_put_u8(out, (uint8_t)m->type);
	wire_put_u64(out, m->view);
	wire_put_u64(out, m->round);
	wire_put_u64(out, m->term);
	rows[m->type].out(m, out);
}
