/* SPDX-License-Identifier: Apache-2.0
 * From a script that fails to a short one that still does. */
#ifndef DOMUS_TESTS_SHRINK_H
#define DOMUS_TESTS_SHRINK_H

#include "script.h"

#include <stdbool.h>

typedef bool shrink_fails_fn(void *ctx, const struct script *script);

/*
 * Leaves out what is not needed (Zeller's delta debugging): in the end it still fails, and would not without any single one of
 * its troubles. @fails says so of @script as it comes.
 */
void shrink(struct script *script, shrink_fails_fn *fails, void *ctx);

#endif
