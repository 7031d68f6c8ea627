/* SPDX-License-Identifier: Apache-2.0
 * The ledger's inside, shared by ledger*.c only: its state, and what each file gives the others. */
#ifndef DOMUS_CLUSTER_LEDGER_PRIV_H
#define DOMUS_CLUSTER_LEDGER_PRIV_H

#include "base/vec.h"
#include "ledger.h"
#include "ledger_msg.h"

#define LEDGER_PENDING_MAX 4096

/* One call into the ledger: its time and its effects. */
struct step {
	struct mono now;
	ledger_effects *out;
};

/*
 * A node with an agent in the view. All of it comes from messages, in their order, so every
 * member has the same table, whether or not it has caught up (ticked_at aside, which is shown
 * and never decided by).
 */
struct member {
	uint32_t node;
	/* a round has been made for it in this view at once, see ledger_view.c */
	bool relisted;

	/* Of the round. */
	/* its STATE of this round has been counted: nothing of it counts before */
	bool spoken;
	/* its STATE shows another cluster: nothing of it counts (of this view) */
	bool foreign;
	bool promised;			/* this round's term */
	bool regressed;			/* its store has lost something: no vote (rule L7) */
	struct msg_state state;		/* valid if spoken */
	int64_t stamp_us;		/* its clock as of its STATE or last tick; 0: not known */
	bool gate_shut;			/* as of its last tick */

	/* Of the open term. */
	uint64_t acked;			/* durable up to here; 0: not even the OPEN */
	bool ticked, silent;
	struct mono ticked_at;
	/* of each other member, since its own last one */
	uint32_t ticks_since[ORDER_MEMBERS_MAX];
	bool wants_in;
	char join_name[LEDGER_NAME_MAX];
};

/*
 * The open term, as the messages tell it: the same for all members at the same place in their
 * order. Invariant while open: commit and record_index are 0, or lie in open_index .. next - 1.
 */
struct term {
	/* an OPEN has been accepted (it is committed when commit > 0) */
	bool open;
	struct ledger_open listed;	/* its payload */
	uint32_t source;		/* whose log it goes on from */
	uint64_t open_index;
	uint64_t next;			/* index of the next accepted command (rule L5) */
	uint64_t commit;		/* highest index held by a majority; 0: not yet the OPEN */
	/* in force: the source's, then what was accepted in this term */
	struct ledger_voters record;
	/* of the last voters' record accepted in this term; 0: none */
	uint64_t record_index;
	uint32_t leader;		/* 0: none */
};

/* How this node follows the open term. */
enum follow {
	/* not at all: no term, blank, barred or bound to a higher promise */
	FOLLOW_NOT,
	FOLLOW_FETCHING,		/* lacks entries; what is accepted meanwhile is held back */
	FOLLOW_CAUGHT_UP,		/* the log ends at term.next - 1 */
};

/*
 * What the log's beginning has become: @bytes stands for the entries up to @index, which were
 * committed and applied. index 0: nothing, the log is whole.
 */
struct base {
	uint64_t index, term;
	bool voted;			/* this store was in a voters' record up to there */
	struct ledger_voters voters;	/* the last record up to there */
	uint64_t admitted[LEDGER_VOTERS_MAX];	/* of each: index of the record that let it in */
	struct buf bytes;		/* all of it but index, term and voted; see ledger_snapshot.c */
	uint64_t sum;
	size_t state_at;		/* the state is the rest of them from here on */
};

/* A snapshot on its way here. Its sum tells it from others; kept over views, until caught up. */
struct fetched {
	uint64_t index, term, sum;
	uint32_t total;
	struct buf bytes;
};

/*
 * Catching up. Invariant while fetching: the log matches the source's below @want; @held
 * continues from @hold_from to term.next - 1 without a gap.
 */
struct catchup {
	uint64_t want;			/* next index to be fetched */
	uint64_t hold_from;		/* first one that need not be fetched */
	VEC(struct ledger_entry *) held;
	size_t held_bytes;
	uint32_t server;
	unsigned int quiet_ticks;	/* own ticks since the server was asked or answered */
	struct fetched snapshot;
};

struct proposal {
	struct proposal *next;
	struct command_id id;
	int64_t stamp_us;
	uint64_t sent_term;		/* sent in this term; 0: in none, or refused */
	void *data;
	size_t len;
};

/* The write under way. */
struct writing {
	bool active;
	/* the log's entries are durable up to here when it is done */
	uint64_t upto;
	uint64_t promised, committed;
};

/* Alarms of one kind about one node are given once in a while only. */
enum ledger_alarm {
	ALARM_DISK,
	ALARM_FOREIGN,
	ALARM_REGRESSED,
	ALARM_DIVERGED,
	ALARM_LOST,
	ALARM_CLOCK,
	ALARM_PROMISE,
	ALARM_SNAPSHOT,
	ALARM_MAX
};

/* An alarm, when it was given last, and what it said then. */
struct alarmed {
	enum ledger_alarm alarm;
	uint32_t node;
	struct mono at;
	char text[ERR_TEXT_MAX];
};

struct ledger {
	struct ledger_conf conf;
	struct id store, cluster;
	bool cluster_written;		/* handed to the store */
	bool failed;			/* the disk: it never gets a write again (rule L2) */
	bool barred;			/* this log contradicts the others' committed entries */
	bool joining;

	/*
	 * The log above its base: log.v[i] has index base.index + 1 + i. durable <= handed <=
	 * log_last; base.index <= handed; base.index <= applied <= committed <= log_last;
	 * entries up to committed are never cut.
	 */
	VEC(struct ledger_entry *) log;
	VEC(uint64_t) records;		/* indexes of the voters' records in it */
	struct ledger_voters voters;	/* the last of them, or the base's: in force (rule L8) */
	struct base base;
	bool base_unwritten;		/* the next write brings it to the disk */
	bool snapshot_asked;		/* LEDGER_SNAPSHOT is out */
	/* from where the log's length is counted: the base's index, or where the state was too
	 * long for a snapshot */
	uint64_t long_from;
	size_t long_bytes;		/* of the applied entries from there on */
	unsigned int serving_ticks;	/* somebody fetches from here: the log is let grow so long */
	uint64_t durable, handed;
	uint64_t truncate_from;		/* to be deleted on disk with the next write; 0: nothing */
	uint64_t committed, committed_durable, applied;
	uint64_t promised, want_promised;	/* durable; to be made durable */
	struct writing writing;
	struct mono written_at;

	/* The view and its round. */
	bool has_view, quorate;
	struct view view;
	uint64_t digest;
	struct member members[ORDER_MEMBERS_MAX];	/* sorted by node, one each */
	size_t n_members;
	uint64_t round;
	struct mono round_since;
	unsigned int futile;		/* rounds of this view that have not opened */
	unsigned int relists;		/* rounds that this node has begun so that the OPEN lists all */
	bool state_sent, open_sent;
	bool promising, promise_sent;	/* want_promised is this round's term; said so */
	uint64_t number;		/* this round's term; 0: not yet known */
	bool openable;			/* a majority has promised, at openable_since */
	struct mono openable_since;

	struct term term;
	enum follow follow;
	uint64_t last_acked;		/* in this term */
	struct catchup catchup;
	/* own ticks to wait before a voters' record is proposed again */
	unsigned int admission_ticks;

	struct proposal *pending, **pending_end;
	size_t n_pending;
	bool unsent;			/* some pending proposal is to be sent in this term */
	uint64_t nonce;

	/* what this agent remembers of the voters' stores */
	struct ledger_seen seen[LEDGER_VOTERS_MAX];
	size_t n_seen;
	/* the same as of the round's start: what the STATE tells */
	struct ledger_seen said[LEDGER_VOTERS_MAX];
	size_t n_said;

	/* own ticks in a row that showed this node's clock far ahead */
	unsigned int ahead_ticks;
	struct wall wall;		/* as last told, at wall_at; 0: never */
	struct mono wall_at;
	VEC(struct alarmed) alarmed;	/* one of each kind and node that there has been */
	uint64_t bad_messages;
	struct ledger_status told;	/* as of the last LEDGER_CHANGED */
	char why[160];
};

/* ledger.c */
struct member *ledger_member(const struct ledger *l, uint32_t node);	/* NULL: not in the view */
int64_t ledger_wall_us(const struct ledger *l, struct mono now);		/* 0: not known */
void ledger_say(struct ledger *l, struct step *s, enum ledger_class class, struct ledger_msg *m);
/* @node: whom it is about. */
void ledger_alarm(struct ledger *l, struct step *s, enum ledger_alarm alarm, uint32_t node,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/*
 * An accepted command or OPEN, owned by the callee: gives it its index and lets this node
 * follow.
 */
void ledger_accept(struct ledger *l, struct step *s, struct ledger_entry *e);

/* ledger_view.c: rounds, promises, OPEN (rules L3, L4, L6). */
void view_change(struct ledger *l, struct step *s, const struct view *view);
void view_round(struct ledger *l, struct step *s, uint64_t round);
void view_progress(struct ledger *l, struct step *s);
void view_tick(struct ledger *l, struct step *s);
void view_on_state(struct ledger *l, struct step *s, struct member *from,
		   const struct ledger_msg *m);
void view_on_promise(struct ledger *l, struct step *s, struct member *from,
		     const struct ledger_msg *m);
void view_on_open(struct ledger *l, struct step *s, struct member *from,
		  const struct ledger_msg *m);
/* The promiser that the view may open from, or NULL while it may not. */
struct member *view_source(const struct ledger *l);
/* Nothing more is to be expected of @m before the term opens. */
bool view_settled(const struct ledger *l, const struct member *m);

/* ledger_log.c: the log in memory and its way to the disk (rules L1, L2, L4). */
struct ledger_entry *entry_new(const struct ledger_entry *like);	/* copies the data too */
void entry_free(struct ledger_entry *e);
const struct ledger_entry *log_get(const struct ledger *l, uint64_t index);
uint64_t log_last(const struct ledger *l);
/* 0 at index 0 and above the end */
uint64_t log_term(const struct ledger *l, uint64_t index);
int log_take_voters(struct ledger *l);				/* the last record is in force */
/* Forgets the first entries, up to @index, which has a base by now. */
void log_drop(struct ledger *l, uint64_t index);
int log_load(struct ledger *l, struct ledger_image *image);
void log_append(struct ledger *l, struct ledger_entry *e);
void log_cut(struct ledger *l, uint64_t from);			/* above committed only */
void log_forget_unwritten(struct ledger *l);
void log_forget_unsure(struct ledger *l);			/* when the view ends */
/* memory and disk are the same */
bool log_at_rest(const struct ledger *l);
void log_write(struct ledger *l, struct step *s, bool even_if_only_committed);
void log_on_ack(struct ledger *l, struct step *s, struct member *from, const struct ledger_msg *m);
void log_count(struct ledger *l, struct step *s);			/* what is committed now */
void log_apply(struct ledger *l, struct step *s);
void log_written(struct ledger *l, struct step *s, const struct err *err);
void log_tick(struct ledger *l, struct step *s);

/* ledger_catchup.c */
void catchup_start(struct ledger *l, struct step *s);
void catchup_stop(struct ledger *l);
void catchup_hold(struct ledger *l, struct ledger_entry *e);
void catchup_tick(struct ledger *l, struct step *s);
void catchup_on_fetch(struct ledger *l, struct step *s, struct member *from,
		      const struct ledger_msg *m);
void catchup_on_entries(struct ledger *l, struct step *s, struct member *from,
			const struct ledger_msg *m);

/* The server of the moment is asked for what comes next. */
void catchup_ask(struct ledger *l, struct step *s);
/* The log ends at @index, and is the source's up to there. */
void catchup_goes_on(struct ledger *l, struct step *s, uint64_t index);

/* ledger_snapshot.c: what takes the place of the log's beginning. */
int snapshot_load(struct ledger *l, struct ledger_snapshot *s);
void snapshot_restore(struct ledger *l, struct step *s);	/* has the state taken from the base */
void snapshot_count(struct ledger *l, const struct ledger_entry *applied);
void snapshot_review(struct ledger *l, struct step *s);		/* asks for one when it is time */
void snapshot_hold(struct ledger *l);				/* somebody fetches */
void snapshot_tick(struct ledger *l);
void snapshot_serve(struct ledger *l, struct step *s, const struct member *to,
		    const struct ledger_msg *fetch);
void snapshot_on_part(struct ledger *l, struct step *s, struct member *from,
		      const struct ledger_msg *m);
void fetched_drop(struct fetched *f);

/* ledger_leader.c: ticks, silence, the leader, the members' median clock (rules L10, L11). */
void leader_on_tick(struct ledger *l, struct step *s, struct member *from,
		    const struct ledger_msg *m);
void leader_review(struct ledger *l);
bool leader_stamp_fits(const struct ledger *l, int64_t stamp_us);
int64_t leader_clamp(const struct ledger *l, int64_t stamp_us);
/* This node's clock has been far ahead for a while. */
bool leader_clock_wrong(const struct ledger *l);
int64_t leader_age_us(const struct ledger *l, struct mono now);

/* ledger_voters.c: who counts (rules L7, L8). */
const struct ledger_voter *voters_find(const struct ledger_voters *v, uint32_t node);
bool voters_match(const struct ledger_voters *v, const struct member *m);
uint32_t voters_votes(const struct ledger_voters *v);
uint32_t voters_needed(const struct ledger_voters *v);
uint32_t voters_count(const struct ledger *l, const struct ledger_voters *v,
		      bool (*holds)(const struct member *));
/* by node, heard or not */
uint32_t voters_present(const struct ledger *l, const struct ledger_voters *v);
bool voters_change_fits(const struct ledger_voters *before, const struct ledger_voters *after);
uint64_t voters_admitted(const struct ledger *l, uint32_t node, const struct id *store);
/* The same by the base and the first @n records alone. */
uint64_t voters_admitted_by(const struct ledger *l, size_t n, uint32_t node,
			    const struct id *store);
/* This store is in the base or in one of the first @n records. */
bool voters_voted(const struct ledger *l, size_t n);
bool voters_half_joined(const struct ledger *l);
void voters_accepted(struct ledger *l, const struct ledger_entry *e);
void voters_judge(struct ledger *l, struct step *s);
void voters_remember(struct ledger *l, const struct member *m, uint64_t promised, uint64_t acked);
void voters_applied(struct ledger *l, const struct ledger_entry *e);
void voters_committed(struct ledger *l, const struct ledger_voters *v);
void voters_tick(struct ledger *l, struct step *s);
void voters_on_join(struct ledger *l, struct step *s, struct member *from,
		    const struct ledger_msg *m);

/* ledger_propose.c: what this node has proposed and not yet seen committed. */
void propose_flush(struct ledger *l, struct step *s);
void propose_refused(struct ledger *l, const struct command_id *id);
void propose_committed(struct ledger *l, const struct command_id *id);
void propose_new_term(struct ledger *l);
void propose_tick(struct ledger *l);
int propose_new(struct ledger *l, const void *data, size_t len, struct wall now,
		struct command_id *ret_id, struct err *ret_err);
void propose_send(struct ledger *l, struct step *s);
void propose_free(struct ledger *l);
void propose_on_command(struct ledger *l, struct step *s, struct member *from,
			const struct ledger_msg *m);

/* ledger_status.c */
enum ledger_role status_role(const struct ledger *l);
void status_explain(struct ledger *l);
void status_note_change(struct ledger *l, struct step *s);

#endif
