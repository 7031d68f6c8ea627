/* SPDX-License-Identifier: Apache-2.0
 * Views, put together from the raw upcalls of the total order (rule L6). Pure: no clock, no I/O. */
#ifndef DOMUS_CLUSTER_MEMBERSHIP_H
#define DOMUS_CLUSTER_MEMBERSHIP_H

#include "base/vec.h"
#include "cluster/order.h"

#include <stdbool.h>

/* A view: one ring and the agents of the group in it. Two views are the same when ring and members (node and pid) are. */
struct view {
	struct order_ring ring;
	struct order_member members[ORDER_MEMBERS_MAX];
	size_t n_members;
	uint32_t nodes[ORDER_MEMBERS_MAX];	/* of the ring, with or without an agent; sorted */
	size_t n_nodes;
};

/* What has changed; a caller hands it on to the ledger. */
enum membership_change {
	MEMBERSHIP_NONE,
	MEMBERSHIP_VIEW,	/* a new view stands: membership_view */
	MEMBERSHIP_GATE,	/* the same view, but membership_quorate has changed */
	MEMBERSHIP_GONE,	/* no view any more: lost, or a ring is forming */
};

struct membership;
struct membership *membership_new(void);
void membership_free(struct membership *m);

/*
 * Feed it the upcalls; it says what follows. A group with @ring_follows ends the
 * view until the ring's callback. A quorum answer counts only for the ring it
 * names, early or late; until it has come a view is not quorate. lost forgets all.
 */
enum membership_change membership_group(struct membership *m, const struct order_member *members, size_t n, bool ring_follows);
enum membership_change membership_ring(struct membership *m, const struct order_ring *ring, const uint32_t *nodes, size_t n);
enum membership_change membership_quorum(struct membership *m, const struct order_ring *ring, bool quorate);
enum membership_change membership_lost(struct membership *m);

const struct view *membership_view(const struct membership *m);	/* NULL while there is none */
bool membership_quorate(const struct membership *m);			/* of the view that stands */
bool view_equal(const struct view *a, const struct view *b);

#endif
