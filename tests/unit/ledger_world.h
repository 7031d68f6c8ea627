/* SPDX-License-Identifier: Apache-2.0
 * A world for ledgers: nodes with disks that can be slow, die and forget, and a total order
 * whose rings split and merge.
 *
 * For tests only, included by them whole. One thread, virtual time, one seed: the same seed
 * gives the same run. Rules of the order: every member of a ring gets the same events in the
 * same order, each at its own pace; when a ring splits, those that stay together have the same
 * last event, others may miss some; a message that was handed over late comes in the next ring.
 * After every event the promises are looked at (world_check). */
#ifndef DOMUS_TESTS_LEDGER_WORLD_H
#define DOMUS_TESTS_LEDGER_WORLD_H

#include "kit/kit.h"

#include "base/mem.h"
#include "cluster/ledger.h"
#include "cluster/ledger_priv.h"
#include "ledger_disk.h"

#include <stdio.h>

#define NODES_MAX    5
#define ALL_NODES(n) ((1u << (n)) - 1)

enum event_kind { EVENT_VIEW, EVENT_GATE, EVENT_MESSAGE };

struct event {
	enum event_kind kind;
	uint64_t ring, pos; /* place in the order of that ring */
	struct view view;
	bool quorate;
	uint32_t from;
	struct buf data;
};

typedef VEC(struct event) event_queue;

struct node {
	uint32_t id;
	uint32_t pid;
	struct ledger *l; /* NULL: the agent is down */
	struct id incarnation;
	uint64_t ring; /* that it is on (on the wire, delivered or not) */
	uint64_t delivered_ring, delivered_pos;
	event_queue in;
	event_queue out[LEDGER_CLASS_MAX];
	struct ledger_image disk;
	bool writing;
	struct ledger_write write;   /* under way, a deep copy */
	struct ledger_image pending; /* owns its entries */
	uint64_t applied, sum; /* its state */
	bool snapshot_due;
	bool hold_disk, hold_wire, hold_in;
	bool fail_next_write;
	bool lies; /* its disk does: what it applies is not looked at */
	struct mono ticked_at;
	int64_t clock_ahead_us;
	uint64_t nonces; /* commands proposed in this life */
	unsigned int changed;
};

/* What is known of an index once somebody has applied it. */
struct fact {
	uint64_t term;
	enum entry_kind kind;
	struct command_id id;
	int64_t stamp_us;
	uint64_t sum; /* of this and all before it: a node's state */
};

struct proposed {
	struct command_id id;
	unsigned int applied; /* distinct indexes */
	bool lost;            /* its agent has crashed: it need not come */
};

struct world {
	uint64_t seed, random;
	struct mono now;
	struct node nodes[NODES_MAX];
	size_t n;
	uint64_t next_ring, ends[4096]; /* of ring i: its last position */
	VEC(struct fact) facts;         /* committed entries: [index - 1] */
	VEC(uint64_t) opens;            /* [term]: index of its OPEN, as written by anybody */
	VEC(struct proposed) proposed;
	struct ledger_voters voters;    /* the last committed record, and its index */
	uint64_t voters_at;
	uint64_t log_entries;           /* of the nodes' ledgers */
	unsigned int restored;          /* snapshots that came from other nodes */
	bool quorate; /* what rings say of themselves */
	/* a disk has been wiped or set back: majorities are not counted any more */
	bool disks_lied;
	unsigned int alarms; /* those about a failed disk aside */
	char alarm[ERR_TEXT_MAX];
	uint64_t steps;
	uint64_t trace;      /* a hash of every message in its order */
	event_queue wiretap; /* every message, if tapped */
	bool tapped;
};

static inline uint64_t world_random(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

#define world_fail(w, fmt, ...) \
	fail_msg("seed %lu, step %lu: " fmt, (unsigned long)(w)->seed, (unsigned long)(w)->steps, \
		 ##__VA_ARGS__)

static inline struct id world_id(struct world *w)
{
	struct id id;

	for (size_t i = 0; i < sizeof(id.b); i++)
		id.b[i] = (uint8_t)world_random(w, 255) + 1;
	return id;
}

static inline struct node *world_node(struct world *w, uint32_t id)
{
	return &w->nodes[id - 1];
}

static inline bool same_id(const struct command_id *a, const struct command_id *b)
{
	return a->node == b->node && a->nonce == b->nonce &&
	       id_equal(&a->incarnation, &b->incarnation);
}

static inline void event_free(struct event *e)
{
	buf_free(&e->data);
}

static inline void queue_free(event_queue *q)
{
	for (size_t i = 0; i < q->n; i++)
		event_free(&q->v[i]);
	vec_free(q);
}

static inline struct event event_copy(const struct event *e)
{
	struct event copy = *e;

	memset(&copy.data, 0, sizeof(copy.data));
	buf_add(&copy.data, e->data.data, e->data.len);
	return copy;
}

/* ---- what must hold ---- */

static inline bool disk_has(const struct node *n, uint64_t index, uint64_t term)
{
	uint64_t base = n->disk.snapshot.index;

	if (index <= base)
		return true; /* committed, as take_snapshot has seen */
	return index <= image_last(&n->disk) && n->disk.entries.v[index - base - 1].term == term;
}

/*
 * Rule L1, L2: what is committed is on the disks of a majority of the voters (all nodes are
 * voters then).
 */
static inline void check_majority(struct world *w)
{
	uint64_t last = w->facts.n;
	const struct ledger_voters *v = &w->voters;
	unsigned int holding = 0;

	if (w->disks_lied || last == 0)
		return;
	for (size_t i = 0; i < w->n; i++) {
		const struct ledger_image *d = &w->nodes[i].disk;

		for (size_t k = 0; k < d->entries.n && d->entries.v[k].index <= last; k++) {
			const struct ledger_entry *e = &d->entries.v[k];

			if (e->kind == ENTRY_VOTERS && w->voters_at < e->index &&
			    e->term == w->facts.v[e->index - 1].term) {
				ledger_voters_in(e->data, e->len, &w->voters);
				w->voters_at = e->index;
			}
		}
	}
	for (size_t i = 0; i < v->n; i++)
		holding += disk_has(world_node(w, v->v[i].node), last, w->facts.v[last - 1].term);
	if (holding < v->n / 2 + 1)
		world_fail(w, "entry %lu is committed, but on %u of %zu disks only",
			   (unsigned long)last, holding, v->n);
}

/* Rule L4: one OPEN a term, as far as any disk has ever seen. */
static inline void check_open(struct world *w, const struct ledger_entry *e)
{
	while (w->opens.n <= e->term)
		*vec_add(&w->opens) = 0;
	if (e->kind != ENTRY_OPEN)
		return;
	if (w->opens.v[e->term] != 0 && w->opens.v[e->term] != e->index)
		world_fail(w, "term %lu has two OPENs", (unsigned long)e->term);
	w->opens.v[e->term] = e->index;
}

static inline void note_applied(struct world *w, const struct ledger_entry *e)
{
	for (size_t i = 0; i < w->proposed.n; i++) {
		if (e->kind == ENTRY_COMMAND && same_id(&w->proposed.v[i].id, &e->id))
			w->proposed.v[i].applied++;
	}
	for (size_t i = w->facts.n;
	     i > 0 && e->kind == ENTRY_COMMAND && w->facts.v[i - 1].term == e->term; i--) {
		if (w->facts.v[i - 1].kind == ENTRY_COMMAND &&
		    same_id(&w->facts.v[i - 1].id, &e->id))
			world_fail(w, "a command is twice in one term");
	}
	vec_push(&w->facts, (struct fact){ e->term, e->kind, e->id, e->stamp_us, 0 });
}

/* All nodes apply prefixes of one sequence, without gaps. */
static inline void check_apply(struct world *w, struct node *n, const struct ledger_entry *e)
{
	const struct fact *f;

	if (e->index != n->applied + 1)
		world_fail(w, "node %u applies %lu after %lu", n->id, (unsigned long)e->index,
			   (unsigned long)n->applied);
	n->applied = e->index;
	n->sum = (n->sum ^ e->term ^ e->id.nonce ^ e->id.node) * UINT64_C(0x100000001b3);
	if (n->lies)
		return;
	if (e->index > w->facts.n) {
		note_applied(w, e);
		w->facts.v[e->index - 1].sum = n->sum;
		check_majority(w);
		return;
	}
	f = &w->facts.v[e->index - 1];
	if (f->term != e->term || f->kind != e->kind || !same_id(&f->id, &e->id) ||
	    f->stamp_us != e->stamp_us)
		world_fail(w, "node %u applies something else than the others at %lu", n->id,
			   (unsigned long)e->index);
}

/* ---- effects ---- */

static inline void take_write(struct world *w, struct node *n, const struct ledger_write *write)
{
	if (n->writing)
		world_fail(w, "node %u: two writes at once", n->id);
	n->writing = true;
	n->write = *write;
	n->pending.snapshot = write->snapshot;
	n->pending.snapshot.data = mem_dup(write->snapshot.data, write->snapshot.len);
	n->write.entries = NULL;
	for (size_t i = 0; i < write->n_entries; i++)
		image_append(&n->pending, write->entries[i]);
}

/* What a node gives as its state: which entries it has applied, and enough to make several parts. */
#define STATE_SIZE 70000

static inline void take_restore(struct world *w, struct node *n, const struct ledger_effect *e)
{
	struct wire r = wire_reader(e->state, e->state_len);

	if (e->state_len != STATE_SIZE || e->index <= n->applied || wire_u64(&r) != e->index)
		world_fail(w, "node %u takes a snapshot at %lu after %lu", n->id,
			   (unsigned long)e->index, (unsigned long)n->applied);
	w->restored += n->applied > 0;
	n->applied = e->index;
	n->sum = wire_u64(&r);
	if (!n->lies && (e->index > w->facts.n || w->facts.v[e->index - 1].sum != n->sum))
		world_fail(w, "node %u takes another state than the others' at %lu", n->id,
			   (unsigned long)e->index);
}

static inline void take_effects(struct world *w, struct node *n, ledger_effects *out);

static inline void give_snapshot(struct world *w, struct node *n)
{
	_cleanup_(buf_free) struct buf state = { 0 };
	ledger_effects out = { 0 };

	n->snapshot_due = false;
	wire_put_u64(&state, n->applied);
	wire_put_u64(&state, n->sum);
	while (state.len < STATE_SIZE)
		wire_put_u64(&state, n->sum * state.len);
	ledger_snapshot(n->l, state.data, STATE_SIZE, w->now, &out);
	take_effects(w, n, &out);
}

static inline void take_effects(struct world *w, struct node *n, ledger_effects *out)
{
	struct ledger_effect *e;

	vec_each(e, out) {
		struct event message = { .kind = EVENT_MESSAGE, .from = n->id };

		switch (e->kind) {
		case LEDGER_SEND:
			buf_add(&message.data, e->data.data, e->data.len);
			assert_in_range(e->data.len, 1, ORDER_MESSAGE_MAX);
			vec_push(&n->out[e->class], message);
			break;
		case LEDGER_WRITE:
			take_write(w, n, &e->write);
			break;
		case LEDGER_APPLY:
			check_apply(w, n, e->entry);
			break;
		case LEDGER_SNAPSHOT:
			n->snapshot_due = true;
			break;
		case LEDGER_RESTORE:
			take_restore(w, n, e);
			break;
		case LEDGER_ALARM:
			w->alarms += strstr(e->text, "disk") == NULL;
			STRCPY(w->alarm, e->text);
			break;
		case LEDGER_CHANGED:
			n->changed++;
			break;
		}
	}
	ledger_effects_free(out);
	if (n->snapshot_due)
		give_snapshot(w, n);
}

/*
 * Rule L3: no entry of a term that was not promised. Others take a STATE that shows one for no
 * message at all.
 */
static inline void check_promise(struct world *w, const struct node *n)
{
	const struct ledger_image *d = &n->disk;
	uint64_t term = image_last_term(d);

	if (term > d->promised)
		world_fail(w, "node %u holds an entry of term %lu, but has promised %lu only",
			   n->id, (unsigned long)term, (unsigned long)d->promised);
}

static inline bool disk_done(struct world *w, struct node *n)
{
	ledger_effects out = { 0 };
	struct err err = { 0 };

	if (!n->writing)
		return false;
	n->writing = false;
	if (n->fail_next_write)
		err_set(&err, -ENOSPC, "ledger.db: no space left: make room");
	if (!err.code) {
		for (size_t i = 0; i < n->pending.entries.n; i++)
			check_open(w, &n->pending.entries.v[i]);
		if (!image_commit(&n->disk, &n->write, &n->pending))
			world_fail(w, "node %u writes what does not fit its disk", n->id);
		check_promise(w, n);
	}
	n->fail_next_write = false;
	image_free(&n->pending);
	if (n->l) {
		ledger_written(n->l, &err, w->now, &out);
		take_effects(w, n, &out);
	}
	check_majority(w);
	return true;
}

/* ---- the order ---- */

static inline struct view world_view(struct world *w, uint64_t ring)
{
	struct view v = { .ring = { .seq = ring * 4 } };

	for (size_t i = 0; i < w->n; i++) {
		const struct node *n = &w->nodes[i];

		if (n->ring != ring)
			continue;
		if (v.ring.node == 0)
			v.ring.node = n->id;
		v.nodes[v.n_nodes++] = n->id;
		if (n->l)
			v.members[v.n_members++] = (struct order_member){ n->id, n->pid };
	}
	return v;
}

static inline void broadcast(struct world *w, uint64_t ring, const struct event *e)
{
	w->ends[ring]++;
	for (size_t i = 0; i < e->data.len; i++)
		w->trace = (w->trace ^ (uint8_t)e->data.data[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];
		struct event copy;

		if (n->ring != ring || !n->l)
			continue;
		copy = event_copy(e);
		copy.ring = ring;
		copy.pos = w->ends[ring];
		vec_push(&n->in, copy);
	}
	if (w->tapped)
		vec_push(&w->wiretap, event_copy(e));
}

static inline void say_view(struct world *w, uint64_t ring)
{
	struct event e = { .kind = EVENT_VIEW, .view = world_view(w, ring), .quorate = w->quorate };

	broadcast(w, ring, &e);
}

static inline void world_gate(struct world *w, uint64_t ring, bool quorate)
{
	struct event e = { .kind = EVENT_GATE, .quorate = quorate };

	broadcast(w, ring, &e);
}

/*
 * Drops the events of @ring after @pos that @n has not had yet, but for the messages of @fellows
 * (as bits): what those have sent who come out of the ring together is told them in any case,
 * above a hole too.
 */
static inline void lose_after(struct node *n, uint64_t ring, uint64_t pos, unsigned int fellows)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->in.n; i++) {
		const struct event *e = &n->in.v[i];
		bool stays = e->kind == EVENT_MESSAGE && fellows & (1u << (e->from - 1));

		if (e->ring == ring && e->pos > pos && !stays)
			event_free(&n->in.v[i]);
		else
			n->in.v[kept++] = n->in.v[i];
	}
	n->in.n = kept;
}

/* Those of @mask who come from @ring together: they have had the same of it. */
static inline void leave_ring(struct world *w, uint64_t ring, unsigned int mask, bool lose)
{
	unsigned int fellows = 0;
	uint64_t least = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct node *n = &w->nodes[i];

		if (!(mask & (1u << i)) || n->ring != ring)
			continue;
		fellows |= 1u << i;
		if (n->delivered_ring == ring && n->delivered_pos > least)
			least = n->delivered_pos;
	}
	if (!lose)
		return;
	least += world_random(w, w->ends[ring] - least + 1);
	for (size_t i = 0; i < w->n; i++) {
		if ((mask & (1u << i)) && w->nodes[i].ring == ring)
			lose_after(&w->nodes[i], ring, least, fellows);
	}
}

/*
 * Makes @mask one ring. The rest of the rings that they come from must be given a ring by
 * further calls.
 */
static inline void world_ring(struct world *w, unsigned int mask, bool lose)
{
	uint64_t ring = w->next_ring++;

	assert_true(ring < ARRAY_SIZE(w->ends));
	for (uint64_t old = 1; old < ring; old++)
		leave_ring(w, old, mask, lose && w->ends[old] > 0);
	for (size_t i = 0; i < w->n; i++) {
		if (mask & (1u << i))
			w->nodes[i].ring = ring;
	}
	say_view(w, ring);
}

/* One message of @n goes onto the wire, the most urgent first. */
static inline bool wire_one(struct world *w, struct node *n)
{
	for (size_t c = 0; c < LEDGER_CLASS_MAX; c++) {
		if (n->out[c].n == 0)
			continue;
		broadcast(w, n->ring, &n->out[c].v[0]);
		event_free(&n->out[c].v[0]);
		vec_remove(&n->out[c], 0);
		return true;
	}
	return false;
}

static inline bool deliver_one(struct world *w, struct node *n)
{
	ledger_effects out = { 0 };
	struct event e;

	if (!n->l || n->in.n == 0)
		return false;
	e = n->in.v[0];
	vec_remove(&n->in, 0);
	n->delivered_ring = e.ring;
	n->delivered_pos = e.pos;
	if (e.kind == EVENT_VIEW) {
		for (size_t c = 0; c < LEDGER_CLASS_MAX; c++)
			queue_free(&n->out[c]);
		ledger_view(n->l, &e.view, e.quorate, w->now, &out);
	} else if (e.kind == EVENT_GATE) {
		ledger_gate(n->l, e.quorate, w->now, &out);
	} else {
		ledger_message(n->l, e.from, e.data.data, e.data.len, w->now, &out);
	}
	event_free(&e);
	take_effects(w, n, &out);
	return true;
}

static inline struct wall world_wall(const struct world *w, const struct node *n)
{
	return (struct wall){ INT64_C(1700000000) * US_PER_S + w->now.us + n->clock_ahead_us };
}

static inline void tick_one(struct world *w, struct node *n)
{
	ledger_effects out = { 0 };

	n->ticked_at = w->now;
	ledger_tick(n->l, w->now, world_wall(w, n), &out);
	take_effects(w, n, &out);
}

/* ---- lives ---- */

static inline void world_boot(struct world *w, uint32_t id)
{
	struct node *n = world_node(w, id);
	struct ledger_conf conf = {
		.node = id, .silent_ticks = 4, .open_wait_us = 300 * US_PER_MS, .retry_us = US_PER_S,
		.log_entries = w->log_entries
	};
	struct ledger_image image = image_copy(&n->disk);
	ledger_effects out = { 0 };

	snprintf(conf.name, sizeof(conf.name), "n%u", id);
	conf.incarnation = n->incarnation;
	conf.first_nonce = (world_random(w, 1 << 20) + 1) << 32;
	n->pid++;
	n->l = ledger_new(&conf, &image);
	n->applied = n->sum = 0;
	n->snapshot_due = false;
	n->delivered_ring = 0;
	ledger_replay(n->l, &out);
	take_effects(w, n, &out);
	say_view(w, n->ring);
}

/* The agent dies. What it was writing is on the disk or not. */
static inline void world_crash(struct world *w, uint32_t id, bool written)
{
	struct node *n = world_node(w, id);

	ledger_free(TAKE_PTR(n->l));
	if (written)
		disk_done(w, n);
	n->writing = false;
	image_free(&n->pending);
	queue_free(&n->in);
	for (size_t c = 0; c < LEDGER_CLASS_MAX; c++)
		queue_free(&n->out[c]);
	for (size_t i = 0; i < w->proposed.n; i++)
		w->proposed.v[i].lost |= w->proposed.v[i].id.node == id;
	say_view(w, n->ring);
}

static inline void world_wipe(struct world *w, uint32_t id)
{
	struct node *n = world_node(w, id);

	image_free(&n->disk);
	n->disk.store = world_id(w);
	w->disks_lied = true;
}

static inline struct world *world_new(uint64_t seed, size_t n)
{
	struct world *w = mem_new(struct world);

	w->seed = seed;
	w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 88172645463325252u;
	w->n = n;
	w->next_ring = 1;
	w->quorate = true;
	for (size_t i = 0; i < n; i++) {
		w->nodes[i].id = (uint32_t)i + 1;
		w->nodes[i].disk.store = world_id(w);
		w->nodes[i].incarnation = world_id(w);
	}
	return w;
}

static inline void world_free(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		ledger_free(n->l);
		image_free(&n->disk);
		image_free(&n->pending);
		queue_free(&n->in);
		for (size_t c = 0; c < LEDGER_CLASS_MAX; c++)
			queue_free(&n->out[c]);
	}
	queue_free(&w->wiretap);
	vec_free(&w->facts);
	vec_free(&w->opens);
	vec_free(&w->proposed);
	mem_freep(&w);
}

/* ---- running without faults ---- */

static inline bool settle_once(struct world *w)
{
	bool moved = false;

	for (size_t i = 0; i < w->n; i++) {
		struct node *n = &w->nodes[i];

		if (!n->hold_wire)
			moved |= wire_one(w, n);
		if (!n->hold_in)
			moved |= deliver_one(w, n);
		if (!n->hold_disk)
			moved |= disk_done(w, n);
	}
	return moved;
}

/* Until nothing is on its way any more (but for what is held). */
static inline void world_settle(struct world *w)
{
	unsigned int rounds = 0;

	while (settle_once(w)) {
		w->steps++;
		if (++rounds > 100000)
			world_fail(w, "it never comes to rest");
	}
}

static inline void world_run(struct world *w, int64_t us)
{
	int64_t end = w->now.us + us;

	while (w->now.us < end) {
		world_settle(w);
		w->now.us += LEDGER_TICK_US;
		for (size_t i = 0; i < w->n; i++) {
			if (w->nodes[i].l && !w->nodes[i].hold_wire)
				tick_one(w, &w->nodes[i]);
		}
	}
	world_settle(w);
}

static inline struct ledger_status world_status(struct world *w, uint32_t id)
{
	struct ledger_status st;

	ledger_status(world_node(w, id)->l, w->now, &st);
	return st;
}

/* Proposes a command; its first byte tells it apart for people only. */
static inline int world_propose(struct world *w, uint32_t id, size_t len)
{
	struct node *n = world_node(w, id);
	_cleanup_(mem_freep) char *data = mem_alloc0(len + 1);
	ledger_effects out = { 0 };
	struct proposed p = { 0 };
	int rc = ledger_propose(n->l, data, len, world_wall(w, n), &p.id, &out, NULL);

	take_effects(w, n, &out);
	if (rc == 0)
		vec_push(&w->proposed, p);
	return rc;
}

static inline int world_init(struct world *w, uint32_t id)
{
	ledger_effects out = { 0 };
	int rc = ledger_init(world_node(w, id)->l, world_id(w), world_wall(w, world_node(w, id)),
			     &out, NULL);

	take_effects(w, world_node(w, id), &out);
	return rc;
}

static inline int world_join(struct world *w, uint32_t id)
{
	ledger_effects out = { 0 };
	int rc = ledger_join(world_node(w, id)->l, &out, NULL);

	take_effects(w, world_node(w, id), &out);
	return rc;
}

static inline bool all_caught_up(struct world *w, unsigned int mask)
{
	for (size_t i = 0; i < w->n; i++) {
		struct ledger_status st;

		if (!(mask & (1u << i)) || !w->nodes[i].l)
			continue;
		st = world_status(w, (uint32_t)i + 1);
		if (!st.open || !st.caught_up || st.role != LEDGER_VOTER || st.waiting > 0 ||
		    st.applied != w->facts.n)
			return false;
	}
	return true;
}

static inline void world_until_caught_up(struct world *w, unsigned int mask, int64_t within_us)
{
	int64_t end = w->now.us + within_us;

	world_settle(w);
	while (!all_caught_up(w, mask)) {
		if (w->now.us >= end) {
			for (size_t i = 0; i < w->n; i++) {
				struct ledger_status st = { 0 };

				if (!w->nodes[i].l)
					continue;
				st = world_status(w, (uint32_t)i + 1);
				print_message("n%zu: %s open %d caught up %d term %lu committed "
					      "%lu/%lu applied %lu "
					      "leader %u waiting %zu: %s\n",
					      i + 1, ledger_role_text(st.role), st.open,
					      st.caught_up, (unsigned long)st.term,
					      (unsigned long)st.committed, (unsigned long)st.last,
					      (unsigned long)st.applied, st.leader, st.waiting,
					      st.why_not_open);
			}
			world_fail(w, "not all have caught up within %ld ms: %s",
				   (long)(within_us / 1000), w->alarm);
		}
		world_run(w, LEDGER_TICK_US);
	}
}

/* A cluster of @n voters on one ring, open and caught up; it keeps @log_entries (0: the usual). */
static inline struct world *world_cluster_with(uint64_t seed, size_t n, uint64_t log_entries)
{
	struct world *w = world_new(seed, n);

	w->log_entries = log_entries;
	world_ring(w, ALL_NODES(n), false);
	for (uint32_t id = 1; id <= n; id++)
		world_boot(w, id);
	world_settle(w);
	assert_int_equal(world_init(w, 1), 0);
	world_run(w, US_PER_S);
	for (uint32_t id = 2; id <= n; id++)
		assert_int_equal(world_join(w, id), 0);
	world_until_caught_up(w, ALL_NODES(n), 30 * US_PER_S);
	assert_int_equal(w->alarms, 0);
	return w;
}

static inline struct world *world_cluster(uint64_t seed, size_t n)
{
	return world_cluster_with(seed, n, 0);
}

#endif
