/* SPDX-License-Identifier: Apache-2.0
 * A connection to one QEMU's monitor: handshake, commands, deadlines, events. An adapter. */
#include "qmp_conn.h"

#include "base/vec.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What may wait unsent: commands are some hundred bytes, so QEMU has long been deaf then. */
#define OUT_MAX   (256 * 1024)
/*
 * Bytes taken from the socket at once, so that a flood of events cannot starve the rest of the
 * loop.
 */
#define READ_SIZE (64 * 1024)

struct call {
	struct qmp_conn *conn;
	uint64_t id;
	char name[QMP_NAME_MAX];
	qmp_done_fn *done;
	void *ctx;
	struct env_timer *timer;
};

/* Invariant: @fd is -1 and @watch NULL once the connection has ended. */
struct qmp_conn {
	struct env env;
	int fd;
	struct loop_fd *watch;
	const struct qmp_conn_events *events;
	void *ctx;
	struct qmp_reader reader;
	struct buf out, held; /* @held: commands that wait for the handshake */
	bool greeted, ready, closed_told;
	uint64_t last_id;
	VEC(struct call *) calls;
	struct env_timer *end_timer, *greet_timer;
	struct err end;
};

static struct call *call_take(struct qmp_conn *c, uint64_t id)
{
	for (size_t i = 0; i < c->calls.n; i++) {
		struct call *call = c->calls.v[i];

		if (call->id != id)
			continue;
		env_cancel(&c->env, &call->timer);
		vec_remove(&c->calls, i);
		return call;
	}
	return NULL;
}

static void call_answer(struct call *call, const struct err *err, const struct json_t *data)
{
	struct err named = *err;

	if (named.code)
		err_prefix(&named, call->name);
	call->done(call->ctx, &named, data);
	free(call);
}

/* Ends the connection; those who wait are told from the loop. */
static void conn_end(void *ctx)
{
	struct qmp_conn *c = ctx;

	while (c->calls.n > 0)
		call_answer(call_take(c, c->calls.v[0]->id), &c->end, NULL);
	if (!c->closed_told) {
		c->closed_told = true;
		c->events->closed(c->ctx, c->end.text);
	}
}

static void conn_hang_up(struct qmp_conn *c, const struct err *why)
{
	if (c->fd < 0)
		return;
	loop_fd_remove(c->watch);
	c->watch = NULL;
	close(c->fd);
	c->fd = -1;
	c->end = *why;
	env_cancel(&c->env, &c->greet_timer);
	env_defer(&c->env, &c->end_timer, conn_end, c);
}

/*
 * Whatever was missed meanwhile, events too, is asked for anew by who connects again: so a QEMU
 * that does not answer loses its connection.
 */
static void call_late(void *ctx)
{
	struct call *call = ctx;
	struct qmp_conn *c = call->conn;
	struct err err;

	err_set(&err, -ETIMEDOUT, "QEMU does not answer");
	call_answer(call_take(c, call->id), &err, NULL);
	conn_hang_up(c, &err);
}

/* Somebody else has the monitor, or its main loop hangs. */
static void greeting_late(void *ctx)
{
	struct err err;

	err_set(&err, -ETIMEDOUT, "QMP: QEMU does not greet");
	conn_hang_up(ctx, &err);
}

static void conn_lost(struct qmp_conn *c, const char *what, int errnum)
{
	struct err err;

	err_set(&err, -EPIPE, "QMP: %s: %s", what,
		errnum ? strerror(errnum) : "the other side closed it");
	conn_hang_up(c, &err);
}

static void conn_write(struct qmp_conn *c)
{
	ssize_t n;

	if (c->fd < 0 || c->out.len == 0)
		return;
	n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_lost(c, "writing", errno);
		return;
	}
	if (n > 0) {
		memmove(c->out.data, c->out.data + n, c->out.len - (size_t)n);
		c->out.len -= (size_t)n;
	}
	loop_fd_events(c->watch, c->out.len > 0 ? POLLIN | POLLOUT : POLLIN);
}

static void call_add(struct qmp_conn *c, struct buf *out, const char *execute,
		     const char *arguments, bool oob, qmp_done_fn *done, void *ctx)
{
	struct call *call = mem_new(struct call);
	struct err deaf;

	call->conn = c;
	call->id = ++c->last_id;
	call->done = done;
	call->ctx = ctx;
	STRCPY(call->name, execute);
	vec_push(&c->calls, call);
	env_timer(&c->env, &call->timer, QMP_TIMEOUT_US, call_late, call);
	qmp_command(out, call->id, execute, arguments, oob);
	if (out->len > OUT_MAX) {
		err_set(&deaf, -EPIPE, "QMP: QEMU reads no commands");
		conn_hang_up(c, &deaf);
	}
	if (c->fd < 0) /* ended before, or just now: the answer says so, from the loop */
		env_defer(&c->env, &c->end_timer, conn_end, c);
	conn_write(c);
}

void qmp_conn_call(struct qmp_conn *c, const char *execute, const char *arguments,
		   qmp_done_fn *done, void *ctx)
{
	call_add(c, c->ready ? &c->out : &c->held, execute, arguments, false, done, ctx);
}

void qmp_conn_call_oob(struct qmp_conn *c, const char *execute, const char *arguments,
		       qmp_done_fn *done, void *ctx)
{
	call_add(c, c->ready ? &c->out : &c->held, execute, arguments, true, done, ctx);
}

static void handshake_done(void *ctx, const struct err *err, const struct json_t *data)
{
	struct qmp_conn *c = ctx;

	(void)data;
	if (err->code) {
		conn_hang_up(c, err);
		return;
	}
	c->ready = true;
	env_cancel(&c->env, &c->greet_timer);
	buf_add(&c->out, c->held.data, c->held.len);
	buf_free(&c->held);
	conn_write(c);
}

static void on_greeting(struct qmp_conn *c, struct qmp_msg *msg)
{
	(void)msg;
	if (c->greeted)
		return;
	c->greeted = true;
	call_add(c, &c->out, "qmp_capabilities", "{\"enable\":[\"oob\"]}", false, handshake_done,
		 c);
}

/* An answer that nobody waits for any more came after its deadline. */
static void on_answer(struct qmp_conn *c, struct qmp_msg *msg)
{
	struct call *call = call_take(c, msg->id);

	if (call)
		call_answer(call, &msg->err, msg->data);
}

static void on_event(struct qmp_conn *c, struct qmp_msg *msg)
{
	c->events->event(c->ctx, msg->event, msg->data);
}

static void conn_read(struct qmp_conn *c)
{
	static void (*const handlers[])(struct qmp_conn *, struct qmp_msg *) = {
		[QMP_GREETING] = on_greeting,
		[QMP_RETURN] = on_answer,
		[QMP_ERROR] = on_answer,
		[QMP_EVENT] = on_event,
	};
	struct qmp_msg msg;
	struct err err;
	int got;

	while ((got = qmp_next(&c->reader, &msg, &err)) > 0) {
		handlers[msg.kind](c, &msg);
		qmp_msg_clear(&msg);
	}
	if (got < 0)
		conn_hang_up(c, &err);
}

static void conn_ready(void *ctx, int fd, uint32_t revents)
{
	struct qmp_conn *c = ctx;
	char data[READ_SIZE];
	struct err err;
	ssize_t n;

	if (revents & POLLOUT)
		conn_write(c);
	if (c->fd < 0)
		return;
	n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_lost(c, "reading", n == 0 ? 0 : errno);
	else if (n > 0 && qmp_feed(&c->reader, data, (size_t)n, &err) == 0)
		conn_read(c);
}

/* Returns the descriptor, or -errno. */
static int connect_unix(const char *path, struct err *ret_err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (STRCPY(addr.sun_path, path) < 0)
		return err_set(ret_err, -ENAMETOOLONG, "%s: longer than a socket's path may be",
			       path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(ret_err, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int code = -errno;

		close(fd);
		return err_set(ret_err, code, "cannot connect to %s: %s", path, strerror(-code));
	}
	return fd;
}

int qmp_conn_open(struct loop *loop, const char *path, const struct qmp_conn_events *events,
		  void *ctx, struct qmp_conn **ret_conn, struct err *ret_err)
{
	struct qmp_conn *c;
	int fd = connect_unix(path, ret_err);

	if (fd < 0)
		return fd;
	c = mem_new(struct qmp_conn);
	c->env = loop_env(loop);
	c->fd = fd;
	c->events = events;
	c->ctx = ctx;
	c->watch = loop_fd_add(loop, fd, POLLIN, conn_ready, c);
	env_timer(&c->env, &c->greet_timer, QMP_TIMEOUT_US, greeting_late, c);
	*ret_conn = c;
	return 0;
}

void qmp_conn_free(struct qmp_conn *c)
{
	if (!c)
		return;
	if (c->fd >= 0) {
		loop_fd_remove(c->watch);
		close(c->fd);
	}
	env_cancel(&c->env, &c->end_timer);
	env_cancel(&c->env, &c->greet_timer);
	for (size_t i = 0; i < c->calls.n; i++) {
		env_cancel(&c->env, &c->calls.v[i]->timer);
		free(c->calls.v[i]);
	}
	vec_free(&c->calls);
	buf_free(&c->out);
	buf_free(&c->held);
	qmp_reader_free(&c->reader);
	free(c);
}
