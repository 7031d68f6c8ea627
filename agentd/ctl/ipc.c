/* SPDX-License-Identifier: Apache-2.0
 * The local API's server over libqb's socket transport.
 *
 * Not shared memory: there a client could change ring buffers under our hands. */
#include "ipc.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/vec.h"
#include "qb_loop.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_US      (5 * US_PER_MS)	/* when the client's queue is full */
#define STUCK_US      (5 * US_PER_S)	/* a client that fetches nothing for so long is dropped */
#define QUEUE_MAX     (2 * PROTO_REPLY_MAX)
#define GROUPS_MAX    256

struct ipc {
	struct env env;
	const struct ipc_ops *ops;
	void *ctx;
	qb_ipcs_service_t *service;
	unsigned int connections;
};

struct ipc_client {
	struct ipc *ipc;
	qb_ipcs_connection_t *c;
	struct peer peer;
	VEC(struct buf) replies;	/* not yet sent; of the first one, @sent bytes are */
	size_t sent, queued;
	struct mono moved;		/* the client last took something, or the queue began */
	struct env_timer *retry, *drop;
	/* Token bucket of requests. */
	int64_t tokens_us;		/* each request costs US_PER_S / PROTO_RATE_PER_S */
	struct mono filled;
};

static struct ipc *ipc_of(qb_ipcs_connection_t *c)
{
	return qb_ipcs_connection_service_context_get(c);
}

/* Into @ret: the user's name, or its number where it has none. */
static void user_name(uid_t uid, char *ret, size_t size)
{
	struct passwd pw, *found = NULL;
	char space[4096];

	if (getpwuid_r(uid, &pw, space, sizeof(space), &found) == 0 && found)
		snprintf(ret, size, "%s", pw.pw_name);
	else
		snprintf(ret, size, "uid %u", (unsigned int)uid);
}

/*
 * Group lookups may wait for a directory service where the host's nsswitch.conf names one. They
 * are made here all the same: once for a connection and never for root's, so an operator
 * always gets in; and the group is a local one, which `files`, asked first, knows.
 */
static bool in_group(const char *user, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;
	struct group gr, *found = NULL;
	char space[16384];

	if (getgrnam_r(PROTO_GROUP, &gr, space, sizeof(space), &found) != 0 || !found)
		return false;
	if (gid == gr.gr_gid)
		return true;
	if (getgrouplist(user, gid, groups, &n) < 0)
		n = GROUPS_MAX;
	for (int i = 0; i < n; i++)
		if (groups[i] == gr.gr_gid)
			return true;
	return false;
}

static int32_t on_accept(qb_ipcs_connection_t *c, uid_t uid, gid_t gid)
{
	struct ipc *ipc = ipc_of(c);
	struct ipc_client *client;
	char user[sizeof(client->peer.user)] = "root";

	if (ipc->connections >= PROTO_CONNECTIONS)
		return -EMFILE;
	if (uid != 0) {
		user_name(uid, user, sizeof(user));
		if (!in_group(user, gid))
			return -EACCES;
		/* The control file that we make must be writable for the client. */
		qb_ipcs_connection_auth_set(c, uid, gid, S_IRUSR | S_IWUSR);
	}
	client = mem_new(struct ipc_client);
	client->ipc = ipc;
	client->c = c;
	client->peer = (struct peer){ .uid = uid, .role = ROLE_OPERATE };
	STRCPY(client->peer.user, user);
	client->tokens_us = US_PER_S;
	client->filled = env_now(&ipc->env);
	ipc->connections++;
	qb_ipcs_context_set(c, client);
	return 0;
}

static void drop_now(void *ctx)
{
	struct ipc_client *client = ctx;

	qb_ipcs_disconnect(client->c);
}

/* From the loop, since libqb goes on to use a connection after it has called us. */
static void drop(struct ipc_client *client)
{
	env_defer(&client->ipc->env, &client->drop, drop_now, client);
}

static bool rate_ok(struct ipc_client *client)
{
	struct mono now = env_now(&client->ipc->env);

	client->tokens_us += mono_diff_us(now, client->filled);
	client->filled = now;
	if (client->tokens_us > US_PER_S)
		client->tokens_us = US_PER_S;
	if (client->tokens_us < US_PER_S / PROTO_RATE_PER_S)
		return false;
	client->tokens_us -= US_PER_S / PROTO_RATE_PER_S;
	return true;
}

static const char too_fast[] =
	"{\"id\":null,\"ok\":false,\"code\":\"busy\",\"error\":\"too many requests in a second\"}";

/* libqb passes the size that the client claims; its buffer is larger than all that we accept. */
static int32_t on_message(qb_ipcs_connection_t *c, void *data, size_t size)
{
	struct ipc_client *client = qb_ipcs_context_get(c);
	const size_t head = sizeof(struct qb_ipc_request_header);

	if (!client || client->drop)
		return 0;
	if (size <= head || size > head + PROTO_REQUEST_MAX) {
		drop(client);
		return 0;
	}
	if (!rate_ok(client)) {
		ipc_reply(client, too_fast, sizeof(too_fast) - 1);
		return 0;
	}
	client->ipc->ops->request(client->ipc->ctx, client, &client->peer,
				  (const char *)data + head, size - head);
	return 0;
}

/* libqb asks again until it hears 0. */
static int32_t on_closed(qb_ipcs_connection_t *c)
{
	struct ipc_client *client = qb_ipcs_context_get(c);

	if (client)
		client->ipc->ops->gone(client->ipc->ctx, client);
	return 0;
}

static void on_destroyed(qb_ipcs_connection_t *c)
{
	struct ipc_client *client = qb_ipcs_context_get(c);
	struct buf *b;

	if (!client)
		return;
	qb_ipcs_context_set(c, NULL);
	env_cancel(&client->ipc->env, &client->retry);
	env_cancel(&client->ipc->env, &client->drop);
	vec_each(b, &client->replies)
		buf_free(b);
	vec_free(&client->replies);
	client->ipc->connections--;
	free(client);
}

/* One message of the first reply. Returns what libqb says. */
static ssize_t send_piece(struct ipc_client *client)
{
	struct buf *reply = &client->replies.v[0];
	size_t rest = reply->len - client->sent;
	size_t len = rest < PROTO_CHUNK_MAX ? rest : PROTO_CHUNK_MAX;
	struct qb_ipc_response_header head = { .error = len < rest };
	struct iovec iov[] = { { &head, sizeof(head) }, { reply->data + client->sent, len } };
	ssize_t n;

	head.size = (int32_t)(sizeof(head) + len);
	n = qb_ipcs_response_sendv(client->c, iov, ARRAY_SIZE(iov));
	if (n < 0)
		return n;
	client->sent += len;
	client->queued -= len;
	if (client->sent == reply->len) {
		buf_free(reply);
		vec_remove(&client->replies, 0);
		client->sent = 0;
	}
	return n;
}

static void send_some(void *ctx)
{
	struct ipc_client *client = ctx;
	const struct env *env = &client->ipc->env;
	ssize_t n = 1;

	while (client->replies.n && (n = send_piece(client)) >= 0)
		client->moved = env_now(env);
	if (n >= 0)
		return;
	if ((n != -EAGAIN && n != -ENOBUFS && n != -ETIMEDOUT) ||
	    mono_diff_us(env_now(env), client->moved) > STUCK_US)
		drop(client);
	else
		env_timer(env, &client->retry, RETRY_US, send_some, client);
}

void ipc_reply(struct ipc_client *client, const char *text, size_t len)
{
	struct buf *b;

	if (client->drop || len == 0)
		return;
	if (client->queued + len > QUEUE_MAX) {
		drop(client);
		return;
	}
	b = vec_add(&client->replies);
	buf_add(b, text, len);
	client->queued += len;
	if (client->retry)
		return;
	client->moved = env_now(&client->ipc->env);
	send_some(client);
}

/*
 * The largest datagram that anybody without privileges can send here. libqb receives by the length
 * that a client claims, whatever its buffer holds, so its buffer must be no smaller.
 */
static uint32_t datagram_max(void)
{
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int usual = 0, most = INT_MAX / 4;
	socklen_t len = sizeof(usual);

	if (s < 0)
		return PROTO_REQUEST_MAX * 4;
	getsockopt(s, SOL_SOCKET, SO_SNDBUF, &usual, &len);
	setsockopt(s, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	getsockopt(s, SOL_SOCKET, SO_SNDBUF, &most, &len);
	close(s);
	return (uint32_t)(most > usual ? most : usual);
}

static void listen_limits(qb_ipcs_service_t *service)
{
	const uint32_t least = PROTO_REQUEST_MAX + sizeof(struct qb_ipc_request_header);
	uint32_t size = datagram_max();

	qb_ipcs_enforce_buffer_size(service, size > least ? size : least);
	/* One message each time a client's socket is readable: no client can keep the loop. */
	qb_ipcs_request_rate_limit(service, QB_IPCS_RATE_SLOW);
}

int ipc_new(const struct env *env, const char *service, int64_t stranger_us,
	    const struct ipc_ops *ops, void *ctx, struct ipc **ret_ipc, struct err *ret_err)
{
	struct qb_ipcs_service_handlers handlers = {
		.connection_accept = on_accept,
		.msg_process = on_message,
		.connection_closed = on_closed,
		.connection_destroyed = on_destroyed,
	};
	struct ipc *ipc = mem_new(struct ipc);
	int r;

	*ipc = (struct ipc){ .env = *env, .ops = ops, .ctx = ctx };
	ipc->service = qb_ipcs_create(service, 0, QB_IPC_SOCKET, &handlers);
	if (!ipc->service)
		abort();
	qb_ipcs_service_context_set(ipc->service, ipc);
	listen_limits(ipc->service);
	r = qb_loop_listen(ipc->service, stranger_us);
	if (r < 0) {
		free(ipc);
		return err_set(ret_err, r, "local API: cannot listen as \"%s\": %s%s", service,
			       strerror(-r),
			       r == -EADDRINUSE ? ": another agent runs here" : "");
	}
	*ret_ipc = ipc;
	return 0;
}

void ipc_free(struct ipc *ipc)
{
	if (!ipc)
		return;
	qb_ipcs_destroy(ipc->service);
	free(ipc);
}
