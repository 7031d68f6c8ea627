/* SPDX-License-Identifier: Apache-2.0
 * Applying: each kind of command, good and refused; what was decided on a record that has
 * changed is refused by all alike. The arena checks after each refusal that nothing has changed
 * and that there is a sentence. */
#include "kit/kit.h"

#include "arena/arena.h"

#include <stdlib.h>
#include <string.h>

static struct command about(enum command_kind kind, const char *name)
{
	struct command c = { .kind = kind };

	STRCPY(c.name, name);
	return c;
}

/* A definition that is fine as it is; the test then spoils one thing. */
static struct command definition(const char *name)
{
	struct command c = about(CMD_GUEST_DEFINE, name);

	c.guest = mem_new(struct guest);
	STRCPY(c.guest->name, name);
	memcpy(c.guest->uuid.b, name, strlen(name));
	c.guest->spec = mem_strdup("{}");
	c.guest->memory_mib = 64;
	return c;
}

static void name_volume(struct command *c, const char *volume, bool readonly)
{
	struct guest_volume *v = vec_add(&c->guest->volumes);

	STRCPY(v->pool, "p");
	STRCPY(v->name, volume);
	v->readonly = readonly;
}

static int pool(struct arena *a, const char *name, const char *backend, const char *path)
{
	struct command c = about(CMD_POOL_DEFINE, name);

	STRCPY(c.detail, backend);
	STRCPY(c.text, path);
	return arena_apply(a, &c);
}

static int volume(struct arena *a, enum command_kind kind, const char *name, uint64_t size)
{
	struct command c = about(kind, name);

	STRCPY(c.pool, "p");
	c.size = size;
	return arena_apply(a, &c);
}

static int volume_report(struct arena *a, const char *name, const char *failure)
{
	struct command c = { .kind = CMD_REPORT_DONE,
			     .ok = !failure,
			     .operation = model_volume(a->m, "p", name)->operation };

	STRCPY(c.text, failure ? failure : "");
	return arena_apply(a, &c);
}

static struct arena *with_volume(const char *name)
{
	struct arena *a = arena_new(3, false);

	assert_int_equal(pool(a, "p", "dir", "/srv"), 0);
	assert_int_equal(volume(a, CMD_VOLUME_CREATE, name, 1024), 0);
	assert_int_equal(volume_report(a, name, NULL), 0);
	return a;
}

static void test_no_such_command(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command low = { .kind = COMMAND_KIND_INVALID }, high = { .kind = COMMAND_KIND_MAX };
	struct command reads = { .kind = CMD_CLUSTER_NAME,
				 .name = "x",
				 .n_reads = COMMAND_READS_MAX + 1 };

	(void)state;
	assert_int_equal(arena_apply(a, &low), -EINVAL);
	assert_int_equal(arena_apply(a, &high), -EINVAL);
	assert_int_equal(arena_apply(a, &reads), -EINVAL);
	arena_free(a);
}

/* Empty commands of each kind, and commands about what is not there: refused, never harmful. */
static void test_empty_commands(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	for (int kind = 0; kind < COMMAND_KIND_MAX; kind++) {
		struct command empty = { .kind = (enum command_kind)kind };
		struct command nobody = about((enum command_kind)kind, "nobody");

		assert_true(arena_apply(a, &empty) < 0);
		nobody.node = 99;
		nobody.operation = 99;
		STRCPY(nobody.pool, "nowhere");
		if (kind != CMD_CLUSTER_NAME)
			assert_true(arena_apply(a, &nobody) < 0);
	}
	arena_free(a);
}

static void test_cluster_name(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command good = about(CMD_CLUSTER_NAME, "berlin-1"),
		       bad = about(CMD_CLUSTER_NAME, "a b\n");

	(void)state;
	assert_int_equal(arena_apply(a, &good), 0);
	assert_string_equal(a->m->cluster, "berlin-1");
	assert_int_equal(arena_apply(a, &bad), -EINVAL);
	arena_free(a);
}

/* Ledger time never falls, whatever the proposer's clock shows. */
static void test_ledger_time(void **state)
{
	struct arena *a = arena_new(1, false);
	int64_t before = a->m->time_us;

	(void)state;
	a->now -= 500 * US_PER_S;
	arena_define(a, "web1", 1);
	assert_int_equal(a->m->time_us, before);
	assert_int_equal(a->m->index, a->index);
	a->now += 501 * US_PER_S;
	arena_define(a, "web1", 1);
	assert_int_equal(a->m->time_us, before + US_PER_S);
	arena_free(a);
}

static void test_define(void **state)
{
	struct arena *a = with_volume("disk");
	struct command good = definition("web1");
	const struct guest *g;

	(void)state;
	name_volume(&good, "disk", false);
	good.guest->state = GUEST_RUNNING; /* what a definition does not say is not taken from it */
	good.guest->desired = DESIRED_RUNNING;
	good.guest->owner.node = 1;
	assert_int_equal(arena_apply(a, &good), 0);
	g = arena_guest(a, "web1");
	assert_int_equal(g->state, GUEST_STOPPED);
	assert_int_equal(g->desired, DESIRED_STOPPED);
	assert_int_equal(g->owner.node, 0);
	assert_int_equal(g->volumes.n, 1);
	assert_string_equal(g->spec, "{}");
	assert_int_equal(arena_decide(a), 0);
	arena_free(a);
}

static int define_spoiled(struct arena *a, void (*spoil)(struct command *))
{
	struct command c = definition("web2");

	spoil(&c);
	return arena_apply(a, &c);
}

static void no_guest(struct command *c)
{
	struct command rest = { .kind = CMD_GUEST_DEFINE };

	command_free(c);
	*c = rest;
}

static void no_spec(struct command *c)
{
	mem_freep(&c->guest->spec);
}
static void no_memory(struct command *c)
{
	c->guest->memory_mib = 0;
}
static void no_uuid(struct command *c)
{
	memset(&c->guest->uuid, 0, sizeof(c->guest->uuid));
}
static void bad_name(struct command *c)
{
	STRCPY(c->guest->name, "a/b");
}
static void no_name(struct command *c)
{
	c->guest->name[0] = '\0';
}
static void uuid_of_web1(struct command *c)
{
	memcpy(c->guest->uuid.b, "web1", 4);
}
static void other_uuid(struct command *c)
{
	STRCPY(c->guest->name, "web1");
}
static void volume_missing(struct command *c)
{
	name_volume(c, "none", false);
}
static void volume_taken(struct command *c)
{
	name_volume(c, "disk", true);
}
static void volume_new(struct command *c)
{
	name_volume(c, "new", true);
}
static void volume_twice(struct command *c)
{
	name_volume(c, "free", true), name_volume(c, "free", true);
}

static void test_define_refused(void **state)
{
	static const struct {
		void (*spoil)(struct command *c);
		int code;
		const char *text;
	} cases[] = {
		{ no_guest, -EINVAL, "no guest" },
		{ no_spec, -EINVAL, "specification" },
		{ no_memory, -EINVAL, "memory" },
		{ no_uuid, -EINVAL, "uuid" },
		{ bad_name, -EINVAL, "name" },
		{ no_name, -EINVAL, "name" },
		{ uuid_of_web1, -EEXIST, "web1 has this uuid" },
		{ other_uuid, -EEXIST, "of this name exists" },
		{ volume_missing, -ENOENT, "p/none does not exist" },
		{ volume_taken, -EBUSY, "belongs to guest web1" },
		{ volume_new, -ENOENT, "creating, not ready" },
		{ volume_twice, -EINVAL, "named twice" },
	};
	struct arena *a = with_volume("disk");
	struct command web1 = definition("web1");

	(void)state;
	name_volume(&web1, "disk", false);
	arena_apply(a, &web1);
	volume(a, CMD_VOLUME_CREATE, "free", 10);
	volume_report(a, "free", NULL);
	volume(a, CMD_VOLUME_CREATE, "new", 10);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(define_spoiled(a, cases[i].spoil), cases[i].code);
		if (!strstr(a->err.text, cases[i].text))
			fail_msg("'%s' does not hold '%s'", a->err.text, cases[i].text);
	}
	arena_free(a);
}

/* A volume has one guest, also when all only read it: a node holds it for one guest. */
static void test_shared_readonly(void **state)
{
	struct arena *a = with_volume("iso");
	struct command one = definition("web1"), two = definition("web2"),
		       writer = definition("web3");

	(void)state;
	name_volume(&one, "iso", true);
	name_volume(&two, "iso", true);
	name_volume(&writer, "iso", false);
	assert_int_equal(arena_apply(a, &one), 0);
	assert_int_equal(arena_apply(a, &two), -EBUSY);
	assert_int_equal(arena_apply(a, &writer), -EBUSY);
	arena_free(a);
}

/* The same guest can be defined anew while it is stopped, not while it runs or is to run. */
static void test_redefine(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command more = definition("web1"), late = definition("web1");

	(void)state;
	arena_define(a, "web1", 64);
	more.guest->memory_mib = 128;
	assert_int_equal(arena_apply(a, &more), 0);
	assert_int_equal(arena_guest(a, "web1")->memory_mib, 128);
	arena_want(a, "web1", DESIRED_RUNNING);
	assert_int_equal(arena_apply(a, &late), -EBUSY);
	arena_free(a);
}

static void test_undefine(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web1", 64, 1);
	assert_int_equal(arena_kind(a, CMD_GUEST_UNDEFINE, "web1", 0), -EBUSY);
	assert_non_null(strstr(a->err.text, "stop it first"));
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	assert_int_equal(arena_kind(a, CMD_GUEST_UNDEFINE, "web1", 0), -EBUSY);
	arena_done(a, "web1", OP_STOP, NULL);
	assert_int_equal(arena_kind(a, CMD_GUEST_UNDEFINE, "web1", 0), 0);
	assert_null(model_guest(a->m, "web1"));
	assert_int_equal(arena_kind(a, CMD_GUEST_UNDEFINE, "web1", 0), -ENOENT);
	arena_free(a);
}

/* Held guests can be undefined, or stopped, without being started again. */
static void test_held(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	for (int i = 0; i < 2; i++) {
		arena_define(a, "web1", 64);
		arena_want(a, "web1", DESIRED_RUNNING);
		arena_decide(a);
		arena_done(a, "web1", OP_START, "no");
		arena_decide(a);
		arena_is(a, "web1", GUEST_HELD, 0);
		if (i == 0) {
			assert_int_equal(arena_want(a, "web1", DESIRED_STOPPED), 0);
			arena_is(a, "web1", GUEST_STOPPED, 0);
		} else {
			assert_int_equal(arena_kind(a, CMD_GUEST_UNDEFINE, "web1", 0), 0);
		}
	}
	arena_free(a);
}

static void test_pools(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	assert_int_equal(pool(a, "p", "dir", "/srv"), 0);
	assert_int_equal(pool(a, "p", "dir", "/srv"), 0);
	assert_int_equal(pool(a, "p", "dir", "/other"), -EEXIST);
	assert_int_equal(pool(a, "../p", "dir", "/srv"), -EINVAL);
	assert_int_equal(pool(a, "q", "", "/srv"), -EINVAL);
	assert_int_equal(pool(a, "q", "a-backend-with-a-long-name", "/srv"), -EINVAL);
	assert_int_equal(pool(a, "q", "dir", ""), -EINVAL);
	arena_free(a);
}

/* A pool goes when nothing is in it and nobody names it; then its name may mean another place. */
static void test_pool_delete(void **state)
{
	struct arena *a = with_volume("disk");
	struct command web1 = definition("web1");

	(void)state;
	name_volume(&web1, "disk", false);
	arena_apply(a, &web1);
	assert_int_equal(arena_kind(a, CMD_POOL_DELETE, "q", 0), -ENOENT);
	assert_int_equal(arena_kind(a, CMD_POOL_DELETE, "p", 0), -EBUSY);
	assert_non_null(strstr(a->err.text, "guest web1 uses it"));
	arena_kind(a, CMD_GUEST_UNDEFINE, "web1", 0);
	assert_int_equal(arena_kind(a, CMD_POOL_DELETE, "p", 0), -EBUSY);
	assert_non_null(strstr(a->err.text, "volume p/disk is in it"));
	volume(a, CMD_VOLUME_DELETE, "disk", 0);
	volume_report(a, "disk", NULL);
	assert_int_equal(arena_kind(a, CMD_POOL_DELETE, "p", 0), 0);
	assert_null(model_pool(a->m, "p"));
	assert_true(arena_said(a, "pool deleted"));
	assert_int_equal(pool(a, "p", "dir", "/other"), 0);
	arena_free(a);
}

static void test_volume_life(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	assert_int_equal(volume(a, CMD_VOLUME_CREATE, "disk", 10), -ENOENT);
	pool(a, "p", "dir", "/srv");
	assert_int_equal(volume(a, CMD_VOLUME_CREATE, "disk", 0), -EINVAL);
	assert_int_equal(volume(a, CMD_VOLUME_CREATE, "a/b", 10), -EINVAL);
	assert_int_equal(volume(a, CMD_VOLUME_CREATE, "disk", 10), 0);
	assert_int_equal(volume(a, CMD_VOLUME_CREATE, "disk", 10), -EEXIST);
	assert_int_equal(volume(a, CMD_VOLUME_DELETE, "disk", 0), -EBUSY);
	assert_int_equal(model_operation(a->m, model_volume(a->m, "p", "disk")->operation)->node,
			 1);
	volume_report(a, "disk", "no space left");
	assert_int_equal(model_volume(a->m, "p", "disk")->state, VOLUME_FAILED);
	assert_string_equal(model_volume(a->m, "p", "disk")->reason, "no space left");
	assert_int_equal(volume(a, CMD_VOLUME_DELETE, "disk", 0), 0);
	assert_true(model_volume(a->m, "p", "disk")->was_failed);
	assert_int_equal(volume(a, CMD_VOLUME_DELETE, "disk", 0), 0);
	assert_true(model_volume(a->m, "p", "disk")->was_failed);
	volume_report(a, "disk", NULL);
	assert_null(model_volume(a->m, "p", "disk"));
	assert_int_equal(volume(a, CMD_VOLUME_DELETE, "disk", 0), -ENOENT);
	arena_free(a);
}

static void test_volume_in_use(void **state)
{
	struct arena *a = with_volume("disk");
	struct command web1 = definition("web1");

	(void)state;
	name_volume(&web1, "disk", false);
	arena_apply(a, &web1);
	assert_int_equal(volume(a, CMD_VOLUME_DELETE, "disk", 0), -EBUSY);
	assert_non_null(strstr(a->err.text, "belongs to guest web1"));
	arena_kind(a, CMD_GUEST_UNDEFINE, "web1", 0);
	assert_int_equal(volume(a, CMD_VOLUME_DELETE, "disk", 0), 0);
	arena_free(a);
}

/*
 * The node that was to do it is lost: it could still do it, and spoil what stands there by then.
 * So it is fenced, and only then another one does it; that one finds it done, perhaps. A new life
 * is a proof as good. Away is waited for.
 */
static void test_volume_executor_leaves(void **state)
{
	struct arena *a = arena_new(3, false);
	const struct operation *op;
	uint64_t first;

	(void)state;
	pool(a, "p", "dir", "/srv");
	volume(a, CMD_VOLUME_CREATE, "disk", 10);
	first = model_volume(a->m, "p", "disk")->operation;
	arena_open(a, N(2) | N(3), N(1) | N(2) | N(3));
	assert_int_equal(arena_decide(a), 0);
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_decide(a);
	assert_int_equal(model_volume(a->m, "p", "disk")->operation, first);
	arena_fenced(a, 1, NULL);
	arena_decide(a);
	op = model_operation(a->m, model_volume(a->m, "p", "disk")->operation);
	assert_int_equal(op->node, 2);
	assert_true(model_volume(a->m, "p", "disk")->again);
	assert_null(model_operation(a->m, first));
	arena_reboot(a, 2);
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_decide(a);
	op = model_operation(a->m, model_volume(a->m, "p", "disk")->operation);
	assert_int_equal(op->node, 2);
	volume_report(a, "disk", NULL);
	assert_int_equal(model_volume(a->m, "p", "disk")->state, VOLUME_READY);
	arena_free(a);
}

/* A decision holds only while what it has read is as it was (rule L11). */
static void test_stale_reads(void **state)
{
	struct arena *a = arena_new(2, false);
	struct ha_out out;
	struct command *c;

	(void)state;
	arena_define(a, "web1", 64);
	arena_want(a, "web1", DESIRED_RUNNING);
	ha_step(a->m, &a->conf, a->now, &out);
	assert_int_equal(out.commands.n, 1);
	c = &out.commands.v[0];
	assert_int_equal(c->kind, CMD_GUEST_START);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_want(a, "web1", DESIRED_RUNNING);
	assert_int_equal(arena_apply(a, c), -ESTALE);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	c->reads[0].revision = arena_guest(a, "web1")->revision;
	STRCPY(c->reads[0].guest, "gone");
	assert_int_equal(arena_apply(a, c), -ESTALE);
	c->reads[0] = (struct command_read){ .kind = RECORD_NODE, .node = 1, .revision = 1 };
	assert_int_equal(arena_apply(a, c), -ESTALE);
	c->reads[0].revision = model_node(a->m, 1)->revision;
	assert_int_equal(arena_apply(a, c), 0);
	ha_out_free(&out);
	arena_free(a);
}

/*
 * A grant to a node that has gone, or that came back in another life, or that is full now, is
 * refused whatever was read.
 */
static void test_stale_grants(void **state)
{
	struct arena *a = arena_new(2, false);
	struct command grant = about(CMD_GUEST_START, "web1"), moved = grant;

	(void)state;
	arena_define(a, "web1", 600);
	arena_want(a, "web1", DESIRED_RUNNING);
	grant.node = 1;
	grant.incarnation = arena_life(a, 1);
	arena_open(a, N(2), N(2));
	assert_int_equal(arena_apply(a, &grant), -ESTALE);
	arena_reboot(a, 1);
	arena_open(a, N(1) | N(2), N(1) | N(2));
	assert_int_equal(arena_apply(a, &grant), -ESTALE);
	arena_define(a, "big", 600);
	grant.incarnation = arena_life(a, 1);
	assert_int_equal(arena_apply(a, &grant), 0);
	arena_want(a, "big", DESIRED_RUNNING);
	STRCPY(moved.name, "big");
	moved.node = 1;
	moved.incarnation = arena_life(a, 1);
	assert_int_equal(arena_apply(a, &moved), -ESTALE);
	assert_non_null(strstr(a->err.text, "no room"));
	arena_free(a);
}

static void ordered(struct arena *a, struct command c, const char *expected)
{
	STRCPY(c.reason, "ordered by root on n2");
	assert_int_equal(arena_apply(a, &c), 0);
	assert_string_equal(a->m->events.v[a->m->events.n - 1].text, expected);
}

/* `why` and `events` tell of each order what was wanted, and who gave it where. */
static void test_who_wanted_what(void **state)
{
	struct arena *a = arena_new(3, false);
	struct command want = about(CMD_GUEST_WANT, "web1");
	struct command move = about(CMD_GUEST_MIGRATE, "web1");
	struct command node = { .node = 3 };

	(void)state;
	arena_define(a, "web1", 64);
	want.desired = DESIRED_RUNNING;
	want.node = 1;
	ordered(a, want, "is to run on n1, ordered by root on n2");
	arena_decide(a);
	arena_done(a, "web1", OP_START, NULL);
	move.node = 3;
	ordered(a, move, "is to migrate to n3, ordered by root on n2");
	arena_guest(a, "web1")->wants_move = false;
	move.node = 0;
	ordered(a, move, "is to migrate, ordered by root on n2");
	arena_guest(a, "web1")->wants_move = false;
	want.node = 0;
	want.desired = DESIRED_PAUSED;
	ordered(a, want, "is to pause, ordered by root on n2");
	want.desired = DESIRED_RUNNING;
	ordered(a, want, "is to go on, ordered by root on n2");
	want.desired = DESIRED_STOPPED;
	ordered(a, want, "is to stop, ordered by root on n2");
	want.stop_now = true;
	ordered(a, want, "is to stop at once, ordered by root on n2");
	node.kind = CMD_NODE_DRAIN;
	ordered(a, node, "maintenance: to be drained, ordered by root on n2");
	node.kind = CMD_NODE_ACTIVATE;
	ordered(a, node, "online: takes guests again, ordered by root on n2");
	node.kind = CMD_NODE_FENCE;
	ordered(a, node, "is to be fenced, ordered by root on n2");
	arena_free(a);
}

/*
 * Orders of policy make sense in their states only: the same again, or in another state, is
 * refused.
 */
static void test_orders_in_other_states(void **state)
{
	static const enum command_kind orders[] = { CMD_GUEST_STOP,   CMD_GUEST_PAUSE,
						    CMD_GUEST_RESUME, CMD_GUEST_HOLD,
						    CMD_MOVE_BEGIN,   CMD_MOVE_CANCEL,
						    CMD_GUEST_START };
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_define(a, "web1", 64);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		assert_true(arena_kind(a, orders[i], "web1", 2) < 0);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	assert_int_equal(arena_kind(a, CMD_GUEST_START, "web1", 2), -ESTALE);
	arena_done(a, "web1", OP_START, NULL);
	assert_int_equal(arena_kind(a, CMD_GUEST_PAUSE, "web1", 0), 0);
	assert_int_equal(arena_kind(a, CMD_GUEST_PAUSE, "web1", 0), -ESTALE);
	assert_int_equal(arena_kind(a, CMD_MOVE_BEGIN, "web1", 2), -ESTALE);
	assert_int_equal(arena_kind(a, CMD_GUEST_HOLD, "web1", 0), -EINVAL);
	assert_int_equal(arena_kind(a, CMD_FENCE, "", 2), -ENOENT);
	arena_free(a);
}

/*
 * Operations that a process hangs on cannot be dropped; a report about one that is over is
 * refused and harmless.
 */
static void test_operations(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command drop = { .kind = CMD_OPERATION_DROP, .reason = "why" };
	struct command again = { .kind = CMD_REPORT_DONE, .ok = true };

	(void)state;
	arena_define(a, "web1", 64);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	drop.operation = again.operation = arena_guest(a, "web1")->operation;
	assert_int_equal(arena_apply(a, &drop), -EINVAL);
	assert_int_equal(arena_apply(a, &again), 0);
	assert_int_equal(arena_apply(a, &again), -ESTALE);
	assert_int_equal(arena_apply(a, &drop), -ESTALE);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

/* What came from outside is shown as one line, cut at a character's end. */
static void test_hostile_text(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command c = about(CMD_REPORT_ENDED, "web1");
	const struct event *e;

	(void)state;
	arena_run(a, "web1", 64, 1);
	c.cause = END_CRASH;
	c.epoch = arena_guest(a, "web1")->owner.epoch;
	memset(c.text, 0, sizeof(c.text));
	memcpy(c.text, "\x1b[2J\n", 5);
	for (size_t i = 5; i + 3 < sizeof(c.text); i += 3)
		memcpy(c.text + i, "\xe2\x82\xac", 3);
	assert_int_equal(arena_apply(a, &c), 0);
	vec_each(e, &a->m->events) {
		size_t len = strlen(e->text);

		assert_true(len < MODEL_TEXT_MAX);
		assert_null(strchr(e->text, '\n'));
		assert_null(strchr(e->text, '\x1b'));
		if ((unsigned char)e->text[len - 1] >= 0x80)
			assert_memory_equal(e->text + len - 3, "\xe2\x82\xac", 3);
	}
	arena_free(a);
}

/* Facts change the record once; what a node says of itself is about itself. */
static void test_facts(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command facts = { .kind = CMD_REPORT_FACTS, .node = 1, .memory_mib = 77, .cpus = 3 };
	uint64_t revision;

	(void)state;
	assert_int_equal(arena_apply(a, &facts), 0);
	revision = model_node(a->m, 1)->revision;
	assert_int_equal(arena_apply(a, &facts), 0);
	assert_int_equal(model_node(a->m, 1)->revision, revision);
	assert_int_equal(model_node(a->m, 1)->memory_mib, 77);
	arena_free(a);
}

static void test_fence_set(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command many = { .kind = CMD_NODE_FENCE_SET, .node = 1, .name = "fence_x" };
	struct command bad = { .kind = CMD_NODE_FENCE_SET, .node = 1, .name = "../bin/sh" };
	struct command none = { .kind = CMD_NODE_FENCE_SET, .node = 1 };

	(void)state;
	for (int i = 0; i <= MODEL_PARAMS_MAX; i++)
		vec_add(&many.params);
	assert_int_equal(arena_apply(a, &many), -EINVAL);
	assert_int_equal(arena_apply(a, &bad), -EINVAL);
	assert_string_equal(model_node(a->m, 1)->fence_agent, "fence_test");
	assert_int_equal(arena_apply(a, &none), 0);
	assert_string_equal(model_node(a->m, 1)->fence_agent, "");
	assert_int_equal(model_node(a->m, 1)->fence_params.n, 0);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_such_command),
		cmocka_unit_test(test_empty_commands),
		cmocka_unit_test(test_cluster_name),
		cmocka_unit_test(test_ledger_time),
		cmocka_unit_test(test_define),
		cmocka_unit_test(test_define_refused),
		cmocka_unit_test(test_shared_readonly),
		cmocka_unit_test(test_redefine),
		cmocka_unit_test(test_undefine),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_pool_delete),
		cmocka_unit_test(test_volume_life),
		cmocka_unit_test(test_volume_in_use),
		cmocka_unit_test(test_volume_executor_leaves),
		cmocka_unit_test(test_stale_reads),
		cmocka_unit_test(test_stale_grants),
		cmocka_unit_test(test_who_wanted_what),
		cmocka_unit_test(test_orders_in_other_states),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_fence_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
