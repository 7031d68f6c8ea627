/* SPDX-License-Identifier: Apache-2.0
 * High availability: the table of contents. Each line is one thing that policy sees to. */
#include "ha_priv.h"

#include <string.h>

const struct ha_conf ha_conf_default = {
	.agent_grace_us = 30 * US_PER_S,
	.boot_grace_us = 60 * US_PER_S,
	.start_deadline_us = 60 * US_PER_S,
	.move_deadline_us = 300 * US_PER_S,
	.hand_over_deadline_us = 10 * US_PER_S,
	.fence_deadline_us = 60 * US_PER_S,
	.fence_retry_us = 1 * US_PER_S,
	.drain_retry_us = 30 * US_PER_S,
	.resume_retry_us = 10 * US_PER_S,
	.start_retry_us = 30 * US_PER_S,
	.start_retry_max_us = 300 * US_PER_S,
};

void ha_step(const struct model *m, const struct ha_conf *conf, int64_t now_us, struct ha_out *out)
{
	struct ha_round r = { .m = m, .conf = conf, .now = now_us, .out = out };

	memset(out, 0, sizeof(*out));
	out->again_us = INT64_MAX;

	ha_fence_lost(&r);      /* proof first: what was lost waits for it */
	ha_operations_drop(&r); /* those of which nothing can come any more */
	ha_volumes_repeat(&r);
	ha_moves_cancel(&r);
	ha_moves_hand_over(&r);
	ha_guests_stop(&r);
	ha_guests_pause(&r);
	ha_guests_resume(&r);
	ha_guests_recover(&r); /* what ran before has the first claim to room */
	ha_guests_start(&r);
	ha_moves_begin(&r);
	ha_nodes_drain(&r);
	vec_free(&r.extra);
	vec_free(&r.fenced);
}

void ha_out_free(struct ha_out *out)
{
	struct command *c;

	vec_each(c, &out->commands)
		command_free(c);
	vec_free(&out->commands);
}

struct command *ha_order(struct ha_round *r, enum command_kind kind, const char *reason)
{
	struct command *c = vec_add(&r->out->commands);

	c->kind = kind;
	STRCPY(c->reason, reason);
	return c;
}

struct command *ha_order_guest(struct ha_round *r, enum command_kind kind, const struct guest *g,
			       const char *reason)
{
	struct command *c = ha_order(r, kind, reason);
	struct command_read *read = &c->reads[c->n_reads++];

	STRCPY(c->name, g->name);
	read->kind = RECORD_GUEST;
	STRCPY(read->guest, g->name);
	read->revision = g->revision;
	return c;
}

struct command *ha_order_node(struct ha_round *r, enum command_kind kind, const struct node *n,
			      const char *reason)
{
	struct command *c = ha_order(r, kind, reason);

	c->node = n->id;
	c->incarnation = n->incarnation;
	c->reads[c->n_reads++] = (struct command_read){ .kind = RECORD_NODE,
							.node = n->id,
							.revision = n->revision };
	return c;
}

void ha_order_at(struct ha_round *r, enum command_kind kind, const struct guest *g, uint32_t node,
		 const char *reason)
{
	struct command *c = ha_order_guest(r, kind, g, reason);

	c->node = node;
	c->incarnation = model_node(r->m, node)->incarnation;
	vec_push(&r->extra, (struct place_extra){ node, g->memory_mib });
}

void ha_say(struct ha_round *r, enum command_kind kind, const struct guest *g, const char *reason)
{
	if (g->reasons.n && !strcmp(g->reasons.v[g->reasons.n - 1].text, reason))
		return;
	ha_order_guest(r, kind, g, reason);
}

bool ha_due(struct ha_round *r, int64_t when)
{
	if (when <= r->now)
		return true;
	if (when < r->out->again_us)
		r->out->again_us = when;
	return false;
}

bool ha_executor_gone(const struct ha_round *r, const struct operation *op)
{
	return !owner_online(r->m, &(struct owner){ op->node, op->incarnation, 0 });
}

/* The time of an executor that is away does not count: it may be back, and then does it. */
bool ha_overdue(struct ha_round *r, const struct operation *op)
{
	return !ha_executor_gone(r, op) && ha_due(r, op->deadline_us);
}

static bool is_fenced_now(const struct ha_round *r, uint32_t node)
{
	const uint32_t *fenced;

	vec_each(fenced, &r->fenced)
		if (*fenced == node)
			return true;
	return false;
}

void ha_each_guest(struct ha_round *r, enum guest_state state, ha_guest_fn *fn)
{
	struct map_iter it = { 0 };
	const struct guest *g;

	while ((g = map_next(r->m->guests, &it)))
		if (g->state == state && !is_fenced_now(r, g->owner.node))
			fn(r, g);
}
