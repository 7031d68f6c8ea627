/* SPDX-License-Identifier: Apache-2.0
 * A request's parameters: one reader per type, everything refused that a row does not allow. */
#include "params.h"

#include "base/buf.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool name_ok(const char *s)
{
	static const char rest[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const size_t firsts = sizeof(rest) - 1 - 3;

	return *s && memchr(rest, *s, firsts) && !s[strspn(s, rest)];
}

static bool line_ok(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static int wrong(const struct param *p, const char *wanted, struct err *ret_err)
{
	return err_set(ret_err, -EBADMSG, "parameter \"%s\" must be %s", p->name, wanted);
}

static int read_name(const struct param *p, json_t *v, void *field, struct err *ret_err)
{
	const char *s = json_string_value(v);

	if (!s || !name_ok(s) || mem_strcpy(field, p->size, s) < 0)
		return wrong(p,
			     "a name of up to 63 letters, digits, '.', '_' and '-' that begins "
			     "with a letter or a digit",
			     ret_err);
	return 0;
}

static int read_text(const struct param *p, json_t *v, void *field, struct err *ret_err)
{
	const char *s = json_string_value(v);

	if (!s || !line_ok(s) || mem_strcpy(field, p->size, s) < 0)
		return err_set(ret_err, -EBADMSG,
			       "parameter \"%s\" must be one line of up to %zu bytes", p->name,
			       p->size - 1);
	return 0;
}

static int read_number(const struct param *p, json_t *v, void *field, struct err *ret_err)
{
	json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;

	if (n < 0 || (uint64_t)n < p->min || (uint64_t)n > p->max)
		return err_set(ret_err, -EBADMSG,
			       "parameter \"%s\" must be a whole number from %llu to %llu", p->name,
			       (unsigned long long)p->min, (unsigned long long)p->max);
	*(uint64_t *)field = (uint64_t)n;
	return 0;
}

static int read_bool(const struct param *p, json_t *v, void *field, struct err *ret_err)
{
	if (!json_is_boolean(v))
		return wrong(p, "true or false", ret_err);
	*(bool *)field = json_is_true(v);
	return 0;
}

static int read_object(const struct param *p, json_t *v, void *field, struct err *ret_err)
{
	if (!json_is_object(v))
		return wrong(p, "an object", ret_err);
	*(json_t **)field = v;
	return 0;
}

static int read_object_or_text(const struct param *p, json_t *v, void *field, struct err *ret_err)
{
	if (!json_is_object(v) && !json_is_string(v))
		return wrong(p, "an object, or its text", ret_err);
	*(json_t **)field = v;
	return 0;
}

typedef int reader_fn(const struct param *p, json_t *v, void *field, struct err *ret_err);

static reader_fn *const readers[PARAM_TYPE_MAX] = {
	[PARAM_NAME] = read_name,
	[PARAM_TEXT] = read_text,
	[PARAM_NUMBER] = read_number,
	[PARAM_BOOL] = read_bool,
	[PARAM_OBJECT] = read_object,
	[PARAM_OBJECT_OR_TEXT] = read_object_or_text,
};

static int unknown(const struct param *rows, const char *name, struct err *ret_err)
{
	_cleanup_(buf_free) struct buf known = {0};

	for (const struct param *p = rows; p->name; p++) {
		buf_str(&known, known.len ? ", " : "it takes ");
		buf_str(&known, p->name);
	}
	return err_set(ret_err, -EBADMSG, "unknown parameter \"%.64s\": %s", name,
		       known.len ? buf_cstr(&known) : "it takes none");
}

static bool is_row(const struct param *rows, const char *name)
{
	for (; rows->name; rows++)
		if (strcmp(rows->name, name) == 0)
			return true;
	return false;
}

int params_decode(const struct param *rows, json_t *given, struct params *ret,
		  struct err *ret_err)
{
	struct params params = { .after = PARAMS_NOT_GIVEN };
	const char *name;
	json_t *value;
	int r;

	json_object_foreach(given, name, value)
		if (!is_row(rows, name))
			return unknown(rows, name, ret_err);
	for (const struct param *p = rows; p->name; p++) {
		value = json_object_get(given, p->name);
		if (!value && p->required)
			return err_set(ret_err, -EBADMSG, "parameter \"%s\" is missing", p->name);
		if (!value || (json_is_null(value) && !p->required))
			continue;
		r = readers[p->type](p, value, (char *)&params + p->offset, ret_err);
		if (r < 0)
			return r;
	}
	*ret = params;
	return 0;
}

char *params_text(const json_t *value)
{
	char *text;

	if (json_is_string(value))
		return mem_strdup(json_string_value(value));
	text = json_dumps(value, JSON_COMPACT);
	if (!text)
		abort();
	return text;
}

int params_each(json_t *object, params_pair_fn *fn, void *ctx, struct err *ret_err)
{
	const char *key;
	json_t *value;
	int r;

	json_object_foreach(object, key, value) {
		const char *text = json_string_value(value);

		/* The value is not repeated: it may be a secret. */
		if (!text || !line_ok(text))
			return err_set(ret_err, -EBADMSG, "\"%.64s\" must be a text of one line",
				       key);
		r = fn(ctx, key, text, ret_err);
		if (r < 0)
			return r;
	}
	return 0;
}
