/* SPDX-License-Identifier: Apache-2.0
 * A witness of the ledger. */
#include "witness.h"

#include "cluster/ledger_priv.h"
#include "engine/command.h"
#include "engine/engine_priv.h"
#include "world_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE_EACH 256		/* entries between two comparisons of a node's whole state */

/* What there was at an index. */
struct noted {
	struct command_id id;
	uint64_t term, sum;
};

struct told {
	struct command_id id;
	uint64_t index;
};

/* An entry that a node has applied. */
struct fresh {
	const struct world_node *by;
	struct ledger_entry entry;	/* its data owned */
};

struct witness {
	struct state *state;
	struct buf json;		/* of it, at json_index: all nodes come to an index in the same step */
	uint64_t json_index;
	VEC(struct noted) log;		/* of index i + 1 */
	struct map *applied;		/* command -> anything */
	uint64_t told_event;		/* the last event that is in the world's story */
	struct map *owners;		/* guest -> struct owner: the last that had one; node 0 when nobody has */
	VEC(struct told) told;		/* not yet looked at */
	VEC(struct fresh) fresh;	/* likewise */
	struct {
		uint64_t index;		/* up to which it had applied */
		bool leapt;		/* its state came as a whole, and was not compared since */
		uint64_t compared;	/* at which its whole state was */
	} nodes[WORLD_NODES_MAX + 1];
};

struct witness *witness_new(void)
{
	struct witness *x = mem_new(struct witness);

	x->state = state_new();
	x->applied = map_new(NULL);
	x->owners = map_new(free);
	return x;
}

static void fresh_free(struct witness *x)
{
	struct fresh *f;

	vec_each(f, &x->fresh)
		free(f->entry.data);
	vec_clear(&x->fresh);
}

void witness_free(struct witness *x)
{
	if (!x)
		return;
	state_free(x->state);
	buf_free(&x->json);
	map_free(x->applied);
	map_free(x->owners);
	vec_free(&x->log);
	fresh_free(x);
	vec_free(&x->fresh);
	vec_free(&x->told);
	free(x);
}

const struct model *witness_model(const struct witness *x)
{
	return state_model(x->state);
}

struct state *witness_state(struct witness *x)
{
	return x->state;
}

/* ---- owners ---- */

/* What an entry was about, as the state was before it. */
struct deed {
	const struct ledger_entry *entry;
	struct command c;		/* kind _INVALID: not a command */
	bool has_op;
	struct operation op;		/* of a report */
};

static struct deed deed_of(struct witness *x, const struct ledger_entry *e)
{
	struct deed d = { .entry = e };
	const struct operation *op;
	struct err err;

	if (e->kind != ENTRY_COMMAND || command_in(e->data, e->len, &d.c, &err) < 0) {
		d.c = (struct command){ .kind = COMMAND_KIND_INVALID };
		return d;
	}
	op = d.c.kind == CMD_REPORT_DONE ? model_operation(witness_model(x), d.c.operation) : NULL;
	d.has_op = op != NULL;
	if (op)
		d.op = *op;
	return d;
}

/* The owner itself says so, in that very life and of that very grant. */
static bool reported(const struct deed *d, const struct owner *was)
{
	const struct command_id *by = &d->entry->id;

	if (d->c.kind == COMMAND_KIND_INVALID || !owner_is(was, by->node, &by->incarnation))
		return false;
	if (d->c.kind == CMD_REPORT_ENDED)
		return d->c.epoch == was->epoch;
	return d->has_op && d->op.epoch == was->epoch && owner_is(was, d->op.node, &d->op.incarnation);
}

/* A node that leaves the cluster goes with the proof of its end: then the entry alone says which life that was. */
static bool proves(const struct deed *d, uint32_t node, const struct id *life)
{
	if (d->has_op && d->op.kind == OP_FENCE)
		return d->c.ok && d->op.victim == node && id_equal(&d->op.victim_incarnation, life);
	return d->c.kind == CMD_NODE_CONFIRM_OFF && d->c.node == node && id_equal(&d->c.incarnation, life);
}

/* That very life is over: it was proven, or its node is in another one. */
static bool proven(const struct model *m, const struct deed *d, const struct owner *was)
{
	const struct node *n = model_node(m, was->node);

	if (!n)
		return proves(d, was->node, &was->incarnation);
	return (n->proof.kind != PROOF_NONE && id_equal(&n->proof.incarnation, &was->incarnation)) ||
	       (!id_is_none(&n->incarnation) && !id_equal(&n->incarnation, &was->incarnation));
}

static bool handed_over(const struct guest *g)
{
	const struct owner *to = &g->move.target;

	return g->move.sent && g->move.loaded && owner_is(&g->owner, to->node, &to->incarnation) && g->owner.epoch == to->epoch;
}

static bool same_owner(const struct owner *a, const struct owner *b)
{
	return a->node == b->node && a->epoch == b->epoch && id_equal(&a->incarnation, &b->incarnation);
}

static void check_owner(struct world *w, const struct deed *d, const struct guest *g)
{
	struct witness *x = w->witness;
	struct owner *was = map_get(x->owners, g->name);

	if (!was) {
		was = mem_new(struct owner);
		map_put(x->owners, g->name, was);
	}
	if (same_owner(was, &g->owner))
		return;
	if (was->node && !handed_over(g) && !reported(d, was) && !proven(witness_model(x), d, was))
		world_break(w, "guest %s was taken from n%u without a proof, at %" PRIu64 " (%s)", g->name, was->node, d->entry->index,
			    command_kind_text(d->c.kind));
	if (g->owner.node && g->owner.epoch > d->entry->index)
		world_break(w, "guest %s was given to n%u for an epoch that is yet to come", g->name, g->owner.node);
	*was = g->owner;
}

static void check_owners(struct world *w, const struct deed *d)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	while ((g = map_next(witness_model(w->witness)->guests, &it)))
		check_owner(w, d, g);
}

/* A proof says that a life of a node is over: nobody must be in it. */
static void check_proofs(struct world *w, const struct deed *d)
{
	uint64_t index = d->entry->index;

	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		const struct node *n = model_node(witness_model(w->witness), i);
		const struct world_node *really = &w->nodes[i];
		bool now = n ? n->proof.kind != PROOF_NONE && n->proof.index == index &&
				       id_equal(&n->proof.incarnation, &really->incarnation)
			     : proves(d, i, &really->incarnation);

		if (now && really->powered)
			world_break(w, "n%u is proven off at %" PRIu64 " (%s), and is not", i, index, command_kind_text(d->c.kind));
	}
}

/* ---- entries ---- */

static uint64_t sum_of(const struct ledger_entry *e)
{
	const unsigned char *p = e->data;
	uint64_t sum = UINT64_C(14695981039346656037) + e->kind;

	for (size_t i = 0; i < e->len; i++)
		sum = (sum ^ p[i]) * UINT64_C(1099511628211);
	return sum;
}

static void check_once(struct world *w, const struct ledger_entry *e, bool fresh)
{
	struct witness *x = w->witness;
	char key[64], text[ID_TEXT_SIZE];

	if (e->kind != ENTRY_COMMAND || !fresh)
		return;
	snprintf(key, sizeof(key), "%u/%s/%" PRIu64, e->id.node, id_text(&e->id.incarnation, text), e->id.nonce);
	if (map_get(x->applied, key))
		world_break(w, "a command of n%u was applied twice, the second time at %" PRIu64, e->id.node, e->index);
	map_put(x->applied, key, x);
}

static void tell_events(struct world *w)
{
	const struct model *m = witness_model(w->witness);
	const struct event *event;

	if (m->events.n && m->events.v[m->events.n - 1].seq == w->witness->told_event)
		return;
	vec_each(event, &m->events) {
		if (event->seq <= w->witness->told_event)
			continue;
		world_tell(w, event->subject, event->text);
		w->witness->told_event = event->seq;
	}
}

void witness_entry(struct world *w, const struct ledger_entry *e)
{
	struct witness *x = w->witness;
	struct deed d = deed_of(x, e);
	struct state_result r = state_apply(x->state, e);

	vec_push(&x->log, (struct noted){ e->id, e->term, sum_of(e) });
	check_once(w, e, r.fresh);
	check_owners(w, &d);
	check_proofs(w, &d);
	tell_events(w);
	if (d.c.kind != COMMAND_KIND_INVALID)
		command_free(&d.c);
}

static void check_entry(struct world *w, const struct world_node *n, const struct ledger_entry *e)
{
	const struct noted *noted = &w->witness->log.v[e->index - 1];

	if (noted->term != e->term || noted->sum != sum_of(e) || !command_id_equal(&noted->id, &e->id))
		world_break(w, "%s has another entry at %" PRIu64 " than others had", n->name, e->index);
}

/* ---- looking ---- */

static const struct buf *json_of(struct witness *x)
{
	if (x->json_index != x->log.n) {
		buf_clear(&x->json);
		state_json(x->state, &x->json);
		x->json_index = x->log.n;
	}
	return &x->json;
}

static void check_state(struct world *w, const struct world_node *n)
{
	const struct buf *mine = json_of(w->witness);
	_cleanup_(buf_free) struct buf its = { 0 };

	state_json(n->engine->state, &its);
	if (mine->len != its.len || memcmp(mine->data, its.data, its.len))
		world_break(w, "the state of %s at %" PRIu64 " is not what the ledger says", n->name, engine_model(n->engine)->index);
}

void witness_applied(struct world_node *n, const struct ledger_entry *e)
{
	struct fresh f = { n, *e };

	f.entry.data = mem_dup(e->data, e->len);
	vec_push(&n->w->witness->fresh, f);
}

static void look_at_entry(struct world *w, const struct world_node *n, const struct ledger_entry *e)
{
	struct witness *x = w->witness;

	if (e->index <= x->log.n)
		check_entry(w, n, e);
	else if (e->index == x->log.n + 1)
		witness_entry(w, e);
	else
		world_break(w, "%s has applied %" PRIu64 ", and nobody what is before it", n->name, e->index);
	x->nodes[n->id].leapt |= e->index != x->nodes[n->id].index + 1;
	x->nodes[n->id].index = e->index;
}

static bool look_at_fresh(struct world *w)
{
	struct witness *x = w->witness;
	bool any = x->fresh.n > 0;
	const struct fresh *f;

	vec_each(f, &x->fresh)
		look_at_entry(w, f->by, &f->entry);
	fresh_free(x);
	return any;
}

/* What is not among its entries has come in a snapshot. Says whether something has. */
static bool look_at(struct world *w, struct world_node *n)
{
	struct witness *x = w->witness;
	uint64_t index = engine_model(n->engine)->index, *compared = &x->nodes[n->id].compared;
	bool leaps = index != x->nodes[n->id].index, *leapt = &x->nodes[n->id].leapt;

	if (index > x->log.n)
		world_break(w, "%s has a snapshot up to %" PRIu64 ", which nobody has applied", n->name, index);
	x->nodes[n->id].index = index;
	*leapt |= leaps;
	if (index == x->log.n && (*leapt || index >= *compared + COMPARE_EACH)) {
		*compared = index;
		*leapt = false;
		check_state(w, n);
	}
	return leaps;
}

static void look_at_told(struct world *w)
{
	struct witness *x = w->witness;
	const struct told *t;

	vec_each(t, &x->told)
		if (t->index < 1 || t->index > x->log.n || !command_id_equal(&x->log.v[t->index - 1].id, &t->id))
			world_break(w, "n%u said that a command was applied at %" PRIu64 ", and it was not", t->id.node, t->index);
	vec_clear(&x->told);
}

bool witness_look(struct world *w)
{
	bool any = look_at_fresh(w);

	for (uint32_t i = 1; i <= w->n_nodes; i++)
		if (w->nodes[i].engine && w->nodes[i].engine->ledger)
			any |= look_at(w, &w->nodes[i]);
	look_at_told(w);
	return any;
}

void witness_told(struct world *w, const struct command_id *id, uint64_t index)
{
	vec_push(&w->witness->told, (struct told){ *id, index });
}
