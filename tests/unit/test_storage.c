/* SPDX-License-Identifier: Apache-2.0
 * A node's storage: names, pools, and tickets of which the newest wins. The disks are simulated. */
#include "kit/kit.h"

#include "base/mem.h"
#include "storage/sim.h"
#include "storage/storage.h"
#include "storage/ticket.h"

#define MIB (UINT64_C(1) << 20)

struct fixture {
	struct venv *venv;
	struct env env;
	struct storage_world *world;
	struct storage_backend backend;
	const struct storage_backend *backends[2];
	struct storage *storage;
};

/* What a call was told, and how often. */
struct result {
	int calls;
	struct err err;
	char path[STORAGE_PATH_MAX];
	size_t n;
	char first[STORAGE_NAME_MAX];
};

static void on_done(void *ctx, const struct err *err)
{
	struct result *r = ctx;

	r->calls++;
	r->err = *err;
}

static void on_mapped(void *ctx, const struct err *err, const char *path)
{
	struct result *r = ctx;

	on_done(ctx, err);
	assert_int_equal(path == NULL, err->code != 0);
	if (path)
		STRCPY(r->path, path);
}

static void on_list(void *ctx, const struct err *err, const struct volume_info *volumes, size_t n)
{
	struct result *r = ctx;

	on_done(ctx, err);
	r->n = n;
	if (n)
		STRCPY(r->first, volumes[0].name);
}

static void settle(struct fixture *f)
{
	while (venv_step(f->venv, (struct mono){ INT64_MAX }))
		;
}

static void add_pool(struct fixture *f, const char *name, const char *path)
{
	struct pool_conf conf = { .backend = "sim" };
	struct err err;

	STRCPY(conf.name, name);
	STRCPY(conf.path, path);
	assert_int_equal(storage_pool(f->storage, &conf, &err), 0);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	struct result r = { 0 };
	struct err err;

	f->venv = venv_new(1);
	f->env = venv_env(f->venv);
	f->world = storage_world_new();
	f->backend = storage_world_backend(f->world);
	f->backends[0] = &f->backend;
	f->storage = storage_new(&f->env, NULL, f->backends);
	add_pool(f, "fast", "/disks");
	assert_int_equal(storage_create(f->storage, "fast", "web1", 8 * MIB, on_done, &r, &err), 0);
	settle(f);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.err.code, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	storage_free(f->storage);
	storage_world_free(f->world);
	venv_free(f->venv);
	mem_freep(&f);
	return 0;
}

static struct ticket ticket(uint32_t node, uint64_t epoch, enum access_mode mode)
{
	struct ticket t = {
		.pool = "fast", .volume = "web1", .node = node, .epoch = epoch, .mode = mode
	};

	return t;
}

/* Maps and waits; gives the code, of the start or of the end. */
static int map(struct fixture *f, struct ticket t, struct result *ret)
{
	int r;

	*ret = (struct result){ 0 };
	r = storage_map(f->storage, &t, on_mapped, ret, &ret->err);
	assert_int_equal(ret->calls, 0);
	settle(f);
	assert_int_equal(ret->calls, r == 0);
	return r ? r : ret->err.code;
}

static int unmap(struct fixture *f, struct ticket t, struct result *ret)
{
	int r;

	*ret = (struct result){ 0 };
	r = storage_unmap(f->storage, &t, on_done, ret, &ret->err);
	assert_int_equal(ret->calls, 0);
	settle(f);
	assert_int_equal(ret->calls, r == 0);
	return r ? r : ret->err.code;
}

/* Only names that are safe as a file name on any file system and in any message pass. */
static void names(void **state)
{
	static const char *const good[] = { "a", "web1", "0", "web1.data-2_x", "A..b" };
	static const char *const bad[] = { "",     ".",   "..",  ".web1", "-web1",    "_x",   "a/b",
					   "../a", "a b", "a\n", "a%",    "\xc3\xa4", "a\x7f" };
	char longest[STORAGE_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(storage_name_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(storage_name_ok(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[STORAGE_NAME_MAX] = '\0';
	assert_false(storage_name_ok(longest));
	longest[STORAGE_NAME_MAX - 1] = '\0';
	assert_true(storage_name_ok(longest));
}

static void modes_as_text(void **state)
{
	(void)state;
	for (int i = 0; i < ACCESS_MODE_MAX; i++)
		assert_int_equal(access_mode_parse(access_mode_text((enum access_mode)i)), i);
	assert_string_equal(access_mode_text(ACCESS_DEPORTED), "not-in-use");
	assert_int_equal(access_mode_parse("mine"), ACCESS_MODE_INVALID);
}

static void malformed_tickets_are_refused(void **state)
{
	struct ticket good = ticket(1, 5, ACCESS_PRIVATE), t;
	struct err err;

	(void)state;
	assert_int_equal(ticket_check(&good, &err), 0);
	t = good;
	t.node = 0;
	assert_int_equal(ticket_check(&t, &err), -EINVAL);
	t = good;
	t.epoch = 0;
	assert_int_equal(ticket_check(&t, &err), -EINVAL);
	t = good;
	t.mode = ACCESS_MODE_MAX;
	assert_int_equal(ticket_check(&t, &err), -EINVAL);
	t = good;
	STRCPY(t.volume, "../web1");
	assert_int_equal(ticket_check(&t, &err), -EINVAL);
}

/* Every pair of a held and a new ticket, with what it must come to. */
static void tickets_side_by_side(void **state)
{
	static const struct {
		uint32_t held_node, node;
		uint64_t held_epoch, epoch;
		enum access_mode held_mode, mode;
		int expected;
	} rows[] = {
		{ 1, 1, 5, 5, ACCESS_PRIVATE, ACCESS_PRIVATE, 0 },
		{ 1, 1, 5, 5, ACCESS_PRIVATE, ACCESS_SHARED, 0 },  /* a migration begins */
		{ 1, 1, 5, 5, ACCESS_SHARED, ACCESS_PRIVATE, 0 },  /* and is called off */
		{ 1, 1, 5, 6, ACCESS_PRIVATE, ACCESS_PRIVATE, 0 }, /* a newer grant */
		{ 1, 1, 5, 6, ACCESS_SHARED, ACCESS_PRIVATE, 0 },  /* the hand-over */
		{ 1, 1, 5, 6, ACCESS_DEPORTED, ACCESS_PRIVATE, 0 },
		{ 1, 1, 5, 5, ACCESS_PRIVATE, ACCESS_DEPORTED, -EBUSY },
		{ 1, 1, 5, 5, ACCESS_DEPORTED, ACCESS_PRIVATE, -EBUSY },
		{ 1, 2, 5, 6, ACCESS_PRIVATE, ACCESS_PRIVATE,
		  -EBUSY }, /* another node's ticket is not for us */
		{ 1, 2, 5, 6, ACCESS_SHARED, ACCESS_SHARED, -EBUSY },
		{ 1, 1, 5, 4, ACCESS_PRIVATE, ACCESS_PRIVATE, -ESTALE },
		{ 1, 1, 5, 4, ACCESS_SHARED, ACCESS_SHARED, -ESTALE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ticket held =
			ticket(rows[i].held_node, rows[i].held_epoch, rows[i].held_mode);
		struct ticket t = ticket(rows[i].node, rows[i].epoch, rows[i].mode);
		struct err err;

		assert_int_equal(ticket_admit(&t, &held, held.epoch, &err), rows[i].expected);
	}
}

/* Asked twice, the same path; what is held can be looked up. */
static void map_is_idempotent(void **state)
{
	struct fixture *f = *state;
	struct result r;
	char path[STORAGE_PATH_MAX];

	assert_null(storage_held(f->storage, "fast", "web1"));
	assert_int_equal(map(f, ticket(1, 5, ACCESS_PRIVATE), &r), 0);
	assert_true(r.path[0]);
	STRCPY(path, r.path);
	assert_int_equal(map(f, ticket(1, 5, ACCESS_PRIVATE), &r), 0);
	assert_string_equal(r.path, path);
	assert_int_equal(storage_held(f->storage, "fast", "web1")->epoch, 5);
	assert_int_equal(storage_world_users(f->world, "/disks", "web1", ACCESS_PRIVATE), 1);
}

/* Two who ask while the first is being answered are both answered, from one map of the backend. */
static void same_map_twice_at_once(void **state)
{
	struct fixture *f = *state;
	struct ticket t = ticket(1, 5, ACCESS_PRIVATE), other = ticket(1, 6, ACCESS_PRIVATE);
	struct result a = { 0 }, b = { 0 }, c = { 0 };
	struct err err;

	assert_int_equal(storage_map(f->storage, &t, on_mapped, &a, &err), 0);
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &b, &err), 0);
	assert_int_equal(storage_map(f->storage, &other, on_mapped, &c, &err), -EBUSY);
	assert_int_equal(storage_unmap(f->storage, &t, on_done, &c, &err), -EBUSY);
	settle(f);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 1);
	assert_int_equal(c.calls, 0);
	assert_string_equal(a.path, b.path);
}

/* A newer epoch replaces the mapping; the older one is outdated for good, also after an unmap. */
static void newest_epoch_wins(void **state)
{
	struct fixture *f = *state;
	struct result r;

	assert_int_equal(map(f, ticket(1, 5, ACCESS_PRIVATE), &r), 0);
	assert_int_equal(map(f, ticket(1, 9, ACCESS_PRIVATE), &r), 0);
	assert_int_equal(storage_held(f->storage, "fast", "web1")->epoch, 9);
	assert_int_equal(map(f, ticket(1, 5, ACCESS_PRIVATE), &r), -ESTALE);
	assert_non_null(strstr(r.err.text, "epoch 9"));
	assert_int_equal(unmap(f, ticket(1, 5, ACCESS_PRIVATE), &r), -ESTALE);
	assert_non_null(storage_held(f->storage, "fast", "web1"));
	assert_int_equal(unmap(f, ticket(1, 9, ACCESS_PRIVATE), &r), 0);
	assert_null(storage_held(f->storage, "fast", "web1"));
	assert_int_equal(map(f, ticket(1, 8, ACCESS_PRIVATE), &r), -ESTALE);
}

/* An unmap is an order to be done with it: nothing there is as good as done, and its epoch counts.
 */
static void unmap_of_what_is_not_mapped(void **state)
{
	struct fixture *f = *state;
	struct result r;

	assert_int_equal(unmap(f, ticket(1, 5, ACCESS_PRIVATE), &r), 0);
	assert_int_equal(map(f, ticket(1, 4, ACCESS_PRIVATE), &r), -ESTALE);
	assert_int_equal(map(f, ticket(1, 5, ACCESS_PRIVATE), &r), 0);
}

/* Private becomes shared for a migration, and at the hand-over private again under the new epoch.
 */
static void migration_modes(void **state)
{
	struct fixture *f = *state;
	struct result r;

	assert_int_equal(map(f, ticket(1, 5, ACCESS_PRIVATE), &r), 0);
	assert_int_equal(map(f, ticket(1, 5, ACCESS_SHARED), &r), 0);
	assert_int_equal(storage_held(f->storage, "fast", "web1")->mode, ACCESS_SHARED);
	assert_int_equal(map(f, ticket(1, 7, ACCESS_PRIVATE), &r), 0);
	assert_int_equal(storage_held(f->storage, "fast", "web1")->mode, ACCESS_PRIVATE);
}

/* While it becomes another mode nobody can rely on the one that it has still. */
static void nothing_is_held_on_the_way(void **state)
{
	struct fixture *f = *state;
	struct ticket private = ticket(1, 5, ACCESS_PRIVATE), shared = ticket(1, 5, ACCESS_SHARED);
	struct result r;

	assert_int_equal(map(f, shared, &r), 0);
	r = (struct result){ 0 };
	assert_int_equal(storage_map(f->storage, &private, on_mapped, &r, &r.err), 0);
	assert_null(storage_held(f->storage, "fast", "web1"));
	settle(f);
	assert_int_equal(storage_held(f->storage, "fast", "web1")->mode, ACCESS_PRIVATE);
}

static int fail_map(void *ctx, enum storage_op op, uint32_t node, const char *volume,
		    int64_t *delay_us)
{
	(void)ctx;
	(void)node;
	(void)volume;
	(void)delay_us;
	return op == STORAGE_MAP ? -EIO : 0;
}

/* A map that fails holds nothing, and all who waited are told. */
static void failed_map(void **state)
{
	struct fixture *f = *state;
	struct ticket t = ticket(1, 5, ACCESS_PRIVATE);
	struct result a = { 0 }, b = { 0 };
	struct err err;

	storage_world_faults(f->world, fail_map, NULL);
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &a, &err), 0);
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &b, &err), 0);
	settle(f);
	assert_int_equal(a.err.code, -EIO);
	assert_int_equal(b.err.code, -EIO);
	assert_null(storage_held(f->storage, "fast", "web1"));
	storage_world_faults(f->world, NULL, NULL);
	assert_int_equal(map(f, t, &a), 0);
}

/* What is in use here, or just coming into use, is not deleted; what is being deleted does not come
 * into use. */
static void no_delete_while_in_use(void **state)
{
	struct fixture *f = *state;
	struct ticket t = ticket(1, 5, ACCESS_PRIVATE);
	struct result r = { 0 }, d = { 0 };
	struct err err;

	assert_int_equal(storage_map(f->storage, &t, on_mapped, &r, &err), 0);
	assert_int_equal(storage_remove(f->storage, "fast", "web1", on_done, &d, &err), -EBUSY);
	settle(f);
	assert_int_equal(storage_remove(f->storage, "fast", "web1", on_done, &d, &err), -EBUSY);
	assert_int_equal(unmap(f, t, &r), 0);
	assert_int_equal(storage_remove(f->storage, "fast", "web1", on_done, &d, &err), 0);
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &r, &err), -EBUSY);
	settle(f);
	assert_int_equal(d.calls, 1);
	assert_int_equal(d.err.code, 0);
	assert_int_equal(map(f, t, &r), -ENOENT);
}

static void bad_requests(void **state)
{
	struct fixture *f = *state;
	struct pool_conf conf = { .name = "slow", .backend = "tape", .path = "/x" };
	struct result r = { 0 };
	struct err err;

	assert_int_equal(storage_create(f->storage, "none", "a", MIB, on_done, &r, &err), -ENODEV);
	assert_int_equal(storage_list(f->storage, "../x", on_list, &r, &err), -ENODEV);
	assert_int_equal(storage_create(f->storage, "fast", "../a", MIB, on_done, &r, &err),
			 -EINVAL);
	assert_int_equal(storage_create(f->storage, "fast", "a", 0, on_done, &r, &err), -EINVAL);
	assert_int_equal(storage_create(f->storage, "fast", "a", 1000, on_done, &r, &err), -EINVAL);
	assert_int_equal(
		storage_create(f->storage, "fast", "a", UINT64_MAX - 511, on_done, &r, &err),
		-EINVAL);
	assert_int_equal(storage_remove(f->storage, "fast", "a/b", on_done, &r, &err), -EINVAL);
	assert_int_equal(storage_pool(f->storage, &conf, &err), -EINVAL);
	STRCPY(conf.backend, "sim");
	STRCPY(conf.name, "a b");
	assert_int_equal(storage_pool(f->storage, &conf, &err), -EINVAL);
	settle(f);
	assert_int_equal(r.calls, 0);
}

/* A pool moves only when nothing of it is in use and no call is running; the same again is no
 * change. */
static void pool_changes_its_place(void **state)
{
	struct fixture *f = *state;
	struct pool_conf conf = { .name = "fast", .backend = "sim", .path = "/other" };
	struct ticket t = ticket(1, 5, ACCESS_PRIVATE);
	struct result r = { 0 }, l = { 0 };
	struct err err;

	assert_int_equal(storage_list(f->storage, "fast", on_list, &l, &err), 0);
	assert_int_equal(storage_pool(f->storage, &conf, &err), -EBUSY);
	settle(f);
	assert_int_equal(l.n, 1);
	assert_int_equal(map(f, t, &r), 0);
	assert_int_equal(storage_pool(f->storage, &conf, &err), -EBUSY);
	add_pool(f, "fast", "/disks");
	assert_int_equal(unmap(f, t, &r), 0);
	assert_int_equal(storage_pool(f->storage, &conf, &err), 0);
	assert_int_equal(map(f, t, &r), -ENOENT);
}

/* Calls that run when their pool is forgotten still end, once each. */
static void pool_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct ticket t = ticket(1, 5, ACCESS_PRIVATE);
	struct result a = { 0 }, b = { 0 }, c = { 0 };
	struct err err;

	assert_int_equal(storage_map(f->storage, &t, on_mapped, &a, &err), 0);
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &b, &err), 0);
	assert_int_equal(storage_list(f->storage, "fast", on_list, &c, &err), 0);
	storage_pool_forget(f->storage, "fast");
	storage_pool_forget(f->storage, "fast");
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &a, &err), -ENODEV);
	settle(f);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 1);
	assert_int_equal(c.calls, 1);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.first, "web1");
	assert_null(storage_held(f->storage, "fast", "web1"));
}

static void free_at_once(void *ctx, const struct err *err)
{
	struct fixture *f = ctx;

	(void)err;
	storage_free(f->storage);
	f->storage = NULL;
}

/* Whoever is told may end the storage; nobody else is told then. */
static void freed_from_a_done_function(void **state)
{
	struct fixture *f = *state;
	struct ticket t = ticket(1, 5, ACCESS_PRIVATE);
	struct result a = { 0 }, b = { 0 };
	struct err err;

	assert_int_equal(storage_create(f->storage, "fast", "web2", MIB, free_at_once, f, &err), 0);
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &a, &err), 0);
	assert_int_equal(storage_map(f->storage, &t, on_mapped, &b, &err), 0);
	settle(f);
	assert_null(f->storage);
	assert_int_equal(a.calls, 0);
	assert_int_equal(b.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(modes_as_text),
		cmocka_unit_test(malformed_tickets_are_refused),
		cmocka_unit_test(tickets_side_by_side),
		cmocka_unit_test_setup_teardown(map_is_idempotent, setup, teardown),
		cmocka_unit_test_setup_teardown(same_map_twice_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(newest_epoch_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(unmap_of_what_is_not_mapped, setup, teardown),
		cmocka_unit_test_setup_teardown(migration_modes, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_held_on_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(failed_map, setup, teardown),
		cmocka_unit_test_setup_teardown(no_delete_while_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(pool_changes_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(pool_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_from_a_done_function, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
