/* SPDX-License-Identifier: Apache-2.0
 * ledger.db: how one comes to be. What is read and written, and all that is refused, see
 * test_store.c. */
#include "kit/kit.h"

#include "base/mem.h"
#include "store/ledger_db.h"

#include <stdio.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing_old_comes_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
