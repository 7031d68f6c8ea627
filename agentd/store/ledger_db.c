/* SPDX-License-Identifier: Apache-2.0
 * ledger.db: making, opening and writing it by SQLite. In the store's thread. */
#include "ledger_db.h"

#include "base/mem.h"
#include "ledger_db_priv.h"
#include "schema.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Pages in the write-ahead log at which it is emptied: when nothing waits, and at the latest. */
#define TIDY_IDLE_PAGES 1000
#define TIDY_BUSY_PAGES 4000

static const char *const statements[ST_MAX] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_STATE] = "UPDATE store SET cluster = ?2, promised = ?3, committed = ?4, sum = ?5",
	[ST_TRUNCATE] = "DELETE FROM entry WHERE idx >= ?1",
	[ST_APPEND] = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[ST_FORGET] = "DELETE FROM snapshot",
	[ST_PART] = "INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[ST_COMPACT] = "DELETE FROM entry WHERE idx <= ?1",
};

/*
 * Chosen for: durable at every commit, one writer that never shares, small and even latency.
 * - locking_mode EXCLUSIVE: no shared-memory file beside the database, and one lock for good.
 * - journal_mode WAL, synchronous FULL: a commit is one append and one fsync of the log; the file
 *   itself is touched by ledger_db_tidy only, when nobody waits, hence wal_autocheckpoint 0.
 * - journal_size_limit: the log is overwritten in place (cheaper to sync than growing) but does not
 *   stay huge after a catch-up.
 * - page_size 4096: one entry of 200 bytes dirties one page; smaller pages would save writing but
 *   not the fsync.
 * - trusted_schema, cell_size_check: the file may be hostile. temp_store: no temporary files
 *   anywhere.
 */
static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
			      "PRAGMA trusted_schema = OFF;"
			      "PRAGMA cell_size_check = ON;"
			      "PRAGMA temp_store = MEMORY;"
			      "PRAGMA wal_autocheckpoint = 0;"
			      "PRAGMA journal_size_limit = 16777216;"
			      "PRAGMA synchronous = FULL;";

int ledger_db_refuse(const struct ledger_db *db, int code, const char *how, struct err *ret_err)
{
	return err_set(ret_err, code,
		       "%s is damaged (%s): it was left untouched; move all ledger.db* files away "
		       "and let this node join again",
		       db->path, how);
}

/* What SQLite's failure means to us. */
int ledger_db_failed(const struct ledger_db *db, const char *what, struct err *ret_err)
{
	int rc = sqlite3_errcode(db->db), os = sqlite3_system_errno(db->db);

	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB || rc == SQLITE_TOOBIG)
		return ledger_db_refuse(db, -EUCLEAN, sqlite3_errmsg(db->db), ret_err);
	if (rc == SQLITE_FULL)
		return err_set(
			ret_err, -ENOSPC,
			"%s: %s: no space left on its disk; make room, then restart the agent",
			db->path, what);
	return err_set(ret_err, -EIO, "%s: %s: %s%s%s; after repair restart the agent", db->path,
		       what, sqlite3_errmsg(db->db), os ? ": " : "", os ? strerror(os) : "");
}

static int sync_dir(const struct ledger_db *db, struct err *ret_err)
{
	int fd = open(db->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return err_set(ret_err, -errno, "%s: cannot be opened: %s", db->dir,
			       strerror(errno));
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	if (r < 0)
		err_set(ret_err, r, "%s: fsync: %s", db->dir, strerror(-r));
	return r;
}

int ledger_db_sql(struct ledger_db *db, const char *sql)
{
	return sqlite3_exec(db->db, sql, NULL, NULL, NULL);
}

static int open_sqlite(struct ledger_db *db, const char *path)
{
	int on = 1;
	int rc = sqlite3_open_v2(
		path, &db->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, "unix");

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_extended_result_codes(db->db, 0);
	/* Twice the longest entry: a hostile file cannot make us allocate more for one value. */
	sqlite3_limit(db->db, SQLITE_LIMIT_LENGTH, 2 * ENTRY_DATA_MAX);
	sqlite3_limit(db->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, on, NULL);
	/* Closing a refused database must not write; closing a good one need not. */
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on, NULL);
	return ledger_db_sql(db, pragmas);
}

static void bind_state(sqlite3_stmt *st, const struct state *state)
{
	sqlite3_bind_blob(st, 2, state->cluster.b, sizeof(state->cluster.b), SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)state->promised);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)state->committed);
	sqlite3_bind_int64(st, 5, ledger_sum_state(state));
}

static int fill_new(struct ledger_db *db, const struct id *fresh)
{
	const struct state blank = { .store = *fresh };
	sqlite3_stmt *st = NULL;
	int rc = schema_migrate(db->db);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db->db, "INSERT INTO store VALUES (1, ?1, ?2, ?3, ?4, ?5)",
					-1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_blob(st, 1, blank.store.b, sizeof(blank.store.b), SQLITE_STATIC);
		bind_state(st, &blank);
		rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db->db);
	}
	sqlite3_finalize(st);
	if (rc == SQLITE_OK)
		rc = ledger_db_sql(db, "PRAGMA journal_mode = WAL");
	return rc;
}

static int remove_file(const char *path, struct err *ret_err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(ret_err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* What SQLite keeps beside @path. */
static int remove_beside(const char *path, struct err *ret_err)
{
	static const char *const suffixes[] = { "-journal", "-wal", "-shm" };
	char beside[PATH_SIZE + 48];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes) && r == 0; i++) {
		snprintf(beside, sizeof(beside), "%s%s", path, suffixes[i]);
		r = remove_file(beside, ret_err);
	}
	return r;
}

/*
 * Made under another name and renamed when it is whole: if we die here, the next start finds no
 * ledger.db and begins again. So an empty or half ledger.db is never ours, and a store is never
 * born anew by accident.
 *
 * A log that is left of a ledger.db that was moved away goes first, for good: SQLite would play
 * it back into the new one, which would then be the old store again.
 */
static int make_new(struct ledger_db *db, const struct id *fresh, struct err *ret_err)
{
	char temp[sizeof(db->path) + 8];
	int fd, r;

	snprintf(temp, sizeof(temp), "%s.new", db->path);
	r = remove_file(temp, ret_err);
	if (r == 0)
		r = remove_beside(temp, ret_err);
	if (r == 0)
		r = remove_beside(db->path, ret_err);
	if (r == 0)
		r = sync_dir(db, ret_err);
	if (r < 0)
		return r;
	/* Commands can hold secrets. SQLite gives the files beside it the same mode. */
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(ret_err, -errno, "%s: cannot be made: %s", temp, strerror(errno));
	close(fd);
	if (open_sqlite(db, temp) != SQLITE_OK || fill_new(db, fresh) != SQLITE_OK)
		r = ledger_db_failed(db, "make a new store", ret_err);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	sqlite3_close(db->db);
	db->db = NULL;
	if (r == 0 && rename(temp, db->path) < 0)
		r = err_set(ret_err, -errno, "%s: %s", db->path, strerror(errno));
	return r < 0 ? r : sync_dir(db, ret_err);
}

int ledger_db_open(const char *dir, const struct id *fresh, struct ledger_db **ret_db,
		   struct err *ret_err)
{
	struct ledger_db *db = mem_new(struct ledger_db);
	int r;

	snprintf(db->dir, sizeof(db->dir), "%s", dir);
	snprintf(db->path, sizeof(db->path), "%s/ledger.db", db->dir);
	r = schema_inspect(db->path, ret_err);
	if (r == -ENOENT) {
		r = make_new(db, fresh, ret_err);
		if (r == 0)
			r = schema_inspect(db->path, ret_err);
	}
	if (r == 0 && open_sqlite(db, db->path) != SQLITE_OK)
		r = ledger_db_failed(db, "open", ret_err);
	if (r < 0)
		ledger_db_close(db);
	else
		*ret_db = db;
	return r;
}

void ledger_db_close(struct ledger_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(db->st[i]);
	sqlite3_close(db->db);
	mem_freep(&db);
}

static int count_pages(void *ctx, sqlite3 *handle, const char *name, int pages)
{
	struct ledger_db *db = ctx;

	(void)handle;
	(void)name;
	db->log_pages = pages;
	return SQLITE_OK;
}

int ledger_db_ready(struct ledger_db *db, struct err *ret_err)
{
	for (size_t i = 0; i < ST_MAX; i++)
		if (sqlite3_prepare_v3(db->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &db->st[i], NULL) != SQLITE_OK)
			return ledger_db_failed(db, "prepare", ret_err);
	sqlite3_wal_hook(db->db, count_pages, db);
	return 0;
}

static int step(struct ledger_db *db, enum statement which)
{
	int rc = sqlite3_step(db->st[which]);

	sqlite3_reset(db->st[which]);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* @which deletes from, or up to, @index. */
static int delete(struct ledger_db *db, enum statement which, uint64_t index)
{
	sqlite3_bind_int64(db->st[which], 1, (sqlite3_int64)index);
	return step(db, which);
}

static int set_state(struct ledger_db *db, const struct ledger_write *w)
{
	if (id_is_none(&w->cluster) && !w->promised && !w->committed)
		return SQLITE_OK;
	if (!id_is_none(&w->cluster))
		db->state.cluster = w->cluster;
	if (w->promised)
		db->state.promised = w->promised;
	if (w->committed)
		db->state.committed = w->committed;
	bind_state(db->st[ST_STATE], &db->state);
	return step(db, ST_STATE);
}

static int append(struct ledger_db *db, const struct ledger_entry *e)
{
	sqlite3_stmt *st = db->st[ST_APPEND];
	int rc;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)e->index);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)e->term);
	sqlite3_bind_int64(st, 3, e->kind);
	sqlite3_bind_int64(st, 4, e->id.node);
	sqlite3_bind_blob(st, 5, e->id.incarnation.b, sizeof(e->id.incarnation.b), SQLITE_STATIC);
	sqlite3_bind_int64(st, 6, (sqlite3_int64)e->id.nonce);
	sqlite3_bind_int64(st, 7, e->stamp_us);
	sqlite3_bind_blob(st, 8, e->len ? e->data : "", (int)e->len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 9, ledger_sum_entry(e));
	rc = step(db, ST_APPEND);
	sqlite3_clear_bindings(st);
	return rc;
}

static int put_part(struct ledger_db *db, const struct part *p)
{
	sqlite3_stmt *st = db->st[ST_PART];
	int rc;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)p->number);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)p->count);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)p->of.index);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)p->of.term);
	sqlite3_bind_int64(st, 5, p->of.voted);
	sqlite3_bind_blob(st, 6, p->of.len ? p->of.data : "", (int)p->of.len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 7, ledger_sum_part(p));
	rc = step(db, ST_PART);
	sqlite3_clear_bindings(st);
	return rc;
}

/* Takes the place of the one before, and of the entries that it stands for. */
static int put_snapshot(struct ledger_db *db, const struct ledger_snapshot *s)
{
	struct part p = { .count = s->len / SNAPSHOT_PART_MAX + 1, .of = *s };
	int rc = step(db, ST_FORGET);

	for (; rc == SQLITE_OK && p.number < p.count; p.number++) {
		size_t at = p.number * SNAPSHOT_PART_MAX, left = s->len - at;

		p.of.data = (char *)s->data + at;
		p.of.len = left < SNAPSHOT_PART_MAX ? left : SNAPSHOT_PART_MAX;
		rc = put_part(db, &p);
	}
	return rc == SQLITE_OK ? delete(db, ST_COMPACT, s->index) : rc;
}

/* If it fails, db->state is ahead of the disk: nothing is written after that. */
static int write_all(struct ledger_db *db, const struct ledger_write *w)
{
	int rc = set_state(db, w);

	if (rc == SQLITE_OK && w->truncate_from)
		rc = delete(db, ST_TRUNCATE, w->truncate_from);
	if (rc == SQLITE_OK && w->snapshot.index)
		rc = put_snapshot(db, &w->snapshot);
	for (size_t i = 0; rc == SQLITE_OK && i < w->n_entries; i++)
		rc = append(db, w->entries[i]);
	return rc;
}

/*
 * Before the first write what was read out of SQLite's log is brought into the file. Where an
 * fsync has failed in a life before, pages of the log may stand in the page cache only, and no
 * later fsync says so (rule L2): a power cut would take them, and all that was appended behind
 * them.
 */
static int settle_log(struct ledger_db *db)
{
	int rc = SQLITE_OK;

	if (!db->log_settled)
		rc = sqlite3_wal_checkpoint_v2(db->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	db->log_settled = rc == SQLITE_OK;
	return rc;
}

int ledger_db_write(struct ledger_db *db, const struct ledger_write *w, struct err *ret_err)
{
	int rc = settle_log(db), r;

	if (rc == SQLITE_OK)
		rc = step(db, ST_BEGIN);
	if (rc == SQLITE_OK)
		rc = write_all(db, w);
	if (rc == SQLITE_OK)
		rc = step(db, ST_COMMIT);
	if (rc == SQLITE_OK)
		return 0;
	r = ledger_db_failed(db, "write", ret_err);
	step(db, ST_ROLLBACK);
	return r;
}

int ledger_db_tidy(struct ledger_db *db, bool idle, struct err *ret_err)
{
	int in_log = 0;

	if (db->log_pages < (idle ? TIDY_IDLE_PAGES : TIDY_BUSY_PAGES))
		return 0;
	if (sqlite3_wal_checkpoint_v2(db->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, NULL) !=
	    SQLITE_OK)
		return ledger_db_failed(db, "checkpoint", ret_err);
	db->log_pages = 0;
	return 0;
}
