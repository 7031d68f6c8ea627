/* SPDX-License-Identifier: Apache-2.0
 * The engine: what comes up from the order, the disk and the driver goes through the ledger's step function; what is
 * committed is applied; then, once a turn of the loop, this node does what the model now orders of it. */
#include "engine/engine_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_RETRY_US	(1 * US_PER_MS)		/* the order controls its flow: it frees places within a rotation of the token */
#define SILENT_TICKS	10
#define OPEN_WAIT_US	(50 * US_PER_MS)
#define OPEN_RETRY_US	(1 * US_PER_S)
#define TRANSFERS_MAX	32			/* messages of entries that wait to be sent: one megabyte */
#define CLOCK_SLOWER	8			/* ledger time ahead of the wall clocks loses one part of so many */

void engine_log(struct engine *e, int priority, const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (!e->parts.log)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	e->parts.log(e->parts.log_ctx, priority, text);
}

bool command_id_equal(const struct command_id *a, const struct command_id *b)
{
	return a->node == b->node && a->nonce == b->nonce && id_equal(&a->incarnation, &b->incarnation);
}

bool engine_current(struct engine *e)
{
	struct ledger_status s;

	if (!e->ledger)
		return false;
	ledger_status(e->ledger, env_now(&e->parts.env), &s);
	return s.role == LEDGER_VOTER && s.open && s.quorate && s.caught_up;
}

/*
 * The wall clocks may be behind ledger time: they were set back. Then it goes on from when it changed last here, or nothing that
 * waits for a time would happen before they have caught up. A little slower than they, so that they do some day.
 */
struct wall engine_clock(struct engine *e)
{
	struct wall wall = env_wall(&e->parts.env);
	int64_t since = mono_diff_us(env_now(&e->parts.env), e->agreed_at);
	int64_t agreed = e->agreed_us + since - since / CLOCK_SLOWER;

	return e->agreed_us && agreed > wall.us ? (struct wall){ agreed } : wall;
}

static void note_time(struct engine *e)
{
	if (state_model(e->state)->time_us == e->agreed_us)
		return;
	e->agreed_us = state_model(e->state)->time_us;
	e->agreed_at = env_now(&e->parts.env);
}

/* ---- sending ---- */

static void queue_empty(message_queue *q)
{
	struct buf *b;

	vec_each(b, q)
		buf_free(b);
	vec_clear(q);
}

static void queues_empty(struct engine *e)
{
	for (int c = 0; c < LEDGER_CLASS_MAX; c++)
		queue_empty(&e->queue[c]);
}

/* The one place from which messages leave. False: the order takes no more now. */
static bool send_all(struct engine *e, message_queue *q)
{
	const struct order *o = &e->parts.order;
	size_t sent = 0;

	while (sent < q->n && o->ops->send(o->order, q->v[sent].data, q->v[sent].len) != -EAGAIN)
		buf_free(&q->v[sent++]);
	vec_cut(q, 0, sent);
	return !q->n;
}

static void flush(void *ctx)
{
	struct engine *e = ctx;

	for (int c = 0; c < LEDGER_CLASS_MAX; c++)
		if (!send_all(e, &e->queue[c])) {
			env_timer(&e->parts.env, &e->flush, FLUSH_RETRY_US, flush, e);
			return;
		}
}

/* ---- applying ---- */

static void applied(struct engine *e, const struct ledger_entry *entry)
{
	struct state_result r = state_apply(e->state, entry);

	note_time(e);
	if (!r.fresh)
		return;
	e->look = true;
	if (r.err.code)
		engine_log(e, 7, "command at %llu refused: %s", (unsigned long long)entry->index, r.err.text);
	request_applied(e, entry, &r.err);
	decide_applied(e, &entry->id, &r.err);
	if (command_id_equal(&entry->id, &e->facts))
		e->facts.node = 0;
}

/* Events have no gaps in their numbers, so the new ones are the last so many. */
static void log_events(struct engine *e)
{
	const struct model *m = state_model(e->state);
	uint64_t fresh = m->events.n ? m->events.v[m->events.n - 1].seq - e->logged_event : 0;

	for (size_t i = fresh < m->events.n ? m->events.n - (size_t)fresh : 0; i < m->events.n; i++)
		engine_log(e, 6, "%s: %s", m->events.v[i].subject, m->events.v[i].text);
	e->logged_event += fresh;
}

/* ---- the ledger's effects ---- */

static void written(void *ctx, const struct err *err)
{
	struct engine *e = ctx;
	ledger_effects out = { 0 };

	ledger_written(e->ledger, err, env_now(&e->parts.env), &out);
	engine_run(e, &out);
}

/*
 * While the order takes nothing, old ticks would gather and then say that we have been alive all the time, so only the newest is kept;
 * and a few words of one who catches up could make us gather megabytes: it asks again for what was dropped.
 */
static void effect_send(struct engine *e, struct ledger_effect *f)
{
	message_queue *q = &e->queue[f->class];

	if (f->class == LEDGER_CLASS_TICK)
		queue_empty(q);
	if (f->class == LEDGER_CLASS_TRANSFER && q->n >= TRANSFERS_MAX)
		return;
	vec_push(q, f->data);
	f->data = (struct buf){ 0 };
}

static void effect_write(struct engine *e, struct ledger_effect *f)
{
	e->parts.store.ops->write(e->parts.store.store, &f->write, written, e);
}

static void effect_apply(struct engine *e, struct ledger_effect *f)
{
	if (e->news.applied)
		e->news.applied(e->news_ctx, f->entry);
	applied(e, f->entry);
}

/* Not at once: the ledger must not be called while its entries are being applied. */
static void effect_snapshot(struct engine *e, struct ledger_effect *f)
{
	(void)f;
	e->snapshot_due = true;
}

/*
 * What cannot be read was written by a newer version, say. Nothing that follows is carried out, the write of that snapshot least of
 * all: the store stays as it was.
 */
static void effect_restore(struct engine *e, struct ledger_effect *f)
{
	struct state *s;
	struct err err = { 0 };
	uint64_t index;

	if (state_in(f->state, f->state_len, &s, &err) < 0) {
		e->stuck = true;
		e->news.failed(e->news_ctx, &err);
		return;
	}
	state_replace(e->state, s);
	note_time(e);
	e->look = true;
	request_restored(e);
	decide_restored(e);
	if (e->facts.node && state_outcome(e->state, &e->facts, &err, &index))
		e->facts.node = 0;
}

static void effect_changed(struct engine *e, struct ledger_effect *f)
{
	(void)f;
	engine_turn_soon(e);
}

static void effect_alarm(struct engine *e, struct ledger_effect *f)
{
	engine_log(e, 3, "ledger: %s", f->text);
}

static void (*const effects[])(struct engine *, struct ledger_effect *) = {
	[LEDGER_SEND] = effect_send,	   [LEDGER_WRITE] = effect_write, [LEDGER_APPLY] = effect_apply,
	[LEDGER_CHANGED] = effect_changed, [LEDGER_ALARM] = effect_alarm,   [LEDGER_SNAPSHOT] = effect_snapshot,
	[LEDGER_RESTORE] = effect_restore,
};

static void give_snapshot(struct engine *e)
{
	ledger_effects out = { 0 };
	struct buf state = { 0 };

	e->snapshot_due = false;
	state_out(e->state, &state);
	ledger_snapshot(e->ledger, state.data, state.len, env_now(&e->parts.env), &out);
	buf_free(&state);
	engine_run(e, &out);
}

void engine_run(struct engine *e, ledger_effects *out)
{
	struct ledger_effect *f;

	vec_each(f, out)
		if (!e->stuck)
			effects[f->kind](e, f);
	if (out->n)
		engine_turn_soon(e);
	ledger_effects_free(out);
	if (e->snapshot_due)
		give_snapshot(e);
	flush(e);
}

struct command_id engine_propose(struct engine *e, const struct command *c, struct err *ret_err)
{
	struct command_id id = { 0 };
	struct buf data = { 0 };
	ledger_effects out = { 0 };

	if (!e->ledger) {
		err_set(ret_err, -EAGAIN, "the ledger is not there yet");
		return id;
	}
	command_out(c, &data);
	if (ledger_propose(e->ledger, data.data, data.len, engine_clock(e), &id, &out, ret_err) < 0)
		id = (struct command_id){ 0 };
	buf_free(&data);
	engine_run(e, &out);
	return id;
}

/* ---- the turn ---- */

static void report_facts(struct engine *e)
{
	const struct node *n = model_node(state_model(e->state), e->node);
	struct command c = { .kind = CMD_REPORT_FACTS, .node = e->node, .memory_mib = e->conf.memory_mib, .cpus = e->conf.cpus };
	struct err err;

	if (!n || e->facts.node || (n->memory_mib == e->conf.memory_mib && n->cpus == e->conf.cpus))
		return;
	e->facts = engine_propose(e, &c, &err);
}

static void turn(void *ctx)
{
	struct engine *e = ctx;
	bool current = engine_current(e);

	log_events(e);
	request_tell(e);
	if (current) {
		report_facts(e);
		exec_sync(e->exec, e->node);
	} else if (e->was_current) {
		exec_gate_closed(e->exec);
	}
	e->was_current = current;
	decide_turn(e);
	if (e->watch)
		e->watch(e->watch_ctx);
}

void engine_turn_soon(struct engine *e)
{
	if (!e->turn)
		env_defer(&e->parts.env, &e->turn, turn, e);
}

static void tick(void *ctx)
{
	struct engine *e = ctx;
	ledger_effects out = { 0 };

	env_timer(&e->parts.env, &e->tick, LEDGER_TICK_US, tick, e);
	if (!e->ledger)
		return;
	ledger_tick(e->ledger, env_now(&e->parts.env), engine_clock(e), &out);
	engine_run(e, &out);
}

/* ---- coming up ---- */

static uint64_t first_nonce(struct engine *e)
{
	uint32_t life = 0;

	while (!life)
		env_random(&e->parts.env, &life, sizeof(life));
	return (uint64_t)life << 32;
}

/* The ledger comes to be when the store is read and the order has said who we are. What was committed already is applied at once. */
static void make_ledger(struct engine *e)
{
	struct ledger_conf conf = { .node = e->node, .incarnation = e->conf.incarnation, .first_nonce = first_nonce(e),
				    .silent_ticks = SILENT_TICKS, .open_wait_us = OPEN_WAIT_US, .retry_us = OPEN_RETRY_US,
				    .log_entries = e->conf.log_entries };
	const struct model *m = state_model(e->state);
	ledger_effects out = { 0 };

	STRCPY(conf.name, e->node_name);
	e->ledger = ledger_new(&conf, &e->image);
	ledger_replay(e->ledger, &out);
	/* It has no clock of its own: with its first tick it knows the time that its first STATE will carry. */
	ledger_tick(e->ledger, env_now(&e->parts.env), engine_clock(e), &out);
	engine_run(e, &out);
	e->logged_event = m->events.n ? m->events.v[m->events.n - 1].seq : 0;
}

static void learn_node(struct engine *e)
{
	uint32_t node = e->parts.order.ops->node(e->parts.order.order);
	const char *name = e->parts.order.ops->node_name(e->parts.order.order, node);
	struct err err;

	if (!node || node == e->node)
		return;
	if (e->ledger) {
		err_set(&err, -EINVAL, "corosync's node id changed from %u to %u: restart the agent", e->node, node);
		e->news.failed(e->news_ctx, &err);
		return;
	}
	e->node = node;
	if (!name || STRCPY(e->node_name, name) < 0)
		snprintf(e->node_name, sizeof(e->node_name), "node%u", node);
}

static void follow_view(struct engine *e)
{
	ledger_effects out = { 0 };

	learn_node(e);
	if (!e->loaded || !e->node)
		return;
	if (!e->ledger)
		make_ledger(e);
	queues_empty(e);
	ledger_view(e->ledger, membership_view(e->membership), membership_quorate(e->membership), env_now(&e->parts.env), &out);
	engine_run(e, &out);
}

static void follow_gate(struct engine *e)
{
	ledger_effects out = { 0 };

	if (!e->ledger)
		return;
	ledger_gate(e->ledger, membership_quorate(e->membership), env_now(&e->parts.env), &out);
	engine_run(e, &out);
}

static void loaded(void *ctx, struct ledger_image *image, const struct err *err)
{
	struct engine *e = ctx;

	if (err->code) {
		e->news.failed(e->news_ctx, err);
		return;
	}
	e->image = *image;
	e->loaded = true;
	e->news.ready(e->news_ctx);
	if (membership_view(e->membership))
		follow_view(e);
}

/* ---- upcalls of the order ---- */

static void membership_changed(struct engine *e, enum membership_change change)
{
	if (change == MEMBERSHIP_VIEW || change == MEMBERSHIP_GONE)
		follow_view(e);
	else if (change == MEMBERSHIP_GATE)
		follow_gate(e);
	if (change != MEMBERSHIP_NONE)
		engine_turn_soon(e);
}

static void on_group(void *ctx, const struct order_member *members, size_t n, bool ring_follows)
{
	struct engine *e = ctx;

	e->away[0] = '\0';
	membership_changed(e, membership_group(e->membership, members, n, ring_follows));
}

static void on_ring(void *ctx, const struct order_ring *ring, const uint32_t *nodes, size_t n)
{
	struct engine *e = ctx;

	membership_changed(e, membership_ring(e->membership, ring, nodes, n));
}

static void on_quorum(void *ctx, const struct order_ring *ring, bool quorate)
{
	struct engine *e = ctx;

	membership_changed(e, membership_quorum(e->membership, ring, quorate));
}

static void on_message(void *ctx, struct order_member from, const void *data, size_t len)
{
	struct engine *e = ctx;
	ledger_effects out = { 0 };

	if (!e->ledger)
		return;
	ledger_message(e->ledger, from.node, data, len, env_now(&e->parts.env), &out);
	engine_run(e, &out);
}

static void on_lost(void *ctx, const char *why)
{
	struct engine *e = ctx;

	STRCPY(e->away, why);
	membership_changed(e, membership_lost(e->membership));
}

const struct order_events engine_order_events = {
	.group = on_group, .ring = on_ring, .quorum = on_quorum, .message = on_message, .lost = on_lost
};

/* ---- upcalls of the driver and of the executor ---- */

static void on_domain(void *ctx, struct domain *domain, enum domain_event event, const char *why)
{
	exec_domain_event(((struct engine *)ctx)->exec, domain, event, why);
}

static void on_found(void *ctx, struct domain *domain)
{
	exec_domain_found(((struct engine *)ctx)->exec, domain);
}

static void on_adopted(void *ctx)
{
	struct engine *e = ctx;

	e->not_adopted[0] = '\0';
	exec_domains_adopted(e->exec);
}

static void on_cannot_adopt(void *ctx, const char *why)
{
	struct engine *e = ctx;

	if (strcmp(e->not_adopted, why))
		engine_log(e, 3, "cannot tell which guests run here, so none is started or ended: %s", why);
	STRCPY(e->not_adopted, why);
}

const struct driver_events engine_driver_events = { .event = on_domain, .found = on_found, .adopted = on_adopted,
						    .cannot_adopt = on_cannot_adopt };

static void exec_report(void *ctx, const struct command *c)
{
	struct err err = { 0 };

	if (!engine_propose(ctx, c, &err).node)
		engine_log(ctx, 3, "a report cannot be proposed: %s", err.text);
}

static bool exec_gate(void *ctx)
{
	return engine_current(ctx);
}

static int64_t exec_ledger_us(void *ctx)
{
	struct engine *e = ctx;

	return ledger_time(e->ledger, engine_clock(e)).us;
}

static const char *exec_address(void *ctx)
{
	struct engine *e = ctx;

	return e->parts.order.ops->node_address(e->parts.order.order, e->node);
}

static void exec_moved(void *ctx)
{
	engine_turn_soon(ctx);
}

static void exec_log_line(void *ctx, int priority, const char *text)
{
	engine_log(ctx, priority, "%s", text);
}

static const struct exec_events exec_events = { .report = exec_report, .may_run = exec_gate, .ledger_us = exec_ledger_us, .address = exec_address,
						.moved = exec_moved, .log = exec_log_line };

struct engine *engine_new(const struct engine_conf *conf)
{
	struct engine *e = mem_new(struct engine);

	e->conf = *conf;
	e->membership = membership_new();
	e->state = state_new();
	STRCPY(e->away, "corosync does not answer");
	return e;
}

void engine_start(struct engine *e, const struct engine_parts *parts, const struct engine_news *news, void *ctx)
{
	struct exec_conf exec = { .env = parts->env, .storage = parts->storage, .driver = parts->driver, .fence = parts->fence,
				  .model = state_model(e->state), .incarnation = e->conf.incarnation, .events = &exec_events, .ctx = e };

	e->parts = *parts;
	e->news = *news;
	e->news_ctx = ctx;
	e->exec = exec_new(&exec);
	e->parts.store.ops->load(e->parts.store.store, loaded, e);
	exec_adopt(e->exec);
	tick(e);
}

/* What was read and never handed on. */
static void image_free(struct ledger_image *image)
{
	struct ledger_entry *entry;

	vec_each(entry, &image->entries)
		free(entry->data);
	vec_free(&image->entries);
	mem_freep(&image->snapshot.data);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	env_cancel(&e->parts.env, &e->tick);
	env_cancel(&e->parts.env, &e->turn);
	env_cancel(&e->parts.env, &e->flush);
	env_cancel(&e->parts.env, &e->decide_again);
	queues_empty(e);
	for (int c = 0; c < LEDGER_CLASS_MAX; c++)
		vec_free(&e->queue[c]);
	exec_free(e->exec);
	if (!e->ledger)
		image_free(&e->image);
	ledger_free(e->ledger);
	state_free(e->state);
	membership_free(e->membership);
	vec_free(&e->waiters);
	vec_free(&e->deciding);
	free(e);
}
