/* SPDX-License-Identifier: Apache-2.0
 * People define and undefine guests. */
#include "apply_priv.h"

#include <stdlib.h>
#include <string.h>

static int check_uuid(const struct model *m, const struct guest *def, struct err *ret_err)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	if (id_is_none(&def->uuid))
		return err_set(ret_err, -EINVAL, "define %s: it has no uuid", def->name);
	while ((g = map_next(m->guests, &it)))
		if (id_equal(&g->uuid, &def->uuid) && strcmp(g->name, def->name) != 0)
			return err_set(ret_err, -EEXIST,
				       "define %s: guest %s has this uuid already", def->name,
				       g->name);
	return 0;
}

/*
 * The first of the guests that names this volume, @but aside. Reading it together is not possible
 * either yet: a node holds a volume for one guest.
 */
static const struct guest *other_user(const struct model *m, const struct guest *but,
				      const struct guest_volume *wanted)
{
	struct map_iter it = { 0 };
	const struct guest *g;
	const struct guest_volume *v;

	while ((g = map_next(m->guests, &it))) {
		if (!strcmp(g->name, but->name))
			continue;
		vec_each(v, &g->volumes)
			if (!strcmp(v->pool, wanted->pool) && !strcmp(v->name, wanted->name))
				return g;
	}
	return NULL;
}

static int check_volume(const struct model *m, const struct guest *def, size_t i,
			struct err *ret_err)
{
	const struct guest_volume *v = &def->volumes.v[i];
	const struct volume *volume = model_volume(m, v->pool, v->name);
	const struct guest *user = other_user(m, def, v);

	for (size_t k = 0; k < i; k++)
		if (!strcmp(def->volumes.v[k].pool, v->pool) &&
		    !strcmp(def->volumes.v[k].name, v->name))
			return err_set(ret_err, -EINVAL, "define %s: volume %s/%s is named twice",
				       def->name, v->pool, v->name);
	if (!volume)
		return err_set(ret_err, -ENOENT,
			       "define %s: volume %s/%s does not exist: create it first", def->name,
			       v->pool, v->name);
	if (volume->state != VOLUME_READY)
		return err_set(ret_err, -ENOENT, "define %s: volume %s/%s is %s, not ready",
			       def->name, v->pool, v->name, volume_state_text(volume->state));
	if (user)
		return err_set(ret_err, -EBUSY, "define %s: volume %s/%s belongs to guest %s",
			       def->name, v->pool, v->name, user->name);
	return 0;
}

static int check_replaced(const struct guest *old, const struct guest *def, struct err *ret_err)
{
	if (!old)
		return 0;
	if (!id_equal(&old->uuid, &def->uuid))
		return err_set(ret_err, -EEXIST,
			       "define %s: a guest of this name exists: undefine it, or choose "
			       "another name",
			       def->name);
	if (old->state != GUEST_HELD &&
	    (old->state != GUEST_STOPPED || old->desired != DESIRED_STOPPED))
		return err_set(ret_err, -EBUSY, "define %s: it is %s: stop it first", def->name,
			       guest_state_text(old->state));
	return 0;
}

static int check_definition(const struct model *m, const struct guest *def, struct err *ret_err)
{
	int rc;

	if (!name_is_fine(def->name))
		return err_set(ret_err, -EINVAL,
			       "define: a guest's name is letters, digits, '.', '-' and '_'");
	if (!def->memory_mib || !def->spec)
		return err_set(ret_err, -EINVAL, "define %s: it needs a specification and memory",
			       def->name);
	rc = check_uuid(m, def, ret_err);
	if (rc == 0)
		rc = check_replaced(model_guest(m, def->name), def, ret_err);
	for (size_t i = 0; rc == 0 && i < def->volumes.n; i++)
		rc = check_volume(m, def, i, ret_err);
	return rc;
}

static void take_definition(struct guest *g, const struct guest *def)
{
	const struct guest_volume *v;

	free(g->spec);
	g->spec = mem_strdup(def->spec);
	g->uuid = def->uuid;
	g->memory_mib = def->memory_mib;
	g->vcpus = def->vcpus;
	g->on_poweroff = def->on_poweroff;
	g->on_reboot = def->on_reboot;
	g->on_crash = def->on_crash;
	g->stop_timeout_s = def->stop_timeout_s;
	g->restart_max = def->restart_max;
	g->restart_window_s = def->restart_window_s;
	vec_clear(&g->volumes);
	vec_each(v, &def->volumes)
		vec_push(&g->volumes, *v);
}

int apply_guest_define(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g;
	int rc;

	if (!c->guest)
		return err_set(ret_err, -EINVAL, "define: no guest is given");
	rc = check_definition(m, c->guest, ret_err);
	if (rc < 0)
		return rc;
	g = model_guest(m, c->guest->name);
	if (!g) {
		g = mem_new(struct guest);
		STRCPY(g->name, c->guest->name);
		map_put(m->guests, g->name, g);
	}
	take_definition(g, c->guest);
	guest_note(m, g, "defined");
	return 0;
}

int apply_guest_undefine(struct model *m, const struct command *c, struct err *ret_err)
{
	struct guest *g = apply_find_guest(m, c->name, ret_err);

	if (!g)
		return -ENOENT;
	if (g->state != GUEST_HELD && (g->state != GUEST_STOPPED || g->desired != DESIRED_STOPPED))
		return err_set(ret_err, -EBUSY, "undefine %s: it is %s: stop it first", g->name,
			       guest_state_text(g->state));
	event_add(m, g->name, "undefined");
	map_remove(m->guests, c->name);
	return 0;
}
