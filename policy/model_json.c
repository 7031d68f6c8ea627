/* SPDX-License-Identifier: Apache-2.0
 * The whole model as canonical JSON: keys in order, integers only, no choice anywhere. Equal
 * models give equal bytes. */
#include "model.h"

#include "base/jsonw.h"

static void kv_id(struct jsonw *j, const char *key, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	jsonw_kv_str(j, key, id_text(id, text));
}

static void kv_owner(struct jsonw *j, const char *key, const struct owner *o)
{
	jsonw_key(j, key);
	jsonw_object(j);
	jsonw_kv_u64(j, "epoch", o->epoch);
	kv_id(j, "incarnation", &o->incarnation);
	jsonw_kv_u64(j, "node", o->node);
	jsonw_object_end(j);
}

static void kv_move(struct jsonw *j, const struct move *mv)
{
	jsonw_key(j, "move");
	jsonw_object(j);
	jsonw_kv_str(j, "address", mv->address);
	jsonw_kv_i64(j, "began_us", mv->began_us);
	jsonw_kv_i64(j, "deadline_us", mv->deadline_us);
	jsonw_kv_u64(j, "downtime_ms", mv->downtime_ms);
	jsonw_kv_bool(j, "drain", mv->drain);
	jsonw_kv_str(j, "failed", mv->failed);
	jsonw_kv_u64(j, "from", mv->from);
	jsonw_kv_bool(j, "loaded", mv->loaded);
	jsonw_kv_str(j, "phase", move_phase_text(mv->phase));
	jsonw_kv_bool(j, "sent", mv->sent);
	kv_owner(j, "target", &mv->target);
	jsonw_kv_u64(j, "total_ms", mv->total_ms);
	jsonw_object_end(j);
}

static void kv_last_move(struct jsonw *j, const struct last_move *last)
{
	jsonw_key(j, "last_move");
	jsonw_object(j);
	jsonw_kv_u64(j, "downtime_ms", last->downtime_ms);
	jsonw_kv_u64(j, "from", last->from);
	jsonw_kv_u64(j, "index", last->index);
	jsonw_kv_i64(j, "time_us", last->time_us);
	jsonw_kv_u64(j, "to", last->to);
	jsonw_kv_u64(j, "total_ms", last->total_ms);
	jsonw_object_end(j);
}

static void kv_failures(struct jsonw *j, const struct guest *g)
{
	const struct failure *f;

	jsonw_key(j, "failures");
	jsonw_array(j);
	vec_each(f, &g->failures) {
		jsonw_object(j);
		jsonw_kv_u64(j, "node", f->node);
		jsonw_kv_bool(j, "start", f->start);
		jsonw_kv_i64(j, "time_us", f->time_us);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void kv_reasons(struct jsonw *j, const struct guest *g)
{
	const struct reason *r;

	jsonw_key(j, "reasons");
	jsonw_array(j);
	vec_each(r, &g->reasons) {
		jsonw_object(j);
		jsonw_kv_u64(j, "index", r->index);
		jsonw_kv_str(j, "text", r->text);
		jsonw_kv_i64(j, "time_us", r->time_us);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void kv_guest_volumes(struct jsonw *j, const struct guest *g)
{
	const struct guest_volume *v;

	jsonw_key(j, "volumes");
	jsonw_array(j);
	vec_each(v, &g->volumes) {
		jsonw_object(j);
		jsonw_kv_str(j, "name", v->name);
		jsonw_kv_str(j, "pool", v->pool);
		jsonw_kv_bool(j, "readonly", v->readonly);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void guest_json(struct jsonw *j, const void *record)
{
	const struct guest *g = record;

	jsonw_object(j);
	jsonw_kv_str(j, "before_loss", guest_state_text(g->before_loss));
	jsonw_kv_str(j, "desired", desired_text(g->desired));
	kv_failures(j, g);
	kv_last_move(j, &g->last_move);
	jsonw_kv_u64(j, "memory_mib", g->memory_mib);
	kv_move(j, &g->move);
	jsonw_kv_u64(j, "move_failures", g->move_failures);
	jsonw_kv_i64(j, "move_retry_us", g->move_retry_us);
	jsonw_kv_str(j, "name", g->name);
	jsonw_kv_str(j, "on_crash", after_text(g->on_crash));
	jsonw_kv_str(j, "on_poweroff", after_text(g->on_poweroff));
	jsonw_kv_str(j, "on_reboot", after_text(g->on_reboot));
	jsonw_kv_u64(j, "operation", g->operation);
	kv_owner(j, "owner", &g->owner);
	jsonw_kv_bool(j, "ran", g->ran);
	kv_reasons(j, g);
	jsonw_kv_u64(j, "restart_max", g->restart_max);
	jsonw_kv_u64(j, "restart_window_s", g->restart_window_s);
	jsonw_kv_i64(j, "resume_retry_us", g->resume_retry_us);
	jsonw_kv_u64(j, "revision", g->revision);
	jsonw_kv_str(j, "spec", g->spec);
	jsonw_kv_str(j, "state", guest_state_text(g->state));
	jsonw_kv_bool(j, "stop_now", g->stop_now);
	jsonw_kv_u64(j, "stop_timeout_s", g->stop_timeout_s);
	kv_id(j, "uuid", &g->uuid);
	jsonw_kv_u64(j, "vcpus", g->vcpus);
	kv_guest_volumes(j, g);
	jsonw_kv_u64(j, "wanted_node", g->wanted_node);
	jsonw_kv_bool(j, "wants_move", g->wants_move);
	jsonw_object_end(j);
}

static void kv_fence_params(struct jsonw *j, const struct node *n)
{
	const struct fence_conf_param *p;

	jsonw_key(j, "fence_params");
	jsonw_array(j);
	vec_each(p, &n->fence_params) {
		jsonw_object(j);
		jsonw_kv_str(j, "key", p->key);
		jsonw_kv_str(j, "value", p->value);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void kv_proof(struct jsonw *j, const struct proof *p)
{
	jsonw_key(j, "proof");
	jsonw_object(j);
	jsonw_kv_str(j, "by", p->by);
	kv_id(j, "incarnation", &p->incarnation);
	jsonw_kv_u64(j, "index", p->index);
	jsonw_kv_str(j, "kind", proof_kind_text(p->kind));
	jsonw_kv_u64(j, "term", p->term);
	jsonw_kv_i64(j, "time_us", p->time_us);
	jsonw_object_end(j);
}

static void node_json(struct jsonw *j, const void *record)
{
	const struct node *n = record;

	jsonw_object(j);
	jsonw_kv_u64(j, "cpus", n->cpus);
	jsonw_kv_bool(j, "drain", n->drain);
	jsonw_kv_str(j, "fence_agent", n->fence_agent);
	jsonw_kv_u64(j, "fence_attempts", n->fence_attempts);
	jsonw_kv_u64(j, "fence_operation", n->fence_operation);
	kv_fence_params(j, n);
	jsonw_kv_bool(j, "fence_power_on", n->fence_power_on);
	jsonw_kv_i64(j, "fence_retry_us", n->fence_retry_us);
	jsonw_kv_bool(j, "fence_wanted", n->fence_wanted);
	jsonw_kv_u64(j, "id", n->id);
	kv_id(j, "incarnation", &n->incarnation);
	jsonw_kv_u64(j, "last_term", n->last_term);
	jsonw_kv_bool(j, "leaving", n->leaving);
	jsonw_kv_u64(j, "memory_mib", n->memory_mib);
	jsonw_kv_str(j, "name", n->name);
	kv_proof(j, &n->proof);
	jsonw_kv_u64(j, "revision", n->revision);
	jsonw_kv_i64(j, "since_us", n->since_us);
	jsonw_kv_str(j, "state", node_state_text(n->state));
	jsonw_object_end(j);
}

static void pool_json(struct jsonw *j, const void *record)
{
	const struct pool *p = record;

	jsonw_object(j);
	jsonw_kv_str(j, "backend", p->backend);
	jsonw_kv_str(j, "name", p->name);
	jsonw_kv_str(j, "path", p->path);
	jsonw_kv_u64(j, "revision", p->revision);
	jsonw_object_end(j);
}

static void volume_json(struct jsonw *j, const void *record)
{
	const struct volume *v = record;

	jsonw_object(j);
	jsonw_kv_bool(j, "again", v->again);
	jsonw_kv_str(j, "name", v->name);
	jsonw_kv_u64(j, "operation", v->operation);
	jsonw_kv_str(j, "pool", v->pool);
	jsonw_kv_str(j, "reason", v->reason);
	jsonw_kv_u64(j, "revision", v->revision);
	jsonw_kv_u64(j, "size", v->size);
	jsonw_kv_str(j, "state", volume_state_text(v->state));
	jsonw_kv_bool(j, "was_failed", v->was_failed);
	jsonw_object_end(j);
}

static void operation_json(struct jsonw *j, const void *record)
{
	const struct operation *op = record;

	jsonw_object(j);
	jsonw_kv_i64(j, "deadline_us", op->deadline_us);
	jsonw_kv_u64(j, "epoch", op->epoch);
	jsonw_kv_str(j, "guest", op->guest);
	jsonw_kv_u64(j, "id", op->id);
	kv_id(j, "incarnation", &op->incarnation);
	jsonw_kv_str(j, "kind", op_kind_text(op->kind));
	jsonw_kv_u64(j, "node", op->node);
	jsonw_kv_str(j, "pool", op->pool);
	jsonw_kv_u64(j, "victim", op->victim);
	kv_id(j, "victim_incarnation", &op->victim_incarnation);
	jsonw_kv_u64(j, "victim_term", op->victim_term);
	jsonw_kv_str(j, "volume", op->volume);
	jsonw_object_end(j);
}

/* Maps walk in the order of their keys. */
static void kv_records(struct jsonw *j, const char *key, const struct map *records,
		       void (*write)(struct jsonw *, const void *))
{
	struct map_iter it = { 0 };
	const void *record;

	jsonw_key(j, key);
	jsonw_array(j);
	while ((record = map_next(records, &it)))
		write(j, record);
	jsonw_array_end(j);
}

static void kv_events(struct jsonw *j, const struct model *m)
{
	const struct event *e;

	jsonw_key(j, "events");
	jsonw_array(j);
	vec_each(e, &m->events) {
		jsonw_object(j);
		jsonw_kv_u64(j, "index", e->index);
		jsonw_kv_u64(j, "seq", e->seq);
		jsonw_kv_str(j, "subject", e->subject);
		jsonw_kv_str(j, "text", e->text);
		jsonw_kv_i64(j, "time_us", e->time_us);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void kv_members(struct jsonw *j, const struct model *m)
{
	const struct model_member *member;

	jsonw_key(j, "members");
	jsonw_array(j);
	vec_each(member, &m->members) {
		jsonw_object(j);
		kv_id(j, "incarnation", &member->incarnation);
		jsonw_kv_u64(j, "node", member->node);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void kv_ring(struct jsonw *j, const struct model *m)
{
	const uint32_t *node;

	jsonw_key(j, "ring");
	jsonw_array(j);
	vec_each(node, &m->ring)
		jsonw_u64(j, *node);
	jsonw_array_end(j);
}

void model_json(const struct model *m, struct buf *out)
{
	struct jsonw j = jsonw_begin(out);

	jsonw_object(&j);
	jsonw_kv_str(&j, "cluster", m->cluster);
	kv_events(&j, m);
	kv_records(&j, "guests", m->guests, guest_json);
	jsonw_kv_u64(&j, "index", m->index);
	kv_members(&j, m);
	jsonw_kv_u64(&j, "next_event", m->next_event);
	kv_records(&j, "nodes", m->nodes, node_json);
	kv_records(&j, "operations", m->operations, operation_json);
	kv_records(&j, "pools", m->pools, pool_json);
	kv_ring(&j, m);
	jsonw_kv_u64(&j, "term", m->term);
	jsonw_kv_i64(&j, "time_us", m->time_us);
	kv_records(&j, "volumes", m->volumes, volume_json);
	jsonw_object_end(&j);
}
