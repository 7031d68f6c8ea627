/* SPDX-License-Identifier: Apache-2.0
 * Which step is allowed in which state: the same for every driver. */
#ifndef DOMUS_HYPERVISOR_STEPS_H
#define DOMUS_HYPERVISOR_STEPS_H

#include "driver.h"

/*
 * What can be under way on a domain, one at a time. Kill and abort_in are allowed always and
 * replace it.
 */
enum step {
	STEP_NONE,
	STEP_CREATE,
	STEP_PREPARE_IN,
	STEP_CONT,
	STEP_PAUSE,
	STEP_SHUTDOWN,
	STEP_SEND,
	STEP_CANCEL_SEND,
	STEP_ACTIVATE,
	STEP_RESUME_SOURCE,
	STEP_MAX,
	STEP_INVALID = -1
};
TABLE_DECLARE(step, enum step);

/* True when a domain in @state may be asked for @step. */
bool step_allowed(enum step step, enum domain_state state);

/*
 * Checks that @step may begin now on guest @name, in @state, with @under_way not yet done.
 * Returns 0, -EALREADY while another step is under way, or -EINVAL in the wrong state.
 */
int step_check(enum step step, const char *name, enum domain_state state, enum step under_way,
	       struct err *ret_err);

/* True when the vCPUs may be running in @state (while SENDING they stand in the last pass only). */
bool state_runs(enum domain_state state);

#endif
