/* SPDX-License-Identifier: Apache-2.0
 * Methods about what has happened: events, waiting for the next, why a guest is where it is. */
#include "api_priv.h"

#include "base/mem.h"

#define EVENTS_USUAL  50 /* without `max` */
#define WAIT_USUAL_MS 20000

static uint64_t last_event(const struct model *m)
{
	return m->events.n ? m->events.v[m->events.n - 1].seq : 0;
}

static void event_json(const struct event *ev, struct jsonw *j)
{
	jsonw_object(j);
	jsonw_kv_u64(j, "index", ev->index);
	jsonw_kv_u64(j, "seq", ev->seq);
	jsonw_kv_str(j, "subject", ev->subject);
	jsonw_kv_str(j, "text", ev->text);
	jsonw_kv_i64(j, "time_us", ev->time_us);
	jsonw_object_end(j);
}

/* After @after, the oldest first, at most @max; without @after the newest @max. */
static void events_json(const struct model *m, uint64_t after, size_t max, struct jsonw *j)
{
	size_t i = 0, n = m->events.n;
	uint64_t last;

	if (after == PARAMS_NOT_GIVEN)
		i = n > max ? n - max : 0;
	else
		while (i < n && m->events.v[i].seq <= after)
			i++;
	if (n - i > max)
		n = i + max;
	last = i < n ? m->events.v[n - 1].seq : last_event(m);
	jsonw_object(j);
	jsonw_key(j, "events");
	jsonw_array(j);
	for (; i < n; i++)
		event_json(&m->events.v[i], j);
	jsonw_array_end(j);
	jsonw_kv_u64(j, "last", last);
	jsonw_object_end(j);
}

static void answer_events(struct api *api, struct call *call)
{
	uint64_t max = call->params.max ? call->params.max : EVENTS_USUAL;

	events_json(engine_model(api->engine), call->params.after, (size_t)max, call_result(call));
	call_answer(call);
}

void api_events(void *ctx, struct call *call)
{
	answer_events(ctx, call);
}

/* What of the ledger's status makes people look up: whether it is current, and who leads. */
static void ledger_seen(struct api *api, uint64_t ret[static 2])
{
	struct engine_status s;

	engine_status(api->engine, &s);
	ret[0] = s.ledger.term;
	ret[1] = (uint64_t)s.ledger.leader << 8 | (uint64_t)s.ledger.role << 2 |
		 (uint64_t)s.ledger.open << 1 | (uint64_t)s.current;
}

static bool events_ready(void *ctx, struct call *call)
{
	struct api *api = ctx;
	const struct model *m = engine_model(api->engine);
	uint64_t seen[2];

	ledger_seen(api, seen);
	if (last_event(m) <= call->params.after &&
	    !(call->params.index && m->index > call->params.index) && seen[0] == call->seen[0] &&
	    seen[1] == call->seen[1])
		return false;
	answer_events(api, call);
	return true;
}

static void events_late(void *ctx, struct call *call)
{
	answer_events(ctx, call);
}

void api_events_wait(void *ctx, struct call *call)
{
	uint64_t ms = call->params.timeout_ms ? call->params.timeout_ms : WAIT_USUAL_MS;

	ledger_seen(ctx, call->seen);
	if (events_ready(ctx, call))
		return;
	call->ready = events_ready;
	call_wait(call, (int64_t)ms, events_late);
}

void api_why(void *ctx, struct call *call)
{
	struct api *api = ctx;
	const struct guest *g = api_guest(api, call);
	const struct reason *r;
	struct jsonw *j;

	if (!g)
		return;
	j = call_result(call);
	jsonw_object(j);
	jsonw_kv_str(j, "desired", desired_text(g->desired));
	jsonw_kv_str(j, "name", g->name);
	api_node_json(j, "node", engine_model(api->engine), g->owner.node);
	jsonw_key(j, "reasons");
	jsonw_array(j);
	vec_each(r, &g->reasons)
		api_reason_json(j, r);
	jsonw_array_end(j);
	jsonw_kv_str(j, "state", guest_state_text(g->state));
	jsonw_object_end(j);
	call_answer(call);
}
