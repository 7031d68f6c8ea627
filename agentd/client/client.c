/* SPDX-License-Identifier: Apache-2.0
 * Requests made, replies taken apart: the same for every transport. */
#include "client.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than the agent takes for any answer, so that it is the agent which says "unknown". */
#define TIMEOUT_MS (PROTO_ORDER_MS + 5000)

void client_close(struct client *c)
{
	if (c->ops)
		c->ops->close(c->ctx);
	*c = (struct client){ 0 };
}

void reply_clear(struct reply *r)
{
	json_decref(r->root);
	*r = (struct reply){ 0 };
}

static char *request_text(int64_t id, enum method method, json_t *params)
{
	json_t *root = json_pack("{s:I, s:s, s:o}", "id", (json_int_t)id, "method",
				 method_text(method), "params", params ? params : json_object());
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	if (!text)
		abort();
	json_decref(root);
	return text;
}

static enum reply_code set(struct reply *r, enum reply_code code, const char *text)
{
	r->code = code;
	snprintf(r->error, sizeof(r->error), "%s", text);
	return code;
}

static void take_stamp(struct reply *r)
{
	json_t *index = json_object_get(r->root, "index");

	r->stamped = json_is_integer(index);
	r->index = (uint64_t)json_integer_value(index);
	r->term = (uint64_t)json_integer_value(json_object_get(r->root, "term"));
	r->age_ms = json_integer_value(json_object_get(r->root, "age_ms"));
	r->now_us = json_integer_value(json_object_get(r->root, "now_us"));
	r->current = json_is_true(json_object_get(r->root, "current"));
}

static enum reply_code take_refusal(struct reply *r)
{
	const char *code = json_string_value(json_object_get(r->root, "code"));
	const char *error = json_string_value(json_object_get(r->root, "error"));
	const char *request = json_string_value(json_object_get(r->root, "request"));
	enum reply_code parsed = reply_code_parse(code);

	snprintf(r->request, sizeof(r->request), "%s", request ? request : "");
	return set(r, parsed > REPLY_OK ? parsed : REPLY_FAILED,
		   error ? error : "the agent gave no reason");
}

static enum reply_code take(struct reply *r, const struct buf *text)
{
	json_error_t error;

	r->root = json_loadb(buf_cstr(text), text->len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(r->root))
		return set(r, REPLY_FAILED,
			   "the agent's answer makes no sense: is it of another version?");
	take_stamp(r);
	if (!json_is_true(json_object_get(r->root, "ok")))
		return take_refusal(r);
	r->result = json_object_get(r->root, "result");
	if (!r->result)
		return set(r, REPLY_FAILED,
			   "the agent's answer has no result: is it of another version?");
	r->code = REPLY_OK;
	return REPLY_OK;
}

/* What was sent and not answered may have been done if it was an order. */
static enum reply_code lost(struct reply *r, enum method method, const struct err *err)
{
	if (method_role(method) == ROLE_READ)
		return set(r, err->code == -ETIMEDOUT ? REPLY_UNKNOWN : REPLY_NO_AGENT, err->text);
	snprintf(r->error, sizeof(r->error),
		 "%s: whether it was ordered is not known: see: domus events", err->text);
	r->code = REPLY_UNKNOWN;
	return r->code;
}

enum reply_code client_call(struct client *c, enum method method, json_t *params, struct reply *ret)
{
	json_int_t wait_ms = json_integer_value(json_object_get(params, "timeout_ms"));
	_cleanup_(mem_freep) char *text = NULL;
	_cleanup_(buf_free) struct buf reply = { 0 };
	struct err err = { 0 };
	int r;

	*ret = (struct reply){ 0 };
	text = request_text(++c->last_id, method, params);
	if (strlen(text) > PROTO_REQUEST_MAX)
		return set(ret, REPLY_BAD_REQUEST, "the request is longer than 128 KiB");
	r = c->ops->exchange(c->ctx, text, strlen(text), TIMEOUT_MS + (int)wait_ms, &reply, &err);
	if (r < 0)
		return lost(ret, method, &err);
	return take(ret, &reply);
}
