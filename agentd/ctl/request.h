/* SPDX-License-Identifier: Apache-2.0
 * A request's text, checked for its shape: the limits on JSON that comes from outside. */
#ifndef DOMUS_CTL_REQUEST_H
#define DOMUS_CTL_REQUEST_H

#include "base/err.h"
#include "proto/methods.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;		/* jansson's */

struct request {
	struct json_t *root;	/* owned; NULL: the text was no JSON */
	struct json_t *params;	/* an object in it, or NULL */
	bool has_id;
	int64_t id;
	enum method method;
};

/*
 * 0, or -EBADMSG: too long, too deep, not JSON, duplicate keys, not an object, an unknown method,
 * parameters that are no object. On failure @ret holds as much as could be read (an id to answer
 * with). request_clear in any case.
 */
int request_parse(const char *text, size_t len, struct request *ret, struct err *ret_err);
void request_clear(struct request *r);

#endif
