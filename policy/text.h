/* SPDX-License-Identifier: Apache-2.0
 * Lines for people, built without formatting: the pure room may not print. */
#ifndef DOMUS_POLICY_TEXT_H
#define DOMUS_POLICY_TEXT_H

#include "policy/model.h"

/* One line. Longer ones are cut at a character's end; control characters become spaces. */
struct line {
	char text[MODEL_TEXT_MAX];
};

struct number {
	char text[21];
};

struct line line_join(const char *const *parts); /* up to NULL */
struct number number_text(uint64_t v);

/* Both live until the end of the full expression that they stand in. */
#define SAY(...) (line_join((const char *const[]){ __VA_ARGS__, NULL }).text)
#define NUM(v)   (number_text((uint64_t)(v)).text)

/* A name for records: letters, digits, dot, dash and underscore, begun by a letter or a digit. */
bool name_is_fine(const char *name);

#endif
