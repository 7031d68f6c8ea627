/* SPDX-License-Identifier: Apache-2.0
 * The adapter to corosync, in front of one that answers as it is told (rules L6, L8). */
#include "kit/kit.h"

#include "base/loop.h"
#include "base/mem.h"
#include "cluster/corosync.h"
#include "corosync_fake.h"

#include <errno.h>

#define LIMIT_S 10

struct fixture {
	struct loop *loop;
	struct corosync *corosync;
	struct order order;
	unsigned int lost, quorums;
	bool quorate;
};

static void on_quorum(void *ctx, const struct order_ring *ring, bool quorate)
{
	struct fixture *f = ctx;

	assert_int_equal(ring->seq, 4);
	f->quorums++;
	f->quorate = quorate;
}

static void on_lost(void *ctx, const char *why)
{
	(void)why;
	((struct fixture *)ctx)->lost++;
}

static const struct order_events events = { .quorum = on_quorum, .lost = on_lost };

static bool is_connected(void *ctx)
{
	(void)ctx;
	return fake.joins > 0;
}

static bool is_lost(void *ctx)
{
	return ((struct fixture *)ctx)->lost > 0;
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	fake_begin();
	f->loop = loop_new();
	f->corosync = corosync_new(f->loop, &events, f);
	f->order = corosync_order(f->corosync);
	corosync_start(f->corosync);
	kit_loop_until(f->loop, is_connected, f, LIMIT_S, "the connection");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	corosync_free(f->corosync);
	loop_free(f->loop);
	mem_freep(&f);
	fake_end();
	return 0;
}

static int send_one(struct fixture *f)
{
	return f->order.ops->send(f->order.order, "text", 4);
}

/* Flow control is normal: the same handle takes the message later. */
static void test_try_again(void **state)
{
	struct fixture *f = *state;

	fake.send = CS_ERR_TRY_AGAIN;
	assert_int_equal(send_one(f), -EAGAIN);
	fake.send = CS_OK;
	assert_int_equal(send_one(f), 0);
	assert_int_equal(fake.sends, 2);
	assert_int_equal(f->lost, 0);
}

/*
 * Any other error of a send is the handle's end: nothing more is sent by it, and it is told from the
 * loop, not from inside the call; then there is a new one.
 */
static void test_a_failed_send_ends_the_handle(void **state)
{
	struct fixture *f = *state;

	fake.send = CS_ERR_LIBRARY;
	assert_int_equal(send_one(f), -ENOTCONN);
	assert_int_equal(f->lost, 0);
	fake.send = CS_OK;
	assert_int_equal(send_one(f), -ENOTCONN);
	assert_int_equal(fake.sends, 1);
	fake.joins = 0;
	kit_loop_until(f->loop, is_lost, f, LIMIT_S, "the loss of the order");
	assert_int_equal(fake.finalized, 1);
	assert_int_equal(send_one(f), -ENOTCONN);
	kit_loop_until(f->loop, is_connected, f, LIMIT_S, "another connection");
	assert_int_equal(send_one(f), 0);
	assert_int_equal(f->lost, 1);
}

static bool has_said_quorum(void *ctx)
{
	return ((struct fixture *)ctx)->quorate;
}

/*
 * A ring is not quorate while the settings cannot be read that could make that a lie; it is said again
 * when they can, though corosync has nothing new to say.
 */
static void test_unreadable_settings_shut_the_gate(void **state)
{
	struct fixture *f = *state;

	fake.cmap = CS_ERR_TRY_AGAIN;
	fake_say_quorate();
	assert_int_equal(f->quorums, 1);
	assert_false(f->quorate);
	assert_non_null(f->order.ops->unsafe(f->order.order));
	fake.cmap = CS_OK;
	kit_loop_until(f->loop, has_said_quorum, f, LIMIT_S, "a quorate ring");
	assert_null(f->order.ops->unsafe(f->order.order));
	fake.number = "quorum.allow_downscale";
	fake_say_quorate();
	assert_false(f->quorate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_try_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_failed_send_ends_the_handle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable_settings_shut_the_gate, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
