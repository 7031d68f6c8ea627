/* SPDX-License-Identifier: Apache-2.0
 * The store on disk: what was written comes back, what is wrong is refused untouched, what failed
 * stays failed. */
#include "kit/kit.h"

#include "base/loop.h"
#include "base/mem.h"
#include "store/store.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_S 30

/*
 * SQLite's syncs go through these: counted, and failing when told so. The store's thread calls them
 * while the test waits for its answer.
 */
static _Atomic int syncs;
static _Atomic bool syncs_fail;

int fdatasync(int fd)
{
	syncs++;
	if (syncs_fail) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	return fdatasync(fd);
}

struct fixture {
	struct loop *loop;
	struct env env;
	char *top, *dir, *db;
	struct store store;
};

/* What a load or a number of writes were told. */
struct result {
	size_t calls, wanted;
	struct err err, first;
	struct ledger_image image;
};

static void on_loaded(void *ctx, struct ledger_image *image, const struct err *err)
{
	struct result *r = ctx;

	r->calls++;
	assert_int_equal(image == NULL, err && err->code != 0);
	if (image)
		r->image = *image;
	else
		r->err = *err;
}

static void on_written(void *ctx, const struct err *err)
{
	struct result *r = ctx;

	if (r->first.code == 0)
		r->first = *err;
	r->err = *err;
	r->calls++;
}

static bool all_told(void *ctx)
{
	const struct result *r = ctx;

	return r->calls == r->wanted;
}

static void image_free(struct ledger_image *image)
{
	for (size_t i = 0; i < image->entries.n; i++)
		mem_freep(&image->entries.v[i].data);
	vec_free(&image->entries);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	syncs_fail = false;
	f->loop = loop_new();
	f->env = loop_env(f->loop);
	f->top = kit_mkdir();
	f->dir = kit_path(f->top, "state");
	f->db = kit_path(f->dir, "ledger.db");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	loop_free(f->loop);
	kit_rmdir(f->top);
	mem_freep(&f->dir);
	mem_freep(&f->db);
	mem_freep(&f);
	return 0;
}

/* Opens and loads; gives the load's code. The image is in @r. */
static int load(struct fixture *f, struct result *r)
{
	struct err err;

	*r = (struct result){ .wanted = 1 };
	assert_int_equal(store_open(f->dir, &f->env, f->loop, &f->store, &err), 0);
	f->store.ops->load(f->store.store, on_loaded, r);
	kit_loop_until(f->loop, all_told, r, LIMIT_S, "the load");
	return r->err.code;
}

static void write_one(struct fixture *f, const struct ledger_write *w, struct result *r)
{
	f->store.ops->write(f->store.store, w, on_written, r);
	r->wanted++;
}

static int written(struct fixture *f, struct result *r)
{
	kit_loop_until(f->loop, all_told, r, LIMIT_S, "the writes");
	return r->err.code;
}

static struct ledger_entry entry(uint64_t index, uint64_t term, const char *text)
{
	return (struct ledger_entry){
		.index = index,
		.term = term,
		.kind = ENTRY_COMMAND,
		.id = { .node = 2, .incarnation = { { 1, 2, 3 } }, .nonce = UINT64_MAX - index },
		.stamp_us = -5,
		.data = (void *)(uintptr_t)text,
		.len = strlen(text),
	};
}

static const struct id a_cluster = { { 9, 8, 7 } };

/* A store with @n entries "entry 1" ... in term 3, all but the last committed, closed again. */
static void make_store(struct fixture *f, size_t n)
{
	struct ledger_entry *entries = mem_resize(NULL, n, sizeof(*entries));
	const struct ledger_entry **pointers = mem_resize(NULL, n, sizeof(*pointers));
	struct ledger_write w = { .cluster = a_cluster,
				  .promised = 3,
				  .entries = pointers,
				  .n_entries = n,
				  .committed = n - 1 };
	struct result r;

	assert_int_equal(load(f, &r), 0);
	image_free(&r.image);
	for (size_t i = 0; i < n; i++) {
		entries[i] = entry(i + 1, 3, "some words");
		pointers[i] = &entries[i];
	}
	r = (struct result){ 0 };
	write_one(f, &w, &r);
	assert_int_equal(written(f, &r), 0);
	store_close(&f->store);
	mem_freep(&entries);
	mem_freep((void *)&pointers);
}

/* A blank store gets a random id once, and keeps it; nothing but its files is in the folder. */
static void birth(void **state)
{
	struct fixture *f = *state;
	struct result r;
	struct id first;
	struct stat st;

	assert_int_equal(load(f, &r), 0);
	assert_false(id_is_none(&r.image.store));
	assert_true(id_is_none(&r.image.cluster));
	assert_int_equal(r.image.promised, 0);
	assert_int_equal(r.image.committed, 0);
	assert_int_equal(r.image.entries.n, 0);
	first = r.image.store;
	assert_int_equal(stat(f->db, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600); /* commands can hold secrets */
	store_close(&f->store);
	assert_int_equal(load(f, &r), 0);
	assert_true(id_equal(&r.image.store, &first));
}

/* If we died while the database was being made, the next start makes it anew. */
static void half_born(void **state)
{
	struct fixture *f = *state;
	char *half = kit_path(f->dir, "ledger.db.new"),
	     *journal = kit_path(f->dir, "ledger.db.new-journal");
	struct result r;

	assert_int_equal(mkdir(f->dir, 0700), 0);
	kit_write(half, "half");
	kit_write(journal, "half");
	assert_int_equal(load(f, &r), 0);
	assert_int_equal(access(half, F_OK), -1);
	assert_int_equal(access(journal, F_OK), -1);
	mem_freep(&half);
	mem_freep(&journal);
}

/* Every field of what is written comes back, at its limits too. */
static void what_is_written_comes_back(void **state)
{
	struct fixture *f = *state;
	char *longest = mem_alloc0(ENTRY_DATA_MAX);
	struct ledger_entry a = entry(1, 3, "first"), b = entry(2, 3, ""), c = entry(3, 4, "");
	const struct ledger_entry *all[] = { &a, &b, &c };
	struct ledger_write w = {
		.cluster = a_cluster, .promised = 4, .entries = all, .n_entries = 3, .committed = 2
	};
	struct result r;

	a.kind = ENTRY_OPEN;
	b.stamp_us = INT64_MIN;
	b.id.node = UINT32_MAX;
	c.data = longest;
	c.len = ENTRY_DATA_MAX;
	longest[5] = 'x';
	assert_int_equal(load(f, &r), 0);
	r = (struct result){ 0 };
	write_one(f, &w, &r);
	longest[5] = 'y'; /* it was copied */
	assert_int_equal(written(f, &r), 0);
	store_close(&f->store);

	assert_int_equal(load(f, &r), 0);
	assert_true(id_equal(&r.image.cluster, &a_cluster));
	assert_int_equal(r.image.promised, 4);
	assert_int_equal(r.image.committed, 2);
	assert_int_equal(r.image.entries.n, 3);
	assert_int_equal(r.image.entries.v[0].kind, ENTRY_OPEN);
	assert_int_equal(r.image.entries.v[0].id.nonce, UINT64_MAX - 1);
	assert_memory_equal(r.image.entries.v[0].data, "first", 5);
	assert_memory_equal(&r.image.entries.v[0].id.incarnation, &a.id.incarnation,
			    sizeof(struct id));
	assert_int_equal(r.image.entries.v[1].len, 0);
	assert_true(r.image.entries.v[1].stamp_us == INT64_MIN);
	assert_int_equal(r.image.entries.v[1].id.node, UINT32_MAX);
	assert_int_equal(r.image.entries.v[2].term, 4);
	assert_int_equal(r.image.entries.v[2].len, ENTRY_DATA_MAX);
	assert_int_equal(((char *)r.image.entries.v[2].data)[5], 'x');
	image_free(&r.image);
	mem_freep(&longest);
}

/* Writes are done in their order, also when many are waiting; a truncation goes before the entries
 * of its own write. */
static void in_order_with_truncation(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry old[3] = { entry(1, 3, "a"), entry(2, 3, "b"), entry(3, 3, "c") },
			    new = entry(2, 5, "B");
	const struct ledger_entry *pointers[3] = { &old[0], &old[1], &old[2] }, *replaced = &new;
	struct ledger_write w = { .cluster = a_cluster, .promised = 3 };
	struct result r;

	assert_int_equal(load(f, &r), 0);
	r = (struct result){ 0 };
	write_one(f, &w, &r);
	for (int i = 0; i < 3; i++) {
		w = (struct ledger_write){ .entries = &pointers[i], .n_entries = 1 };
		write_one(f, &w, &r);
	}
	w = (struct ledger_write){ .promised = 5,
				   .truncate_from = 2,
				   .entries = &replaced,
				   .n_entries = 1,
				   .committed = 1 };
	write_one(f, &w, &r);
	assert_int_equal(written(f, &r), 0);
	store_close(&f->store);
	assert_int_equal(load(f, &r), 0);
	assert_int_equal(r.image.entries.n, 2);
	assert_int_equal(r.image.entries.v[1].term, 5);
	assert_memory_equal(r.image.entries.v[1].data, "B", 1);
	assert_int_equal(r.image.promised, 5);
	image_free(&r.image);
}

/* What is given before the close is on disk after it, though nobody is told any more. */
static void close_finishes_what_was_given(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e;
	const struct ledger_entry *p = &e;
	struct ledger_write w = { .cluster = a_cluster, .entries = &p, .n_entries = 1 };
	struct result r;

	assert_int_equal(load(f, &r), 0);
	r = (struct result){ 0 };
	for (uint64_t i = 1; i <= 20; i++) {
		e = entry(i, 3, "x");
		write_one(f, &w, &r);
	}
	store_close(&f->store);
	assert_int_equal(r.calls, 0);
	assert_int_equal(load(f, &r), 0);
	assert_int_equal(r.image.entries.n, 20);
	image_free(&r.image);
}

/* A long log: enough that the write-ahead log is emptied into the file several times. */
static void long_log(void **state)
{
	struct fixture *f = *state;
	char *text = mem_alloc0(ENTRY_DATA_MAX);
	struct ledger_entry e[100];
	const struct ledger_entry *p[100];
	struct ledger_write w = { .cluster = a_cluster, .entries = p, .n_entries = 100 };
	struct result r;

	memset(text, 'x', ENTRY_DATA_MAX - 1);
	assert_int_equal(load(f, &r), 0);
	r = (struct result){ 0 };
	for (uint64_t i = 0; i < 20; i++) {
		for (uint64_t k = 0; k < 100; k++) {
			e[k] = entry(i * 100 + k + 1, 3, text);
			p[k] = &e[k];
		}
		write_one(f, &w, &r);
	}
	assert_int_equal(written(f, &r), 0);
	store_close(&f->store);
	assert_int_equal(load(f, &r), 0);
	assert_int_equal(r.image.entries.n, 2000);
	image_free(&r.image);
	mem_freep(&text);
}

/* A second agent on the same node is told which process has the store. The lock goes with its
 * holder. */
static void second_agent(void **state)
{
	struct fixture *f = *state;
	struct store second = { 0 };
	struct result r;
	struct err err;
	char pid[32];

	assert_int_equal(load(f, &r), 0);
	assert_int_equal(store_open(f->dir, &f->env, f->loop, &second, &err), -EBUSY);
	snprintf(pid, sizeof(pid), "pid %d;", (int)getpid());
	assert_non_null(strstr(err.text, pid));
	assert_null(second.ops);
	store_close(&second);
	store_close(&f->store);
	assert_int_equal(load(f, &r), 0);
}

static void no_folder(void **state)
{
	struct fixture *f = *state;
	struct err err;

	kit_write(f->dir, "a file");
	assert_int_equal(store_open(f->dir, &f->env, f->loop, &f->store, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, f->dir));
	assert_int_equal(store_open("/nonexistent/state", &f->env, f->loop, &f->store, &err),
			 -ENOENT);
}

/* The database file as bytes, to see that nobody touched it. */
struct bytes {
	char *data;
	size_t len;
};

static struct bytes slurp(const char *path)
{
	struct bytes b = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	b.len = (size_t)st.st_size;
	b.data = mem_alloc0(b.len);
	assert_int_equal(read(fd, b.data, b.len), b.len);
	close(fd);
	return b;
}

/* The load is refused with @code and a line that names the file and says what to do; the file is as
 * it was. */
static struct result refused_untouched(struct fixture *f, int code)
{
	struct bytes before = slurp(f->db), after;
	struct result r;

	assert_int_equal(load(f, &r), code);
	assert_non_null(strstr(r.err.text, f->db));
	assert_non_null(strstr(r.err.text, "left untouched"));
	assert_null(strchr(r.err.text, '\n'));
	store_close(&f->store);
	after = slurp(f->db);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	mem_freep(&before.data);
	mem_freep(&after.data);
	return r;
}

/* Changes the database behind the store's back. */
static void tamper(struct fixture *f, const char *sql)
{
	sqlite3 *db;
	char *said = NULL;

	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	if (sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON",
			 NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
		fail_msg("%s: %s", sql, said);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Each of these is a lie that SQLite itself does not notice. */
static void lies_in_the_records(void **state)
{
	static const struct {
		const char *sql, *text;
	} lies[] = {
		{ "DELETE FROM entry WHERE idx = 2", "entry 2: an index is missing" },
		{ "DELETE FROM entry WHERE idx = 1", "entry 1: an index is missing" },
		{ "UPDATE entry SET term = 2 WHERE idx = 3", "entry 3: its term is lower" },
		{ "UPDATE entry SET term = 0 WHERE idx = 1", "entry 1: its term" },
		{ "UPDATE entry SET term = -1", "entry 1: its term" },
		{ "UPDATE entry SET kind = 3 WHERE idx = 2", "entry 2: its kind or node" },
		{ "UPDATE entry SET kind = -1 WHERE idx = 2", "entry 2: its kind or node" },
		{ "UPDATE entry SET node = 4294967296 WHERE idx = 2", "entry 2: its kind or node" },
		{ "UPDATE entry SET incarnation = x'0102' WHERE idx = 2", "entry 2: its proposer" },
		{ "UPDATE entry SET data = zeroblob(28673) WHERE idx = 2",
		  "entry 2: it is too long" },
		{ "UPDATE entry SET data = zeroblob(100000) WHERE idx = 2", "too big" },
		{ "UPDATE entry SET data = zeroblob(10000000) WHERE idx = 2", "too big" },
		{ "UPDATE entry SET data = x'41' WHERE idx = 2", "entry 2: it has changed" },
		{ "UPDATE entry SET nonce = nonce + 1 WHERE idx = 2", "entry 2: it has changed" },
		{ "UPDATE entry SET stamp_us = 7 WHERE idx = 3", "entry 3: it has changed" },
		{ "DELETE FROM store", "first record is missing" },
		{ "UPDATE store SET id = zeroblob(16)", "first record is malformed" },
		{ "UPDATE store SET id = x'00'", "first record is malformed" },
		{ "UPDATE store SET cluster = x''", "first record is malformed" },
		{ "UPDATE store SET promised = -1", "first record is malformed" },
		{ "UPDATE store SET promised = 2", "first record has changed" },
		{ "UPDATE store SET id = randomblob(16)", "first record has changed" },
		{ "DELETE FROM entry WHERE idx = 3; DELETE FROM entry WHERE idx = 2",
		  "committed entries" },
		{ "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END", "tables" },
		{ "CREATE TABLE more (x)", "tables" },
		{ "CREATE INDEX i ON entry (term)", "tables" },
		{ "DROP TABLE entry", "tables" },
		{ "UPDATE sqlite_schema SET sql = replace(sql, 'nonce', 'nonse')", "tables" },
		{ "PRAGMA user_version = 0", "no format number" },
	};
	struct result r;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		assert_int_equal(setup(state), 0);
		make_store(*state, 3);
		tamper(*state, lies[i].sql);
		r = refused_untouched(*state, -EUCLEAN);
		if (!strstr(r.err.text, lies[i].text))
			fail_msg("%s: %s", lies[i].sql, r.err.text);
		assert_int_equal(teardown(state), 0);
	}
	assert_int_equal(setup(state), 0);
}

static void foreign_database(void **state)
{
	struct fixture *f = *state;

	make_store(f, 3);
	tamper(f, "PRAGMA application_id = 12345");
	refused_untouched(f, -EMEDIUMTYPE);
}

static void database_from_the_future(void **state)
{
	struct fixture *f = *state;

	make_store(f, 3);
	tamper(f, "PRAGMA user_version = 1000");
	refused_untouched(f, -EPROTO);
}

/* A newer version may still stand in the write-ahead log only, where the file's header does not
 * show it. */
static void future_in_the_log(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	make_store(f, 3);
	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	refused_untouched(f, -EPROTO);
}

static void no_database_at_all(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->dir, 0700), 0);
	kit_write(f->db, "");
	refused_untouched(f, -EUCLEAN);
	kit_write(f->db, "SQLite format 2, or so: some text that is longer than the header of a "
			 "database, which has "
			 "one hundred bytes in all");
	refused_untouched(f, -EUCLEAN);
}

/* Damage that no record shows: only the check of the whole file finds it. */
static void damage_beside_the_records(void **state)
{
	struct fixture *f = *state;
	int fd;

	make_store(f, 3);
	tamper(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	fd = open(f->db, O_WRONLY);
	assert_int_equal(pwrite(fd, "\0\0\0\5", 4, 36),
			 4); /* the number of free pages: there are none */
	close(fd);
	refused_untouched(f, -EUCLEAN);
}

/* Bytes overturned anywhere after the header: refused, or harmless; never a crash, a hang or a
 * wrong entry. */
static void torn_pages(void **state)
{
	struct fixture *f = *state;
	struct bytes good;
	unsigned refused = 0;
	struct result r;

	make_store(f, 40);
	tamper(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	good = slurp(f->db);
	for (size_t at = 100; at < good.len; at += 61) {
		int fd = open(f->db, O_RDWR);

		for (size_t i = 0; i < 16 && at + i < good.len; i++)
			assert_int_equal(pwrite(fd, &(char){ (char)(good.data[at + i] ^ 0x55) }, 1,
						(off_t)(at + i)),
					 1);
		close(fd);
		if (load(f, &r) < 0)
			refused++;
		for (size_t i = 0; i < r.image.entries.n; i++)
			assert_memory_equal(r.image.entries.v[i].data, "some words", 10);
		assert_true(r.image.entries.n == 0 || r.image.entries.n == 40);
		image_free(&r.image);
		store_close(&f->store);
		fd = open(f->db, O_RDWR | O_TRUNC);
		assert_int_equal(write(fd, good.data, good.len), good.len);
		close(fd);
	}
	assert_true(refused > 10);
	mem_freep(&good.data);
}

/* Nothing is told as written before a sync has returned (rule L2). */
static void every_write_is_synced(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e;
	const struct ledger_entry *p = &e;
	struct ledger_write w = { .cluster = a_cluster, .entries = &p, .n_entries = 1 };
	struct result r;

	assert_int_equal(load(f, &r), 0);
	for (uint64_t i = 1; i <= 10; i++) {
		int before = syncs;

		e = entry(i, 3, "x");
		r = (struct result){ 0 };
		write_one(f, &w, &r);
		assert_int_equal(written(f, &r), 0);
		assert_true(syncs > before);
	}
}

/* A sync that failed is never repaired by one that succeeds later: it may only mean that the pages
 * were dropped. */
static void failed_sync(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e = entry(1, 3, "x");
	const struct ledger_entry *p = &e;
	struct ledger_write w = { .cluster = a_cluster, .entries = &p, .n_entries = 1 };
	struct result r;

	assert_int_equal(load(f, &r), 0);
	r = (struct result){ 0 };
	syncs_fail = true;
	write_one(f, &w, &r);
	assert_int_equal(written(f, &r), -EIO);
	assert_non_null(strstr(r.err.text, f->db));
	syncs_fail = false;
	e.index = 2;
	w.promised = 7;
	write_one(f, &w, &r);
	assert_int_equal(written(f, &r), -EIO);
	store_close(&f->store);
	assert_int_equal(load(f, &r), 0);
	assert_int_equal(r.image.promised, 0);
	assert_true(r.image.entries.n <= 1);
	image_free(&r.image);
}

/* A disk that fills up: the error names the file and says what to do; from then on nothing is
 * written any more (rule L2). */
static void full_disk(void **state)
{
	struct fixture *f = *state;
	char *text = mem_alloc0(ENTRY_DATA_MAX), *filler;
	struct ledger_entry e = entry(1, 3, "");
	const struct ledger_entry *p = &e;
	struct ledger_write w = { .cluster = a_cluster, .entries = &p, .n_entries = 1 };
	struct result r;
	uint64_t stored = 0;

	assert_int_equal(mkdir(f->dir, 0700), 0);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", f->dir, "tmpfs", 0, "size=2m") < 0) {
		print_message("skipped: no right to mount a small file system\n");
		mem_freep(&text);
		skip();
	}
	filler = kit_path(f->dir, "filler");
	kit_write(filler, "x");
	assert_int_equal(truncate(filler, 1), 0);
	assert_int_equal(load(f, &r), 0);
	e.data = text;
	e.len = ENTRY_DATA_MAX;
	for (r = (struct result){ 0 }; r.err.code == 0 && e.index < 1000; e.index++) {
		write_one(f, &w, &r);
		stored += written(f, &r) == 0;
	}
	assert_int_equal(r.err.code, -ENOSPC);
	assert_non_null(strstr(r.err.text, f->db));
	assert_non_null(strstr(r.err.text, "make room"));
	e.len = 0;
	write_one(f, &w, &r);
	assert_int_equal(written(f, &r), -ENOSPC);
	store_close(&f->store);
	assert_int_equal(load(f, &r), 0);
	assert_int_equal(r.image.entries.n, stored);
	image_free(&r.image);
	store_close(&f->store);
	assert_int_equal(umount(f->dir), 0);
	mem_freep(&filler);
	mem_freep(&text);
}

/* After a write that failed, all that were waiting behind it fail with the same error. */
static void failed_stays_failed(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e = entry(1, 3, "x"), gap = entry(1, 3, "the same index again");
	const struct ledger_entry *p = &e, *q = &gap;
	struct ledger_write good = { .cluster = a_cluster, .entries = &p, .n_entries = 1 };
	struct ledger_write bad = { .promised = 9, .entries = &q, .n_entries = 1 };
	struct result r, first = { 0 }, last = { 0 };

	assert_int_equal(load(f, &r), 0);
	write_one(f, &good, &first);
	write_one(f, &bad, &last);
	e.index = 2;
	write_one(f, &good, &last);
	assert_int_equal(written(f, &first), 0);
	assert_true(written(f, &last) < 0);
	assert_string_equal(last.err.text, last.first.text);
	store_close(&f->store);
	assert_int_equal(load(f, &r), 0);
	assert_int_equal(r.image.entries.n, 1);
	assert_int_equal(r.image.promised, 0);
	image_free(&r.image);
}

/* Writes, one entry each, telling each durable one by a byte on @fd, until it is killed. */
static void write_until_killed(const char *dir, int fd)
{
	struct loop *loop = loop_new();
	struct env env = loop_env(loop);
	struct fixture f = { .loop = loop, .env = env, .dir = (char *)(uintptr_t)dir };
	struct ledger_entry e;
	const struct ledger_entry *p = &e;
	struct ledger_write w = { .cluster = a_cluster, .entries = &p, .n_entries = 1 };
	struct result r;

	if (load(&f, &r) < 0)
		_exit(1);
	for (uint64_t i = r.image.entries.n + 1;; i++) {
		e = entry(i, 3,
			  "some words that take a little room on the page so that pages change");
		w.committed = i - 1;
		r = (struct result){ 0 };
		write_one(&f, &w, &r);
		if (written(&f, &r) < 0 || write(fd, "+", 1) != 1)
			_exit(1);
	}
}

/* Killed at any moment, nothing that was answered for is missing. (A power cut is the lab's to
 * try.) */
static void killed_while_writing(void **state)
{
	struct fixture *f = *state;
	size_t acknowledged = 0;
	struct result r;

	for (int round = 0; round < 8; round++) {
		char byte;
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0) {
			close(fds[0]);
			write_until_killed(f->dir, fds[1]);
		}
		close(fds[1]);
		for (int i = 0; i < 10 + 7 * round && read(fds[0], &byte, 1) == 1; i++)
			acknowledged++;
		kill(pid, SIGKILL);
		while (read(fds[0], &byte, 1) == 1)
			acknowledged++;
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(fds[0]);
	}
	assert_int_equal(load(f, &r), 0);
	assert_true(acknowledged > 200);
	assert_true(r.image.entries.n >= acknowledged && r.image.entries.n <= acknowledged + 8);
	image_free(&r.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(birth, setup, teardown),
		cmocka_unit_test_setup_teardown(half_born, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_written_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(in_order_with_truncation, setup, teardown),
		cmocka_unit_test_setup_teardown(close_finishes_what_was_given, setup, teardown),
		cmocka_unit_test_setup_teardown(long_log, setup, teardown),
		cmocka_unit_test_setup_teardown(second_agent, setup, teardown),
		cmocka_unit_test_setup_teardown(no_folder, setup, teardown),
		cmocka_unit_test_teardown(lies_in_the_records, teardown),
		cmocka_unit_test_setup_teardown(foreign_database, setup, teardown),
		cmocka_unit_test_setup_teardown(database_from_the_future, setup, teardown),
		cmocka_unit_test_setup_teardown(future_in_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(no_database_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_beside_the_records, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(every_write_is_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(failed_sync, setup, teardown),
		cmocka_unit_test_setup_teardown(failed_stays_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_while_writing, setup, teardown),
		cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
