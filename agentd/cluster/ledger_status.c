/* SPDX-License-Identifier: Apache-2.0
 * What the ledger says of itself: role, openness, and why it is not open. */
#include "ledger_priv.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const role_names[LEDGER_ROLE_MAX] = {
	[LEDGER_BLANK] = "blank",     [LEDGER_LEARNER] = "learner", [LEDGER_VOTER] = "voter",
	[LEDGER_FOREIGN] = "foreign", [LEDGER_FAILED] = "failed",
};

const char *ledger_role_text(enum ledger_role role)
{
	return role >= 0 && role < LEDGER_ROLE_MAX ? role_names[role] : "?";
}

static bool strangers_here(const struct ledger *l)
{
	for (size_t i = 0; i < l->n_members; i++) {
		if (l->members[i].foreign)
			return true;
	}
	return false;
}

enum ledger_role status_role(const struct ledger *l)
{
	const struct ledger_voter *mine = voters_find(&l->voters, l->conf.node);
	const struct member *me = ledger_member(l, l->conf.node);

	if (l->failed)
		return LEDGER_FAILED;
	if (!l->term.open && strangers_here(l))
		return LEDGER_FOREIGN;
	if (id_is_none(&l->cluster))
		return LEDGER_BLANK;
	if (l->barred || (me && me->regressed) || !mine || !id_equal(&mine->store, &l->store))
		return LEDGER_LEARNER;
	return LEDGER_VOTER;
}

static void say(struct ledger *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct ledger *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
}

static void say_waiting_for(struct ledger *l, const char *for_what, const struct member *m)
{
	const struct ledger_voter *voter = voters_find(&l->voters, m->node);

	if (voter && voter->name[0])
		say(l, "waiting for %s%s", for_what, voter->name);
	else
		say(l, "waiting for %snode %u", for_what, m->node);
}

/* The round has its majority here: who has not spoken yet? */
static void explain_round(struct ledger *l)
{
	const struct member *source = view_source(l);

	if (source && source->node != l->conf.node) {
		say_waiting_for(l, "the source, ", source);
		return;
	}
	for (size_t i = 0; i < l->n_members; i++) {
		if (!view_settled(l, &l->members[i])) {
			say_waiting_for(l, "", &l->members[i]);
			return;
		}
	}
	say(l, "the term is opening");
}

static bool explain_self(struct ledger *l)
{
	enum ledger_role role = status_role(l);

	if (role == LEDGER_FAILED)
		say(l, "the ledger's disk has failed on this node");
	else if (role == LEDGER_FOREIGN)
		say(l, "the others here belong to another cluster");
	else if (l->barred)
		say(l, "this node's ledger contradicts the others'");
	else if (role == LEDGER_BLANK && !l->joining)
		say(l, "blank store: run domus cluster init or join");
	else if (!l->has_view)
		say(l, "no view of the cluster");
	else
		return false;
	return true;
}

/* One phrase for people: what or whom the opening waits for. */
void status_explain(struct ledger *l)
{
	uint32_t present = voters_present(l, &l->voters);

	if (l->term.open && l->term.commit > 0)
		l->why[0] = 0;
	else if (explain_self(l))
		return;
	else if (l->voters.n > 0 && present < voters_needed(&l->voters))
		say(l, "%u of %u votes needed, %u here", voters_needed(&l->voters),
		    voters_votes(&l->voters), present);
	else if (l->term.open)
		say(l, "waiting for acknowledgements");
	else if (!l->quorate)
		say(l, "not quorate");
	else if (l->voters.n == 0)
		say(l, "waiting for the cluster's term");
	else if (!l->state_sent)
		say(l, "waiting for this node's disk");
	else
		explain_round(l);
}

static bool is_open(const struct ledger *l)
{
	return l->term.open && l->term.commit > 0;
}

/* What LEDGER_CHANGED is about. */
static struct ledger_status summary(const struct ledger *l)
{
	struct ledger_status st = {
		.role = status_role(l),
		.joining = l->joining,
		.cluster = l->cluster,
		.store = l->store,
		.has_view = l->has_view,
		.quorate = l->quorate,
		.open = is_open(l),
		.term = l->number > 0 ? l->number : l->promised,
		.leader = is_open(l) ? l->term.leader : 0,
	};

	st.caught_up = st.open && l->follow == FOLLOW_CAUGHT_UP && l->applied >= l->term.commit;
	for (size_t i = 0; i < l->n_members && st.n_silent < LEDGER_VOTERS_MAX; i++) {
		if (l->members[i].silent)
			st.silent[st.n_silent++] = l->members[i].node;
	}
	return st;
}

static bool same(const struct ledger_status *a, const struct ledger_status *b)
{
	return a->role == b->role && a->joining == b->joining &&
	       id_equal(&a->cluster, &b->cluster) && a->has_view == b->has_view &&
	       a->quorate == b->quorate && a->open == b->open && a->term == b->term &&
	       a->leader == b->leader && a->caught_up == b->caught_up &&
	       a->n_silent == b->n_silent &&
	       memcmp(a->silent, b->silent, a->n_silent * sizeof(*a->silent)) == 0;
}

void status_note_change(struct ledger *l, struct step *s)
{
	struct ledger_status now = summary(l);

	if (same(&now, &l->told))
		return;
	l->told = now;
	vec_add(s->out)->kind = LEDGER_CHANGED;
}

void ledger_status(const struct ledger *l, struct mono now, struct ledger_status *ret)
{
	*ret = summary(l);
	ret->committed = l->committed;
	ret->last = log_last(l);
	ret->snapshot = l->base.index;
	ret->applied = l->applied;
	ret->age_us = leader_age_us(l, now);
	ret->bad_messages = l->bad_messages;
	ret->waiting = l->n_pending;
	ret->why_not_open = l->why;
}

/* Whether what an alarm was about is still so. The other kinds are for good. */
static bool stands(const struct ledger *l, const struct alarmed *a)
{
	const struct member *m = ledger_member(l, a->node);

	switch (a->alarm) {
	case ALARM_FOREIGN:
		return m && m->foreign;
	case ALARM_REGRESSED:
		return m && m->regressed;
	case ALARM_CLOCK:
		return leader_clock_wrong(l);
	default:
		return true;
	}
}

const char *ledger_alarm_standing(const struct ledger *l, size_t i)
{
	for (size_t k = 0; k < l->alarmed.n; k++) {
		if (stands(l, &l->alarmed.v[k]) && i-- == 0)
			return l->alarmed.v[k].text;
	}
	return NULL;
}

const struct ledger_voters *ledger_voters(const struct ledger *l)
{
	return &l->voters;
}

bool ledger_is_leader(const struct ledger *l)
{
	return is_open(l) && l->term.leader == l->conf.node && l->follow == FOLLOW_CAUGHT_UP;
}
