/* SPDX-License-Identifier: Apache-2.0
 * QMP's words: building commands, and reading lines from a QEMU that may be anything. Pure. */
#ifndef DOMUS_HYPERVISOR_QMP_H
#define DOMUS_HYPERVISOR_QMP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QMP_LINE_MAX  (1024 * 1024) /* bytes of one message */
#define QMP_DEPTH_MAX 32            /* of arrays and objects in it */
#define QMP_NAME_MAX  64            /* of an event */

struct json_t; /* jansson's */

enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };

struct qmp_msg {
	enum qmp_kind kind;
	uint64_t id;              /* RETURN, ERROR: of the command; 0 when QEMU gave none back */
	char event[QMP_NAME_MAX]; /* EVENT */
	struct err err;           /* ERROR: what QEMU said */
	struct json_t *data; /* owned; RETURN: the value; EVENT: its data or NULL; GREETING: NULL */
};

/* Zero-initialised is empty. After a failure it stays failed: the connection is to be closed. */
struct qmp_reader {
	struct buf pending;
	size_t searched; /* bytes of it that hold no line end */
	bool failed;
};

/* Takes in what came from the socket. */
int qmp_feed(struct qmp_reader *r, const void *data, size_t len, struct err *ret_err);
/*
 * The next message: 1 and *ret_msg (to be cleared), 0 when none is complete, or a negative errno.
 */
int qmp_next(struct qmp_reader *r, struct qmp_msg *ret_msg, struct err *ret_err);
void qmp_reader_free(struct qmp_reader *r);
void qmp_msg_clear(struct qmp_msg *msg);

/*
 * Appends one command line. @arguments is a JSON object or NULL. @oob: executed out of band, by
 * QEMU's monitor thread, even while its main loop is stuck.
 */
void qmp_command(struct buf *out, uint64_t id, const char *execute, const char *arguments,
		 bool oob);

/* A member of an object, of the right type, or "" / 0. Any argument may be NULL. */
const char *qmp_str(const struct json_t *object, const char *key);
uint64_t qmp_u64(const struct json_t *object, const char *key);
const struct json_t *qmp_object(const struct json_t *object, const char *key); /* or NULL */
/* Member @key of the first object in the array @array. */
const char *qmp_first_str(const struct json_t *object, const char *array, const char *key);

#endif
