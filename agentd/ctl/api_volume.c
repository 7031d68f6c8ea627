/* SPDX-License-Identifier: Apache-2.0
 * Methods about pools and volumes. */
#include "api_priv.h"

#include "base/mem.h"

#include <string.h>

#define DEFAULT_POOL "default"
#define BACKEND      "dir" /* the only one so far */
#define BLOCK        4096  /* a volume's size is a multiple of it: what O_DIRECT may ask for */

static void order_pool(struct api *api, struct call *call)
{
	struct command c = api_command(api, call, CMD_POOL_DEFINE);

	STRCPY(c.detail, BACKEND);
	STRCPY(c.text, call->params.path);
	api_order(api, call, &c);
}

static void pool_seen(void *ctx, const struct err *err)
{
	struct call *call = ctx;

	call->abandon = NULL;
	if (err->code)
		call_fail(call, reply_code_of_errno(err->code), "pool %s: %s", call->params.name,
			  err->text);
	else
		order_pool(call_ctx(call), call);
}

static void pool_abandon(void *ctx, struct call *call)
{
	struct api *api = ctx;

	engine_look_cancel(api->engine, call);
}

static void pool_late(void *ctx, struct call *call)
{
	pool_abandon(ctx, call);
	call->abandon = NULL;
	call_fail(call, REPLY_FAILED, "pool %s: %s does not answer after %d s: is its disk there?",
		  call->params.name, call->params.path, PROTO_ORDER_MS / 1000);
}

/* A mistyped path would be noticed with the first volume. A folder can hang: it is not waited for
 * in the loop. */
void api_pool_create(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct pool_conf conf = { .backend = BACKEND };
	struct err err = { 0 };
	int r;

	STRCPY(conf.name, call->params.name);
	STRCPY(conf.path, call->params.path);
	if (call->params.path[0] != '/') {
		call_fail(call, REPLY_BAD_REQUEST, "pool: \"path\" must be absolute");
		return;
	}
	if (call->params.backend[0] && strcmp(call->params.backend, BACKEND) != 0) {
		call_fail(call, REPLY_BAD_REQUEST, "pool: \"backend\" must be \"dir\"");
		return;
	}
	r = engine_look(api->engine, &conf, pool_seen, call, &err);
	if (r < 0) {
		call_fail_err(call, &err);
		return;
	}
	call->abandon = pool_abandon;
	call_wait(call, PROTO_ORDER_MS, pool_late);
}

void api_pool_delete(void *ctx, struct call *call)
{
	struct command c = api_command(ctx, call, CMD_POOL_DELETE);

	api_order(ctx, call, &c);
}

void api_pool_list(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct jsonw *j = call_result(call);
	struct map_iter it = { 0 };
	const struct pool *p;

	jsonw_array(j);
	while ((p = map_next(engine_model(api->engine)->pools, &it))) {
		jsonw_object(j);
		jsonw_kv_str(j, "backend", p->backend);
		jsonw_kv_str(j, "name", p->name);
		jsonw_kv_str(j, "path", p->path);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	call_answer(call);
}

static void order_volume(struct api *api, struct call *call, enum command_kind kind)
{
	struct command c = api_command(api, call, kind);

	STRCPY(c.pool, call->params.pool[0] ? call->params.pool : DEFAULT_POOL);
	c.size = call->params.size;
	api_order(api, call, &c);
}

void api_volume_create(void *ctx, struct call *call)
{
	if (call->params.size % BLOCK) {
		call_fail(call, REPLY_BAD_REQUEST,
			  "volume: the size must be a multiple of 4096 bytes");
		return;
	}
	order_volume(ctx, call, CMD_VOLUME_CREATE);
}

void api_volume_delete(void *ctx, struct call *call)
{
	order_volume(ctx, call, CMD_VOLUME_DELETE);
}

/* Who holds it: the owner of the guest that names it, and the target while it is shared. */
static void holders_json(const struct model *m, const struct guest *g, enum volume_access access,
			 struct jsonw *j)
{
	jsonw_array(j);
	if (access != VOLUME_NOT_IN_USE && g)
		jsonw_str(j, model_node_name(m, g->owner.node));
	if (access == VOLUME_SHARED && g && g->move.target.node)
		jsonw_str(j, model_node_name(m, g->move.target.node));
	jsonw_array_end(j);
}

static void volume_json(const struct model *m, const struct volume *v, struct jsonw *j)
{
	const struct guest *g = model_volume_user(m, v->pool, v->name);
	enum volume_access access = model_volume_access(m, v->pool, v->name);

	jsonw_object(j);
	jsonw_kv_str(j, "access", volume_access_text(access));
	jsonw_kv_str(j, "guest", g ? g->name : NULL);
	jsonw_kv_str(j, "name", v->name);
	jsonw_key(j, "nodes");
	holders_json(m, g, access, j);
	jsonw_kv_str(j, "pool", v->pool);
	jsonw_kv_str(j, "reason", v->reason);
	jsonw_kv_u64(j, "size", v->size);
	jsonw_kv_str(j, "state", volume_state_text(v->state));
	jsonw_object_end(j);
}

void api_volume_list(void *ctx, struct call *call)
{
	struct api *api = ctx;
	const struct model *m = engine_model(api->engine);
	struct jsonw *j = call_result(call);
	struct map_iter it = { 0 };
	const struct volume *v;

	jsonw_array(j);
	while ((v = map_next(m->volumes, &it)))
		volume_json(m, v, j);
	jsonw_array_end(j);
	call_answer(call);
}
