/* SPDX-License-Identifier: Apache-2.0
 * The local API of an agent: what `domus` talks to. */
#ifndef DOMUS_CTL_CTL_H
#define DOMUS_CTL_CTL_H

#include "base/env.h"
#include "base/err.h"
#include "engine/engine.h"

struct ctl;

/*
 * Listens at once. @suffix: NULL, or what tells this agent's socket from others' on the host.
 * @env must be that of a running base/loop.h; @engine outlives it. -EADDRINUSE when another agent
 * listens there, -EINVAL for a bad suffix.
 */
int ctl_new(const struct env *env, struct engine *engine, const char *suffix, struct ctl **ret_ctl,
	    struct err *ret_err);
void ctl_free(struct ctl *ctl);		/* accepts NULL */

#endif
