/* SPDX-License-Identifier: Apache-2.0
 * Methods that show guests. */
#include "api_priv.h"

#include "base/mem.h"

static void progress_json(struct api *api, const struct guest *g, struct jsonw *j)
{
	struct domain_info info;

	if (engine_domain(api->engine, g->name, &info) < 0 ||
	    (info.state != DOMAIN_SENDING && info.state != DOMAIN_SENT)) {
		jsonw_null(j);
		return;
	}
	jsonw_object(j);
	jsonw_kv_u64(j, "remaining_bytes", info.remaining_bytes);
	jsonw_kv_u64(j, "sent_bytes", info.sent_bytes);
	jsonw_kv_u64(j, "total_bytes", info.total_bytes);
	jsonw_object_end(j);
}

static void move_json(struct api *api, const struct guest *g, struct jsonw *j)
{
	const struct model *m = engine_model(api->engine);
	const struct move *mv = &g->move;

	if (mv->phase == MOVE_NONE) {
		jsonw_null(j);
		return;
	}
	jsonw_object(j);
	jsonw_kv_i64(j, "began_us", mv->began_us);
	jsonw_kv_u64(j, "downtime_ms", mv->downtime_ms);
	api_node_json(j, "from", m, g->owner.node);
	jsonw_kv_bool(j, "loaded", mv->loaded);
	jsonw_kv_str(j, "phase", move_phase_text(mv->phase));
	jsonw_key(j, "progress");
	progress_json(api, g, j);
	jsonw_kv_bool(j, "sent", mv->sent);
	api_node_json(j, "to", m, mv->target.node);
	jsonw_kv_u64(j, "total_ms", mv->total_ms);
	jsonw_object_end(j);
}

static void last_move_json(const struct model *m, const struct last_move *last, struct jsonw *j)
{
	if (!last->index) {
		jsonw_null(j);
		return;
	}
	jsonw_object(j);
	jsonw_kv_u64(j, "downtime_ms", last->downtime_ms);
	api_node_json(j, "from", m, last->from);
	jsonw_kv_u64(j, "index", last->index);
	jsonw_kv_i64(j, "time_us", last->time_us);
	api_node_json(j, "to", m, last->to);
	jsonw_kv_u64(j, "total_ms", last->total_ms);
	jsonw_object_end(j);
}

/* The keys that lists have too. */
static void brief_json(struct api *api, const struct guest *g, struct jsonw *j)
{
	const struct model *m = engine_model(api->engine);
	const struct reason *last = g->reasons.n ? &g->reasons.v[g->reasons.n - 1] : NULL;

	jsonw_kv_str(j, "desired", desired_text(g->desired));
	jsonw_kv_u64(j, "memory_mib", g->memory_mib);
	jsonw_key(j, "move");
	move_json(api, g, j);
	jsonw_kv_str(j, "name", g->name);
	api_node_json(j, "node", m, g->owner.node);
	jsonw_kv_str(j, "reason", last ? last->text : "");
	jsonw_kv_i64(j, "since_us", last ? last->time_us : 0);
	jsonw_kv_str(j, "state", guest_state_text(g->state));
	jsonw_kv_u64(j, "vcpus", g->vcpus);
	api_node_json(j, "wanted_node", m, g->wanted_node);
	jsonw_kv_bool(j, "wants_move", g->wants_move);
}

static void volumes_json(const struct model *m, const struct guest *g, struct jsonw *j)
{
	const struct guest_volume *v;

	jsonw_array(j);
	vec_each(v, &g->volumes) {
		jsonw_object(j);
		jsonw_kv_str(j, "access",
			    volume_access_text(model_volume_access(m, v->pool, v->name)));
		jsonw_kv_str(j, "name", v->name);
		jsonw_kv_str(j, "pool", v->pool);
		jsonw_kv_bool(j, "readonly", v->readonly);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void failures_json(const struct model *m, const struct guest *g, struct jsonw *j)
{
	const struct failure *f;

	jsonw_array(j);
	vec_each(f, &g->failures) {
		jsonw_object(j);
		api_node_json(j, "node", m, f->node);
		jsonw_kv_bool(j, "start", f->start);
		jsonw_kv_i64(j, "time_us", f->time_us);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

/* Its process on this node, if there is one. */
static void domain_json(struct api *api, const struct guest *g, struct jsonw *j)
{
	struct domain_info info;

	if (engine_domain(api->engine, g->name, &info) < 0) {
		jsonw_null(j);
		return;
	}
	jsonw_object(j);
	jsonw_kv_bool(j, "kvm", info.kvm);
	jsonw_kv_i64(j, "pid", info.pid);
	jsonw_kv_str(j, "serial", info.serial[0] ? info.serial : NULL);
	jsonw_kv_str(j, "state", domain_state_text(info.state));
	jsonw_kv_str(j, "vnc", info.vnc[0] ? info.vnc : NULL);
	jsonw_object_end(j);
}

void api_guests_json(struct api *api, struct jsonw *j)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	jsonw_array(j);
	while ((g = map_next(engine_model(api->engine)->guests, &it))) {
		jsonw_object(j);
		brief_json(api, g, j);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

void api_guest_list(void *ctx, struct call *call)
{
	api_guests_json(ctx, call_result(call));
	call_answer(call);
}

void api_guest_show(void *ctx, struct call *call)
{
	struct api *api = ctx;
	const struct model *m = engine_model(api->engine);
	const struct guest *g = api_guest(api, call);
	const struct reason *r;
	struct jsonw *j;

	if (!g)
		return;
	j = call_result(call);
	jsonw_object(j);
	brief_json(api, g, j);
	jsonw_key(j, "domain");
	domain_json(api, g, j);
	jsonw_kv_u64(j, "epoch", g->owner.epoch);
	jsonw_key(j, "failures");
	failures_json(m, g, j);
	jsonw_key(j, "last_move");
	last_move_json(m, &g->last_move, j);
	jsonw_kv_u64(j, "operation", g->operation);
	jsonw_key(j, "reasons");
	jsonw_array(j);
	vec_each(r, &g->reasons)
		api_reason_json(j, r);
	jsonw_array_end(j);
	jsonw_kv_u64(j, "revision", g->revision);
	jsonw_key(j, "spec");
	jsonw_raw(j, g->spec ? g->spec : "null");
	jsonw_kv_u64(j, "stop_timeout_s", g->stop_timeout_s);
	api_id_json(j, "uuid", &g->uuid);
	jsonw_key(j, "volumes");
	volumes_json(m, g, j);
	jsonw_object_end(j);
	call_answer(call);
}
