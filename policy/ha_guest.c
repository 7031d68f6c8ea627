/* SPDX-License-Identifier: Apache-2.0
 * A guest's states: what may happen in each, and what follows. */
#include "ha_guest.h"

static const char *const guest_event_names[GUEST_EVENT_MAX] = {
	[EV_GRANTED] = "granted",
	[EV_RUNS] = "runs",
	[EV_PAUSES] = "pauses",
	[EV_IO_ERROR] = "io-error",
	[EV_STOP_ORDERED] = "stop-ordered",
	[EV_MOVE_BEGUN] = "move-begun",
	[EV_OWNER_LOST] = "owner-lost",
	[EV_OWNER_BACK] = "owner-back",
	[EV_OVER] = "over",
	[EV_AGAIN] = "again",
	[EV_GIVEN_UP] = "given-up",
};
TABLE_DEFINE(guest_event, enum guest_event, GUEST_EVENT_MAX)

/* A wish for a migration is about the moment: it does not outlive what comes between. */
static void forget_wish(struct guest *g)
{
	g->wants_move = false;
	g->wanted_node = 0;
}

/* A process that stands by itself: no operation, no migration. */
static void act_settle(struct model *m, struct guest *g)
{
	operation_end(m, g);
	g->move = (struct move){ 0 };
	forget_wish(g);
}

/* No process: nobody owns it. Whoever still has one ends it, for he is not the owner. */
static void act_release(struct model *m, struct guest *g)
{
	act_settle(m, g);
	g->owner = (struct owner){ 0 };
}

/* A migration that is not handed over ends here: clearing the target is its order to clean up. */
static void act_stop_here(struct model *m, struct guest *g)
{
	(void)m;
	g->move = (struct move){ 0 };
}

static void act_lose(struct model *m, struct guest *g)
{
	g->before_loss = g->state;
	forget_wish(g);
	if (g->move.phase == MOVE_PREPARING) {
		act_settle(m, g);
		g->before_loss = GUEST_RUNNING;
	} else if (g->move.phase == MOVE_SENDING) {
		/*
		 * The target is out of it. If the node comes back, its process may stand, all
		 * sent: it has to be told to go on. That operation is ordered then: an entry
		 * that loses many guests can order one only.
		 */
		act_settle(m, g);
		g->move.phase = MOVE_CANCELLING;
		STRCPY(g->move.failed, "migration failed: its source was lost");
	}
}

/*
 * The owner reports while the rest takes it for lost (it is back, and still being fenced):
 * believed once it is back for good.
 */
static void act_runs_behind(struct model *m, struct guest *g)
{
	act_settle(m, g);
	g->before_loss = GUEST_RUNNING;
}

static void act_pauses_behind(struct model *m, struct guest *g)
{
	act_settle(m, g);
	g->before_loss = GUEST_PAUSED;
}

static void act_io_error_behind(struct model *m, struct guest *g)
{
	act_settle(m, g);
	g->before_loss = GUEST_IO_ERROR;
}

#define AS_BEFORE GUEST_STATE_INVALID

/* clang-format off */
const struct guest_row guest_rows[] = {
	/* state            event            next              action              */
	{ GUEST_STOPPED,    EV_GRANTED,      GUEST_STARTING,   NULL                },

	{ GUEST_STARTING,   EV_RUNS,         GUEST_RUNNING,    act_settle          },
	{ GUEST_STARTING,   EV_STOP_ORDERED, GUEST_STOPPING,   NULL                },
	{ GUEST_STARTING,   EV_OWNER_LOST,   GUEST_LOST,       act_lose            },
	{ GUEST_STARTING,   EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_STARTING,   EV_AGAIN,        GUEST_RECOVERING, act_release         },

	{ GUEST_RUNNING,    EV_PAUSES,       GUEST_PAUSED,     act_settle          },
	{ GUEST_RUNNING,    EV_IO_ERROR,     GUEST_IO_ERROR,   act_settle          },
	{ GUEST_RUNNING,    EV_STOP_ORDERED, GUEST_STOPPING,   NULL                },
	{ GUEST_RUNNING,    EV_MOVE_BEGUN,   GUEST_MIGRATING,  NULL                },
	{ GUEST_RUNNING,    EV_OWNER_LOST,   GUEST_LOST,       act_lose            },
	{ GUEST_RUNNING,    EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_RUNNING,    EV_AGAIN,        GUEST_RECOVERING, act_release         },

	{ GUEST_PAUSED,     EV_RUNS,         GUEST_RUNNING,    act_settle          },
	{ GUEST_PAUSED,     EV_IO_ERROR,     GUEST_IO_ERROR,   act_settle          },
	{ GUEST_PAUSED,     EV_STOP_ORDERED, GUEST_STOPPING,   NULL                },
	{ GUEST_PAUSED,     EV_OWNER_LOST,   GUEST_LOST,       act_lose            },
	{ GUEST_PAUSED,     EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_PAUSED,     EV_AGAIN,        GUEST_RECOVERING, act_release         },

	{ GUEST_STOPPING,   EV_STOP_ORDERED, GUEST_STOPPING,   NULL                },
	{ GUEST_STOPPING,   EV_OWNER_LOST,   GUEST_LOST,       act_lose            },
	{ GUEST_STOPPING,   EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_STOPPING,   EV_AGAIN,        GUEST_RECOVERING, act_release         },

	{ GUEST_MIGRATING,  EV_RUNS,         GUEST_RUNNING,    act_settle          },
	{ GUEST_MIGRATING,  EV_STOP_ORDERED, GUEST_STOPPING,   act_stop_here       },
	{ GUEST_MIGRATING,  EV_OWNER_LOST,   GUEST_LOST,       act_lose            },
	{ GUEST_MIGRATING,  EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_MIGRATING,  EV_AGAIN,        GUEST_RECOVERING, act_release         },

	{ GUEST_IO_ERROR,   EV_RUNS,         GUEST_RUNNING,    act_settle          },
	{ GUEST_IO_ERROR,   EV_PAUSES,       GUEST_PAUSED,     act_settle          },
	{ GUEST_IO_ERROR,   EV_STOP_ORDERED, GUEST_STOPPING,   NULL                },
	{ GUEST_IO_ERROR,   EV_OWNER_LOST,   GUEST_LOST,       act_lose            },
	{ GUEST_IO_ERROR,   EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_IO_ERROR,   EV_AGAIN,        GUEST_RECOVERING, act_release         },

	{ GUEST_LOST,       EV_RUNS,         GUEST_LOST,       act_runs_behind     },
	{ GUEST_LOST,       EV_PAUSES,       GUEST_LOST,       act_pauses_behind   },
	{ GUEST_LOST,       EV_IO_ERROR,     GUEST_LOST,       act_io_error_behind },
	{ GUEST_LOST,       EV_OWNER_BACK,   AS_BEFORE,        NULL                },
	{ GUEST_LOST,       EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_LOST,       EV_AGAIN,        GUEST_RECOVERING, act_release         },

	{ GUEST_RECOVERING, EV_GRANTED,      GUEST_STARTING,   NULL                },
	{ GUEST_RECOVERING, EV_OVER,         GUEST_STOPPED,    act_release         },
	{ GUEST_RECOVERING, EV_GIVEN_UP,     GUEST_HELD,       NULL                },

	{ GUEST_HELD,       EV_OVER,         GUEST_STOPPED,    act_release         },
};
/* clang-format on */
const size_t guest_rows_n = ARRAY_SIZE(guest_rows);

#define MAY(state) (1u << (state))
#define MAY_END    (MAY(GUEST_LOST) | MAY(GUEST_STOPPED) | MAY(GUEST_RECOVERING))

const unsigned guest_may_follow[GUEST_STATE_MAX] = {
	[GUEST_STOPPED] = MAY(GUEST_STARTING),
	[GUEST_STARTING] = MAY(GUEST_RUNNING) | MAY(GUEST_STOPPING) | MAY_END,
	[GUEST_RUNNING] = MAY(GUEST_PAUSED) | MAY(GUEST_IO_ERROR) | MAY(GUEST_STOPPING) |
			  MAY(GUEST_MIGRATING) | MAY_END,
	[GUEST_PAUSED] = MAY(GUEST_RUNNING) | MAY(GUEST_IO_ERROR) | MAY(GUEST_STOPPING) | MAY_END,
	[GUEST_STOPPING] = MAY_END,
	[GUEST_MIGRATING] = MAY(GUEST_RUNNING) | MAY(GUEST_STOPPING) | MAY_END,
	[GUEST_IO_ERROR] = MAY(GUEST_RUNNING) | MAY(GUEST_PAUSED) | MAY(GUEST_STOPPING) | MAY_END,
	/* Never STARTING elsewhere: only a proof leads out, or the same life of its node. */
	[GUEST_LOST] = MAY(GUEST_STOPPED) | MAY(GUEST_RECOVERING) | MAY(GUEST_STARTING) |
		       MAY(GUEST_RUNNING) | MAY(GUEST_PAUSED) | MAY(GUEST_STOPPING) |
		       MAY(GUEST_MIGRATING) | MAY(GUEST_IO_ERROR),
	[GUEST_RECOVERING] = MAY(GUEST_STARTING) | MAY(GUEST_STOPPED) | MAY(GUEST_HELD),
	[GUEST_HELD] = MAY(GUEST_STOPPED),
};

const struct guest_row *guest_row(enum guest_state state, enum guest_event ev)
{
	for (size_t i = 0; i < guest_rows_n; i++)
		if (guest_rows[i].state == state && guest_rows[i].event == ev)
			return &guest_rows[i];
	return NULL;
}

static bool may_follow(enum guest_state state, enum guest_state next)
{
	return next >= 0 && next < GUEST_STATE_MAX &&
	       (next == state || guest_may_follow[state] & MAY(next));
}

/* The one setter. */
static void guest_set_state(struct model *m, struct guest *g, enum guest_state next,
			    const char *why)
{
	if (next == g->state)
		guest_note(m, g, why);
	else
		guest_note(m, g, SAY(guest_state_text(next), ": ", why));
	g->state = next;
	if (next == GUEST_RUNNING)
		g->ran = true;
}

int guest_happens(struct model *m, struct guest *g, enum guest_event ev, const char *why,
		  struct err *ret_err)
{
	const struct guest_row *row = guest_row(g->state, ev);
	enum guest_state next = GUEST_STATE_INVALID;

	if (row)
		next = row->next == AS_BEFORE ? g->before_loss : row->next;
	if (!row || !may_follow(g->state, next))
		return err_set(ret_err, -EINVAL, "guest %s is %s: '%s' cannot happen now", g->name,
			       guest_state_text(g->state), guest_event_text(ev));
	if (row->action)
		row->action(m, g);
	guest_set_state(m, g, next, why);
	return 0;
}

void guest_process_gone(struct model *m, struct guest *g, const char *why)
{
	guest_happens(m, g, g->desired == DESIRED_STOPPED ? EV_OVER : EV_AGAIN, why, NULL);
}
