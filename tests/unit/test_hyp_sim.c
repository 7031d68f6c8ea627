/* SPDX-License-Identifier: Apache-2.0
 * The simulated driver: it keeps the contract of the real one in virtual time, through good
 * migrations and ones that break at each phase, dying agents and dying nodes; and the same run
 * twice is the same. */
#include "kit/kit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "hypervisor/sim.h"

#include <stdlib.h>
#include <string.h>

#define FOREVER ((struct mono){ INT64_MAX })

struct fixture;

struct node {
	struct fixture *f;
	const char *name;
	struct driver driver;
	struct domain *domain;
	bool loaded, sent, failed, gone, found, adopted;
};

struct fixture {
	struct venv *venv;
	struct env env;
	struct sim_world *world;
	struct guest_spec *spec;
	struct node a, b;
	struct buf trace;
	/* What goes wrong: */
	enum sim_point faulty;
	const char *faulty_node;
	bool cut;
};

static void trace(struct node *n, const char *what, const char *why)
{
	struct fixture *f = n->f;

	buf_printf(&f->trace, "%7lld us %s: %s %s\n", (long long)env_now(&f->env).us, n->name, what,
		   why);
}

static struct domain_info info_of(const struct node *n)
{
	struct domain_info info;

	n->driver.ops->info(n->driver.drv, n->domain, &info);
	return info;
}

static void on_event(void *ctx, struct domain *domain, enum domain_event event, const char *why)
{
	struct node *n = ctx;

	assert_ptr_equal(domain, n->domain);
	n->loaded |= event == DOMAIN_EV_LOADED;
	n->sent |= event == DOMAIN_EV_SENT;
	n->failed |= event == DOMAIN_EV_FAILED;
	n->gone |= event == DOMAIN_EV_GONE;
	trace(n, domain_event_text(event), why);
	assert_true(sim_world_running(n->f->world, &n->f->spec->uuid) <= 1);
	if (event == DOMAIN_EV_GONE)
		n->domain = NULL;
}

static void on_found(void *ctx, struct domain *domain)
{
	struct node *n = ctx;

	n->domain = domain;
	n->found = true;
	trace(n, "found", domain_state_text(info_of(n).state));
}

static void on_adopted(void *ctx)
{
	struct node *n = ctx;

	n->adopted = true;
}

static const struct driver_events events = { on_event, on_found, on_adopted, NULL };

static const char *fault(void *ctx, const char *node, const struct id *uuid, enum sim_point point)
{
	struct fixture *f = ctx;

	assert_true(id_equal(uuid, &f->spec->uuid));
	if (point == f->faulty && f->faulty_node && strcmp(node, f->faulty_node) == 0)
		return "told to fail";
	return NULL;
}

static bool linked(void *ctx, const char *from, const char *to)
{
	struct fixture *f = ctx;

	assert_string_not_equal(from, to);
	return !f->cut;
}

static const struct sim_hooks hooks = { fault, linked };

static void start_agent(struct node *n)
{
	n->driver = sim_driver_new(n->f->world, n->name, &n->f->env, &events, n);
}

static void stop_agent(struct node *n)
{
	n->driver.ops->free(n->driver.drv);
	n->domain = NULL;
	n->loaded = n->sent = n->failed = n->gone = n->found = n->adopted = false;
}

static int set_up(void **state)
{
	static const char text[] = "{\"name\":\"web1\",\"memory_mib\":128,"
				   "\"uuid\":\"01234567-89ab-4def-8123-456789abcdef\"}";
	struct fixture *f = mem_new(struct fixture);
	struct err err;

	f->venv = venv_new(1);
	f->env = venv_env(f->venv);
	f->world = sim_world_new(&f->env, NULL, &hooks, f);
	f->faulty = SIM_POINT_INVALID;
	assert_int_equal(spec_parse(text, strlen(text), &f->spec, &err), 0);
	f->a = (struct node){ .f = f, .name = "n1" };
	f->b = (struct node){ .f = f, .name = "n2" };
	start_agent(&f->a);
	start_agent(&f->b);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	f->a.driver.ops->free(f->a.driver.drv);
	f->b.driver.ops->free(f->b.driver.drv);
	sim_world_free(f->world);
	venv_free(f->venv);
	spec_free(f->spec);
	buf_free(&f->trace);
	free(f);
	return 0;
}

/* ---- Steps ---- */

struct answer {
	unsigned int calls;
	struct err err;
};

static void on_done(void *ctx, const struct err *err)
{
	struct answer *answer = ctx;

	answer->calls++;
	answer->err = *err;
}

/* Runs virtual time until @flag; there must be something left to happen. */
static void until(struct fixture *f, const bool *flag)
{
	while (!*flag)
		assert_true(venv_step(f->venv, FOREVER));
}

static void until_answered(struct fixture *f, const struct answer *answer)
{
	while (!answer->calls)
		assert_true(venv_step(f->venv, FOREVER));
}

static void run_for(struct fixture *f, int64_t us)
{
	struct mono end = mono_add(env_now(&f->env), us);

	while (venv_step(f->venv, end))
		;
}

static struct answer make(struct node *n, bool incoming, uint64_t epoch)
{
	struct domain_args args = { .spec = n->f->spec, .epoch = epoch };
	struct answer answer = { 0 };
	struct err err = { 0 };
	int r = incoming ? n->driver.ops->prepare_in(n->driver.drv, &args, on_done, &answer,
						     &n->domain, &err)
			 : n->driver.ops->create(n->driver.drv, &args, on_done, &answer, &n->domain,
						 &err);

	assert_int_equal(r, 0);
	assert_int_equal(answer.calls, 0);
	until_answered(n->f, &answer);
	return answer;
}

typedef int step_fn(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *err);

static struct answer step(struct node *n, step_fn *fn)
{
	struct answer answer = { 0 };
	struct err err = { 0 };

	if (fn(n->driver.drv, n->domain, on_done, &answer, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(answer.calls, 0);
	until_answered(n->f, &answer);
	return answer;
}

static void run(struct node *n)
{
	assert_int_equal(make(n, false, 42).err.code, 0);
	assert_int_equal(info_of(n).state, DOMAIN_CREATED);
	assert_int_equal(step(n, n->driver.ops->cont).err.code, 0);
	assert_int_equal(info_of(n).state, DOMAIN_RUNNING);
}

static struct answer send_to_b(struct fixture *f)
{
	struct send_params params = { .address = f->b.driver.ops->incoming_address(f->b.driver.drv,
										   f->b.domain),
				      .max_bytes_per_s = 1,
				      .downtime_ms = 20,
				      .deadline_us = US_PER_S };
	struct answer answer = { 0 };
	struct err err = { 0 };

	if (f->a.driver.ops->send(f->a.driver.drv, f->a.domain, &params, on_done, &answer, &err) <
	    0)
		fail_msg("%s", err.text);
	until_answered(f, &answer);
	return answer;
}

static void begin_migration(struct fixture *f)
{
	run(&f->a);
	assert_int_equal(make(&f->b, true, 43).err.code, 0);
	assert_int_equal(info_of(&f->b).state, DOMAIN_INCOMING);
	assert_int_equal(send_to_b(f).err.code, 0);
	assert_int_equal(info_of(&f->a).state, DOMAIN_SENDING);
}

static size_t running(const struct fixture *f)
{
	return sim_world_running(f->world, &f->spec->uuid);
}

/* ---- Life ---- */

static void test_life(void **state)
{
	struct fixture *f = *state;
	struct answer second = { 0 };
	struct err err;

	run(&f->a);
	assert_int_equal(running(f), 1);
	assert_true(info_of(&f->a).was_running);
	step(&f->a, f->a.driver.ops->pause);
	assert_int_equal(info_of(&f->a).state, DOMAIN_PAUSED);
	assert_int_equal(running(f), 0);
	step(&f->a, f->a.driver.ops->cont);
	assert_int_equal(
		f->a.driver.ops->kill(f->a.driver.drv, f->a.domain, on_done, &second, &err), 0);
	step(&f->a, f->a.driver.ops->kill);
	assert_true(f->a.gone);
	assert_int_equal(second.calls, 1);
	assert_int_equal(running(f), 0);
	run(&f->a);
}

/* The refusals of the contract. */
static void test_refusals(void **state)
{
	struct fixture *f = *state;
	const struct driver_ops *ops = f->a.driver.ops;
	struct domain_args args = { .spec = f->spec, .epoch = 1 };
	struct answer none = { 0 }, answer = { 0 };
	struct domain *other = NULL;
	struct err err;

	run(&f->a);
	assert_int_equal(ops->cont(f->a.driver.drv, f->a.domain, on_done, &none, &err), -EINVAL);
	assert_int_equal(ops->activate(f->a.driver.drv, f->a.domain, on_done, &none, &err),
			 -EINVAL);
	assert_int_equal(ops->create(f->a.driver.drv, &args, on_done, &none, &other, &err),
			 -EEXIST);
	assert_null(other);
	assert_int_equal(ops->pause(f->a.driver.drv, f->a.domain, on_done, &answer, &err), 0);
	assert_int_equal(ops->cont(f->a.driver.drv, f->a.domain, on_done, &none, &err), -EALREADY);
	run_for(f, US_PER_S);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(none.calls, 0);
}

static void fails_at(struct fixture *f, enum sim_point point, const char *node)
{
	f->faulty = point;
	f->faulty_node = node;
}

/* A creation that fails: first the reason, then GONE, and nothing is left. */
static void test_create_fails(void **state)
{
	struct fixture *f = *state;
	struct answer answer;

	fails_at(f, SIM_CREATE, "n1");
	answer = make(&f->a, false, 42);
	assert_int_equal(answer.err.code, -EIO);
	assert_non_null(strstr(answer.err.text, "told to fail"));
	assert_false(f->a.gone);
	until(f, &f->a.gone);
	fails_at(f, SIM_POINT_INVALID, NULL);
	run(&f->a);
}

static void test_shutdown(void **state)
{
	struct fixture *f = *state;

	run(&f->a);
	step(&f->a, f->a.driver.ops->shutdown);
	assert_int_equal(info_of(&f->a).state, DOMAIN_RUNNING);
	run_for(f, 10 * US_PER_S);
	assert_int_equal(info_of(&f->a).state, DOMAIN_POWERED_OFF);
	assert_int_equal(running(f), 0);
}

static void test_shutdown_ignored(void **state)
{
	struct fixture *f = *state;

	fails_at(f, SIM_SHUTDOWN, "n1");
	run(&f->a);
	assert_int_equal(step(&f->a, f->a.driver.ops->shutdown).err.code, 0);
	run_for(f, 100 * US_PER_S);
	assert_int_equal(info_of(&f->a).state, DOMAIN_RUNNING);
}

static void test_deeds(void **state)
{
	static const struct {
		enum sim_deed deed;
		enum domain_state state;
	} deeds[] = {
		{ SIM_POWERS_OFF, DOMAIN_POWERED_OFF },
		{ SIM_PANICS, DOMAIN_CRASHED },
		{ SIM_REBOOTS, DOMAIN_RUNNING },
		{ SIM_LOSES_DISK, DOMAIN_IO_ERROR },
	};
	struct fixture *f = *state;

	assert_int_equal(sim_guest_deed(f->world, "n1", &f->spec->uuid, SIM_DIES), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
		run(&f->a);
		assert_int_equal(sim_guest_deed(f->world, "n1", &f->spec->uuid, deeds[i].deed), 0);
		run_for(f, US_PER_S);
		assert_int_equal(info_of(&f->a).state, deeds[i].state);
		f->a.gone = false;
		assert_int_equal(sim_guest_deed(f->world, "n1", &f->spec->uuid, SIM_DIES), 0);
		until(f, &f->a.gone);
	}
}

/* ---- Migration ---- */

static void test_migrate(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	until(f, &f->b.loaded);
	until(f, &f->a.sent);
	assert_int_equal(running(f), 0);
	assert_int_equal(info_of(&f->a).state, DOMAIN_SENT);
	assert_int_equal(info_of(&f->b).state, DOMAIN_LOADED);
	assert_true(info_of(&f->a).downtime_ms > 0);
	step(&f->b, f->b.driver.ops->activate);
	assert_int_equal(running(f), 1);
	step(&f->a, f->a.driver.ops->kill);
	assert_int_equal(info_of(&f->b).state, DOMAIN_RUNNING);
	assert_int_equal(info_of(&f->b).epoch, 43);
}

static void test_resume_source(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	until(f, &f->a.sent);
	step(&f->b, f->b.driver.ops->abort_in);
	step(&f->a, f->a.driver.ops->resume_source);
	assert_int_equal(info_of(&f->a).state, DOMAIN_RUNNING);
	assert_int_equal(running(f), 1);
}

/* Before the source has said "sent", whatever breaks, it runs there again, and nowhere else. */
static void assert_runs_at_source(struct fixture *f)
{
	until(f, &f->a.failed);
	assert_int_equal(info_of(&f->a).state, DOMAIN_RUNNING);
	assert_false(f->a.sent);
	run_for(f, 10 * US_PER_S);
	assert_int_equal(running(f), 1);
}

static void test_breaks_at_each_phase(void **state)
{
	static const enum sim_point points[] = { SIM_TRANSFER, SIM_SWITCHOVER, SIM_CONFIRM };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		fails_at(f, points[i], "n1");
		begin_migration(f);
		assert_runs_at_source(f);
		assert_int_equal(f->b.loaded, points[i] == SIM_CONFIRM);
		step(&f->b, f->b.driver.ops->abort_in);
		step(&f->a, f->a.driver.ops->kill);
		f->a.failed = f->b.failed = f->b.loaded = false;
	}
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	fails_at(f, SIM_SEND, "n1");
	run(&f->a);
	make(&f->b, true, 43);
	assert_int_equal(send_to_b(f).err.code, -EIO);
	assert_int_equal(info_of(&f->a).state, DOMAIN_RUNNING);
	assert_int_equal(info_of(&f->b).state, DOMAIN_INCOMING);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	assert_int_equal(step(&f->a, f->a.driver.ops->cancel_send).err.code, 0);
	assert_runs_at_source(f);
	assert_true(f->b.failed);
}

/* A cut cable is silence, and only the deadline ends it. */
static void test_deadline(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	f->cut = true;
	run_for(f, US_PER_S / 2);
	assert_int_equal(info_of(&f->a).state, DOMAIN_SENDING);
	assert_runs_at_source(f);
	assert_false(f->b.failed);
}

/* One that is healed in time goes on. */
static void test_healed(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	f->cut = true;
	run_for(f, US_PER_S / 2);
	f->cut = false;
	until(f, &f->a.sent);
	assert_true(f->b.loaded);
}

static void test_target_dies(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	sim_guest_deed(f->world, "n2", &f->spec->uuid, SIM_DIES);
	assert_runs_at_source(f);
	assert_true(f->b.gone);
}

static void test_target_node_crashes(void **state)
{
	struct fixture *f = *state;
	struct answer none = { 0 };
	struct domain *other = NULL;
	struct domain_args args = { .spec = f->spec, .epoch = 1 };

	begin_migration(f);
	sim_node_crash(f->world, "n2");
	assert_runs_at_source(f);
	assert_false(f->b.gone);
	assert_int_equal(
		f->b.driver.ops->create(f->b.driver.drv, &args, on_done, &none, &other, NULL),
		-ESHUTDOWN);
}

static void test_source_dies(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	sim_guest_deed(f->world, "n1", &f->spec->uuid, SIM_DIES);
	until(f, &f->a.gone);
	until(f, &f->b.failed);
	run_for(f, 10 * US_PER_S);
	assert_int_equal(running(f), 0);
	step(&f->b, f->b.driver.ops->abort_in);
}

/* A guest that powers itself off in the middle is off, and the migration is over. */
static void test_powers_off_meanwhile(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	sim_guest_deed(f->world, "n1", &f->spec->uuid, SIM_POWERS_OFF);
	until(f, &f->a.failed);
	run_for(f, US_PER_S);
	assert_int_equal(info_of(&f->a).state, DOMAIN_POWERED_OFF);
	assert_int_equal(running(f), 0);
}

static void test_paused_stays_paused(void **state)
{
	struct fixture *f = *state;

	fails_at(f, SIM_TRANSFER, "n1");
	run(&f->a);
	step(&f->a, f->a.driver.ops->pause);
	make(&f->b, true, 43);
	send_to_b(f);
	assert_int_equal(running(f), 0);
	until(f, &f->a.failed);
	assert_int_equal(info_of(&f->a).state, DOMAIN_PAUSED);
	assert_int_equal(running(f), 0);
}

/* ---- Agents and nodes that die ---- */

static void adopt(struct node *n)
{
	n->driver.ops->adopt(n->driver.drv);
	until(n->f, &n->adopted);
}

/* A step asked for takes effect although the agent dies; the next agent finds what there is. */
static void test_agent_dies(void **state)
{
	struct fixture *f = *state;
	struct answer never = { 0 };
	struct domain_args args = { .spec = f->spec, .epoch = 42 };

	f->a.driver.ops->create(f->a.driver.drv, &args, on_done, &never, &f->a.domain, NULL);
	stop_agent(&f->a);
	run_for(f, US_PER_S);
	start_agent(&f->a);
	adopt(&f->a);
	assert_true(f->a.found);
	assert_int_equal(never.calls, 0);
	assert_int_equal(info_of(&f->a).state, DOMAIN_CREATED);
	assert_int_equal(info_of(&f->a).epoch, 42);
}

static void test_note_outlives_the_agent(void **state)
{
	struct fixture *f = *state;
	struct err err;

	run(&f->a);
	assert_int_equal(f->a.driver.ops->note(f->a.driver.drv, f->a.domain, 7, &err), 0);
	stop_agent(&f->a);
	start_agent(&f->a);
	adopt(&f->a);
	assert_int_equal(info_of(&f->a).note, 7);
	assert_int_equal(info_of(&f->a).state, DOMAIN_RUNNING);
}

/* The stream goes on without the source's agent; the next one hears how it ends. */
static void test_agent_dies_while_sending(void **state)
{
	struct fixture *f = *state;

	begin_migration(f);
	stop_agent(&f->a);
	start_agent(&f->a);
	adopt(&f->a);
	assert_int_equal(info_of(&f->a).state, DOMAIN_SENDING);
	until(f, &f->a.sent);
	assert_int_equal(info_of(&f->b).state, DOMAIN_LOADED);
}

static void test_node_crash(void **state)
{
	struct fixture *f = *state;

	run(&f->a);
	sim_node_crash(f->world, "n1");
	assert_int_equal(running(f), 0);
	run_for(f, US_PER_S);
	assert_false(f->a.gone);
	stop_agent(&f->a);
	start_agent(&f->a);
	adopt(&f->a);
	assert_false(f->a.found);
	run(&f->a);
}

static void seen(void *ctx, const struct sim_seen *s)
{
	buf_printf(ctx, "%s %llu %s %d\n", s->node, (unsigned long long)s->epoch,
		   domain_state_text(s->state), s->vcpus_run);
}

static void test_walk(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_free) struct buf b = { 0 };

	begin_migration(f);
	sim_world_walk(f->world, seen, &b);
	assert_string_equal(buf_cstr(&b), "n1 42 sending 1\nn2 43 incoming 0\n");
}

/* The same story twice gives the same trace, to the microsecond. */
static void test_deterministic(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *first = NULL;

	test_migrate(state);
	first = buf_take(&f->trace);
	tear_down(state);
	set_up(state);
	f = *state;
	test_migrate(state);
	assert_string_equal(first, buf_cstr(&f->trace));
	assert_true(strlen(first) > 100);
}

static void test_points(void **state)
{
	(void)state;
	for (int i = 0; i < SIM_POINT_MAX; i++)
		assert_int_equal(sim_point_parse(sim_point_text(i)), i);
}

int main(void)
{
#define SIM_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		SIM_TEST(test_life),
		SIM_TEST(test_refusals),
		SIM_TEST(test_create_fails),
		SIM_TEST(test_shutdown),
		SIM_TEST(test_shutdown_ignored),
		SIM_TEST(test_deeds),
		SIM_TEST(test_migrate),
		SIM_TEST(test_resume_source),
		SIM_TEST(test_breaks_at_each_phase),
		SIM_TEST(test_refused),
		SIM_TEST(test_cancel),
		SIM_TEST(test_deadline),
		SIM_TEST(test_healed),
		SIM_TEST(test_target_dies),
		SIM_TEST(test_target_node_crashes),
		SIM_TEST(test_source_dies),
		SIM_TEST(test_powers_off_meanwhile),
		SIM_TEST(test_paused_stays_paused),
		SIM_TEST(test_agent_dies),
		SIM_TEST(test_note_outlives_the_agent),
		SIM_TEST(test_agent_dies_while_sending),
		SIM_TEST(test_node_crash),
		SIM_TEST(test_walk),
		SIM_TEST(test_deterministic),
		cmocka_unit_test(test_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
