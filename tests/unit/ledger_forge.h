/* SPDX-License-Identifier: Apache-2.0
 * What tests of single rules need beside the world: looking inside, forging messages, stopping at
 * a certain place. */
#ifndef DOMUS_TESTS_LEDGER_FORGE_H
#define DOMUS_TESTS_LEDGER_FORGE_H

#include "ledger_world.h"

#define THREE ALL_NODES(3)

static inline struct ledger *ledger_of(struct world *w, uint32_t id)
{
	return world_node(w, id)->l;
}

/* Messages of @type from @from (0: anybody) on the wire since tapping began. */
static inline size_t said(struct world *w, enum ledger_msg_type type, uint32_t from)
{
	size_t n = 0;

	for (size_t i = 0; i < w->wiretap.n; i++) {
		const struct event *e = &w->wiretap.v[i];

		if (e->kind == EVENT_MESSAGE && (from == 0 || e->from == from))
			n += (uint8_t)e->data.data[1] == type;
	}
	return n;
}

static inline void tap(struct world *w)
{
	queue_free(&w->wiretap);
	w->tapped = true;
}

/*
 * Puts a message into the order as if @from had sent it in the view, round and term in which
 * @like is.
 */
static inline void forge_as(struct world *w, uint32_t like, uint32_t from, struct ledger_msg *m,
			    int64_t term_offset)
{
	const struct ledger *l = ledger_of(w, like);
	struct event e = { .kind = EVENT_MESSAGE, .from = from };

	m->view = l->digest;
	m->round = l->round;
	m->term = l->number + (uint64_t)term_offset;
	ledger_msg_out(m, &e.data);
	broadcast(w, world_node(w, like)->ring, &e);
	event_free(&e);
}

static inline void forge(struct world *w, uint32_t from, struct ledger_msg *m, int64_t term_offset)
{
	forge_as(w, 1, from, m, term_offset);
}

static inline struct ledger_msg command_of(struct world *w, uint32_t from, uint64_t nonce)
{
	return (struct ledger_msg){ .type = MSG_COMMAND,
				    .command = {
					    .kind = ENTRY_COMMAND,
					    .id = { from, world_node(w, from)->incarnation, nonce },
					    .stamp_us = world_wall(w, world_node(w, from)).us,
					    .data = "forged",
					    .len = 6 } };
}

/* Runs until node @id's log has @index; whatever is held stays held. */
static inline void until_last(struct world *w, uint32_t id, uint64_t index)
{
	for (int i = 0; world_status(w, id).last < index; i++) {
		assert_true(i < 100000);
		assert_true(settle_once(w));
	}
}

/* Runs until a message of @type is on the wire, delivered to nobody. */
static inline void until_said(struct world *w, enum ledger_msg_type type)
{
	tap(w);
	for (uint32_t id = 1; said(w, type, 0) == 0; id = id % (uint32_t)w->n + 1) {
		if (wire_one(w, world_node(w, id)) && said(w, type, 0) > 0)
			return;
		deliver_one(w, world_node(w, id));
		disk_done(w, world_node(w, id));
	}
}

static inline void hold_disks(struct world *w, unsigned int mask)
{
	for (size_t i = 0; i < w->n; i++)
		w->nodes[i].hold_disk = (mask >> i) & 1;
}

#endif
