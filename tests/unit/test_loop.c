/* SPDX-License-Identifier: Apache-2.0
 * The loop: real timers, descriptors, signals and posts, never told from inside a call. */
#include "kit/kit.h"

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 10

static int set_up(void **state)
{
	*state = loop_new();
	return 0;
}

static int tear_down(void **state)
{
	loop_free(*state);
	return 0;
}

static bool is_set(void *ctx)
{
	return *(bool *)ctx;
}

/* A timer that writes its letter. */
struct letter {
	struct env_timer *slot;
	struct buf *out;
	char c;
};

static void write_letter(void *ctx)
{
	struct letter *l = ctx;

	assert_null(l->slot);
	buf_char(l->out, l->c);
}

static bool has_four(void *ctx)
{
	return ((struct buf *)ctx)->len >= 4;
}

/* By time, then by the order of arming; cancelled ones never; not before they are due. */
static void test_timers(void **state)
{
	_cleanup_(buf_free) struct buf out = {0};
	struct env env = loop_env(*state);
	struct letter l[5] = { { .out = &out, .c = 'd' }, { .out = &out, .c = 'a' },
			       { .out = &out, .c = 'x' }, { .out = &out, .c = 'b' },
			       { .out = &out, .c = 'c' } };
	struct mono start = env_now(&env);

	env_timer(&env, &l[0].slot, 20 * US_PER_MS, write_letter, &l[0]);
	env_defer(&env, &l[1].slot, write_letter, &l[1]);
	env_timer(&env, &l[2].slot, 5 * US_PER_MS, write_letter, &l[2]);
	env_defer(&env, &l[3].slot, write_letter, &l[3]);
	env_timer(&env, &l[4].slot, 10 * US_PER_MS, write_letter, &l[4]);
	env_cancel(&env, &l[2].slot);
	assert_int_equal(out.len, 0);
	kit_loop_until(*state, has_four, &out, LIMIT_S, "four timers");
	assert_string_equal(buf_cstr(&out), "abcd");
	assert_true(mono_diff_us(env_now(&env), start) >= 20 * US_PER_MS);
}

struct again {
	struct env env;
	struct env_timer *slot, *other;
	int count;
	bool other_fired;
};

static void fire_again(void *ctx)
{
	struct again *a = ctx;

	a->count++;
	env_defer(&a->env, &a->slot, fire_again, a);
}

static void fire_other(void *ctx)
{
	struct again *a = ctx;

	a->other_fired = true;
}

/* One that arms itself for "soon" for ever does not keep the rest of the loop from running. */
static void test_endless_defer_starves_nobody(void **state)
{
	struct again a = { .env = loop_env(*state) };

	env_defer(&a.env, &a.slot, fire_again, &a);
	env_timer(&a.env, &a.other, US_PER_MS, fire_other, &a);
	kit_loop_until(*state, is_set, &a.other_fired, LIMIT_S, "the other timer");
	assert_true(a.count > 0);
	env_cancel(&a.env, &a.slot);
}

struct reader {
	struct loop_fd *watch;
	char text[16];
	size_t len;
	uint32_t last;
	bool ended;
};

/* Removes its own watch at the end. */
static void read_some(void *ctx, int fd, uint32_t revents)
{
	struct reader *r = ctx;
	ssize_t n = read(fd, r->text + r->len, sizeof(r->text) - r->len);

	r->last = revents;
	if (n > 0) {
		r->len += (size_t)n;
		return;
	}
	loop_fd_remove(TAKE_PTR(r->watch));
	r->ended = true;
}

static void test_descriptor(void **state)
{
	struct reader r = {0};
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	r.watch = loop_fd_add(*state, ends[0], POLLIN, read_some, &r);
	assert_int_equal(write(ends[1], "one", 3), 3);
	assert_int_equal(write(ends[1], "two", 3), 3);
	close(ends[1]);
	kit_loop_until(*state, is_set, &r.ended, LIMIT_S, "the end of the pipe");
	assert_memory_equal(r.text, "onetwo", 6);
	assert_true(r.last & POLLHUP);
	close(ends[0]);
}

static void note_event(void *ctx, int fd, uint32_t revents)
{
	struct reader *r = ctx;

	(void)fd;
	r->last = revents;
	r->ended = true;
}

/* Events can be changed; with none asked for, a hang-up still comes. */
static void test_descriptor_events(void **state)
{
	struct reader r = {0};
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	r.watch = loop_fd_add(*state, ends[1], POLLOUT, note_event, &r);
	kit_loop_until(*state, is_set, &r.ended, LIMIT_S, "room in the pipe");
	assert_int_equal(r.last, POLLOUT);
	loop_fd_events(r.watch, 0);
	r.ended = false;
	close(ends[0]);
	kit_loop_until(*state, is_set, &r.ended, LIMIT_S, "the reader's end");
	assert_true(r.last & POLLERR);
	loop_fd_remove(r.watch);
	loop_fd_remove(NULL);
	close(ends[1]);
}

static void set_flag(void *ctx)
{
	*(bool *)ctx = true;
}

static void test_signal(void **state)
{
	bool got = false;

	loop_signal(*state, SIGUSR1, set_flag, &got);
	kill(getpid(), SIGUSR1);
	kit_loop_until(*state, is_set, &got, LIMIT_S, "SIGUSR1");
}

/* Writing to a closed pipe is an error, not the end of the process. */
static void test_sigpipe_is_ignored(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
}

#define POSTS 1000

struct poster {
	struct loop *loop;
	pthread_t home;
	int got;
	bool in_order, at_home, done;
	struct post {
		struct poster *poster;
		int number;
	} posts[POSTS];
};

static void take_post(void *ctx)
{
	struct post *post = ctx;
	struct poster *p = post->poster;

	p->in_order &= post->number == p->got++;
	p->at_home &= pthread_equal(pthread_self(), p->home) != 0;
	p->done = p->got == POSTS;
}

static void *post_all(void *ctx)
{
	struct poster *p = ctx;

	for (int i = 0; i < POSTS; i++) {
		p->posts[i] = (struct post){ .poster = p, .number = i };
		loop_post(p->loop, take_post, &p->posts[i]);
	}
	return NULL;
}

/* Posts of another thread arrive in their order, in the loop's thread. */
static void test_posts(void **state)
{
	struct poster p = { .loop = *state, .home = pthread_self(), .in_order = true,
			    .at_home = true };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, post_all, &p), 0);
	kit_loop_until(*state, is_set, &p.done, LIMIT_S, "all posts");
	pthread_join(thread, NULL);
	assert_true(p.in_order);
	assert_true(p.at_home);
}

/* A post from the loop's own thread is not run inside the call. */
static void test_post_from_inside(void **state)
{
	bool done = false;

	loop_post(*state, set_flag, &done);
	assert_false(done);
	kit_loop_until(*state, is_set, &done, LIMIT_S, "the post");
}

/* A quit that comes before the run ends that run, and only that one. */
static void test_early_quit(void **state)
{
	bool done = false;

	loop_quit(*state);
	loop_run(*state);
	loop_post(*state, set_flag, &done);
	kit_loop_until(*state, is_set, &done, LIMIT_S, "the post after the quit");
}

/* Real clocks run, real randomness differs. */
static void test_env(void **state)
{
	struct env env = loop_env(*state);
	struct mono start = env_now(&env);
	uint8_t a[600] = {0}, b[600] = {0}, zero[300] = {0};

	assert_true(env_wall(&env).us > INT64_C(1700000000) * US_PER_S);
	env_random(&env, a, sizeof(a));
	env_random(&env, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 300, zero, 300);
	assert_true(env_now(&env).us >= start.us);
}

/* Timers that are armed when the loop goes leave no slot that points into it. */
static void test_free_clears_slots(void **state)
{
	struct loop *l = loop_new();
	struct env env = loop_env(l);
	struct env_timer *slot = NULL;
	bool fired = false;

	(void)state;
	env_timer(&env, &slot, 0, set_flag, &fired);
	loop_free(l);
	assert_null(slot);
	assert_false(fired);
	loop_free(NULL);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_timers),
		LOOP_TEST(test_endless_defer_starves_nobody),
		LOOP_TEST(test_descriptor),
		LOOP_TEST(test_descriptor_events),
		LOOP_TEST(test_signal),
		LOOP_TEST(test_sigpipe_is_ignored),
		LOOP_TEST(test_posts),
		LOOP_TEST(test_post_from_inside),
		LOOP_TEST(test_early_quit),
		LOOP_TEST(test_env),
		LOOP_TEST(test_free_clears_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
