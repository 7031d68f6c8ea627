/* SPDX-License-Identifier: Apache-2.0
 * Records as bytes, driven by tables: what commands and snapshots are written with. */
#ifndef DOMUS_ENGINE_FIELDS_H
#define DOMUS_ENGINE_FIELDS_H

#include "base/mem.h"
#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type { FIELD_U32, FIELD_U64, FIELD_I64, FIELD_BOOL, FIELD_ENUM, FIELD_ID, FIELD_TEXT };

/* A table of them is sorted by number. */
struct field {
	uint8_t number;			/* from 1; never used anew for something else */
	enum field_type type;
	size_t offset, size;		/* FIELD_TEXT: the array's size; FIELD_ENUM: how many values there are */
};

#define FIELD(number, type, owner, member) { number, type, offsetof(owner, member), sizeof(((owner *)0)->member) }
#define FIELD_OF_ENUM(number, owner, member, max) { number, FIELD_ENUM, offsetof(owner, member), max }

/* Appends @owner's fields. What is zero is not written, so equal records give equal bytes. */
void fields_out(const struct field *fields, size_t n, const void *owner, struct buf *out);

/* Fills @owner, which was zero. False for what fields_out would not have written: numbers unknown or not rising, zeros, values out of range. */
bool fields_in(const struct field *fields, size_t n, void *owner, struct wire *w);

#define FIELDS_OUT(fields, owner, out) fields_out(fields, ARRAY_SIZE(fields), owner, out)
#define FIELDS_IN(fields, owner, w)    fields_in(fields, ARRAY_SIZE(fields), owner, w)

#endif
