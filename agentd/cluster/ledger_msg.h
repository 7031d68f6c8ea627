/* SPDX-License-Identifier: Apache-2.0
 * The ledger's messages: what agents multicast to each other (rule L12), and their bounded
 * codec. */
#ifndef DOMUS_CLUSTER_LEDGER_MSG_H
#define DOMUS_CLUSTER_LEDGER_MSG_H

#include "base/buf.h"
#include "base/id.h"
#include "base/wire.h"
#include "ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_MSG_VERSION 3

/* Terms, indexes and rounds stay below this, so that adding one never overflows. */
#define LEDGER_NUMBER_MAX (UINT64_C(1) << 62)

enum ledger_msg_type {
	MSG_STATE,		/* what I hold durably: the first word of a member in a round */
	MSG_PROMISE,		/* I take part in no lower term any more */
	MSG_OPEN,		/* the source opens the term */
	MSG_COMMAND,		/* a proposal */
	MSG_ACK,		/* durable up to here */
	MSG_TICK,		/* I am alive */
	MSG_FETCH,		/* send me what I lack */
	MSG_ENTRIES,		/* a part of it */
	MSG_JOIN,		/* let my store in */
	MSG_SNAPSHOT,		/* a part of what stands in place of the entries that were asked for */
	MSG_MAX
};

/*
 * What a peer remembers of a voter's store since that was admitted, in the life of its agent: a
 * store that shows less has lost something (rule L7).
 */
struct ledger_seen {
	uint32_t node;
	struct id store;
	/* index of the record that let it in: what is remembered is about its time since */
	uint64_t admitted;
	uint64_t promised;
	uint64_t ack_term, ack_index;	/* the highest acknowledged, by (term, index) */
	/* has been caught with less: stays so until it is admitted anew */
	bool regressed;
};

struct msg_state {
	struct id incarnation, store, cluster;
	uint64_t promised, last_term, last_index, committed;	/* all durable */
	int64_t stamp_us;		/* the sender's wall clock; 0: not known yet */
	bool barred;			/* holds what contradicts the others: does not vote */
	struct ledger_voters voters;	/* in force at last_index, empty when blank */
	/* index of the record that let this store in, as far as its log knows; 0: none */
	uint64_t admitted;
	struct ledger_seen seen[LEDGER_VOTERS_MAX];
	size_t n_seen;
};

struct msg_open {
	uint64_t base_term, base_index;	/* the source's last entry: the term goes on from there */
	int64_t stamp_us;
	const void *data;		/* struct ledger_open, encoded */
	size_t len;
};

struct msg_command {
	enum entry_kind kind;		/* ENTRY_COMMAND or ENTRY_VOTERS */
	struct command_id id;
	int64_t stamp_us;
	const void *data;
	size_t len;
};

struct msg_entries {
	uint32_t to;
	uint64_t prev_index, prev_term;	/* the entry before the first one */
	bool final;			/* the last part of this answer: ask for more */
	uint32_t n;
	struct wire entries;		/* checked already: read them with ledger_entry_in */
};

struct msg_snapshot {
	uint32_t to;
	uint64_t from;			/* as in the fetch that it answers */
	uint64_t index, term;		/* of the last entry in it */
	uint64_t sum;			/* of all of it (snapshot_sum) */
	uint32_t total, at;		/* its length; where this part stands in it */
	bool final;			/* the last part of this answer: ask for more */
	const void *data;
	size_t len;
};

/* A decoded message. Pointers are into the bytes that it was decoded from. */
struct ledger_msg {
	enum ledger_msg_type type;
	uint64_t view;			/* digest of the view it was sent in */
	uint64_t round, term;
	union {
		struct msg_state state;
		struct msg_open open;
		struct msg_command command;
		struct {
			uint64_t index;
		} ack;
		struct {
			uint64_t applied;
			int64_t stamp_us;
			bool gate;	/* the sender's gate is open: it may lead */
		} tick;
		struct {
			uint32_t to;
			uint64_t from;
			/* of the snapshot at this index (0: none) there are so many bytes already */
			uint64_t snapshot;
			uint32_t at;
		} fetch;
		struct msg_entries entries;
		struct msg_snapshot snapshot;
		struct {
			struct id store, incarnation;
			char name[LEDGER_NAME_MAX];
		} join;
	};
};

/* 0 or -EBADMSG; @ret is undefined then. */
int ledger_msg_in(const void *data, size_t len, struct ledger_msg *ret);
void ledger_msg_out(const struct ledger_msg *m, struct buf *out);

/*
 * One entry after another. in: the entry's data points into the message; 0 or -EBADMSG. An
 * entry of its kind decodes, so a voters' record or an OPEN that came through here is sound.
 */
int ledger_entry_in(struct wire *w, uint64_t index, struct ledger_entry *ret);
void ledger_entry_out(const struct ledger_entry *e, struct buf *out);
size_t ledger_entry_size(const struct ledger_entry *e);

/* What a part of a transfer may hold beside its head. */
#define LEDGER_ENTRIES_ROOM (ORDER_MESSAGE_MAX - 128)

#endif
