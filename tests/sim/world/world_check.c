/* SPDX-License-Identifier: Apache-2.0
 * What must be true in a world after every step, whatever happens. */
#include "witness.h"
#include "world_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A guest whose vCPUs run, and where. */
struct running {
	struct id uuid;
	const char *node;
	uint64_t epoch;
};

/* A volume that a running guest may write. */
struct use {
	const struct guest_volume *volume;
	const struct guest *guest;
};

struct look {
	VEC(struct running) running;		/* by uuid */
	VEC(const struct guest *) guests;	/* of the newest state that there was; by uuid */
	VEC(struct use) uses;			/* by volume */
};

/* What comes after a lie that nobody can make good may be its doing. */
void world_break(struct world *w, const char *fmt, ...)
{
	va_list args;

	if (w->broken[0] || w->excused)
		return;
	va_start(args, fmt);
	vsnprintf(w->broken, sizeof(w->broken), fmt, args);
	va_end(args);
}

static void add_running(void *ctx, const struct sim_seen *seen)
{
	struct look *look = ctx;

	if (seen->vcpus_run)
		vec_push(&look->running, (struct running){ seen->uuid, seen->node, seen->epoch });
}

static int compare_running(const void *a, const void *b)
{
	return id_compare(&((const struct running *)a)->uuid, &((const struct running *)b)->uuid);
}

static int compare_guests(const void *a, const void *b)
{
	return id_compare(&(*(const struct guest *const *)a)->uuid, &(*(const struct guest *const *)b)->uuid);
}

static void gather(struct world *w, struct look *look)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	sim_world_walk(w->guests, add_running, look);
	while ((g = map_next(witness_model(w->witness)->guests, &it)))
		vec_push(&look->guests, g);
	if (look->running.n)
		qsort(look->running.v, look->running.n, sizeof(look->running.v[0]), compare_running);
	if (look->guests.n)
		qsort(look->guests.v, look->guests.n, sizeof(look->guests.v[0]), compare_guests);
}

static uint32_t node_of(const struct running *r)
{
	return (uint32_t)atoi(r->node + 1);
}

static bool has_volumes(struct world *w, const struct running *r, const struct guest *g)
{
	const struct guest_volume *v;

	vec_each(v, &g->volumes) {
		const struct pool *p = model_pool(witness_model(w->witness), v->pool);

		if (!p || !storage_world_mapped(w->disks, p->path, v->name, node_of(r)))
			return false;
	}
	return true;
}

/* A vCPU runs only at the owner, which before a hand-over is the source. */
static void check_running(struct world *w, const struct running *r, const struct guest *g, bool volumes)
{
	if (!g || g->owner.node != node_of(r) || g->owner.epoch != r->epoch)
		world_break(w, "guest %s runs on %s, which is not its owner", g ? g->name : "?", r->node);
	else if (volumes && !has_volumes(w, r, g))
		world_break(w, "guest %s runs without its volumes", g->name);
}

static void add_uses(struct look *look, const struct guest *g)
{
	const struct guest_volume *v;

	vec_each(v, &g->volumes)
		if (!v->readonly)
			vec_push(&look->uses, (struct use){ v, g });
}

static int compare_uses(const void *a, const void *b)
{
	const struct guest_volume *v = ((const struct use *)a)->volume, *u = ((const struct use *)b)->volume;
	int order = strcmp(v->pool, u->pool);

	return order ? order : strcmp(v->name, u->name);
}

/* The storage refuses a second private user, and counts that; here is who really writes. */
static void check_writers(struct world *w, struct look *look)
{
	if (look->uses.n)
		qsort(look->uses.v, look->uses.n, sizeof(look->uses.v[0]), compare_uses);
	for (size_t i = 1; i < look->uses.n; i++) {
		const struct use *u = &look->uses.v[i];

		if (!compare_uses(u - 1, u))
			world_break(w, "volume %s is written by %s and by %s", u->volume->name, u[-1].guest->name, u->guest->name);
	}
	if (storage_world_violations(w->disks))
		world_break(w, "a volume was asked for that is another's");
}

static const struct guest *guest_of(const struct look *look, size_t *at, const struct id *uuid)
{
	while (*at < look->guests.n && id_compare(&look->guests.v[*at]->uuid, uuid) < 0)
		++*at;
	return *at < look->guests.n && id_equal(&look->guests.v[*at]->uuid, uuid) ? look->guests.v[*at] : NULL;
}

static void check_all_running(struct world *w, struct look *look, bool volumes)
{
	size_t at = 0;

	for (size_t i = 0; i < look->running.n; i++) {
		const struct running *r = &look->running.v[i];
		const struct guest *g = guest_of(look, &at, &r->uuid);

		if (i && id_equal(&r[-1].uuid, &r->uuid))
			world_break(w, "a guest runs on %s and on %s", r[-1].node, r->node);
		if (g)
			add_uses(look, g);
		check_running(w, r, g, volumes);
	}
}

void world_check(struct world *w)
{
	uint64_t guests = sim_world_changes(w->guests), disks = storage_world_changes(w->disks);
	bool applied = witness_look(w), moved = guests != w->seen_guests || disks != w->seen_disks;
	struct look look = { 0 };

	if (!applied && !moved)
		return;
	w->seen_guests = guests;
	w->seen_disks = disks;
	gather(w, &look);
	check_all_running(w, &look, moved);
	vec_free(&look.running);
	check_writers(w, &look);
	vec_free(&look.guests);
	vec_free(&look.uses);
}
