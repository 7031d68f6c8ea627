/* SPDX-License-Identifier: Apache-2.0
 * Writing JSON. */
#include "jsonw.h"

#include <stdlib.h>
#include <string.h>

struct jsonw jsonw_begin(struct buf *out)
{
	return (struct jsonw){ .out = out };
}

/* A programming error: better no output than one that is not JSON. */
static void must(bool right)
{
	if (!right)
		abort();
}

static void comma(struct jsonw *j)
{
	if (j->depth == 0)
		return;
	if (j->more[j->depth - 1])
		buf_char(j->out, ',');
	j->more[j->depth - 1] = true;
}

/* Before a value: its key or its array put it in its place. */
static void place(struct jsonw *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	must(j->depth == 0 || j->end[j->depth - 1] == ']');
	comma(j);
}

static void open(struct jsonw *j, char start, char end)
{
	place(j);
	must(j->depth < JSONW_DEPTH_MAX);
	j->more[j->depth] = false;
	j->end[j->depth] = end;
	j->depth++;
	buf_char(j->out, start);
}

static void close(struct jsonw *j, char end)
{
	must(j->depth > 0 && j->end[j->depth - 1] == end && !j->after_key);
	j->depth--;
	buf_char(j->out, end);
}

void jsonw_object(struct jsonw *j)
{
	open(j, '{', '}');
}

void jsonw_object_end(struct jsonw *j)
{
	close(j, '}');
}

void jsonw_array(struct jsonw *j)
{
	open(j, '[', ']');
}

void jsonw_array_end(struct jsonw *j)
{
	close(j, ']');
}

/*
 * The length of the valid UTF-8 character at @s, or 0. Overlong forms, surrogates
 * and what lies above U+10FFFF are invalid (RFC 3629); the terminating zero ends any sequence.
 */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	unsigned char low = 0x80, high = 0xbf;

	if (s[0] > 0xf4)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < len; i++) {
		if (s[i] < low || s[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return len;
}

static void escape(struct buf *out, unsigned char c)
{
	static const char short_forms[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
					    ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\' };

	buf_char(out, '\\');
	if (c < sizeof(short_forms) && short_forms[c]) {
		buf_char(out, short_forms[c]);
		return;
	}
	buf_str(out, "u00");
	buf_hex(out, &c, 1);
}

static void quote(struct buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	buf_char(out, '"');
	while (*p) {
		size_t len = utf8_length(p);

		if (len == 0)
			buf_str(out, "\xef\xbf\xbd");	/* U+FFFD, the replacement character */
		else if (*p < ' ' || *p == '"' || *p == '\\' || *p == 0x7f)
			escape(out, *p);
		else
			buf_add(out, p, len);
		p += len ? len : 1;
	}
	buf_char(out, '"');
}

void jsonw_key(struct jsonw *j, const char *key)
{
	must(j->depth > 0 && j->end[j->depth - 1] == '}' && !j->after_key);
	comma(j);
	quote(j->out, key);
	buf_char(j->out, ':');
	j->after_key = true;
}

void jsonw_str(struct jsonw *j, const char *s)
{
	place(j);
	if (s)
		quote(j->out, s);
	else
		buf_str(j->out, "null");
}

void jsonw_u64(struct jsonw *j, uint64_t v)
{
	place(j);
	buf_u64(j->out, v);
}

void jsonw_i64(struct jsonw *j, int64_t v)
{
	place(j);
	buf_i64(j->out, v);
}

void jsonw_bool(struct jsonw *j, bool v)
{
	jsonw_raw(j, v ? "true" : "false");
}

void jsonw_null(struct jsonw *j)
{
	jsonw_raw(j, "null");
}

void jsonw_raw(struct jsonw *j, const char *text)
{
	place(j);
	buf_str(j->out, text);
}

void jsonw_kv_str(struct jsonw *j, const char *key, const char *s)
{
	jsonw_key(j, key);
	jsonw_str(j, s);
}

void jsonw_kv_u64(struct jsonw *j, const char *key, uint64_t v)
{
	jsonw_key(j, key);
	jsonw_u64(j, v);
}

void jsonw_kv_i64(struct jsonw *j, const char *key, int64_t v)
{
	jsonw_key(j, key);
	jsonw_i64(j, v);
}

void jsonw_kv_bool(struct jsonw *j, const char *key, bool v)
{
	jsonw_key(j, key);
	jsonw_bool(j, v);
}
