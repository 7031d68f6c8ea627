/* SPDX-License-Identifier: Apache-2.0
 * Private to agentd/engine. */
#ifndef DOMUS_ENGINE_PRIV_H
#define DOMUS_ENGINE_PRIV_H

#include "base/vec.h"
#include "cluster/membership.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/state.h"
#include "exec/exec.h"

/* Somebody who waits for a command of ours to be applied. */
struct waiter {
	struct command_id id;
	engine_done_fn *done;
	void *ctx;
	bool settled;			/* applied: @err and @index say how; told in the next turn */
	struct err err;
	uint64_t index;
};

/* Messages that wait for the total order, oldest first. */
typedef VEC(struct buf) message_queue;

struct engine {
	struct engine_conf conf;
	struct engine_parts parts;
	struct membership *membership;
	struct ledger_image image;	/* what the store held, until the ledger takes it over */
	bool loaded;
	struct ledger *ledger;		/* NULL until the store is read and this node's id is known */
	struct state *state;
	bool snapshot_due;		/* the ledger wants one, as soon as its effects are carried out */
	bool stuck;			/* its state cannot be read: nothing is carried out any more */
	struct exec *exec;
	uint32_t node;
	char node_name[MODEL_NAME_MAX];
	char away[ERR_TEXT_MAX];	/* why there is no order; "" when there is */
	struct engine_news news;
	void *news_ctx;

	message_queue queue[LEDGER_CLASS_MAX];
	VEC(struct waiter) waiters;
	VEC(struct command_id) deciding;	/* policy's commands that are not yet applied: it decides nothing before they are */
	bool look;			/* the model has changed, or its time has come, since policy looked last */
	bool refused;			/* one of them was: policy waits a little before it decides anew */
	struct command_id facts;	/* the report of this node's facts under way; node 0: none */

	int64_t agreed_us;		/* ledger time, which changed last at @agreed_at here */
	struct mono agreed_at;
	bool was_current;
	uint64_t logged_event;		/* the last event of the model that went to the log */
	char not_adopted[ERR_TEXT_MAX];		/* why it is not known what runs here, or "" */
	engine_watch_fn *watch;
	void *watch_ctx;

	struct env_timer *tick, *turn, *flush, *decide_again;
};

/* engine.c */
void engine_turn_soon(struct engine *e);
void engine_run(struct engine *e, ledger_effects *out);		/* carries out and frees */
bool engine_current(struct engine *e);
struct wall engine_clock(struct engine *e);			/* what this node takes ledger time to be now (rule L11) */
/* Proposes; the id is zero and nothing happens when the ledger cannot take it (logged). */
struct command_id engine_propose(struct engine *e, const struct command *c, struct err *ret_err);
void engine_log(struct engine *e, int priority, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* decide.c: the leader's part */
void decide_turn(struct engine *e);
void decide_restored(struct engine *e);		/* the state is another: what of ours is in it? */
void decide_applied(struct engine *e, const struct command_id *id, const struct err *err);

/* request.c: those who wait */
void request_applied(struct engine *e, const struct ledger_entry *entry, const struct err *err);
void request_restored(struct engine *e);
void request_tell(struct engine *e);

bool command_id_equal(const struct command_id *a, const struct command_id *b);

#endif
