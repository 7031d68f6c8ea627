/* SPDX-License-Identifier: Apache-2.0
 * Text for people: safe on a terminal, aligned in columns, times and sizes in words. */
#ifndef DOMUS_CLI_TEXT_H
#define DOMUS_CLI_TEXT_H

#include "base/buf.h"
#include "base/vec.h"

#include <stdint.h>
#include <stdio.h>

/*
 * Appends @s so that it does nothing on a terminal: control characters, broken UTF-8 and
 * characters that turn the direction of text become \xNN or \u{NNNN}. NULL appends nothing.
 */
void text_safe(struct buf *out, const char *s);

/* "12 s ago", "3 min ago", "2 h ago", "5 d ago"; "" when @then_us is 0. */
void text_ago(struct buf *out, int64_t now_us, int64_t then_us);
/* "1.2 s", "250 ms" */
void text_duration(struct buf *out, int64_t us);
/* "10 GiB", "512 MiB", "1536 KiB": the largest unit in which it is whole, else with one digit. */
void text_bytes(struct buf *out, uint64_t bytes);
/* "2026-11-24 03:06:46", local time. */
void text_time(struct buf *out, int64_t us);

/* "10G", "512M", "4096": bytes with a unit of 1024's powers. 0, or -EINVAL. */
int text_parse_bytes(const char *s, uint64_t *ret);

/* A table. Cells are made safe; a NULL or empty one shows "-". */
struct text_table {
	size_t columns;
	VEC(char *) cells;		/* owned; row by row, the headers first */
};

#define TEXT_TABLE_MAX 10	/* columns */

/* @headers ends with NULL. */
struct text_table text_table(const char *const *headers);
void text_cell(struct text_table *t, const char *s);
void text_cellf(struct text_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_table_print(const struct text_table *t, FILE *f);
void text_table_free(struct text_table *t);

#endif
