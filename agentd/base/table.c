/* SPDX-License-Identifier: Apache-2.0
 * Enum <-> text: the two functions behind the macros. */
#include "table.h"

#include <stddef.h>
#include <string.h>

const char *table_text_(const char *const *names, int max, int value)
{
	if (value < 0 || value >= max || !names[value])
		return "?";
	return names[value];
}

int table_parse_(const char *const *names, int max, const char *text)
{
	for (int i = 0; text && i < max; i++)
		if (names[i] && strcmp(names[i], text) == 0)
			return i;
	return -1;
}
