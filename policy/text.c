/* SPDX-License-Identifier: Apache-2.0
 * Lines for people. */
#include "text.h"

#include <string.h>

/* Where @text, of @len bytes, may be cut at or before @limit: not inside a UTF-8 character. */
static size_t cut_at(const char *text, size_t len, size_t limit)
{
	if (len <= limit)
		return len;
	while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80)
		limit--;
	return limit;
}

struct line line_join(const char *const *parts)
{
	struct line line = { "" };
	struct buf all = { 0 };
	size_t len;

	for (; *parts; parts++)
		buf_str(&all, *parts);
	len = cut_at(buf_cstr(&all), all.len, sizeof(line.text) - 1);
	memcpy(line.text, buf_cstr(&all), len);
	buf_free(&all);
	for (char *p = line.text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return line;
}

struct number number_text(uint64_t v)
{
	struct number n = { "" };
	struct buf digits = { 0 };

	buf_u64(&digits, v);
	memcpy(n.text, digits.data, digits.len);
	buf_free(&digits);
	return n;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_is_fine(const char *name)
{
	if (!is_letter_or_digit(*name))
		return false;
	for (const char *p = name; *p; p++)
		if (!is_letter_or_digit(*p) && *p != '.' && *p != '-' && *p != '_')
			return false;
	return true;
}
