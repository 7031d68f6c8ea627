/* SPDX-License-Identifier: Apache-2.0
 * The model's records: making, finding and asking them. Changes are apply's. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static const char *const desired_names[DESIRED_MAX] = {
	[DESIRED_STOPPED] = "stopped",
	[DESIRED_RUNNING] = "running",
	[DESIRED_PAUSED] = "paused",
};
TABLE_DEFINE(desired, enum desired, DESIRED_MAX)

static const char *const guest_state_names[GUEST_STATE_MAX] = {
	[GUEST_STOPPED] = "stopped",       [GUEST_STARTING] = "starting",
	[GUEST_RUNNING] = "running",       [GUEST_PAUSED] = "paused",
	[GUEST_STOPPING] = "stopping",     [GUEST_MIGRATING] = "migrating",
	[GUEST_IO_ERROR] = "io-error",     [GUEST_LOST] = "lost",
	[GUEST_RECOVERING] = "recovering", [GUEST_HELD] = "held",
};
TABLE_DEFINE(guest_state, enum guest_state, GUEST_STATE_MAX)

static const char *const after_names[AFTER_MAX] = {
	[AFTER_STOP] = "stop",
	[AFTER_RESTART] = "restart",
};
TABLE_DEFINE(after, enum after, AFTER_MAX)

static const char *const move_phase_names[MOVE_PHASE_MAX] = {
	[MOVE_NONE] = "none",
	[MOVE_PREPARING] = "preparing",
	[MOVE_SENDING] = "sending",
	[MOVE_CANCELLING] = "cancelling",
	[MOVE_ACTIVATING] = "activating",
};
TABLE_DEFINE(move_phase, enum move_phase, MOVE_PHASE_MAX)

static const char *const node_state_names[NODE_STATE_MAX] = {
	[NODE_ONLINE] = "online", [NODE_MAINTENANCE] = "maintenance", [NODE_AWAY] = "away",
	[NODE_LOST] = "lost",     [NODE_FENCED] = "fenced",
};
TABLE_DEFINE(node_state, enum node_state, NODE_STATE_MAX)

static const char *const proof_kind_names[PROOF_KIND_MAX] = {
	[PROOF_NONE] = "none",
	[PROOF_FENCED] = "fenced",
	[PROOF_CONFIRMED] = "confirmed",
	[PROOF_RESTARTED] = "restarted",
};
TABLE_DEFINE(proof_kind, enum proof_kind, PROOF_KIND_MAX)

static const char *const volume_state_names[VOLUME_STATE_MAX] = {
	[VOLUME_CREATING] = "creating",
	[VOLUME_READY] = "ready",
	[VOLUME_DELETING] = "deleting",
	[VOLUME_FAILED] = "failed",
};
TABLE_DEFINE(volume_state, enum volume_state, VOLUME_STATE_MAX)

static const char *const volume_access_names[VOLUME_ACCESS_MAX] = {
	[VOLUME_NOT_IN_USE] = "not in use",
	[VOLUME_PRIVATE] = "private",
	[VOLUME_SHARED] = "shared",
};
TABLE_DEFINE(volume_access, enum volume_access, VOLUME_ACCESS_MAX)

static const char *const op_kind_names[OP_KIND_MAX] = {
	[OP_START] = "start",
	[OP_STOP] = "stop",
	[OP_KILL] = "kill",
	[OP_PAUSE] = "pause",
	[OP_RESUME] = "resume",
	[OP_PREPARE_IN] = "prepare-in",
	[OP_SEND] = "send",
	[OP_ACTIVATE] = "activate",
	[OP_RESUME_SOURCE] = "resume-source",
	[OP_FENCE] = "fence",
	[OP_VOLUME_CREATE] = "volume-create",
	[OP_VOLUME_DELETE] = "volume-delete",
};
TABLE_DEFINE(op_kind, enum op_kind, OP_KIND_MAX)

static void guest_free(void *p)
{
	struct guest *g = p;

	free(g->spec);
	vec_free(&g->volumes);
	vec_free(&g->failures);
	vec_free(&g->reasons);
	free(g);
}

static void node_free(void *p)
{
	struct node *n = p;

	vec_free(&n->fence_params);
	free(n);
}

struct model *model_new(void)
{
	struct model *m = mem_new(struct model);

	m->guests = map_new(guest_free);
	m->nodes = map_new(node_free);
	m->pools = map_new(free);
	m->volumes = map_new(free);
	m->operations = map_new(free);
	m->next_event = 1;
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	map_free(m->guests);
	map_free(m->nodes);
	map_free(m->pools);
	map_free(m->volumes);
	map_free(m->operations);
	vec_free(&m->members);
	vec_free(&m->ring);
	vec_free(&m->events);
	free(m);
}

void model_freep(struct model **m)
{
	model_free(TAKE_PTR(*m));
}

struct guest *model_guest(const struct model *m, const char *name)
{
	return map_get(m->guests, name);
}

struct node *model_node(const struct model *m, uint32_t id)
{
	return map_get_u64(m->nodes, id);
}

struct node *model_node_named(const struct model *m, const char *name)
{
	struct map_iter it = { 0 };
	struct node *n;

	while ((n = map_next(m->nodes, &it)))
		if (!strcmp(n->name, name))
			return n;
	return NULL;
}

struct pool *model_pool(const struct model *m, const char *name)
{
	return map_get(m->pools, name);
}

void volume_key(const char *pool, const char *name, char ret[static VOLUME_KEY_SIZE])
{
	size_t len = strnlen(pool, MODEL_NAME_MAX - 1);

	memcpy(ret, pool, len);
	ret[len] = '/';
	mem_strcpy(ret + len + 1, MODEL_NAME_MAX, name);
}

struct volume *model_volume(const struct model *m, const char *pool, const char *name)
{
	char key[VOLUME_KEY_SIZE] = "";

	volume_key(pool, name, key);
	return map_get(m->volumes, key);
}

struct operation *model_operation(const struct model *m, uint64_t id)
{
	return map_get_u64(m->operations, id);
}

const char *model_node_name(const struct model *m, uint32_t id)
{
	const struct node *n = model_node(m, id);

	return n ? n->name : "?";
}

bool node_online(const struct node *n)
{
	return n->state == NODE_ONLINE || n->state == NODE_MAINTENANCE;
}

bool owner_is(const struct owner *o, uint32_t node, const struct id *incarnation)
{
	return o->node == node && node && id_equal(&o->incarnation, incarnation);
}

bool owner_online(const struct model *m, const struct owner *o)
{
	const struct node *n = model_node(m, o->node);

	return n && node_online(n) && owner_is(o, n->id, &n->incarnation);
}

static bool guest_names(const struct guest *g, const char *pool, const char *name)
{
	const struct guest_volume *v;

	vec_each(v, &g->volumes)
		if (!strcmp(v->pool, pool) && !strcmp(v->name, name))
			return true;
	return false;
}

/* Where a migration is on its way to: before the hand-over the target is one more place. */
static uint32_t coming_to(const struct guest *g)
{
	bool before = g->move.phase == MOVE_PREPARING || g->move.phase == MOVE_SENDING;

	return before ? g->move.target.node : 0;
}

const struct guest *model_volume_user(const struct model *m, const char *pool, const char *name)
{
	const struct guest *g, *user = NULL;
	struct map_iter it = { 0 };

	while ((g = map_next(m->guests, &it)))
		if (guest_names(g, pool, name) && (!user || (!user->owner.node && g->owner.node)))
			user = g;
	return user;
}

enum volume_access model_volume_access(const struct model *m, const char *pool, const char *name)
{
	const struct guest *g;
	struct map_iter it = { 0 };
	uint32_t at = 0;

	while ((g = map_next(m->guests, &it))) {
		if (!guest_names(g, pool, name) || !g->owner.node)
			continue;
		if (coming_to(g) || (at && at != g->owner.node))
			return VOLUME_SHARED;
		at = g->owner.node;
	}
	return at ? VOLUME_PRIVATE : VOLUME_NOT_IN_USE;
}

uint64_t model_memory_used(const struct model *m, uint32_t node)
{
	const struct guest *g;
	struct map_iter it = { 0 };
	uint64_t used = 0;

	while (node && (g = map_next(m->guests, &it)))
		if (g->owner.node == node || coming_to(g) == node)
			used += g->memory_mib;
	return used;
}
