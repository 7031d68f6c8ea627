/* SPDX-License-Identifier: Apache-2.0
 * Errors as values. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Shortens @text, which was cut at its buffer's end, so that it does not end inside a character. */
static void trim_partial(char *text, size_t len)
{
	size_t start = len;
	size_t need;
	unsigned char lead;

	while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	lead = (unsigned char)text[start - 1];
	need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (need > len - start + 1)
		text[start - 1] = '\0';
}

/* One line: what came from elsewhere (a child's output, a peer) may hold newlines. */
static void copy_line(struct err *err, char *text, int wanted)
{
	if (wanted >= ERR_TEXT_MAX)
		trim_partial(text, ERR_TEXT_MAX - 1);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	memcpy(err->text, text, ERR_TEXT_MAX);
}

int err_set(struct err *ret_err, int code, const char *fmt, ...)
{
	/* Apart from the result, since an argument may be the text that stands there. */
	char text[ERR_TEXT_MAX] = "";
	va_list ap;
	int n;

	if (!ret_err)
		return code;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ret_err->code = code;
	copy_line(ret_err, text, n);
	return code;
}

int err_prefix(struct err *err, const char *what)
{
	if (!err)
		return 0;
	return err_set(err, err->code, "%s: %s", what, err->text);
}
