/* SPDX-License-Identifier: Apache-2.0
 * Private to state.c and state_wire.c. */
#ifndef DOMUS_ENGINE_STATE_PRIV_H
#define DOMUS_ENGINE_STATE_PRIV_H

#include "base/map.h"
#include "base/vec.h"
#include "engine/state.h"

/* So many results per node are remembered. Must exceed what one agent can have under way at once by more than any repetition lags. */
#define OUTCOMES 8192

struct outcome {
	uint64_t nonce, index;
	int code;
	char *text;			/* NULL when it succeeded */
};

/* The commands of one life of an agent. A new life starts a new list: in the total order nothing of an old one comes after it. */
struct origin {
	uint32_t node;
	struct id incarnation;
	uint64_t life;			/* the upper half of its nonces */
	uint64_t forgotten;		/* highest nonce that was dropped from the list */
	VEC(struct outcome) outcomes;	/* in rising order of nonces */
};

struct state {
	struct model *model;
	struct map *origins;		/* node -> struct origin */
};

#endif
