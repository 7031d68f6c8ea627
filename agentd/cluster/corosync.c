/* SPDX-License-Identifier: Apache-2.0
 * The real total order. Any error of a handle drops all handles and with them every cached answer (rule L6). */
#include "cluster/corosync.h"

#include "base/log.h"
#include "base/mem.h"
#include "cluster/corosync_map.h"

#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define RECONNECT_US (250 * US_PER_MS)
#define GROUP "domus"

struct corosync {
	struct loop *loop;
	struct env env;
	const struct order_events *events;
	void *ctx;
	struct env_timer *retry;
	struct env_timer *failing;	/* a send has failed, with @send_error: the handles are dropped in the next turn of the loop */
	cs_error_t send_error;
	bool connected, cpg_open, quorum_open;	/* the handles below are valid only while theirs is set */
	cpg_handle_t cpg;
	quorum_handle_t quorum;
	struct loop_fd *cpg_fd, *quorum_fd;
	unsigned int node;
	struct corosync_map map;
	struct order_ring quorum_ring;	/* what libquorum has said last, of this ring */
	bool quorate;
	struct env_timer *reread;	/* its settings could not be read */
	bool said_away;			/* the log was told that corosync is away */
};

static void connect_soon(struct corosync *c);

static void drop_handles(struct corosync *c)
{
	loop_fd_remove(TAKE_PTR(c->cpg_fd));
	loop_fd_remove(TAKE_PTR(c->quorum_fd));
	if (c->cpg_open)
		cpg_finalize(c->cpg);
	if (c->quorum_open)
		quorum_finalize(c->quorum);
	env_cancel(&c->env, &c->failing);
	env_cancel(&c->env, &c->reread);
	c->cpg_open = c->quorum_open = c->connected = false;
	c->node = 0;
}

static void fail(struct corosync *c, const char *what, cs_error_t rc)
{
	bool was = c->connected;

	drop_handles(c);
	if (!c->said_away)
		log_warning("corosync: %s: %s: trying again until it is there", what, cs_strerror(rc));
	c->said_away = true;
	if (was)
		c->events->lost(c->ctx, "corosync is away");
	connect_soon(c);
}

static int by_node_then_pid(const void *a, const void *b)
{
	const struct order_member *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static struct corosync *of_cpg(cpg_handle_t handle)
{
	void *ctx = NULL;

	return cpg_context_get(handle, &ctx) == CS_OK ? ctx : NULL;
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid, void *msg, size_t len)
{
	struct corosync *c = of_cpg(handle);

	(void)group;
	if (c)
		c->events->message(c->ctx, (struct order_member){ node, pid }, msg, len);
}

/* Nodes that came or went mean that a ring is forming; its totem callback follows the group's. */
static bool because_of_nodes(const struct cpg_address *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].reason == CPG_REASON_NODEDOWN || list[i].reason == CPG_REASON_NODEUP)
			return true;
	return false;
}

static void on_group(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members, size_t n_members,
		     const struct cpg_address *left, size_t n_left, const struct cpg_address *joined, size_t n_joined)
{
	struct corosync *c = of_cpg(handle);
	struct order_member list[ORDER_MEMBERS_MAX];
	size_t n = n_members < ORDER_MEMBERS_MAX ? n_members : ORDER_MEMBERS_MAX;

	(void)group;
	if (!c)
		return;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct order_member){ members[i].nodeid, members[i].pid };
	qsort(list, n, sizeof(list[0]), by_node_then_pid);
	c->events->group(c->ctx, list, n, because_of_nodes(left, n_left) || because_of_nodes(joined, n_joined));
}

static void on_ring(cpg_handle_t handle, struct cpg_ring_id id, uint32_t n_members, const uint32_t *members)
{
	struct corosync *c = of_cpg(handle);
	struct order_ring ring = { id.nodeid, id.seq };
	uint32_t nodes[ORDER_MEMBERS_MAX];
	size_t n = n_members < ORDER_MEMBERS_MAX ? n_members : ORDER_MEMBERS_MAX;

	if (!c)
		return;
	memcpy(nodes, members, n * sizeof(nodes[0]));
	qsort(nodes, n, sizeof(nodes[0]), by_number);
	c->events->ring(c->ctx, &ring, nodes, n);
}

/* Settings that cannot be read may be those that make the answer a lie: not quorate, until they can. */
static void tell_quorum(void *ctx)
{
	struct corosync *c = ctx;

	if (!corosync_map_read(&c->map))
		env_timer(&c->env, &c->reread, RECONNECT_US, tell_quorum, c);
	c->events->quorum(c->ctx, &c->quorum_ring, c->quorate && !corosync_map_unsafe(&c->map));
}

static void on_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id id, uint32_t n_members, const uint32_t *members)
{
	const void *ctx = NULL;
	struct corosync *c;

	(void)n_members;
	(void)members;
	if (quorum_context_get(handle, &ctx) != CS_OK || !ctx)
		return;
	c = (struct corosync *)ctx;
	c->quorum_ring = (struct order_ring){ id.nodeid, id.seq };
	c->quorate = quorate;
	tell_quorum(c);
}

static void on_nodes(quorum_handle_t handle, struct quorum_ring_id id, uint32_t n_members, const uint32_t *members, uint32_t n_joined,
		     const uint32_t *joined, uint32_t n_left, const uint32_t *left)
{
	(void)handle, (void)id, (void)n_members, (void)members, (void)n_joined, (void)joined, (void)n_left, (void)left;
}

static void cpg_ready(void *ctx, int fd, uint32_t revents)
{
	struct corosync *c = ctx;
	cs_error_t rc = cpg_dispatch(c->cpg, CS_DISPATCH_ALL);

	(void)fd, (void)revents;
	if (rc != CS_OK && rc != CS_ERR_TRY_AGAIN)
		fail(c, "connection lost (cpg)", rc);
}

static void quorum_ready(void *ctx, int fd, uint32_t revents)
{
	struct corosync *c = ctx;
	cs_error_t rc = quorum_dispatch(c->quorum, CS_DISPATCH_ALL);

	(void)fd, (void)revents;
	if (rc != CS_OK && rc != CS_ERR_TRY_AGAIN)
		fail(c, "connection lost (quorum)", rc);
}

static cs_error_t open_quorum(struct corosync *c)
{
	quorum_model_v1_data_t model = {
		.model = QUORUM_MODEL_V1, .quorum_notify_fn = on_quorum, .nodelist_notify_fn = on_nodes
	};
	uint32_t type;
	int fd;
	cs_error_t rc = quorum_model_initialize(&c->quorum, QUORUM_MODEL_V1, (quorum_model_data_t *)&model, &type, c);

	if (rc != CS_OK)
		return rc;
	c->quorum_open = true;
	rc = quorum_fd_get(c->quorum, &fd);
	if (rc != CS_OK)
		return rc;
	c->quorum_fd = loop_fd_add(c->loop, fd, POLLIN, quorum_ready, c);
	return quorum_trackstart(c->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
}

static cs_error_t open_cpg(struct corosync *c)
{
	cpg_model_v1_data_t model = {
		.model = CPG_MODEL_V1, .cpg_deliver_fn = on_deliver, .cpg_confchg_fn = on_group, .cpg_totem_confchg_fn = on_ring,
		.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF
	};
	struct cpg_name group = { .length = sizeof(GROUP) - 1, .value = GROUP };
	int fd;
	cs_error_t rc = cpg_model_initialize(&c->cpg, CPG_MODEL_V1, (cpg_model_data_t *)&model, c);

	if (rc != CS_OK)
		return rc;
	c->cpg_open = true;
	rc = cpg_local_get(c->cpg, &c->node);
	if (rc == CS_OK)
		rc = cpg_fd_get(c->cpg, &fd);
	if (rc != CS_OK)
		return rc;
	c->cpg_fd = loop_fd_add(c->loop, fd, POLLIN, cpg_ready, c);
	return cpg_join(c->cpg, &group);
}

static void try_connect(void *ctx)
{
	struct corosync *c = ctx;
	cs_error_t rc = open_cpg(c);

	if (rc == CS_OK)
		rc = open_quorum(c);
	if (rc != CS_OK) {
		fail(c, "not there", rc);
		return;
	}
	corosync_map_read(&c->map);
	c->connected = true;
	c->said_away = false;
	log_info("corosync: connected as node %u (%s)", c->node, corosync_map_name(&c->map, c->node));
}

static void connect_soon(struct corosync *c)
{
	env_timer(&c->env, &c->retry, RECONNECT_US, try_connect, c);
}

static void send_failed(void *ctx)
{
	struct corosync *c = ctx;

	fail(c, "a message could not be sent", c->send_error);
}

/*
 * A message that is lost alone would leave a hole in what this node says, so any error but "try again" is the handle's end, told later:
 * a sender stands inside an upcall, maybe inside the handle's own dispatch.
 */
static int order_send(void *order, const void *data, size_t len)
{
	struct corosync *c = order;
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	cs_error_t rc;

	if (!c->connected || c->failing)
		return -ENOTCONN;
	rc = cpg_mcast_joined(c->cpg, CPG_TYPE_AGREED, &iov, 1);
	if (rc == CS_OK)
		return 0;
	if (rc == CS_ERR_TRY_AGAIN)
		return -EAGAIN;
	c->send_error = rc;
	env_defer(&c->env, &c->failing, send_failed, c);
	return -ENOTCONN;
}

static uint32_t order_node(void *order)
{
	return ((struct corosync *)order)->node;
}

static const char *order_node_name(void *order, uint32_t node)
{
	return corosync_map_name(&((struct corosync *)order)->map, node);
}

static const char *order_node_address(void *order, uint32_t node)
{
	return corosync_map_address(&((struct corosync *)order)->map, node);
}

static const char *order_unsafe(void *order)
{
	return corosync_map_unsafe(&((struct corosync *)order)->map);
}

static const struct order_ops corosync_ops = {
	.send = order_send,
	.node = order_node,
	.node_name = order_node_name,
	.node_address = order_node_address,
	.unsafe = order_unsafe,
};

struct order corosync_order(struct corosync *c)
{
	return (struct order){ &corosync_ops, c };
}

struct corosync *corosync_new(struct loop *loop, const struct order_events *events, void *ctx)
{
	struct corosync *c = mem_new(struct corosync);

	c->loop = loop;
	c->env = loop_env(loop);
	c->events = events;
	c->ctx = ctx;
	return c;
}

void corosync_start(struct corosync *c)
{
	env_defer(&c->env, &c->retry, try_connect, c);
}

void corosync_free(struct corosync *c)
{
	if (!c)
		return;
	env_cancel(&c->env, &c->retry);
	drop_handles(c);
	corosync_map_clear(&c->map);
	free(c);
}
