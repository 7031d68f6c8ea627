/* SPDX-License-Identifier: Apache-2.0
 * Catching up: a member whose log is not the one that the term goes on from fetches what it
 * lacks (rules L3, L7, L12).
 *
 * What it has fetched is a beginning of the source's log at any moment, so it may be written,
 * lost and fetched again piece by piece; nothing is acknowledged before the log reaches the open
 * term's end. Only entries that differ are cut: one that is equal may be a majority's third
 * copy. */
#include "ledger_priv.h"

#include <inttypes.h>

#define HELD_BYTES_MAX \
	(32 * 1024 * 1024)  /* of commands accepted meanwhile; beyond, they are fetched too */
#define HELD_OVERHEAD   128 /* of an entry in memory, about */
#define PARTS_MAX       8   /* of one answer */
#define ASK_AGAIN_TICKS 5

static void drop_held(struct ledger *l)
{
	for (size_t i = 0; i < l->catchup.held.n; i++)
		entry_free(l->catchup.held.v[i]);
	vec_clear(&l->catchup.held);
	l->catchup.held_bytes = 0;
}

void catchup_stop(struct ledger *l)
{
	drop_held(l);
	vec_free(&l->catchup.held);
	l->follow = FOLLOW_NOT;
}

static void diverged(struct ledger *l, struct step *s, uint64_t index)
{
	l->barred = true;
	catchup_stop(l);
	ledger_alarm(l, s, ALARM_DIVERGED, l->conf.node,
		     "entry %" PRIu64 ", committed here, is not the others': this node takes "
		     "no part any more; keep its state folder for examination, then remove it and "
		     "join again",
		     index);
}

/* Cuts what is not in the others' log, never what is committed (rule L7). */
static bool cut(struct ledger *l, struct step *s, uint64_t from)
{
	if (from <= l->committed) {
		diverged(l, s, from);
		return false;
	}
	if (from <= log_last(l))
		log_cut(l, from);
	return true;
}

static void caught_up(struct ledger *l, struct step *s)
{
	fetched_drop(&l->catchup.snapshot);
	if (!cut(l, s, l->catchup.hold_from))
		return;
	for (size_t i = 0; i < l->catchup.held.n; i++)
		log_append(l, l->catchup.held.v[i]);
	vec_clear(&l->catchup.held);
	catchup_stop(l);
	l->follow = FOLLOW_CAUGHT_UP;
}

/* The source holds all of it; so does whoever has acknowledged in this term. */
static bool can_serve(const struct ledger *l, const struct member *m)
{
	return m->node != l->conf.node && m->spoken &&
	       (m->node == l->term.source || m->acked >= l->term.open_index);
}

/* The next one that can serve, in the order of nodes, after the one before. */
static uint32_t next_server(const struct ledger *l)
{
	uint32_t first = 0;

	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (!can_serve(l, m))
			continue;
		if (m->node > l->catchup.server)
			return m->node;
		if (first == 0)
			first = m->node;
	}
	return first;
}

void catchup_ask(struct ledger *l, struct step *s)
{
	struct ledger_msg m = { .type = MSG_FETCH,
				.fetch = { .to = l->catchup.server,
					   .from = l->catchup.want,
					   .snapshot = l->catchup.snapshot.index,
					   .at = (uint32_t)l->catchup.snapshot.bytes.len } };

	l->catchup.quiet_ticks = 0;
	if (l->catchup.server != 0)
		ledger_say(l, s, LEDGER_CLASS_TRANSFER, &m);
}

/*
 * A blank store follows only when a person has asked; nobody follows below its promise, or
 * before its STATE has counted.
 */
static bool may_follow(const struct ledger *l)
{
	const struct member *me = ledger_member(l, l->conf.node);

	if (!l->term.open || !me || me->foreign || l->barred || l->promised > l->number)
		return false;
	if (id_is_none(&l->cluster) && !l->joining)
		return false;
	return me->spoken || l->failed;
}

/* With entries of equal index and term, all before them are equal too. */
static bool has_base(const struct ledger *l)
{
	const struct member *source = ledger_member(l, l->term.source);

	return log_term(l, l->term.open_index - 1) == source->state.last_term;
}

/* Begins to follow the open term from here on; what it has accepted so far is fetched. */
void catchup_start(struct ledger *l, struct step *s)
{
	bool from_open = l->term.next == l->term.open_index;

	if (l->follow != FOLLOW_NOT || !may_follow(l))
		return;
	l->catchup.hold_from = l->term.next;
	l->catchup.want = l->committed + 1;
	l->follow = FOLLOW_FETCHING;
	if (l->want_promised < l->number)
		l->want_promised = l->number;
	if (from_open && has_base(l)) {
		caught_up(l, s);
		return;
	}
	if (l->catchup.want >= l->catchup.hold_from) {
		diverged(l, s, l->committed);
		return;
	}
	l->catchup.server = l->term.source;
	catchup_ask(l, s);
}

/* Keeps what is accepted while we fetch; when that is too much, it will be fetched as well. */
void catchup_hold(struct ledger *l, struct ledger_entry *e)
{
	if (l->catchup.held_bytes > HELD_BYTES_MAX) {
		drop_held(l);
		l->catchup.hold_from = e->index;
	}
	vec_push(&l->catchup.held, e);
	l->catchup.held_bytes += e->len + HELD_OVERHEAD;
}

void catchup_goes_on(struct ledger *l, struct step *s, uint64_t index)
{
	size_t n = 0;

	while (n < l->catchup.held.n && l->catchup.held.v[n]->index <= index)
		entry_free(l->catchup.held.v[n++]);
	vec_cut(&l->catchup.held, 0, n);
	if (l->catchup.hold_from <= index)
		l->catchup.hold_from = index + 1;
	l->catchup.want = index + 1;
	if (l->catchup.want == l->catchup.hold_from)
		caught_up(l, s);
	else
		catchup_ask(l, s);
}

void catchup_tick(struct ledger *l, struct step *s)
{
	if (l->follow != FOLLOW_FETCHING || ++l->catchup.quiet_ticks < ASK_AGAIN_TICKS)
		return;
	l->catchup.server = next_server(l);
	catchup_ask(l, s);
}

/* Fills one part from @from on and returns the index after it. */
static uint64_t fill_part(const struct ledger *l, uint64_t from, uint64_t upto,
			  struct ledger_msg *m, struct buf *out)
{
	uint64_t i = from;

	while (i <= upto && out->len + ledger_entry_size(log_get(l, i)) <= LEDGER_ENTRIES_ROOM)
		ledger_entry_out(log_get(l, i++), out);
	m->entries.prev_index = from - 1;
	m->entries.prev_term = log_term(l, from - 1);
	m->entries.n = (uint32_t)(i - from);
	m->entries.entries = wire_reader(out->data, out->len);
	return i;
}

void catchup_on_fetch(struct ledger *l, struct step *s, struct member *from,
		      const struct ledger_msg *m)
{
	uint64_t next = m->fetch.from, last = log_last(l);

	if (m->fetch.to != l->conf.node || l->follow != FOLLOW_CAUGHT_UP || next > last)
		return;
	snapshot_hold(l);
	if (next <= l->base.index) {
		snapshot_serve(l, s, from, m);
		return;
	}
	for (unsigned int part = 1; part <= PARTS_MAX && next <= last; part++) {
		_cleanup_(buf_free) struct buf entries = { 0 };
		struct ledger_msg answer = { .type = MSG_ENTRIES, .entries = { .to = from->node } };

		next = fill_part(l, next, last, &answer, &entries);
		answer.entries.final = part == PARTS_MAX || next > last;
		ledger_say(l, s, LEDGER_CLASS_TRANSFER, &answer);
	}
}

/* Puts one fetched entry into its place. False when this log cannot take it. */
static bool install(struct ledger *l, struct step *s, const struct ledger_entry *e)
{
	if (log_term(l, e->index) != e->term) {
		if (!cut(l, s, e->index))
			return false;
		if (id_is_none(&l->cluster))
			l->cluster = ledger_member(l, l->term.source)->state.cluster;
		log_append(l, entry_new(e));
	}
	l->catchup.want++;
	return true;
}

void catchup_on_entries(struct ledger *l, struct step *s, struct member *from,
			const struct ledger_msg *m)
{
	struct wire w = m->entries.entries;
	struct ledger_entry e;

	if (m->entries.to != l->conf.node || l->follow != FOLLOW_FETCHING ||
	    from->node != l->catchup.server || m->entries.prev_index + 1 != l->catchup.want)
		return;
	if (log_term(l, m->entries.prev_index) != m->entries.prev_term) {
		diverged(l, s, m->entries.prev_index);
		return;
	}
	for (uint32_t i = 0; i < m->entries.n && l->catchup.want < l->catchup.hold_from; i++) {
		if (ledger_entry_in(&w, l->catchup.want, &e) < 0 || !install(l, s, &e))
			return;
	}
	l->catchup.quiet_ticks = 0;
	if (l->catchup.want == l->catchup.hold_from)
		caught_up(l, s);
	else if (m->entries.final)
		catchup_ask(l, s);
}
