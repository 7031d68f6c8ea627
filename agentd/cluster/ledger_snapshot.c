/* SPDX-License-Identifier: Apache-2.0
 * Snapshots: what takes the place of the log's beginning, in memory, on disk, and on the way to
 * those whose log ends before it (rules L12, L13).
 *
 * Only what is committed and applied goes into one. Its bytes: a version, the voters' record,
 * the index at which each voter was admitted, the state. They are the same on every node, so that
 * a transfer can go on from another one. */
#include "ledger_priv.h"

#include <errno.h>
#include <inttypes.h>

#define VERSION        1
#define ENTRY_OVERHEAD 128 /* of an entry in memory, about */
#define PARTS_MAX      8   /* of one answer */

/* While somebody fetches, a new snapshot would make it begin anew, so the log may grow. */
#define SERVING_TICKS	25
#define SERVING_LONGER	8

static void bytes_out(const struct base *b, const void *state, size_t len, struct buf *out)
{
	_cleanup_(buf_free) struct buf voters = { 0 };

	ledger_voters_out(&b->voters, &voters);
	wire_put_u8(out, VERSION);
	wire_put_bytes(out, voters.data, voters.len);
	for (size_t i = 0; i < b->voters.n; i++)
		wire_put_u64(out, b->admitted[i]);
	buf_add(out, state, len);
}

/* 0 or -EBADMSG. What the state is made of is not looked at here. */
static int bytes_in(const void *data, size_t size, struct base *ret)
{
	struct wire w = wire_reader(data, size);
	struct base b = *ret;
	const void *voters;
	size_t len;

	if (wire_u8(&w) != VERSION)
		return -EBADMSG;
	voters = wire_bytes(&w, ORDER_MESSAGE_MAX, &len);
	if (w.failed || ledger_voters_in(voters, len, &b.voters) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < b.voters.n; i++) {
		b.admitted[i] = wire_u64(&w);
		if (b.admitted[i] == 0 || b.admitted[i] > b.index)
			return -EBADMSG;
	}
	b.state_at = size - wire_left(&w);
	if (w.failed)
		return -EBADMSG;
	*ret = b;
	return 0;
}

/* FNV-1a: finds accidents, and tells snapshots apart. */
static uint64_t snapshot_sum(uint64_t index, uint64_t term, const struct buf *bytes)
{
	const uint64_t prime = UINT64_C(0x100000001b3);
	uint64_t sum = (((UINT64_C(0xcbf29ce484222325) ^ index) * prime) ^ term) * prime;

	for (size_t i = 0; i < bytes->len; i++)
		sum = (sum ^ (uint8_t)bytes->data[i]) * prime;
	return sum;
}

int snapshot_load(struct ledger *l, struct ledger_snapshot *s)
{
	struct base b = { .index = s->index, .term = s->term, .voted = s->voted };
	int rc = 0;

	if (s->index > 0) {
		buf_add(&b.bytes, s->data, s->len);
		b.sum = snapshot_sum(b.index, b.term, &b.bytes);
		rc = bytes_in(s->data, s->len, &b);
	}
	mem_freep(&s->data);
	l->base = b;
	l->voters = b.voters;
	return rc;
}

/* From the base on the log's length is counted anew. */
static void count_from(struct ledger *l, uint64_t index)
{
	l->long_from = index;
	l->long_bytes = 0;
}

void snapshot_restore(struct ledger *l, struct step *s)
{
	struct ledger_effect *e = vec_add(s->out);

	e->kind = LEDGER_RESTORE;
	e->index = l->base.index;
	e->state = l->base.bytes.data + l->base.state_at;
	e->state_len = l->base.bytes.len - l->base.state_at;
	l->applied = l->base.index;
	count_from(l, l->base.index);
	voters_committed(l, &l->base.voters);
}

/* ---- taking one ---- */

void snapshot_count(struct ledger *l, const struct ledger_entry *applied)
{
	l->long_bytes += applied->len + ENTRY_OVERHEAD;
}

/* Longer than the snapshot: else a large state would be written over and over. */
static bool log_is_long(const struct ledger *l)
{
	unsigned int longer = l->serving_ticks > 0 ? SERVING_LONGER : 1;
	uint64_t entries = l->applied - l->long_from;

	if (l->conf.log_entries > 0)
		return entries >= l->conf.log_entries * longer;
	return l->long_bytes >= l->base.bytes.len &&
	       (entries >= LEDGER_LOG_ENTRIES * longer ||
		l->long_bytes >= (size_t)LEDGER_LOG_BYTES * longer);
}

void snapshot_review(struct ledger *l, struct step *s)
{
	if (l->failed || l->snapshot_asked || l->applied <= l->base.index || !log_is_long(l))
		return;
	l->snapshot_asked = true;
	vec_add(s->out)->kind = LEDGER_SNAPSHOT;
}

void snapshot_hold(struct ledger *l)
{
	l->serving_ticks = SERVING_TICKS;
}

void snapshot_tick(struct ledger *l)
{
	if (l->serving_ticks > 0)
		l->serving_ticks--;
}

static size_t records_upto(const struct ledger *l, uint64_t index)
{
	size_t n = 0;

	while (n < l->records.n && l->records.v[n] <= index)
		n++;
	return n;
}

/* What the base will be when the log is dropped up to @index; without its bytes. */
static struct base base_at(const struct ledger *l, uint64_t index)
{
	size_t n = records_upto(l, index);
	struct base b = { .index = index,
			  .term = log_term(l, index),
			  .voted = voters_voted(l, n),
			  .voters = l->base.voters };

	if (n > 0) {
		const struct ledger_entry *e = log_get(l, l->records.v[n - 1]);

		ledger_voters_in(e->data, e->len, &b.voters);
	}
	for (size_t i = 0; i < b.voters.n; i++)
		b.admitted[i] = voters_admitted_by(l, n, b.voters.v[i].node,
						   &b.voters.v[i].store);
	return b;
}

/*
 * In memory at once; the next write brings it to the disk, and deletes there what it stands for. If
 * we die before, the store has the log as it was. Entries that were never handed over need not
 * be: the snapshot holds them.
 */
static void set_base(struct ledger *l, const struct base *b)
{
	buf_free(&l->base.bytes);
	log_drop(l, b->index);
	l->base = *b;
	l->base.sum = snapshot_sum(b->index, b->term, &b->bytes);
	l->base_unwritten = true;
	log_take_voters(l);
	if (l->handed < b->index)
		l->handed = b->index;
	count_from(l, b->index);
}

void ledger_snapshot(struct ledger *l, const void *state, size_t len, struct mono now,
		     ledger_effects *out)
{
	struct step s = { .now = now, .out = out };
	struct base b;

	l->snapshot_asked = false;
	if (l->failed || l->applied <= l->base.index)
		return;
	b = base_at(l, l->applied);
	bytes_out(&b, NULL, 0, &b.bytes);
	b.state_at = b.bytes.len;
	if (len > SNAPSHOT_BYTES_MAX - b.state_at) {
		ledger_alarm(l, &s, ALARM_SNAPSHOT, l->conf.node,
			     "the state of the cluster has %zu bytes, too many for a snapshot: the "
			     "ledger grows until there are fewer guests",
			     len);
		buf_free(&b.bytes);
		count_from(l, l->applied);
		return;
	}
	buf_add(&b.bytes, state, len);
	set_base(l, &b);
	log_write(l, &s, false);
}

/* ---- giving it to others ---- */

static void say_part(struct ledger *l, struct step *s, const struct member *to, uint64_t from,
		     size_t at, bool final)
{
	size_t left = l->base.bytes.len - at;
	struct ledger_msg m = { .type = MSG_SNAPSHOT,
				.snapshot = { .to = to->node,
					      .from = from,
					      .index = l->base.index,
					      .term = l->base.term,
					      .sum = l->base.sum,
					      .total = (uint32_t)l->base.bytes.len,
					      .at = (uint32_t)at,
					      .data = l->base.bytes.data + at } };

	m.snapshot.len = left < LEDGER_ENTRIES_ROOM ? left : LEDGER_ENTRIES_ROOM;
	m.snapshot.final = final || left <= LEDGER_ENTRIES_ROOM;
	ledger_say(l, s, LEDGER_CLASS_TRANSFER, &m);
}

void snapshot_serve(struct ledger *l, struct step *s, const struct member *to,
		    const struct ledger_msg *fetch)
{
	size_t at = fetch->fetch.snapshot == l->base.index ? fetch->fetch.at : 0;

	for (unsigned int part = 1; part <= PARTS_MAX && at < l->base.bytes.len; part++) {
		say_part(l, s, to, fetch->fetch.from, at, part == PARTS_MAX);
		at += LEDGER_ENTRIES_ROOM;
	}
}

/* ---- taking it from others ---- */

void fetched_drop(struct fetched *f)
{
	buf_free(&f->bytes);
	*f = (struct fetched){ 0 };
}

/*
 * What this log has above it stays if it follows on it: that may be a majority's third copy. One
 * transaction: if we die before it is done, the store has the old log; nothing is acknowledged
 * before it is durable.
 */
static void install(struct ledger *l, struct step *s, struct base *b)
{
	const struct ledger_voter *mine = voters_find(&b->voters, l->conf.node);

	b->voted = voters_voted(l, l->records.n) || (mine && id_equal(&mine->store, &l->store));
	if (log_term(l, b->index) != b->term)
		log_cut(l, l->committed + 1);
	if (id_is_none(&l->cluster))
		l->cluster = ledger_member(l, l->term.source)->state.cluster;
	set_base(l, b);
	l->committed = b->index;
	snapshot_restore(l, s);
	catchup_goes_on(l, s, b->index);
}

/* All parts are here. What is wrong is thrown away, and another server asked in a while. */
static void complete(struct ledger *l, struct step *s)
{
	struct fetched *f = &l->catchup.snapshot;
	struct base b = { .index = f->index, .term = f->term };

	if (f->index < l->term.next && snapshot_sum(f->index, f->term, &f->bytes) == f->sum &&
	    bytes_in(f->bytes.data, f->bytes.len, &b) == 0) {
		b.bytes = f->bytes;
		f->bytes = (struct buf){ 0 };
		fetched_drop(f);
		install(l, s, &b);
		return;
	}
	ledger_alarm(l, s, ALARM_SNAPSHOT, l->catchup.server,
		     "the snapshot that node %u sent is damaged: it was not used",
		     l->catchup.server);
	fetched_drop(f);
}

static bool goes_on(const struct fetched *f, const struct msg_snapshot *p)
{
	return f->index == p->index && f->term == p->term && f->sum == p->sum &&
	       f->total == p->total;
}

/*
 * Never below what is committed here: that would take back what was answered for. Late answers to
 * what was asked before are nothing to speak of.
 */
static bool acceptable(struct ledger *l, struct step *s, const struct member *from,
		       const struct msg_snapshot *p)
{
	if (p->to != l->conf.node || l->follow != FOLLOW_FETCHING ||
	    from->node != l->catchup.server || p->from != l->catchup.want)
		return false;
	if (p->index <= l->committed)
		ledger_alarm(l, s, ALARM_SNAPSHOT, from->node,
			     "node %u sent a snapshot up to entry %" PRIu64 ", but %" PRIu64
			     " are committed here: it was refused",
			     from->node, p->index, l->committed);
	return p->index >= l->catchup.want;
}

void snapshot_on_part(struct ledger *l, struct step *s, struct member *from,
		      const struct ledger_msg *m)
{
	const struct msg_snapshot *p = &m->snapshot;
	struct fetched *f = &l->catchup.snapshot;

	if (!acceptable(l, s, from, p))
		return;
	l->catchup.quiet_ticks = 0;
	if (!goes_on(f, p)) {
		fetched_drop(f);
		*f = (struct fetched){
			.index = p->index, .term = p->term, .sum = p->sum, .total = p->total
		};
	}
	if (p->at == f->bytes.len)
		buf_add(&f->bytes, p->data, p->len);
	if (f->bytes.len == f->total)
		complete(l, s);
	else if (p->final)
		catchup_ask(l, s);
}
