/* SPDX-License-Identifier: Apache-2.0
 * The real total order: corosync's cpg for messages and groups, libquorum for the gate, cmap for names. */
#ifndef DOMUS_CLUSTER_COROSYNC_H
#define DOMUS_CLUSTER_COROSYNC_H

#include "base/loop.h"
#include "cluster/order.h"

struct corosync;

/* Not connected yet. @events and @ctx outlive it. An adapter: it uses the loop. */
struct corosync *corosync_new(struct loop *loop, const struct order_events *events, void *ctx);
/* Connects, and goes on trying while corosync is away. */
void corosync_start(struct corosync *c);
void corosync_free(struct corosync *c);
struct order corosync_order(struct corosync *c);

#endif
