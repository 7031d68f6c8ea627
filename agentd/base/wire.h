/* SPDX-License-Identifier: Apache-2.0
 * Bounded binary reading and writing, little-endian: everything that leaves the
 * process as bytes goes through this. */
#ifndef DOMUS_BASE_WIRE_H
#define DOMUS_BASE_WIRE_H

#include "buf.h"
#include "id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_i64(struct buf *b, int64_t v);
void wire_put_id(struct buf *b, const struct id *id);
/* A u32 length, then the bytes; text likewise, NULL as "". */
void wire_put_bytes(struct buf *b, const void *data, size_t len);
void wire_put_str(struct buf *b, const char *s);

/*
 * A reader over bytes that it does not own. After the first read past the end or
 * over a limit @failed stays set and every further read gives zero (empty, ""),
 * so a decoder reads everything and checks once, with wire_done.
 */
struct wire {
	const uint8_t *p, *end;
	bool failed;
};

struct wire wire_reader(const void *data, size_t len);
uint8_t wire_u8(struct wire *w);
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
int64_t wire_i64(struct wire *w);
struct id wire_id(struct wire *w);
/* A view into the message, at most @max long (longer fails). Never NULL unless failed. */
const void *wire_bytes(struct wire *w, size_t max, size_t *ret_len);
/* Copies a text of at most @size - 1 bytes without a zero byte inside; "" when failed. */
void wire_str(struct wire *w, char *ret, size_t size);
/* The same on the heap (caller frees; never NULL), at most @max bytes. */
char *wire_str_dup(struct wire *w, size_t max);
size_t wire_left(const struct wire *w);
/* True when everything was read, nothing failed and nothing is left over. */
bool wire_done(const struct wire *w);

#endif
