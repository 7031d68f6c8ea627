/* SPDX-License-Identifier: Apache-2.0
 * One round of ha_step: what its parts share. Private to policy/. */
#ifndef DOMUS_POLICY_HA_PRIV_H
#define DOMUS_POLICY_HA_PRIV_H

#include "ha_node.h"
#include "policy/ha.h"
#include "policy/place.h"

/*
 * Only reads the model. At most one command about each record, so that none spoils what another
 * was decided on.
 */
struct ha_round {
	const struct model *m;
	const struct ha_conf *conf;
	int64_t now;
	struct ha_out *out;
	place_extras extra;   /* promised in this round */
	VEC(uint32_t) fenced; /* nodes whose fencing it orders: that changes their guests too */
};

struct command *ha_order(struct ha_round *r, enum command_kind kind, const char *reason);
/* About a guest or a node; it holds only while that record is as it is now. */
struct command *ha_order_guest(struct ha_round *r, enum command_kind kind, const struct guest *g,
			       const char *reason);
struct command *ha_order_node(struct ha_round *r, enum command_kind kind, const struct node *n,
			      const char *reason);
/* Grants: at that node, in its present life; its memory is taken from now on. */
void ha_order_at(struct ha_round *r, enum command_kind kind, const struct guest *g, uint32_t node,
		 const char *reason);
/* Only notes a reason; not again while it is the newest. */
void ha_say(struct ha_round *r, enum command_kind kind, const struct guest *g, const char *reason);

/* Looks again then, if that is still to come. True if it has come. */
bool ha_due(struct ha_round *r, int64_t when);
/* Its time is over although its executor could have worked at it. */
bool ha_overdue(struct ha_round *r, const struct operation *op);
/* The node that was to carry it out is not there in that life. */
bool ha_executor_gone(const struct ha_round *r, const struct operation *op);

/* Those in @state, but not those of a node that this round fences. */
typedef void ha_guest_fn(struct ha_round *r, const struct guest *g);
void ha_each_guest(struct ha_round *r, enum guest_state state, ha_guest_fn *fn);

/* The parts, in the order of ha_step. */
void ha_fence_lost(struct ha_round *r);
void ha_operations_drop(struct ha_round *r);
void ha_volumes_repeat(struct ha_round *r);
void ha_moves_cancel(struct ha_round *r);
void ha_moves_hand_over(struct ha_round *r);
void ha_guests_stop(struct ha_round *r);
void ha_guests_pause(struct ha_round *r);
void ha_guests_resume(struct ha_round *r);
void ha_guests_recover(struct ha_round *r);
void ha_guests_start(struct ha_round *r);
void ha_moves_begin(struct ha_round *r);
void ha_nodes_drain(struct ha_round *r);

#endif
