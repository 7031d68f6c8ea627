/* SPDX-License-Identifier: Apache-2.0
 * What must be true in a world after every step, whatever happens. */
#include "world_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void world_break(struct world *w, const char *fmt, ...)
{
	va_list args;

	if (w->broken[0])
		return;
	va_start(args, fmt);
	vsnprintf(w->broken, sizeof(w->broken), fmt, args);
	va_end(args);
}

struct look {
	struct world *w;
	const struct model *m;		/* nothing newer was ever applied; NULL: whoever did has gone */
};

/* Of those that are up, if it has applied all that anybody ever has. */
static const struct model *newest_model(struct world *w)
{
	const struct model *newest = NULL;

	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		const struct model *m = w->nodes[i].engine ? engine_model(w->nodes[i].engine) : NULL;

		if (m && (!newest || m->index > newest->index))
			newest = m;
	}
	if (newest && newest->index > w->newest)
		w->newest = newest->index;
	return newest && newest->index == w->newest ? newest : NULL;
}

static const struct guest *guest_of(const struct model *m, const struct id *uuid)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	while ((g = map_next(m->guests, &it)))
		if (id_equal(&g->uuid, uuid))
			return g;
	return NULL;
}

static bool has_volumes(struct world *w, const struct guest *g)
{
	const struct guest_volume *v;

	vec_each(v, &g->volumes) {
		const struct pool *p = model_pool(newest_model(w), v->pool);

		if (!p || (!storage_world_users(w->disks, p->path, v->name, ACCESS_PRIVATE) &&
			   !storage_world_users(w->disks, p->path, v->name, ACCESS_SHARED)))
			return false;
	}
	return true;
}

/* A vCPU runs only at the owner, which before a hand-over is the source. */
static void check_process(void *ctx, const struct sim_seen *seen)
{
	struct look *look = ctx;
	struct world *w = look->w;
	const struct guest *g;

	if (!seen->vcpus_run)
		return;
	if (sim_world_running(w->guests, &seen->uuid) > 1)
		world_break(w, "a guest runs twice, once on %s", seen->node);
	if (!look->m)
		return;
	g = guest_of(look->m, &seen->uuid);
	if (!g || g->owner.node != (uint32_t)atoi(seen->node + 1) || g->owner.epoch != seen->epoch)
		world_break(w, "a guest (%s) runs on %s, which is not its owner", g ? g->name : "unknown", seen->node);
	else if (!has_volumes(w, g))
		world_break(w, "guest %s runs without its volumes", g->name);
}

void world_check(struct world *w)
{
	struct look look = { w, newest_model(w) };

	sim_world_walk(w->guests, check_process, &look);
	if (storage_world_violations(w->disks))
		world_break(w, "a volume was asked for that is another's");
}
