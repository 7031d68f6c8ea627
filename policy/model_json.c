/* SPDX-License-Identifier: Apache-2.0
 * The whole model as canonical JSON: keys in order, integers only, no choice anywhere. Equal
 * models give equal bytes. */
#include "model.h"

#include "base/json.h"

static void kv_id(struct json *j, const char *key, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	json_kv_str(j, key, id_text(id, text));
}

static void kv_owner(struct json *j, const char *key, const struct owner *o)
{
	json_key(j, key);
	json_object(j);
	json_kv_u64(j, "epoch", o->epoch);
	kv_id(j, "incarnation", &o->incarnation);
	json_kv_u64(j, "node", o->node);
	json_object_end(j);
}

static void kv_move(struct json *j, const struct move *mv)
{
	json_key(j, "move");
	json_object(j);
	json_kv_str(j, "address", mv->address);
	json_kv_i64(j, "began_us", mv->began_us);
	json_kv_i64(j, "deadline_us", mv->deadline_us);
	json_kv_u64(j, "downtime_ms", mv->downtime_ms);
	json_kv_bool(j, "drain", mv->drain);
	json_kv_bool(j, "loaded", mv->loaded);
	json_kv_str(j, "phase", move_phase_text(mv->phase));
	json_kv_bool(j, "sent", mv->sent);
	kv_owner(j, "target", &mv->target);
	json_kv_u64(j, "total_ms", mv->total_ms);
	json_object_end(j);
}

static void kv_failures(struct json *j, const struct guest *g)
{
	const struct failure *f;

	json_key(j, "failures");
	json_array(j);
	vec_each(f, &g->failures) {
		json_object(j);
		json_kv_u64(j, "node", f->node);
		json_kv_bool(j, "start", f->start);
		json_kv_i64(j, "time_us", f->time_us);
		json_object_end(j);
	}
	json_array_end(j);
}

static void kv_reasons(struct json *j, const struct guest *g)
{
	const struct reason *r;

	json_key(j, "reasons");
	json_array(j);
	vec_each(r, &g->reasons) {
		json_object(j);
		json_kv_u64(j, "index", r->index);
		json_kv_str(j, "text", r->text);
		json_kv_i64(j, "time_us", r->time_us);
		json_object_end(j);
	}
	json_array_end(j);
}

static void kv_guest_volumes(struct json *j, const struct guest *g)
{
	const struct guest_volume *v;

	json_key(j, "volumes");
	json_array(j);
	vec_each(v, &g->volumes) {
		json_object(j);
		json_kv_str(j, "name", v->name);
		json_kv_str(j, "pool", v->pool);
		json_kv_bool(j, "readonly", v->readonly);
		json_object_end(j);
	}
	json_array_end(j);
}

static void guest_json(struct json *j, const void *record)
{
	const struct guest *g = record;

	json_object(j);
	json_kv_str(j, "before_loss", guest_state_text(g->before_loss));
	json_kv_str(j, "desired", desired_text(g->desired));
	kv_failures(j, g);
	json_kv_u64(j, "memory_mib", g->memory_mib);
	kv_move(j, &g->move);
	json_kv_u64(j, "move_failures", g->move_failures);
	json_kv_i64(j, "move_retry_us", g->move_retry_us);
	json_kv_str(j, "name", g->name);
	json_kv_str(j, "on_crash", after_text(g->on_crash));
	json_kv_str(j, "on_poweroff", after_text(g->on_poweroff));
	json_kv_str(j, "on_reboot", after_text(g->on_reboot));
	json_kv_u64(j, "operation", g->operation);
	kv_owner(j, "owner", &g->owner);
	kv_reasons(j, g);
	json_kv_u64(j, "restart_max", g->restart_max);
	json_kv_u64(j, "restart_window_s", g->restart_window_s);
	json_kv_u64(j, "revision", g->revision);
	json_kv_str(j, "spec", g->spec);
	json_kv_str(j, "state", guest_state_text(g->state));
	json_kv_bool(j, "stop_now", g->stop_now);
	json_kv_u64(j, "stop_timeout_s", g->stop_timeout_s);
	kv_id(j, "uuid", &g->uuid);
	json_kv_u64(j, "vcpus", g->vcpus);
	kv_guest_volumes(j, g);
	json_kv_u64(j, "wanted_node", g->wanted_node);
	json_kv_bool(j, "wants_move", g->wants_move);
	json_object_end(j);
}

static void kv_fence_params(struct json *j, const struct node *n)
{
	const struct fence_conf_param *p;

	json_key(j, "fence_params");
	json_array(j);
	vec_each(p, &n->fence_params) {
		json_object(j);
		json_kv_str(j, "key", p->key);
		json_kv_str(j, "value", p->value);
		json_object_end(j);
	}
	json_array_end(j);
}

static void kv_proof(struct json *j, const struct proof *p)
{
	json_key(j, "proof");
	json_object(j);
	json_kv_str(j, "by", p->by);
	kv_id(j, "incarnation", &p->incarnation);
	json_kv_u64(j, "index", p->index);
	json_kv_str(j, "kind", proof_kind_text(p->kind));
	json_kv_u64(j, "term", p->term);
	json_kv_i64(j, "time_us", p->time_us);
	json_object_end(j);
}

static void node_json(struct json *j, const void *record)
{
	const struct node *n = record;

	json_object(j);
	json_kv_u64(j, "cpus", n->cpus);
	json_kv_bool(j, "drain", n->drain);
	json_kv_str(j, "fence_agent", n->fence_agent);
	json_kv_u64(j, "fence_attempts", n->fence_attempts);
	json_kv_u64(j, "fence_operation", n->fence_operation);
	kv_fence_params(j, n);
	json_kv_bool(j, "fence_power_on", n->fence_power_on);
	json_kv_i64(j, "fence_retry_us", n->fence_retry_us);
	json_kv_bool(j, "fence_wanted", n->fence_wanted);
	json_kv_u64(j, "id", n->id);
	kv_id(j, "incarnation", &n->incarnation);
	json_kv_u64(j, "last_term", n->last_term);
	json_kv_bool(j, "leaving", n->leaving);
	json_kv_u64(j, "memory_mib", n->memory_mib);
	json_kv_str(j, "name", n->name);
	kv_proof(j, &n->proof);
	json_kv_u64(j, "revision", n->revision);
	json_kv_i64(j, "since_us", n->since_us);
	json_kv_str(j, "state", node_state_text(n->state));
	json_object_end(j);
}

static void pool_json(struct json *j, const void *record)
{
	const struct pool *p = record;

	json_object(j);
	json_kv_str(j, "backend", p->backend);
	json_kv_str(j, "name", p->name);
	json_kv_str(j, "path", p->path);
	json_kv_u64(j, "revision", p->revision);
	json_object_end(j);
}

static void volume_json(struct json *j, const void *record)
{
	const struct volume *v = record;

	json_object(j);
	json_kv_str(j, "name", v->name);
	json_kv_u64(j, "operation", v->operation);
	json_kv_str(j, "pool", v->pool);
	json_kv_str(j, "reason", v->reason);
	json_kv_u64(j, "revision", v->revision);
	json_kv_u64(j, "size", v->size);
	json_kv_str(j, "state", volume_state_text(v->state));
	json_object_end(j);
}

static void operation_json(struct json *j, const void *record)
{
	const struct operation *op = record;

	json_object(j);
	json_kv_i64(j, "deadline_us", op->deadline_us);
	json_kv_u64(j, "epoch", op->epoch);
	json_kv_str(j, "guest", op->guest);
	json_kv_u64(j, "id", op->id);
	kv_id(j, "incarnation", &op->incarnation);
	json_kv_str(j, "kind", op_kind_text(op->kind));
	json_kv_u64(j, "node", op->node);
	json_kv_str(j, "pool", op->pool);
	json_kv_u64(j, "victim", op->victim);
	kv_id(j, "victim_incarnation", &op->victim_incarnation);
	json_kv_u64(j, "victim_term", op->victim_term);
	json_kv_str(j, "volume", op->volume);
	json_object_end(j);
}

/* Maps walk in the order of their keys. */
static void kv_records(struct json *j, const char *key, const struct map *records,
		       void (*write)(struct json *, const void *))
{
	struct map_iter it = { 0 };
	const void *record;

	json_key(j, key);
	json_array(j);
	while ((record = map_next(records, &it)))
		write(j, record);
	json_array_end(j);
}

static void kv_events(struct json *j, const struct model *m)
{
	const struct event *e;

	json_key(j, "events");
	json_array(j);
	vec_each(e, &m->events) {
		json_object(j);
		json_kv_u64(j, "index", e->index);
		json_kv_u64(j, "seq", e->seq);
		json_kv_str(j, "subject", e->subject);
		json_kv_str(j, "text", e->text);
		json_kv_i64(j, "time_us", e->time_us);
		json_object_end(j);
	}
	json_array_end(j);
}

static void kv_members(struct json *j, const struct model *m)
{
	const struct model_member *member;

	json_key(j, "members");
	json_array(j);
	vec_each(member, &m->members) {
		json_object(j);
		kv_id(j, "incarnation", &member->incarnation);
		json_kv_u64(j, "node", member->node);
		json_object_end(j);
	}
	json_array_end(j);
}

static void kv_ring(struct json *j, const struct model *m)
{
	const uint32_t *node;

	json_key(j, "ring");
	json_array(j);
	vec_each(node, &m->ring)
		json_u64(j, *node);
	json_array_end(j);
}

void model_json(const struct model *m, struct buf *out)
{
	struct json j = json_writer(out);

	json_object(&j);
	json_kv_str(&j, "cluster", m->cluster);
	kv_events(&j, m);
	kv_records(&j, "guests", m->guests, guest_json);
	json_kv_u64(&j, "index", m->index);
	kv_members(&j, m);
	json_kv_u64(&j, "next_event", m->next_event);
	kv_records(&j, "nodes", m->nodes, node_json);
	kv_records(&j, "operations", m->operations, operation_json);
	kv_records(&j, "pools", m->pools, pool_json);
	kv_ring(&j, m);
	json_kv_u64(&j, "term", m->term);
	json_kv_i64(&j, "time_us", m->time_us);
	kv_records(&j, "volumes", m->volumes, volume_json);
	json_object_end(&j);
}
