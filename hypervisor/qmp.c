/* SPDX-License-Identifier: Apache-2.0
 * QMP's words: building commands, and reading lines from a QEMU that may be anything. Pure. */
#include "qmp.h"

#include "base/mem.h"

#include <jansson.h>
#include <string.h>

void qmp_command(struct buf *out, uint64_t id, const char *execute, const char *arguments, bool oob)
{
	buf_str(out, oob ? "{\"exec-oob\":\"" : "{\"execute\":\"");
	buf_str(out, execute);
	buf_str(out, "\",\"arguments\":");
	buf_str(out, arguments ? arguments : "{}");
	buf_str(out, ",\"id\":");
	buf_u64(out, id);
	buf_str(out, "}\n");
}

static int reader_fail(struct qmp_reader *r, struct err *ret_err, const char *what)
{
	r->failed = true;
	buf_clear(&r->pending);
	return err_set(ret_err, -EPROTO, "QMP: %s", what);
}

int qmp_feed(struct qmp_reader *r, const void *data, size_t len, struct err *ret_err)
{
	if (r->failed)
		return err_set(ret_err, -EPROTO, "QMP: the connection is broken");
	buf_add(&r->pending, data, len);
	return 0;
}

/*
 * jansson reads nested values by recursion, so the depth is checked before. Brackets in strings
 * do not count; what is no JSON at all is found by jansson.
 */
static bool depth_ok(const char *line, size_t len)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']'))
			depth--;
		if (depth > QMP_DEPTH_MAX)
			return false;
	}
	return true;
}

const char *qmp_str(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

uint64_t qmp_u64(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

const json_t *qmp_object(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_object(member) ? member : NULL;
}

const char *qmp_first_str(const json_t *object, const char *array, const char *key)
{
	return qmp_str(json_array_get(json_object_get(object, array), 0), key);
}

static bool read_event(json_t *root, struct qmp_msg *msg)
{
	if (STRCPY(msg->event, qmp_str(root, "event")) < 0 || !msg->event[0])
		return false;
	msg->kind = QMP_EVENT;
	msg->data = json_incref(json_object_get(root, "data"));
	return true;
}

static bool read_error(json_t *root, struct qmp_msg *msg)
{
	const char *desc = qmp_str(json_object_get(root, "error"), "desc");

	msg->kind = QMP_ERROR;
	msg->id = qmp_u64(root, "id");
	err_set(&msg->err, -EREMOTEIO, "%s", desc[0] ? desc : "QEMU gave an error without a text");
	return true;
}

static bool read_return(json_t *root, struct qmp_msg *msg)
{
	msg->kind = QMP_RETURN;
	msg->id = qmp_u64(root, "id");
	msg->data = json_incref(json_object_get(root, "return"));
	return true;
}

static bool read_greeting(json_t *root, struct qmp_msg *msg)
{
	msg->kind = QMP_GREETING;
	return json_is_object(json_object_get(root, "QMP"));
}

static bool read_root(json_t *root, struct qmp_msg *msg)
{
	static const struct {
		const char *key;
		bool (*read)(json_t *root, struct qmp_msg *msg);
	} kinds[] = {
		{ "return", read_return },
		{ "error", read_error },
		{ "event", read_event },
		{ "QMP", read_greeting },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (json_object_get(root, kinds[i].key))
			return kinds[i].read(root, msg);
	return false;
}

static int read_line(struct qmp_reader *r, size_t len, struct qmp_msg *ret_msg, struct err *ret_err)
{
	struct qmp_msg msg = { 0 };
	json_error_t je;
	json_t *root;
	bool ok;

	if (!depth_ok(r->pending.data, len))
		return reader_fail(r, ret_err, "a message is nested too deeply");
	root = json_loadb(r->pending.data, len, JSON_REJECT_DUPLICATES, &je);
	ok = root && json_is_object(root) && read_root(root, &msg);
	json_decref(root);
	if (!ok) {
		qmp_msg_clear(&msg);
		return reader_fail(r, ret_err, "a message is not QMP's");
	}
	*ret_msg = msg;
	return 1;
}

static bool blank(const char *line, size_t len)
{
	return len == 0 || (len == 1 && line[0] == '\r');
}

/* Takes the first @len bytes away. */
static void drop(struct qmp_reader *r, size_t len)
{
	memmove(r->pending.data, r->pending.data + len, r->pending.len - len);
	r->pending.len -= len;
	r->pending.data[r->pending.len] = '\0';
	r->searched = 0;
}

int qmp_next(struct qmp_reader *r, struct qmp_msg *ret_msg, struct err *ret_err)
{
	while (!r->failed && r->pending.len > r->searched) {
		const char *line = r->pending.data;
		const char *end = memchr(line + r->searched, '\n', r->pending.len - r->searched);
		size_t len = end ? (size_t)(end - line) : r->pending.len;
		int got = 0;

		if (len > QMP_LINE_MAX)
			return reader_fail(r, ret_err, "a message is longer than 1 MiB");
		if (!end) {
			r->searched = len;
			return 0;
		}
		if (!blank(line, len))
			got = read_line(r, len, ret_msg, ret_err);
		if (got < 0)
			return got;
		drop(r, len + 1);
		if (got)
			return got;
	}
	return r->failed ? err_set(ret_err, -EPROTO, "QMP: the connection is broken") : 0;
}

void qmp_reader_free(struct qmp_reader *r)
{
	buf_free(&r->pending);
	*r = (struct qmp_reader){ 0 };
}

void qmp_msg_clear(struct qmp_msg *msg)
{
	json_decref(msg->data);
	*msg = (struct qmp_msg){ 0 };
}
