/* SPDX-License-Identifier: Apache-2.0
 * Proposals: sent in every term until they are committed, and what all members accept of them
 * (rules L1, L5, L11). */
#include "ledger_priv.h"

static void say_command(struct ledger *l, struct step *s, struct proposal *p)
{
	struct ledger_msg m = { .type = MSG_COMMAND,
				.command = {
					.kind = ENTRY_COMMAND,
					.id = p->id,
					.stamp_us = leader_clamp(l, p->stamp_us),
					.data = p->data,
					.len = p->len,
				} };

	ledger_say(l, s, LEDGER_CLASS_COMMAND, &m);
	p->sent_term = l->number;
}

/* Sends what has not been sent in this term, in the order of the nonces. */
void propose_flush(struct ledger *l, struct step *s)
{
	if (!l->unsent || l->follow != FOLLOW_CAUGHT_UP)
		return;
	l->unsent = false;
	for (struct proposal *p = l->pending; p; p = p->next) {
		if (p->sent_term != l->number)
			say_command(l, s, p);
	}
}

void propose_new_term(struct ledger *l)
{
	l->unsent = l->n_pending > 0;
}

void propose_tick(struct ledger *l)
{
	for (const struct proposal *p = l->pending; p && !l->unsent; p = p->next)
		l->unsent = p->sent_term == 0;
}

static bool same_command(const struct command_id *a, const struct command_id *b)
{
	return a->node == b->node && a->nonce == b->nonce &&
	       id_equal(&a->incarnation, &b->incarnation);
}

/* Refused by all alike: it is sent again with the next tick. */
void propose_refused(struct ledger *l, const struct command_id *id)
{
	for (struct proposal *p = l->pending; p; p = p->next) {
		if (same_command(&p->id, id))
			p->sent_term = 0;
	}
}

static void forget(struct ledger *l, struct proposal **at)
{
	struct proposal *p = *at;

	*at = p->next;
	if (!p->next)
		l->pending_end = at;
	l->n_pending--;
	mem_freep(&p->data);
	mem_freep(&p);
}

/* They commit in the order of the nonces, so it is the first one nearly always. */
void propose_committed(struct ledger *l, const struct command_id *id)
{
	if (id->node != l->conf.node)
		return;
	for (struct proposal **at = &l->pending; *at; at = &(*at)->next) {
		if (same_command(&(*at)->id, id)) {
			forget(l, at);
			return;
		}
	}
}

void ledger_forget(struct ledger *l, const struct command_id *id)
{
	propose_committed(l, id);
}

static int refuse(const struct ledger *l, size_t len, struct err *ret_err)
{
	if (len > ENTRY_DATA_MAX)
		return err_set(ret_err, -EMSGSIZE, "command of %zu bytes: %d are the most", len,
			       ENTRY_DATA_MAX);
	if (id_is_none(&l->cluster))
		return err_set(ret_err, -ENODEV,
			       "this node has no ledger yet: run domus cluster init or join");
	if (l->failed)
		return err_set(ret_err, -EIO,
			       "the ledger's disk has failed on this node: ask another one");
	if (l->n_pending >= LEDGER_PENDING_MAX)
		return err_set(ret_err, -ENOBUFS,
			       "%zu commands wait to be agreed on: try again later", l->n_pending);
	return 0;
}

int propose_new(struct ledger *l, const void *data, size_t len, struct wall now,
		struct command_id *ret_id, struct err *ret_err)
{
	int rc = refuse(l, len, ret_err);
	struct proposal *p;

	if (rc < 0)
		return rc;
	p = mem_new(struct proposal);
	p->id = (struct command_id){ .node = l->conf.node,
				     .incarnation = l->conf.incarnation,
				     .nonce = ++l->nonce };
	p->stamp_us = now.us > 0 ? now.us : 0;
	p->data = mem_dup(data, len);
	p->len = len;
	*l->pending_end = p;
	l->pending_end = &p->next;
	l->n_pending++;
	*ret_id = p->id;
	return 0;
}

/*
 * One that comes while others wait goes after them; else it goes out alone, without a walk over
 * those on the wire.
 */
void propose_send(struct ledger *l, struct step *s)
{
	struct proposal *p = container_of(l->pending_end, struct proposal, next);

	if (l->unsent || l->follow != FOLLOW_CAUGHT_UP)
		l->unsent = true;
	else
		say_command(l, s, p);
}

void propose_free(struct ledger *l)
{
	while (l->pending)
		forget(l, &l->pending);
}

/*
 * Voters change by the leader's word only, one record at a time, and not before the term has
 * committed something (rule L8).
 */
static bool voters_fit(const struct ledger *l, const struct member *from,
		       const struct msg_command *c)
{
	struct ledger_voters after;

	return ledger_voters_in(c->data, c->len, &after) == 0 && from->node == l->term.leader &&
	       l->term.commit > 0 && l->term.record_index <= l->term.commit &&
	       voters_change_fits(&l->term.record, &after);
}

/* Judged from the messages before it only, so by all members alike, caught up or not (rule L5). */
static bool acceptable(const struct ledger *l, const struct member *from,
		       const struct msg_command *c)
{
	if (c->id.node != from->node || !id_equal(&c->id.incarnation, &from->state.incarnation))
		return false;
	if (!leader_stamp_fits(l, c->stamp_us))
		return false;
	return c->kind == ENTRY_COMMAND || voters_fit(l, from, c);
}

void propose_on_command(struct ledger *l, struct step *s, struct member *from,
			const struct ledger_msg *m)
{
	const struct msg_command *c = &m->command;
	struct ledger_entry e = { .term = m->term,
				  .kind = c->kind,
				  .id = c->id,
				  .stamp_us = c->stamp_us,
				  .data = (void *)c->data,
				  .len = c->len };

	if (acceptable(l, from, c))
		ledger_accept(l, s, entry_new(&e));
	else if (from->node == l->conf.node)
		propose_refused(l, &c->id);
}
