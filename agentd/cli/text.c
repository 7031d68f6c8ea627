/* SPDX-License-Identifier: Apache-2.0
 * Text for people. */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Decodes one UTF-8 character; returns its length, or 0 if there is none at @s. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *s < 0x80             ? 1
		     : (*s & 0xe0) == 0xc0 ? 2
		     : (*s & 0xf0) == 0xe0 ? 3
		     : (*s & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c;

	if (len == 0)
		return 0;
	c = len == 1 ? *s : *s & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len;
}

/* Marks that change the direction of text, or cannot be seen at all. */
static bool misleading(uint32_t c)
{
	return c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || c >= 0xe0000;
}

void text_safe(struct buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)(s ? s : "");

	while (*p) {
		uint32_t c = 0;
		size_t len = decode(p, &c);

		if (len == 0 || c < 0x20 || c == 0x7f) {
			buf_printf(out, "\\x%02x", *p);
			len = 1;
		} else if ((c >= 0x80 && c < 0xa0) || misleading(c)) {
			buf_printf(out, "\\u{%" PRIx32 "}", c);
		} else {
			buf_add(out, p, len);
		}
		p += len;
	}
}

void text_ago(struct buf *out, int64_t now_us, int64_t then_us)
{
	int64_t s = now_us > then_us ? (now_us - then_us) / 1000000 : 0;

	if (then_us == 0)
		return;
	if (s < 120)
		buf_printf(out, "%" PRId64 " s ago", s);
	else if (s < 120 * 60)
		buf_printf(out, "%" PRId64 " min ago", s / 60);
	else if (s < 48 * 3600)
		buf_printf(out, "%" PRId64 " h ago", s / 3600);
	else
		buf_printf(out, "%" PRId64 " d ago", s / 86400);
}

void text_duration(struct buf *out, int64_t us)
{
	int64_t ms = us > 0 ? us / 1000 : 0;

	if (ms < 1000)
		buf_printf(out, "%" PRId64 " ms", ms);
	else
		buf_printf(out, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
}

static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

void text_bytes(struct buf *out, uint64_t bytes)
{
	size_t u = 0;

	while (bytes && bytes % 1024 == 0 && u + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		u++;
	}
	if (bytes < 10240 || u + 1 == sizeof(units) / sizeof(units[0])) {
		buf_printf(out, "%" PRIu64 " %s", bytes, units[u]);
		return;
	}
	while (bytes >= 1024 * 1024) {
		bytes /= 1024;
		u++;
	}
	buf_printf(out, "%" PRIu64 ".%" PRIu64 " %s", bytes / 1024, bytes % 1024 * 10 / 1024,
		   units[u + 1]);
}

void text_time(struct buf *out, int64_t us)
{
	time_t t = us / 1000000;
	struct tm tm;
	char text[32];

	if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		buf_str(out, text);
}

int text_parse_bytes(const char *s, uint64_t *ret)
{
	static const char letters[] = "KMGTP";
	const char *letter;
	unsigned int shift = 0;
	char *rest;
	uint64_t n;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(s, &rest, 10);
	if (errno)
		return -EINVAL;
	letter = *rest ? strchr(letters, *rest) : NULL;
	if (letter) {
		shift = 10 * (unsigned int)(letter - letters + 1);
		rest += strcmp(rest + 1, "iB") == 0 ? 3 : 1;
	}
	if (*rest || n > UINT64_MAX >> shift)
		return -EINVAL;
	*ret = n << shift;
	return 0;
}

struct text_table text_table(const char *const *headers)
{
	struct text_table t = { 0 };

	for (; headers[t.columns]; t.columns++)
		if (t.columns == TEXT_TABLE_MAX)
			abort();
	for (size_t i = 0; i < t.columns; i++)
		text_cell(&t, headers[i]);
	return t;
}

void text_cell(struct text_table *t, const char *s)
{
	struct buf safe = { 0 };

	text_safe(&safe, s && *s ? s : "-");
	vec_push(&t->cells, buf_take(&safe));
}

void text_cellf(struct text_table *t, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_cell(t, text);
}

/* Of safe text: one place for each character. */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

void text_table_print(const struct text_table *t, FILE *f)
{
	int widths[TEXT_TABLE_MAX] = { 0 };

	for (size_t i = 0; i < t->cells.n; i++) {
		int w = width(t->cells.v[i]);

		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	for (size_t i = 0; i < t->cells.n; i++) {
		size_t column = i % t->columns;
		bool last = column + 1 == t->columns;

		fputs(t->cells.v[i], f);
		if (last)
			fputc('\n', f);
		else
			fprintf(f, "%*s", widths[column] - width(t->cells.v[i]) + 2, "");
	}
}

void text_table_free(struct text_table *t)
{
	char **cell;

	vec_each(cell, &t->cells)
		free(*cell);
	vec_free(&t->cells);
}
