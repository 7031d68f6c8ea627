/* SPDX-License-Identifier: Apache-2.0
 * A growable run of bytes: text, JSON, messages. */
#ifndef DOMUS_BASE_BUF_H
#define DOMUS_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

/*
 * Zero-initialised is empty. @data is NULL or holds @len bytes and a terminating
 * zero that is not counted.
 */
struct buf {
	char *data;
	size_t len, cap;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t v);		/* decimal */
void buf_i64(struct buf *b, int64_t v);
/* Lower case. */
void buf_hex(struct buf *b, const void *data, size_t len);
/* In buf_fmt.c, so that the pure rooms (which may not print) do not link it. */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *buf_cstr(const struct buf *b);	/* never NULL; valid until the next change */
/* Gives the text to the caller, who frees it; the buffer is empty again. Never NULL. */
char *buf_take(struct buf *b);
void buf_clear(struct buf *b);				/* empty, memory kept */
void buf_free(struct buf *b);			/* for _cleanup_ too; accepts an empty one */

#endif
