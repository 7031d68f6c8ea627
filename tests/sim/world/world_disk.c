/* SPDX-License-Identifier: Apache-2.0
 * The world's disks: a store as SQLite keeps it (WAL, synchronous=FULL), where a transaction is there whole or not at
 * all, and disks that are slow, full, broken, wiped, set back or that lie. */
#include "world_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One transaction on its way. */
struct disk_write {
	struct ledger_image delta;	/* entries and snapshot owned */
	uint64_t truncate_from;
	store_written_fn *done;
	void *ctx;
};

static struct ledger_snapshot snapshot_copy(const struct ledger_snapshot *s)
{
	struct ledger_snapshot copy = *s;

	copy.data = mem_dup(s->data, s->len);
	return copy;
}

static struct ledger_entry entry_copy(const struct ledger_entry *e)
{
	struct ledger_entry copy = *e;

	copy.data = mem_dup(e->data, e->len);
	return copy;
}

static void entries_free(ledger_entries *entries)
{
	struct ledger_entry *e;

	vec_each(e, entries)
		free(e->data);
	vec_free(entries);
}

static void image_free(struct ledger_image *image)
{
	entries_free(&image->entries);
	free(image->snapshot.data);
}

/* ---- what is on it ---- */

static void undo_free(struct disk_undo *undo)
{
	entries_free(&undo->cut);
	entries_free(&undo->dropped);
	free(undo->snapshot.data);
}

static void truncate_from(struct ledger_image *on, uint64_t index, struct disk_undo *undo)
{
	while (on->entries.n && on->entries.v[on->entries.n - 1].index >= index)
		vec_push(&undo->cut, on->entries.v[--on->entries.n]);
}

/* @snapshot takes the place of the one before, and of the entries that it stands for. */
static void compact(struct ledger_image *on, struct ledger_snapshot *snapshot, struct disk_undo *undo)
{
	size_t n = 0;

	assert(snapshot->index > on->snapshot.index);
	while (n < on->entries.n && on->entries.v[n].index <= snapshot->index)
		vec_push(&undo->dropped, on->entries.v[n++]);
	vec_cut(&on->entries, 0, n);
	undo->compacted = true;
	undo->snapshot = on->snapshot;
	on->snapshot = *snapshot;
	snapshot->data = NULL;
}

static void append(struct ledger_image *on, ledger_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		assert(entries->v[i].index == on->snapshot.index + on->entries.n + 1);
		vec_push(&on->entries, entries->v[i]);
	}
	vec_clear(entries);
}

static void note_undo(struct world_disk *d, const struct disk_undo *undo)
{
	if (d->history.n == DISK_HISTORY_MAX) {
		undo_free(&d->history.v[0]);
		vec_remove(&d->history, 0);
		d->solid -= d->solid > 0;
		d->honest -= d->honest > 0;
	}
	vec_push(&d->history, *undo);
}

static void commit(struct world_disk *d, struct disk_write *dw)
{
	struct ledger_image *on = &d->image;
	struct disk_undo undo = { .cluster = on->cluster, .promised = on->promised, .committed = on->committed };

	if (!id_is_none(&dw->delta.cluster))
		on->cluster = dw->delta.cluster;
	if (dw->delta.promised)
		on->promised = dw->delta.promised;
	if (dw->truncate_from)
		truncate_from(on, dw->truncate_from, &undo);
	if (dw->delta.snapshot.index)
		compact(on, &dw->delta.snapshot, &undo);
	undo.kept = on->entries.n;
	append(on, &dw->delta.entries);
	if (dw->delta.committed)
		on->committed = dw->delta.committed;
	assert(on->committed >= on->snapshot.index);
	note_undo(d, &undo);
}

/* The entries that it stood for are there again, below those that were kept. */
static void undo_compact(struct ledger_image *on, struct disk_undo *undo)
{
	struct ledger_entry *e;

	vec_each(e, &on->entries)
		vec_push(&undo->dropped, *e);
	vec_free(&on->entries);
	on->entries = undo->dropped;
	memset(&undo->dropped, 0, sizeof(undo->dropped));
	free(on->snapshot.data);
	on->snapshot = undo->snapshot;
	undo->snapshot.data = NULL;
}

static void undo_last(struct world_disk *d)
{
	struct disk_undo *undo = &d->history.v[--d->history.n];
	struct ledger_image *on = &d->image;

	on->cluster = undo->cluster;
	on->promised = undo->promised;
	on->committed = undo->committed;
	while (on->entries.n > undo->kept)
		free(on->entries.v[--on->entries.n].data);
	if (undo->compacted)
		undo_compact(on, undo);
	while (undo->cut.n)
		vec_push(&on->entries, undo->cut.v[--undo->cut.n]);
	undo_free(undo);
}

/* Undoes the last @n transactions, though none of the first @floor; says how many those were. */
static size_t undo_some(struct world_disk *d, size_t n, size_t floor)
{
	size_t undone = 0;

	for (; undone < n && d->history.n > floor; undone++)
		undo_last(d);
	if (d->solid > d->history.n)
		d->solid = d->history.n;
	return undone;
}

static void history_free(struct world_disk *d)
{
	struct disk_undo *undo;

	vec_each(undo, &d->history)
		undo_free(undo);
	vec_free(&d->history);
	d->solid = d->honest = 0;
}

/* ---- its writes ---- */

static void start_first(struct world_node *n);

static void write_free(struct disk_write *dw)
{
	image_free(&dw->delta);
	free(dw);
}

static const struct {
	int code;
	const char *text;
} failures[] = {
	[WORLD_DISK_FULL] = { -ENOSPC, "the simulated disk is full" },
	[WORLD_DISK_EIO] = { -EIO, "the simulated disk cannot be written" },
	[WORLD_DISK_FSYNC] = { -EIO, "the simulated disk's fsync failed" },
};

/*
 * The outcome of one transaction; a store that has failed once fails for the rest of its life (rule L2). After a failed
 * fsync the transaction stands in the page cache: a load sees it, and a power cut takes it away. The first write of the
 * next life makes durable what that has read.
 */
static struct err carry_out(struct world_disk *d, struct disk_write *dw)
{
	bool first = !d->failure.code;
	struct err fine = { 0 };

	if (first && d->fault != WORLD_DISK_WELL)
		err_set(&d->failure, failures[d->fault].code, "%s", failures[d->fault].text);
	if (d->failure.code) {
		if (first && d->fault == WORLD_DISK_FSYNC)
			commit(d, dw);
		return d->failure;
	}
	commit(d, dw);
	d->solid = d->history.n;
	return fine;
}

/* Says whether the power went at this write. */
static bool cut_at(struct world_node *n, struct disk_write *dw)
{
	struct world_disk *d = &n->disk;

	if (!d->cut_in || --d->cut_in)
		return false;
	if (d->cut_kept && !d->failure.code) {
		commit(d, dw);
		d->solid = d->history.n;
	}
	write_free(dw);
	world_crash(n->w, n->id);
	return true;
}

static void write_done(void *ctx)
{
	struct world_node *n = ctx;
	struct world_disk *d = &n->disk;
	struct disk_write *dw = d->queue.v[0];
	struct err err;

	vec_remove(&d->queue, 0);
	if (cut_at(n, dw))
		return;
	err = carry_out(d, dw);
	start_first(n);
	dw->done(dw->ctx, &err);
	write_free(dw);
}

static int64_t stall_us(const struct world_node *n)
{
	int64_t us = mono_diff_us(n->disk.stalled_until, env_now(&n->w->env));

	return us > 0 ? us : 0;
}

static void start_first(struct world_node *n)
{
	if (n->disk.queue.n)
		env_timer(&n->env, &n->disk.timer, stall_us(n) + n->disk.us, write_done, n);
}

static void disk_write(void *store, const struct ledger_write *write, store_written_fn *done, void *ctx)
{
	struct world_node *n = store;
	struct disk_write *dw = mem_new(struct disk_write);

	*dw = (struct disk_write){ .truncate_from = write->truncate_from, .done = done, .ctx = ctx };
	dw->delta.cluster = write->cluster;
	dw->delta.promised = write->promised;
	dw->delta.committed = write->committed;
	dw->delta.snapshot = snapshot_copy(&write->snapshot);
	for (size_t i = 0; i < write->n_entries; i++)
		vec_push(&dw->delta.entries, entry_copy(write->entries[i]));
	vec_push(&n->disk.queue, dw);
	if (n->disk.queue.n == 1)
		start_first(n);
}

static void loaded(void *ctx)
{
	struct world_node *n = ctx;
	struct world_disk *d = &n->disk;
	struct ledger_image image = d->image;
	struct err fine = { 0 };

	memset(&image.entries, 0, sizeof(image.entries));
	image.snapshot = snapshot_copy(&d->image.snapshot);
	for (size_t i = 0; i < d->image.entries.n; i++)
		vec_push(&image.entries, entry_copy(&d->image.entries.v[i]));
	d->loaded(d->loaded_ctx, &image, &fine);
}

static void disk_load(void *store, store_loaded_fn *done, void *ctx)
{
	struct world_node *n = store;
	struct world_disk *d = &n->disk;

	d->loaded = done;
	d->loaded_ctx = ctx;
	env_timer(&n->env, &d->timer, stall_us(n) + d->us, loaded, n);
}

static const struct store_ops disk_ops = { .load = disk_load, .write = disk_write };

struct store world_disk_of(struct world_node *n)
{
	return (struct store){ &disk_ops, n };
}

/* ---- an agent's, and a node's end ---- */

/*
 * What was under way is there whole or not at all, and nothing without what was before it. Where the agent alone has
 * ended it stands in the page cache.
 */
static void leave_writes(struct world_node *n)
{
	struct world_disk *d = &n->disk;
	struct disk_write **dw;
	bool there = !d->failure.code && d->fault == WORLD_DISK_WELL;

	vec_each(dw, &d->queue) {
		there = there && world_strikes(n->w, n->w->faults.disk);
		if (there)
			commit(d, *dw);
		if (there && !n->powered)
			d->solid = d->history.n;
		write_free(*dw);
	}
	vec_clear(&d->queue);
	env_cancel(&n->env, &d->timer);
}

static void note_loss(struct world_node *n, size_t lost)
{
	if (!lost)
		return;
	n->disk.doubtful = n->disk.forgot = true;
	world_befalls(n, "loses what its disk has acknowledged");
	if (!n->disk.witnessed)
		n->w->excused = true;
}

/* The record that lets it in is in force before it is committed, and may go with its view until then. */
bool world_disk_doubtful(struct world *w, uint32_t node)
{
	struct world_disk *d = &w->nodes[node].disk;
	struct engine_status s;

	if (d->doubtful && w->nodes[node].engine) {
		engine_status(w->nodes[node].engine, &s);
		d->doubtful = !(s.current && s.ledger.role == LEDGER_VOTER && s.ledger.committed == s.ledger.last);
		d->forgot = d->forgot && d->doubtful;
	}
	return d->doubtful;
}

/* Who goes may be the only one who remembers what another one's disk had acknowledged. */
static void forget_witness(struct world *w, uint32_t gone)
{
	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		if (i == gone)
			continue;
		if (world_disk_doubtful(w, i) && w->nodes[i].disk.forgot)
			w->excused = true;
		if (!w->nodes[i].agent_up)
			w->nodes[i].disk.witnessed = false;
	}
}

void world_disk_agent_ends(struct world_node *n)
{
	leave_writes(n);
	memset(&n->disk.failure, 0, sizeof(n->disk.failure));
	n->disk.witnessed = world_all_current(n->w) && world_one_ring(n->w);
	forget_witness(n->w, n->id);
}

void world_disk_power_lost(struct world_node *n)
{
	struct world_disk *d = &n->disk;
	size_t lies = d->lies;

	d->cut_in = 0;
	while (d->history.n > d->solid)
		undo_last(d);
	note_loss(n, undo_some(d, lies, d->honest));
}

void world_disk_new(struct world_node *n)
{
	n->disk.us = WORLD_DISK_US;
	n->disk.image.store = id_random(&n->w->env);
}

void world_disk_free(struct world_node *n)
{
	history_free(&n->disk);
	vec_free(&n->disk.queue);
	image_free(&n->disk.image);
}

/* ---- what tests do to it ---- */

void world_set_disk(struct world *w, uint32_t node, int64_t us)
{
	w->nodes[node].disk.us = us;
}

void world_disk_break(struct world *w, uint32_t node, enum world_disk_fault fault)
{
	w->nodes[node].disk.fault = fault;
}

void world_disk_stall(struct world *w, uint32_t node, int64_t us)
{
	struct world_node *n = &w->nodes[node];

	n->disk.stalled_until = mono_add(env_now(&w->env), us);
	if (n->disk.queue.n)
		start_first(n);
}

void world_disk_lie(struct world *w, uint32_t node, size_t n)
{
	struct world_disk *d = &w->nodes[node].disk;

	d->lies = n;
	d->honest = d->history.n;
}

void world_disk_cut(struct world *w, uint32_t node, size_t nth, bool kept)
{
	w->nodes[node].disk.cut_in = nth;
	w->nodes[node].disk.cut_kept = kept;
}

void world_disk_roll_back(struct world *w, uint32_t node, size_t n)
{
	struct world_node *at = &w->nodes[node];

	assert(!at->agent_up);
	note_loss(at, undo_some(&at->disk, n, 0));
}

/* The store that comes to be there is another one, so nobody takes its emptiness for a loss of the old one's. */
void world_disk_wipe(struct world *w, uint32_t node)
{
	struct world_node *n = &w->nodes[node];

	assert(!n->agent_up);
	history_free(&n->disk);
	image_free(&n->disk.image);
	n->disk.image = (struct ledger_image){ .store = id_random(&w->env) };
	n->disk.doubtful = true;
	n->disk.forgot = false;
	world_befalls(n, "has its disk wiped");
}

const struct ledger_image *world_disk_image(const struct world *w, uint32_t node)
{
	return &w->nodes[node].disk.image;
}

bool world_excused(const struct world *w)
{
	return w->excused;
}
