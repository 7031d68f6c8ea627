/* SPDX-License-Identifier: Apache-2.0
 * Events, reasons, failures and operations: adding, and forgetting the oldest. */
#include "record.h"

#include <string.h>

#define FAILURES_MAX 32 /* of each node: more than a specification's restart_max */

void event_add(struct model *m, const char *subject, const char *text)
{
	struct event e = { .seq = m->next_event++, .index = m->index, .time_us = m->time_us };

	STRCPY(e.subject, subject);
	STRCPY(e.text, SAY(text));
	if (m->events.n == MODEL_EVENTS_MAX)
		vec_remove(&m->events, 0);
	vec_push(&m->events, e);
}

void guest_note(struct model *m, struct guest *g, const char *text)
{
	struct reason r = { .index = m->index, .time_us = m->time_us };

	STRCPY(r.text, SAY(text));
	if (g->reasons.n == MODEL_REASONS_MAX)
		vec_remove(&g->reasons, 0);
	vec_push(&g->reasons, r);
	event_add(m, g->name, r.text);
	g->revision = m->index;
}

void node_note(struct model *m, struct node *n, const char *text)
{
	event_add(m, n->name, text);
	n->revision = m->index;
}

const char *guest_last_reason(const struct guest *g)
{
	return g->reasons.n ? g->reasons.v[g->reasons.n - 1].text : "";
}

void guest_failure(struct model *m, struct guest *g, uint32_t node, bool start)
{
	struct failure f = { .node = node, .time_us = m->time_us, .start = start };
	size_t there = 0, oldest = 0;

	for (size_t i = g->failures.n; i-- > 0;)
		if (g->failures.v[i].node == node) {
			there++;
			oldest = i;
		}
	if (there >= FAILURES_MAX)
		vec_remove(&g->failures, oldest);
	vec_push(&g->failures, f);
}

/*
 * How long each kind may take, in microseconds. A volume's content may take any time to write:
 * its executor, while it is online, is the one that is waited for. OP_SEND ends with its
 * migration, OP_STOP has the guest's own patience before.
 */
static int64_t patience(enum op_kind kind, const struct guest *g)
{
	const struct ha_conf *conf = &ha_conf_default;

	switch (kind) {
	case OP_VOLUME_CREATE:
	case OP_VOLUME_DELETE:
		return INT64_MAX;
	case OP_FENCE:
		return conf->fence_deadline_us;
	case OP_STOP:
		return conf->start_deadline_us + (g ? (int64_t)g->stop_timeout_s * US_PER_S : 0);
	default:
		return conf->start_deadline_us;
	}
}

static int64_t deadline(const struct model *m, enum op_kind kind, const struct guest *g)
{
	int64_t sum;

	if (kind == OP_SEND && g)
		return g->move.deadline_us;
	if (__builtin_add_overflow(m->time_us, patience(kind, g), &sum))
		return INT64_MAX;
	return sum;
}

struct operation *operation_add(struct model *m, enum op_kind kind, const struct owner *at)
{
	struct operation *op = mem_new(struct operation);

	op->id = m->index;
	op->kind = kind;
	op->node = at->node;
	op->incarnation = at->incarnation;
	op->epoch = at->epoch;
	op->deadline_us = deadline(m, kind, NULL);
	map_put_u64(m->operations, op->id, op);
	return op;
}

void operation_order(struct model *m, struct guest *g, enum op_kind kind, const struct owner *at)
{
	struct operation *op;

	operation_end(m, g);
	op = operation_add(m, kind, at);
	STRCPY(op->guest, g->name);
	op->deadline_us = deadline(m, kind, g);
	g->operation = op->id;
	g->revision = m->index;
}

void operations_renew(struct model *m, const struct owner *life)
{
	int64_t fresh = m->time_us + ha_conf_default.start_deadline_us;
	struct map_iter it = { 0 };
	struct operation *op;

	while ((op = map_next(m->operations, &it)))
		if (owner_is(&(struct owner){ op->node, op->incarnation, 0 }, life->node,
			     &life->incarnation) &&
		    op->deadline_us < fresh)
			op->deadline_us = fresh;
}

void operation_remove(struct model *m, uint64_t id)
{
	map_remove_u64(m->operations, id);
}

void operation_end(struct model *m, struct guest *g)
{
	operation_remove(m, g->operation);
	g->operation = 0;
	g->revision = m->index;
}
