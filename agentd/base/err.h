/* SPDX-License-Identifier: Apache-2.0
 * Errors as values: a negative errno and one line for a person. */
#ifndef DOMUS_BASE_ERR_H
#define DOMUS_BASE_ERR_H

#include <errno.h>

#define ERR_TEXT_MAX 256

/*
 * What went wrong. @code is a negative errno (0 = no error). @text is one line
 * without control characters (they become spaces): what was attempted, on what,
 * and what the caller can do. Longer texts are cut at a UTF-8 boundary.
 * A plain value: copy it freely.
 */
struct err {
	int code;
	char text[ERR_TEXT_MAX];
};

/*
 * Fills @ret_err (which may be NULL) and returns @code, so that a failing
 * function can end with `return err_set(ret_err, -ENOENT, "volume %s: ...", name);`.
 */
int err_set(struct err *ret_err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Puts "@what: " in front of the text that is there already; returns err->code.
 * NULL is accepted (and gives 0: a function that fails returns its own code then).
 */
int err_prefix(struct err *err, const char *what);

#endif
