/* SPDX-License-Identifier: Apache-2.0
 * The virtual environment: time moves only by steps, order is fixed, a seed gives the same run. */
#include "kit/kit.h"

#include "base/buf.h"
#include "base/env.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

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

static void arm(const struct env *env, struct letter *l, struct buf *out, char c, int64_t us)
{
	l->out = out;
	l->c = c;
	env_timer(env, &l->slot, us, write_letter, l);
}

static struct mono after(const struct env *env, int64_t us)
{
	return mono_add(env_now(env), us);
}

/* By time, and among equals by the order of arming; negative delays are "soon". */
static void test_order(void **state)
{
	_cleanup_(venv_freep) struct venv *v = venv_new(1);
	_cleanup_(buf_free) struct buf out = {0};
	struct env env = venv_env(v);
	struct letter l[6] = {0};
	struct mono start = env_now(&env);

	(void)state;
	arm(&env, &l[0], &out, 'e', 20);
	arm(&env, &l[1], &out, 'c', 10);
	arm(&env, &l[2], &out, 'd', 10);
	arm(&env, &l[3], &out, 'a', 0);
	arm(&env, &l[4], &out, 'b', -5);
	arm(&env, &l[5], &out, 'z', 21);
	assert_string_equal(buf_cstr(&out), "");
	while (venv_step(v, mono_add(start, 20)))
		;
	assert_string_equal(buf_cstr(&out), "abcde");
	assert_int_equal(mono_diff_us(env_now(&env), start), 20);
	assert_non_null(l[5].slot);
}

/* Arming anew replaces; cancelling forgets; cancelling an idle slot is nothing. */
static void test_replace_and_cancel(void **state)
{
	_cleanup_(venv_freep) struct venv *v = venv_new(1);
	_cleanup_(buf_free) struct buf out = {0};
	struct env env = venv_env(v);
	struct letter a = {0}, b = {0}, c = {0};

	(void)state;
	arm(&env, &a, &out, 'a', 10);
	arm(&env, &b, &out, 'b', 5);
	arm(&env, &c, &out, 'c', 7);
	arm(&env, &b, &out, 'B', 20);
	env_cancel(&env, &c.slot);
	assert_null(c.slot);
	env_cancel(&env, &c.slot);
	venv_run(v, after(&env, 100));
	assert_string_equal(buf_cstr(&out), "aB");
}

/* venv_run leaves time where it was told to, with or without timers. */
static void test_run(void **state)
{
	_cleanup_(venv_freep) struct venv *v = venv_new(1);
	struct env env = venv_env(v);
	struct mono start = env_now(&env);

	(void)state;
	venv_run(v, mono_add(start, 1234));
	assert_int_equal(mono_diff_us(env_now(&env), start), 1234);
	venv_run(v, start);
	assert_int_equal(mono_diff_us(env_now(&env), start), 1234);
	assert_int_equal(venv_step(v, after(&env, 1)), 0);
}

struct ticker {
	const struct env *env;
	struct env_timer *slot;
	int count;
};

static void tick(void *ctx)
{
	struct ticker *t = ctx;

	t->count++;
	env_timer(t->env, &t->slot, 10, tick, t);
}

/* A timer may arm itself again from its own function. */
static void test_arms_itself(void **state)
{
	_cleanup_(venv_freep) struct venv *v = venv_new(1);
	struct env env = venv_env(v);
	struct ticker t = { .env = &env };

	(void)state;
	env_defer(&env, &t.slot, tick, &t);
	venv_run(v, after(&env, 100));
	assert_int_equal(t.count, 11);
}

/* A timer that fires once, and notes when. */
struct alarm {
	const struct env *env;
	struct env_timer *slot;
	struct mono due, fired;
};

static void note(void *ctx)
{
	struct alarm *a = ctx;

	a->fired = env_now(a->env);
}

/* Hundreds of timers, some cancelled: each of the others fires once, when it is due. */
static void test_many(void **state)
{
	enum { N = 500 };
	_cleanup_(venv_freep) struct venv *v = venv_new(1);
	struct env env = venv_env(v);
	struct alarm alarms[N] = {0};
	unsigned int seed = 7;
	int fired = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		int64_t delay = 1 + rand_r(&seed) % 1000;

		alarms[i].env = &env;
		alarms[i].due = after(&env, delay);
		env_timer(&env, &alarms[i].slot, delay, note, &alarms[i]);
	}
	for (int i = 0; i < N; i += 3)
		env_cancel(&env, &alarms[i].slot);
	while (venv_step(v, (struct mono){ INT64_MAX }))
		fired++;
	assert_int_equal(fired, N - (N + 2) / 3);
	for (int i = 0; i < N; i++)
		assert_int_equal(alarms[i].fired.us, i % 3 ? alarms[i].due.us : 0);
}

/* Freeing the environment leaves no slot that points into it. */
static void test_free_clears_slots(void **state)
{
	struct venv *v = venv_new(1);
	struct env env = venv_env(v);
	struct ticker t = { .env = &env };

	(void)state;
	env_timer(&env, &t.slot, 10, tick, &t);
	venv_free(v);
	assert_null(t.slot);
	venv_free(NULL);
}

/* The wall clock can be set, forth and back, while deadlines go on. */
static void test_wall(void **state)
{
	_cleanup_(venv_freep) struct venv *v = venv_new(1);
	struct env env = venv_env(v);

	(void)state;
	venv_set_wall(v, (struct wall){ 5000 });
	assert_int_equal(env_wall(&env).us, 5000);
	venv_run(v, after(&env, 100));
	assert_int_equal(env_wall(&env).us, 5100);
	venv_set_wall(v, (struct wall){ 10 });
	assert_int_equal(env_wall(&env).us, 10);
}

static void test_seed(void **state)
{
	_cleanup_(venv_freep) struct venv *a = venv_new(42);
	_cleanup_(venv_freep) struct venv *b = venv_new(42);
	_cleanup_(venv_freep) struct venv *c = venv_new(43);
	_cleanup_(venv_freep) struct venv *d = venv_new(UINT64_MAX);
	struct env ea = venv_env(a), eb = venv_env(b), ec = venv_env(c), ed = venv_env(d);
	uint8_t x[64], y[64], z[64], w[64], zero[64] = {0};

	(void)state;
	env_random(&ea, x, sizeof(x));
	env_random(&eb, y, 10);
	env_random(&eb, y + 10, sizeof(y) - 10);
	env_random(&ec, z, sizeof(z));
	env_random(&ed, w, sizeof(w));
	assert_memory_equal(x, y, sizeof(x));
	assert_memory_not_equal(x, z, sizeof(x));
	assert_memory_not_equal(w, zero, sizeof(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_replace_and_cancel),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_arms_itself),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_free_clears_slots),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
