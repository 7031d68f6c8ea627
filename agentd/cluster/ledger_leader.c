/* SPDX-License-Identifier: Apache-2.0
 * Ticks: who is silent, who leads, and what the members' clocks show (rules L10, L11). All
 * counted in messages, so equal for all. */
#include "ledger_priv.h"

/* A stamp further ahead of the members' median than this is refused (rule L11). */
#define STAMP_AHEAD_MAX_US (10 * US_PER_S)

/* A clock that has been that far ahead for so many ticks is wrong. */
#define AHEAD_TICKS 25

static bool knows_time(const struct member *m)
{
	return m->spoken && m->stamp_us > 0;
}

/*
 * The members' median clock (the lower one of two). False while too few of the voters have shown
 * theirs.
 */
static bool median(const struct ledger *l, int64_t *ret_us)
{
	int64_t stamps[ORDER_MEMBERS_MAX];
	size_t n = 0;

	if (voters_count(l, &l->term.record, knows_time) < voters_needed(&l->term.record))
		return false;
	for (size_t i = 0; i < l->n_members; i++) {
		int64_t stamp = l->members[i].stamp_us;
		size_t at;

		if (!knows_time(&l->members[i]))
			continue;
		for (at = n++; at > 0 && stamps[at - 1] > stamp; at--)
			stamps[at] = stamps[at - 1];
		stamps[at] = stamp;
	}
	if (n == 0)
		return false;
	*ret_us = stamps[(n - 1) / 2];
	return true;
}

bool leader_stamp_fits(const struct ledger *l, int64_t stamp_us)
{
	int64_t middle;

	return !median(l, &middle) || stamp_us <= middle + STAMP_AHEAD_MAX_US;
}

/*
 * What this stamp would have to be not to be refused: a node whose clock is ahead can still
 * propose.
 */
int64_t leader_clamp(const struct ledger *l, int64_t stamp_us)
{
	int64_t middle;

	return median(l, &middle) && stamp_us > middle + STAMP_AHEAD_MAX_US ? middle : stamp_us;
}

struct wall ledger_time(const struct ledger *l, struct wall now)
{
	return (struct wall){ leader_clamp(l, now.us) };
}

/* Silent: a majority of the other members have ticked K times each since its own last tick. */
static bool is_silent(const struct ledger *l, const struct member *m)
{
	size_t others = 0;

	for (size_t i = 0; i < l->n_members; i++) {
		if (&l->members[i] != m && m->ticks_since[i] >= l->conf.silent_ticks)
			others++;
	}
	return others * 2 > l->n_members - 1;
}

static void count_tick(struct ledger *l, struct member *from)
{
	size_t at = (size_t)(from - l->members);

	memset(from->ticks_since, 0, sizeof(from->ticks_since));
	for (size_t i = 0; i < l->n_members; i++) {
		struct member *m = &l->members[i];

		if (m != from && m->ticks_since[at] < UINT32_MAX)
			m->ticks_since[at]++;
		m->silent = is_silent(l, m);
	}
}

bool leader_clock_wrong(const struct ledger *l)
{
	return l->ahead_ticks >= AHEAD_TICKS;
}

/*
 * Our own clock, at our own tick: for a moment it may only look so, when the others' ticks are
 * late.
 */
static void check_clock(struct ledger *l, struct step *s, const struct member *me)
{
	l->ahead_ticks = leader_stamp_fits(l, me->stamp_us) ? 0 : l->ahead_ticks + 1;
	if (leader_clock_wrong(l))
		ledger_alarm(l, s, ALARM_CLOCK, l->conf.node,
			     "the clock of this node is far ahead of the others': set it right");
}

/* Its clock counts at any time; its being alive counts only in the open term. */
void leader_on_tick(struct ledger *l, struct step *s, struct member *from,
		    const struct ledger_msg *m)
{
	from->stamp_us = m->tick.stamp_us;
	from->gate_shut = !m->tick.gate;
	if (!l->term.open || m->term != l->number)
		return;
	from->ticked = true;
	from->ticked_at = s->now;
	count_tick(l, from);
	if (from->node == l->conf.node)
		check_clock(l, s, from);
}

/*
 * One whose gate is shut (corosync's settings are not safe on its node, say) may follow, but lets
 * nothing be decided: with it as the leader policy would stop for all.
 */
static bool can_lead(const struct ledger *l, const struct member *m)
{
	return voters_match(&l->term.record, m) && !m->regressed && !m->silent &&
	       !m->gate_shut && m->acked >= l->term.open_index;
}

/* The lowest that can, and it stays so while it can. */
void leader_review(struct ledger *l)
{
	const struct member *now;

	if (!l->term.open || l->term.commit == 0)
		return;
	now = ledger_member(l, l->term.leader);
	if (now && can_lead(l, now))
		return;
	l->term.leader = 0;
	for (size_t i = 0; i < l->n_members && l->term.leader == 0; i++) {
		if (can_lead(l, &l->members[i]))
			l->term.leader = l->members[i].node;
	}
}

/* For people: how long ago the voters that make a majority had all ticked. */
int64_t leader_age_us(const struct ledger *l, struct mono now)
{
	const struct member *by_age[LEDGER_VOTERS_MAX];
	uint32_t votes = 0;
	size_t n = 0;

	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];
		size_t at;

		if (!l->term.open || !m->ticked || !voters_match(&l->term.record, m))
			continue;
		for (at = n++; at > 0 && by_age[at - 1]->ticked_at.us < m->ticked_at.us; at--)
			by_age[at] = by_age[at - 1];
		by_age[at] = m;
	}
	for (size_t i = 0; i < n; i++) {
		votes += voters_find(&l->term.record, by_age[i]->node)->votes;
		if (votes >= voters_needed(&l->term.record))
			return mono_diff_us(now, by_age[i]->ticked_at);
	}
	return -1;
}
