/* SPDX-License-Identifier: Apache-2.0
 * The log: in memory, on its way to the disk, acknowledged, committed, applied (rules L1, L2,
 * L4). */
#include "ledger_priv.h"

/* One write holds so many entries at most: it must end some time. */
#define WRITE_ENTRIES_MAX 4096

/*
 * What is known to be committed is written along with entries; alone only when nothing was
 * written for this long.
 */
#define COMMITTED_IDLE_US US_PER_S

struct ledger_entry *entry_new(const struct ledger_entry *like)
{
	struct ledger_entry *e = mem_new(struct ledger_entry);

	*e = *like;
	e->data = mem_dup(like->data, like->len);
	return e;
}

void entry_free(struct ledger_entry *e)
{
	if (e)
		mem_freep(&e->data);
	mem_freep(&e);
}

uint64_t log_last(const struct ledger *l)
{
	return l->base.index + l->log.n;
}

/* The only way to an entry: the log begins after its base. */
const struct ledger_entry *log_get(const struct ledger *l, uint64_t index)
{
	if (index <= l->base.index || index > log_last(l))
		return NULL;
	return l->log.v[index - l->base.index - 1];
}

uint64_t log_term(const struct ledger *l, uint64_t index)
{
	const struct ledger_entry *e = log_get(l, index);

	if (index == l->base.index)
		return l->base.term;
	return e ? e->term : 0;
}

/* The last record in the log, committed or not, is in force (rule L8). */
int log_take_voters(struct ledger *l)
{
	const struct ledger_entry *e;

	l->voters = l->base.voters;
	if (l->records.n == 0)
		return 0;
	e = log_get(l, l->records.v[l->records.n - 1]);
	return ledger_voters_in(e->data, e->len, &l->voters);
}

static int push(struct ledger *l, struct ledger_entry *e)
{
	vec_push(&l->log, e);
	if (e->kind != ENTRY_VOTERS)
		return 0;
	vec_push(&l->records, log_last(l));
	return log_take_voters(l);
}

/* What the store held. -EBADMSG if it cannot be a ledger's. */
int log_load(struct ledger *l, struct ledger_image *image)
{
	int rc = snapshot_load(l, &image->snapshot);

	for (size_t i = 0; i < image->entries.n; i++) {
		struct ledger_entry *e = mem_dup(&image->entries.v[i], sizeof(*e));

		if (push(l, e) < 0 || e->index != log_last(l) ||
		    e->term < log_term(l, log_last(l) - 1))
			rc = -EBADMSG;
	}
	vec_free(&image->entries);
	l->durable = l->handed = log_last(l);
	l->committed = image->committed < log_last(l) ? image->committed : log_last(l);
	l->committed_durable = l->committed;
	l->promised = image->promised;
	if (log_term(l, log_last(l)) > l->promised)
		l->promised = log_term(l, log_last(l));
	l->want_promised = l->promised;
	if (id_is_none(&l->cluster) != (l->voters.n == 0) || l->committed < l->base.index)
		rc = -EBADMSG;
	if (rc < 0)
		l->committed = 0;
	return rc;
}

void log_append(struct ledger *l, struct ledger_entry *e)
{
	push(l, e);
}

void log_drop(struct ledger *l, uint64_t index)
{
	size_t n = 0, n_records = 0;

	while (n < l->log.n && l->log.v[n]->index <= index)
		entry_free(l->log.v[n++]);
	while (n_records < l->records.n && l->records.v[n_records] <= index)
		n_records++;
	vec_cut(&l->log, 0, n);
	vec_cut(&l->records, 0, n_records);
}

static void lower(uint64_t *v, uint64_t to)
{
	if (*v > to)
		*v = to;
}

/* Cuts @from and all above out of memory, and remembers to cut what the disk has of it. */
void log_cut(struct ledger *l, uint64_t from)
{
	if (from <= l->handed && (l->truncate_from == 0 || from < l->truncate_from))
		l->truncate_from = from;
	while (log_last(l) >= from)
		entry_free(l->log.v[--l->log.n]);
	while (l->records.n > 0 && l->records.v[l->records.n - 1] >= from)
		l->records.n--;
	log_take_voters(l);
	lower(&l->handed, from - 1);
	lower(&l->durable, from - 1);
	lower(&l->writing.upto, from - 1);
	if (log_last(l) == 0 && !l->cluster_written)
		l->cluster = (struct id){ 0 };
}

/* The store has not been given it and nobody has heard it: STATE need not wait for it. */
static void take_promise_back(struct ledger *l)
{
	l->want_promised = l->promised;
	if (l->writing.active && l->writing.promised > l->promised)
		l->want_promised = l->writing.promised;
}

/*
 * What stays, be it an entry (committed), a snapshot or a cut, came with the promise of its term, and
 * goes to the disk with it: an entry above its promise, or a cut without a later one, looks like a
 * store that has lost something.
 */
void log_forget_unwritten(struct ledger *l)
{
	uint64_t keep = l->failed || l->handed < l->committed ? l->committed : l->handed;

	if (log_last(l) > keep)
		log_cut(l, keep + 1);
	if (l->truncate_from == 0 && !l->base_unwritten && keep <= l->handed)
		take_promise_back(l);
}

/*
 * A ring that ends may leave a hole: a message that none of those received who come out of it
 * together. What they have sent after it the order gives them all the same, before the next view
 * (corosync's transitional configuration): then an index of this term has one entry here and
 * another one there. Such an entry cannot have been acknowledged in this view; so what nobody
 * has acknowledged, ourselves included, is no part of the log any more. Our own word comes
 * back to us in any case while its view lasts, if it went out in it. What is committed stays, and
 * with it all that a snapshot stands for.
 */
void log_forget_unsure(struct ledger *l)
{
	uint64_t end = l->term.open_index - 1;

	if (!l->term.open || l->follow != FOLLOW_CAUGHT_UP)
		return;
	for (size_t i = 0; i < l->n_members; i++) {
		if (l->members[i].acked > end)
			end = l->members[i].acked;
	}
	if (end < l->committed)
		end = l->committed;
	if (end < log_last(l))
		log_cut(l, end + 1);
}

bool log_at_rest(const struct ledger *l)
{
	return !l->writing.active && l->durable == log_last(l) && l->truncate_from == 0 &&
	       l->want_promised == l->promised;
}

static bool write_needed(const struct ledger *l, bool even_if_only_committed)
{
	return l->handed < log_last(l) || l->truncate_from > 0 || l->base_unwritten || l->want_promised > l->promised ||
	       (even_if_only_committed && l->committed > l->committed_durable);
}

static void write_entries(struct ledger *l, struct ledger_write *w, uint64_t upto)
{
	const struct ledger_entry **v = mem_resize(NULL, upto - l->handed, sizeof(*v));

	for (uint64_t i = l->handed + 1; i <= upto; i++)
		v[w->n_entries++] = log_get(l, i);
	w->entries = v;
}

/*
 * Hands over all that has gathered while the write before was under way. If we die before it is
 * done, none or all of it is on the disk; nothing of it has been acknowledged.
 */
void log_write(struct ledger *l, struct step *s, bool even_if_only_committed)
{
	uint64_t upto = log_last(l), committed;
	struct ledger_effect *e;

	if (l->writing.active || l->failed || !write_needed(l, even_if_only_committed))
		return;
	if (upto > l->handed + WRITE_ENTRIES_MAX)
		upto = l->handed + WRITE_ENTRIES_MAX;
	committed = l->committed < upto ? l->committed : upto;
	l->writing = (struct writing){
		.active = true, .upto = upto, .promised = l->want_promised, .committed = committed
	};
	e = vec_add(s->out);
	e->kind = LEDGER_WRITE;
	e->write.promised = l->want_promised > l->promised ? l->want_promised : 0;
	e->write.truncate_from = l->truncate_from;
	e->write.committed = committed > l->committed_durable ? committed : 0;
	if (!l->cluster_written)
		e->write.cluster = l->cluster;
	if (upto > l->handed)
		write_entries(l, &e->write, upto);
	if (l->base_unwritten)
		e->write.snapshot = (struct ledger_snapshot){ .index = l->base.index,
							      .term = l->base.term,
							      .voted = l->base.voted,
							      .data = l->base.bytes.data,
							      .len = l->base.bytes.len };
	l->base_unwritten = false;
	l->cluster_written = !id_is_none(&l->cluster);
	l->handed = upto;
	l->truncate_from = 0;
}

/*
 * Says what is durable. Only what belongs to the open term, and only while this node takes part
 * in it (rules L2, L4).
 */
static void acknowledge(struct ledger *l, struct step *s)
{
	struct ledger_msg m = { .type = MSG_ACK, .ack = { .index = l->durable } };

	if (l->follow != FOLLOW_CAUGHT_UP || l->failed || l->durable < l->term.open_index ||
	    l->durable <= l->last_acked)
		return;
	ledger_say(l, s, LEDGER_CLASS_ACK, &m);
	l->last_acked = l->durable;
}

static void write_done(struct ledger *l, struct step *s)
{
	l->durable = l->writing.upto;
	l->promised = l->writing.promised;
	if (l->writing.committed > l->committed_durable)
		l->committed_durable = l->writing.committed;
	l->written_at = s->now;
}

void log_written(struct ledger *l, struct step *s, const struct err *err)
{
	if (!l->writing.active)
		return;
	l->writing.active = false;
	if (err->code) {
		l->failed = true;
		ledger_alarm(l, s, ALARM_DISK, l->conf.node,
			     "the ledger's disk has failed and this node acknowledges nothing any "
			     "more: %s",
			     err->text);
		return;
	}
	write_done(l, s);
	acknowledge(l, s);
}

void log_tick(struct ledger *l, struct step *s)
{
	if (mono_diff_us(s->now, l->written_at) >= COMMITTED_IDLE_US)
		log_write(l, s, true);
}

void log_on_ack(struct ledger *l, struct step *s, struct member *from, const struct ledger_msg *m)
{
	uint64_t index = m->ack.index < l->term.next ? m->ack.index : l->term.next - 1;

	(void)s;
	if (index < l->term.open_index || index <= from->acked)
		return;
	from->acked = index;
	voters_remember(l, from, m->term, index);
}

/*
 * The highest index that voters with a majority of votes hold, by the record in force; 0: none
 * of this term.
 */
static uint64_t majority_holds(const struct ledger *l)
{
	const struct ledger_voters *record = &l->term.record;
	struct {
		uint64_t acked;
		uint32_t votes;
	} held[LEDGER_VOTERS_MAX];
	uint32_t votes = 0;
	size_t n = 0;

	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];
		size_t at;

		if (!voters_match(record, m) || m->regressed || m->state.barred)
			continue;
		for (at = n++; at > 0 && held[at - 1].acked < m->acked; at--)
			held[at] = held[at - 1];
		held[at].acked = m->acked;
		held[at].votes = voters_find(record, m->node)->votes;
	}
	for (size_t i = 0; i < n; i++) {
		votes += held[i].votes;
		if (votes >= voters_needed(record))
			return held[i].acked;
	}
	return 0;
}

static void apply(struct ledger *l, struct step *s, const struct ledger_entry *e)
{
	struct ledger_effect *effect = vec_add(s->out);

	effect->kind = LEDGER_APPLY;
	effect->entry = e;
	if (e->kind == ENTRY_COMMAND)
		propose_committed(l, &e->id);
	if (e->kind == ENTRY_VOTERS)
		voters_applied(l, e);
	snapshot_count(l, e);
}

void log_apply(struct ledger *l, struct step *s)
{
	while (l->applied < l->committed)
		apply(l, s, log_get(l, ++l->applied));
}

/*
 * An OPEN that a majority holds commits all below it; older entries never count by themselves
 * (rule L4).
 */
void log_count(struct ledger *l, struct step *s)
{
	uint64_t held;

	if (!l->term.open)
		return;
	held = majority_holds(l);
	if (held >= l->term.open_index && held > l->term.commit)
		l->term.commit = held;
	if (l->follow == FOLLOW_CAUGHT_UP && l->term.commit > l->committed)
		l->committed = l->term.commit;
	log_apply(l, s);
}
