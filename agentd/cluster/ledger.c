/* SPDX-License-Identifier: Apache-2.0
 * The ledger's step function: every call takes one thing that has happened and says what follows
 * from it.
 *
 *	a view comes	  view_change		STATE, PROMISE, OPEN in rounds
 *	a command comes	  propose_on_command	accepted by all alike, gets its index
 *	it is appended	  log_append		written in groups, acknowledged
 *	acknowledgements  log_count		a majority commits; committed applies
 *	something lacks	  catchup_start		fetched, then followed
 *	the log is long	  snapshot_review	its beginning becomes a snapshot
 *	ticks		  leader_on_tick	silence, the leader, the clocks
 *	someone asks in	  voters_tick		the leader changes the voters' record
 *
 * A function's first word is its file: ledger_view.c, ledger_log.c ... Rule numbers are
 * agentd/HACKING.md's. */
#include "ledger_priv.h"

#include <stdarg.h>
#include <stdio.h>

/* An alarm of one kind about one node is not repeated sooner than this. */
#define ALARM_EVERY_US (60 * US_PER_S)

static void effect_clear(struct ledger_effect *e)
{
	buf_free(&e->data);
	mem_freep(&e->write.entries);
}

void ledger_effects_clear(ledger_effects *out)
{
	struct ledger_effect *e;

	vec_each(e, out)
		effect_clear(e);
	vec_clear(out);
}

void ledger_effects_free(ledger_effects *out)
{
	ledger_effects_clear(out);
	vec_free(out);
}

struct ledger *ledger_new(const struct ledger_conf *conf, struct ledger_image *image)
{
	struct ledger *l = mem_new(struct ledger);

	l->conf = *conf;
	l->nonce = conf->first_nonce;
	l->pending_end = &l->pending;
	l->store = image->store;
	l->cluster = image->cluster;
	l->cluster_written = !id_is_none(&l->cluster);
	l->failed = log_load(l, image) < 0;
	l->joining = !l->failed && voters_half_joined(l);
	status_explain(l);
	return l;
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	catchup_stop(l);
	fetched_drop(&l->catchup.snapshot);
	buf_free(&l->base.bytes);
	propose_free(l);
	for (size_t i = 0; i < l->log.n; i++)
		entry_free(l->log.v[i]);
	vec_free(&l->log);
	vec_free(&l->records);
	vec_free(&l->alarmed);
	mem_freep(&l);
}

void ledger_replay(struct ledger *l, ledger_effects *out)
{
	struct step s = { .out = out };

	if (l->failed)
		ledger_alarm(l, &s, ALARM_DISK, l->conf.node,
			     "the ledger on this node's disk is damaged: it takes no part; remove "
			     "its state folder and join again");
	else if (l->base.index > 0)
		snapshot_restore(l, &s);
	log_apply(l, &s);
}

struct member *ledger_member(const struct ledger *l, uint32_t node)
{
	for (size_t i = 0; i < l->n_members; i++) {
		if (l->members[i].node == node)
			return (struct member *)&l->members[i];
	}
	return NULL;
}

int64_t ledger_wall_us(const struct ledger *l, struct mono now)
{
	return l->wall.us > 0 ? l->wall.us + mono_diff_us(now, l->wall_at) : 0;
}

/* The one place where messages leave. What belongs to a view, round and term says so (rule L5). */
void ledger_say(struct ledger *l, struct step *s, enum ledger_class class, struct ledger_msg *m)
{
	struct ledger_effect *e = vec_add(s->out);

	m->view = l->digest;
	m->round = l->round;
	m->term = l->number;
	e->kind = LEDGER_SEND;
	e->class = class;
	ledger_msg_out(m, &e->data);
}

/* Where this alarm is to be noted; NULL: it was given a short while ago. */
static struct alarmed *alarm_due(struct ledger *l, struct mono now, enum ledger_alarm alarm,
				 uint32_t node)
{
	struct alarmed *a;

	vec_each(a, &l->alarmed) {
		if (a->alarm == alarm && a->node == node)
			return mono_diff_us(now, a->at) < ALARM_EVERY_US ? NULL : a;
	}
	a = vec_add(&l->alarmed);
	a->alarm = alarm;
	a->node = node;
	return a;
}

void ledger_alarm(struct ledger *l, struct step *s, enum ledger_alarm alarm, uint32_t node,
		  const char *fmt, ...)
{
	struct alarmed *a = alarm_due(l, s->now, alarm, node);
	struct ledger_effect *e;
	va_list ap;

	if (!a)
		return;
	a->at = s->now;
	va_start(ap, fmt);
	vsnprintf(a->text, sizeof(a->text), fmt, ap);
	va_end(ap);
	e = vec_add(s->out);
	e->kind = LEDGER_ALARM;
	STRCPY(e->text, a->text);
}

/*
 * Index = OPEN's + what was accepted in this term, counted by everybody, never "my length + 1"
 * (rule L5).
 */
void ledger_accept(struct ledger *l, struct step *s, struct ledger_entry *e)
{
	(void)s;
	e->index = l->term.next++;
	if (e->kind == ENTRY_VOTERS)
		voters_accepted(l, e);
	if (l->follow == FOLLOW_CAUGHT_UP)
		log_append(l, e);
	else if (l->follow == FOLLOW_FETCHING)
		catchup_hold(l, e);
	else
		entry_free(e);
}

/* Whatever the state is ready for now, however it came about. */
static void settle(struct ledger *l, struct step *s)
{
	view_progress(l, s);
	log_count(l, s);
	leader_review(l);
	propose_flush(l, s);
	log_write(l, s, false);
	snapshot_review(l, s);
	status_explain(l);
	status_note_change(l, s);
}

void ledger_view(struct ledger *l, const struct view *view, bool quorate, struct mono now,
		 ledger_effects *out)
{
	struct step s = { .now = now, .out = out };

	l->quorate = view && quorate;
	view_change(l, &s, view);
	settle(l, &s);
}

void ledger_gate(struct ledger *l, bool quorate, struct mono now, ledger_effects *out)
{
	struct step s = { .now = now, .out = out };

	l->quorate = l->has_view && quorate;
	settle(l, &s);
}

/*
 * Which messages count when: all but STATE only from who has spoken in this round, some only in
 * the open term.
 */
static const struct handler {
	void (*handle)(struct ledger *l, struct step *s, struct member *from,
		       const struct ledger_msg *m);
	bool in_term;
} handlers[MSG_MAX] = {
	/* clang-format off */
	[MSG_STATE]   = { view_on_state,      false },
	[MSG_PROMISE] = { view_on_promise,    false },
	[MSG_OPEN]    = { view_on_open,       false },
	[MSG_COMMAND] = { propose_on_command, true  },
	[MSG_ACK]     = { log_on_ack,         true  },
	[MSG_TICK]    = { leader_on_tick,     false },
	[MSG_FETCH]   = { catchup_on_fetch,   true  },
	[MSG_ENTRIES] = { catchup_on_entries, true  },
	[MSG_JOIN]    = { voters_on_join,     false },
	[MSG_SNAPSHOT] = { snapshot_on_part,  true  },
	/* clang-format on */
};

static bool counts(const struct ledger *l, const struct member *from, const struct ledger_msg *m)
{
	if (m->view != l->digest)
		return false;
	if (m->type == MSG_STATE)
		return true;
	if (m->round != l->round || !from->spoken)
		return false;
	return !handlers[m->type].in_term || (l->term.open && m->term == l->number);
}

void ledger_message(struct ledger *l, uint32_t from_node, const void *data, size_t len,
		    struct mono now, ledger_effects *out)
{
	struct member *from = l->has_view ? ledger_member(l, from_node) : NULL;
	struct step s = { .now = now, .out = out };
	struct ledger_msg m;

	if (ledger_msg_in(data, len, &m) < 0) {
		l->bad_messages++;
		return;
	}
	if (!from || !counts(l, from, &m))
		return;
	handlers[m.type].handle(l, &s, from, &m);
	settle(l, &s);
}

void ledger_written(struct ledger *l, const struct err *err, struct mono now,
		    ledger_effects *out)
{
	struct step s = { .now = now, .out = out };

	log_written(l, &s, err);
	settle(l, &s);
}

static void say_tick(struct ledger *l, struct step *s)
{
	struct ledger_msg m = { .type = MSG_TICK,
				.tick = { .applied = l->applied,
					  .stamp_us = ledger_wall_us(l, s->now),
					  .gate = l->quorate } };

	ledger_say(l, s, LEDGER_CLASS_TICK, &m);
}

static void say_join(struct ledger *l, struct step *s)
{
	struct ledger_msg m = { .type = MSG_JOIN,
				.join = { .store = l->store, .incarnation = l->conf.incarnation } };

	STRCPY(m.join.name, l->conf.name);
	ledger_say(l, s, LEDGER_CLASS_ACK, &m);
}

static void set_wall(struct ledger *l, struct mono now, struct wall wall)
{
	l->wall = wall;
	l->wall_at = now;
}

void ledger_tick(struct ledger *l, struct mono now, struct wall wall, ledger_effects *out)
{
	struct step s = { .now = now, .out = out };

	set_wall(l, now, wall);
	if (l->has_view && !l->failed) {
		say_tick(l, &s);
		if (l->joining)
			say_join(l, &s);
	}
	view_tick(l, &s);
	catchup_tick(l, &s);
	snapshot_tick(l);
	voters_tick(l, &s);
	propose_tick(l);
	log_tick(l, &s);
	settle(l, &s);
}

int ledger_propose(struct ledger *l, const void *data, size_t len, struct wall now,
		   struct command_id *ret_id, ledger_effects *out, struct err *ret_err)
{
	struct step s = { .now = l->wall_at, .out = out };
	int rc = propose_new(l, data, len, now, ret_id, ret_err);

	if (rc == 0)
		propose_send(l, &s);
	return rc;
}

static const struct member *someone_with_a_ledger(const struct ledger *l)
{
	for (size_t i = 0; i < l->n_members; i++) {
		const struct member *m = &l->members[i];

		if (m->spoken && !id_is_none(&m->state.cluster))
			return m;
	}
	return NULL;
}

static int may_init(const struct ledger *l, struct err *ret_err)
{
	const struct member *other = someone_with_a_ledger(l);

	if (l->failed)
		return err_set(ret_err, -EIO,
			       "the ledger's disk has failed on this node");
	if (!id_is_none(&l->cluster))
		return err_set(ret_err, -EEXIST,
			       "this node belongs to a cluster already");
	if (other)
		return err_set(
			ret_err, -EEXIST,
			"node %u here has a ledger already: run domus cluster join",
			other->node);
	if (l->writing.active || l->joining)
		return err_set(ret_err, -EBUSY, "this node is joining a cluster");
	return 0;
}

/*
 * The first entry: this node as the only voter. It is committed when it is durable, since it is
 * the majority.
 */
static void found(struct ledger *l, struct id cluster, struct wall now)
{
	struct ledger_voters v = {
		.n = 1, .v = { { .node = l->conf.node, .votes = 1, .store = l->store } }
	};
	struct ledger_entry e = { .index = 1, .term = 1, .kind = ENTRY_VOTERS, .stamp_us = now.us };
	_cleanup_(buf_free) struct buf payload = { 0 };

	STRCPY(v.v[0].name, l->conf.name);
	ledger_voters_out(&v, &payload);
	e.id = (struct command_id){ .node = l->conf.node,
				    .incarnation = l->conf.incarnation,
				    .nonce = ++l->nonce };
	e.data = payload.data;
	e.len = payload.len;
	l->cluster = cluster;
	log_append(l, entry_new(&e));
	if (l->want_promised < e.term)
		l->want_promised = e.term;
}

int ledger_init(struct ledger *l, struct id cluster, struct wall now, ledger_effects *out,
		struct err *ret_err)
{
	struct step s = { .now = l->wall_at, .out = out };
	int rc = may_init(l, ret_err);

	if (rc < 0)
		return rc;
	found(l, cluster, now);
	log_write(l, &s, false);
	if (l->has_view)
		view_round(l, &s, l->round + 1);
	settle(l, &s);
	return 0;
}

int ledger_join(struct ledger *l, ledger_effects *out, struct err *ret_err)
{
	struct step s = { .now = l->wall_at, .out = out };

	if (l->failed)
		return err_set(ret_err, -EIO,
			       "the ledger's disk has failed on this node");
	if (status_role(l) == LEDGER_VOTER)
		return err_set(ret_err, -EALREADY, "this node is a voter already");
	if (l->barred)
		return err_set(
			ret_err, -EUCLEAN,
			"the ledger here contradicts the others': move the state "
			"folder away, restart the agent and join again");
	l->joining = true;
	catchup_start(l, &s);
	settle(l, &s);
	return 0;
}
