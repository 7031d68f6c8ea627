/* SPDX-License-Identifier: Apache-2.0
 * The ledger: one totally ordered, durable, agreed log of commands. A pure step function:
 * (state, message | view | time | disk done) -> (state, messages, writes, entries to apply).
 *
 * It is Raft's log with a total order in place of elections. The rules it keeps are L1 to L8 and L10 to L13 (snapshots) of agentd/HACKING.md. */
#ifndef DOMUS_CLUSTER_LEDGER_H
#define DOMUS_CLUSTER_LEDGER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/mono.h"
#include "base/vec.h"
#include "cluster/log_store.h"
#include "cluster/membership.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_NAME_MAX	  64
#define LEDGER_VOTERS_MAX 16

/* A voter: a node with the store that it had when it was admitted (rule L7). */
struct ledger_voter {
	uint32_t node;
	uint32_t votes;			/* 1 .. 10 */
	struct id store;
	char name[LEDGER_NAME_MAX];
};

/* Payload of ENTRY_VOTERS: in force from its append on, at most one voter differs from the one before (rule L8). */
struct ledger_voters {
	struct ledger_voter v[LEDGER_VOTERS_MAX];	/* sorted by node */
	size_t n;
};

/* Payload of ENTRY_OPEN: who is there when a term opens (rule L4). */
struct ledger_open {
	struct {
		uint32_t node;
		struct id incarnation;	/* none: has an agent in the group that has not spoken yet */
	} members[ORDER_MEMBERS_MAX];	/* agents in the group, sorted by node */
	size_t n_members;
	uint32_t nodes[ORDER_MEMBERS_MAX];	/* in the ring, with or without an agent; sorted */
	size_t n_nodes;
};

/* Bounded decoders of the two payloads; 0 or -EBADMSG. */
int ledger_voters_in(const void *data, size_t len, struct ledger_voters *ret);
void ledger_voters_out(const struct ledger_voters *v, struct buf *out);
int ledger_open_in(const void *data, size_t len, struct ledger_open *ret);
void ledger_open_out(const struct ledger_open *o, struct buf *out);

enum ledger_effect_kind {
	LEDGER_SEND,		/* multicast @data */
	LEDGER_WRITE,		/* give @write to the store, then call ledger_written; never more than one under way */
	LEDGER_APPLY,		/* @entry is committed: apply it. In index order, each exactly once in a life of the agent */
	LEDGER_CHANGED,		/* ledger_status has changed (opened, closed, leader, caught up, role) */
	/* the log is long: when all effects of this call are carried out, give ledger_snapshot the state */
	LEDGER_SNAPSHOT,
	/* @state, of @state_len bytes, is what all entries up to @index have made: take it in place of one's own */
	LEDGER_RESTORE,
	LEDGER_ALARM,		/* @text is for a person: something that must not happen has */
};

/* Lower is sent first (rule L12). */
enum ledger_class { LEDGER_CLASS_TICK, LEDGER_CLASS_ACK, LEDGER_CLASS_COMMAND, LEDGER_CLASS_TRANSFER, LEDGER_CLASS_MAX };

struct ledger_effect {
	enum ledger_effect_kind kind;
	enum ledger_class class;
	struct buf data;
	struct ledger_write write;		/* its entries pointer is owned by the effect */
	/* both valid until the next call into the ledger */
	const struct ledger_entry *entry;
	const void *state;
	size_t state_len;
	uint64_t index;
	char text[ERR_TEXT_MAX];
};

/* What a call asks for, to be carried out in order. Messages that are not yet on the wire when LEDGER_SEND of a STATE of
 * another view comes are dropped by the caller (queues are emptied at a view change; see ledger_view). */
typedef VEC(struct ledger_effect) ledger_effects;
void ledger_effects_clear(ledger_effects *out);	/* frees what the effects own */
void ledger_effects_free(ledger_effects *out);

struct ledger_conf {
	uint32_t node;
	char name[LEDGER_NAME_MAX];
	struct id incarnation;		/* of the node */
	uint64_t first_nonce;		/* random multiple of 2^32: tells this life of the agent from the ones before */
	uint32_t silent_ticks;		/* K of rule L10 */
	int64_t open_wait_us;		/* how long the source waits for the rest once a majority has promised */
	int64_t retry_us;		/* a view that has not opened after this long is tried in another round; doubled each time */
	/* after so many applied entries a snapshot takes their place, however long it is; 0: as below */
	uint64_t log_entries;
};

/*
 * A second's worth of commands at full speed, and some hours of quiet ones: who was away for less fetches entries, not the whole
 * state. The bytes bound the memory where commands are long (guests' specifications); beyond both, a log is kept that is as long as the
 * snapshot, so that the writing of snapshots never costs more than that of the entries.
 */
#define LEDGER_LOG_ENTRIES (16 * 1024)
#define LEDGER_LOG_BYTES   (16 * 1024 * 1024)

struct ledger;

/* @image: what the store held; its entries and its snapshot are taken over. */
struct ledger *ledger_new(const struct ledger_conf *conf, struct ledger_image *image);
void ledger_free(struct ledger *l);

/* What was committed already when the agent started, a snapshot first if there is one: call once after ledger_new, before anything else. */
void ledger_replay(struct ledger *l, ledger_effects *out);

/* @view NULL: there is none (any more). On a change everything queued and not yet sent is void: drop it before carrying out @out. */
void ledger_view(struct ledger *l, const struct view *view, bool quorate, struct mono now, ledger_effects *out);
/* The gate alone has changed (rule L8). */
void ledger_gate(struct ledger *l, bool quorate, struct mono now, ledger_effects *out);
/* Hostile until checked: what does not decode is dropped (and counted). */
void ledger_message(struct ledger *l, uint32_t from_node, const void *data, size_t len, struct mono now, ledger_effects *out);
/* The write under way is durable (@err's code is 0) or has failed for good; its text is passed on to people. */
void ledger_written(struct ledger *l, const struct err *err, struct mono now, ledger_effects *out);
/* What LEDGER_SNAPSHOT asks for: the state after all that LEDGER_APPLY and LEDGER_RESTORE have brought, opaque here. */
void ledger_snapshot(struct ledger *l, const void *state, size_t len, struct mono now, ledger_effects *out);
/* Every LEDGER_TICK_US. @wall stamps the tick: what this node takes the time to be, never below that of what it has applied. */
#define LEDGER_TICK_US (200 * US_PER_MS)
void ledger_tick(struct ledger *l, struct mono now, struct wall wall, ledger_effects *out);

/*
 * Proposes a command: multicast now if the view is open and this node has caught up, else as soon as
 * it has; again in every later term until it is committed (duplicates fall out when they are applied). -ENOBUFS when 4096
 * are waiting, -EMSGSIZE over ENTRY_DATA_MAX, -ENODEV when the store is blank, -EIO when its disk has failed. What was proposed is done when LEDGER_APPLY brings @ret_id.
 */
int ledger_propose(struct ledger *l, const void *data, size_t len, struct wall now, struct command_id *ret_id, ledger_effects *out,
		   struct err *ret_err);
/* The time that the members take @now for: the same, or their median where that is too far ahead of it (rule L11). */
struct wall ledger_time(const struct ledger *l, struct wall now);
/* Whoever waited has gone: do not propose it again (one that is on the wire may still be committed). */
void ledger_forget(struct ledger *l, const struct command_id *id);

/* Gives birth to a ledger with this node as its only voter. -EEXIST if the store is not blank or somebody in the view has a
 * ledger, -EBUSY while joining, -EIO when the disk has failed. */
int ledger_init(struct ledger *l, struct id cluster, struct wall now, ledger_effects *out, struct err *ret_err);
/*
 * A blank (or wiped) store asks to be let in: it repeats its wish with every tick, is brought up to date, then the leader proposes it as a
 * voter; a restart of the agent does not end that once there are entries in its store. -EALREADY when it is a voter, -EIO when the disk has failed, -EUCLEAN when this log contradicts the others'. Done when ledger_status says LEDGER_VOTER.
 */
int ledger_join(struct ledger *l, ledger_effects *out, struct err *ret_err);

enum ledger_role {
	LEDGER_BLANK,		/* no cluster yet: init or join */
	LEDGER_LEARNER,		/* follows, has no vote (rule L7) */
	LEDGER_VOTER,
	LEDGER_FOREIGN,		/* the others here belong to another cluster */
	LEDGER_FAILED,		/* the disk failed: acknowledges nothing any more (rule L2) */
	LEDGER_ROLE_MAX,
	LEDGER_ROLE_INVALID = -1
};
const char *ledger_role_text(enum ledger_role role);

struct ledger_status {
	enum ledger_role role;
	bool joining;
	struct id cluster, store;
	bool has_view, quorate;
	bool open;			/* the term is open: its OPEN is committed */
	bool caught_up;			/* and this node has applied all that is committed in it, as far as it knows */
	uint64_t term;			/* of the view, or the last promised one */
	uint64_t committed, last, applied;
	uint64_t snapshot;		/* the log begins after this index */
	uint32_t leader;		/* 0: none */
	uint32_t silent[LEDGER_VOTERS_MAX];	/* nodes */
	size_t n_silent;
	int64_t age_us;			/* since a majority of voters last ticked in this term; -1: never */
	uint64_t bad_messages;
	size_t waiting;			/* proposals not yet committed */
	const char *why_not_open;	/* one phrase for people; "" when open */
};
void ledger_status(const struct ledger *l, struct mono now, struct ledger_status *ret);
/* The texts of the alarms whose cause is still there, @i from 0 on; NULL: no more. Valid until the next call into the ledger. */
const char *ledger_alarm_standing(const struct ledger *l, size_t i);
const struct ledger_voters *ledger_voters(const struct ledger *l);	/* in force */
bool ledger_is_leader(const struct ledger *l);

#endif
