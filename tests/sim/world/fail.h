/* SPDX-License-Identifier: Apache-2.0
 * The way out when a world cannot go on as it must: whoever links the world defines it, a test by its framework. */
#ifndef DOMUS_TESTS_WORLD_FAIL_H
#define DOMUS_TESTS_WORLD_FAIL_H

void world_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#define world_must(cond) ((cond) ? (void)0 : world_fail("%s:%d: %s", __FILE__, __LINE__, #cond))

#endif
