/* SPDX-License-Identifier: Apache-2.0
 * Placement: on which node a guest is to run. Integer costs, each term named. */
#ifndef DOMUS_POLICY_PLACE_H
#define DOMUS_POLICY_PLACE_H

#include "base/err.h"
#include "policy/model.h"

/* Memory promised by decisions that are taken but not yet applied: per node, MiB. */
struct place_extra {
	uint32_t node;
	uint64_t memory_mib;
};
typedef VEC(struct place_extra) place_extras;

/*
 * Chooses the node for @g among those that are online, not in maintenance, not @avoid (0: none),
 * have room for its memory and are not out for what happened there (place_out_until); @only (0: any) leaves
 * just that one. The least loaded (memory promised after placing, per mille) wins, then the
 * fewest guests, then the lowest id. Returns the node's id and @ret_why ("n2: memory 12 % ...;
 * n3: ..."), or 0 and why each node was out.
 */
uint32_t place_guest(const struct model *m, const struct guest *g, uint32_t only, uint32_t avoid,
		     const place_extras *extra, int64_t now_us, char ret_why[MODEL_TEXT_MAX]);

/*
 * Until when @g is kept away from @node by what happened to it there: a past time (0) for not at
 * all, INT64_MAX for until a person starts it anew or its window is over.
 */
int64_t place_out_until(const struct guest *g, uint32_t node, int64_t now_us);

#endif
