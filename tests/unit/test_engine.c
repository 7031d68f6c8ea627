/* SPDX-License-Identifier: Apache-2.0
 * Three whole engines in one process and in virtual time: start, crash, fence, recover; and the same again, to the letter. */
#include "kit/kit.h"

#include "cluster/ledger_priv.h"
#include "engine/command.h"
#include "engine/engine_priv.h"
#include "world/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S US_PER_S

/* Starts a guest, takes the power from the node it runs on; the others fence that node and start the guest again. Ends with the trace. */
static char *start_crash_recover(uint64_t seed)
{
	struct world *w = cluster_new(seed, 3);
	uint32_t victim, asked;
	char *trace;

	cluster_define(w, "web1", 256);
	cluster_want(w, 2, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	victim = cluster_guest(w, 1, "web1")->owner.node;
	asked = victim == 1 ? 2 : 1;
	world_crash(w, victim);
	cluster_until(w, (struct cluster_wish){ asked, "web1", GUEST_RUNNING, victim, 0 }, 20 * S);
	assert_int_equal(model_node(engine_model(world_engine(w, asked)), victim)->state, NODE_FENCED);
	world_run(w, 2 * S);
	assert_null(world_broken(w));
	trace = mem_strdup(world_trace(w));
	world_free(w);
	return trace;
}

static void test_crash_is_recovered(void **state)
{
	char *trace = start_crash_recover(1);

	(void)state;
	assert_non_null(strstr(trace, "web1"));
	free(trace);
}

/* The whole run is a function of its seed: two runs give the same log, to the letter; another seed another one. */
static void test_same_seed_same_trace(void **state)
{
	char *a = start_crash_recover(7), *b = start_crash_recover(7);

	(void)state;
	assert_string_equal(a, b);
	free(a);
	free(b);
}

/* A live migration hands over, and the digests of all three are equal at the same index afterwards. */
static void test_migration(void **state)
{
	struct world *w = cluster_new(3, 3);
	struct command c = { .kind = CMD_GUEST_MIGRATE };
	struct err err = { 0 };
	char a[65], b[65];
	uint32_t from;

	(void)state;
	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	from = cluster_guest(w, 1, "web1")->owner.node;
	STRCPY(c.name, "web1");
	assert_int_equal(world_order(w, 1, &c, &err), 0);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, from, 0 }, 60 * S);
	world_run(w, 2 * S);
	assert_true(cluster_all_current(w, S));
	assert_null(world_broken(w));
	assert_int_equal(engine_model(world_engine(w, 1))->index, engine_model(world_engine(w, 2))->index);
	assert_string_equal(engine_digest(world_engine(w, 1), a), engine_digest(world_engine(w, 2), b));
	assert_string_equal(engine_digest(world_engine(w, 1), a), engine_digest(world_engine(w, 3), b));
	world_free(w);
}

/* A running guest with one volume; returns the node it is on. */
static uint32_t start_with_volume(struct world *w)
{
	struct cluster_guest_conf conf = { .name = "web1", .memory_mib = 256, .volumes = { "disk" } };
	struct command create = cluster_volume(CMD_VOLUME_CREATE, "disk"), define = cluster_definition(&conf);
	struct err err = { 0 };

	cluster_pool(w);
	assert_int_equal(world_order(w, 1, &create, &err), 0);
	world_run(w, S);
	assert_int_equal(world_order(w, 1, &define, &err), 0);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	return cluster_guest(w, 1, "web1")->owner.node;
}

static void migrate(struct world *w)
{
	struct command c = { .kind = CMD_GUEST_MIGRATE };
	struct err err = { 0 };

	STRCPY(c.name, "web1");
	assert_int_equal(world_order(w, 1, &c, &err), 0);
}

static size_t users(struct world *w, enum access_mode mode)
{
	return storage_world_users(world_disks(w), CLUSTER_POOL_PATH, "disk", mode);
}

/* A volume is shared by two while its guest migrates, then private to the new owner, and nobody was ever refused. */
static void test_volume_follows_its_guest(void **state)
{
	struct world *w = cluster_new(8, 3);
	uint32_t from = start_with_volume(w);

	(void)state;
	assert_int_equal(users(w, ACCESS_PRIVATE), 1);
	migrate(w);
	world_run(w, 250 * US_PER_MS);
	assert_int_equal(users(w, ACCESS_SHARED), 2);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, from, 0 }, 20 * S);
	world_run(w, S);
	assert_int_equal(users(w, ACCESS_PRIVATE), 1);
	assert_int_equal(users(w, ACCESS_SHARED), 0);
	assert_int_equal(storage_world_violations(world_disks(w)), 0);
	world_free(w);
}

/* The pool's folder is not there, on no node. */
static int no_folder(void *ctx, enum storage_op op, uint32_t node, const char *volume, int64_t *delay_us)
{
	(void)ctx;
	(void)node;
	(void)volume;
	(void)delay_us;
	return op == STORAGE_CREATE || op == STORAGE_REMOVE ? -ENODEV : 0;
}

static bool volume_settles(struct world *w, enum command_kind kind, const char *name)
{
	struct command c = cluster_volume(kind, name);
	const struct volume *v;
	struct err err = { 0 };

	assert_int_equal(world_order(w, 1, &c, &err), 0);
	world_run(w, 2 * S);
	v = model_volume(engine_model(world_engine(w, 1)), CLUSTER_POOL, name);
	assert_true(!v || !v->operation);
	return v && v->state != VOLUME_READY;
}

/*
 * A volume that never came to be can be deleted when its pool's folder is missing: nothing is there. A good one cannot at
 * first, since the folder may be missing for a moment only; asked again, now that it has failed, it is.
 */
static void test_volume_without_a_folder(void **state)
{
	struct world *w = cluster_new(12, 3);

	(void)state;
	cluster_pool(w);
	assert_false(volume_settles(w, CMD_VOLUME_CREATE, "good"));
	storage_world_faults(world_disks(w), no_folder, NULL);
	assert_true(volume_settles(w, CMD_VOLUME_CREATE, "never"));
	assert_false(volume_settles(w, CMD_VOLUME_DELETE, "never"));
	assert_true(volume_settles(w, CMD_VOLUME_DELETE, "good"));
	assert_false(volume_settles(w, CMD_VOLUME_DELETE, "good"));
	assert_null(model_volume(engine_model(world_engine(w, 1)), CLUSTER_POOL, "good"));
	world_free(w);
}

/* The target's agent dies after it has mapped the volume: the agent that follows lets go of it. */
static void test_no_volume_is_left_behind(void **state)
{
	struct world *w = cluster_new(9, 3);
	uint32_t from = start_with_volume(w), target;

	(void)state;
	migrate(w);
	world_run(w, 120 * US_PER_MS);
	target = cluster_guest(w, from, "web1")->move.target.node;
	assert_int_equal(users(w, ACCESS_SHARED), 2);
	world_agent_kill(w, target);
	cluster_until(w, (struct cluster_wish){ from, "web1", GUEST_RUNNING, 0, from }, 20 * S);
	world_agent_start(w, target);
	assert_true(cluster_all_current(w, 20 * S));
	world_run(w, 2 * S);
	assert_int_equal(users(w, ACCESS_PRIVATE), 1);
	assert_int_equal(users(w, ACCESS_SHARED), 0);
	assert_int_equal(storage_world_violations(world_disks(w)), 0);
	world_free(w);
}

/* Its disk fails while it is being sent: too early to be told, so it is told once the migration is over. */
static void test_io_error_during_migration(void **state)
{
	struct world *w = cluster_new(10, 3);
	uint32_t from = start_with_volume(w);
	char node[16];

	(void)state;
	migrate(w);
	world_run(w, 30 * US_PER_MS);
	snprintf(node, sizeof(node), "n%u", from);
	assert_int_equal(sim_guest_deed(world_guests(w), node, &cluster_guest(w, 1, "web1")->uuid, SIM_LOSES_DISK), 0);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_IO_ERROR, 0, from }, 20 * S);
	world_free(w);
}

/* An agent that dies and comes back touches no guest: the same process goes on, in the same epoch. */
static void test_agent_restart_adopts(void **state)
{
	struct world *w = cluster_new(4, 3);
	uint32_t on;
	uint64_t epoch;
	struct domain_info info;

	(void)state;
	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	on = cluster_guest(w, 1, "web1")->owner.node;
	assert_int_equal(engine_domain(world_engine(w, on), "web1", &info), 0);
	epoch = info.epoch;
	world_agent_kill(w, on);
	world_run(w, 2 * S);
	world_agent_start(w, on);
	assert_true(cluster_all_current(w, 20 * S));
	world_run(w, 2 * S);
	assert_int_equal(engine_domain(world_engine(w, on), "web1", &info), 0);
	assert_int_equal(info.epoch, epoch);
	assert_int_equal(info.state, DOMAIN_RUNNING);
	cluster_until(w, (struct cluster_wish){ on, "web1", GUEST_RUNNING, 0, on }, S);
	world_free(w);
}

static bool is_sending(struct world *w, void *ctx)
{
	(void)ctx;
	return cluster_guest(w, 2, "web1")->move.phase == MOVE_SENDING;
}

/*
 * The source's agent dies while the guest is being sent. By the time that its successor hears from the QEMU, all may be sent, or
 * not: the migration is not taken for failed meanwhile, and the guest does not stand still for ever.
 */
static void test_agent_restarts_while_sending(void **state)
{
	static const struct world_faults deaf = { .hypervisor = 100 }, none;

	(void)state;
	for (int64_t gap = 0; gap < 1000; gap += 100) {
		struct world *w = cluster_new(11, 3);
		uint32_t from = start_with_volume(w);

		migrate(w);
		assert_true(world_until(w, is_sending, NULL, 20 * S));
		world_run(w, 50 * US_PER_MS);
		world_agent_kill(w, from);
		world_run(w, gap * US_PER_MS);
		world_set_faults(w, &deaf);
		world_agent_start(w, from);
		world_run(w, 10);
		world_set_faults(w, &none);
		assert_true(cluster_all_current(w, 20 * S));
		cluster_until(w, (struct cluster_wish){ 2, "web1", GUEST_RUNNING, 0, 0 }, 60 * S);
		world_run(w, S);
		assert_int_equal(sim_world_running(world_guests(w), &cluster_guest(w, 2, "web1")->uuid), 1);
		assert_null(world_broken(w));
		world_free(w);
	}
}

static bool vcpus_run(struct world *w, void *ctx)
{
	(void)ctx;
	return sim_world_running(world_guests(w), &cluster_guest(w, 1, "web1")->uuid) > 0;
}

/* A guest that powers itself off as soon as it runs is stopped, and not taken for one that crashed. */
static void test_powers_off_at_once(void **state)
{
	struct world *w = cluster_new(12, 3);
	const struct guest *g;
	char node[16];

	(void)state;
	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	g = cluster_guest(w, 1, "web1");
	assert_true(world_until(w, vcpus_run, NULL, 20 * S));
	snprintf(node, sizeof(node), "n%u", g->owner.node);
	assert_int_equal(sim_guest_deed(world_guests(w), node, &g->uuid, SIM_POWERS_OFF), 0);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_STOPPED, 0, 0 }, 20 * S);
	world_run(w, 5 * S);
	assert_int_equal(cluster_guest(w, 1, "web1")->desired, DESIRED_STOPPED);
	assert_int_equal(cluster_guest(w, 1, "web1")->state, GUEST_STOPPED);
	world_free(w);
}

/* A node that is cut off refuses orders in a sentence; its guest is fenced away by the majority, and never runs twice. */
static void test_minority_refuses(void **state)
{
	struct world *w = cluster_new(5, 3);
	struct command c = { .kind = CMD_GUEST_WANT, .desired = DESIRED_STOPPED };
	struct err err = { 0 };
	uint32_t on, other;

	(void)state;
	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	on = cluster_guest(w, 1, "web1")->owner.node;
	other = on == 1 ? 2 : 1;
	world_split(w, 1u << (on - 1));
	world_run(w, WORLD_TOKEN_US + 5 * US_PER_MS);
	STRCPY(c.name, "web1");
	assert_int_equal(world_order(w, on, &c, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "majority"));
	cluster_until(w, (struct cluster_wish){ other, "web1", GUEST_RUNNING, on, 0 }, 20 * S);
	assert_null(world_broken(w));
	world_free(w);
}

/* All nodes lose power and come back: the state is what it was, and what should run runs again. */
static void test_all_down_and_up(void **state)
{
	struct world *w = cluster_new(6, 3);

	(void)state;
	cluster_define(w, "web1", 256);
	cluster_define(w, "web2", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	for (uint32_t i = 1; i <= 3; i++)
		world_crash(w, i);
	world_run(w, 5 * S);
	for (uint32_t i = 1; i <= 3; i++)
		world_boot(w, i);
	assert_true(cluster_all_current(w, 30 * S));
	cluster_until(w, (struct cluster_wish){ 2, "web1", GUEST_RUNNING, 0, 0 }, 30 * S);
	cluster_until(w, (struct cluster_wish){ 3, "web2", GUEST_STOPPED, 0, 0 }, S);
	assert_null(world_broken(w));
	world_free(w);
}

/*
 * The node that runs a guest has a disk that takes @fsync_us. While it writes, the agent of another
 * one comes back: the view may open before it has spoken. @busy: commands come all the time.
 */
static void slow_disk_at_a_view(int64_t fsync_us, int64_t before_us, bool busy)
{
	struct world *w = cluster_new(11, 3);
	struct command c = { .kind = CMD_CLUSTER_NAME };
	uint32_t on, other, third;

	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	on = cluster_guest(w, 1, "web1")->owner.node;
	other = on == 1 ? 2 : 1;
	third = 6 - on - other;
	world_agent_kill(w, third);
	world_run(w, 5 * S);
	world_set_disk(w, on, fsync_us);
	STRCPY(c.name, "renamed");
	world_send(w, other, &c);
	world_run(w, before_us);
	world_agent_start(w, third);
	for (int i = 0; i < 600; i++) {
		world_run(w, 100 * US_PER_MS);
		if (busy)
			world_send(w, other, &c);
	}
	assert_true(world_powered(w, on));
	assert_int_equal(model_node(engine_model(world_engine(w, other)), on)->state, NODE_ONLINE);
	cluster_until(w, (struct cluster_wish){ other, "web1", GUEST_RUNNING, 0, on }, S);
	assert_true(cluster_all_current(w, 20 * S));
	world_free(w);
}

/* A disk that is slow but works costs a node nothing: it is listed as here as soon as it has spoken, and is not fenced. */
static void test_slow_disk_is_not_fenced(void **state)
{
	static const int64_t fsync_ms[] = { 60, 150, 200, 400, 700, 1200, 2500 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fsync_ms); i++) {
		slow_disk_at_a_view(fsync_ms[i] * US_PER_MS, 20 * US_PER_MS, false);
		slow_disk_at_a_view(fsync_ms[i] * US_PER_MS, fsync_ms[i] * US_PER_MS - 10 * US_PER_MS, false);
		slow_disk_at_a_view(fsync_ms[i] * US_PER_MS, 20 * US_PER_MS, true);
	}
}

static void same_logs(struct world *w, uint32_t a, uint32_t b)
{
	const ledger_entries *x = &world_disk_image(w, a)->entries, *y = &world_disk_image(w, b)->entries;

	for (size_t i = 0; i < x->n && i < y->n; i++) {
		assert_int_equal(x->v[i].term, y->v[i].term);
		assert_true(command_id_equal(&x->v[i].id, &y->v[i].id));
	}
}

/*
 * All nodes propose at once, and the network is cut in the middle of it: who is cut off may have missed a message of the
 * others, and then hears its own ones that came after it (corosync's transitional configuration). Its log has them where
 * the others have something else, of the same term. None of that may count when it is back.
 */
static void cut_among_commands(uint64_t seed)
{
	struct world *w = cluster_new(seed, 3);
	struct world_faults faults = { .order = 50 };

	world_set_faults(w, &faults);
	for (uint32_t i = 0; i < 12; i++) {
		struct command c = { .kind = CMD_CLUSTER_NAME };

		STRCPY(c.name, "renamed");
		world_send(w, 1 + i % 3, &c);
		world_run(w, 100 + (int64_t)seed % 7 * 100);
	}
	world_split(w, 1u << 2);
	world_run(w, (int64_t)(seed % 3) * S);
	world_split(w, 0);
	world_run(w, 5 * S);
	assert_true(cluster_all_current(w, 30 * S));
	world_run(w, 2 * S);
	same_logs(w, 1, 2);
	same_logs(w, 1, 3);
	world_free(w);
}

static void test_cut_among_commands(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++)
		cut_among_commands(seed);
}

static bool current(struct world *w, void *ctx)
{
	struct engine_status s;

	engine_status(world_engine(w, *(uint32_t *)ctx), &s);
	return s.current;
}

/* Every disk but those of the first @fast nodes takes @fsync_us, and an agent comes back. */
static void view_on_slow_disks(int64_t fsync_us, uint32_t fast)
{
	struct world *w = cluster_new(12, 3);

	for (uint32_t i = fast + 1; i <= 3; i++)
		world_set_disk(w, i, fsync_us);
	world_agent_kill(w, 3);
	world_run(w, 40 * S);
	world_agent_start(w, 3);
	for (uint32_t i = 1; i <= 3; i++)
		assert_true(world_until(w, current, &i, 60 * S));
	world_run(w, 60 * S);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(model_node(engine_model(world_engine(w, 1)), i)->state, NODE_ONLINE);
	world_free(w);
}

/* A view opens however long a promise takes to reach the disk: nobody gives up a round sooner each time. */
static void test_a_view_opens_on_slow_disks(void **state)
{
	static const int64_t fsync_ms[] = { 300, 600, 1000, 1500, 3000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fsync_ms); i++) {
		view_on_slow_disks(fsync_ms[i] * US_PER_MS, 0);
		view_on_slow_disks(fsync_ms[i] * US_PER_MS, 1);
	}
}

static void rename_cluster(struct world *w, uint32_t node)
{
	struct command c = { .kind = CMD_CLUSTER_NAME };
	struct err err = { 0 };

	STRCPY(c.name, "renamed");
	assert_int_equal(world_order(w, node, &c, &err), 0);
}

static int64_t model_time(struct world *w, uint32_t node)
{
	return engine_model(world_engine(w, node))->time_us;
}

/* About, and without what was added to it. */
static int64_t wall(struct world *w)
{
	return INT64_C(1700000000) * S + world_now(w);
}

static void set_clocks(struct world *w, int64_t ahead_us)
{
	for (uint32_t i = 1; i <= 3; i++)
		world_set_wall(w, i, ahead_us);
}

/*
 * All clocks are set back by an hour. Ledger time does not fall, and does not stand still either: a node whose agent
 * is away is fenced after its time, and its guest starts elsewhere.
 */
static void test_clocks_set_back(void **state)
{
	struct world *w = cluster_new(2, 3);
	uint32_t on, asked;

	(void)state;
	set_clocks(w, 3600 * S);
	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	on = cluster_guest(w, 1, "web1")->owner.node;
	asked = on == 1 ? 2 : 1;
	set_clocks(w, 0);
	world_run(w, 5 * S);
	world_agent_kill(w, on);
	world_run(w, 25 * S);
	assert_true(world_powered(w, on));
	cluster_until(w, (struct cluster_wish){ asked, "web1", GUEST_RUNNING, on, 0 }, 30 * S);
	assert_null(world_broken(w));
	world_free(w);
}

/*
 * While the clocks are behind ledger time, what is written with a time (a pause before the next start, a deadline) is
 * as far away as ever: ledger time goes on with each command. In the end the clocks have caught up with it.
 */
static void test_ledger_time_goes_on(void **state)
{
	struct world *w = cluster_new(13, 3);
	int64_t began, took;

	(void)state;
	set_clocks(w, 200 * S);
	world_run(w, S);		/* the others' ticks must show it, or the stamp is refused */
	rename_cluster(w, 1);
	set_clocks(w, 0);
	began = model_time(w, 2);
	for (int i = 0; i < 8; i++) {
		world_run(w, 20 * S);
		rename_cluster(w, 1);
	}
	took = model_time(w, 2) - began;
	assert_in_range(took, 139 * S, 141 * S);
	assert_true(model_time(w, 2) > wall(w) + 100 * S);
	world_run(w, 1600 * S);
	rename_cluster(w, 1);
	assert_true(model_time(w, 2) < wall(w) + 2 * S);
	world_free(w);
}

/*
 * The leader's clock alone is a day ahead: its stamps would be refused, and it decides by no time that the others would
 * not take. A node whose agent is away for ten seconds keeps its guest.
 */
static void test_leader_with_a_wrong_clock(void **state)
{
	struct world *w = cluster_new(14, 3);
	struct engine_status s;
	uint32_t on, leader;

	(void)state;
	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	on = cluster_guest(w, 1, "web1")->owner.node;
	world_agent_kill(w, on);
	world_run(w, S);
	engine_status(world_engine(w, on == 1 ? 2 : 1), &s);
	leader = s.ledger.leader;
	world_set_wall(w, leader, 86400 * S);
	world_run(w, S);
	rename_cluster(w, leader);	/* anything that makes policy look */
	world_run(w, 9 * S);
	assert_true(world_powered(w, on));
	world_agent_start(w, on);
	assert_true(world_until(w, current, &on, 20 * S));
	cluster_until(w, (struct cluster_wish){ leader, "web1", GUEST_RUNNING, 0, on }, S);
	assert_true(world_powered(w, on));
	world_free(w);
}

/*
 * The source's clock is a day ahead. Its migration has the time until the deadline by ledger time all the same: it bears
 * a network that is away for a second.
 */
static void test_migration_with_a_wrong_clock(void **state)
{
	struct world *w = cluster_new(16, 3);
	uint32_t from, target;

	(void)state;
	cluster_define(w, "web1", 256);
	cluster_want(w, 1, "web1", DESIRED_RUNNING);
	cluster_until(w, (struct cluster_wish){ 1, "web1", GUEST_RUNNING, 0, 0 }, 20 * S);
	from = cluster_guest(w, 1, "web1")->owner.node;
	world_set_wall(w, from, 86400 * S);
	world_run(w, S);
	migrate(w);
	assert_true(world_until(w, is_sending, &from, 20 * S));
	target = cluster_guest(w, from, "web1")->move.target.node;
	world_run(w, 50 * US_PER_MS);
	world_split(w, 1u << (target - 1));
	world_run(w, WORLD_TOKEN_US - 50 * US_PER_MS);
	world_split(w, 0);
	cluster_until(w, (struct cluster_wish){ target, "web1", GUEST_RUNNING, 0, target }, 10 * S);
	assert_null(world_broken(w));
	world_free(w);
}

/* A message of @type to @to as @from says it in the term that is open there. */
static void tell(struct engine *to, uint32_t from, struct ledger_msg *m)
{
	struct order_member sender = { .node = from };
	struct buf bytes = { 0 };

	m->view = to->ledger->digest;
	m->round = to->ledger->round;
	m->term = to->ledger->number;
	ledger_msg_out(m, &bytes);
	engine_order_events.message(to, sender, bytes.data, bytes.len);
	buf_free(&bytes);
}

/*
 * While the order takes nothing, what waits is bounded: one tick, the newest, and a few parts of the log however often
 * they are asked for. Afterwards all is well.
 */
static void test_queues_are_bounded(void **state)
{
	struct world *w = cluster_new(15, 3);
	struct engine *e = world_engine(w, 1);
	struct ledger_msg fetch = { .type = MSG_FETCH, .fetch = { .to = 1, .from = 1 } };

	(void)state;
	world_split(w, 1);
	world_run(w, WORLD_TOKEN_US / 2);
	assert_int_equal(e->queue[LEDGER_CLASS_TICK].n, 1);
	for (int i = 0; i < 100; i++)
		tell(e, 2, &fetch);
	assert_int_equal(e->queue[LEDGER_CLASS_TRANSFER].n, 32);
	world_split(w, 0);
	world_run(w, 5 * S);
	assert_int_equal(e->queue[LEDGER_CLASS_TRANSFER].n, 0);
	assert_true(cluster_all_current(w, 20 * S));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crash_is_recovered),
		cmocka_unit_test(test_same_seed_same_trace),
		cmocka_unit_test(test_migration),
		cmocka_unit_test(test_volume_follows_its_guest),
		cmocka_unit_test(test_volume_without_a_folder),
		cmocka_unit_test(test_no_volume_is_left_behind),
		cmocka_unit_test(test_io_error_during_migration),
		cmocka_unit_test(test_agent_restart_adopts),
		cmocka_unit_test(test_agent_restarts_while_sending),
		cmocka_unit_test(test_powers_off_at_once),
		cmocka_unit_test(test_minority_refuses),
		cmocka_unit_test(test_all_down_and_up),
		cmocka_unit_test(test_slow_disk_is_not_fenced),
		cmocka_unit_test(test_cut_among_commands),
		cmocka_unit_test(test_a_view_opens_on_slow_disks),
		cmocka_unit_test(test_clocks_set_back),
		cmocka_unit_test(test_ledger_time_goes_on),
		cmocka_unit_test(test_leader_with_a_wrong_clock),
		cmocka_unit_test(test_migration_with_a_wrong_clock),
		cmocka_unit_test(test_queues_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
