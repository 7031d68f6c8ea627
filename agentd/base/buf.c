/* SPDX-License-Identifier: Apache-2.0
 * A growable run of bytes, without the C library's formatting: the pure rooms link this. */
#include "buf.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

/* Room for @more bytes and the terminating zero. */
static void reserve(struct buf *b, size_t more)
{
	size_t need, cap = b->cap ? b->cap : FIRST_CAP;

	if (__builtin_add_overflow(b->len, more, &need) || need > SIZE_MAX / 2 - 1)
		abort();
	if (need < b->cap)
		return;
	while (cap <= need)
		cap *= 2;
	b->data = mem_resize(b->data, cap, 1);
	b->cap = cap;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_char(b, '-');
	/* Negated as unsigned, which is right for INT64_MIN too. */
	buf_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void buf_hex(struct buf *b, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		buf_char(b, digits[p[i] >> 4]);
		buf_char(b, digits[p[i] & 15]);
	}
}

const char *buf_cstr(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *data = b->data ? b->data : mem_strdup("");

	*b = (struct buf){0};
	return data;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	mem_freep(&b->data);
	*b = (struct buf){0};
}
