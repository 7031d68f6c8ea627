/* SPDX-License-Identifier: Apache-2.0
 * Methods about nodes and their fence devices. */
#include "api_priv.h"

#include "base/mem.h"

#include <string.h>

static size_t guests_on(const struct model *m, uint32_t node)
{
	struct map_iter it = { 0 };
	const struct guest *g;
	size_t n = 0;

	while ((g = map_next(m->guests, &it)))
		n += g->owner.node == node;
	return n;
}

static void proof_json(struct jsonw *j, const struct proof *p)
{
	if (p->kind == PROOF_NONE) {
		jsonw_null(j);
		return;
	}
	jsonw_object(j);
	jsonw_kv_str(j, "by", p->by);
	jsonw_kv_u64(j, "index", p->index);
	jsonw_kv_str(j, "kind", proof_kind_text(p->kind));
	jsonw_kv_i64(j, "time_us", p->time_us);
	jsonw_object_end(j);
}

static bool is_silent(const struct engine_status *s, uint32_t node)
{
	for (size_t i = 0; i < s->ledger.n_silent; i++)
		if (s->ledger.silent[i] == node)
			return true;
	return false;
}

static void node_json(struct api *api, const struct node *n, struct jsonw *j)
{
	const struct model *m = engine_model(api->engine);
	struct engine_status s;

	engine_status(api->engine, &s);
	jsonw_object(j);
	jsonw_kv_u64(j, "cpus", n->cpus);
	jsonw_kv_bool(j, "drain", n->drain);
	jsonw_kv_str(j, "fence_agent", n->fence_agent[0] ? n->fence_agent : NULL);
	jsonw_kv_bool(j, "fence_wanted", n->fence_wanted);
	jsonw_kv_u64(j, "guests", guests_on(m, n->id));
	jsonw_kv_u64(j, "id", n->id);
	api_id_json(j, "incarnation", &n->incarnation);
	jsonw_kv_bool(j, "leader", s.ledger.leader == n->id);
	jsonw_kv_u64(j, "memory_mib", n->memory_mib);
	jsonw_kv_u64(j, "memory_used_mib", model_memory_used(m, n->id));
	jsonw_kv_str(j, "name", n->name);
	jsonw_key(j, "proof");
	proof_json(j, &n->proof);
	jsonw_kv_bool(j, "silent", is_silent(&s, n->id));
	jsonw_kv_i64(j, "since_us", n->since_us);
	jsonw_kv_str(j, "state", node_state_text(n->state));
	jsonw_object_end(j);
}

void api_nodes_json(struct api *api, struct jsonw *j)
{
	struct map_iter it = { 0 };
	const struct node *n;

	jsonw_array(j);
	while ((n = map_next(engine_model(api->engine)->nodes, &it)))
		node_json(api, n, j);
	jsonw_array_end(j);
}

void api_node_list(void *ctx, struct call *call)
{
	api_nodes_json(ctx, call_result(call));
	call_answer(call);
}

void api_node_show(void *ctx, struct call *call)
{
	const struct node *n = api_node(ctx, call);

	if (!n)
		return;
	node_json(ctx, n, call_result(call));
	call_answer(call);
}

/* Orders that name a node and nothing else. */
static void order_node(struct api *api, struct call *call, enum command_kind kind)
{
	const struct node *n = api_node(api, call);
	struct command c;

	if (!n)
		return;
	c = api_command(api, call, kind);
	c.node = n->id;
	api_order(api, call, &c);
}

void api_node_drain(void *ctx, struct call *call)
{
	order_node(ctx, call, CMD_NODE_DRAIN);
}

void api_node_activate(void *ctx, struct call *call)
{
	order_node(ctx, call, CMD_NODE_ACTIVATE);
}

void api_node_fence(void *ctx, struct call *call)
{
	order_node(ctx, call, CMD_NODE_FENCE);
}

/* Confirmed is the life that is shown as lost now: a node that came back meanwhile is not meant. */
void api_node_confirm_off(void *ctx, struct call *call)
{
	struct api *api = ctx;
	const struct node *n = api_node(api, call);
	struct command c;

	if (!n)
		return;
	c = api_command(api, call, CMD_NODE_CONFIRM_OFF);
	c.node = n->id;
	c.incarnation = n->incarnation;
	STRCPY(c.text, call->peer.user);
	api_order(api, call, &c);
}

static int fence_param_add(void *ctx, const char *key, const char *value, struct err *ret_err)
{
	struct command *c = ctx;
	struct fence_conf_param p = { 0 };

	if (c->params.n == MODEL_PARAMS_MAX)
		return err_set(ret_err, -EBADMSG, "more than %d parameters", MODEL_PARAMS_MAX);
	if (!*key || STRCPY(p.key, key) < 0 || strpbrk(key, "= \t\"'"))
		return err_set(ret_err, -EBADMSG, "\"%.64s\" is no parameter's name", key);
	if (STRCPY(p.value, value) < 0)
		return err_set(ret_err, -EBADMSG, "the value of \"%s\" is too long", key);
	vec_push(&c->params, p);
	return 0;
}

/* A device that cannot be used would be noticed when its node is lost: too late. */
static bool agent_is_here(struct api *api, struct call *call)
{
	const char *agent = call->params.agent;
	struct err err = { 0 };

	if (!agent[0] || engine_fence_agent(api->engine, agent, &err) == 0)
		return true;
	call_fail(call, REPLY_REFUSED, "fence set %s: %s", call->params.node, err.text);
	return false;
}

void api_fence_set(void *ctx, struct call *call)
{
	struct api *api = ctx;
	const struct node *n = api_node(api, call);
	struct err err = { 0 };
	struct command c;

	if (!n)
		return;
	c = api_command(api, call, CMD_NODE_FENCE_SET);
	c.node = n->id;
	c.power_on = call->params.power_on;
	STRCPY(c.name, call->params.agent);
	if (params_each(call->params.fence, fence_param_add, &c, &err) < 0) {
		command_free(&c);
		call_fail(call, REPLY_BAD_REQUEST, "%s", err.text);
		return;
	}
	if (agent_is_here(api, call))
		api_order(api, call, &c);
	else
		command_free(&c);
}

static void fence_json(const struct node *n, struct jsonw *j)
{
	const struct fence_conf_param *p;

	jsonw_object(j);
	jsonw_kv_str(j, "agent", n->fence_agent[0] ? n->fence_agent : NULL);
	jsonw_kv_str(j, "node", n->name);
	jsonw_key(j, "params");
	jsonw_array(j);
	vec_each(p, &n->fence_params)
		jsonw_str(j, p->key);
	jsonw_array_end(j);
	jsonw_kv_bool(j, "power_on", n->fence_power_on);
	jsonw_object_end(j);
}

void api_fence_list(void *ctx, struct call *call)
{
	struct api *api = ctx;
	struct jsonw *j = call_result(call);
	struct map_iter it = { 0 };
	const struct node *n;

	jsonw_array(j);
	while ((n = map_next(engine_model(api->engine)->nodes, &it)))
		fence_json(n, j);
	jsonw_array_end(j);
	call_answer(call);
}
