/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver against the real QEMU: live migrations, good ones and ones that break at each
 * phase. Until the hand-over only the source may run, and it must run again whatever breaks. */
#include "qemu_kit.h"

#include <pthread.h>

static void send_to(struct node *n, const char *address, struct send_params params)
{
	struct answer answer = { 0 };
	struct err err = { 0 };

	params.address = address;
	if (n->driver.ops->send(n->driver.drv, n->domain, &params, on_done, &answer, &err) < 0)
		fail_msg("%s", err.text);
	wait_done(n->f, &answer, "send");
}

static const struct send_params fast = {
	.max_bytes_per_s = UINT64_C(1) << 33,
	.downtime_ms = 1000,
	.deadline_us = 20 * US_PER_S,
};

/* The guest writes faster than this goes, so the transfer never ends by itself. */
static const struct send_params endless = {
	.max_bytes_per_s = 1024 * 1024,
	.downtime_ms = 1,
	.deadline_us = 20 * US_PER_S,
};

static void begin_migration(struct fixture *f, struct send_params params)
{
	char address[96];

	run_to_work(&f->a);
	prepare_in(&f->b);
	mem_strcpy(address, sizeof(address),
		   f->b.driver.ops->incoming_address(f->b.driver.drv, f->b.domain));
	send_to(&f->a, address, params);
}

static void migrate_to_the_gate(struct fixture *f)
{
	begin_migration(f, fast);
	wait_event(&f->a, DOMAIN_EV_SENT);
	wait_event(&f->b, DOMAIN_EV_LOADED);
	assert_int_equal(state_of(&f->a), DOMAIN_SENT);
	assert_int_equal(state_of(&f->b), DOMAIN_LOADED);
}

/* Good: both stand still until the target is activated, then the source is killed. */
static void test_migrate(void **state)
{
	struct fixture *f = *state;
	struct domain_info info;

	migrate_to_the_gate(f);
	f->a.driver.ops->info(f->a.driver.drv, f->a.domain, &info);
	print_message("sent %.1f MiB in %u ms, downtime %u ms\n", (double)info.sent_bytes / 1048576,
		      info.total_ms, info.downtime_ms);
	assert_true(info.sent_bytes > 0);
	step(&f->b, f->b.driver.ops->activate, "activate");
	assert_int_equal(state_of(&f->b), DOMAIN_RUNNING);
	step(&f->a, f->a.driver.ops->kill, "kill the source");
	assert_int_equal(state_of(&f->b), DOMAIN_RUNNING);
}

/*
 * The hand-over is cancelled at the gate: the source runs again, with its disk, although the target
 * still stands there loaded.
 */
static void test_resume_source(void **state)
{
	struct fixture *f = *state;

	migrate_to_the_gate(f);
	step(&f->a, f->a.driver.ops->resume_source, "resume_source");
	assert_int_equal(state_of(&f->a), DOMAIN_RUNNING);
	step(&f->b, f->b.driver.ops->abort_in, "abort_in");
	assert_int_equal(state_of(&f->a), DOMAIN_RUNNING);
}

/* Whatever breaks before the source has said "sent", the guest runs there again. */
static void assert_runs_at_source(struct fixture *f)
{
	const struct told *failed = wait_event(&f->a, DOMAIN_EV_FAILED);

	assert_string_equal(domain_state_text(failed->state), "running");
	assert_int_equal(state_of(&f->a), DOMAIN_RUNNING);
	assert_null(heard(&f->a, DOMAIN_EV_SENT));
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;

	begin_migration(f, endless);
	wait_event(&f->a, DOMAIN_EV_PROGRESS);
	step(&f->a, f->a.driver.ops->cancel_send, "cancel");
	assert_runs_at_source(f);
}

static void test_target_dies(void **state)
{
	struct fixture *f = *state;

	begin_migration(f, endless);
	wait_event(&f->a, DOMAIN_EV_PROGRESS);
	kill_from_outside(&f->b);
	assert_runs_at_source(f);
	wait_event(&f->b, DOMAIN_EV_GONE);
	prepare_in(&f->b);
}

/* The target is never run by itself; QEMU ends it, or only its end is left. */
static void test_source_dies(void **state)
{
	struct fixture *f = *state;

	begin_migration(f, endless);
	wait_event(&f->a, DOMAIN_EV_PROGRESS);
	kill_from_outside(&f->a);
	wait_event(&f->a, DOMAIN_EV_GONE);
	wait_event(&f->b, DOMAIN_EV_GONE);
	assert_null(heard(&f->b, DOMAIN_EV_LOADED));
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	run(&f->a);
	send_to(&f->a, "tcp:127.0.0.1:1", fast);
	assert_runs_at_source(f);
}

/* Somebody who takes the connection and so many bytes, and then falls silent. */
struct silent_peer {
	int listener, conn;
	size_t takes;
	pthread_t thread;
};

static void *take_and_fall_silent(void *ctx)
{
	struct silent_peer *p = ctx;
	char chunk[16384];
	size_t taken = 0;
	ssize_t n = 1;

	p->conn = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	while (p->conn >= 0 && taken < p->takes && n > 0) {
		n = recv(p->conn, chunk, sizeof(chunk), 0);
		taken += n > 0 ? (size_t)n : 0;
	}
	return NULL;
}

static void peer_start(struct silent_peer *p, char *ret_address, size_t size)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	int little = 4096;

	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->listener >= 0);
	setsockopt(p->listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	assert_int_equal(bind(p->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(p->listener, 1), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&addr, &len), 0);
	snprintf(ret_address, size, "tcp:127.0.0.1:%u", ntohs(addr.sin_port));
	assert_int_equal(pthread_create(&p->thread, NULL, take_and_fall_silent, p), 0);
}

static void peer_stop(struct silent_peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->conn);
	close(p->listener);
}

static void send_to_the_silent(struct fixture *f, size_t takes, struct send_params params)
{
	struct silent_peer peer = { .takes = takes };
	struct mono begun;
	char address[64];

	peer_start(&peer, address, sizeof(address));
	run_to_work(&f->a); /* more than fits into the socket's buffers */
	send_to(&f->a, address, params);
	begun = env_now(&f->env);
	assert_runs_at_source(f);
	print_message("runs again %.2f s after the beginning: %s\n",
		      (double)mono_diff_us(env_now(&f->env), begun) / 1e6,
		      heard(&f->a, DOMAIN_EV_FAILED)->why);
	peer_stop(&peer);
}

/* A peer that falls silent while the guest runs: the deadline ends it. */
static void test_silent_peer(void **state)
{
	struct send_params params = endless;

	params.deadline_us = US_PER_S;
	send_to_the_silent(*state, 4096, params);
}

/*
 * One that falls silent in the last pass, which is sent with QEMU's main lock held: it hears no
 * command any more but those out of band. The guest stands still, so this is ended sooner than the
 * deadline.
 */
static void test_silent_peer_in_last_pass(void **state)
{
	struct send_params params = fast;

	params.max_bytes_per_s = 32 << 20;
	params.downtime_ms = 1000000;
	send_to_the_silent(*state, 5 << 20, params);
}

/* A guest that a person paused stays paused when its migration fails. */
static void test_paused_stays_paused(void **state)
{
	struct fixture *f = *state;

	run(&f->a);
	step(&f->a, f->a.driver.ops->pause, "pause");
	vec_clear(&f->a.told);
	send_to(&f->a, "tcp:127.0.0.1:1", fast);
	assert_int_equal(wait_event(&f->a, DOMAIN_EV_FAILED)->state, DOMAIN_PAUSED);
	step(&f->a, f->a.driver.ops->cont, "cont");
}

static void test_adopt_at_the_gate(void **state)
{
	struct fixture *f = *state;

	migrate_to_the_gate(f);
	adopt_in_state(&f->a, DOMAIN_SENT);
	adopt_in_state(&f->b, DOMAIN_LOADED);
	step(&f->b, f->b.driver.ops->activate, "activate");
	step(&f->b, f->b.driver.ops->pause, "pause");
	adopt_in_state(&f->b, DOMAIN_PAUSED);
}

/* An agent that dies while it sends: its successor sees it, and can give it up. */
static void test_adopt_sending(void **state)
{
	struct fixture *f = *state;

	begin_migration(f, endless);
	wait_event(&f->a, DOMAIN_EV_PROGRESS);
	adopt_in_state(&f->a, DOMAIN_SENDING);
	step(&f->a, f->a.driver.ops->cancel_send, "cancel");
	wait_event(&f->a, DOMAIN_EV_FAILED);
	assert_int_equal(state_of(&f->a), DOMAIN_RUNNING);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		QEMU_TEST(test_migrate),
		QEMU_TEST(test_resume_source),
		QEMU_TEST(test_cancel),
		QEMU_TEST(test_target_dies),
		QEMU_TEST(test_source_dies),
		QEMU_TEST(test_refused),
		QEMU_TEST(test_silent_peer),
		QEMU_TEST(test_silent_peer_in_last_pass),
		QEMU_TEST(test_paused_stays_paused),
		QEMU_TEST(test_adopt_at_the_gate),
		QEMU_TEST(test_adopt_sending),
	};

	if (access(QEMU, X_OK) < 0) {
		print_message("[  SKIPPED ] %s is not installed\n", QEMU);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
