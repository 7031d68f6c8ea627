/* SPDX-License-Identifier: Apache-2.0
 * A guest's states: one table, one setter. Private to policy/. */
#ifndef DOMUS_POLICY_HA_GUEST_H
#define DOMUS_POLICY_HA_GUEST_H

#include "record.h"

enum guest_event {
	EV_GRANTED, /* a node owns it and was told to start it */
	EV_RUNS,    /* its process runs */
	EV_PAUSES,
	EV_IO_ERROR,
	EV_STOP_ORDERED, /* the owner was told to end its process */
	EV_MOVE_BEGUN,
	EV_OWNER_LOST, /* nobody knows what its owner's node does */
	/* that very life of the node answers again: the guest was never given away */
	EV_OWNER_BACK,
	EV_OVER,       /* there is certainly no process any more, and none is wanted */
	EV_AGAIN,      /* the same, and it is to run again */
	EV_GIVEN_UP,   /* too many failures */
	GUEST_EVENT_MAX,
	GUEST_EVENT_INVALID = -1
};
TABLE_DECLARE(guest_event, enum guest_event);

/* What a row does beside the change of state. */
typedef void guest_action(struct model *m, struct guest *g);

struct guest_row {
	enum guest_state state;
	enum guest_event event;
	enum guest_state next; /* GUEST_STATE_INVALID: the state before the loss */
	guest_action *action;  /* or NULL; runs before the state changes */
};

/* The table, for the setter and for the test that walks it. */
extern const struct guest_row guest_rows[];
extern const size_t guest_rows_n;
/* Bit N: state N may follow. Every change is checked against it. */
extern const unsigned guest_may_follow[GUEST_STATE_MAX];

/* The row for (state, event), or NULL: illegal. */
const struct guest_row *guest_row(enum guest_state state, enum guest_event ev);

/*
 * Something happened to @g: takes the row's action and state, notes @why as reason and event.
 * -EINVAL if it cannot happen in this state; nothing has changed then.
 */
int guest_happens(struct model *m, struct guest *g, enum guest_event ev, const char *why,
		  struct err *ret_err);

/* Its process is certainly gone: back to STOPPED, or to RECOVERING when it is wanted. */
void guest_process_gone(struct model *m, struct guest *g, const char *why);

#endif
