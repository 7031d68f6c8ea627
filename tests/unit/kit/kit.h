/* SPDX-License-Identifier: Apache-2.0
 * What unit tests share: cmocka with its includes, golden files, a folder of one's own,
 * waiting with a deadline. */
#ifndef DOMUS_TESTS_KIT_H
#define DOMUS_TESTS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * Fails the test unless @text is what tests/golden/@name holds; the message names the
 * first line that differs. With `make golden` the file is written instead.
 */
void kit_golden(const char *name, const char *text);

/* A new folder below $TMPDIR or /tmp; kit_rmdir removes it with all in it and frees the path. */
char *kit_mkdir(void);
void kit_rmdir(char *path);

/*
 * @dir/@name; the content of a file: both on the heap. kit_read ends the text with a
 * zero and fails the test if there is no such file.
 */
char *kit_path(const char *dir, const char *name);
char *kit_read(const char *path);
void kit_write(const char *path, const char *text);

/* Runs @loop until @done says true; fails the test with @what after @seconds. */
struct loop;
void kit_loop_until(struct loop *loop, bool (*done)(void *ctx), void *ctx, int seconds,
		    const char *what);

#endif
