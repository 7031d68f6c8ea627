/* SPDX-License-Identifier: Apache-2.0
 * High availability as a function: what must be ordered now, and why. */
#ifndef DOMUS_POLICY_HA_H
#define DOMUS_POLICY_HA_H

#include "policy/command.h"

/*
 * How long things may take, in ledger time. Microseconds. Deadlines and back-off stand in the
 * records and are written when a command is applied: they come from ha_conf_default, on all
 * nodes alike. The rest is the leader's, as given to ha_step.
 */
struct ha_conf {
	/* an agent that is away while its node is in the ring: so long before its node is fenced */
	int64_t agent_grace_us;
	/*
	 * a node that is missing when the whole cluster comes up anew: so long before it is
	 * fenced. Hosts on which the power returns together differ by less.
	 */
	int64_t boot_grace_us;
	int64_t start_deadline_us;	/* of OP_START, OP_ACTIVATE, OP_PAUSE ... */
	int64_t move_deadline_us;	/* of a whole migration */
	int64_t hand_over_deadline_us;	/* once all is sent: the guest stands still meanwhile */
	int64_t fence_deadline_us;	/* of one fence operation */
	int64_t fence_retry_us;		/* before the second try; doubles up to 30 s */
	int64_t drain_retry_us;		/* before a drain tries a migration again that failed */
	int64_t resume_retry_us;	/* before a resume is ordered again that failed */
	/* before a node is tried again where a guest that has run before failed to start; doubles */
	int64_t start_retry_us, start_retry_max_us;
};
extern const struct ha_conf ha_conf_default;

struct ha_out {
	/* each with its reason and its reads; in the order in which they are to be proposed */
	VEC(struct command) commands;
	/* ledger time at which to call again even if nothing happens; INT64_MAX: never */
	int64_t again_us;
};
void ha_out_free(struct ha_out *out);

/*
 * Called by the leader, whenever the model has changed and all that it ordered before is
 * applied, and at again_us. Pure: the same model and time give the same commands, byte for byte,
 * on every machine.
 */
void ha_step(const struct model *m, const struct ha_conf *conf, int64_t now_us, struct ha_out *out);

#endif
