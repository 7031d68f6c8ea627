/* SPDX-License-Identifier: Apache-2.0
 * Simulated storage: several nodes on the same disks, faults, and the second opinion on who may
 * write. */
#include "kit/kit.h"

#include "base/mem.h"
#include "storage/sim.h"

#define MIB   (UINT64_C(1) << 20)
#define DISKS "/disks"

struct world {
	struct venv *venv;
	struct env env;
	struct storage_world *disks;
	struct storage_backend backend;
	const struct storage_backend *backends[2];
	struct storage *node[4]; /* 1 .. 3 */
	int last;                /* what the last call ended with; 1 while it has not */
	struct mono ended;
	size_t listed;
};

static void on_done(void *ctx, const struct err *err)
{
	struct world *w = ctx;

	w->last = err->code;
	w->ended = env_now(&w->env);
}

static void on_mapped(void *ctx, const struct err *err, const char *path)
{
	(void)path;
	on_done(ctx, err);
}

static void on_list(void *ctx, const struct err *err, const struct volume_info *volumes, size_t n)
{
	struct world *w = ctx;

	(void)volumes;
	w->listed = n;
	on_done(ctx, err);
}

static int settle(struct world *w, int started)
{
	assert_int_equal(started, 0);
	w->last = 1;
	while (venv_step(w->venv, (struct mono){ INT64_MAX }))
		;
	assert_int_not_equal(w->last, 1);
	return w->last;
}

static int create(struct world *w, unsigned node, const char *name, uint64_t size)
{
	return settle(w, storage_create(w->node[node], "fast", name, size, on_done, w, NULL));
}

static int map(struct world *w, unsigned node, uint64_t epoch, enum access_mode mode)
{
	struct ticket t = {
		.pool = "fast", .volume = "web1", .node = node, .epoch = epoch, .mode = mode
	};

	return settle(w, storage_map(w->node[node], &t, on_mapped, w, NULL));
}

static int unmap(struct world *w, unsigned node, uint64_t epoch)
{
	struct ticket t = { .pool = "fast",
			    .volume = "web1",
			    .node = node,
			    .epoch = epoch,
			    .mode = ACCESS_PRIVATE };

	return settle(w, storage_unmap(w->node[node], &t, on_done, w, NULL));
}

static void start_agent(struct world *w, unsigned node)
{
	const struct pool_conf conf = { .name = "fast", .backend = "sim", .path = DISKS };

	w->node[node] = storage_new(&w->env, NULL, w->backends);
	assert_int_equal(storage_pool(w->node[node], &conf, NULL), 0);
}

static int setup(void **state)
{
	struct world *w = mem_new(struct world);

	w->venv = venv_new(7);
	w->env = venv_env(w->venv);
	w->disks = storage_world_new();
	w->backend = storage_world_backend(w->disks);
	w->backends[0] = &w->backend;
	for (unsigned i = 1; i < ARRAY_SIZE(w->node); i++)
		start_agent(w, i);
	assert_int_equal(create(w, 1, "web1", 8 * MIB), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (unsigned i = 1; i < ARRAY_SIZE(w->node); i++)
		storage_free(w->node[i]);
	storage_world_free(w->disks);
	venv_free(w->venv);
	mem_freep(&w);
	return 0;
}

/* What one node makes, the others see. */
static void shared_disks(void **state)
{
	struct world *w = *state;

	assert_int_equal(create(w, 2, "web1", MIB), -EEXIST);
	assert_int_equal(create(w, 2, "web2", MIB), 0);
	assert_int_equal(settle(w, storage_list(w->node[3], "fast", on_list, w, NULL)), 0);
	assert_int_equal(w->listed, 2);
	assert_int_equal(settle(w, storage_remove(w->node[3], "fast", "web2", on_done, w, NULL)),
			 0);
	assert_int_equal(settle(w, storage_remove(w->node[1], "fast", "web2", on_done, w, NULL)),
			 -ENOENT);
}

/* The world refuses and counts a second private user, whatever epoch it comes with. */
static void second_writer(void **state)
{
	struct world *w = *state;

	assert_int_equal(map(w, 1, 5, ACCESS_PRIVATE), 0);
	assert_int_equal(storage_world_violations(w->disks), 0);
	assert_int_equal(map(w, 2, 6, ACCESS_PRIVATE), -EBUSY);
	assert_int_equal(storage_world_violations(w->disks), 1);
	assert_int_equal(storage_world_users(w->disks, DISKS, "web1", ACCESS_PRIVATE), 1);
	assert_int_equal(unmap(w, 1, 5), 0);
	assert_int_equal(map(w, 2, 6, ACCESS_PRIVATE), 0);
	assert_int_equal(storage_world_violations(w->disks), 1);
}

/* A node that comes late with an epoch from before somebody else's is refused and counted, though
 * nobody has it now. */
static void older_epoch(void **state)
{
	struct world *w = *state;

	assert_int_equal(map(w, 2, 6, ACCESS_PRIVATE), 0);
	assert_int_equal(unmap(w, 2, 6), 0);
	assert_int_equal(map(w, 1, 5, ACCESS_PRIVATE), -ESTALE);
	assert_int_equal(storage_world_violations(w->disks), 1);
}

/* A live migration: both shared, then the target private under the new epoch while the source still
 * has it open. */
static void migration_is_no_violation(void **state)
{
	struct world *w = *state;

	assert_int_equal(map(w, 1, 5, ACCESS_PRIVATE), 0);
	assert_int_equal(map(w, 1, 6, ACCESS_SHARED), 0);
	assert_int_equal(map(w, 2, 6, ACCESS_SHARED), 0);
	assert_int_equal(storage_world_users(w->disks, DISKS, "web1", ACCESS_SHARED), 2);
	assert_int_equal(map(w, 2, 7, ACCESS_PRIVATE), 0);
	assert_int_equal(unmap(w, 1, 7), 0);
	assert_int_equal(storage_world_users(w->disks, DISKS, "web1", ACCESS_SHARED), 0);
	assert_int_equal(storage_world_violations(w->disks), 0);
}

/* An agent that ends leaves its guests' disks open; the next one asks again under the same ticket.
 */
static void agent_restarts(void **state)
{
	struct world *w = *state;

	assert_int_equal(map(w, 1, 5, ACCESS_PRIVATE), 0);
	storage_free(w->node[1]);
	assert_int_equal(storage_world_users(w->disks, DISKS, "web1", ACCESS_PRIVATE), 1);
	start_agent(w, 1);
	assert_int_equal(map(w, 1, 5, ACCESS_PRIVATE), 0);
	assert_int_equal(storage_world_violations(w->disks), 0);
}

/* The guest ended while no agent was there: the next agent closes what it has never opened. */
static void agent_closes_what_its_predecessor_opened(void **state)
{
	struct world *w = *state;

	assert_int_equal(map(w, 1, 5, ACCESS_PRIVATE), 0);
	storage_free(w->node[1]);
	start_agent(w, 1);
	assert_int_equal(unmap(w, 1, 4), -ESTALE);
	assert_int_equal(storage_world_users(w->disks, DISKS, "web1", ACCESS_PRIVATE), 1);
	assert_int_equal(unmap(w, 1, 5), 0);
	assert_int_equal(storage_world_users(w->disks, DISKS, "web1", ACCESS_PRIVATE), 0);
}

/* A node without power has nothing open: its guests' disks may go to another. */
static void node_loses_power(void **state)
{
	struct world *w = *state;

	assert_int_equal(map(w, 1, 5, ACCESS_PRIVATE), 0);
	storage_free(w->node[1]);
	w->node[1] = NULL;
	storage_world_node_gone(w->disks, 1);
	assert_int_equal(map(w, 2, 6, ACCESS_PRIVATE), 0);
	assert_int_equal(storage_world_violations(w->disks), 0);
}

static void full(void **state)
{
	struct world *w = *state;

	storage_world_capacity(w->disks, 10 * MIB);
	assert_int_equal(create(w, 1, "big", 3 * MIB), -ENOSPC);
	assert_int_equal(create(w, 1, "small", 2 * MIB), 0);
	assert_int_equal(settle(w, storage_remove(w->node[1], "fast", "web1", on_done, w, NULL)),
			 0);
	assert_int_equal(create(w, 1, "big", 8 * MIB), 0);
}

struct fault {
	int code;
	int64_t delay_us;
};

static int inject(void *ctx, enum storage_op op, uint32_t node, const char *volume,
		  int64_t *delay_us)
{
	const struct fault *f = ctx;

	assert_int_equal(op, STORAGE_MAP);
	assert_int_equal(node, 2);
	assert_string_equal(volume, "web1");
	*delay_us = f->delay_us;
	return f->code;
}

/* Slow: the answer and the effect come when the hook says. Failed: no effect. */
static void slow_and_failing(void **state)
{
	struct world *w = *state;
	struct fault fault = { .code = -EIO, .delay_us = 90 * US_PER_S };
	struct mono before = env_now(&w->env);

	storage_world_faults(w->disks, inject, &fault);
	assert_int_equal(map(w, 2, 5, ACCESS_PRIVATE), -EIO);
	assert_int_equal(mono_diff_us(w->ended, before), fault.delay_us);
	assert_int_equal(storage_world_users(w->disks, DISKS, "web1", ACCESS_PRIVATE), 0);
	fault = (struct fault){ .delay_us = 5 };
	assert_int_equal(map(w, 2, 5, ACCESS_PRIVATE), 0);
}

static void never_outside_a_simulator(void **state)
{
	static const struct storage_backend *const plain[] = { &storage_sim, NULL };
	const struct pool_conf conf = { .name = "fast", .backend = "sim", .path = DISKS };
	struct world *w = *state;
	struct storage *s = storage_new(&w->env, NULL, plain);

	assert_int_equal(storage_pool(s, &conf, NULL), -EINVAL);
	storage_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shared_disks, setup, teardown),
		cmocka_unit_test_setup_teardown(second_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(older_epoch, setup, teardown),
		cmocka_unit_test_setup_teardown(migration_is_no_violation, setup, teardown),
		cmocka_unit_test_setup_teardown(agent_restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(agent_closes_what_its_predecessor_opened, setup,
						teardown),
		cmocka_unit_test_setup_teardown(node_loses_power, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_and_failing, setup, teardown),
		cmocka_unit_test_setup_teardown(never_outside_a_simulator, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
