/* SPDX-License-Identifier: Apache-2.0
 * Writing JSON: canonical when the keys are written in order; integers only, no white space. */
#ifndef DOMUS_BASE_JSONW_H
#define DOMUS_BASE_JSONW_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

#define JSONW_DEPTH_MAX 32

/*
 * Commas come by themselves. Wrong nesting and more than JSONW_DEPTH_MAX levels
 * abort: they are programming errors. All but @out is private.
 */
struct jsonw {
	struct buf *out;		/* not owned */
	int depth;			/* objects and arrays that are open */
	bool more[JSONW_DEPTH_MAX];	/* something stands already in this one */
	char end[JSONW_DEPTH_MAX];	/* what closes it */
	bool after_key;
};

struct jsonw jsonw_begin(struct buf *out);
void jsonw_object(struct jsonw *j);
void jsonw_object_end(struct jsonw *j);
void jsonw_array(struct jsonw *j);
void jsonw_array_end(struct jsonw *j);
void jsonw_key(struct jsonw *j, const char *key);
/*
 * Values. Text: control characters, quote and backslash are escaped, each byte of
 * invalid UTF-8 becomes U+FFFD. NULL writes null.
 */
void jsonw_str(struct jsonw *j, const char *s);
void jsonw_u64(struct jsonw *j, uint64_t v);
void jsonw_i64(struct jsonw *j, int64_t v);
void jsonw_bool(struct jsonw *j, bool v);
void jsonw_null(struct jsonw *j);
/* One complete JSON value, already written. */
void jsonw_raw(struct jsonw *j, const char *text);
/* Key and value in one. */
void jsonw_kv_str(struct jsonw *j, const char *key, const char *s);
void jsonw_kv_u64(struct jsonw *j, const char *key, uint64_t v);
void jsonw_kv_i64(struct jsonw *j, const char *key, int64_t v);
void jsonw_kv_bool(struct jsonw *j, const char *key, bool v);

#endif
