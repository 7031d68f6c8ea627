/* SPDX-License-Identifier: Apache-2.0
 * Live migration (rules H1 to H3): the sequence, and each way in which it can fail; drains. The
 * guest is at exactly one place. */
#include "kit/kit.h"

#include "arena/arena.h"

#include <string.h>

#define ALL (N(1) | N(2) | N(3))

static struct guest *web(struct arena *a)
{
	return arena_guest(a, "web1");
}

static int loaded(struct arena *a, uint64_t epoch)
{
	struct command c = { .kind = CMD_REPORT_LOADED, .name = "web1", .operation = epoch };

	return arena_apply(a, &c);
}

static int broken(struct arena *a, uint64_t epoch)
{
	struct command c = { .kind = CMD_REPORT_BROKEN,
			     .name = "web1",
			     .epoch = epoch,
			     .text = "the stream broke" };

	return arena_apply(a, &c);
}

/* web1 runs on n1 and is on its way to n2. */
static struct arena *preparing(void)
{
	struct arena *a = arena_new(3, false);

	arena_run(a, "web1", 128, 1);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 2), 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_MIGRATING, 1);
	assert_int_equal(web(a)->move.phase, MOVE_PREPARING);
	return a;
}

static struct arena *sending(void)
{
	struct arena *a = preparing();

	arena_done(a, "web1", OP_PREPARE_IN, NULL);
	assert_int_equal(web(a)->move.phase, MOVE_SENDING);
	return a;
}

static struct arena *activating(void)
{
	struct arena *a = sending();

	loaded(a, web(a)->move.target.epoch);
	arena_done(a, "web1", OP_SEND, NULL);
	assert_int_equal(web(a)->move.phase, MOVE_ACTIVATING);
	return a;
}

/* The figures of the executor's report, kept when the migration itself is over. */
static void check_last_move(struct arena *a, uint32_t from, uint32_t to)
{
	const struct last_move *last = &web(a)->last_move;

	assert_int_equal(last->from, from);
	assert_int_equal(last->to, to);
	assert_int_equal(last->total_ms, 345);
	assert_int_equal(last->downtime_ms, 12);
	assert_int_equal(last->index, a->m->index);
	assert_int_equal(last->time_us, a->m->time_us);
}

/*
 * Each report brings the next step by itself; the owner changes in the one entry that has both
 * words, with a later epoch.
 */
static void test_good(void **state)
{
	struct arena *a = preparing();
	const struct operation *op = model_operation(a->m, web(a)->operation);
	uint64_t before = web(a)->owner.epoch, epoch = web(a)->move.target.epoch;

	(void)state;
	assert_int_equal(op->node, 2);
	assert_int_equal(op->id, epoch);
	assert_int_equal(op->epoch, epoch);
	arena_done(a, "web1", OP_PREPARE_IN, NULL);
	op = model_operation(a->m, web(a)->operation);
	assert_int_equal(op->kind, OP_SEND);
	assert_int_equal(op->node, 1);
	assert_int_equal(op->epoch, before);
	assert_int_equal(op->deadline_us, web(a)->move.deadline_us);
	assert_string_equal(web(a)->move.address, "tcp:10.0.0.2:4444");
	loaded(a, epoch);
	assert_int_equal(web(a)->owner.node, 1);
	arena_done(a, "web1", OP_SEND, NULL);
	op = model_operation(a->m, web(a)->operation);
	assert_int_equal(op->kind, OP_ACTIVATE);
	assert_int_equal(op->node, 2);
	assert_int_equal(op->epoch, epoch);
	assert_int_equal(web(a)->owner.node, 2);
	assert_int_equal(web(a)->owner.epoch, epoch);
	assert_true(epoch > before);
	assert_int_equal(arena_decide(a), 0);
	arena_done(a, "web1", OP_ACTIVATE, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 2);
	assert_int_equal(web(a)->move.phase, MOVE_NONE);
	assert_true(arena_said(a, "migrated to n2 in 345 ms, downtime 12 ms"));
	check_last_move(a, 1, 2);
	arena_free(a);
}

/* The two words come in either order. One alone hands nothing over. */
static void test_sent_before_loaded(void **state)
{
	struct arena *a = sending();
	uint64_t epoch = web(a)->move.target.epoch;

	(void)state;
	arena_done(a, "web1", OP_SEND, NULL);
	assert_int_equal(web(a)->owner.node, 1);
	assert_int_equal(web(a)->move.phase, MOVE_SENDING);
	assert_int_equal(loaded(a, epoch - 1), -ESTALE);
	assert_int_equal(loaded(a, epoch), 0);
	assert_int_equal(web(a)->owner.node, 2);
	assert_int_equal(loaded(a, epoch), -ESTALE);
	arena_free(a);
}

static void test_refused(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_define(a, "web2", 1000);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "none", 2), -ENOENT);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web2", 2), -EINVAL);
	assert_non_null(strstr(a->err.text, "migrate web2 refused: it is stopped"));
	arena_run(a, "web1", 128, 1);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 9), -ENOENT);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 1), -EINVAL);
	arena_kind(a, CMD_NODE_DRAIN, "", 3);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 3), -EINVAL);
	assert_non_null(strstr(a->err.text, "n3 is maintenance"));
	arena_want(a, "web2", DESIRED_RUNNING);
	arena_decide(a);
	arena_is(a, "web2", GUEST_STARTING, 2);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 2), -ENOSPC);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 0), -ENOSPC);
	assert_non_null(
		strstr(a->err.text, "n2: no room, 24 MiB free, 128 needed; n3: maintenance"));
	arena_kind(a, CMD_NODE_ACTIVATE, "", 3);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 0), 0);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web1", 0), -EBUSY);
	arena_decide(a);
	assert_int_equal(web(a)->move.target.node, 3);
	arena_want(a, "web2", DESIRED_STOPPED);
	assert_int_equal(arena_kind(a, CMD_GUEST_MIGRATE, "web2", 3), -EINVAL);
	arena_free(a);
}

/*
 * It was accepted, and before it begins the room is gone: dropped, with a reason, and not tried
 * for ever.
 */
static void test_no_room_any_more(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_kind(a, CMD_GUEST_MIGRATE, "web1", 2);
	arena_open(a, N(1), N(1));
	arena_decide(a);
	assert_false(web(a)->wants_move);
	assert_true(arena_said(a, "migration refused: it fits on no other node: n2: lost"));
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

/* Before anything was sent: it just runs on, and the event says why. */
static void test_prepare_fails(void **state)
{
	struct arena *a = preparing();

	(void)state;
	arena_done(a, "web1", OP_PREPARE_IN, "no such bridge");
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_true(
		arena_said(a, "migration of web1 to n2 failed: no such bridge; it goes on at n1"));
	assert_int_equal(arena_decide(a), 0);
	arena_free(a);
}

static void test_prepare_breaks_and_hangs(void **state)
{
	struct arena *a = preparing(), *b = preparing();

	(void)state;
	broken(a, web(a)->move.target.epoch);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_true(b->again_us <= b->now + b->conf.start_deadline_us);
	arena_wait(b, b->conf.start_deadline_us);
	arena_is(b, "web1", GUEST_RUNNING, 1);
	assert_true(arena_said(b, "the target was not ready in time"));
	arena_free(a);
	arena_free(b);
}

static void test_send_fails(void **state)
{
	struct arena *a = sending();

	(void)state;
	arena_done(a, "web1", OP_SEND, "connection reset");
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_true(arena_said(a, "connection reset; it goes on at n1"));
	arena_free(a);
}

/*
 * While it was being sent the source may stand: it is told to go on, and only that. Whatever
 * comes late is refused.
 */
static void test_target_breaks(void **state)
{
	struct arena *a = sending();
	uint64_t epoch = web(a)->move.target.epoch;
	struct command late = { .kind = CMD_REPORT_DONE,
				.ok = true,
				.operation = web(a)->operation };

	(void)state;
	broken(a, epoch);
	arena_is(a, "web1", GUEST_MIGRATING, 1);
	assert_int_equal(web(a)->move.phase, MOVE_CANCELLING);
	assert_int_equal(web(a)->move.target.node, 0);
	assert_int_equal(arena_apply(a, &late), -ESTALE);
	assert_int_equal(loaded(a, epoch), -ESTALE);
	assert_int_equal(broken(a, epoch), -ESTALE);
	assert_int_equal(model_operation(a->m, web(a)->operation)->node, 1);
	arena_done(a, "web1", OP_RESUME_SOURCE, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_true(arena_said(a, "running: migration of web1 to n2 failed: the stream broke; it goes on at n1"));
	arena_free(a);
}

/* The target's node is lost: the leader cancels, in each phase before the hand-over. */
static void test_target_lost(void **state)
{
	struct arena *a = preparing(), *b = sending();

	(void)state;
	arena_open(a, N(1) | N(3), N(1) | N(3));
	arena_decide(a);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_done(b, "web1", OP_SEND, NULL);
	arena_open(b, N(1) | N(3), N(1) | N(3));
	assert_int_equal(loaded(b, web(b)->move.target.epoch), 0);
	assert_int_equal(web(b)->owner.node, 1);
	arena_decide(b);
	arena_done(b, "web1", OP_RESUME_SOURCE, NULL);
	arena_is(b, "web1", GUEST_RUNNING, 1);
	arena_free(a);
	arena_free(b);
}

/* The target comes back in another life: its process is gone with the first. */
static void test_target_restarts(void **state)
{
	struct arena *a = preparing(), *b = sending();

	(void)state;
	arena_reboot(a, 2);
	arena_open(a, ALL, ALL);
	arena_decide(a);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_reboot(b, 2);
	arena_open(b, ALL, ALL);
	arena_decide(b);
	arena_done(b, "web1", OP_RESUME_SOURCE, NULL);
	arena_is(b, "web1", GUEST_RUNNING, 1);
	arena_free(a);
	arena_free(b);
}

/*
 * All is sent, then the source's process dies: the target has the guest and goes on with it. If it
 * cannot, the guest is started anew.
 */
static void test_source_ends_when_all_is_sent(void **state)
{
	struct arena *a = sending(), *b = sending();

	(void)state;
	arena_done(a, "web1", OP_SEND, NULL);
	assert_int_equal(arena_ended(a, "web1", END_CRASH), 0);
	arena_is(a, "web1", GUEST_MIGRATING, 1);
	assert_int_equal(loaded(a, web(a)->move.target.epoch), 0);
	arena_done(a, "web1", OP_ACTIVATE, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 2);
	arena_done(b, "web1", OP_SEND, NULL);
	assert_int_equal(arena_ended(b, "web1", END_CRASH), 0);
	broken(b, web(b)->move.target.epoch);
	arena_done(b, "web1", OP_RESUME_SOURCE, "its process is gone");
	arena_is(b, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
	arena_free(b);
}

/* Before all is sent the guest dies with its process: it is started anew. */
static void test_source_ends_while_it_sends(void **state)
{
	struct arena *a = sending();

	(void)state;
	assert_int_equal(loaded(a, web(a)->move.target.epoch), 0);
	assert_int_equal(arena_ended(a, "web1", END_CRASH), 0);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
}

/*
 * The target's agent is away when the second word comes: when it is back the leader hands over. The
 * guest stands still meanwhile, so that this has little time.
 */
static void test_target_away_at_the_hand_over(void **state)
{
	struct arena *a = sending(), *b = sending();

	(void)state;
	loaded(a, web(a)->move.target.epoch);
	arena_open(a, N(1) | N(3), ALL);
	arena_done(a, "web1", OP_SEND, NULL);
	assert_int_equal(web(a)->owner.node, 1);
	arena_open(a, ALL, ALL);
	arena_decide(a);
	assert_int_equal(web(a)->owner.node, 2);
	arena_done(a, "web1", OP_ACTIVATE, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 2);
	arena_done(b, "web1", OP_SEND, NULL);
	assert_int_equal(web(b)->move.deadline_us, b->m->time_us + b->conf.hand_over_deadline_us);
	arena_free(a);
	arena_free(b);
}

/* An agent that was away has its time anew: its guest is not ended for what nobody could do. */
static void test_agent_back_has_its_time(void **state)
{
	struct arena *a = activating();

	(void)state;
	arena_open(a, N(1) | N(3), ALL);
	arena_wait(a, a->conf.agent_grace_us - US_PER_S);
	arena_open(a, ALL, ALL);
	arena_decide(a);
	arena_wait(a, a->conf.start_deadline_us - a->conf.agent_grace_us + 2 * US_PER_S);
	arena_is(a, "web1", GUEST_MIGRATING, 2);
	arena_done(a, "web1", OP_ACTIVATE, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 2);
	arena_free(a);
}

/* Each phase has a deadline (rule H3). */
static void test_send_takes_too_long(void **state)
{
	struct arena *a = sending();

	(void)state;
	arena_done(a, "web1", OP_SEND, NULL);
	arena_decide(a);
	assert_int_equal(a->again_us, web(a)->move.deadline_us);
	arena_wait(a, web(a)->move.deadline_us - a->now);
	assert_int_equal(web(a)->move.phase, MOVE_CANCELLING);
	arena_free(a);
}

/* A source that cannot go on, or does not answer: its process is ended, and it is started anew. */
static void test_resume_fails(void **state)
{
	struct arena *a = sending(), *b = sending();

	(void)state;
	broken(a, web(a)->move.target.epoch);
	arena_done(a, "web1", OP_RESUME_SOURCE, "disk locked");
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	broken(b, web(b)->move.target.epoch);
	arena_wait(b, b->conf.start_deadline_us);
	arena_is(b, "web1", GUEST_STOPPING, 1);
	arena_done(b, "web1", OP_KILL, NULL);
	arena_is(b, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
	arena_free(b);
}

/*
 * After the hand-over nothing leads back: a failure at the target is a cold start, elsewhere
 * too.
 */
static void test_activate_fails(void **state)
{
	struct arena *a = activating(), *b = activating(), *c = activating();

	(void)state;
	arena_done(a, "web1", OP_ACTIVATE, "no");
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_wait(b, b->conf.start_deadline_us);
	arena_done(b, "web1", OP_KILL, NULL);
	arena_is(b, "web1", GUEST_RECOVERING, 0);
	assert_int_equal(arena_kind(c, CMD_MOVE_CANCEL, "web1", 0), -ESTALE);
	broken(c, web(c)->owner.epoch);
	arena_is(c, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
	arena_free(b);
	arena_free(c);
}

/*
 * The new owner is lost right after the hand-over: proof first, then a cold start. The source is
 * not asked.
 */
static void test_new_owner_lost(void **state)
{
	struct arena *a = activating();

	(void)state;
	arena_open(a, N(1) | N(3), N(1) | N(3));
	arena_is(a, "web1", GUEST_LOST, 2);
	arena_decide(a);
	arena_is(a, "web1", GUEST_LOST, 2);
	arena_fenced(a, 2, NULL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
}

/* The new owner is back unfenced: it goes on where it was. */
static void test_new_owner_back(void **state)
{
	struct arena *a = activating();

	(void)state;
	arena_open(a, N(1) | N(3), N(1) | N(3));
	arena_open(a, ALL, ALL);
	arena_is(a, "web1", GUEST_MIGRATING, 2);
	arena_done(a, "web1", OP_ACTIVATE, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 2);
	arena_free(a);
}

/*
 * The source is lost before the hand-over: nothing may run at the target. Proof, then a cold
 * start.
 */
static void test_source_lost(void **state)
{
	struct arena *a = sending();
	uint64_t epoch = web(a)->move.target.epoch;

	(void)state;
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_is(a, "web1", GUEST_LOST, 1);
	assert_int_equal(loaded(a, epoch), -ESTALE);
	arena_decide(a);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_fenced(a, 1, NULL);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 2);
	arena_free(a);
}

/* The source is back unfenced: its process may stand, all sent, so it is told to go on. */
static void test_source_back(void **state)
{
	struct arena *a = sending(), *b = preparing();

	(void)state;
	arena_open(a, N(2) | N(3), N(2) | N(3));
	arena_open(a, ALL, ALL);
	arena_is(a, "web1", GUEST_MIGRATING, 1);
	arena_decide(a);
	arena_done(a, "web1", OP_RESUME_SOURCE, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_open(b, N(2) | N(3), N(2) | N(3));
	arena_open(b, ALL, ALL);
	arena_is(b, "web1", GUEST_RUNNING, 1);
	arena_free(a);
	arena_free(b);
}

/*
 * The source's agent alone is away: its QEMU goes on sending, and the agent says what came of it
 * when it is back.
 */
static void test_source_agent_away(void **state)
{
	struct arena *a = sending();

	(void)state;
	arena_open(a, N(2) | N(3), ALL);
	arena_decide(a);
	loaded(a, web(a)->move.target.epoch);
	assert_int_equal(web(a)->move.phase, MOVE_SENDING);
	arena_open(a, ALL, ALL);
	arena_decide(a);
	arena_done(a, "web1", OP_SEND, NULL);
	arena_is(a, "web1", GUEST_MIGRATING, 2);
	arena_free(a);
}

/*
 * The guest ends at the source before the hand-over: the migration is over, its definition says
 * what follows.
 */
static void test_ends_while_sending(void **state)
{
	struct arena *a = sending(), *b = sending();

	(void)state;
	arena_ended(a, "web1", END_POWEROFF);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	assert_int_equal(web(a)->move.phase, MOVE_NONE);
	arena_ended(b, "web1", END_CRASH);
	arena_is(b, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
	arena_free(b);
}

/*
 * stop while it migrates: cancelled first, then stopped, in steps; after the hand-over it is
 * stopped at the target.
 */
static void test_stop_while_migrating(void **state)
{
	struct arena *a = sending(), *b = activating();

	(void)state;
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	assert_int_equal(web(a)->move.phase, MOVE_CANCELLING);
	arena_done(a, "web1", OP_RESUME_SOURCE, NULL);
	arena_decide(a);
	arena_done(a, "web1", OP_STOP, NULL);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	arena_want(b, "web1", DESIRED_STOPPED);
	assert_int_equal(arena_decide(b), 0);
	arena_done(b, "web1", OP_ACTIVATE, NULL);
	arena_decide(b);
	arena_done(b, "web1", OP_STOP, NULL);
	arena_is(b, "web1", GUEST_STOPPED, 0);
	arena_free(a);
	arena_free(b);
}

static size_t migrating(struct arena *a)
{
	struct map_iter it = { 0 };
	const struct guest *g;
	size_t n = 0;

	while ((g = map_next(a->m->guests, &it)))
		n += g->state == GUEST_MIGRATING;
	return n;
}

/* A drain moves all away, two at a time, each to where it fits. */
static void test_drain(void **state)
{
	struct arena *a = arena_new(3, false);
	const char *const names[] = { "a", "d", "f", "h" };
	struct command loaded_cmd = { .kind = CMD_REPORT_LOADED };

	(void)state;
	arena_kind(a, CMD_NODE_DRAIN, "", 2);
	arena_kind(a, CMD_NODE_DRAIN, "", 3);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		arena_run(a, names[i], 50, 1);
	arena_kind(a, CMD_NODE_ACTIVATE, "", 2);
	arena_kind(a, CMD_NODE_ACTIVATE, "", 3);
	arena_kind(a, CMD_NODE_DRAIN, "", 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		arena_decide(a);
		assert_int_equal(migrating(a), i + 2 <= ARRAY_SIZE(names) ? 2 : 1);
		STRCPY(loaded_cmd.name, names[i]);
		arena_done(a, names[i], OP_PREPARE_IN, NULL);
		loaded_cmd.operation = arena_guest(a, names[i])->move.target.epoch;
		arena_apply(a, &loaded_cmd);
		arena_done(a, names[i], OP_SEND, NULL);
		arena_done(a, names[i], OP_ACTIVATE, NULL);
	}
	assert_int_equal(arena_decide(a), 0);
	assert_int_equal(model_memory_used(a->m, 1), 0);
	assert_int_equal(model_memory_used(a->m, 2), 100);
	assert_int_equal(model_memory_used(a->m, 3), 100);
	arena_free(a);
}

/* What cannot be moved stays, and says why, once: paused guests, and those that fit nowhere. */
static void test_drain_leaves(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_run(a, "big", 900, 1);
	arena_run(a, "other", 900, 2);
	arena_want(a, "other", DESIRED_PAUSED);
	arena_decide(a);
	arena_done(a, "other", OP_PAUSE, NULL);
	arena_kind(a, CMD_NODE_DRAIN, "", 1);
	assert_int_equal(arena_decide(a), 1);
	assert_true(arena_said(
		a, "stays on n1, which is drained: it fits on no other node: n2: no room"));
	arena_kind(a, CMD_NODE_DRAIN, "", 2);
	arena_decide(a);
	assert_true(arena_said(
		a, "stays on n2, which is drained: only a running guest can be migrated"));
	assert_int_equal(arena_decide(a), 0);
	arena_is(a, "big", GUEST_RUNNING, 1);
	arena_is(a, "other", GUEST_PAUSED, 2);
	arena_free(a);
}

/*
 * A migration of a drain that fails is tried again after a pause, three times in all; a new
 * drain begins with a clean sheet.
 */
static void test_drain_tries_again(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_kind(a, CMD_NODE_DRAIN, "", 1);
	arena_decide(a);
	for (int i = 0; i < 3; i++) {
		arena_done(a, "web1", OP_PREPARE_IN, "no");
		arena_decide(a);
		arena_is(a, "web1", GUEST_RUNNING, 1);
		arena_wait(a, a->conf.drain_retry_us - 1);
		arena_is(a, "web1", GUEST_RUNNING, 1);
		arena_wait(a, 1);
		arena_is(a, "web1", i < 2 ? GUEST_MIGRATING : GUEST_RUNNING, 1);
	}
	assert_true(arena_said(a, "its migration failed too often"));
	arena_kind(a, CMD_NODE_ACTIVATE, "", 1);
	arena_kind(a, CMD_NODE_DRAIN, "", 1);
	arena_decide(a);
	arena_is(a, "web1", GUEST_MIGRATING, 1);
	arena_free(a);
}

/* A target that gives no address has nothing to send to. */
static void test_no_address(void **state)
{
	struct arena *a = preparing();
	struct command c = { .kind = CMD_REPORT_DONE, .ok = true, .operation = web(a)->operation };

	(void)state;
	assert_int_equal(arena_apply(a, &c), 0);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

/* While two nodes have a process nothing is stopped: the migration has to be cancelled first. */
static void test_no_stop_before_the_cancel(void **state)
{
	struct arena *a = preparing(), *b = sending();

	(void)state;
	assert_int_equal(arena_kind(a, CMD_GUEST_STOP, "web1", 0), -ESTALE);
	assert_int_equal(arena_kind(b, CMD_GUEST_STOP, "web1", 0), -ESTALE);
	arena_free(a);
	arena_free(b);
}

/* A wish for a migration is about the moment: it does not begin when the guest has recovered later. */
static void test_wish_does_not_outlive(void **state)
{
	struct arena *a = arena_new(2, false), *b = arena_new(2, false);
	struct command stuck = { .kind = CMD_REPORT_STATE, .name = "web1", .state = GUEST_IO_ERROR };

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_kind(a, CMD_GUEST_MIGRATE, "web1", 2);
	stuck.epoch = web(a)->owner.epoch;
	arena_apply(a, &stuck);
	assert_false(web(a)->wants_move);
	arena_run(b, "web1", 128, 1);
	arena_kind(b, CMD_GUEST_MIGRATE, "web1", 2);
	arena_open(b, N(2), N(2));
	assert_false(web(b)->wants_move);
	arena_free(a);
	arena_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_sent_before_loaded),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_room_any_more),
		cmocka_unit_test(test_prepare_fails),
		cmocka_unit_test(test_prepare_breaks_and_hangs),
		cmocka_unit_test(test_send_fails),
		cmocka_unit_test(test_target_breaks),
		cmocka_unit_test(test_target_lost),
		cmocka_unit_test(test_target_restarts),
		cmocka_unit_test(test_source_ends_when_all_is_sent),
		cmocka_unit_test(test_source_ends_while_it_sends),
		cmocka_unit_test(test_target_away_at_the_hand_over),
		cmocka_unit_test(test_agent_back_has_its_time),
		cmocka_unit_test(test_send_takes_too_long),
		cmocka_unit_test(test_resume_fails),
		cmocka_unit_test(test_activate_fails),
		cmocka_unit_test(test_new_owner_lost),
		cmocka_unit_test(test_new_owner_back),
		cmocka_unit_test(test_source_lost),
		cmocka_unit_test(test_source_back),
		cmocka_unit_test(test_source_agent_away),
		cmocka_unit_test(test_ends_while_sending),
		cmocka_unit_test(test_stop_while_migrating),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_leaves),
		cmocka_unit_test(test_drain_tries_again),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_no_stop_before_the_cancel),
		cmocka_unit_test(test_wish_does_not_outlive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
