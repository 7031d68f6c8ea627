/* SPDX-License-Identifier: Apache-2.0
 * How a view opens a term: STATE, PROMISE, OPEN, in rounds (rules L3, L4, L6).
 *
 * Everything here is judged from the messages of one (view, round), in their order, so all members
 * judge alike. Nothing of a member counts before its STATE of the round has: since an
 * agent's messages keep their order, whatever it sent in an earlier occurrence of the
 * same view comes before that STATE, and cannot be taken for this round's. */
#include "ledger_priv.h"

#include <inttypes.h>

/*
 * The source opens anew for a member that the OPEN does not list this long after the round's
 * start, later when it has tried before. Below the time for which policy bears a node without an
 * agent (30 s), even when doubled; long enough not to disturb.
 */
#define RELIST_US       (5 * US_PER_S)
#define RELIST_AGAIN_US (10 * US_PER_S)

/* The wait for a round's opening is doubled so often at most: 16 times the first one. */
#define RETRY_DOUBLED_MAX 4

/*
 * A round costs more than a millisecond, so nobody has honestly promised a term so far above the
 * last one that opened: 2^32 rounds.
 */
#define PROMISE_AHEAD_MAX (UINT64_C(1) << 32)

/* FNV-1a: names the view in messages. Needs to differ between views, not to resist anybody. */
static uint64_t mix(uint64_t hash, uint64_t v)
{
	for (int i = 0; i < 8; i++) {
		hash = (hash ^ (v & 0xff)) * UINT64_C(0x100000001b3);
		v >>= 8;
	}
	return hash;
}

static uint64_t view_digest(const struct view *v)
{
	uint64_t hash = mix(mix(UINT64_C(0xcbf29ce484222325), v->ring.node), v->ring.seq);

	for (size_t i = 0; i < v->n_members; i++)
		hash = mix(mix(hash, v->members[i].node), v->members[i].pid);
	return hash;
}

/* Two agents of one node may be listed for a moment (one is dead already): one member. */
static void list_members(struct ledger *l)
{
	l->n_members = 0;
	for (size_t i = 0; i < l->view.n_members; i++) {
		uint32_t node = l->view.members[i].node;

		if (l->n_members == 0 || l->members[l->n_members - 1].node != node)
			l->members[l->n_members++] = (struct member){ .node = node };
	}
}

/*
 * Everything of the round before ends here: no append, acknowledgement or promise for it any
 * more. What the store has not been given is dropped, unless it is committed; STATE follows when
 * the disk has come to rest (view_progress), and it tells what is remembered now: what others
 * say in this round would be held against STATEs that are older.
 */
void view_round(struct ledger *l, struct step *s, uint64_t round)
{
	for (size_t i = 0; i < l->n_members; i++) {
		struct member *m = &l->members[i];

		*m = (struct member){ .node = m->node,
				      .relisted = m->relisted,
				      .foreign = m->foreign };
	}
	if (!l->term.open)
		l->futile++;
	memcpy(l->said, l->seen, sizeof(l->said));
	l->n_said = l->n_seen;
	l->round = round;
	l->round_since = s->now;
	l->number = 0;
	l->state_sent = l->open_sent = l->promising = l->promise_sent = l->openable = false;
	l->term = (struct term){ 0 };
	catchup_stop(l);
	log_forget_unwritten(l);
}

void view_change(struct ledger *l, struct step *s, const struct view *view)
{
	log_forget_unsure(l);
	l->has_view = view != NULL;
	l->view = view ? *view : (struct view){ 0 };
	l->digest = view ? view_digest(view) : 0;
	l->relists = 0;
	list_members(l);
	view_round(l, s, 0);
	l->futile = 0;
}

static bool trusted(const struct member *m)
{
	return m->spoken && !m->regressed && !m->state.barred && m->state.last_index > 0;
}

static bool trusted_promiser(const struct member *m)
{
	return m->promised && trusted(m);
}

static bool more_advanced(const struct msg_state *a, const struct msg_state *b)
{
	return a->last_term != b->last_term ? a->last_term > b->last_term
					    : a->last_index > b->last_index;
}

/* By (last term, last index), the lowest node of equals; NULL when there is none. */
static struct member *most_advanced(const struct ledger *l, bool (*among)(const struct member *))
{
	const struct member *best = NULL;

	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (among(m) && (!best || more_advanced(&m->state, &best->state)))
			best = m;
	}
	return (struct member *)best;
}

/*
 * Judged by the record that is the last in its own log, committed or not, as Raft does with
 * changes of one voter: any majority of it meets any majority of the record before.
 */
struct member *view_source(const struct ledger *l)
{
	struct member *source = most_advanced(l, trusted_promiser);

	if (!source)
		return NULL;
	if (voters_count(l, &source->state.voters, trusted_promiser) <
	    voters_needed(&source->state.voters))
		return NULL;
	return source;
}

/*
 * The highest promise that a term goes above. Whoever has promised more is left out: terms would
 * come to the end of their range by one STATE, and no view could open ever after.
 */
static uint64_t promise_limit(const struct member *best)
{
	uint64_t limit = best->state.last_term + PROMISE_AHEAD_MAX;

	return limit < LEDGER_NUMBER_MAX - 3 ? limit : LEDGER_NUMBER_MAX - 3;
}

/*
 * The term is the same for all: it is fixed by the STATE that makes the majority. It is above the
 * promises of those without a vote too, so that they can follow and ask for one.
 */
static void fix_number(struct ledger *l)
{
	const struct member *best = most_advanced(l, trusted);
	uint64_t highest = 0;

	if (l->number > 0 || !best)
		return;
	if (voters_count(l, &best->state.voters, trusted) < voters_needed(&best->state.voters))
		return;
	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (m->spoken && m->state.promised > highest &&
		    m->state.promised <= promise_limit(best))
			highest = m->state.promised;
	}
	l->number = highest + 1;
}

static bool may_promise(const struct ledger *l, const struct member *m)
{
	const struct member *best = most_advanced(l, trusted);

	return best && trusted(m) && voters_match(&best->state.voters, m) &&
	       m->state.promised < l->number;
}

bool view_settled(const struct ledger *l, const struct member *m)
{
	return m->foreign || (m->spoken && (m->promised || !may_promise(l, m)));
}

static bool all_settled(const struct ledger *l)
{
	for (size_t i = 0; i < l->n_members; i++) {
		if (!view_settled(l, &l->members[i]))
			return false;
	}
	return true;
}

/* All that it says is on the disk already: if we die now we come back with the same. */
static void say_state(struct ledger *l, struct step *s)
{
	uint64_t last = log_last(l);
	struct ledger_msg m = { .type = MSG_STATE,
				.state = {
					.incarnation = l->conf.incarnation,
					.store = l->store,
					.cluster = l->cluster,
					.promised = l->promised,
					.last_term = log_term(l, last),
					.last_index = last,
					.committed = l->committed_durable,
					.stamp_us = ledger_wall_us(l, s->now),
					.admitted = voters_admitted(l, l->conf.node, &l->store),
					.barred = l->barred,
					.voters = l->voters,
					.n_seen = l->n_said,
				} };

	memcpy(m.state.seen, l->said, l->n_said * sizeof(*l->said));
	ledger_say(l, s, LEDGER_CLASS_ACK, &m);
	l->state_sent = true;
}

/* The promise is said when it is durable: after a crash we must still know it. */
static void promise(struct ledger *l, struct step *s)
{
	const struct member *me = ledger_member(l, l->conf.node);
	struct ledger_msg m = { .type = MSG_PROMISE };

	if (!l->promising && !l->term.open && l->number > l->want_promised && l->quorate && me &&
	    may_promise(l, me)) {
		l->want_promised = l->number;
		l->promising = true;
	}
	if (l->promising && !l->promise_sent && l->promised == l->number) {
		ledger_say(l, s, LEDGER_CLASS_ACK, &m);
		l->promise_sent = true;
	}
}

static void list_present(const struct ledger *l, struct ledger_open *o)
{
	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		o->members[i].node = m->node;
		if (m->spoken)
			o->members[i].incarnation = m->state.incarnation;
	}
	o->n_members = l->n_members;
	memcpy(o->nodes, l->view.nodes, l->view.n_nodes * sizeof(*o->nodes));
	o->n_nodes = l->view.n_nodes;
}

static void say_open(struct ledger *l, struct step *s, const struct member *source)
{
	_cleanup_(buf_free) struct buf payload = { 0 };
	struct ledger_msg m = { .type = MSG_OPEN };
	struct ledger_open o = { 0 };

	list_present(l, &o);
	ledger_open_out(&o, &payload);
	m.open = (struct msg_open){
		.base_term = source->state.last_term,
		.base_index = source->state.last_index,
		.stamp_us = ledger_wall_us(l, s->now),
		.data = payload.data,
		.len = payload.len,
	};
	ledger_say(l, s, LEDGER_CLASS_ACK, &m);
	l->open_sent = true;
}

static bool all_spoken(const struct ledger *l)
{
	for (size_t i = 0; i < l->n_members; i++) {
		if (!l->members[i].spoken && !l->members[i].foreign)
			return false;
	}
	return true;
}

/*
 * How long the source waits for the rest, so that they need not catch up and are listed. A disk
 * that made a member too late for one round is given more time in the next, though less than
 * after which the others give up: its STATE waits for the write under way only.
 */
static int64_t patience_us(const struct ledger *l)
{
	return l->relists > 0 && !all_spoken(l) ? l->conf.retry_us / 2 : l->conf.open_wait_us;
}

static void open_if_source(struct ledger *l, struct step *s)
{
	const struct member *source = l->term.open ? NULL : view_source(l);

	if (!source)
		return;
	if (!l->openable)
		l->openable_since = s->now;
	l->openable = true;
	if (source->node != l->conf.node || l->open_sent || l->failed)
		return;
	if (all_settled(l) || mono_diff_us(s->now, l->openable_since) >= patience_us(l))
		say_open(l, s, source);
}

/* Does whatever the round is ready for. */
void view_progress(struct ledger *l, struct step *s)
{
	if (!l->has_view || l->failed)
		return;
	if (!l->state_sent && log_at_rest(l))
		say_state(l, s);
	promise(l, s);
	open_if_source(l, s);
}

static bool listed(const struct ledger_open *o, const struct member *m)
{
	for (size_t i = 0; i < o->n_members; i++) {
		if (o->members[i].node == m->node)
			return id_equal(&o->members[i].incarnation, &m->state.incarnation);
	}
	return false;
}

static void open_anew(struct ledger *l, struct step *s)
{
	if (l->term.source != l->conf.node || l->failed)
		return;
	l->relists++;
	view_round(l, s, l->round + 1);
}

/*
 * A member whose STATE came too late for the OPEN: the source opens anew, so that it is listed.
 * Once for each member of a view; what is still not listed then, see relist_again.
 */
static void relist(struct ledger *l, struct step *s)
{
	bool late = false;

	for (size_t i = 0; i < l->n_members; i++) {
		struct member *m = &l->members[i];

		if (m->spoken && !m->relisted && !listed(&l->term.listed, m))
			m->relisted = late = true;
	}
	if (late)
		open_anew(l, s);
}

/*
 * Its disk works: it has written in this term. At the log's end its disk is at rest, so that its
 * STATE of the next round comes at once; under load that may never be seen.
 */
static bool overdue(const struct ledger *l, const struct member *m, int64_t waited_us)
{
	int64_t wait_us = l->relists > 1 ? RELIST_AGAIN_US : RELIST_US;
	bool at_rest = m->acked + 1 == l->term.next;

	return m->spoken && !listed(&l->term.listed, m) && m->acked >= l->term.open_index &&
	       waited_us >= (at_rest ? wait_us : 2 * wait_us);
}

/*
 * One that was busy writing in that round too follows and acknowledges, but policy takes a node
 * that the OPEN does not list for one without an agent, and would have it fenced.
 */
static void relist_again(struct ledger *l, struct step *s)
{
	if (!l->term.open || l->term.commit == 0)
		return;
	for (size_t i = 0; i < l->n_members; i++) {
		if (overdue(l, &l->members[i], mono_diff_us(s->now, l->round_since))) {
			open_anew(l, s);
			return;
		}
	}
}

/* The cluster that this member goes by: its own, or the first that it hears of in the round. */
static const struct id *cluster_here(const struct ledger *l)
{
	if (!id_is_none(&l->cluster))
		return &l->cluster;
	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (m->spoken && !id_is_none(&m->state.cluster))
			return &m->state.cluster;
	}
	return NULL;
}

static bool is_foreign(const struct ledger *l, const struct msg_state *state)
{
	const struct id *here = cluster_here(l);

	return here && !id_is_none(&state->cluster) && !id_equal(here, &state->cluster);
}

void view_on_state(struct ledger *l, struct step *s, struct member *from,
		   const struct ledger_msg *m)
{
	if (is_foreign(l, &m->state)) {
		from->foreign = true;
		ledger_alarm(l, s, ALARM_FOREIGN, from->node,
			     "the agent of node %u belongs to another cluster: it is "
			     "ignored; take one of the two out of this ring",
			     from->node);
		return;
	}
	if (m->round > l->round)
		view_round(l, s, m->round);
	if (m->round < l->round || from->spoken)
		return;
	from->spoken = true;
	from->foreign = false;
	from->state = m->state;
	from->stamp_us = m->state.stamp_us;
	voters_judge(l, s);
	fix_number(l);
	if (!l->term.open)
		return;
	if (from->node == l->conf.node)
		catchup_start(l, s);
	relist(l, s);
}

void view_on_promise(struct ledger *l, struct step *s, struct member *from,
		     const struct ledger_msg *m)
{
	(void)s;
	if (l->number == 0 || m->term != l->number || from->state.promised >= m->term)
		return;
	from->promised = true;
	voters_remember(l, from, m->term, 0);
}

/*
 * Rule L3's safety, looked at: what somebody knows to be committed must be in the log that the
 * term goes on from.
 */
static void check_nothing_lost(struct ledger *l, struct step *s, uint64_t base)
{
	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (m->spoken && m->state.committed > base)
			ledger_alarm(l, s, ALARM_LOST, m->node,
				     "node %u knows %" PRIu64
				     " entries to be committed, but the term "
				     "opens with %" PRIu64 ": committed entries have been lost",
				     m->node, m->state.committed, base);
	}
}

static void open_term(struct ledger *l, struct step *s, const struct member *source,
		      const struct msg_open *o)
{
	struct ledger_entry e = {
		.term = l->number, .kind = ENTRY_OPEN, .data = (void *)o->data, .len = o->len
	};

	l->term = (struct term){ .open = true,
				 .source = source->node,
				 .open_index = o->base_index + 1,
				 .next = o->base_index + 1,
				 .record = source->state.voters };
	ledger_open_in(o->data, o->len, &l->term.listed);
	l->last_acked = 0;
	e.stamp_us = leader_clamp(l, o->stamp_us);
	check_nothing_lost(l, s, o->base_index);
	propose_new_term(l);
	catchup_start(l, s);
	ledger_accept(l, s, entry_new(&e));
	relist(l, s);
}

/*
 * Of a round only the first OPEN counts, and only from the source, whom each member knows by
 * itself.
 */
void view_on_open(struct ledger *l, struct step *s, struct member *from, const struct ledger_msg *m)
{
	if (l->term.open || l->number == 0 || m->term != l->number || view_source(l) != from)
		return;
	if (m->open.base_term != from->state.last_term ||
	    m->open.base_index != from->state.last_index)
		return;
	open_term(l, s, from, &m->open);
}

/*
 * A round in which this node cannot take part though it should (its STATE got lost, the term is
 * not higher than what it has promised), or which does not open though a majority is here.
 */
static bool stuck(const struct ledger *l)
{
	bool voter = status_role(l) == LEDGER_VOTER;

	if (l->term.open)
		return l->follow == FOLLOW_NOT && (voter || l->joining);
	return voter && voters_present(l, &l->voters) >= voters_needed(&l->voters);
}

/* No round helps: the term stays below what this store has promised. */
static bool out_of_range(struct ledger *l, struct step *s)
{
	const struct member *best = most_advanced(l, trusted);

	if (!best || l->promised <= promise_limit(best))
		return false;
	ledger_alarm(l, s, ALARM_PROMISE, l->conf.node,
		     "the store of this node has promised term %" PRIu64 ", which cannot be: it "
		     "takes no part; move its state folder away, restart the agent and join again",
		     l->promised);
	return true;
}

/*
 * Twice as long for each round of the view that has not opened: a promise that takes its disk
 * longer than this would be void whenever it is said.
 */
static int64_t retry_wait_us(const struct ledger *l)
{
	return l->conf.retry_us << (l->futile < RETRY_DOUBLED_MAX ? l->futile : RETRY_DOUBLED_MAX);
}

/* Another round. All members that give up together name the same next one. */
static void retry(struct ledger *l, struct step *s)
{
	if (!l->state_sent || !l->quorate || l->barred || l->failed || !stuck(l) ||
	    mono_diff_us(s->now, l->round_since) < retry_wait_us(l) || out_of_range(l, s))
		return;
	view_round(l, s, l->round + 1);
}

void view_tick(struct ledger *l, struct step *s)
{
	if (!l->has_view)
		return;
	retry(l, s);
	relist_again(l, s);
}
