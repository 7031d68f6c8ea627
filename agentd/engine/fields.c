/* SPDX-License-Identifier: Apache-2.0
 * Records as bytes: (field number, value) pairs in rising order, and a zero. */
#include "engine/fields.h"

#include "base/id.h"

#include <string.h>

#define FIELDS_END 0

static bool is_zero(const struct field *f, const char *p)
{
	static const struct id none;

	switch (f->type) {
	case FIELD_U32: return *(const uint32_t *)p == 0;
	case FIELD_U64: return *(const uint64_t *)p == 0;
	case FIELD_I64: return *(const int64_t *)p == 0;
	case FIELD_BOOL: return !*(const bool *)p;
	case FIELD_ENUM: return *(const int *)p == 0;
	case FIELD_ID: return memcmp(p, &none, sizeof(none)) == 0;
	case FIELD_TEXT: return !*p;
	}
	return true;
}

static void field_out(const struct field *f, const char *p, struct buf *out)
{
	switch (f->type) {
	case FIELD_U32: wire_put_u32(out, *(const uint32_t *)p); break;
	case FIELD_U64: wire_put_u64(out, *(const uint64_t *)p); break;
	case FIELD_I64: wire_put_i64(out, *(const int64_t *)p); break;
	case FIELD_BOOL: wire_put_u8(out, 1); break;
	case FIELD_ENUM: wire_put_u8(out, (uint8_t)*(const int *)p); break;
	case FIELD_ID: wire_put_id(out, (const struct id *)p); break;
	case FIELD_TEXT: wire_put_str(out, p); break;
	}
}

void fields_out(const struct field *fields, size_t n, const void *owner, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *p = (const char *)owner + fields[i].offset;

		if (is_zero(&fields[i], p))
			continue;
		wire_put_u8(out, fields[i].number);
		field_out(&fields[i], p, out);
	}
	wire_put_u8(out, FIELDS_END);
}

/* False for a value that only its absence may say (zero), or that is out of range. */
static bool field_in(const struct field *f, char *p, struct wire *w)
{
	switch (f->type) {
	case FIELD_U32: *(uint32_t *)p = wire_u32(w); break;
	case FIELD_U64: *(uint64_t *)p = wire_u64(w); break;
	case FIELD_I64: *(int64_t *)p = wire_i64(w); break;
	case FIELD_BOOL: *(bool *)p = wire_u8(w) == 1; break;
	case FIELD_ENUM: {
		uint8_t v = wire_u8(w);

		if (v >= f->size)
			return false;
		*(int *)p = v;
		break;
	}
	case FIELD_ID: *(struct id *)p = wire_id(w); break;
	case FIELD_TEXT: wire_str(w, p, f->size); break;
	}
	return !w->failed && !is_zero(f, p);
}

bool fields_in(const struct field *fields, size_t n, void *owner, struct wire *w)
{
	uint8_t number;
	size_t i = 0;

	while ((number = wire_u8(w)) != FIELDS_END) {
		while (i < n && fields[i].number < number)
			i++;
		if (i == n || fields[i].number != number || !field_in(&fields[i], (char *)owner + fields[i].offset, w))
			return false;
		i++;
	}
	return !w->failed;
}
