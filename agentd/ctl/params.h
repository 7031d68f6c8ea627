/* SPDX-License-Identifier: Apache-2.0
 * A request's parameters, checked: which ones a method takes is a table of rows. */
#ifndef DOMUS_CTL_PARAMS_H
#define DOMUS_CTL_PARAMS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;		/* jansson's */

#define PARAMS_NAME_MAX 64
#define PARAMS_NOT_GIVEN UINT64_MAX

/* All that any method takes. Not given: "", 0, false, NULL; @after: PARAMS_NOT_GIVEN. */
struct params {
	char name[PARAMS_NAME_MAX];
	char node[PARAMS_NAME_MAX];
	char pool[PARAMS_NAME_MAX];
	char agent[PARAMS_NAME_MAX];
	char backend[16];
	char path[1024];
	char id[96];
	uint64_t size, after, index, max, timeout_ms;
	bool now, power_on;
	struct json_t *spec, *fence;		/* borrowed from the request */
};

enum param_type {
	PARAM_NAME,		/* [A-Za-z0-9][A-Za-z0-9._-]*, up to 63 */
	PARAM_TEXT,		/* one printable line */
	PARAM_NUMBER,		/* @min .. @max */
	PARAM_BOOL,
	PARAM_OBJECT,
	PARAM_OBJECT_OR_TEXT,
	PARAM_TYPE_MAX
};

struct param {
	const char *name;	/* NULL ends a table */
	enum param_type type;
	size_t offset, size;	/* of the field in struct params */
	bool required;
	uint64_t min, max;
};

#define PARAM_(field) offsetof(struct params, field), sizeof(((struct params *)0)->field)

/*
 * Checks @given (a JSON object or NULL) against @rows and fills @ret. -EBADMSG with the parameter's
 * name and what is allowed: unknown, missing, wrong type, out of range.
 */
int params_decode(const struct param *rows, struct json_t *given, struct params *ret,
		  struct err *ret_err);

/* The text of a PARAM_OBJECT_OR_TEXT, on the heap. */
char *params_text(const struct json_t *value);

/*
 * Calls @fn for each key of @object, whose values must be texts of one line (-EBADMSG). Ends
 * with the first negative answer and returns it. A NULL object has no keys.
 */
typedef int params_pair_fn(void *ctx, const char *key, const char *value, struct err *ret_err);
int params_each(struct json_t *object, params_pair_fn *fn, void *ctx, struct err *ret_err);

#endif
