/* SPDX-License-Identifier: Apache-2.0
 * The gate (rule G4): nothing of a lost node starts before a proof about that very life; each
 * proof, and each that is none. */
#include "kit/kit.h"

#include "arena/arena.h"

#include <string.h>

#define ALL       (N(1) | N(2) | N(3))
#define WITHOUT_1 (N(2) | N(3))

static struct node *node(struct arena *a, uint32_t id)
{
	return model_node(a->m, id);
}

static const struct operation *fencing(struct arena *a, uint32_t victim)
{
	return model_operation(a->m, node(a, victim)->fence_operation);
}

/* Three nodes, web1 on n1, and n1 is lost. */
static struct arena *lost(bool bare)
{
	struct arena *a = arena_new(3, bare);

	arena_run(a, "web1", 128, 1);
	arena_open(a, WITHOUT_1, WITHOUT_1);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_decide(a);
	return a;
}

/*
 * Lost, fenced, proven, and only then given away. The operation names whom, in which life, last
 * seen when.
 */
static void test_proof_by_device(void **state)
{
	struct arena *a = lost(false);
	const struct operation *op = fencing(a, 1);
	struct id life = arena_life(a, 1);

	(void)state;
	assert_int_equal(op->victim, 1);
	assert_true(id_equal(&op->victim_incarnation, &life));
	assert_int_equal(op->victim_term, 1);
	assert_int_equal(op->node, 2);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_fenced(a, 1, NULL);
	assert_int_equal(node(a, 1)->state, NODE_FENCED);
	assert_int_equal(node(a, 1)->proof.kind, PROOF_FENCED);
	assert_string_equal(node(a, 1)->proof.by, "n2");
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 2);
	arena_free(a);
}

/* A node that owns nothing is not shot. */
static void test_owns_nothing(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_open(a, N(1) | N(2), N(1) | N(2));
	assert_int_equal(arena_decide(a), 0);
	assert_int_equal(node(a, 3)->state, NODE_LOST);
	arena_free(a);
}

/* web1 on n1, then the power of all fails; n2 and n3 are up first. */
static struct arena *all_booted_but_1(void)
{
	struct arena *a = arena_new(3, false);

	arena_run(a, "web1", 128, 1);
	for (uint32_t n = 1; n <= 3; n++)
		arena_reboot(a, n);
	arena_open(a, WITHOUT_1, WITHOUT_1);
	assert_int_equal(arena_decide(a), 0);
	arena_is(a, "web1", GUEST_LOST, 1);
	assert_true(arena_said(a, "is not here yet, as the whole cluster comes up: fenced in 60 s"));
	return a;
}

/*
 * When the power of all has failed, one that comes up a little later than the others is not shot:
 * its new life is the proof. If it does not come it is fenced.
 */
static void test_the_whole_cluster_boots(void **state)
{
	struct arena *a = all_booted_but_1(), *b = all_booted_but_1();
	int64_t grace = a->conf.boot_grace_us;

	(void)state;
	arena_wait(a, grace / 2);
	arena_open(a, ALL, ALL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	assert_int_equal(b->again_us, b->now + grace);
	arena_open(b, N(2), WITHOUT_1);
	arena_open(b, WITHOUT_1, WITHOUT_1);
	arena_wait(b, grace - US_PER_S);
	assert_null(fencing(b, 1));
	arena_wait(b, US_PER_S);
	arena_fenced(b, 1, NULL);
	arena_is(b, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
	arena_free(b);
}

/* A person need not wait for that, and who stayed up knows that the missing one did too. */
static void test_no_grace_after_boot(void **state)
{
	struct arena *a = all_booted_but_1(), *b = arena_new(3, false);

	(void)state;
	assert_int_equal(arena_kind(a, CMD_NODE_FENCE, "", 1), 0);
	arena_decide(a);
	assert_non_null(fencing(a, 1));
	arena_run(b, "web1", 128, 1);
	arena_reboot(b, 2);
	arena_open(b, WITHOUT_1, WITHOUT_1);
	arena_decide(b);
	assert_non_null(fencing(b, 1));
	arena_free(a);
	arena_free(b);
}

/*
 * Back before the fencing has begun: keeps its guests, in the state that they had, and events
 * say so.
 */
static void test_back_before_fencing(void **state)
{
	struct arena *a = arena_new(3, false);
	uint64_t epoch;

	(void)state;
	arena_run(a, "web1", 128, 1);
	epoch = arena_guest(a, "web1")->owner.epoch;
	arena_open(a, WITHOUT_1, WITHOUT_1);
	arena_open(a, ALL, ALL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_int_equal(arena_guest(a, "web1")->owner.epoch, epoch);
	assert_true(arena_said(a, "n1 is back, not fenced: it keeps its guest"));
	arena_free(a);
}

/*
 * Back while it is being fenced: it will be killed, so its guests wait; the success is void if
 * it was listed since.
 */
static void test_back_while_fenced(void **state)
{
	struct arena *a = lost(false);

	(void)state;
	arena_open(a, ALL, ALL);
	arena_is(a, "web1", GUEST_LOST, 1);
	assert_int_equal(arena_decide(a), 0);
	arena_fenced(a, 1, NULL);
	assert_true(arena_said(a, "was fenced, but has been seen since: that proves nothing"));
	assert_int_equal(node(a, 1)->proof.kind, PROOF_NONE);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_open(a, WITHOUT_1, WITHOUT_1);
	arena_decide(a);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_fenced(a, 1, NULL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
}

/* Back while it is being fenced, and that fails: nothing happened to it. */
static void test_back_and_fencing_fails(void **state)
{
	struct arena *a = lost(false);

	(void)state;
	arena_open(a, ALL, ALL);
	arena_fenced(a, 1, "no route to the BMC");
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_int_equal(arena_decide(a), 0);
	arena_free(a);
}

/* Lost, back and lost again during one fencing: its success was about the time before. */
static void test_listed_in_between(void **state)
{
	struct arena *a = lost(false);

	(void)state;
	arena_open(a, ALL, ALL);
	arena_open(a, WITHOUT_1, WITHOUT_1);
	arena_fenced(a, 1, NULL);
	arena_is(a, "web1", GUEST_LOST, 1);
	assert_int_equal(node(a, 1)->state, NODE_LOST);
	arena_decide(a);
	assert_int_equal(fencing(a, 1)->victim_term, 3);
	arena_fenced(a, 1, NULL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
}

/* Failures: other nodes take turns, with growing pauses; no failure proves anything. */
static void test_failures_take_turns(void **state)
{
	struct arena *a = lost(false);
	int64_t waits[] = { 1, 2, 4, 8, 16, 30, 30 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		assert_int_equal(fencing(a, 1)->node, i % 2 ? 3 : 2);
		arena_fenced(a, 1, "timed out");
		arena_decide(a);
		assert_int_equal(node(a, 1)->fence_operation, 0);
		assert_int_equal(a->again_us, a->now + waits[i] * US_PER_S);
		arena_is(a, "web1", GUEST_LOST, 1);
		arena_wait(a, waits[i] * US_PER_S);
	}
	assert_int_equal(node(a, 1)->fence_attempts, ARRAY_SIZE(waits));
	arena_free(a);
}

/*
 * Who was to fence is lost too, or does not answer in time: another one does it. A late word of
 * the first is refused.
 */
static void test_executor_lost(void **state)
{
	struct arena *a = lost(false);
	struct command late = { .kind = CMD_REPORT_DONE,
				.ok = true,
				.operation = node(a, 1)->fence_operation };

	(void)state;
	arena_open(a, N(3), N(3));
	arena_decide(a);
	assert_int_equal(fencing(a, 1)->node, 3);
	assert_int_equal(arena_apply(a, &late), -ESTALE);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_free(a);
}

static void test_executor_hangs(void **state)
{
	struct arena *a = lost(false);

	(void)state;
	assert_int_equal(a->again_us, a->now + a->conf.fence_deadline_us);
	arena_wait(a, a->conf.fence_deadline_us);
	assert_int_equal(fencing(a, 1)->node, 3);
	arena_free(a);
}

/*
 * An agent that stays away while its node is in the ring: fenced when its grace is over, not
 * before.
 */
static void test_away_too_long(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_open(a, WITHOUT_1, ALL);
	arena_decide(a);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_int_equal(a->again_us, a->now + a->conf.agent_grace_us);
	arena_wait(a, a->conf.agent_grace_us - 1);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_wait(a, 1);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_fenced(a, 1, NULL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
}

/*
 * No device: said once, with what to do; nothing else happens, ever. A device that is set later
 * is used.
 */
static void test_no_device(void **state)
{
	struct arena *a = lost(true);
	struct command set = { .kind = CMD_NODE_FENCE_SET, .node = 1, .name = "fence_ipmilan" };
	size_t events = a->m->events.n;

	(void)state;
	assert_true(arena_said(a, "n1 is lost and has no fence device: power it off and say: domus "
				  "node confirm-off n1"));
	arena_wait(a, 3600 * US_PER_S);
	assert_int_equal(a->m->events.n, events);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_apply(a, &set);
	arena_decide(a);
	arena_fenced(a, 1, NULL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_free(a);
}

static int confirm(struct arena *a, uint32_t victim, struct id life)
{
	struct command c = {
		.kind = CMD_NODE_CONFIRM_OFF, .node = victim, .incarnation = life, .text = "root"
	};

	return arena_apply(a, &c);
}

/* A person's word is a proof: about exactly the life that is lost. It ends a fencing under way. */
static void test_confirm_off(void **state)
{
	struct arena *a = lost(false);
	struct id life = arena_life(a, 1), other = arena_life(a, 2);
	uint64_t op = node(a, 1)->fence_operation;

	(void)state;
	assert_int_equal(confirm(a, 1, other), -ESTALE);
	arena_is(a, "web1", GUEST_LOST, 1);
	assert_int_equal(confirm(a, 1, life), 0);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	assert_int_equal(node(a, 1)->proof.kind, PROOF_CONFIRMED);
	assert_string_equal(node(a, 1)->proof.by, "root");
	assert_null(model_operation(a->m, op));
	assert_int_equal(confirm(a, 1, life), -EINVAL);
	arena_free(a);
}

/* Nobody can confirm that a node is off which the ring shows: neither online nor away. */
static void test_confirm_what_is_there(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	assert_int_equal(confirm(a, 1, arena_life(a, 1)), -EINVAL);
	arena_open(a, WITHOUT_1, ALL);
	assert_int_equal(confirm(a, 1, arena_life(a, 1)), -EINVAL);
	assert_non_null(strstr(a->err.text, "in the ring"));
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

/*
 * The third proof: the node comes back in another life. A fencing under way is dropped, its late
 * success proves nothing new.
 */
static void test_proof_by_restart(void **state)
{
	struct arena *a = lost(false);
	struct command late = { .kind = CMD_REPORT_DONE,
				.ok = true,
				.operation = node(a, 1)->fence_operation };

	(void)state;
	arena_reboot(a, 1);
	arena_open(a, ALL, ALL);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	assert_int_equal(node(a, 1)->fence_operation, 0);
	assert_int_equal(arena_apply(a, &late), -ESTALE);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	arena_free(a);
}

/* Two proofs of the same end: the guest is given away once. */
static void test_double_proof(void **state)
{
	struct arena *a = lost(false);
	uint64_t epoch;

	(void)state;
	arena_fenced(a, 1, NULL);
	arena_decide(a);
	epoch = arena_guest(a, "web1")->owner.epoch;
	assert_int_equal(confirm(a, 1, arena_life(a, 1)), -EINVAL);
	arena_reboot(a, 1);
	arena_open(a, ALL, ALL);
	arena_is(a, "web1", GUEST_STARTING, 2);
	assert_int_equal(arena_guest(a, "web1")->owner.epoch, epoch);
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	arena_free(a);
}

/*
 * Said to be off, and the same life is here again: an alarm. It has nothing any more, and the
 * proof is void.
 */
static void test_fenced_and_back(void **state)
{
	struct arena *a = lost(false);

	(void)state;
	arena_fenced(a, 1, NULL);
	arena_decide(a);
	arena_done(a, "web1", OP_START, NULL);
	arena_open(a, ALL, ALL);
	assert_true(arena_said(a, "ALARM: it was said to be off"));
	assert_int_equal(node(a, 1)->proof.kind, PROOF_NONE);
	assert_int_equal(node(a, 1)->state, NODE_ONLINE);
	arena_is(a, "web1", GUEST_RUNNING, 2);
	arena_free(a);
}

/* A fenced node whose corosync is up again while its agent is not stays proven off. */
static void test_fenced_stays_so(void **state)
{
	struct arena *a = lost(false);

	(void)state;
	arena_fenced(a, 1, NULL);
	arena_open(a, WITHOUT_1, ALL);
	assert_int_equal(node(a, 1)->state, NODE_FENCED);
	arena_free(a);
}

/* Two nodes that are to be fenced do not fence each other: both would be off, and the majority with them. */
static void test_none_fences_who_is_fenced(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	assert_int_equal(arena_kind(a, CMD_NODE_FENCE, "", 1), 0);
	assert_int_equal(arena_kind(a, CMD_NODE_FENCE, "", 2), 0);
	arena_decide(a);
	assert_int_equal(fencing(a, 1)->node, 3);
	assert_int_equal(fencing(a, 2)->node, 3);
	arena_free(a);
}

/*
 * A person fences a node that is here: its guests wait meanwhile, the proof holds although it is
 * still listed.
 */
static void test_person_fences(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	assert_int_equal(arena_kind(a, CMD_NODE_FENCE, "", 1), 0);
	arena_decide(a);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_fenced(a, 1, NULL);
	assert_int_equal(node(a, 1)->state, NODE_FENCED);
	assert_false(node(a, 1)->fence_wanted);
	arena_is(a, "web1", GUEST_RECOVERING, 0);
	arena_open(a, WITHOUT_1, WITHOUT_1);
	assert_int_equal(node(a, 1)->state, NODE_FENCED);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 2);
	arena_free(a);
}

/* It fails: the node is as it was, and is not fenced out of the blue later. */
static void test_person_fences_in_vain(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_run(a, "web1", 128, 1);
	arena_kind(a, CMD_NODE_FENCE, "", 1);
	arena_decide(a);
	arena_fenced(a, 1, "wrong password");
	arena_is(a, "web1", GUEST_RUNNING, 1);
	assert_int_equal(arena_decide(a), 0);
	arena_wait(a, 3600 * US_PER_S);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

/* Refused where it makes no sense, each with a sentence. */
static void test_fence_refused(void **state)
{
	struct arena *a = lost(false), *bare = arena_new(2, true), *alone = arena_new(1, false);

	(void)state;
	assert_int_equal(arena_kind(a, CMD_NODE_FENCE, "", 9), -ENOENT);
	arena_fenced(a, 1, NULL);
	assert_int_equal(arena_kind(a, CMD_NODE_FENCE, "", 1), -EINVAL);
	assert_int_equal(arena_kind(bare, CMD_NODE_FENCE, "", 1), -EINVAL);
	assert_non_null(strstr(bare->err.text, "domus fence set n1"));
	assert_int_equal(arena_kind(alone, CMD_NODE_FENCE, "", 1), -EINVAL);
	arena_free(a);
	arena_free(bare);
	arena_free(alone);
}

/*
 * What the owner itself reports while it is back and still being fenced is the truth about its
 * process.
 */
static void test_reports_while_lost(void **state)
{
	struct arena *a = arena_new(3, false);

	(void)state;
	arena_define(a, "web1", 128);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_open(a, WITHOUT_1, WITHOUT_1);
	arena_decide(a);
	arena_open(a, ALL, ALL);
	arena_done(a, "web1", OP_START, NULL);
	arena_is(a, "web1", GUEST_LOST, 1);
	arena_fenced(a, 1, "no");
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

/*
 * An operation whose node was gone gets its time anew when that is back: nobody could work at
 * it.
 */
static void test_deadline_begins_anew(void **state)
{
	struct arena *a = arena_new(3, true);

	(void)state;
	arena_define(a, "web1", 128);
	arena_want(a, "web1", DESIRED_RUNNING);
	arena_decide(a);
	arena_open(a, WITHOUT_1, WITHOUT_1);
	arena_wait(a, 1000 * US_PER_S);
	arena_kind(a, CMD_NODE_DRAIN, "", 3); /* so that the ledger's time has moved on */
	arena_open(a, ALL, ALL);
	arena_decide(a);
	arena_is(a, "web1", GUEST_STARTING, 1);
	arena_done(a, "web1", OP_START, NULL);
	arena_is(a, "web1", GUEST_RUNNING, 1);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proof_by_device),
		cmocka_unit_test(test_owns_nothing),
		cmocka_unit_test(test_the_whole_cluster_boots),
		cmocka_unit_test(test_no_grace_after_boot),
		cmocka_unit_test(test_back_before_fencing),
		cmocka_unit_test(test_back_while_fenced),
		cmocka_unit_test(test_back_and_fencing_fails),
		cmocka_unit_test(test_listed_in_between),
		cmocka_unit_test(test_failures_take_turns),
		cmocka_unit_test(test_executor_lost),
		cmocka_unit_test(test_executor_hangs),
		cmocka_unit_test(test_away_too_long),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_confirm_off),
		cmocka_unit_test(test_confirm_what_is_there),
		cmocka_unit_test(test_proof_by_restart),
		cmocka_unit_test(test_double_proof),
		cmocka_unit_test(test_fenced_and_back),
		cmocka_unit_test(test_fenced_stays_so),
		cmocka_unit_test(test_none_fences_who_is_fenced),
		cmocka_unit_test(test_person_fences),
		cmocka_unit_test(test_person_fences_in_vain),
		cmocka_unit_test(test_fence_refused),
		cmocka_unit_test(test_reports_while_lost),
		cmocka_unit_test(test_deadline_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
