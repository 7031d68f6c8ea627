/* SPDX-License-Identifier: Apache-2.0
 * A request's text, checked for its shape. */
#include "request.h"

#include <jansson.h>

static int read_object(json_t *root, struct request *r, struct err *ret_err)
{
	const char *method = json_string_value(json_object_get(root, "method"));
	json_t *id = json_object_get(root, "id");
	json_t *params = json_object_get(root, "params");

	r->has_id = json_is_integer(id);
	r->id = json_integer_value(id);
	r->method = method_parse(method);
	if (r->method == METHOD_INVALID)
		return err_set(ret_err, -EBADMSG, "request: unknown method \"%.64s\"",
			       method ? method : "");
	if (params && !json_is_object(params))
		return err_set(ret_err, -EBADMSG, "request: \"params\" must be an object");
	r->params = params;
	return 0;
}

int request_parse(const char *text, size_t len, struct request *ret, struct err *ret_err)
{
	json_error_t error;

	*ret = (struct request){ .method = METHOD_INVALID };
	if (len > PROTO_REQUEST_MAX)
		return err_set(ret_err, -EBADMSG, "request: longer than %d bytes",
			       PROTO_REQUEST_MAX);
	if (!proto_depth_ok(text, len))
		return err_set(ret_err, -EBADMSG, "request: nested deeper than %d",
			       PROTO_DEPTH_MAX);
	/* Duplicates are refused: nobody could say which one counts. */
	ret->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!ret->root)
		return err_set(ret_err, -EBADMSG, "request: not JSON: %s at byte %d", error.text,
			       error.position);
	if (!json_is_object(ret->root))
		return err_set(ret_err, -EBADMSG, "request: not a JSON object");
	return read_object(ret->root, ret, ret_err);
}

void request_clear(struct request *r)
{
	json_decref(r->root);
	*r = (struct request){ .method = METHOD_INVALID };
}
