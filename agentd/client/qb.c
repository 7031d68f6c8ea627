/* SPDX-License-Identifier: Apache-2.0
 * The transport to a real agent: libqb's client. */
#include "client.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <qb/qbipcc.h>

#define REQUEST_MAX (PROTO_REQUEST_MAX + sizeof(struct qb_ipc_request_header))
/* One message of a reply; the agent's own limit is lower. */
#define MESSAGE_MAX (PROTO_CHUNK_MAX + 4096)
/* So long is tried to get in when the agent's door is crowded. */
#define CONNECT_MS  3000

struct qb_client {
	qb_ipcc_connection_t *c;
	char *message; /* MESSAGE_MAX */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* One message, waited for until @until_ms. Returns its payload's length and whether more follow. */
static ssize_t receive(struct qb_client *q, int64_t until_ms, bool *ret_more)
{
	struct qb_ipc_response_header *head = (struct qb_ipc_response_header *)q->message;
	ssize_t n;

	do {
		int64_t left = until_ms - now_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		/* In slices of a second: libqb looks between them whether the agent still lives. */
		n = qb_ipcc_recv(q->c, q->message, MESSAGE_MAX, left < 1000 ? (int)left : 1000);
		if (n < 0 && !qb_ipcc_is_connected(q->c))
			return -ENOTCONN;
	} while (n == -EAGAIN || n == -ETIMEDOUT || n == -EINTR);
	if (n < 0)
		return n;
	if ((size_t)n < sizeof(*head) || head->size != n)
		return -EBADMSG;
	*ret_more = head->error == 1;
	return n - (ssize_t)sizeof(*head);
}

static int send_request(struct qb_client *q, const char *request, size_t len)
{
	struct qb_ipc_request_header head = { .id = QB_IPC_MSG_USER_START };
	struct iovec iov[] = { { &head, sizeof(head) }, { (char *)request, len } };
	ssize_t n;

	head.size = (int32_t)(sizeof(head) + len);
	n = qb_ipcc_sendv(q->c, iov, ARRAY_SIZE(iov));
	return n < 0 ? (int)n : 0;
}

static int exchange(void *ctx, const char *request, size_t len, int timeout_ms,
		    struct buf *ret_reply, struct err *ret_err)
{
	struct qb_client *q = ctx;
	int64_t until = now_ms() + timeout_ms;
	bool more = true;
	ssize_t n = send_request(q, request, len);

	while (n >= 0 && more) {
		n = receive(q, until, &more);
		if (n >= 0)
			buf_add(ret_reply, q->message + sizeof(struct qb_ipc_response_header),
				(size_t)n);
		if (ret_reply->len > PROTO_REPLY_MAX)
			n = -EMSGSIZE;
	}
	if (n == -ETIMEDOUT)
		return err_set(ret_err, -ETIMEDOUT, "the agent did not answer within %d s",
			       timeout_ms / 1000);
	if (n == -ENOTCONN || n == -ECONNRESET || n == -EPIPE)
		return err_set(ret_err, -ENOTCONN, "the agent has ended before it answered");
	if (n < 0)
		return err_set(ret_err, (int)n, "asking the agent: %s", strerror((int)-n));
	return 0;
}

static void qb_close(void *ctx)
{
	struct qb_client *q = ctx;

	qb_ipcc_disconnect(q->c);
	free(q->message);
	free(q);
}

static enum reply_code not_connected(int err, const char *service, struct err *ret_err)
{
	if (err == EACCES || err == EPERM) {
		err_set(ret_err, -err,
			"permission denied: become root or join the group " PROTO_GROUP);
		return REPLY_DENIED;
	}
	if (err == EMFILE || err == ENFILE || err == EAGAIN) {
		err_set(ret_err, -err, "the agent has too many connections: try again");
		return REPLY_BUSY;
	}
	err_set(ret_err, -err,
		"no agent answers here as \"%s\" (%s): is domus-agentd running on this node?",
		service, strerror(err));
	return REPLY_NO_AGENT;
}

/*
 * The agent lets in one at each turn of its loop; when more are at its door than the kernel lets wait,
 * the next one hears EAGAIN at once. They may be a crowd that means harm, so we do not give way.
 */
static qb_ipcc_connection_t *connect_patiently(const char *service)
{
	const struct timespec moment = { 0, 5 * 1000 * 1000 };
	int64_t until = now_ms() + CONNECT_MS;
	qb_ipcc_connection_t *c;

	for (;;) {
		errno = 0;
		c = qb_ipcc_connect(service, REQUEST_MAX);
		if (c || errno != EAGAIN || now_ms() >= until)
			return c;
		nanosleep(&moment, NULL);
	}
}

enum reply_code client_connect(const char *suffix, struct client *ret, struct err *ret_err)
{
	static const struct client_ops ops = { .exchange = exchange, .close = qb_close };
	char service[PROTO_SERVICE_SIZE];
	qb_ipcc_connection_t *c;
	struct qb_client *q;

	if (proto_service_name(suffix, service) < 0) {
		err_set(ret_err, -EINVAL, "socket: up to %d letters, digits, '.', '_' and '-'",
			PROTO_SUFFIX_MAX);
		return REPLY_BAD_REQUEST;
	}
	c = connect_patiently(service);
	if (!c)
		return not_connected(errno ? errno : ECONNREFUSED, service, ret_err);
	q = mem_new(struct qb_client);
	q->c = c;
	q->message = mem_alloc0(MESSAGE_MAX);
	*ret = (struct client){ .ops = &ops, .ctx = q };
	return REPLY_OK;
}
