/* SPDX-License-Identifier: Apache-2.0
 * Writing JSON: canonical when the keys are written in order; integers only, no white space. */
#ifndef DOMUS_BASE_JSON_H
#define DOMUS_BASE_JSON_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32

/*
 * Commas come by themselves. Wrong nesting and more than JSON_DEPTH_MAX levels
 * abort: they are programming errors. All but @out is private.
 */
struct json {
	struct buf *out;		/* not owned */
	int depth;			/* objects and arrays that are open */
	bool more[JSON_DEPTH_MAX];	/* something stands already in this one */
	char end[JSON_DEPTH_MAX];	/* what closes it */
	bool after_key;
};

/*
 * libjansson has functions of the same names as three of these: a label keeps the linker from
 * taking one for the other. A file includes one of the two headers.
 */
struct json json_writer(struct buf *out);
void json_object(struct json *j) __asm__("domus_json_object");
void json_object_end(struct json *j);
void json_array(struct json *j) __asm__("domus_json_array");
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);
/*
 * Values. Text: control characters, quote and backslash are escaped, each byte of
 * invalid UTF-8 becomes U+FFFD. NULL writes null.
 */
void json_str(struct json *j, const char *s);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j) __asm__("domus_json_null");
/* One complete JSON value, already written. */
void json_raw(struct json *j, const char *text);
/* Key and value in one. */
void json_kv_str(struct json *j, const char *key, const char *s);
void json_kv_u64(struct json *j, const char *key, uint64_t v);
void json_kv_i64(struct json *j, const char *key, int64_t v);
void json_kv_bool(struct json *j, const char *key, bool v);

#endif
