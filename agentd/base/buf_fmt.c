/* SPDX-License-Identifier: Apache-2.0
 * Formatting into a buffer: apart, so that the pure rooms do not link it. */
#include "buf.h"
#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_printf(struct buf *b, const char *fmt, ...)
{
	_cleanup_(mem_freep) char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	buf_add(b, text, (size_t)n);
}
