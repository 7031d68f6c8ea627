/* SPDX-License-Identifier: Apache-2.0
 * The world's disks do what they say: a transaction is there whole or not at all, and each fault takes what it must. */
#include "kit/kit.h"

#include "world/cluster.h"
#include "world/world_priv.h"

#include <string.h>

#define S US_PER_S

/* A node whose store is used by hand. */
struct hand {
	struct world *w;
	struct world_node *n;
	struct store store;
	size_t written, failed;
	int code;
	size_t read;
};

static struct hand hand_new(uint64_t seed)
{
	struct hand h = { .w = world_new(seed, 1) };

	h.n = &h.w->nodes[1];
	h.n->powered = true;
	h.store = world_disk_of(h.n);
	return h;
}

static void written(void *ctx, const struct err *err)
{
	struct hand *h = ctx;

	if (err->code)
		h->failed++;
	else
		h->written++;
	h->code = err->code;
}

/* world_run leaves the time at the last event; here little happens. */
static void pass(struct hand *h, int64_t us)
{
	venv_run(h->w->venv, mono_add(env_now(&h->w->env), us));
}

/* One transaction with two entries; it is not waited for. */
static void write_two(struct hand *h, uint64_t first)
{
	struct ledger_entry a = { .index = first, .term = 1, .data = "a", .len = 1 }, b = a;
	const struct ledger_entry *both[] = { &a, &b };
	struct ledger_write w = { .entries = both, .n_entries = 2, .promised = first };

	b.index = first + 1;
	h->store.ops->write(h->store.store, &w, written, h);
}

static void write_all(struct hand *h, uint64_t upto)
{
	for (uint64_t first = 1; first < upto; first += 2)
		write_two(h, first);
	pass(h, S);
}

static void took(void *ctx, struct ledger_image *image, const struct err *err)
{
	struct hand *h = ctx;
	struct ledger_entry *e;

	assert_int_equal(err->code, 0);
	h->read = image->entries.n;
	vec_each(e, &image->entries)
		mem_freep(&e->data);
	vec_free(&image->entries);
	mem_freep(&image->snapshot.data);
}

/* How many entries the next life finds. */
static size_t load(struct hand *h)
{
	h->n->powered = true;
	h->store.ops->load(h->store.store, took, h);
	pass(h, 100 * S);
	return h->read;
}

static void end_agent(struct hand *h)
{
	world_disk_agent_ends(h->n);
}

static void cut_power(struct hand *h)
{
	h->n->powered = false;
	world_disk_agent_ends(h->n);
	world_disk_power_lost(h->n);
}

static void test_acknowledged_stays(void **state)
{
	struct hand h = hand_new(1);

	(void)state;
	write_all(&h, 6);
	assert_int_equal(h.written, 3);
	cut_power(&h);
	assert_int_equal(load(&h), 6);
	assert_int_equal(h.n->disk.image.promised, 5);
	world_free(h.w);
}

/* Of three transactions under way a power cut leaves none, or the first ones; never half of one. */
static void test_under_way_is_whole_or_not(void **state)
{
	struct world_faults faults = { .disk = 60 };
	bool seen[4] = { false };

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct hand h = hand_new(seed);

		world_set_faults(h.w, &faults);
		for (uint64_t first = 1; first < 6; first += 2)
			write_two(&h, first);
		cut_power(&h);
		assert_int_equal(h.written, 0);
		assert_int_equal(load(&h) % 2, 0);
		seen[h.read / 2] = true;
		world_free(h.w);
	}
	for (size_t i = 0; i < 4; i++)
		assert_true(seen[i]);
}

/* What fails once fails for that life; the next one finds what was written before. */
static void fails(enum world_disk_fault fault, int code)
{
	struct hand h = hand_new(1);

	write_all(&h, 2);
	world_disk_break(h.w, 1, fault);
	write_two(&h, 3);
	pass(&h, S);
	assert_int_equal(h.code, code);
	world_disk_break(h.w, 1, WORLD_DISK_WELL);
	write_two(&h, 3);
	pass(&h, S);
	assert_int_equal(h.failed, 2);
	cut_power(&h);
	assert_int_equal(load(&h), 2);
	write_two(&h, 3);
	pass(&h, S);
	assert_int_equal(h.written, 2);
	world_free(h.w);
}

static void test_full_and_broken(void **state)
{
	(void)state;
	fails(WORLD_DISK_FULL, -ENOSPC);
	fails(WORLD_DISK_EIO, -EIO);
	fails(WORLD_DISK_FSYNC, -EIO);
}

/* The agent comes up again in the same life of its node, after a failed fsync. */
static struct hand after_failed_fsync(void)
{
	struct hand h = hand_new(1);

	write_all(&h, 2);
	world_disk_break(h.w, 1, WORLD_DISK_FSYNC);
	write_two(&h, 3);
	pass(&h, S);
	world_disk_break(h.w, 1, WORLD_DISK_WELL);
	end_agent(&h);
	return h;
}

/* It sees in the page cache what never reached the disk, until the power goes, or its first write makes that durable. */
static void test_failed_fsync_is_seen(void **state)
{
	struct hand h = after_failed_fsync();

	(void)state;
	assert_int_equal(load(&h), 4);
	cut_power(&h);
	assert_int_equal(load(&h), 2);
	world_free(h.w);
	h = after_failed_fsync();
	assert_int_equal(load(&h), 4);
	write_two(&h, 5);
	pass(&h, S);
	cut_power(&h);
	assert_int_equal(load(&h), 6);
	world_free(h.w);
}

static void test_stall(void **state)
{
	struct hand h = hand_new(1);

	(void)state;
	world_disk_stall(h.w, 1, 3 * S);
	write_two(&h, 1);
	pass(&h, 2900 * US_PER_MS);
	assert_int_equal(h.written, 0);
	pass(&h, 200 * US_PER_MS);
	assert_int_equal(h.written, 1);
	world_free(h.w);
}

/* Slower for the next one, which still comes after the first. */
static void test_in_order(void **state)
{
	struct hand h = hand_new(1);

	(void)state;
	world_set_disk(h.w, 1, S);
	write_two(&h, 1);
	world_set_disk(h.w, 1, US_PER_MS);
	write_two(&h, 3);
	pass(&h, 500 * US_PER_MS);
	assert_int_equal(h.written, 0);
	pass(&h, S);
	assert_int_equal(h.written, 2);
	world_free(h.w);
}

/* It takes the last two, but nothing that was acknowledged before it began to lie. */
static void test_lie(void **state)
{
	struct hand h = hand_new(1);

	(void)state;
	write_all(&h, 6);
	world_disk_lie(h.w, 1, 2);
	write_two(&h, 7);
	pass(&h, S);
	end_agent(&h);
	assert_int_equal(load(&h), 8);
	cut_power(&h);
	assert_int_equal(load(&h), 6);
	assert_true(world_disk_doubtful(h.w, 1));
	world_free(h.w);
}

/* A transaction that cut the log is undone too: what it had cut is back. */
static void test_roll_back_over_a_cut(void **state)
{
	struct ledger_write cut = { .truncate_from = 2 };
	struct hand h = hand_new(1);

	(void)state;
	write_all(&h, 4);
	h.store.ops->write(h.store.store, &cut, written, &h);
	pass(&h, S);
	assert_int_equal(world_disk_image(h.w, 1)->entries.n, 1);
	end_agent(&h);
	world_disk_roll_back(h.w, 1, 1);
	assert_int_equal(load(&h), 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(world_disk_image(h.w, 1)->entries.v[i].index, i + 1);
	world_free(h.w);
}

static void write_snapshot(struct hand *h, uint64_t index, const char *text)
{
	struct ledger_write w = { .truncate_from = 6, .committed = index };

	w.snapshot = (struct ledger_snapshot){ .index = index, .term = 1, .data = (char *)text, .len = strlen(text) };
	h->store.ops->write(h->store.store, &w, written, h);
	pass(h, S);
}

static void check_disk(const struct hand *h, uint64_t index, const char *text, uint64_t last)
{
	const struct ledger_image *image = world_disk_image(h->w, 1);

	assert_int_equal(image->snapshot.index, index);
	assert_int_equal(image->snapshot.len, strlen(text));
	if (index)
		assert_memory_equal(image->snapshot.data, text, strlen(text));
	assert_int_equal(image->entries.n, last - index);
	for (size_t i = 0; i < image->entries.n; i++)
		assert_int_equal(image->entries.v[i].index, index + 1 + i);
}

/* A snapshot takes the place of the entries up to its index; undone, those and the one before are back. */
static void test_roll_back_over_snapshots(void **state)
{
	struct hand h = hand_new(1);

	(void)state;
	write_all(&h, 6);
	write_snapshot(&h, 2, "two");
	check_disk(&h, 2, "two", 5);
	write_snapshot(&h, 5, "a longer one");
	check_disk(&h, 5, "a longer one", 5);
	write_two(&h, 6);
	pass(&h, S);
	end_agent(&h);
	assert_int_equal(load(&h), 2);
	end_agent(&h);
	world_disk_roll_back(h.w, 1, 2);
	check_disk(&h, 2, "two", 5);
	world_disk_roll_back(h.w, 1, 1);
	check_disk(&h, 0, "", 6);
	world_free(h.w);
}

static void test_wipe(void **state)
{
	struct hand h = hand_new(1);
	struct id before = h.n->disk.image.store;

	(void)state;
	write_all(&h, 4);
	end_agent(&h);
	world_disk_wipe(h.w, 1);
	assert_int_equal(load(&h), 0);
	assert_false(id_equal(&before, &h.n->disk.image.store));
	assert_int_equal(h.n->disk.image.promised, 0);
	world_free(h.w);
}

/* ---- in a cluster ---- */

static bool is_off(struct world *w, void *ctx)
{
	return !world_powered(w, *(uint32_t *)ctx);
}

/* The power goes at a write of node 3, with it on the disk or not. */
static size_t entries_after_cut(bool kept)
{
	struct world *w = cluster_new(5, 3);
	size_t before = world_disk_image(w, 3)->entries.n, after;
	uint32_t third = 3;

	world_disk_cut(w, 3, 1, kept);
	cluster_define(w, "a", 64);
	assert_true(world_until(w, is_off, &third, 10 * S));
	after = world_disk_image(w, 3)->entries.n;
	world_boot(w, 3);
	assert_true(cluster_all_current(w, 30 * S));
	assert_false(world_disk_doubtful(w, 3));
	world_free(w);
	return after - before;
}

static void test_cut_at_a_write(void **state)
{
	(void)state;
	assert_true(entries_after_cut(true) > 0);
	assert_int_equal(entries_after_cut(false), 0);
}

static enum ledger_role role_of(struct world *w, uint32_t node)
{
	struct engine_status s;

	engine_status(world_engine(w, node), &s);
	return s.ledger.role;
}

static bool is_sound(struct world *w, void *ctx)
{
	return !world_disk_doubtful(w, *(uint32_t *)ctx);
}

/* Comes back, has no vote, is let in by a person, has one (rule L7). */
static void let_in(struct world *w, uint32_t node)
{
	struct err err = { 0 };

	world_agent_start(w, node);
	world_run(w, 5 * S);
	assert_int_not_equal(role_of(w, node), LEDGER_VOTER);
	assert_true(world_disk_doubtful(w, node));
	assert_int_equal(engine_cluster_join(world_engine(w, node), &err), 0);
	assert_true(world_until(w, is_sound, &node, 30 * S));
	assert_true(cluster_all_current(w, 30 * S));
	assert_false(world_excused(w));
}

static void test_damaged_store_is_a_learner(void **state)
{
	struct world *w = cluster_new(6, 3);

	(void)state;
	cluster_define(w, "a", 64);
	world_run(w, 5 * S);
	world_agent_kill(w, 2);
	world_disk_wipe(w, 2);
	let_in(w, 2);
	world_agent_kill(w, 3);
	world_disk_roll_back(w, 3, 6);
	let_in(w, 3);
	world_free(w);
}

/* Node 3's disk loses what all have heard it acknowledge; while one who remembers is there nothing is excused. */
static void test_who_forgets_excuses(void **state)
{
	struct world *w = cluster_new(7, 3);

	(void)state;
	world_disk_lie(w, 3, 5);
	cluster_define(w, "a", 64);
	world_run(w, 2 * S);
	world_disk_cut(w, 3, 1, true);
	cluster_define(w, "b", 64);
	world_run(w, 3 * S);
	assert_false(world_powered(w, 3));
	assert_true(world_disk_doubtful(w, 3));
	assert_false(world_excused(w));
	world_agent_kill(w, 2);
	assert_true(world_excused(w));
	world_free(w);
}

/* A store that has failed takes its node out until its agent is started again; the others go on. */
static void test_broken_disk_in_a_cluster(void **state)
{
	struct world *w = cluster_new(8, 3);

	(void)state;
	world_disk_break(w, 1, WORLD_DISK_EIO);
	cluster_define(w, "a", 64);
	world_run(w, 2 * S);
	assert_int_equal(role_of(w, 1), LEDGER_FAILED);
	assert_non_null(cluster_guest(w, 2, "a"));
	world_disk_break(w, 1, WORLD_DISK_WELL);
	world_agent_kill(w, 1);
	world_agent_start(w, 1);
	assert_true(cluster_all_current(w, 30 * S));
	assert_non_null(cluster_guest(w, 1, "a"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acknowledged_stays),
		cmocka_unit_test(test_under_way_is_whole_or_not),
		cmocka_unit_test(test_full_and_broken),
		cmocka_unit_test(test_failed_fsync_is_seen),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_lie),
		cmocka_unit_test(test_roll_back_over_a_cut),
		cmocka_unit_test(test_roll_back_over_snapshots),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_cut_at_a_write),
		cmocka_unit_test(test_damaged_store_is_a_learner),
		cmocka_unit_test(test_who_forgets_excuses),
		cmocka_unit_test(test_broken_disk_in_a_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
