/* SPDX-License-Identifier: Apache-2.0
 * A node's states, and what follows when agents come and go. Private to policy/. */
#ifndef DOMUS_POLICY_HA_NODE_H
#define DOMUS_POLICY_HA_NODE_H

#include "record.h"

enum node_event {
	NODE_EV_HERE,         /* an OPEN lists its agent */
	NODE_EV_HERE_DRAINED, /* the same, and it is to be in maintenance */
	NODE_EV_AGENT_GONE,   /* only its corosync is there */
	NODE_EV_GONE,         /* it left the ring */
	NODE_EV_PROVEN,       /* that life of it is proven over */
	NODE_EVENT_MAX,
	NODE_EVENT_INVALID = -1
};
TABLE_DECLARE(node_event, enum node_event);

/* The table: state after (state, event). Every cell is there. */
extern const enum node_state node_next[NODE_STATE_MAX][NODE_EVENT_MAX];

/* The one setter. Notes @why if the state changes. */
void node_happens(struct model *m, struct node *n, enum node_event ev, const char *why);

/* Brings @n in line with the members and the ring of the last OPEN. */
void node_follow(struct model *m, struct node *n);

/* Forgets a former voter that owns nothing and has left the ring. */
void node_forget_leavers(struct model *m);

bool node_owns(const struct node *n, const struct guest *g); /* in its present or last life */
bool node_owns_any(const struct model *m, const struct node *n);
/*
 * Its last life owns guests, or was told to make or delete a volume and has not said what came of
 * it: it could still do harm.
 */
bool node_matters(const struct model *m, const struct node *n);
bool node_takes_orders(const struct node *n); /* online, and a voter */
struct owner node_life(const struct node *n); /* epoch 0 */

#endif
