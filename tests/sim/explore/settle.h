/* SPDX-License-Identifier: Apache-2.0
 * The end of trouble: what must come into order, and does it. */
#ifndef DOMUS_TESTS_SETTLE_H
#define DOMUS_TESTS_SETTLE_H

#include "trouble.h"

/*
 * Ends all trouble, has people do what is theirs (switch on what is off, activate what was drained, start what was given up), and waits. NULL when all is in order:
 * every node is current, what should run runs, nothing is under way, the replicas are equal, and processes and volumes are what
 * the model says, and logs are short; else what is not.
 */
const char *settle(struct world *w, const struct shape *shape);

/* For people: what each node knows. */
void settle_explain(struct world *w, const struct shape *shape, struct buf *out);

#endif
