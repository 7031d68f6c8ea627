/* SPDX-License-Identifier: Apache-2.0
 * A guest's states: every cell of (state, event) is a row or explicitly illegal; starts, stops,
 * ends and limits. */
#include "kit/kit.h"

#include "arena/arena.h"
#include "policy/ha_guest.h"

#include <stdlib.h>
#include <string.h>

/* A guest of that state in a model of its own. Its owner's node does not matter to the table. */
static struct model *model_with(enum guest_state s, struct guest **ret)
{
	struct model *m = model_new();
	struct guest *g = *ret = mem_new(struct guest);

	STRCPY(g->name, "web1");
	g->state = s;
	g->before_loss = GUEST_RUNNING;
	g->owner = (struct owner){ .node = 1, .epoch = 5 };
	map_put(m->guests, g->name, g);
	m->index = 9;
	return m;
}

/*
 * A legal cell takes its row's state, says so once and bumps the revision; an illegal one
 * changes nothing.
 */
static void walk_cell(enum guest_state s, enum guest_event ev)
{
	const struct guest_row *row = guest_row(s, ev);
	struct guest *g;
	struct model *m = model_with(s, &g);
	struct err err = { 0 };
	int rc = guest_happens(m, g, ev, "because", &err);

	if (!row) {
		assert_int_equal(rc, -EINVAL);
		assert_int_equal(g->state, s);
		assert_int_equal(m->events.n, 0);
		assert_non_null(strstr(err.text, "cannot happen"));
	} else {
		enum guest_state next =
			row->next == GUEST_STATE_INVALID ? GUEST_RUNNING : row->next;

		assert_int_equal(rc, 0);
		assert_int_equal(g->state, next);
		assert_int_equal(m->events.n, 1);
		assert_int_equal(g->reasons.n, 1);
		assert_int_equal(g->revision, 9);
		assert_non_null(strstr(m->events.v[0].text, "because"));
	}
	model_free(m);
}

static void test_walk(void **state)
{
	(void)state;
	for (int s = 0; s < GUEST_STATE_MAX; s++)
		for (int ev = 0; ev < GUEST_EVENT_MAX; ev++)
			walk_cell((enum guest_state)s, (enum guest_event)ev);
}

/* No cell has two rows, each event and each state occurs, and no event is without a text. */
static void test_rows_are_distinct(void **state)
{
	unsigned states = 0, events = 0;

	(void)state;
	for (size_t i = 0; i < guest_rows_n; i++) {
		assert_ptr_equal(guest_row(guest_rows[i].state, guest_rows[i].event),
				 &guest_rows[i]);
		states |= 1u << guest_rows[i].state;
		events |= 1u << guest_rows[i].event;
	}
	assert_int_equal(states, (1u << GUEST_STATE_MAX) - 1);
	assert_int_equal(events, (1u << GUEST_EVENT_MAX) - 1);
	for (int ev = 0; ev < GUEST_EVENT_MAX; ev++)
		assert_int_equal(guest_event_parse(guest_event_text(ev)), ev);
}

/*
 * The rows lead exactly to the states that may follow: none is missing, none is there for
 * nothing.
 */
static void test_what_may_follow(void **state)
{
	unsigned lead[GUEST_STATE_MAX] = { 0 };
	unsigned may_be_lost = 0;

	(void)state;
	for (size_t i = 0; i < guest_rows_n; i++)
		if (guest_rows[i].event == EV_OWNER_LOST)
			may_be_lost |= 1u << guest_rows[i].state;
	for (size_t i = 0; i < guest_rows_n; i++) {
		const struct guest_row *r = &guest_rows[i];

		if (r->next == GUEST_STATE_INVALID)
			lead[r->state] |= may_be_lost;
		else if (r->next != r->state)
			lead[r->state] |= 1u << r->next;
	}
	for (int s = 0; s < GUEST_STATE_MAX; s++)
		assert_int_equal(lead[s], guest_may_follow[s]);
}

/*
 * The promise behind all: what is lost is started only by way of RECOVERING or STOPPED, where
 * nobody owns it.
 */
static void test_lost_is_never_granted(void **state)
{
	(void)state;
	assert_null(guest_row(GUEST_LOST, EV_GRANTED));
	assert_null(guest_row(GUEST_LOST, EV_STOP_ORDERED));
	assert_null(guest_row(GUEST_LOST, EV_MOVE_BEGUN));
	for (size_t i = 0; i < guest_rows_n; i++)
		if (guest_rows[i].event == EV_GRANTED)
			assert_true(guest_rows[i].state == GUEST_STOPPED ||
				    guest_rows[i].state == GUEST_RECOVERING);
}

/* A loss that is taken back leads to no state that the table does not allow. */
static void test_bad_return(void **state)
{
	struct guest *g;
	struct model *m = model_with(GUEST_LOST, &g);

	(void)state;
	g->before_loss = GUEST_HELD;
	assert_int_equal(guest_happens(m, g, EV_OWNER_BACK, "x", NULL), -EINVAL);
	assert_int_equal(g->state, GUEST_LOST);
	model_free(m);
}

static void test_start_and_stop(void **state)
{
	struct arena *a = arena_new(2, false);
	const struct operation *op;
	struct guest *g;

	(void)state;
	arena_define(a, "web1", 128);
	assert_int_equal(arena_decide(a), 0);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	g = arena_guest(a, "web1");
	op = model_operation(a->m, g->operation);
	assert_int_equal(op->epoch, g->owner.epoch);
	assert_int_equal(op->id, g->owner.epoch);
	arena_done(a, "web1", OP_START, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STOPPING, 1);
	arena_done(a, "web1", OP_STOP, NULL);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	assert_int_equal(arena_decide(a), 0);
	arena_free(a);
}

/* Its own patience first, then ours, then it is killed. stop --now does not wait. */
static void test_stop_that_hangs(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	assert_int_equal(a->again_us, a->now + 20 * US_PER_S + a->conf.start_deadline_us);
	arena_wait(a, 79 * US_PER_S);
	assert_int_equal(model_operation(a->m, arena_guest(a, "web1")->operation)->kind, OP_STOP);
	arena_wait(a, 1 * US_PER_S);
	assert_int_equal(model_operation(a->m, arena_guest(a, "web1")->operation)->kind, OP_KILL);
	arena_wait(a, a->conf.start_deadline_us);
	assert_true(
		arena_said(a, "its process does not end: look at n1, or say: domus node fence n1"));
	arena_done(a, "web1", OP_KILL, NULL);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	arena_free(a);
}

static void test_stop_now(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command now = {
		.kind = CMD_GUEST_WANT, .name = "web1", .desired = DESIRED_STOPPED, .stop_now = true
	};

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	arena_apply(a, &now);
	arena_decide(a);
	arena_done(a, "web1", OP_KILL, NULL);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	arena_want(a, "web1", DESIRED_RUNNING);
	assert_false(arena_guest(a, "web1")->stop_now);
	arena_free(a);
}

/* A person who changes his mind while it stops gets it back, after the stop. */
static void test_start_while_stopping(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_done(a, "web1", OP_STOP, NULL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_free(a);
}

/*
 * A start that fails is tried on each other node once; then it is held, with the last word,
 * until a person tries anew.
 */
static void test_start_fails_everywhere(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_define(a, "web1", 128);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_done(a, "web1", OP_START, "no kernel");
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 2);
	arena_done(a, "web1", OP_START, "no disk");
	arena_decide(a);
	arena_is(a, "web1", GUEST_HELD, 0);
	assert_true(arena_said(a, "held: given up, 'domus guest start web1' tries anew; the last: "
				  "recovering: the start on n2 failed: no disk"));
	assert_int_equal(arena_guest(a, "web1")->desired, DESIRED_RUNNING);
	arena_wait(a, 3600 * US_PER_S);
	arena_is(a, "web1", GUEST_HELD, 0);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_free(a);
}

/* A hanging start may have made a process: that is killed before another node has its turn. */
static void test_start_hangs(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_define(a, "web1", 128);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	assert_int_equal(a->again_us, a->now + a->conf.start_deadline_us);
	arena_wait(a, a->conf.start_deadline_us);
	arena_is(a, "web1", GUEST_STOPPING, 1);
	arena_done(a, "web1", OP_KILL, NULL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 2);
	arena_free(a);
}

/* No room: it waits and says why, once; when there is room it starts. */
static void test_waits_for_room(void **state)
{
	struct arena *a = arena_new(2, false);
	size_t events;

	(void)state;
	arena_run(a, "big", 1000, 1);
	arena_run(a, "web1", 1000, 2);
	arena_ended(a, "web1", END_CRASH);
	arena_open(a, N(1), N(1));
	arena_decide(a);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	assert_true(
		arena_said(a, "waits for a node: n1: no room, 24 MiB free, 1000 needed; n2: lost"));
	events = a->m->events.n;
	arena_wait(a, US_PER_S);
	arena_wait(a, US_PER_S);
	assert_int_equal(a->m->events.n, events);
	arena_open(a, N(1) | N(2), N(1) | N(2));
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 2);
	arena_free(a);
}

/*
 * A start that fits nowhere is refused at once, and nothing is wanted then. Before any node has
 * reported its memory it is accepted.
 */
static void test_start_refused(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_define(a, "huge", ARENA_MEMORY + 1);
	assert_int_equal(arena_want(a, "huge", DESIRED_RUNNING), -ENOSPC);
	assert_non_null(strstr(a->err.text, "n1: no room, 1024 MiB free, 1025 needed"));
	assert_int_equal(arena_guest(a, "huge")->desired, DESIRED_STOPPED);
	model_node(a->m, 1)->memory_mib = 0;
	assert_int_equal(arena_want(a, "huge", DESIRED_RUNNING), 0);
	arena_free(a);
}

/* start --on: there or nowhere the first time; once it has run it is free. */
static void test_start_on(void **state)
{
	struct arena *a = arena_new(3, false);
	struct command on = {
		.kind = CMD_GUEST_WANT, .name = "web1", .desired = DESIRED_RUNNING, .node = 3
	};
	struct command nowhere = {
		.kind = CMD_GUEST_WANT, .name = "web1", .desired = DESIRED_RUNNING, .node = 9
	};

	(void)state;
	arena_define(a, "web1", 128);
	assert_int_equal(arena_apply(a, &nowhere), -ENOENT);
	assert_int_equal(arena_apply(a, &on), 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 3);
	arena_done(a, "web1", OP_START, "no");
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_free(a);
}

/*
 * What follows an end is the guest's definition: its own power off stops it, a crash restarts
 * it.
 */
static void test_ends(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_ended(a, "web1", END_POWEROFF);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	assert_int_equal(arena_guest(a, "web1")->desired, DESIRED_STOPPED);
	assert_true(arena_said(a, "powered itself off on n1"));
	assert_int_equal(arena_decide(a), 0);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_done(a, "web1", OP_START, NULL);
	arena_ended(a, "web1", END_CRASH);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_done(a, "web1", OP_START, NULL);
	arena_guest(a, "web1")->on_crash = AFTER_STOP;
	arena_ended(a, "web1", END_CRASH);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	arena_free(a);
}

/*
 * Power off while it is being stopped is just the stop; an end that another epoch reports is
 * nobody's.
 */
static void test_end_while_stopping(void **state)
{
	struct arena *a = arena_new(1, false);
	struct command stale = {
		.kind = CMD_REPORT_ENDED, .name = "web1", .cause = END_CRASH, .epoch = 1
	};

	(void)state;
	arena_run(a, "web1", 128, 1);
	assert_int_equal(arena_apply(a, &stale), -ESTALE);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	arena_ended(a, "web1", END_CRASH);
	arena_is(a, "web1", GUEST_STOPPED, 0);
	assert_int_equal(arena_guest(a, "web1")->failures.n, 0);
	assert_int_equal(arena_ended(a, "web1", END_CRASH), -ESTALE);
	arena_free(a);
}

/* Stopping, and wanted again meanwhile: its power off is our doing, and does not undo the wish. */
static void test_power_off_while_wanted_again(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_ended(a, "web1", END_POWEROFF);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	assert_int_equal(arena_guest(a, "web1")->desired, DESIRED_RUNNING);
	arena_free(a);
}

/* The time of an operation does not run while the agent that has to do it is away. */
static void test_deadline_while_away(void **state)
{
	struct arena *a = arena_new(2, true);

	(void)state;
	arena_define(a, "web1", 128);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_open(a, N(2), N(1) | N(2));
	arena_wait(a, 10 * a->conf.start_deadline_us);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_open(a, N(1) | N(2), N(1) | N(2));
	arena_done(a, "web1", OP_START, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

static void crash_and_restart(struct arena *a, uint32_t node)
{
	arena_ended(a, "web1", END_CRASH);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, node);
	arena_done(a, "web1", OP_START, NULL);
}

/* Restarted on the same node up to its limit within the window, then elsewhere, then held. */
static void test_restart_limit(void **state)
{
	struct arena *a = arena_new(2, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	crash_and_restart(a, 1);
	crash_and_restart(a, 1);
	crash_and_restart(a, 2);
	crash_and_restart(a, 2);
	crash_and_restart(a, 2);
	arena_ended(a, "web1", END_CRASH);
	arena_decide(a);
	arena_is(a, "web1", GUEST_HELD, 0);
	arena_free(a);
}

/*
 * Paused and resumed by orders. A failed pause ends the wish; a failed resume is tried again after
 * a while, or at once when a person says so again.
 */
static void test_pause(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_define(a, "web1", 128);
	assert_int_equal(arena_want(a, "web1", DESIRED_PAUSED), -EINVAL);
	arena_run(a, "web2", 128, 1);
	arena_want(a, "web2", DESIRED_PAUSED);
	arena_decide(a);
	arena_done(a, "web2", OP_PAUSE, "busy");
	assert_int_equal(arena_decide(a), 0);
	arena_is(a, "web2", GUEST_RUNNING, 1);
	arena_want(a, "web2", DESIRED_PAUSED);
	arena_decide(a);
	arena_done(a, "web2", OP_PAUSE, NULL);
	arena_is(a, "web2", GUEST_PAUSED, 1);
	arena_want(a, "web2", DESIRED_RUNNING);
	arena_decide(a);
	arena_done(a, "web2", OP_RESUME, "busy");
	assert_int_equal(arena_decide(a), 0);
	arena_is(a, "web2", GUEST_PAUSED, 1);
	assert_int_equal(a->again_us, a->now + a->conf.resume_retry_us);
	arena_wait(a, a->conf.resume_retry_us);
	arena_done(a, "web2", OP_RESUME, "busy");
	assert_int_equal(arena_decide(a), 0);
	arena_want(a, "web2", DESIRED_RUNNING);
	arena_decide(a);
	arena_wait(a, a->conf.start_deadline_us);
	assert_int_equal(arena_guest(a, "web2")->operation, 0);
	assert_true(arena_said(a, "could not be resumed: it took too long"));
	assert_int_equal(arena_guest(a, "web2")->desired, DESIRED_RUNNING);
	arena_free(a);
}

/*
 * A guest that has run before is not given up because its starts fail, as when storage comes up
 * later than the nodes: it is tried again on each node, with growing pauses.
 */
static void test_starts_fail_for_a_while(void **state)
{
	struct arena *a = arena_new(2, false);
	int64_t pause = a->conf.start_retry_us;

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_ended(a, "web1", END_CRASH);
	for (int round = 0; round < 4; round++) {
		for (int node = 0; node < 2; node++) {
			arena_decide(a);
			arena_done(a, "web1", OP_START, "the folder is not there");
		}
		assert_int_equal(arena_decide(a), 1);
		arena_is(a, "web1", GUEST_RECOVERING, 0);
		assert_true(arena_said(a, "waits for a node: n1: it failed to start there"));
		assert_int_equal(a->again_us, a->now + pause);
		arena_wait(a, pause);
		pause = 2 * pause < a->conf.start_retry_max_us ? 2 * pause : a->conf.start_retry_max_us;
	}
	arena_done(a, "web1", OP_START, NULL);
	assert_int_equal(arena_guest(a, "web1")->state, GUEST_RUNNING);
	arena_free(a);
}

/* Each node may be tried restart_max times, however many nodes there are. */
static void test_restart_max_counts_for_each_node(void **state)
{
	struct arena *a = arena_new(3, false);
	unsigned crashes = 0;

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_guest(a, "web1")->restart_max = 30;
	while (arena_guest(a, "web1")->state == GUEST_RUNNING && crashes < 200) {
		arena_ended(a, "web1", END_CRASH);
		crashes++;
		arena_decide(a);
		if (arena_guest(a, "web1")->state == GUEST_STARTING)
			arena_done(a, "web1", OP_START, NULL);
	}
	arena_is(a, "web1", GUEST_HELD, 0);
	assert_int_equal(crashes, 3 * 31);
	arena_free(a);
}

/* A guest that is paused by wish is paused again after a recovery. */
static void test_paused_again(void **state)
{
	struct arena *a = arena_new(1, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_want(a, "web1", DESIRED_PAUSED);
	arena_decide(a);
	arena_done(a, "web1", OP_PAUSE, NULL);
	arena_ended(a, "web1", END_CRASH);
	arena_decide(a);
	arena_done(a, "web1", OP_START, NULL);
	arena_decide(a);
	arena_done(a, "web1", OP_PAUSE, NULL);
	arena_is(a, "web1", GUEST_PAUSED, 1);
	arena_free(a);
}

static int says(struct arena *a, const char *name, enum guest_state s)
{
	struct command c = { .kind = CMD_REPORT_STATE,
			     .state = s,
			     .epoch = arena_guest(a, name)->owner.epoch };

	STRCPY(c.name, name);
	return arena_apply(a, &c);
}

/*
 * What its process does by itself is believed; the same again is no news; only a person's start
 * leads out of an I/O error.
 */
static void test_reported_states(void **state)
{
	struct arena *a = arena_new(1, false);
	size_t events;

	(void)state;
	arena_run(a, "web1", 128, 1);
	events = a->m->events.n;
	assert_int_equal(says(a, "web1", GUEST_RUNNING), 0);
	assert_int_equal(a->m->events.n, events);
	assert_int_equal(says(a, "web1", GUEST_STOPPED), -EINVAL);
	assert_int_equal(says(a, "web1", GUEST_IO_ERROR), 0);
	arena_is(a, "web1", GUEST_IO_ERROR, 1);
	assert_int_equal(arena_decide(a), 0);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_done(a, "web1", OP_RESUME, "still no space");
	arena_is(a, "web1", GUEST_IO_ERROR, 1);
	assert_int_equal(arena_decide(a), 0);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_done(a, "web1", OP_RESUME, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	says(a, "web1", GUEST_PAUSED);
	arena_decide(a);
	arena_done(a, "web1", OP_RESUME, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_want(a, "web1", DESIRED_STOPPED);
	arena_decide(a);
	assert_int_equal(says(a, "web1", GUEST_PAUSED), -ESTALE);
	arena_free(a);
}

/* Wishes that are fulfilled already change nothing. */
static void test_idempotent(void **state)
{
	struct arena *a = arena_new(1, false);
	uint64_t revision;

	(void)state;
	arena_run(a, "web1", 128, 1);
	revision = arena_guest(a, "web1")->revision;
	assert_int_equal(arena_want(a, "web1", DESIRED_RUNNING), 0);
	assert_int_equal(arena_guest(a, "web1")->revision, revision);
	arena_define(a, "web2", 128);
	revision = arena_guest(a, "web2")->revision;
	assert_int_equal(arena_want(a, "web2", DESIRED_STOPPED), 0);
	assert_int_equal(arena_guest(a, "web2")->revision, revision);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_rows_are_distinct),
		cmocka_unit_test(test_what_may_follow),
		cmocka_unit_test(test_lost_is_never_granted),
		cmocka_unit_test(test_bad_return),
		cmocka_unit_test(test_start_and_stop),
		cmocka_unit_test(test_stop_that_hangs),
		cmocka_unit_test(test_stop_now),
		cmocka_unit_test(test_start_while_stopping),
		cmocka_unit_test(test_start_fails_everywhere),
		cmocka_unit_test(test_start_hangs),
		cmocka_unit_test(test_waits_for_room),
		cmocka_unit_test(test_start_refused),
		cmocka_unit_test(test_start_on),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_end_while_stopping),
		cmocka_unit_test(test_power_off_while_wanted_again),
		cmocka_unit_test(test_deadline_while_away),
		cmocka_unit_test(test_restart_limit),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_starts_fail_for_a_while),
		cmocka_unit_test(test_restart_max_counts_for_each_node),
		cmocka_unit_test(test_paused_again),
		cmocka_unit_test(test_reported_states),
		cmocka_unit_test(test_idempotent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
