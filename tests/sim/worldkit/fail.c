/* SPDX-License-Identifier: Apache-2.0
 * A world that fails a unit test. */
#include "kit/kit.h"
#include "world/fail.h"

#include <stdio.h>
#include <stdlib.h>

void world_fail(const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fail_msg("%s", text);
	abort();			/* it does not come back, but does not say so */
}
