/* SPDX-License-Identifier: Apache-2.0
 * What the ledger keeps on disk, and the contract of the store that keeps it. */
#ifndef DOMUS_CLUSTER_LOG_STORE_H
#define DOMUS_CLUSTER_LOG_STORE_H

#include "base/err.h"
#include "base/id.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who proposed a command, and which of its proposals it is: the same for every repetition (rule L5). */
struct command_id {
	uint32_t node;
	struct id incarnation;
	uint64_t nonce;			/* 1, 2, 3 ... within one life of an agent; the life starts at a random multiple of 2^32 */
};

enum entry_kind { ENTRY_OPEN, ENTRY_VOTERS, ENTRY_COMMAND, ENTRY_KIND_MAX };

/* One record of the ledger. @index counts from 1 without gaps. */
struct ledger_entry {
	uint64_t index, term;
	enum entry_kind kind;
	struct command_id id;		/* zero for ENTRY_OPEN */
	int64_t stamp_us;		/* the proposer's wall clock */
	void *data;			/* owned by whoever holds the entry */
	size_t len;
};

#define ENTRY_DATA_MAX (28 * 1024)	/* fits into one message with its head */

typedef VEC(struct ledger_entry) ledger_entries;

/*
 * What the log's beginning has become: it stands for the entries up to @index, which were committed and applied, and are kept no more.
 */
struct ledger_snapshot {
	uint64_t index, term;		/* of the last entry in it; 0: there is none */
	bool voted;			/* one of those entries had let this store in */
	void *data;			/* owned by whoever holds the snapshot */
	size_t len;
};

/*
 * Ten thousand guests take some thirty megabytes with their events and reasons; the agent holds it in memory up to three times
 * while it is taken and written.
 */
#define SNAPSHOT_BYTES_MAX (256 * 1024 * 1024)

/* All that a store holds. */
struct ledger_image {
	struct id store;		/* random, made with the store */
	struct id cluster;		/* none: blank */
	uint64_t promised;		/* highest term promised */
	uint64_t committed;		/* highest index known to be committed when it was written */
	struct ledger_snapshot snapshot;
	ledger_entries entries;		/* from the snapshot's index + 1 */
};

/* One transaction, in this order. What is zero (or none) stays as it is. */
struct ledger_write {
	struct id cluster;
	uint64_t promised;
	uint64_t truncate_from;		/* delete this index and all above */
	struct ledger_snapshot snapshot;	/* replaces the one before; the entries up to its index are deleted */
	const struct ledger_entry *const *entries;	/* append */
	size_t n_entries;
	uint64_t committed;
};

typedef void store_loaded_fn(void *ctx, struct ledger_image *image, const struct err *err);	/* entries and snapshot become the callee's; NULL on error */
typedef void store_written_fn(void *ctx, const struct err *err);

/*
 * load: once, before anything else. write: durable when @done says 0 (fsync has returned); copies what it needs before it
 * returns; several may be under way and are done in order. After an error every later write fails
 * too (a failed fsync is never repaired by trying again, rule L2). Neither blocks; @done comes from the loop, exactly once.
 */
struct store_ops {
	void (*load)(void *store, store_loaded_fn *done, void *ctx);
	void (*write)(void *store, const struct ledger_write *w, store_written_fn *done, void *ctx);
};

struct store {
	const struct store_ops *ops;
	void *store;
};

#endif
