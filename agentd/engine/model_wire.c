/* SPDX-License-Identifier: Apache-2.0
 * The model as bytes: its own fields, its lists, then the records of each kind in the order of their keys. */
#include "engine/model_wire.h"

#include "cluster/order.h"
#include "engine/command.h"
#include "engine/fields.h"

/*
 * Against a snapshot that claims to hold more than a cluster could. What a cluster can hold is bounded where it comes to be
 * (policy/apply*.c), and lies far below.
 */
#define RECORDS_MAX  (1024 * 1024)
#define FAILURES_MAX (64 * 1024)

static const struct field model_fields[] = {
	FIELD(1, FIELD_TEXT, struct model, cluster),
	FIELD(2, FIELD_U64, struct model, index),
	FIELD(3, FIELD_U64, struct model, term),
	FIELD(4, FIELD_I64, struct model, time_us),
};

static const struct field member_fields[] = {
	FIELD(1, FIELD_U32, struct model_member, node),
	FIELD(2, FIELD_ID, struct model_member, incarnation),
};

static const struct field event_fields[] = {
	FIELD(1, FIELD_U64, struct event, seq),
	FIELD(2, FIELD_U64, struct event, index),
	FIELD(3, FIELD_I64, struct event, time_us),
	FIELD(4, FIELD_TEXT, struct event, subject),
	FIELD(5, FIELD_TEXT, struct event, text),
};

static const struct field guest_fields[] = {
	FIELD(1, FIELD_TEXT, struct guest, name),
	FIELD(2, FIELD_ID, struct guest, uuid),
	FIELD(3, FIELD_U64, struct guest, revision),
	FIELD(4, FIELD_U32, struct guest, memory_mib),
	FIELD(5, FIELD_U32, struct guest, vcpus),
	FIELD_OF_ENUM(6, struct guest, on_poweroff, AFTER_MAX),
	FIELD_OF_ENUM(7, struct guest, on_reboot, AFTER_MAX),
	FIELD_OF_ENUM(8, struct guest, on_crash, AFTER_MAX),
	FIELD(9, FIELD_U32, struct guest, stop_timeout_s),
	FIELD(10, FIELD_U32, struct guest, restart_max),
	FIELD(11, FIELD_U32, struct guest, restart_window_s),
	FIELD_OF_ENUM(12, struct guest, desired, DESIRED_MAX),
	FIELD(13, FIELD_BOOL, struct guest, stop_now),
	FIELD_OF_ENUM(14, struct guest, state, GUEST_STATE_MAX),
	FIELD_OF_ENUM(15, struct guest, before_loss, GUEST_STATE_MAX),
	FIELD(16, FIELD_U32, struct guest, owner.node),
	FIELD(17, FIELD_ID, struct guest, owner.incarnation),
	FIELD(18, FIELD_U64, struct guest, owner.epoch),
	FIELD_OF_ENUM(19, struct guest, move.phase, MOVE_PHASE_MAX),
	FIELD(20, FIELD_U32, struct guest, move.target.node),
	FIELD(21, FIELD_ID, struct guest, move.target.incarnation),
	FIELD(22, FIELD_U64, struct guest, move.target.epoch),
	FIELD(23, FIELD_U32, struct guest, move.from),
	FIELD(24, FIELD_TEXT, struct guest, move.address),
	FIELD(25, FIELD_BOOL, struct guest, move.sent),
	FIELD(26, FIELD_BOOL, struct guest, move.loaded),
	FIELD(27, FIELD_U32, struct guest, move.downtime_ms),
	FIELD(28, FIELD_U32, struct guest, move.total_ms),
	FIELD(29, FIELD_I64, struct guest, move.began_us),
	FIELD(30, FIELD_I64, struct guest, move.deadline_us),
	FIELD(31, FIELD_BOOL, struct guest, move.drain),
	FIELD(32, FIELD_TEXT, struct guest, move.failed),
	FIELD(33, FIELD_U32, struct guest, last_move.from),
	FIELD(34, FIELD_U32, struct guest, last_move.to),
	FIELD(35, FIELD_U32, struct guest, last_move.downtime_ms),
	FIELD(36, FIELD_U32, struct guest, last_move.total_ms),
	FIELD(37, FIELD_U64, struct guest, last_move.index),
	FIELD(38, FIELD_I64, struct guest, last_move.time_us),
	FIELD(39, FIELD_U64, struct guest, operation),
	FIELD(40, FIELD_U32, struct guest, wanted_node),
	FIELD(41, FIELD_BOOL, struct guest, wants_move),
	FIELD(42, FIELD_U32, struct guest, move_failures),
	FIELD(43, FIELD_I64, struct guest, move_retry_us),
	FIELD(44, FIELD_I64, struct guest, resume_retry_us),
	FIELD(45, FIELD_BOOL, struct guest, ran),
};

static const struct field guest_volume_fields[] = {
	FIELD(1, FIELD_TEXT, struct guest_volume, pool),
	FIELD(2, FIELD_TEXT, struct guest_volume, name),
	FIELD(3, FIELD_BOOL, struct guest_volume, readonly),
};

static const struct field failure_fields[] = {
	FIELD(1, FIELD_U32, struct failure, node),
	FIELD(2, FIELD_I64, struct failure, time_us),
	FIELD(3, FIELD_BOOL, struct failure, start),
};

static const struct field reason_fields[] = {
	FIELD(1, FIELD_U64, struct reason, index),
	FIELD(2, FIELD_I64, struct reason, time_us),
	FIELD(3, FIELD_TEXT, struct reason, text),
};

static const struct field node_fields[] = {
	FIELD(1, FIELD_U32, struct node, id),
	FIELD(2, FIELD_TEXT, struct node, name),
	FIELD(3, FIELD_U64, struct node, revision),
	FIELD(4, FIELD_ID, struct node, incarnation),
	FIELD(5, FIELD_U64, struct node, last_term),
	FIELD_OF_ENUM(6, struct node, state, NODE_STATE_MAX),
	FIELD(7, FIELD_BOOL, struct node, drain),
	FIELD(8, FIELD_BOOL, struct node, leaving),
	FIELD(9, FIELD_I64, struct node, since_us),
	FIELD_OF_ENUM(10, struct node, proof.kind, PROOF_KIND_MAX),
	FIELD(11, FIELD_ID, struct node, proof.incarnation),
	FIELD(12, FIELD_U64, struct node, proof.term),
	FIELD(13, FIELD_U64, struct node, proof.index),
	FIELD(14, FIELD_I64, struct node, proof.time_us),
	FIELD(15, FIELD_TEXT, struct node, proof.by),
	FIELD(16, FIELD_U64, struct node, memory_mib),
	FIELD(17, FIELD_U32, struct node, cpus),
	FIELD(18, FIELD_TEXT, struct node, fence_agent),
	FIELD(19, FIELD_BOOL, struct node, fence_power_on),
	FIELD(20, FIELD_BOOL, struct node, fence_wanted),
	FIELD(21, FIELD_U64, struct node, fence_operation),
	FIELD(22, FIELD_U32, struct node, fence_attempts),
	FIELD(23, FIELD_I64, struct node, fence_retry_us),
};

static const struct field fence_param_fields[] = {
	FIELD(1, FIELD_TEXT, struct fence_conf_param, key),
	FIELD(2, FIELD_TEXT, struct fence_conf_param, value),
};

static const struct field pool_fields[] = {
	FIELD(1, FIELD_TEXT, struct pool, name),
	FIELD(2, FIELD_U64, struct pool, revision),
	FIELD(3, FIELD_TEXT, struct pool, backend),
	FIELD(4, FIELD_TEXT, struct pool, path),
};

static const struct field volume_fields[] = {
	FIELD(1, FIELD_TEXT, struct volume, pool),
	FIELD(2, FIELD_TEXT, struct volume, name),
	FIELD(3, FIELD_U64, struct volume, revision),
	FIELD(4, FIELD_U64, struct volume, size),
	FIELD_OF_ENUM(5, struct volume, state, VOLUME_STATE_MAX),
	FIELD(6, FIELD_BOOL, struct volume, was_failed),
	FIELD(7, FIELD_U64, struct volume, operation),
	FIELD(8, FIELD_BOOL, struct volume, again),
	FIELD(9, FIELD_TEXT, struct volume, reason),
};

static const struct field operation_fields[] = {
	FIELD(1, FIELD_U64, struct operation, id),
	FIELD_OF_ENUM(2, struct operation, kind, OP_KIND_MAX),
	FIELD(3, FIELD_U32, struct operation, node),
	FIELD(4, FIELD_ID, struct operation, incarnation),
	FIELD(5, FIELD_TEXT, struct operation, guest),
	FIELD(6, FIELD_U64, struct operation, epoch),
	FIELD(7, FIELD_TEXT, struct operation, pool),
	FIELD(8, FIELD_TEXT, struct operation, volume),
	FIELD(9, FIELD_U32, struct operation, victim),
	FIELD(10, FIELD_ID, struct operation, victim_incarnation),
	FIELD(11, FIELD_U64, struct operation, victim_term),
	FIELD(12, FIELD_I64, struct operation, deadline_us),
};

/* A VEC of records: how many, then one after another. */
#define LIST_OUT(list, fields, out) \
	do { \
		wire_put_u32(out, (uint32_t)(list)->n); \
		for (size_t i_ = 0; i_ < (list)->n; i_++) \
			FIELDS_OUT(fields, &(list)->v[i_], out); \
	} while (0)
#define LIST_IN(list, max, fields, w) \
	({ \
		uint32_t n_ = wire_u32(w); \
		bool good_ = n_ <= (max); \
		while (good_ && n_-- > 0) \
			good_ = FIELDS_IN(fields, vec_add(list), w); \
		good_ && !(w)->failed; \
	})

static void guest_out(const void *record, struct buf *out)
{
	const struct guest *g = record;

	FIELDS_OUT(guest_fields, g, out);
	wire_put_str(out, g->spec);
	LIST_OUT(&g->volumes, guest_volume_fields, out);
	LIST_OUT(&g->failures, failure_fields, out);
	LIST_OUT(&g->reasons, reason_fields, out);
}

static bool guest_in(void *record, struct wire *w)
{
	struct guest *g = record;

	if (!FIELDS_IN(guest_fields, g, w))
		return false;
	g->spec = wire_str_dup(w, COMMAND_SPEC_MAX);
	return LIST_IN(&g->volumes, COMMAND_VOLUMES_MAX, guest_volume_fields, w) &&
	       LIST_IN(&g->failures, FAILURES_MAX, failure_fields, w) &&
	       LIST_IN(&g->reasons, MODEL_REASONS_MAX, reason_fields, w);
}

static void node_out(const void *record, struct buf *out)
{
	const struct node *n = record;

	FIELDS_OUT(node_fields, n, out);
	LIST_OUT(&n->fence_params, fence_param_fields, out);
}

static bool node_in(void *record, struct wire *w)
{
	struct node *n = record;

	return FIELDS_IN(node_fields, n, w) && LIST_IN(&n->fence_params, MODEL_PARAMS_MAX, fence_param_fields, w);
}

#define PLAIN(kind) \
	static void kind##_out(const void *record, struct buf *out) \
	{ \
		FIELDS_OUT(kind##_fields, record, out); \
	} \
	static bool kind##_in(void *record, struct wire *w) \
	{ \
		return FIELDS_IN(kind##_fields, record, w); \
	}
PLAIN(pool)
PLAIN(volume)
PLAIN(operation)

/* Each gives the record to its map and says whether it has a name. */
static bool guest_put(struct map *map, void *record)
{
	struct guest *g = record;

	map_put(map, g->name, g);
	return g->name[0];
}

static bool node_put(struct map *map, void *record)
{
	struct node *n = record;

	map_put_u64(map, n->id, n);
	return n->id != 0;
}

static bool pool_put(struct map *map, void *record)
{
	struct pool *p = record;

	map_put(map, p->name, p);
	return p->name[0];
}

static bool volume_put(struct map *map, void *record)
{
	struct volume *v = record;
	char key[VOLUME_KEY_SIZE] = "";

	volume_key(v->pool, v->name, key);
	map_put(map, key, v);
	return v->pool[0] && v->name[0];
}

static bool operation_put(struct map *map, void *record)
{
	struct operation *op = record;

	map_put_u64(map, op->id, op);
	return op->id != 0;
}

static const struct kind {
	size_t map, size;		/* the map's place in the model; a record's size */
	void (*out)(const void *record, struct buf *out);
	bool (*in)(void *record, struct wire *w);
	bool (*put)(struct map *map, void *record);
} kinds[] = {
	{ offsetof(struct model, guests), sizeof(struct guest), guest_out, guest_in, guest_put },
	{ offsetof(struct model, nodes), sizeof(struct node), node_out, node_in, node_put },
	{ offsetof(struct model, pools), sizeof(struct pool), pool_out, pool_in, pool_put },
	{ offsetof(struct model, volumes), sizeof(struct volume), volume_out, volume_in, volume_put },
	{ offsetof(struct model, operations), sizeof(struct operation), operation_out, operation_in, operation_put },
};

static struct map *records_of(const struct model *m, const struct kind *k)
{
	return *(struct map *const *)((const char *)m + k->map);
}

static void records_out(const struct model *m, const struct kind *k, struct buf *out)
{
	const struct map *map = records_of(m, k);
	struct map_iter it = { 0 };
	const void *record;

	wire_put_u32(out, (uint32_t)map_count(map));
	while ((record = map_next(map, &it)))
		k->out(record, out);
}

/* The map owns even what is wrong, since that is freed with it. Keys rise, so none comes twice. */
static bool records_in(struct model *m, const struct kind *k, struct wire *w)
{
	struct map *map = records_of(m, k);
	uint32_t n = wire_u32(w);

	if (n > RECORDS_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		void *record = mem_alloc0(k->size);
		bool good = k->in(record, w);

		if (!k->put(map, record) || !good || map_count(map) != i + 1 || map_last(map) != record)
			return false;
	}
	return !w->failed;
}

static void ring_out(const struct model *m, struct buf *out)
{
	const uint32_t *node;

	wire_put_u32(out, (uint32_t)m->ring.n);
	vec_each(node, &m->ring)
		wire_put_u32(out, *node);
}

static bool ring_in(struct model *m, struct wire *w)
{
	uint32_t n = wire_u32(w);

	if (n > ORDER_MEMBERS_MAX)
		return false;
	while (n-- > 0)
		vec_push(&m->ring, wire_u32(w));
	return !w->failed;
}

/* Their numbers have no gaps: the log of events relies on it. */
static bool events_in(struct model *m, struct wire *w)
{
	m->next_event = wire_u64(w);
	if (!LIST_IN(&m->events, MODEL_EVENTS_MAX, event_fields, w) || m->next_event <= m->events.n)
		return false;
	for (size_t i = 0; i < m->events.n; i++)
		if (m->events.v[i].seq != m->next_event - m->events.n + i)
			return false;
	return true;
}

void model_wire_out(const struct model *m, struct buf *out)
{
	FIELDS_OUT(model_fields, m, out);
	LIST_OUT(&m->members, member_fields, out);
	ring_out(m, out);
	wire_put_u64(out, m->next_event);
	LIST_OUT(&m->events, event_fields, out);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		records_out(m, &kinds[i], out);
}

bool model_wire_in(struct model *m, struct wire *w)
{
	if (!FIELDS_IN(model_fields, m, w) || !LIST_IN(&m->members, ORDER_MEMBERS_MAX, member_fields, w) || !ring_in(m, w) ||
	    !events_in(m, w))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!records_in(m, &kinds[i], w))
			return false;
	return true;
}
