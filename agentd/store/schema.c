/* SPDX-License-Identifier: Apache-2.0
 * The tables of ledger.db, by numbered migrations, and the refusal of what is not ours. */
#include "schema.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_SQL \
	"CREATE TABLE store (" \
	"one INTEGER PRIMARY KEY CHECK (one = 1), " \
	"id BLOB NOT NULL, " \
	"cluster BLOB NOT NULL, " \
	"promised INTEGER NOT NULL, " \
	"committed INTEGER NOT NULL, " \
	"sum INTEGER NOT NULL" \
	") STRICT"
/* The index is the row id: appending touches the last page only. */
#define ENTRY_SQL \
	"CREATE TABLE entry (" \
	"idx INTEGER PRIMARY KEY CHECK (idx > 0), " \
	"term INTEGER NOT NULL, " \
	"kind INTEGER NOT NULL, " \
	"node INTEGER NOT NULL, " \
	"incarnation BLOB NOT NULL, " \
	"nonce INTEGER NOT NULL, " \
	"stamp_us INTEGER NOT NULL, " \
	"data BLOB NOT NULL, " \
	"sum INTEGER NOT NULL" \
	") STRICT"

/* In parts, so that no value need be longer than an entry's (the limit that opening sets). */
#define SNAPSHOT_SQL \
	"CREATE TABLE snapshot (" \
	"part INTEGER PRIMARY KEY CHECK (part >= 0), " \
	"parts INTEGER NOT NULL, " \
	"idx INTEGER NOT NULL, " \
	"term INTEGER NOT NULL, " \
	"voted INTEGER NOT NULL, " \
	"data BLOB NOT NULL, " \
	"sum INTEGER NOT NULL" \
	") STRICT"

/* Row i brings version i to i + 1. A row that was released is never changed; a new one is added. */
static const char *const migrations[] = {
	STORE_SQL "; " ENTRY_SQL ";",
	SNAPSHOT_SQL ";",
};

/* What the last migration leaves, in the order of the names. */
static const struct {
	const char *name, *sql;
} tables[] = {
	{ "entry", ENTRY_SQL },
	{ "snapshot", SNAPSHOT_SQL },
	{ "store", STORE_SQL },
};

/* Offsets in the first 100 bytes of every SQLite file; numbers are big-endian. */
#define HEADER_SIZE           100
#define HEADER_MAGIC          "SQLite format 3"
#define HEADER_USER_VERSION   60
#define HEADER_APPLICATION_ID 68

int schema_version(void)
{
	return (int)ARRAY_SIZE(migrations);
}

static int version_of(sqlite3 *db, int *ret_version)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		*ret_version = sqlite3_column_int(st, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc;
}

int schema_migrate(sqlite3 *db)
{
	char numbers[96];
	int version = 0, rc;

	rc = version_of(db, &version);
	if (rc != SQLITE_OK || version == schema_version())
		return rc;
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (int i = version; rc == SQLITE_OK && i < schema_version(); i++)
		rc = sqlite3_exec(db, migrations[i], NULL, NULL, NULL);
	snprintf(numbers, sizeof(numbers),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		 SCHEMA_APPLICATION_ID, schema_version());
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, numbers, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static int damaged(const char *path, const char *how, struct err *ret_err)
{
	return err_set(ret_err, -EUCLEAN,
		       "%s is damaged (%s): it was left untouched; move all ledger.db* files away "
		       "and let this node join again",
		       path, how);
}

static int read_header(const char *path, unsigned char *header, struct err *ret_err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return err_set(ret_err, -errno, "%s: cannot be opened: %s", path, strerror(errno));
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, header, HEADER_SIZE) : -1;
	close(fd);
	if (n == HEADER_SIZE && memcmp(header, HEADER_MAGIC, sizeof(HEADER_MAGIC)) == 0)
		return 0;
	return damaged(path, "not an SQLite database", ret_err);
}

static int32_t big_endian(const unsigned char *p)
{
	return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

static int judge(const char *path, int32_t application, int32_t version, struct err *ret_err)
{
	if (application != SCHEMA_APPLICATION_ID)
		return err_set(ret_err, -EMEDIUMTYPE,
			       "%s is another program's database: it was left untouched; move it "
			       "away, or give Domus another state folder",
			       path);
	if (version > schema_version())
		return err_set(ret_err, -EPROTO,
			       "%s was written by a newer Domus (format %d, this one knows %d): it "
			       "was left untouched; install the newer version again",
			       path, version, schema_version());
	if (version < 1)
		return damaged(path, "no format number", ret_err);
	return 0;
}

int schema_inspect(const char *path, struct err *ret_err)
{
	unsigned char header[HEADER_SIZE];
	int r = read_header(path, header, ret_err);

	if (r < 0)
		return r;
	return judge(path, big_endian(header + HEADER_APPLICATION_ID),
		     big_endian(header + HEADER_USER_VERSION), ret_err);
}

/* The log beside the file may hold a newer version than its header: so it is asked again. */
int schema_check(sqlite3 *db, const char *path, struct err *ret_err)
{
	sqlite3_stmt *st = NULL;
	size_t i = 0;
	bool same = true;
	int version = 0, r;

	if (version_of(db, &version) != SQLITE_OK)
		return damaged(path, sqlite3_errmsg(db), ret_err);
	r = judge(path, SCHEMA_APPLICATION_ID, version, ret_err);
	if (r < 0 || version < schema_version())
		return r; /* an older one is checked when it has been migrated */
	if (sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema ORDER BY name", -1, &st,
			       NULL) != SQLITE_OK)
		return damaged(path, sqlite3_errmsg(db), ret_err);
	for (; same && sqlite3_step(st) == SQLITE_ROW; i++) {
		const char *name = (const char *)sqlite3_column_text(st, 0);
		const char *sql = (const char *)sqlite3_column_text(st, 1);

		same = i < ARRAY_SIZE(tables) && name && sql && strcmp(name, tables[i].name) == 0 &&
		       strcmp(sql, tables[i].sql) == 0;
	}
	sqlite3_finalize(st);
	if (!same || i != ARRAY_SIZE(tables))
		return damaged(path, "its tables are not ours", ret_err);
	return 0;
}
