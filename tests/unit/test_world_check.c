/* SPDX-License-Identifier: Apache-2.0
 * Each check of the simulator can fail: the promise is broken on purpose, and the check says so. */
#include "kit/kit.h"

#include "cluster/ledger_priv.h"
#include "engine/engine_priv.h"
#include "explore/cast.h"
#include "explore/settle.h"
#include "hypervisor/spec.h"
#include "world/witness.h"
#include "world/world_priv.h"

#include <stdlib.h>
#include <string.h>

#define S US_PER_S
#define NOBODY 7		/* a node that no ring knows */

static const struct shape shape = { 3, 2, 0 };

static void assert_broken(struct world *w, const char *word)
{
	world_run(w, 2 * S);
	assert_non_null(world_broken(w));
	if (!strstr(world_broken(w), word))
		fail_msg("not the check that was meant: %s", world_broken(w));
	world_free(w);
}

/* g1 has two volumes and runs; g2 has one. */
static struct world *two_guests(void)
{
	struct world *w = cast_new(1, &shape);

	cluster_until(w, (struct cluster_wish){ 1, "g1", GUEST_RUNNING, 0, 0 }, 20 * S);
	cluster_until(w, (struct cluster_wish){ 1, "g2", GUEST_RUNNING, 0, 0 }, 20 * S);
	world_run(w, S);
	assert_null(world_broken(w));
	return w;
}

static void rename_cluster(struct world *w)
{
	struct command c = { .kind = CMD_CLUSTER_NAME };
	struct err err = { 0 };

	STRCPY(c.name, "renamed");
	assert_int_equal(world_order(w, 1, &c, &err), 0);
}

/* ---- processes ---- */

static void nothing(void *ctx, const struct err *err)
{
	(void)ctx, (void)err;
}

static void no_event(void *ctx, struct domain *domain, enum domain_event event, const char *why)
{
	(void)ctx, (void)domain, (void)event, (void)why;
}

/* Starts a process of @guest where no agent knows of it; @run: its vCPUs too. */
static struct driver start_elsewhere(struct world *w, const char *guest, bool run)
{
	static const struct driver_events events = { .event = no_event };
	const struct guest *g = cluster_guest(w, 1, guest);
	struct driver d = sim_driver_new(world_guests(w), "n7", world_env(w), &events, NULL);
	struct domain_args args = { .epoch = g->owner.epoch };
	struct guest_spec *spec;
	struct domain *domain;
	struct err err;

	assert_int_equal(spec_parse(g->spec, strlen(g->spec), &spec, &err), 0);
	args.spec = spec;
	assert_int_equal(d.ops->create(d.drv, &args, nothing, NULL, &domain, &err), 0);
	world_run(w, S);
	if (run)
		assert_int_equal(d.ops->cont(d.drv, domain, nothing, NULL, &err), 0);
	world_run(w, S);
	spec_free(spec);
	return d;
}

static void test_a_guest_runs_twice(void **state)
{
	struct world *w = two_guests();
	struct driver d = start_elsewhere(w, "g1", true);

	(void)state;
	d.ops->free(d.drv);
	assert_broken(w, "a guest runs on");
}

static void test_a_guest_runs_without_ownership(void **state)
{
	struct world *w = two_guests();
	struct driver d;

	(void)state;
	cluster_want(w, 1, "g1", DESIRED_STOPPED);
	cluster_until(w, (struct cluster_wish){ 1, "g1", GUEST_STOPPED, 0, 0 }, 20 * S);
	d = start_elsewhere(w, "g1", true);
	d.ops->free(d.drv);
	assert_broken(w, "not its owner");
}

/* The switch says that n1 is off, to status too: what comes of that is nobody's broken promise. */
static void test_a_lie_excuses(void **state)
{
	struct world *w = two_guests();
	uint32_t on = cluster_guest(w, 1, "g1")->owner.node, ask = on % 3 + 1;

	(void)state;
	world_set_fence_device(w, on, WORLD_FENCE_LIES);
	world_agent_kill(w, on);
	assert_false(world_excused(w));
	cluster_until(w, (struct cluster_wish){ ask, "g1", GUEST_RECOVERING, on, 0 }, 60 * S);
	world_run(w, 2 * S);
	assert_true(world_powered(w, on));
	assert_true(world_excused(w));
	assert_null(world_broken(w));
	world_free(w);
}

/* ---- volumes ---- */

static void test_a_guest_runs_without_volumes(void **state)
{
	struct world *w = two_guests();

	(void)state;
	storage_world_node_gone(world_disks(w), cluster_guest(w, 1, "g1")->owner.node);
	assert_broken(w, "without its volumes");
}

static void mapped(void *ctx, const struct err *err, const char *path)
{
	(void)ctx, (void)err, (void)path;
}

static void map_elsewhere(struct world *w, const char *volume, enum access_mode mode)
{
	struct storage_backend b = storage_world_backend(world_disks(w));
	struct pool_conf conf = { .name = CLUSTER_POOL, .path = CLUSTER_POOL_PATH };
	struct ticket t = { .pool = CLUSTER_POOL, .node = NOBODY, .epoch = UINT64_MAX, .mode = mode };
	struct err err;
	void *pool;

	STRCPY(t.volume, volume);
	assert_int_equal(b.open(b.shared, &conf, world_env(w), NULL, &pool, &err), 0);
	assert_int_equal(b.map(pool, &t, mapped, NULL, &err), 0);
	world_run(w, S);
	b.close(pool);
}

static void test_a_second_writer(void **state)
{
	struct world *w = two_guests();

	(void)state;
	map_elsewhere(w, "v1", ACCESS_PRIVATE);
	assert_broken(w, "another's");
}

/* As if an entry had given g2 a volume of g1. */
static void test_two_guests_write_a_volume(void **state)
{
	struct world *w = two_guests();
	struct guest *g = model_guest(witness_model(w->witness), "g2");

	(void)state;
	STRCPY(g->volumes.v[0].name, "v1");
	rename_cluster(w);
	assert_broken(w, "written by");
}

/* ---- the ledger ---- */

/* As if an entry had given the guest away; nobody reported, and nothing was proven. */
static void test_an_owner_without_a_proof(void **state)
{
	struct world *w = two_guests();
	struct guest *g = model_guest(witness_model(w->witness), "g1");

	(void)state;
	g->owner.node = 1 + g->owner.node % 3;
	rename_cluster(w);
	assert_broken(w, "without a proof");
}

/* As if an entry had proven the end of a life that goes on. */
static void test_a_proof_that_is_not_true(void **state)
{
	struct world *w = two_guests();
	struct node *n = model_node(witness_model(w->witness), 2);

	(void)state;
	n->proof = (struct proof){ .kind = PROOF_FENCED, .incarnation = n->incarnation, .index = witness_model(w->witness)->index + 1 };
	rename_cluster(w);
	assert_broken(w, "proven off");
}

/* The last command in what node 3's disk knows to be committed. */
static struct ledger_entry *last_command(struct world *w)
{
	struct ledger_image *disk = &w->nodes[3].disk.image;
	size_t i = disk->committed;

	while (disk->entries.v[i - 1].kind != ENTRY_COMMAND)
		i--;
	return &disk->entries.v[i - 1];
}

/* A disk that has another command where one was acknowledged. */
static void test_a_command_is_lost(void **state)
{
	struct world *w = two_guests();

	(void)state;
	world_agent_kill(w, 3);
	last_command(w)->id.nonce ^= 1;
	world_agent_start(w, 3);
	assert_broken(w, "another entry");
}

static void test_an_outcome_that_is_not_true(void **state)
{
	struct world *w = two_guests();
	struct command_id id = last_command(w)->id;

	(void)state;
	witness_told(w, &id, last_command(w)->index - 1);
	assert_broken(w, "and it was not");
}

/* A repetition falls out by what is remembered of its agent's life; which another life has made forgotten. */
static void test_a_command_is_applied_twice(void **state)
{
	struct world *w = two_guests();
	struct ledger_entry again = *last_command(w), other = again;

	(void)state;
	other.id.nonce ^= UINT64_C(1) << 40;
	other.index = witness_model(w->witness)->index + 1;
	again.index = other.index + 1;
	witness_entry(w, &again);
	assert_null(world_broken(w));
	witness_entry(w, &other);
	witness_entry(w, &again);
	assert_broken(w, "applied twice");
}

/* What a node takes as a whole is compared as such as soon as the witness is where it is. */
static void test_a_snapshot_differs(void **state)
{
	struct world *w = two_guests();

	(void)state;
	state_replace(world_engine(w, 3)->state, state_new());
	rename_cluster(w);
	assert_broken(w, "is not what the ledger says");
}

static void test_a_snapshot_of_what_nobody_has_applied(void **state)
{
	struct world *w = two_guests();

	(void)state;
	state_model(world_engine(w, 3)->state)->index += 100;
	assert_broken(w, "which nobody has applied");
}

static void test_a_replica_differs(void **state)
{
	struct world *w = two_guests();

	(void)state;
	model_guest(engine_model(world_engine(w, 2)), "g1")->memory_mib++;
	for (int i = 0; i < 300; i++)
		rename_cluster(w);
	assert_broken(w, "the state of n2");
}

/* ---- the end ---- */

static void assert_unsettled(struct world *w, const char *what)
{
	const char *is = settle(w, &shape);

	assert_non_null(is);
	assert_string_equal(is, what);
	world_free(w);
}

static int hangs(void *ctx, enum storage_op op, uint32_t node, const char *volume, int64_t *delay_us)
{
	(void)ctx, (void)op, (void)node, (void)volume;
	*delay_us = 3600 * S;
	return 0;
}

static void test_an_operation_hangs(void **state)
{
	struct world *w = two_guests();
	struct command c = cluster_volume(CMD_VOLUME_CREATE, "slow");
	struct err err;

	(void)state;
	storage_world_faults(world_disks(w), hangs, NULL);
	assert_int_equal(world_order(w, 1, &c, &err), 0);
	assert_unsettled(w, "it does not settle");
}

static void test_replicas_differ_at_the_end(void **state)
{
	struct world *w = two_guests();

	(void)state;
	model_guest(engine_model(world_engine(w, 2)), "g1")->memory_mib++;
	assert_unsettled(w, "the replicas differ");
}

static void test_a_process_is_left(void **state)
{
	struct world *w = two_guests();
	struct driver d = start_elsewhere(w, "g1", false);

	(void)state;
	d.ops->free(d.drv);
	assert_unsettled(w, "what runs is not what the model says");
}

static void test_a_volume_is_left_open(void **state)
{
	struct world *w = two_guests();

	(void)state;
	map_elsewhere(w, "v1", ACCESS_SHARED);
	assert_unsettled(w, "what is open is not what the model says");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_guest_runs_twice),
		cmocka_unit_test(test_a_guest_runs_without_ownership),
		cmocka_unit_test(test_a_lie_excuses),
		cmocka_unit_test(test_a_guest_runs_without_volumes),
		cmocka_unit_test(test_a_second_writer),
		cmocka_unit_test(test_two_guests_write_a_volume),
		cmocka_unit_test(test_an_owner_without_a_proof),
		cmocka_unit_test(test_a_proof_that_is_not_true),
		cmocka_unit_test(test_a_command_is_lost),
		cmocka_unit_test(test_an_outcome_that_is_not_true),
		cmocka_unit_test(test_a_command_is_applied_twice),
		cmocka_unit_test(test_a_snapshot_differs),
		cmocka_unit_test(test_a_snapshot_of_what_nobody_has_applied),
		cmocka_unit_test(test_a_replica_differs),
		cmocka_unit_test(test_an_operation_hangs),
		cmocka_unit_test(test_replicas_differ_at_the_end),
		cmocka_unit_test(test_a_process_is_left),
		cmocka_unit_test(test_a_volume_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
