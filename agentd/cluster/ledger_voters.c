/* SPDX-License-Identifier: Apache-2.0
 * Who counts: majorities by the voters' record, stores that have lost something, admissions
 * (rules L7, L8). */
#include "ledger_priv.h"

/* A record that has been proposed is given this many own ticks before it is proposed again. */
#define ADMISSION_TICKS 5

const struct ledger_voter *voters_find(const struct ledger_voters *v, uint32_t node)
{
	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i].node == node)
			return &v->v[i];
	}
	return NULL;
}

/* A vote belongs to a store, not to a node: a wiped disk has none. */
bool voters_match(const struct ledger_voters *v, const struct member *m)
{
	const struct ledger_voter *voter = m->spoken ? voters_find(v, m->node) : NULL;

	return voter && id_equal(&voter->store, &m->state.store);
}

uint32_t voters_votes(const struct ledger_voters *v)
{
	uint32_t votes = 0;

	for (size_t i = 0; i < v->n; i++)
		votes += v->v[i].votes;
	return votes;
}

uint32_t voters_needed(const struct ledger_voters *v)
{
	return voters_votes(v) / 2 + 1;
}

uint32_t voters_count(const struct ledger *l, const struct ledger_voters *v,
		      bool (*holds)(const struct member *))
{
	uint32_t votes = 0;

	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (holds(m) && voters_match(v, m))
			votes += voters_find(v, m->node)->votes;
	}
	return votes;
}

uint32_t voters_present(const struct ledger *l, const struct ledger_voters *v)
{
	uint32_t votes = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (ledger_member(l, v->v[i].node))
			votes += v->v[i].votes;
	}
	return votes;
}

static uint32_t votes_of(const struct ledger_voters *v, uint32_t node)
{
	const struct ledger_voter *voter = voters_find(v, node);

	return voter ? voter->votes : 0;
}

/* Voters of @a that are not the same in @b, store and votes included. */
static size_t differing(const struct ledger_voters *a, const struct ledger_voters *b,
			bool *ret_other_store)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct ledger_voter *in_b = voters_find(b, a->v[i].node);

		if (in_b && !id_equal(&in_b->store, &a->v[i].store))
			*ret_other_store = true;
		if (!in_b || in_b->votes != a->v[i].votes)
			n++;
	}
	return n;
}

static size_t only_in(const struct ledger_voters *a, const struct ledger_voters *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += voters_find(b, a->v[i].node) == NULL;
	return n;
}

/*
 * The votes that two majorities, one of each record, can draw on. If that is less than both
 * need, they meet.
 */
static uint32_t votes_in_either(const struct ledger_voters *a, const struct ledger_voters *b)
{
	uint32_t votes = 0;

	for (size_t i = 0; i < a->n; i++) {
		uint32_t other = votes_of(b, a->v[i].node);

		votes += a->v[i].votes > other ? a->v[i].votes : other;
	}
	for (size_t i = 0; i < b->n; i++)
		votes += voters_find(a, b->v[i].node) ? 0 : b->v[i].votes;
	return votes;
}

/*
 * One voter comes, goes or has other votes; none has another store; and every majority of one
 * record meets every one of the other.
 */
bool voters_change_fits(const struct ledger_voters *before, const struct ledger_voters *after)
{
	bool other_store = false;
	size_t n = differing(before, after, &other_store) + only_in(after, before);

	return n == 1 && !other_store &&
	       voters_needed(before) + voters_needed(after) > votes_in_either(before, after);
}

static struct ledger_seen *seen_of(struct ledger *l, uint32_t node, const struct id *store)
{
	for (size_t i = 0; i < l->n_seen; i++) {
		if (l->seen[i].node == node && id_equal(&l->seen[i].store, store))
			return &l->seen[i];
	}
	return NULL;
}

/*
 * Whether the store has less than what somebody remembers of it. A store may have cut what it
 * once acknowledged, but only after it has promised a later term.
 */
static bool contradicts(const struct ledger_seen *seen, const struct member *m)
{
	const struct msg_state *state = &m->state;

	if (seen->node != m->node || !id_equal(&seen->store, &state->store) ||
	    seen->admitted < state->admitted)
		return false;
	if (seen->regressed || state->promised < seen->promised)
		return true;
	return state->promised == seen->ack_term &&
	       (state->last_term < seen->ack_term || state->last_index < seen->ack_index);
}

static bool anybody_contradicts(const struct ledger *l, const struct member *m)
{
	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *witness = &l->members[i];

		for (size_t k = 0; witness->spoken && k < witness->state.n_seen; k++) {
			if (contradicts(&witness->state.seen[k], m))
				return true;
		}
	}
	return false;
}

/* What the members remember comes with their STATEs, so all judge alike (rule L7). */
void voters_judge(struct ledger *l, struct step *s)
{
	for (size_t i = 0; i < l->n_members; i++) {
		struct member *m = &l->members[i];

		if (!m->spoken || m->regressed || !anybody_contradicts(l, m))
			continue;
		m->regressed = true;
		voters_remember(l, m, 0, 0);
		ledger_alarm(l, s, ALARM_REGRESSED, m->node,
			     "the store of node %u has lost entries or promises: it has no vote "
			     "until it is let in again (domus cluster join on that node)",
			     m->node);
	}
}

static bool record_has(const struct ledger *l, uint64_t index, uint32_t node,
		       const struct id *store)
{
	const struct ledger_entry *e = log_get(l, index);
	const struct ledger_voter *voter;
	struct ledger_voters v;

	if (ledger_voters_in(e->data, e->len, &v) < 0)
		return false;
	voter = voters_find(&v, node);
	return voter && id_equal(&voter->store, store);
}

/* By the base alone; 0 when it has this store not. */
static uint64_t base_admitted(const struct ledger *l, uint32_t node, const struct id *store)
{
	const struct ledger_voter *voter = voters_find(&l->base.voters, node);

	if (!voter || !id_equal(&voter->store, store))
		return 0;
	return l->base.admitted[voter - l->base.voters.v];
}

uint64_t voters_admitted_by(const struct ledger *l, size_t n, uint32_t node,
			    const struct id *store)
{
	uint64_t first = 0, before;

	for (; n > 0 && record_has(l, l->records.v[n - 1], node, store); n--)
		first = l->records.v[n - 1];
	before = n == 0 ? base_admitted(l, node, store) : 0;
	return before > 0 ? before : first;
}

/* The first of the last unbroken run of records with this store; 0 when the last has it not. */
uint64_t voters_admitted(const struct ledger *l, uint32_t node, const struct id *store)
{
	return voters_admitted_by(l, l->records.n, node, store);
}

bool voters_voted(const struct ledger *l, size_t n)
{
	bool voted = l->base.voted;

	for (size_t i = 0; i < n && !voted; i++)
		voted = record_has(l, l->records.v[i], l->conf.node, &l->store);
	return voted;
}

/*
 * A log in which its store is in no record: a blank store gets entries only when a person has let
 * it join (catchup_start), and that has not come to its end.
 */
bool voters_half_joined(const struct ledger *l)
{
	return log_last(l) > 0 && !voters_voted(l, l->records.n);
}

/* Kept by every member for the stores that have a vote; @acked 0: nothing in this term. */
void voters_remember(struct ledger *l, const struct member *m, uint64_t promised, uint64_t acked)
{
	struct ledger_seen *seen = seen_of(l, m->node, &m->state.store);

	if (!seen) {
		if (!voters_match(&l->voters, m) || l->n_seen == LEDGER_VOTERS_MAX)
			return;
		seen = &l->seen[l->n_seen++];
		*seen = (struct ledger_seen){ .node = m->node,
					      .store = m->state.store,
					      .admitted = voters_admitted(l, m->node,
									  &m->state.store) };
	}
	if (promised > seen->promised)
		seen->promised = promised;
	if (acked > 0) {
		seen->ack_term = promised;
		seen->ack_index = acked;
	}
	seen->regressed = seen->regressed || m->regressed;
}

/*
 * A record accepted in this term, at the same place in the order for all: in force from here on.
 * Who is out may come anew.
 */
void voters_accepted(struct ledger *l, const struct ledger_entry *e)
{
	if (ledger_voters_in(e->data, e->len, &l->term.record) < 0)
		return;
	l->term.record_index = e->index;
	for (size_t i = 0; i < l->n_members; i++) {
		struct member *m = &l->members[i];
		bool in = voters_match(&l->term.record, m);

		m->regressed = m->regressed && in;
		m->wants_in = m->wants_in && !in;
	}
}

/* A committed record: who is not in it is forgotten, so that it can come anew. */
void voters_committed(struct ledger *l, const struct ledger_voters *v)
{
	const struct ledger_voter *mine;
	size_t n = 0;

	for (size_t i = 0; i < l->n_seen; i++) {
		const struct ledger_voter *voter = voters_find(v, l->seen[i].node);

		if (voter && id_equal(&voter->store, &l->seen[i].store))
			l->seen[n++] = l->seen[i];
	}
	l->n_seen = n;
	mine = voters_find(v, l->conf.node);
	if (mine && id_equal(&mine->store, &l->store) && status_role(l) == LEDGER_VOTER)
		l->joining = false;
}

void voters_applied(struct ledger *l, const struct ledger_entry *e)
{
	struct ledger_voters v;

	if (ledger_voters_in(e->data, e->len, &v) == 0)
		voters_committed(l, &v);
}

void voters_on_join(struct ledger *l, struct step *s, struct member *from,
		    const struct ledger_msg *m)
{
	(void)l, (void)s;
	if (!id_equal(&m->join.store, &from->state.store) ||
	    !id_equal(&m->join.incarnation, &from->state.incarnation))
		return;
	from->wants_in = true;
	STRCPY(from->join_name, m->join.name);
}

static void without(struct ledger_voters *v, uint32_t node)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i].node != node)
			v->v[n++] = v->v[i];
	}
	v->n = n;
}

static void with(struct ledger_voters *v, const struct member *m)
{
	size_t at = v->n++;

	for (; at > 0 && v->v[at - 1].node > m->node; at--)
		v->v[at] = v->v[at - 1];
	v->v[at] = (struct ledger_voter){ .node = m->node, .votes = 1, .store = m->state.store };
	STRCPY(v->v[at].name, m->join_name);
}

/*
 * The record that brings @m nearer to a vote; false when there is none. A store that is to be
 * replaced or mistrusted goes first.
 */
static bool next_record(const struct ledger *l, const struct member *m, struct ledger_voters *ret)
{
	const struct ledger_voter *voter = voters_find(&l->term.record, m->node);

	*ret = l->term.record;
	if (voter && voters_match(&l->term.record, m) && !m->regressed)
		return false;
	if (voter)
		without(ret, m->node);
	else if (ret->n < LEDGER_VOTERS_MAX)
		with(ret, m);
	return voters_change_fits(&l->term.record, ret) && ret->n > 0;
}

static void say_voters(struct ledger *l, struct step *s, const struct ledger_voters *v)
{
	_cleanup_(buf_free) struct buf payload = { 0 };
	struct ledger_msg m = { .type = MSG_COMMAND };

	ledger_voters_out(v, &payload);
	m.command = (struct msg_command){
		.kind = ENTRY_VOTERS,
		.id = { .node = l->conf.node,
			.incarnation = l->conf.incarnation,
			.nonce = ++l->nonce },
		.stamp_us = leader_clamp(l, ledger_wall_us(l, s->now)),
		.data = payload.data,
		.len = payload.len,
	};
	ledger_say(l, s, LEDGER_CLASS_COMMAND, &m);
	l->admission_ticks = ADMISSION_TICKS;
}

/* The leader lets in who asks and has caught up: one voter, one record, one at a time (rule L8). */
void voters_tick(struct ledger *l, struct step *s)
{
	struct ledger_voters record;

	if (l->admission_ticks > 0)
		l->admission_ticks--;
	if (!ledger_is_leader(l) || l->admission_ticks > 0 || l->term.record_index > l->term.commit)
		return;
	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (m->wants_in && m->acked >= l->term.open_index && next_record(l, m, &record)) {
			say_voters(l, s, &record);
			return;
		}
	}
}
