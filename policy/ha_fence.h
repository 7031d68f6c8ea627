/* SPDX-License-Identifier: Apache-2.0
 * The gate: nothing that a lost node owned starts elsewhere before a proof about that very life
 * (rule G4). Private to policy/. */
#ifndef DOMUS_POLICY_HA_FENCE_H
#define DOMUS_POLICY_HA_FENCE_H

#include "ha_node.h"

/* Whether its last life is proven over, and no later OPEN has listed it. */
bool fence_proven(const struct node *n);

/*
 * What it owns becomes LOST: nothing happens to it before a proof, or before that life answers
 * again.
 */
void fence_lose_guests(struct model *m, struct node *n);
/*
 * Who is here in the same life, and not being fenced, keeps what it owned: that goes on as
 * before. To be called when nodes have come back, or when a fencing has ended, whatever ended
 * it.
 */
void fence_give_back(struct model *m);

/*
 * The proof. Ends that life's fencing and operations; its guests have no owner any more.
 *
 * A restart (PROOF_RESTARTED) is one because the incarnation lies in a tmpfs that goes with the
 * boot, and an agent refuses to begin a new one while a guest's process of ours still runs on
 * its host.
 */
void fence_life_over(struct model *m, struct node *n, enum proof_kind kind, const char *by,
		     const char *why);

/*
 * The whole cluster has just come up, each member in a new life: who is missing is probably only
 * later, and is not fenced for a while. Its guests wait meanwhile, as for any proof.
 */
void fence_wait_for_boot(struct model *m);

/* What the executor of @op reports, and what is done when nothing more can come of it. */
void fence_done(struct model *m, const struct operation *op, bool ok, const char *text);
void fence_dropped(struct model *m, const struct operation *op, const char *why);

#endif
