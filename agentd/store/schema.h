/* SPDX-License-Identifier: Apache-2.0
 * The tables of ledger.db, by numbered migrations. Private to the store. */
#ifndef DOMUS_STORE_SCHEMA_H
#define DOMUS_STORE_SCHEMA_H

#include "base/err.h"

#include <sqlite3.h>

/* "Domu": whose database it is, in the file's header. */
#define SCHEMA_APPLICATION_ID 0x446f6d75

int schema_version(void); /* the one that this program writes and reads */

/* Brings an open database from whatever older version (0: empty) to ours, in one transaction.
 * SQLite's result code. */
int schema_migrate(sqlite3 *db);

/*
 * Looks at the file @path without SQLite, thus without any chance of writing. Returns 0, -ENOENT if
 * there is none, -EUCLEAN when it is no SQLite database, -EMEDIUMTYPE when another program's,
 * -EPROTO when from a newer Domus, or another errno.
 */
int schema_inspect(const char *path, struct err *ret_err);

/* Has the open database exactly our tables, and nothing that runs by itself? The same errors. */
int schema_check(sqlite3 *db, const char *path, struct err *ret_err);

#endif
