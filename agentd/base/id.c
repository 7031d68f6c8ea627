/* SPDX-License-Identifier: Apache-2.0
 * 128-bit random identities. */
#include "id.h"

#include <errno.h>
#include <string.h>

struct id id_random(const struct env *env)
{
	struct id id;

	env_random(env, id.b, sizeof(id.b));
	id.b[6] = (uint8_t)((id.b[6] & 0x0f) | 0x40);	/* version 4: random */
	id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);	/* RFC 4122's variant */
	return id;
}

bool id_is_none(const struct id *id)
{
	static const struct id none;

	return id_equal(id, &none);
}

bool id_equal(const struct id *a, const struct id *b)
{
	return id_compare(a, b) == 0;
}

int id_compare(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

/* Where the text has a hyphen: before these bytes. */
static bool hyphen_before(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

const char *id_text(const struct id *id, char ret[static ID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *p = ret;

	for (size_t i = 0; i < sizeof(id->b); i++) {
		if (hyphen_before(i))
			*p++ = '-';
		*p++ = digits[id->b[i] >> 4];
		*p++ = digits[id->b[i] & 15];
	}
	*p = '\0';
	return ret;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int id_parse(const char *text, struct id *ret_id)
{
	struct id id;

	for (size_t i = 0; i < sizeof(id.b); i++) {
		int high, low;

		if (hyphen_before(i) && *text++ != '-')
			return -EINVAL;
		high = hex_value(text[0]);
		low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0)
			return -EINVAL;
		id.b[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return -EINVAL;
	*ret_id = id;
	return 0;
}
