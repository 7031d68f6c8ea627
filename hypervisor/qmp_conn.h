/* SPDX-License-Identifier: Apache-2.0
 * A connection to one QEMU's monitor: handshake, commands, deadlines, events. An adapter. */
#ifndef DOMUS_HYPERVISOR_QMP_CONN_H
#define DOMUS_HYPERVISOR_QMP_CONN_H

#include "base/loop.h"
#include "qmp.h"

struct qmp_conn;

/*
 * From the loop, never from inside a call. The connection must not be freed in them, nor in an
 * answer.
 */
struct qmp_conn_events {
	void (*event)(void *ctx, const char *event, const struct json_t *data);
	/*
	 * Once, when the other side is gone, broke the rules, or has not greeted or answered
	 * in QMP_TIMEOUT_US. Every command under way has been answered with an error before.
	 */
	void (*closed)(void *ctx, const char *why);
};

/*
 * The answer to a command, exactly once: @err->code 0 and @data, or QEMU's error (-EREMOTEIO),
 * -ETIMEDOUT (QEMU may still carry it out), -EPIPE when the connection ended. @data is valid during
 * the call only.
 */
typedef void qmp_done_fn(void *ctx, const struct err *err, const struct json_t *data);

/*
 * Connects to the UNIX socket @path (which does not block) and begins the handshake; commands wait
 * for it to end. Returns 0, or -errno when nobody listens.
 */
int qmp_conn_open(struct loop *loop, const char *path, const struct qmp_conn_events *events,
		  void *ctx, struct qmp_conn **ret_conn, struct err *ret_err);
void qmp_conn_free(struct qmp_conn *c); /* no callback is called any more; accepts NULL */

#define QMP_TIMEOUT_US \
	(10 * US_PER_S) /* a QEMU whose disk hangs answers late, a sound one in 1 ms */

/* @arguments: a JSON object or NULL. */
void qmp_conn_call(struct qmp_conn *c, const char *execute, const char *arguments,
		   qmp_done_fn *done, void *ctx);
/* Out of band: works while QEMU's main loop is stuck. */
void qmp_conn_call_oob(struct qmp_conn *c, const char *execute, const char *arguments,
		       qmp_done_fn *done, void *ctx);

#endif
