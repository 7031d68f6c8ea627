/* SPDX-License-Identifier: Apache-2.0
 * The guests and volumes of a cluster that is to have trouble. */
#include "cast.h"

#include "world/fail.h"

#define S US_PER_S
#define MEMORY_MIB 1024		/* together: they fit on any one node */
#define MEMORY_MOST 128

/* Of four guests, one has two volumes, two have one, and one has none. */
static size_t n_volumes(int64_t guest)
{
	return (size_t[]){ 1, 2, 1, 0 }[guest % 4];
}

struct command cast_definition(const struct shape *shape, int64_t number)
{
	struct cast_name name = cast_name('g', number), volumes[] = { cast_name('v', 2 * number - 1), cast_name('v', 2 * number) };
	struct cluster_guest_conf conf = { .name = name.text, .memory_mib = MEMORY_MIB / shape->guests };

	if (conf.memory_mib > MEMORY_MOST)
		conf.memory_mib = MEMORY_MOST;
	for (size_t i = 0; i < n_volumes(number); i++)
		conf.volumes[i] = volumes[i].text;
	return cluster_definition(&conf);
}

static void must(struct world *w, struct command c)
{
	struct err err;

	if (world_order(w, 1, &c, &err) < 0)
		world_fail("the cluster cannot be set up: %s", err.text);
}

struct world *cast_new(uint64_t seed, const struct shape *shape)
{
	struct world *w = cluster_new_with(seed, shape->nodes, shape->log_entries);

	cluster_pool(w);
	for (int64_t g = 1; g <= shape->guests; g++)
		for (size_t i = 0; i < n_volumes(g); i++)
			must(w, cluster_volume(CMD_VOLUME_CREATE, cast_name('v', 2 * g - 1 + (int64_t)i).text));
	world_run(w, S);
	for (int64_t g = 1; g <= shape->guests; g++) {
		must(w, cast_definition(shape, g));
		cluster_want(w, 1, cast_name('g', g).text, DESIRED_RUNNING);
	}
	return w;
}

void cast_join(struct world *w, uint32_t node)
{
	struct engine_status s;
	struct err err;

	if (!world_engine(w, node))
		return;
	engine_status(world_engine(w, node), &s);
	if ((s.ledger.role == LEDGER_BLANK || s.ledger.role == LEDGER_LEARNER) && !s.ledger.joining)
		engine_cluster_join(world_engine(w, node), &err);
}
