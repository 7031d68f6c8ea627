/* SPDX-License-Identifier: Apache-2.0
 * The whole model as bytes and back, for snapshots of the state. */
#ifndef DOMUS_ENGINE_MODEL_WIRE_H
#define DOMUS_ENGINE_MODEL_WIRE_H

#include "base/wire.h"
#include "policy/model.h"

#include <stdbool.h>

/* Appends @m. Equal models give equal bytes. Secrets are included. */
void model_wire_out(const struct model *m, struct buf *out);

/*
 * Reads into @m, which is as model_new made it. False for anything that model_wire_out would not have written: @m may hold a part
 * then, and is good only to be freed.
 */
bool model_wire_in(struct model *m, struct wire *w);

#endif
