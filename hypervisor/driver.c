/* SPDX-License-Identifier: Apache-2.0
 * What all drivers share: the names of states and events, and which step is allowed when. */
#include "driver.h"

#include "steps.h"

static const char *const domain_state_names[DOMAIN_STATE_MAX] = {
	[DOMAIN_BEING_CREATED] = "being-created",
	[DOMAIN_CREATED] = "created",
	[DOMAIN_INCOMING] = "incoming",
	[DOMAIN_LOADED] = "loaded",
	[DOMAIN_RUNNING] = "running",
	[DOMAIN_PAUSED] = "paused",
	[DOMAIN_SENDING] = "sending",
	[DOMAIN_SENT] = "sent",
	[DOMAIN_POWERED_OFF] = "powered-off",
	[DOMAIN_CRASHED] = "crashed",
	[DOMAIN_IO_ERROR] = "io-error",
	[DOMAIN_ENDING] = "ending",
};
TABLE_DEFINE(domain_state, enum domain_state, DOMAIN_STATE_MAX);

static const char *const domain_event_names[DOMAIN_EVENT_MAX] = {
	[DOMAIN_EV_STATE] = "state",       [DOMAIN_EV_RESET] = "reset",
	[DOMAIN_EV_PROGRESS] = "progress", [DOMAIN_EV_LOADED] = "loaded",
	[DOMAIN_EV_SENT] = "sent",         [DOMAIN_EV_FAILED] = "failed",
	[DOMAIN_EV_GONE] = "gone",
};
TABLE_DEFINE(domain_event, enum domain_event, DOMAIN_EVENT_MAX);

static const char *const step_names[STEP_MAX] = {
	[STEP_NONE] = "nothing",
	[STEP_CREATE] = "create",
	[STEP_PREPARE_IN] = "prepare to receive",
	[STEP_CONT] = "run",
	[STEP_PAUSE] = "pause",
	[STEP_SHUTDOWN] = "shut down",
	[STEP_SEND] = "send",
	[STEP_CANCEL_SEND] = "cancel sending",
	[STEP_ACTIVATE] = "activate",
	[STEP_RESUME_SOURCE] = "resume after sending",
};
TABLE_DEFINE(step, enum step, STEP_MAX);

#define IN(state) (1u << DOMAIN_##state)

/* A bit for each state in which the step may begin. create and prepare_in begin with no domain. */
static const unsigned int step_states[STEP_MAX] = {
	[STEP_CONT] = IN(CREATED) | IN(PAUSED) | IN(IO_ERROR),
	[STEP_PAUSE] = IN(RUNNING),
	[STEP_SHUTDOWN] = IN(RUNNING) | IN(SENDING),
	[STEP_SEND] = IN(RUNNING) | IN(PAUSED),
	[STEP_CANCEL_SEND] = IN(SENDING),
	[STEP_ACTIVATE] = IN(LOADED),
	[STEP_RESUME_SOURCE] = IN(SENT),
};

bool step_allowed(enum step step, enum domain_state state)
{
	return step_states[step] & (1u << state);
}

int step_check(enum step step, const char *name, enum domain_state state, enum step under_way,
	       struct err *ret_err)
{
	if (under_way != STEP_NONE)
		return err_set(ret_err, -EALREADY, "guest %s: cannot %s: %s is still under way",
			       name, step_text(step), step_text(under_way));
	if (!step_allowed(step, state))
		return err_set(ret_err, -EINVAL, "guest %s: cannot %s: its process here is %s",
			       name, step_text(step), domain_state_text(state));
	return 0;
}

bool state_runs(enum domain_state state)
{
	return state == DOMAIN_RUNNING || state == DOMAIN_SENDING;
}
