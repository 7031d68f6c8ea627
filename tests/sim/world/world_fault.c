/* SPDX-License-Identifier: Apache-2.0
 * What goes wrong in the world without anybody's order: refused and slow calls, cut streams, clocks that are wrong. */
#include "world_priv.h"

#include <stdlib.h>
#include <string.h>

#define SLOW_US	     (400 * US_PER_MS)	/* at most, of storage */

/* Nothing is drawn where nothing can fail: a world without faults is the same as before there were any. */
uint32_t world_draw(struct world *w, uint32_t n)
{
	uint32_t bits;

	env_random(&w->env, &bits, sizeof(bits));
	return bits % n;
}

bool world_strikes(struct world *w, unsigned percent)
{
	return percent && world_draw(w, 100) < percent;
}

static const char *hypervisor_fault(void *ctx, const char *node, const struct id *uuid, enum sim_point point)
{
	struct world *w = ctx;

	(void)node, (void)uuid, (void)point;
	return world_strikes(w, w->faults.hypervisor) ? "the simulated host failed" : NULL;
}

/* Nodes are called n1, n2, ... */
static bool hypervisor_linked(void *ctx, const char *from, const char *to)
{
	return world_linked(ctx, (uint32_t)atoi(from + 1), (uint32_t)atoi(to + 1));
}

const struct sim_hooks world_hypervisor_hooks = { .fault = hypervisor_fault, .linked = hypervisor_linked };

/* To unmap can take long, but it succeeds: what cannot be unmapped is its host's trouble. */
int world_storage_fault(void *ctx, enum storage_op op, uint32_t node, const char *volume, int64_t *delay_us)
{
	struct world *w = ctx;

	(void)node, (void)volume;
	if (world_strikes(w, 2 * w->faults.storage))
		*delay_us += world_draw(w, SLOW_US);
	return op != STORAGE_UNMAP && world_strikes(w, w->faults.storage) ? -EIO : 0;
}

void world_set_faults(struct world *w, const struct world_faults *faults)
{
	w->faults = *faults;
}
