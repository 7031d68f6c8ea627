/* SPDX-License-Identifier: Apache-2.0
 * ledger.db: what the store's thread does with SQLite. All of it blocks. Private to the store. */
#ifndef DOMUS_STORE_LEDGER_DB_H
#define DOMUS_STORE_LEDGER_DB_H

#include "cluster/log_store.h"

struct ledger_db;

/*
 * Opens DIR/ledger.db; if there is none it is made whole with the id @fresh. Refuses as store.h
 * says. Nothing is written to a database before all of it has been checked: that is
 * ledger_db_load's.
 */
int ledger_db_open(const char *dir, const struct id *fresh, struct ledger_db **ret_db,
		   struct err *ret_err);
void ledger_db_close(struct ledger_db *db);

/* Reads and checks everything. Call once, before the first write. */
int ledger_db_load(struct ledger_db *db, struct ledger_image *ret_image, struct err *ret_err);

/* One transaction, durable when it returns 0. */
int ledger_db_write(struct ledger_db *db, const struct ledger_write *w, struct err *ret_err);

/*
 * Moves what the log beside the file holds into the file once there is enough of it. It costs as
 * much as several writes, so with @idle false (others are waiting) there must be much more.
 */
int ledger_db_tidy(struct ledger_db *db, bool idle, struct err *ret_err);

#endif
