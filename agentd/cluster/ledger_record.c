/* SPDX-License-Identifier: Apache-2.0
 * The payloads that the ledger itself understands: the voters' record, who was there at an OPEN,
 * and entries. */
#include "ledger_msg.h"

#include "base/mem.h"

#include <errno.h>

#define VOTES_MAX 10

static void voter_in(struct wire *w, struct ledger_voter *v)
{
	v->node = wire_u32(w);
	v->votes = wire_u32(w);
	v->store = wire_id(w);
	wire_str(w, v->name, sizeof(v->name));
}

static bool voter_sound(const struct ledger_voter *v, uint32_t after)
{
	return v->node > after && v->votes >= 1 && v->votes <= VOTES_MAX && !id_is_none(&v->store);
}

int ledger_voters_in(const void *data, size_t len, struct ledger_voters *ret)
{
	struct wire w = wire_reader(data, len);
	struct ledger_voters v = { .n = wire_u16(&w) };
	uint32_t before = 0;

	if (v.n > LEDGER_VOTERS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < v.n; i++) {
		voter_in(&w, &v.v[i]);
		if (!voter_sound(&v.v[i], before))
			return -EBADMSG;
		before = v.v[i].node;
	}
	if (!wire_done(&w) || v.n == 0)
		return -EBADMSG;
	*ret = v;
	return 0;
}

void ledger_voters_out(const struct ledger_voters *v, struct buf *out)
{
	wire_put_u16(out, (uint16_t)v->n);
	for (size_t i = 0; i < v->n; i++) {
		wire_put_u32(out, v->v[i].node);
		wire_put_u32(out, v->v[i].votes);
		wire_put_id(out, &v->v[i].store);
		wire_put_str(out, v->v[i].name);
	}
}

static int open_members_in(struct wire *w, struct ledger_open *o)
{
	uint32_t before = 0;

	o->n_members = wire_u16(w);
	if (o->n_members > ORDER_MEMBERS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < o->n_members; i++) {
		o->members[i].node = wire_u32(w);
		o->members[i].incarnation = wire_id(w);
		if (o->members[i].node <= before)
			return -EBADMSG;
		before = o->members[i].node;
	}
	return 0;
}

static int open_nodes_in(struct wire *w, struct ledger_open *o)
{
	uint32_t before = 0;

	o->n_nodes = wire_u16(w);
	if (o->n_nodes > ORDER_MEMBERS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < o->n_nodes; i++) {
		o->nodes[i] = wire_u32(w);
		if (o->nodes[i] <= before)
			return -EBADMSG;
		before = o->nodes[i];
	}
	return 0;
}

int ledger_open_in(const void *data, size_t len, struct ledger_open *ret)
{
	struct wire w = wire_reader(data, len);
	struct ledger_open o = { 0 };

	if (open_members_in(&w, &o) < 0 || open_nodes_in(&w, &o) < 0 || !wire_done(&w))
		return -EBADMSG;
	*ret = o;
	return 0;
}

void ledger_open_out(const struct ledger_open *o, struct buf *out)
{
	wire_put_u16(out, (uint16_t)o->n_members);
	for (size_t i = 0; i < o->n_members; i++) {
		wire_put_u32(out, o->members[i].node);
		wire_put_id(out, &o->members[i].incarnation);
	}
	wire_put_u16(out, (uint16_t)o->n_nodes);
	for (size_t i = 0; i < o->n_nodes; i++)
		wire_put_u32(out, o->nodes[i]);
}

static bool payload_sound(enum entry_kind kind, const void *data, size_t len)
{
	struct ledger_voters voters;
	struct ledger_open open;

	if (kind == ENTRY_VOTERS)
		return ledger_voters_in(data, len, &voters) == 0;
	if (kind == ENTRY_OPEN)
		return ledger_open_in(data, len, &open) == 0;
	return true;
}

#define ENTRY_HEAD_SIZE (8 + 1 + 4 + 16 + 8 + 8 + 4)

int ledger_entry_in(struct wire *w, uint64_t index, struct ledger_entry *ret)
{
	struct ledger_entry e = { .index = index };
	const void *data;

	e.term = wire_u64(w);
	e.kind = (enum entry_kind)wire_u8(w);
	e.id.node = wire_u32(w);
	e.id.incarnation = wire_id(w);
	e.id.nonce = wire_u64(w);
	e.stamp_us = wire_i64(w);
	data = wire_bytes(w, ENTRY_DATA_MAX, &e.len);
	if (w->failed || e.kind >= ENTRY_KIND_MAX || e.term == 0 || e.term >= LEDGER_NUMBER_MAX)
		return -EBADMSG;
	if (!payload_sound(e.kind, data, e.len))
		return -EBADMSG;
	e.data = (void *)data;
	*ret = e;
	return 0;
}

void ledger_entry_out(const struct ledger_entry *e, struct buf *out)
{
	wire_put_u64(out, e->term);
	wire_put_u8(out, (uint8_t)e->kind);
	wire_put_u32(out, e->id.node);
	wire_put_id(out, &e->id.incarnation);
	wire_put_u64(out, e->id.nonce);
	wire_put_i64(out, e->stamp_us);
	wire_put_bytes(out, e->data, e->len);
}

size_t ledger_entry_size(const struct ledger_entry *e)
{
	return ENTRY_HEAD_SIZE + e->len;
}
