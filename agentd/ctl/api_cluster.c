/* SPDX-License-Identifier: Apache-2.0
 * Methods about the cluster as a whole: status, init, join, what became of an order. */
#include "api_priv.h"

#include <stdio.h>

static void voters_json(struct api *api, struct jsonw *j)
{
	const struct ledger_voters *voters = engine_voters(api->engine);

	jsonw_array(j);
	for (size_t i = 0; i < voters->n; i++) {
		jsonw_object(j);
		jsonw_kv_str(j, "name", voters->v[i].name);
		jsonw_kv_u64(j, "votes", voters->v[i].votes);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void ledger_json(struct api *api, const struct engine_status *s, struct jsonw *j)
{
	const struct model *m = engine_model(api->engine);
	char digest[65];

	jsonw_kv_u64(j, "applied", s->ledger.applied);
	jsonw_kv_str(j, "cluster", m->cluster);
	jsonw_kv_u64(j, "committed", s->ledger.committed);
	jsonw_kv_bool(j, "current", s->current);
	jsonw_kv_str(j, "digest", engine_digest(api->engine, digest));
	jsonw_kv_u64(j, "id", s->node);
	api_node_json(j, "leader", m, s->ledger.leader);
	jsonw_kv_str(j, "node", s->node_name);
	jsonw_kv_bool(j, "open", s->ledger.open);
	jsonw_kv_bool(j, "quorate", s->ledger.quorate);
	jsonw_kv_str(j, "role", ledger_role_text(s->ledger.role));
	jsonw_kv_u64(j, "term", m->term);
	jsonw_key(j, "voters");
	voters_json(api, j);
	jsonw_kv_u64(j, "waiting", s->ledger.waiting);
	jsonw_kv_str(j, "why_not", s->why_not);
}

/* What an operation is about, for people. */
static void operation_subject(const struct model *m, const struct operation *op, char *ret,
			      size_t size)
{
	if (op->guest[0])
		snprintf(ret, size, "%s", op->guest);
	else if (op->volume[0])
		snprintf(ret, size, "%s/%s", op->pool, op->volume);
	else
		snprintf(ret, size, "%s", op->victim ? model_node_name(m, op->victim) : "");
}

static void operations_json(const struct model *m, struct jsonw *j)
{
	char subject[2 * MODEL_NAME_MAX];
	const struct operation *op;
	struct map_iter it = { 0 };

	jsonw_array(j);
	while ((op = map_next(m->operations, &it))) {
		operation_subject(m, op, subject, sizeof(subject));
		jsonw_object(j);
		jsonw_kv_i64(j, "deadline_us", op->deadline_us);
		jsonw_kv_u64(j, "id", op->id);
		jsonw_kv_str(j, "kind", op_kind_text(op->kind));
		api_node_json(j, "node", m, op->node);
		jsonw_kv_str(j, "subject", subject);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

/* A node whose disk hangs or has failed can tell nobody but those who ask it: so the others tell. */
static void silent_alarm(struct api *api, uint32_t node, struct jsonw *j)
{
	char text[MODEL_NAME_MAX + 80];

	snprintf(text, sizeof(text), "%s is silent: its agent or its disk hangs: see its log",
		 model_node_name(engine_model(api->engine), node));
	jsonw_str(j, text);
}

/* Any node may have to fence any other. */
static void fence_alarm(struct api *api, const struct engine_status *s, const struct node *victim,
			struct jsonw *j)
{
	char text[2 * ERR_TEXT_MAX];
	struct err err = { 0 };

	if (!victim->fence_agent[0] || victim->id == s->node ||
	    engine_fence_agent(api->engine, victim->fence_agent, &err) == 0)
		return;
	snprintf(text, sizeof(text), "%s cannot fence %s: %s", s->node_name, victim->name,
		 err.text);
	jsonw_str(j, text);
}

static void alarms_json(struct api *api, const struct engine_status *s, struct jsonw *j)
{
	struct map_iter it = { 0 };
	const struct node *n;
	const char *own;
	size_t n_own = 0;

	jsonw_array(j);
	while ((own = engine_alarm(api->engine, n_own))) {
		jsonw_str(j, own);
		n_own++;
	}
	for (size_t i = 0; i < s->ledger.n_silent; i++)
		if (s->ledger.silent[i] != s->node || !n_own)
			silent_alarm(api, s->ledger.silent[i], j);
	while ((n = map_next(engine_model(api->engine)->nodes, &it)))
		fence_alarm(api, s, n, j);
	jsonw_array_end(j);
}

void api_status(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct engine_status s;
	struct jsonw *j = call_result(call);

	engine_status(api->engine, &s);
	jsonw_object(j);
	jsonw_key(j, "alarms");
	alarms_json(api, &s, j);
	ledger_json(api, &s, j);
	jsonw_key(j, "guests");
	api_guests_json(api, j);
	jsonw_key(j, "nodes");
	api_nodes_json(api, j);
	jsonw_key(j, "operations");
	operations_json(engine_model(api->engine), j);
	jsonw_object_end(j);
	call_answer(call);
}

/* Of init and join: this node is a voter, and knows what the cluster knows. */
static bool member_ready(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct engine_status s;
	struct jsonw *j;

	engine_status(api->engine, &s);
	/* Of init, which has a name for it: it is applied after the cluster has opened. */
	if (call->params.name[0] && !engine_model(api->engine)->cluster[0])
		return false;
	if (s.ledger.role != LEDGER_VOTER || !s.current)
		return false;
	j = call_result(call);
	jsonw_object(j);
	jsonw_kv_str(j, "cluster", engine_model(api->engine)->cluster);
	jsonw_kv_str(j, "node", s.node_name);
	jsonw_object_end(j);
	call_answer(call);
	return true;
}

static void member_late(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct engine_status s;

	engine_status(api->engine, &s);
	call_fail(call, REPLY_UNKNOWN, "not done after %d s, going on (%s): see: domus status",
		  PROTO_ORDER_MS / 1000, s.why_not);
}

static void member_wait(struct api *api, struct call *call, int r, const struct err *err)
{
	if (r < 0) {
		call_fail(call, reply_code_of_errno(r), "%s", err->text);
		return;
	}
	if (member_ready(api, call))
		return;
	call->ready = member_ready;
	call_wait(call, PROTO_ORDER_MS, member_late);
}

void api_cluster_init(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct err err = { 0 };

	member_wait(api, call, engine_cluster_init(api->engine, call->params.name, &err), &err);
}

void api_cluster_join(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct err err = { 0 };

	member_wait(api, call, engine_cluster_join(api->engine, &err), &err);
}

void api_request_outcome(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct command_id id;
	struct err err = { 0 };
	uint64_t index = 0;
	struct jsonw *j;
	int r;

	if (api_order_parse(call->params.id, &id) < 0) {
		call_fail(call, REPLY_BAD_REQUEST,
			  "request: not an id: NODE:UUID:NUMBER is wanted");
		return;
	}
	r = engine_outcome(api->engine, &id, &err, &index);
	if (r < 0) {
		call_fail(call, REPLY_NOT_FOUND, "request: too old to tell");
		return;
	}
	if (r > 0 && err.code) {
		call_fail_err(call, &err);
		return;
	}
	j = call_result(call);
	jsonw_object(j);
	jsonw_kv_u64(j, "index", index);
	jsonw_kv_str(j, "outcome", r > 0 ? "applied" : "not-seen");
	jsonw_object_end(j);
	call_answer(call);
}
