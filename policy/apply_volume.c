/* SPDX-License-Identifier: Apache-2.0
 * Pools and volumes. The pool is seen by all nodes: one of them does the work, and another
 * repeats it if that one leaves. */
#include "apply_priv.h"

#include <string.h>

/* The one setter. */
static void volume_set_state(struct model *m, struct volume *v, enum volume_state next,
			     const char *why)
{
	v->was_failed = v->state == VOLUME_FAILED;
	v->state = next;
	v->revision = m->index;
	STRCPY(v->reason, next == VOLUME_FAILED ? why : "");
	event_add(m, v->name,
		  SAY("volume ", v->pool, "/", v->name, " ", volume_state_text(next),
		      *why ? ": " : "", why));
}

static const struct node *lowest_online(const struct model *m)
{
	struct map_iter it = { 0 };
	const struct node *n;

	while ((n = map_next(m->nodes, &it)))
		if (node_takes_orders(n))
			return n;
	return NULL;
}

static int volume_order(struct model *m, struct volume *v, enum op_kind kind, struct err *ret_err)
{
	const struct node *n = lowest_online(m);
	struct operation *op;
	struct owner at;

	if (!n)
		return err_set(ret_err, -EBUSY, "volume %s/%s: no node is online to do it", v->pool,
			       v->name);
	at = node_life(n);
	op = operation_add(m, kind, &at);
	STRCPY(op->pool, v->pool);
	STRCPY(op->volume, v->name);
	v->operation = op->id;
	v->revision = m->index;
	return 0;
}

int apply_pool_define(struct model *m, const struct command *c, struct err *ret_err)
{
	struct pool *p = model_pool(m, c->name);

	if (!name_is_fine(c->name) || !c->text[0])
		return err_set(
			ret_err, -EINVAL,
			"pool: it needs a name of letters, digits, '.', '-', '_', and a path");
	if (!c->detail[0] || strlen(c->detail) >= sizeof(p->backend))
		return err_set(ret_err, -EINVAL, "pool %s: no such backend: %s", c->name,
			       c->detail);
	if (p && !strcmp(p->backend, c->detail) && !strcmp(p->path, c->text))
		return 0;
	if (p)
		return err_set(ret_err, -EEXIST, "pool %s exists already, as %s on %s", p->name,
			       p->backend, p->path);
	p = mem_new(struct pool);
	STRCPY(p->name, c->name);
	STRCPY(p->backend, c->detail);
	STRCPY(p->path, c->text);
	p->revision = m->index;
	map_put(m->pools, p->name, p);
	event_add(m, p->name, SAY("pool defined: ", p->backend, " on ", p->path));
	return 0;
}

static const struct volume *volume_in(const struct model *m, const char *pool)
{
	struct map_iter it = { 0 };
	const struct volume *v;

	while ((v = map_next(m->volumes, &it)))
		if (!strcmp(v->pool, pool))
			return v;
	return NULL;
}

static const struct guest *guest_with(const struct model *m, const char *pool)
{
	struct map_iter it = { 0 };
	const struct guest_volume *v;
	const struct guest *g;

	while ((g = map_next(m->guests, &it)))
		vec_each(v, &g->volumes)
			if (!strcmp(v->pool, pool))
				return g;
	return NULL;
}

int apply_pool_delete(struct model *m, const struct command *c, struct err *ret_err)
{
	const struct volume *v = volume_in(m, c->name);
	const struct guest *g = guest_with(m, c->name);

	if (!model_pool(m, c->name))
		return err_set(ret_err, -ENOENT,
			       "pool %s: there is none of this name: see 'domus pool list'",
			       c->name);
	if (g)
		return err_set(ret_err, -EBUSY, "pool %s: guest %s uses it: undefine that first",
			       c->name, g->name);
	if (v)
		return err_set(ret_err, -EBUSY, "pool %s: volume %s/%s is in it: delete that first",
			       c->name, v->pool, v->name);
	event_add(m, c->name, apply_wanted(c, "pool deleted").text);
	map_remove(m->pools, c->name);
	return 0;
}

static int create_again(struct model *m, struct volume *v, const struct command *c,
			struct err *ret_err)
{
	if (v->state == VOLUME_CREATING && !v->operation && v->size == c->size) {
		v->again = true;
		return volume_order(m, v, OP_VOLUME_CREATE, ret_err);
	}
	return err_set(ret_err, -EEXIST, "volume %s/%s exists already: it is %s", v->pool, v->name,
		       volume_state_text(v->state));
}

int apply_volume_create(struct model *m, const struct command *c, struct err *ret_err)
{
	struct volume *v = model_volume(m, c->pool, c->name);
	char key[VOLUME_KEY_SIZE];
	int rc;

	if (v)
		return create_again(m, v, c, ret_err);
	if (!model_pool(m, c->pool))
		return err_set(ret_err, -ENOENT, "volume %s/%s: there is no pool %s", c->pool,
			       c->name, c->pool);
	if (!name_is_fine(c->name) || !c->size)
		return err_set(
			ret_err, -EINVAL,
			"volume: it needs a name of letters, digits, '.', '-', '_', and a size");
	v = mem_new(struct volume);
	STRCPY(v->pool, c->pool);
	STRCPY(v->name, c->name);
	v->size = c->size;
	rc = volume_order(m, v, OP_VOLUME_CREATE, ret_err);
	if (rc < 0) {
		mem_freep(&v);
		return rc;
	}
	volume_key(v->pool, v->name, key);
	map_put(m->volumes, key, v);
	volume_set_state(m, v, VOLUME_CREATING, "");
	return 0;
}

int apply_volume_delete(struct model *m, const struct command *c, struct err *ret_err)
{
	struct volume *v = model_volume(m, c->pool, c->name);
	const struct guest *user = model_volume_user(m, c->pool, c->name);
	int rc;

	if (!v)
		return err_set(ret_err, -ENOENT, "volume %s/%s: there is none of this name",
			       c->pool, c->name);
	if (user)
		return err_set(ret_err, -EBUSY,
			       "volume %s/%s belongs to guest %s: undefine that first", v->pool,
			       v->name, user->name);
	if (v->state == VOLUME_CREATING)
		return err_set(ret_err, -EBUSY, "volume %s/%s is still being created", v->pool,
			       v->name);
	if (v->state == VOLUME_DELETING && v->operation)
		return 0;
	rc = volume_order(m, v, OP_VOLUME_DELETE, ret_err);
	if (rc == 0 && v->state != VOLUME_DELETING)
		volume_set_state(m, v, VOLUME_DELETING, "");
	return rc;
}

static struct volume *volume_of(struct model *m, const struct operation *op)
{
	struct volume *v = model_volume(m, op->pool, op->volume);

	if (!v || v->operation != op->id)
		return NULL;
	v->operation = 0;
	v->revision = m->index;
	return v;
}

void volume_done(struct model *m, const struct operation *op, bool ok, const char *text)
{
	struct volume *v = volume_of(m, op);
	bool deleted = ok && op->kind == OP_VOLUME_DELETE;
	char key[VOLUME_KEY_SIZE];

	operation_remove(m, op->id);
	if (!v)
		return;
	if (!deleted) {
		volume_set_state(m, v, ok ? VOLUME_READY : VOLUME_FAILED, ok ? "" : text);
		return;
	}
	event_add(m, v->name, SAY("volume ", v->pool, "/", v->name, " deleted"));
	volume_key(v->pool, v->name, key);
	map_remove(m->volumes, key);
}
