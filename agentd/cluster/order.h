/* SPDX-License-Identifier: Apache-2.0
 * Total order: one group of agents that see the same messages in the same order, and its membership.
 *
 * The real one is cluster/corosync.h; tests and the simulator have their own. What comes up here is raw: views are
 * put together by cluster/membership.h. */
#ifndef DOMUS_CLUSTER_ORDER_H
#define DOMUS_CLUSTER_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_MEMBERS_MAX 64
#define ORDER_MESSAGE_MAX (32 * 1024 - 512)	/* one message; more would make libcpg block */

/* A member of the group: an agent process on a node. Sorted by node, then pid, wherever a list of them stands. */
struct order_member {
	uint32_t node;		/* 1 .. */
	uint32_t pid;		/* tells two lives of an agent apart; never put into a message */
};

struct order_ring {
	uint32_t node;		/* the ring's representative */
	uint64_t seq;
};

/* Upcalls, from the loop, never from inside a call. Lists and bytes are valid during the call. */
struct order_events {
	/* The group changed: an agent came, went or died. @ring_follows: because nodes did, so a ring() is on its way. */
	void (*group)(void *ctx, const struct order_member *members, size_t n, bool ring_follows);
	/* A new ring of nodes has formed (whether or not each has an agent). Nothing may be sent between a change of ring and this. */
	void (*ring)(void *ctx, const struct order_ring *ring, const uint32_t *nodes, size_t n);
	/* Whether @ring is quorate; comes before or after ring(), up to some ms apart. */
	void (*quorum)(void *ctx, const struct order_ring *ring, bool quorate);
	/* A message, our own too. All members of a view get the same ones in the same order. */
	void (*message)(void *ctx, struct order_member from, const void *data, size_t len);
	/* The service is gone: everything heard before is void. It is tried again until it is back; then group, ring, quorum come anew. */
	void (*lost)(void *ctx, const char *why);
};

struct order_ops {
	/*
	 * Multicasts. 0 = taken (delivery comes back as message(), or never); -EAGAIN = the flow is controlled: try
	 * again after a few ms; -ENOTCONN = the service is away. Does not block.
	 */
	int (*send)(void *order, const void *data, size_t len);
	uint32_t (*node)(void *order);		/* this node's id; 0 while not known */
	/* The name of @node for people, or NULL. Valid until the next call. */
	const char *(*node_name)(void *order, uint32_t node);
	/* Why its quorum answers cannot be trusted (a setting that rule L8 refuses, and what to do, or settings that cannot be read), or NULL. quorum() says false then. */
	const char *(*unsafe)(void *order);
	/* The address of @node for streams between nodes, as text, or NULL. Valid until the next call. */
	const char *(*node_address)(void *order, uint32_t node);
};

struct order {
	const struct order_ops *ops;
	void *order;
};

#endif
