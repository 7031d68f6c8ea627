/* SPDX-License-Identifier: Apache-2.0
 * Volumes as files in a folder: real files, real children, and folders that somebody has tampered
 * with. */
#include "kit/kit.h"

#include "base/loop.h"
#include "base/mem.h"
#include "storage/storage.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB     (UINT64_C(1) << 20)
#define LIMIT_S 30

struct fixture {
	struct loop *loop;
	struct env env;
	struct child_runner *runner;
	struct children children;
	struct storage *storage;
	char *dir;
};

/* The only kind of backend here. */
static const struct storage_backend *const backends[] = { &storage_dir, NULL };

struct result {
	bool done;
	struct err err;
	char path[STORAGE_PATH_MAX];
	size_t n;
	struct volume_info infos[8];
};

static void on_done(void *ctx, const struct err *err)
{
	struct result *r = ctx;

	assert_false(r->done);
	r->done = true;
	r->err = *err;
}

static void on_mapped(void *ctx, const struct err *err, const char *path)
{
	struct result *r = ctx;

	if (path)
		STRCPY(r->path, path);
	on_done(ctx, err);
}

static void on_list(void *ctx, const struct err *err, const struct volume_info *volumes, size_t n)
{
	struct result *r = ctx;

	r->n = n;
	for (size_t i = 0; i < n && i < ARRAY_SIZE(r->infos); i++)
		r->infos[i] = volumes[i];
	on_done(ctx, err);
}

static bool is_done(void *ctx)
{
	const struct result *r = ctx;

	return r->done;
}

static int set_pool(struct fixture *f, const char *path, struct err *err)
{
	struct pool_conf conf = { .name = "files", .backend = "dir" };

	if (STRCPY(conf.path, path) < 0)
		return -ENAMETOOLONG;
	return storage_pool(f->storage, &conf, err);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	f->loop = loop_new();
	f->env = loop_env(f->loop);
	f->runner = child_runner_new(f->loop);
	f->children = child_runner_children(f->runner);
	f->storage = storage_new(&f->env, &f->children, backends);
	f->dir = kit_mkdir();
	assert_int_equal(set_pool(f, f->dir, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	storage_free(f->storage);
	child_runner_free(f->runner);
	loop_free(f->loop);
	kit_rmdir(f->dir);
	mem_freep(&f);
	return 0;
}

static int wait_for(struct fixture *f, int started, struct result *r)
{
	if (started < 0)
		return started;
	assert_false(r->done);
	kit_loop_until(f->loop, is_done, r, LIMIT_S, "an answer of the storage");
	return r->err.code;
}

static int create(struct fixture *f, const char *name, uint64_t size, struct result *r)
{
	*r = (struct result){ 0 };
	return wait_for(f, storage_create(f->storage, "files", name, size, on_done, r, &r->err), r);
}

static int removal(struct fixture *f, const char *name, struct result *r)
{
	*r = (struct result){ 0 };
	return wait_for(f, storage_remove(f->storage, "files", name, on_done, r, &r->err), r);
}

static int list(struct fixture *f, struct result *r)
{
	*r = (struct result){ 0 };
	return wait_for(f, storage_list(f->storage, "files", on_list, r, &r->err), r);
}

static int map(struct fixture *f, const char *name, uint64_t epoch, struct result *r)
{
	struct ticket t = { .pool = "files", .node = 1, .epoch = epoch, .mode = ACCESS_PRIVATE };

	STRCPY(t.volume, name);
	*r = (struct result){ 0 };
	return wait_for(f, storage_map(f->storage, &t, on_mapped, r, &r->err), r);
}

static int unmap(struct fixture *f, const char *name, uint64_t epoch, struct result *r)
{
	struct ticket t = { .pool = "files", .node = 1, .epoch = epoch, .mode = ACCESS_PRIVATE };

	STRCPY(t.volume, name);
	*r = (struct result){ 0 };
	return wait_for(f, storage_unmap(f->storage, &t, on_done, r, &r->err), r);
}

/* How many files of any name are in the folder. */
static int count_files(const char *dir)
{
	DIR *d = opendir(dir);
	int n = -2; /* . and .. */

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* The life of a volume: made whole and private, mapped at its path, listed, deleted; nothing else
 * is left in the folder. */
static void life(void **state)
{
	struct fixture *f = *state;
	struct result r;
	struct stat st;
	char *path = kit_path(f->dir, "web1.raw");

	assert_int_equal(create(f, "web1", 8 * MIB, &r), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 8 * MIB);
	assert_true((uint64_t)st.st_blocks * 512 >= 8 * MIB);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(map(f, "web1", 5, &r), 0);
	assert_string_equal(r.path, path);
	assert_int_equal(unmap(f, "web1", 5, &r), 0);
	assert_int_equal(create(f, "db1", MIB, &r), 0);
	assert_int_equal(list(f, &r), 0);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.infos[0].name, "db1");
	assert_int_equal(r.infos[0].size, MIB);
	assert_string_equal(r.infos[1].name, "web1");
	assert_int_equal(count_files(f->dir), 2);
	assert_int_equal(removal(f, "db1", &r), 0);
	assert_int_equal(removal(f, "web1", &r), 0);
	assert_int_equal(count_files(f->dir), 0);
	mem_freep(&path);
}

/* A name that is taken stays as it is, also when it is taken by something odd. */
static void never_over_another(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char *path = kit_path(f->dir, "web1.raw"), *link = kit_path(f->dir, "web2.raw"), *text;

	kit_write(path, "precious");
	assert_int_equal(symlink("/nowhere/at/all", link), 0);
	assert_int_equal(create(f, "web1", MIB, &r), -EEXIST);
	assert_non_null(strstr(r.err.text, "web1"));
	assert_int_equal(create(f, "web2", MIB, &r), -EEXIST);
	text = kit_read(path);
	assert_string_equal(text, "precious");
	assert_int_equal(count_files(f->dir), 2);
	mem_freep(&text);
	mem_freep(&link);
	mem_freep(&path);
}

/* Two creations of one name at once: exactly one wins, and the file is whole. */
static void two_at_once(void **state)
{
	struct fixture *f = *state;
	struct result a = { 0 }, b = { 0 };
	int ra, rb;

	ra = storage_create(f->storage, "files", "web1", MIB, on_done, &a, &a.err);
	rb = storage_create(f->storage, "files", "web1", 2 * MIB, on_done, &b, &b.err);
	ra = wait_for(f, ra, &a);
	rb = b.done ? b.err.code : wait_for(f, rb, &b);
	assert_int_equal(ra + rb, -EEXIST);
	assert_int_equal(count_files(f->dir), 1);
	assert_int_equal(list(f, &a), 0);
	assert_int_equal(a.infos[0].size, ra == 0 ? MIB : 2 * MIB);
}

/* What is not there: absent is told apart from a folder that is not mounted, since absent may count
 * as deleted. */
static void absent(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char *gone = kit_path(f->dir, "gone");

	assert_int_equal(map(f, "web1", 5, &r), -ENOENT);
	assert_int_equal(removal(f, "web1", &r), -ENOENT);
	assert_int_equal(set_pool(f, gone, NULL), 0);
	assert_int_equal(create(f, "web1", MIB, &r), -ENODEV);
	assert_int_equal(removal(f, "web1", &r), -ENODEV);
	assert_int_equal(map(f, "web1", 5, &r), -ENODEV);
	assert_int_equal(list(f, &r), -ENODEV);
	assert_non_null(strstr(r.err.text, gone));
	mem_freep(&gone);
}

/* Symbolic links, folders and odd names in the folder are never listed, opened or deleted, nor what
 * they point to. */
static void tampered_folder(void **state)
{
	static const char *const odd[] = { ".hidden.raw", "-rf.raw",   "a b.raw",  "x\n5 evil.raw",
					   ".raw",        "notes.txt", "\xff.raw", "web1.raw.bak" };
	struct fixture *f = *state;
	struct result r;
	char *other = kit_mkdir(), *victim = kit_path(other, "victim"),
	     *link = kit_path(f->dir, "link.raw");
	char *folder = kit_path(f->dir, "folder.raw"), *good = kit_path(f->dir, "good.raw");

	kit_write(victim, "precious");
	kit_write(good, "12345");
	assert_int_equal(symlink(victim, link), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		char *path = kit_path(f->dir, odd[i]);

		kit_write(path, "?");
		mem_freep(&path);
	}
	assert_int_equal(list(f, &r), 0);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.infos[0].name, "good");
	assert_int_equal(r.infos[0].size, 5);
	assert_int_equal(map(f, "link", 5, &r), -EINVAL);
	assert_int_equal(removal(f, "link", &r), -EINVAL);
	assert_int_equal(map(f, "folder", 5, &r), -EINVAL);
	assert_int_equal(removal(f, "folder", &r), -EINVAL);
	assert_int_equal(access(victim, F_OK), 0);
	assert_int_equal(access(link, F_OK), 0);
	kit_rmdir(other);
	mem_freep(&victim);
	mem_freep(&link);
	mem_freep(&folder);
	mem_freep(&good);
}

/* A folder whose own name is odd, even for a shell, works. */
static void odd_folder(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char *odd = kit_path(f->dir, "-a $(touch x) 'b\"");

	assert_int_equal(mkdir(odd, 0700), 0);
	assert_int_equal(set_pool(f, odd, NULL), 0);
	assert_int_equal(create(f, "web1", MIB, &r), 0);
	assert_int_equal(list(f, &r), 0);
	assert_int_equal(r.n, 1);
	assert_int_equal(removal(f, "web1", &r), 0);
	assert_int_equal(count_files(odd), 0);
	assert_int_equal(count_files(f->dir), 1);
	mem_freep(&odd);
}

static void bad_paths(void **state)
{
	static const char *const bad[] = { "",         "/",       "srv/domus", "/srv/../etc",
					   "/srv/./x", "/srv/..", "/srv\n/x" };
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(set_pool(f, bad[i], &err), -EINVAL);
	assert_int_equal(set_pool(f, "/srv/..x/.y", &err), 0);
}

/* A full disk: a clear word, and nothing half made. Needs a small file system of its own, hence
 * root. */
static void full_disk(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char *small = kit_path(f->dir, "small");

	assert_int_equal(mkdir(small, 0700), 0);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", small, "tmpfs", 0, "size=4m") < 0) {
		print_message("skipped: no right to mount a small file system\n");
		mem_freep(&small);
		skip();
	}
	assert_int_equal(set_pool(f, small, NULL), 0);
	assert_int_equal(create(f, "web1", MIB, &r), 0);
	assert_int_equal(create(f, "web2", 64 * MIB, &r), -ENOSPC);
	assert_non_null(strstr(r.err.text, "No space left"));
	assert_int_equal(count_files(small), 1);
	assert_int_equal(create(f, "web2", MIB, &r), 0);
	assert_int_equal(umount(small), 0);
	mem_freep(&small);
}

/* Children of an ended storage are ended with it; what they had begun under a hidden name is no
 * volume. */
static void ended_in_between(void **state)
{
	struct fixture *f = *state;
	struct result r = { 0 };

	assert_int_equal(storage_create(f->storage, "files", "web1", MIB, on_done, &r, &r.err), 0);
	assert_int_equal(storage_list(f->storage, "files", on_list, &r, &r.err), 0);
	storage_free(f->storage);
	f->storage = storage_new(&f->env, &f->children, backends);
	assert_false(r.done);
	assert_int_equal(set_pool(f, f->dir, NULL), 0);
	assert_int_equal(list(f, &r), 0);
	assert_int_equal(r.n, 0);
}

static int look(struct fixture *f, const char *path, struct result *r)
{
	struct pool_conf conf = { .name = "typo", .backend = "dir" };

	*r = (struct result){ 0 };
	STRCPY(conf.path, path);
	return wait_for(f, storage_look(f->storage, &conf, on_done, r, &r->err), r);
}

/* A place can be looked at before a pool is there: what is wrong with it is told, and nothing is
 * kept. */
static void looked_at(void **state)
{
	struct fixture *f = *state;
	struct pool_conf conf = { .name = "typo", .backend = "dir" };
	char *none = kit_path(f->dir, "nonexist"), *file = kit_path(f->dir, "file");
	struct result r, cancelled = { 0 };

	kit_write(file, "");
	assert_int_equal(look(f, f->dir, &r), 0);
	assert_int_equal(look(f, none, &r), -ENODEV);
	assert_non_null(strstr(r.err.text, "the folder is not there: create it"));
	assert_int_equal(look(f, file, &r), -ENODEV);
	assert_int_equal(look(f, "/srv/../etc", &r), -EINVAL);
	assert_int_equal(storage_list(f->storage, "typo", on_list, &r, &r.err), -ENODEV);
	STRCPY(conf.path, f->dir);
	assert_int_equal(storage_look(f->storage, &conf, on_done, &cancelled, NULL), 0);
	storage_look_cancel(f->storage, &cancelled);
	storage_look_cancel(f->storage, &cancelled);
	assert_int_equal(look(f, f->dir, &r), 0);
	assert_false(cancelled.done);
	assert_int_equal(storage_look(f->storage, &conf, on_done, &cancelled, NULL), 0);
	mem_freep(&none);
	mem_freep(&file);
}

/* Children that only this test ends. */
struct fake {
	char temp[2][128]; /* $4 of each script */
	bool removes[2];
	size_t n;
	child_done_fn *done;
	void *arg;
};

static int fake_spawn(void *ctx, const struct child_spec *spec, child_done_fn *done, void *arg,
		      struct child **ret_child, struct err *ret_err)
{
	struct fake *k = ctx;

	(void)ret_err;
	assert_true(k->n < 2);
	assert_true(spec->deadline_us > 0);
	STRCPY(k->temp[k->n], spec->argv[7]);
	k->removes[k->n] = strstr(spec->argv[2], "qemu-img") == NULL &&
			   strstr(spec->argv[2], "rm -f -- \"$t\"");
	k->n++;
	k->done = done;
	k->arg = arg;
	*ret_child = (struct child *)k;
	return 0;
}

static void fake_cancel(void *ctx, struct child *child)
{
	(void)ctx;
	(void)child;
}

static const struct child_ops fake_ops = { .spawn = fake_spawn, .cancel = fake_cancel };

/* A creation killed at its deadline leaves its file under a hidden name: it is removed before the
 * error is told. */
static void killed_creation_is_cleaned_up(void **state)
{
	struct fixture *f = *state;
	struct fake fake = { 0 };
	struct children children = { &fake_ops, &fake };
	struct storage *s = storage_new(&f->env, &children, backends);
	struct pool_conf conf = { .name = "files", .backend = "dir", .path = "/srv/x" };
	struct child_end killed = {
		.status = -1, .signo = 9, .timed_out = true, .out = "", .err = ""
	};
	struct child_end fine = { .out = "", .err = "" };
	struct result r = { 0 };

	assert_int_equal(storage_pool(s, &conf, NULL), 0);
	assert_int_equal(storage_create(s, "files", "web1", MIB, on_done, &r, NULL), 0);
	fake.done(fake.arg, &killed);
	assert_false(r.done);
	assert_int_equal(fake.n, 2);
	assert_false(fake.removes[0]);
	assert_true(fake.removes[1]);
	assert_string_equal(fake.temp[0], fake.temp[1]);
	fake.done(fake.arg, &fine);
	assert_true(r.done);
	assert_int_equal(r.err.code, -ETIMEDOUT);
	storage_free(s);
}

/* A list that was cut off is an error, never a shorter list. */
static void cut_off_list(void **state)
{
	struct fixture *f = *state;
	struct fake fake = { 0 };
	struct children children = { &fake_ops, &fake };
	struct storage *s = storage_new(&f->env, &children, backends);
	struct pool_conf conf = { .name = "files", .backend = "dir", .path = "/srv/x" };
	struct child_end cut = { .out = "512 a.raw\0005", .out_len = 11, .err = "" };
	struct result r = { 0 };

	assert_int_equal(storage_pool(s, &conf, NULL), 0);
	assert_int_equal(storage_list(s, "files", on_list, &r, NULL), 0);
	fake.done(fake.arg, &cut);
	assert_int_equal(r.err.code, -EOVERFLOW);
	assert_int_equal(r.n, 0);
	storage_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(life, setup, teardown),
		cmocka_unit_test_setup_teardown(never_over_another, setup, teardown),
		cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(absent, setup, teardown),
		cmocka_unit_test_setup_teardown(tampered_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(looked_at, setup, teardown),
		cmocka_unit_test_setup_teardown(ended_in_between, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_creation_is_cleaned_up, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_off_list, setup, teardown),
		cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
