/* SPDX-License-Identifier: Apache-2.0
 * What each change leaves behind: events, reasons, operations. Private to policy/. */
#ifndef DOMUS_POLICY_RECORD_H
#define DOMUS_POLICY_RECORD_H

#include "base/err.h"
#include "policy/ha.h"
#include "policy/text.h"

/* Both carry the model's present index and time. */
void event_add(struct model *m, const char *subject, const char *text);
/* A reason of the guest, the same as an event, and its new revision. */
void guest_note(struct model *m, struct guest *g, const char *text);
void node_note(struct model *m, struct node *n, const char *text);
/* The newest reason, or "". */
const char *guest_last_reason(const struct guest *g);
/* @fail: "the start", of the node where it happened, now. */
void guest_failure(struct model *m, struct guest *g, uint32_t node, bool start);

/*
 * A new operation at that life of a node. Its id is the model's index, so that one entry of the
 * ledger orders at most one. The deadline is by its kind.
 */
struct operation *operation_add(struct model *m, enum op_kind kind, const struct owner *at);
/* For a guest: becomes the one under way, in place of another. */
void operation_order(struct model *m, struct guest *g, enum op_kind kind, const struct owner *at);
/* That life is back: nobody could work at its operations meanwhile, so their time begins anew. */
void operations_renew(struct model *m, const struct owner *life);
void operation_remove(struct model *m, uint64_t id); /* 0 and unknown ids are fine */
/* The guest has none under way any more. */
void operation_end(struct model *m, struct guest *g);

#endif
