/* SPDX-License-Identifier: Apache-2.0
 * Playing in a process apart, so that one that ends itself (an assertion, say) is an outcome too. */
#ifndef DOMUS_TESTS_APART_H
#define DOMUS_TESTS_APART_H

#include "play.h"

/* As play_script and play_seed, without a trace. Of a seed the script holds what was drawn up to the failure, or to the end. */
void apart_script(const struct script *script, struct outcome *ret);
void apart_seed(struct script *script, int64_t us, struct outcome *ret);

#endif
