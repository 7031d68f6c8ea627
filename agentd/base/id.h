/* SPDX-License-Identifier: Apache-2.0
 * 128-bit random identities: stores, incarnations, clusters, guests. */
#ifndef DOMUS_BASE_ID_H
#define DOMUS_BASE_ID_H

#include "env.h"

#include <stdbool.h>
#include <stdint.h>

struct id {
	uint8_t b[16];		/* all zero = none */
};

#define ID_TEXT_SIZE 37		/* 8-4-4-4-12 lower-case hex, and the zero */

struct id id_random(const struct env *env);	/* an RFC 4122 version 4 UUID */
bool id_is_none(const struct id *id);
bool id_equal(const struct id *a, const struct id *b);
int id_compare(const struct id *a, const struct id *b);
const char *id_text(const struct id *id, char ret[static ID_TEXT_SIZE]);
/* Accepts exactly the form that id_text writes (either case). Returns 0 or -EINVAL. */
int id_parse(const char *text, struct id *ret_id);

#endif
