/* SPDX-License-Identifier: Apache-2.0
 * The API's table of methods, and what all of them need: orders, look-ups, the stamp. */
#include "api_priv.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_BYTES (UINT64_C(1) << 50)	/* of a volume: 1 PiB */

#define NAME	{ "name", PARAM_NAME, PARAM_(name), true, 0, 0 }
#define NODE(p) { p, PARAM_NAME, PARAM_(node), true, 0, 0 }
#define NODE_(p) { p, PARAM_NAME, PARAM_(node), false, 0, 0 }
#define POOL	{ "pool", PARAM_NAME, PARAM_(pool), false, 0, 0 }
#define NUMBER(p, field, required, min, max) \
	{ p, PARAM_NUMBER, PARAM_(field), required, min, max }

static const struct dispatch_method methods[] = {
	{ METHOD_STATUS, {{0}}, api_status },
	{ METHOD_CLUSTER_INIT, { NAME }, api_cluster_init },
	{ METHOD_CLUSTER_JOIN, {{0}}, api_cluster_join },
	{ METHOD_NODE_LIST, {{0}}, api_node_list },
	{ METHOD_NODE_SHOW, { NODE("node") }, api_node_show },
	{ METHOD_NODE_DRAIN, { NODE("node") }, api_node_drain },
	{ METHOD_NODE_ACTIVATE, { NODE("node") }, api_node_activate },
	{ METHOD_NODE_FENCE, { NODE("node") }, api_node_fence },
	{ METHOD_NODE_CONFIRM_OFF, { NODE("node") }, api_node_confirm_off },
	{ METHOD_FENCE_SET,
	  { NODE("node"),
	    { "agent", PARAM_TEXT, PARAM_(agent), true, 0, 0 },
	    { "params", PARAM_OBJECT, PARAM_(fence), false, 0, 0 },
	    { "power_on", PARAM_BOOL, PARAM_(power_on), false, 0, 0 } },
	  api_fence_set },
	{ METHOD_FENCE_LIST, {{0}}, api_fence_list },
	{ METHOD_POOL_CREATE,
	  { NAME,
	    { "backend", PARAM_NAME, PARAM_(backend), false, 0, 0 },
	    { "path", PARAM_TEXT, PARAM_(path), true, 0, 0 } },
	  api_pool_create },
	{ METHOD_POOL_DELETE, { NAME }, api_pool_delete },
	{ METHOD_POOL_LIST, {{0}}, api_pool_list },
	{ METHOD_VOLUME_CREATE,
	  { POOL, NAME, NUMBER("size", size, true, 1, SIZE_MAX_BYTES) },
	  api_volume_create },
	{ METHOD_VOLUME_DELETE, { POOL, NAME }, api_volume_delete },
	{ METHOD_VOLUME_LIST, {{0}}, api_volume_list },
	{ METHOD_GUEST_DEFINE,
	  { { "spec", PARAM_OBJECT_OR_TEXT, PARAM_(spec), true, 0, 0 } },
	  api_guest_define },
	{ METHOD_GUEST_UNDEFINE, { NAME }, api_guest_undefine },
	{ METHOD_GUEST_LIST, {{0}}, api_guest_list },
	{ METHOD_GUEST_SHOW, { NAME }, api_guest_show },
	{ METHOD_GUEST_START, { NAME, NODE_("on") }, api_guest_start },
	{ METHOD_GUEST_STOP,
	  { NAME, { "now", PARAM_BOOL, PARAM_(now), false, 0, 0 } },
	  api_guest_stop },
	{ METHOD_GUEST_PAUSE, { NAME }, api_guest_pause },
	{ METHOD_GUEST_RESUME, { NAME }, api_guest_resume },
	{ METHOD_GUEST_MIGRATE, { NAME, NODE_("to") }, api_guest_migrate },
	{ METHOD_GUEST_CONSOLE, { NAME }, api_guest_console },
	{ METHOD_EVENTS,
	  { NUMBER("after", after, false, 0, INT64_MAX),
	    NUMBER("max", max, false, 1, PROTO_EVENTS_MAX) },
	  api_events },
	{ METHOD_EVENTS_WAIT,
	  { NUMBER("after", after, true, 0, INT64_MAX),
	    NUMBER("index", index, false, 0, INT64_MAX),
	    NUMBER("timeout_ms", timeout_ms, false, 1, PROTO_WAIT_MAX_MS) },
	  api_events_wait },
	{ METHOD_WHY, { { "guest", PARAM_NAME, PARAM_(name), true, 0, 0 } }, api_why },
	{ METHOD_REQUEST, { { "id", PARAM_TEXT, PARAM_(id), true, 0, 0 } }, api_request_outcome },
};

/* Rule L14: how much the one who answers knows. */
static void stamp(void *ctx, struct stamp *ret)
{
	struct api *api = ctx;
	const struct model *m = engine_model(api->engine);
	struct engine_status s;

	engine_status(api->engine, &s);
	ret->index = m->index;
	ret->term = m->term;
	ret->age_ms = s.ledger.age_us < 0 ? -1 : s.ledger.age_us / US_PER_MS;
	ret->current = s.current;
}

static void reply(void *ctx, struct ipc_client *client, const char *text, size_t len)
{
	struct api *api = ctx;

	api->reply(api->reply_ctx, client, text, len);
}

static void engine_changed(void *ctx)
{
	struct api *api = ctx;

	dispatch_poll(api->dispatch);
}

struct api *api_new(const struct env *env, struct engine *engine, api_reply_fn *reply_fn, void *ctx)
{
	static const struct dispatch_ops ops = { .stamp = stamp, .reply = reply };
	struct api *api = mem_new(struct api);

	*api = (struct api){ .env = *env, .engine = engine, .reply = reply_fn, .reply_ctx = ctx };
	api->dispatch = dispatch_new(env, methods, ARRAY_SIZE(methods), &ops, api);
	engine_watch(engine, engine_changed, api);
	return api;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	engine_watch(api->engine, NULL, NULL);
	dispatch_free(api->dispatch);
	free(api);
}

void api_request(struct api *api, struct ipc_client *client, const struct peer *peer,
		 const char *text, size_t len)
{
	dispatch_request(api->dispatch, client, peer, text, len);
}

void api_gone(struct api *api, struct ipc_client *client)
{
	dispatch_gone(api->dispatch, client);
}

struct command api_command(struct api *api, const struct call *call, enum command_kind kind)
{
	struct command c = { .kind = kind };
	struct engine_status s;

	engine_status(api->engine, &s);
	STRCPY(c.name, call->params.name);
	snprintf(c.reason, sizeof(c.reason), "ordered by %s on %s", call->peer.user, s.node_name);
	return c;
}

static void order_done(void *ctx, const struct err *err, uint64_t index)
{
	struct call *call = ctx;
	struct jsonw *j;

	call->abandon = NULL;
	if (err->code) {
		call_fail_err(call, err);
		return;
	}
	j = call_result(call);
	jsonw_object(j);
	jsonw_kv_u64(j, "index", index);
	if (call->params.name[0])
		jsonw_kv_str(j, "name", call->params.name);
	jsonw_object_end(j);
	call_answer(call);
}

/* Our part ends here, not the order's: it may be applied later, by a majority without us. */
static void order_abandon(void *ctx, struct call *call)
{
	struct api *api = ctx;

	engine_abandon(api->engine, call);
}

static void order_late(void *ctx, struct call *call)
{
	order_abandon(ctx, call);
	call->abandon = NULL;
	call_fail(call, REPLY_UNKNOWN,
		  "not yet known after %d s, it may still happen: ask again with: domus request %s",
		  PROTO_ORDER_MS / 1000, call->order);
}

void api_order(struct api *api, struct call *call, struct command *c)
{
	struct command_id id;
	struct err err = {0};
	int r;

	r = engine_submit(api->engine, c, order_done, call, &id, &err);
	command_free(c);
	if (r < 0) {
		call_fail(call, reply_code_of_errno(r), "%s", err.text);
		return;
	}
	api_order_text(&id, call->order, sizeof(call->order));
	call->abandon = order_abandon;
	call_wait(call, PROTO_ORDER_MS, order_late);
}

void api_order_text(const struct command_id *id, char *ret, size_t size)
{
	char incarnation[ID_TEXT_SIZE];

	snprintf(ret, size, "%" PRIu32 ":%s:%" PRIu64, id->node,
		 id_text(&id->incarnation, incarnation), id->nonce);
}

/* A decimal number that ends at @end: digits only, no sign, no overflow. */
static int number(const char *text, char end, uint64_t max, uint64_t *ret, const char **ret_rest)
{
	char *rest;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &rest, 10);
	if (errno || *rest != end || *ret > max)
		return -EINVAL;
	*ret_rest = rest + (end != 0);
	return 0;
}

int api_order_parse(const char *text, struct command_id *ret_id)
{
	char incarnation[ID_TEXT_SIZE] = "";
	struct command_id id;
	uint64_t node;

	if (number(text, ':', UINT32_MAX, &node, &text) < 0)
		return -EINVAL;
	if (strlen(text) < ID_TEXT_SIZE || text[ID_TEXT_SIZE - 1] != ':')
		return -EINVAL;
	memcpy(incarnation, text, ID_TEXT_SIZE - 1);
	if (id_parse(incarnation, &id.incarnation) < 0 ||
	    number(text + ID_TEXT_SIZE, '\0', UINT64_MAX, &id.nonce, &text) < 0)
		return -EINVAL;
	id.node = (uint32_t)node;
	*ret_id = id;
	return 0;
}

static void not_found(struct call *call, const char *what, const char *name)
{
	call_fail(call, REPLY_NOT_FOUND, "%s: no such %s: see: domus %s list", name, what, what);
}

const struct guest *api_guest(struct api *api, struct call *call)
{
	const struct guest *g = model_guest(engine_model(api->engine), call->params.name);

	if (!g)
		not_found(call, "guest", call->params.name);
	return g;
}

const struct node *api_node(struct api *api, struct call *call)
{
	const struct node *n = model_node_named(engine_model(api->engine), call->params.node);

	if (!n)
		not_found(call, "node", call->params.node);
	return n;
}

void api_reason_json(struct jsonw *j, const struct reason *r)
{
	jsonw_object(j);
	jsonw_kv_u64(j, "index", r->index);
	jsonw_kv_str(j, "text", r->text);
	jsonw_kv_i64(j, "time_us", r->time_us);
	jsonw_object_end(j);
}

void api_node_json(struct jsonw *j, const char *key, const struct model *m, uint32_t node)
{
	jsonw_kv_str(j, key, node ? model_node_name(m, node) : NULL);
}

void api_id_json(struct jsonw *j, const char *key, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	jsonw_kv_str(j, key, id_is_none(id) ? NULL : id_text(id, text));
}
