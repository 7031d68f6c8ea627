/* SPDX-License-Identifier: Apache-2.0
 * Bounded binary reading and writing, little-endian. */
#include "wire.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

static void put_le(struct buf *b, uint64_t v, size_t bytes)
{
	uint8_t out[8];

	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * i));
	buf_add(b, out, bytes);
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void wire_put_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void wire_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void wire_put_i64(struct buf *b, int64_t v)
{
	put_le(b, (uint64_t)v, 8);
}

void wire_put_id(struct buf *b, const struct id *id)
{
	buf_add(b, id->b, sizeof(id->b));
}

void wire_put_bytes(struct buf *b, const void *data, size_t len)
{
	if (len > UINT32_MAX)
		abort();
	wire_put_u32(b, (uint32_t)len);
	buf_add(b, data, len);
}

void wire_put_str(struct buf *b, const char *s)
{
	wire_put_bytes(b, s, s ? strlen(s) : 0);
}

struct wire wire_reader(const void *data, size_t len)
{
	const uint8_t *p = len ? data : (const uint8_t *)"";

	return (struct wire){ .p = p, .end = p + len };
}

/* The next @len bytes, or NULL: then, and from then on, the reader has failed. */
static const uint8_t *take(struct wire *w, size_t len)
{
	const uint8_t *p = w->p;

	if (w->failed || len > wire_left(w)) {
		w->failed = true;
		return NULL;
	}
	w->p += len;
	return p;
}

static uint64_t get_le(struct wire *w, size_t bytes)
{
	const uint8_t *p = take(w, bytes);
	uint64_t v = 0;

	for (size_t i = 0; p && i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t wire_u8(struct wire *w)
{
	return (uint8_t)get_le(w, 1);
}

uint16_t wire_u16(struct wire *w)
{
	return (uint16_t)get_le(w, 2);
}

uint32_t wire_u32(struct wire *w)
{
	return (uint32_t)get_le(w, 4);
}

uint64_t wire_u64(struct wire *w)
{
	return get_le(w, 8);
}

int64_t wire_i64(struct wire *w)
{
	return (int64_t)get_le(w, 8);
}

struct id wire_id(struct wire *w)
{
	const uint8_t *p = take(w, sizeof(struct id));
	struct id id = {0};

	if (p)
		memcpy(id.b, p, sizeof(id.b));
	return id;
}

const void *wire_bytes(struct wire *w, size_t max, size_t *ret_len)
{
	size_t len = wire_u32(w);
	const void *p;

	*ret_len = 0;
	if (len > max)
		w->failed = true;
	p = take(w, len);
	if (p)
		*ret_len = len;
	return p;
}

/* As wire_bytes, for text: a zero inside would hide what follows it from every later check. */
static const char *text(struct wire *w, size_t max, size_t *ret_len)
{
	const char *p = wire_bytes(w, max, ret_len);

	if (p && memchr(p, 0, *ret_len)) {
		w->failed = true;
		p = NULL;
	}
	if (!p)
		*ret_len = 0;
	return p ? p : "";
}

void wire_str(struct wire *w, char *ret, size_t size)
{
	size_t len;
	const char *p = text(w, size - 1, &len);

	memcpy(ret, p, len);
	ret[len] = '\0';
}

char *wire_str_dup(struct wire *w, size_t max)
{
	size_t len;
	const char *p = text(w, max, &len);

	return mem_strndup(p, len);
}

size_t wire_left(const struct wire *w)
{
	return (size_t)(w->end - w->p);
}

bool wire_done(const struct wire *w)
{
	return !w->failed && wire_left(w) == 0;
}
