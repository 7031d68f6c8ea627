/* SPDX-License-Identifier: Apache-2.0
 * What writing, loading and summing up ledger.db share. Private to ledger_db.c and ledger_load.c.
 */
#ifndef DOMUS_STORE_LEDGER_DB_PRIV_H
#define DOMUS_STORE_LEDGER_DB_PRIV_H

#include "ledger_db.h"

#include <sqlite3.h>
#include <stdbool.h>

#define PATH_SIZE 1024

/* Of a snapshot in one row. */
#define SNAPSHOT_PART_MAX ENTRY_DATA_MAX

enum statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_STATE,
	ST_TRUNCATE,
	ST_APPEND,
	ST_FORGET,
	ST_PART,
	ST_COMPACT,
	ST_MAX
};

/* The single row of the table `store`. */
struct state {
	struct id store, cluster;
	uint64_t promised, committed;
};

/* A row of the table `snapshot`. */
struct part {
	uint64_t number, count; /* 0 .. count - 1 */
	struct ledger_snapshot of; /* its data is this part's */
};

struct ledger_db {
	char dir[PATH_SIZE], path[PATH_SIZE + 16];
	sqlite3 *db;
	sqlite3_stmt *st[ST_MAX]; /* prepared when the database has been accepted */
	struct state state;       /* as it is on disk */
	int log_pages;            /* in the write-ahead log after the last commit */
	bool log_settled;         /* nothing of a life before is in it any more */
};

/* What a row's sum must be. */
sqlite3_int64 ledger_sum_state(const struct state *s);
sqlite3_int64 ledger_sum_entry(const struct ledger_entry *e);
sqlite3_int64 ledger_sum_part(const struct part *p);

int ledger_db_sql(struct ledger_db *db, const char *sql); /* SQLite's result code */
/* Both fill @ret_err and return its code: the database is damaged; SQLite failed at @what. */
int ledger_db_refuse(const struct ledger_db *db, int code, const char *how, struct err *ret_err);
int ledger_db_failed(const struct ledger_db *db, const char *what, struct err *ret_err);
/* The database has been accepted: makes it ready to be written to. */
int ledger_db_ready(struct ledger_db *db, struct err *ret_err);

#endif
