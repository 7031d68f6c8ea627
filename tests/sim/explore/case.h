/* SPDX-License-Identifier: Apache-2.0
 * Cases: scripts that are kept, each in a folder with what it is about (README) and what came of it (log.expect). */
#ifndef DOMUS_TESTS_CASE_H
#define DOMUS_TESTS_CASE_H

#include "base/err.h"

#include <stdbool.h>

/*
 * Plays @dir/script. 0 when every promise was kept and the story is that of @dir/log.expect, which @update writes anew; else
 * -EIO (a file cannot be read or written), -EINVAL (not a script), -EPROTO (a promise was broken), -ESTALE (another
 * story: the first line that differs).
 */
int case_play(const char *dir, bool update, struct err *ret_err);

#endif
