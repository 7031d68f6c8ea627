/* SPDX-License-Identifier: Apache-2.0
 * ledger.db: how one comes to be, and the snapshot in it. What else is read and written, and all
 * that is refused, see test_store.c. */
#include "kit/kit.h"

#include "base/mem.h"
#include "store/ledger_db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct id first_id = { { 1 } }, second_id = { { 2 } }, a_cluster = { { 9 } };

static struct ledger_db *open_in(const char *dir, const struct id *fresh, struct ledger_image *ret)
{
	struct ledger_db *db;
	struct err err;

	assert_int_equal(ledger_db_open(dir, fresh, &db, &err), 0);
	assert_int_equal(ledger_db_load(db, ret, &err), 0);
	return db;
}

/* One entry and a promise: the last of it stands in SQLite's log only. */
static void fill(struct ledger_db *db)
{
	struct ledger_entry e = {
		.index = 1, .term = 3, .kind = ENTRY_COMMAND, .data = "x", .len = 1
	};
	const struct ledger_entry *entries = &e;
	struct ledger_write w = {
		.cluster = a_cluster, .promised = 3, .entries = &entries, .n_entries = 1
	};
	struct err err;

	assert_int_equal(ledger_db_write(db, &w, &err), 0);
}

/*
 * ledger.db alone is moved away: what SQLite has left beside it is not played back into the new
 * one, which is a blank store with an id of its own, and stays one.
 */
static void test_nothing_old_comes_back(void **state)
{
	char *dir = kit_mkdir(), *db_path = kit_path(dir, "ledger.db"),
	     *wal = kit_path(dir, "ledger.db-wal");
	char *away = kit_path(dir, "away");
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	(void)state;
	fill(db);
	ledger_db_close(db);
	assert_int_equal(access(wal, F_OK), 0);
	assert_int_equal(rename(db_path, away), 0);
	for (int start = 0; start < 2; start++) {
		ledger_db_close(open_in(dir, &second_id, &image));
		assert_true(id_equal(&image.store, &second_id));
		assert_true(id_is_none(&image.cluster));
		assert_int_equal(image.promised, 0);
		assert_int_equal(image.entries.n, 0);
	}
	mem_freep(&away);
	mem_freep(&wal);
	mem_freep(&db_path);
	kit_rmdir(dir);
}

static void image_free(struct ledger_image *image)
{
	for (size_t i = 0; i < image->entries.n; i++)
		mem_freep(&image->entries.v[i].data);
	vec_free(&image->entries);
	mem_freep(&image->snapshot.data);
}

/* Entries @from to @upto of term 3, and what else stands in @w. */
static int write_entries(struct ledger_db *db, uint64_t from, uint64_t upto, struct ledger_write w)
{
	struct ledger_entry e[16];
	const struct ledger_entry *p[16];
	struct err err;

	for (; from <= upto; from++, w.n_entries++) {
		e[w.n_entries] = (struct ledger_entry){
			.index = from, .term = 3, .kind = ENTRY_COMMAND, .data = "x", .len = 1
		};
		p[w.n_entries] = &e[w.n_entries];
	}
	w.entries = p;
	return ledger_db_write(db, &w, &err);
}

static struct ledger_snapshot snapshot(uint64_t index, size_t len)
{
	struct ledger_snapshot s = { .index = index, .term = 3, .voted = true, .len = len };
	char *data = mem_alloc0(len);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 251 + index);
	s.data = data;
	return s;
}

static void check_image(const struct ledger_image *image, const struct ledger_snapshot *s,
			uint64_t last)
{
	assert_int_equal(image->snapshot.index, s->index);
	assert_int_equal(image->snapshot.term, s->term);
	assert_int_equal(image->snapshot.voted, s->voted);
	assert_int_equal(image->snapshot.len, s->len);
	assert_memory_equal(image->snapshot.data, s->data, s->len);
	assert_int_equal(image->entries.n, last - s->index);
	for (size_t i = 0; i < image->entries.n; i++)
		assert_int_equal(image->entries.v[i].index, s->index + 1 + i);
}

/*
 * A snapshot takes the place of the entries that it stands for, in the write that brings the next
 * ones; of whatever length it is, it comes back byte for byte, and the one before is gone.
 */
static void test_snapshot_comes_back(void **state)
{
	static const size_t lengths[] = { 0, 1, ENTRY_DATA_MAX - 1, ENTRY_DATA_MAX, 300000 };
	char *dir = kit_mkdir();
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	(void)state;
	write_entries(db, 1, 10, (struct ledger_write){ .cluster = a_cluster, .promised = 3 });
	for (uint64_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct ledger_snapshot s = snapshot(8 + i, lengths[i]);
		struct ledger_write w = { .committed = 8 + i, .snapshot = s };

		assert_int_equal(write_entries(db, 11 + i, 11 + i, w), 0);
		ledger_db_close(db);
		db = open_in(dir, &first_id, &image);
		check_image(&image, &s, 11 + i);
		image_free(&image);
		mem_freep(&s.data);
	}
	ledger_db_close(db);
	kit_rmdir(dir);
}

/* One from elsewhere: all entries go first, whatever their indexes are. */
static void test_installed(void **state)
{
	char *dir = kit_mkdir();
	struct ledger_snapshot s = snapshot(50, 70000);
	struct ledger_write w = { .truncate_from = 1, .committed = 50, .snapshot = s };
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	(void)state;
	write_entries(db, 1, 10, (struct ledger_write){ .cluster = a_cluster, .promised = 3 });
	assert_int_equal(write_entries(db, 51, 52, w), 0);
	ledger_db_close(db);
	db = open_in(dir, &first_id, &image);
	check_image(&image, &s, 52);
	image_free(&image);
	mem_freep(&s.data);
	ledger_db_close(db);
	kit_rmdir(dir);
}

/* Half of it is none of it: a write that fails at its last entry leaves the log whole. */
static void test_failed_write(void **state)
{
	char *dir = kit_mkdir();
	struct ledger_snapshot none = { 0 }, s = snapshot(8, 70000);
	struct ledger_write w = { .committed = 8, .snapshot = s };
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	(void)state;
	write_entries(db, 1, 10, (struct ledger_write){ .cluster = a_cluster, .promised = 3 });
	assert_int_not_equal(write_entries(db, 10, 10, w), 0); /* is there already */
	ledger_db_close(db);
	db = open_in(dir, &first_id, &image);
	assert_null(image.snapshot.data);
	none.data = "";
	image.snapshot.data = mem_strdup("");
	check_image(&image, &none, 10);
	image_free(&image);
	mem_freep(&s.data);
	ledger_db_close(db);
	kit_rmdir(dir);
}

/* ---- what is wrong with a file ---- */

static void tamper(const char *dir, const char *sql)
{
	char *path = kit_path((char *)dir, "ledger.db"), *said = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
		fail_msg("%s: %s", sql, said);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	mem_freep(&path);
}

/* A store with a snapshot of three parts up to 8, and the entries 9 and 10. */
static char *store_with_snapshot(void)
{
	char *dir = kit_mkdir();
	struct ledger_snapshot s = snapshot(8, 2 * ENTRY_DATA_MAX + 10);
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	write_entries(db, 1, 10, (struct ledger_write){ .cluster = a_cluster, .promised = 3 });
	write_entries(db, 1, 0, (struct ledger_write){ .committed = 9, .snapshot = s });
	ledger_db_close(db);
	mem_freep(&s.data);
	return dir;
}

static void check_refused(const char *dir, const char *sql, const char *why)
{
	struct ledger_image image;
	struct ledger_db *db;
	struct err err;

	assert_int_equal(ledger_db_open(dir, &first_id, &db, &err), 0);
	assert_int_equal(ledger_db_load(db, &image, &err), -EUCLEAN);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", sql, err.text);
	ledger_db_close(db);
}

static void test_lies(void **state)
{
	static const struct {
		const char *sql, *why;
	} lies[] = {
		{ "DELETE FROM snapshot WHERE part = 0", "a part of its snapshot is missing" },
		{ "DELETE FROM snapshot WHERE part = 1", "a part of its snapshot is missing" },
		{ "DELETE FROM snapshot WHERE part = 2", "a part of its snapshot is missing" },
		{ "DELETE FROM snapshot", "entry 1: an index is missing" },
		{ "DELETE FROM snapshot; DELETE FROM entry", "committed entries are missing" },
		{ "UPDATE snapshot SET idx = 9 WHERE part = 1", "its snapshot is malformed" },
		{ "UPDATE snapshot SET idx = -1", "its snapshot is malformed" },
		{ "UPDATE snapshot SET term = 0", "its snapshot is malformed" },
		{ "UPDATE snapshot SET idx = 7", "its snapshot has changed" },
		{ "UPDATE snapshot SET voted = 0", "its snapshot has changed" },
		{ "UPDATE snapshot SET parts = 2", "its snapshot has changed" },
		{ "UPDATE snapshot SET data = x'41' WHERE part = 2", "its snapshot has changed" },
		{ "UPDATE snapshot SET data = zeroblob(28673)", "its snapshot is too long" },
		{ "DELETE FROM entry WHERE idx = 9", "entry 9: an index is missing" },
		{ "UPDATE entry SET term = 2 WHERE idx = 9", "entry 9: its term is lower" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		char *dir = store_with_snapshot();

		tamper(dir, lies[i].sql);
		check_refused(dir, lies[i].sql, lies[i].why);
		kit_rmdir(dir);
	}
}

/* Only what is committed is cut away: a store that says otherwise is not ours. */
static void test_snapshot_above_committed(void **state)
{
	char *dir = kit_mkdir();
	struct ledger_snapshot s = snapshot(8, 10);
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	(void)state;
	write_entries(db, 1, 10, (struct ledger_write){ .cluster = a_cluster, .promised = 3 });
	write_entries(db, 1, 0, (struct ledger_write){ .committed = 7, .snapshot = s });
	ledger_db_close(db);
	check_refused(dir, "committed = 7", "holds what is not committed");
	mem_freep(&s.data);
	kit_rmdir(dir);
}

/* A store of the version before this one, which knew no snapshots, is brought along as it is. */
static void test_version_before(void **state)
{
	struct ledger_snapshot none = { .data = "" }, s = snapshot(3, 10);
	char *dir = kit_mkdir();
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	(void)state;
	write_entries(db, 1, 5, (struct ledger_write){ .cluster = a_cluster, .committed = 4 });
	ledger_db_close(db);
	tamper(dir, "DROP TABLE snapshot; PRAGMA user_version = 1");
	db = open_in(dir, &second_id, &image);
	assert_true(id_equal(&image.store, &first_id));
	assert_int_equal(image.committed, 4);
	image.snapshot.data = mem_strdup("");
	check_image(&image, &none, 5);
	image_free(&image);
	assert_int_equal(write_entries(db, 6, 6, (struct ledger_write){ .snapshot = s }), 0);
	ledger_db_close(db);
	db = open_in(dir, &second_id, &image);
	check_image(&image, &s, 6);
	image_free(&image);
	mem_freep(&s.data);
	ledger_db_close(db);
	kit_rmdir(dir);
}

/* What is wrong in it is found before it is changed. */
static void test_damaged_before(void **state)
{
	char *dir = kit_mkdir();
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);

	(void)state;
	write_entries(db, 1, 5, (struct ledger_write){ .cluster = a_cluster, .committed = 4 });
	ledger_db_close(db);
	tamper(dir, "DROP TABLE snapshot; DELETE FROM entry WHERE idx = 2; PRAGMA user_version = 1");
	check_refused(dir, "version 1", "entry 2: an index is missing");
	tamper(dir, "CREATE TABLE snapshot (is_still_free)");
	kit_rmdir(dir);
}

/*
 * What a load has shown stands in the file itself once something is written: after a failed fsync
 * the log that it was read from may be in the page cache only, and go with the power, and what is
 * behind it there too.
 */
static void test_a_write_settles_what_was_read(void **state)
{
	char *dir = kit_mkdir(), *wal = kit_path(dir, "ledger.db-wal");
	struct ledger_write w = { .promised = 4 };
	struct ledger_image image;
	struct ledger_db *db = open_in(dir, &first_id, &image);
	struct err err;

	(void)state;
	fill(db);
	ledger_db_close(db);
	db = open_in(dir, &second_id, &image);
	assert_int_equal(image.entries.n, 1);
	image_free(&image);
	assert_int_equal(ledger_db_write(db, &w, &err), 0);
	ledger_db_close(db);
	assert_int_equal(truncate(wal, 0), 0);
	ledger_db_close(open_in(dir, &second_id, &image));
	assert_int_equal(image.entries.n, 1);
	assert_int_equal(image.promised, 3);
	image_free(&image);
	mem_freep(&wal);
	kit_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_old_comes_back),
		cmocka_unit_test(test_a_write_settles_what_was_read),
		cmocka_unit_test(test_snapshot_comes_back),
		cmocka_unit_test(test_installed),
		cmocka_unit_test(test_failed_write),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_snapshot_above_committed),
		cmocka_unit_test(test_version_before),
		cmocka_unit_test(test_damaged_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
