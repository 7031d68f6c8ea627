/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver against the real QEMU: life, ends that the guest or the world brings about, and
 * agents that take over what others left. */
#include "qemu_kit.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * Created, run, paused, run, killed: each state is shown; GONE comes before kill's answer; nothing
 * is left.
 */
static void test_life(void **state)
{
	struct fixture *f = *state;
	struct node *n = &f->a;
	struct answer first = { 0 }, second = { 0 };
	struct domain_info info;

	run(n);
	n->driver.ops->info(n->driver.drv, n->domain, &info);
	assert_string_equal(info.name, "web1");
	assert_int_equal(info.epoch, 42);
	assert_true(info.was_running);
	assert_false(info.kvm);
	assert_int_equal(access(info.serial, F_OK), 0);
	assert_string_equal(info.vnc, "");
	step(n, n->driver.ops->pause, "pause");
	assert_int_equal(state_of(n), DOMAIN_PAUSED);
	step(n, n->driver.ops->cont, "cont");
	step(n, n->driver.ops->shutdown, "shutdown");
	n->driver.ops->kill(n->driver.drv, n->domain, on_done, &first, NULL);
	n->driver.ops->kill(n->driver.drv, n->domain, on_done, &second, NULL);
	assert_int_equal(state_of(n), DOMAIN_ENDING);
	wait_done(f, &first, "kill");
	wait_done(f, &second, "second kill");
	assert_non_null(heard(n, DOMAIN_EV_GONE));
	assert_run_dir_empty(n);
}

/* A step in a wrong state, or while another is under way, is refused and changes nothing. */
static void test_refusals(void **state)
{
	struct fixture *f = *state;
	const struct driver_ops *ops = f->a.driver.ops;
	struct answer answer = { 0 }, none = { 0 };
	struct domain *running, *other;
	struct err err;

	run(&f->a);
	running = f->a.domain;
	assert_int_equal(ops->activate(f->a.driver.drv, running, on_done, &none, &err), -EINVAL);
	assert_int_equal(ops->cancel_send(f->a.driver.drv, running, on_done, &none, &err), -EINVAL);
	assert_int_equal(ops->resume_source(f->a.driver.drv, running, on_done, &none, &err),
			 -EINVAL);
	assert_int_equal(ops->pause(f->a.driver.drv, running, on_done, &answer, &err), 0);
	assert_int_equal(ops->cont(f->a.driver.drv, running, on_done, &none, &err), -EALREADY);
	wait_done(f, &answer, "pause");
	other = f->a.domain;
	assert_int_equal(ask_create(&f->a, &none, &err), -EEXIST);
	assert_ptr_equal(f->a.domain, other);
	assert_int_equal(none.calls, 0);
}

/* A disk that is not there: the error is QEMU's own word, and nothing is left. */
static void test_create_fails(void **state)
{
	struct fixture *f = *state;
	struct answer answer = { 0 };
	struct err err;

	unlink(f->disk);
	assert_int_equal(ask_create(&f->a, &answer, &err), 0);
	wait_event(&f->a, DOMAIN_EV_GONE);
	assert_int_equal(answer.calls, 1);
	assert_true(answer.err.code < 0);
	if (!strstr(answer.err.text, "No such file"))
		fail_msg("%s", answer.err.text);
	assert_run_dir_empty(&f->a);
}

/* A bridge that is not there is refused at once, by its name. */
static void test_no_bridge(void **state)
{
	struct fixture *f = *state;
	struct answer answer = { 0 };
	struct err err;

	vec_push(&f->spec->nics, (struct spec_nic){ .bridge = "nobridge0" });
	spec_complete(f->spec);
	assert_int_equal(ask_create(&f->a, &answer, &err), -ENODEV);
	assert_non_null(strstr(err.text, "nobridge0"));
	assert_int_equal(answer.calls, 0);
	assert_run_dir_empty(&f->a);
}

/*
 * A guest that is started before it is known what KVM is worth waits for that, and one can be
 * killed so.
 */
static void test_waits_for_accel(void **state)
{
	struct fixture *f = *state;
	struct answer created = { 0 }, killed = { 0 };
	struct err err;

	stop_agent(&f->a);
	start_agent_with(&f->a, ACCEL_AUTO);
	assert_int_equal(ask_create(&f->a, &created, &err), 0);
	f->a.driver.ops->kill(f->a.driver.drv, f->a.domain, on_done, &killed, NULL);
	wait_done(f, &killed, "kill");
	assert_int_equal(created.err.code, -ECHILD);
	stop_agent(&f->a);
	start_agent_with(&f->a, ACCEL_AUTO);
	create(&f->a);
}

/* Killed while it comes up: its creation fails, it is gone, and nothing is left. */
static void test_kill_while_created(void **state)
{
	struct fixture *f = *state;
	struct answer created = { 0 }, killed = { 0 };
	struct err err;

	assert_int_equal(ask_create(&f->a, &created, &err), 0);
	f->a.driver.ops->kill(f->a.driver.drv, f->a.domain, on_done, &killed, NULL);
	wait_done(f, &killed, "kill");
	assert_int_equal(created.calls, 1);
	assert_true(created.err.code < 0);
	assert_non_null(heard(&f->a, DOMAIN_EV_GONE));
	assert_run_dir_empty(&f->a);
}

static const struct told *ends_by(struct fixture *f, char deed, enum domain_state state)
{
	write_disk(f->disk, deed);
	run(&f->a);
	wait_state(&f->a, state);
	return &f->a.told.v[f->a.told.n - 1];
}

static void test_powers_off(void **state)
{
	assert_non_null(
		strstr(ends_by(*state, 'o', DOMAIN_POWERED_OFF)->why, "powered itself off"));
}

static void test_panics(void **state)
{
	assert_non_null(strstr(ends_by(*state, 'p', DOMAIN_CRASHED)->why, "panicked"));
}

static void test_reboot_stops(void **state)
{
	struct fixture *f = *state;

	f->spec->on_reboot = SPEC_AFTER_STOP;
	assert_non_null(strstr(ends_by(f, 'r', DOMAIN_POWERED_OFF)->why, "rebooted"));
}

static void test_reboot_in_place(void **state)
{
	struct fixture *f = *state;

	write_disk(f->disk, 'r');
	run(&f->a);
	wait_event(&f->a, DOMAIN_EV_RESET);
	assert_int_equal(state_of(&f->a), DOMAIN_RUNNING);
}

/* The death of a process is noticed by itself, well before any poll could. */
static void test_dies(void **state)
{
	struct fixture *f = *state;
	struct mono killed;

	run(&f->a);
	kill_from_outside(&f->a);
	killed = env_now(&f->env);
	wait_event(&f->a, DOMAIN_EV_GONE);
	print_message("death noticed after %.1f ms\n",
		      (double)mono_diff_us(env_now(&f->env), killed) / 1000);
	assert_run_dir_empty(&f->a);
}

/*
 * A running guest does not notice that its agent is another one; all that was known is known
 * again.
 */
static void test_adopt_running(void **state)
{
	struct fixture *f = *state;
	struct node *n = &f->a;
	struct domain_info before, after;
	struct err err;

	run(n);
	assert_int_equal(n->driver.ops->note(n->driver.drv, n->domain, 77, &err), 0);
	n->driver.ops->info(n->driver.drv, n->domain, &before);
	restart_agent(n);
	adopt(n);
	assert_int_equal(n->found, 1);
	n->driver.ops->info(n->driver.drv, n->domain, &after);
	assert_int_equal(after.state, DOMAIN_RUNNING);
	assert_int_equal(after.pid, before.pid);
	assert_int_equal(after.epoch, 42);
	assert_int_equal(after.note, 77);
	assert_string_equal(after.name, "web1");
	assert_true(id_equal(&after.uuid, &before.uuid));
	kill_from_outside(n);
	wait_event(n, DOMAIN_EV_GONE);
}

/*
 * Each state in which a process can stand is told from the others: above all one that may not be
 * run.
 */
static void test_adopt_states(void **state)
{
	struct fixture *f = *state;

	create(&f->a);
	adopt_in_state(&f->a, DOMAIN_CREATED);
	step(&f->a, f->a.driver.ops->cont, "cont");
	step(&f->a, f->a.driver.ops->pause, "pause");
	adopt_in_state(&f->a, DOMAIN_PAUSED);
	prepare_in(&f->b);
	adopt_in_state(&f->b, DOMAIN_INCOMING);
}

struct process {
	const struct node *node;
	struct domain_info info;
};

/* A zombie, which its new parent has yet to reap, counts as gone. */
static bool process_is_gone(void *ctx)
{
	const struct process *p = ctx;
	_cleanup_(mem_freep) char *dir = kit_path(p->node->run_dir, "guests");
	uint64_t start;

	return qemu_proc_check(p->info.pid, dir, &p->info.uuid, &start) == -ESRCH;
}

static struct process process_of(const struct node *n)
{
	struct process p = { .node = n };

	n->driver.ops->info(n->driver.drv, n->domain, &p.info);
	assert_false(process_is_gone(&p));
	return p;
}

/* A process that died while no agent lived leaves only files, and these are cleared away. */
static void test_adopt_dead(void **state)
{
	struct fixture *f = *state;
	struct process process;

	run(&f->a);
	process = process_of(&f->a);
	restart_agent(&f->a);
	kill(process.info.pid, SIGKILL);
	kit_loop_until(f->loop, process_is_gone, &process, LIMIT_S, "QEMU's end");
	adopt(&f->a);
	assert_int_equal(f->a.found, 0);
	assert_run_dir_empty(&f->a);
}

/*
 * An agent that died while QEMU came up: its record names no process yet. What there is never ran,
 * and is found and cleared away.
 */
static void test_adopt_half_made(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *dir = kit_path(f->a.run_dir, "guests");
	struct process process;
	struct qemu_record record;
	struct err err;

	create(&f->a);
	process = process_of(&f->a);
	assert_int_equal(qemu_record_read(dir, &process.info.uuid, &record, &err), 0);
	record.pid = 0;
	record.start = 0;
	assert_int_equal(qemu_record_write(dir, &record, &err), 0);
	restart_agent(&f->a);
	adopt(&f->a);
	assert_int_equal(f->a.found, 0);
	assert_true(process_is_gone(&process));
	assert_run_dir_empty(&f->a);
	create(&f->a);
}

/* One that ends while QEMU comes up takes it along, and what it leaves is cleared away. */
static void test_agent_ends_while_creating(void **state)
{
	struct fixture *f = *state;
	struct answer never = { 0 };
	struct err err;

	assert_int_equal(ask_create(&f->a, &never, &err), 0);
	restart_agent(&f->a);
	adopt(&f->a);
	assert_int_equal(f->a.found, 0);
	assert_int_equal(never.calls, 0);
	assert_run_dir_empty(&f->a);
	create(&f->a);
}

static bool cannot(void *ctx)
{
	return ((struct node *)ctx)->cannot >= 2;
}

/* Nothing is said of what runs here while that cannot be known; then the guest is found. */
static void cannot_then_adopt(struct node *n)
{
	n->driver.ops->adopt(n->driver.drv);
	kit_loop_until(n->f->loop, cannot, n, LIMIT_S, "the word that it cannot be told");
	assert_int_equal(n->adopted, 0);
	assert_int_equal(n->found, 0);
}

/*
 * A guest runs whose record this agent cannot read, as after a downgrade: it is neither taken for
 * gone nor touched. Once the record is good again the guest is found.
 */
static void test_adopt_unreadable(void **state)
{
	struct fixture *f = *state;
	struct node *n = &f->a;
	_cleanup_(mem_freep) char *dir = kit_path(n->run_dir, "guests"), *good = NULL;
	_cleanup_(mem_freep) char *record = kit_path(dir, "01234567-89ab-4def-8123-456789abcdef.json");

	run(n);
	good = kit_read(record);
	restart_agent(n);
	kit_write(record, "{\"version\":2}");
	cannot_then_adopt(n);
	unlink(record);
	n->cannot = 0;
	kit_loop_until(f->loop, cannot, n, LIMIT_S, "the word that its record is gone");
	kit_write(record, good);
	kit_loop_until(f->loop, adopted, n, LIMIT_S, "adoption");
	assert_int_equal(n->found, 1);
	wait_state(n, DOMAIN_RUNNING);
}

/* The same when the system cannot give what is needed to look. */
static void test_adopt_without_descriptors(void **state)
{
	struct fixture *f = *state;
	struct node *n = &f->a;
	struct rlimit before, none;

	run(n);
	restart_agent(n);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 3, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	cannot_then_adopt(n);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	kit_loop_until(f->loop, adopted, n, LIMIT_S, "adoption");
	assert_int_equal(n->found, 1);
	wait_state(n, DOMAIN_RUNNING);
}

static int hold_monitor(const char *dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(mem_freep) char *path =
		kit_path(dir, "01234567-89ab-4def-8123-456789abcdef." QEMU_AGENT_SOCKET);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(STRCPY(addr.sun_path, path), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

struct patience {
	struct env env;
	struct mono end;
};

static bool is_over(void *ctx)
{
	const struct patience *p = ctx;

	return mono_diff_us(env_now(&p->env), p->end) > 0;
}

/*
 * Somebody else holds the monitor for longer than an answer may take, so the guest is announced
 * with its state unknown. When he lets go it is asked for again, and known.
 */
static void test_adopt_deaf(void **state)
{
	struct fixture *f = *state;
	struct node *n = &f->a;
	struct patience p = { .env = f->env };
	_cleanup_(mem_freep) char *dir = kit_path(n->run_dir, "guests");
	int fd;

	run(n);
	stop_agent(n);
	fd = hold_monitor(dir);
	start_agent(n);
	n->adopted = 0;
	adopt(n);
	p.end = mono_add(env_now(&f->env), QMP_TIMEOUT_US);
	kit_loop_until(f->loop, is_over, &p, LIMIT_S, "the end of QEMU's time to answer");
	assert_int_equal(state_of(n), DOMAIN_BEING_CREATED);
	close(fd);
	wait_state(n, DOMAIN_RUNNING);
}

/* A record that is not ours does no harm, and goes. */
static void test_adopt_corrupt(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) char *dir = kit_path(f->a.run_dir, "guests");
	_cleanup_(mem_freep) char *record =
		kit_path(dir, "01234567-89ab-4def-8123-456789abcdef.json");

	kit_write(record, "{\"pid\":1,\"uuid\":[[[");
	restart_agent(&f->a);
	adopt(&f->a);
	assert_int_equal(f->a.found, 0);
	assert_run_dir_empty(&f->a);
}

#define NOBODY 65534

/*
 * What a user of group @gid hears who connects to a socket: 0 or an errno. From within the run
 * folder, since the test's own folders let in nobody.
 */
static int connect_as(const struct node *n, gid_t gid, const char *folder, const char *suffix)
{
	_cleanup_(mem_freep) char *path = qemu_path(folder, &n->f->spec->uuid, suffix);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int s = socket(AF_UNIX, SOCK_STREAM, 0);

		STRCPY(addr.sun_path, path);
		if (chdir(n->run_dir) < 0 || setgroups(0, NULL) < 0 || setgid(gid) < 0 ||
		    setuid(NOBODY) < 0)
			_exit(255);
		_exit(connect(s, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Console and screen let in the group and nobody else; the monitors let in no group. */
static void assert_let_in(const struct node *n, gid_t gid, int expected)
{
	assert_int_equal(connect_as(n, gid, "consoles", "serial"), expected);
	assert_int_equal(connect_as(n, gid, "consoles", "vnc"), expected);
	assert_int_equal(connect_as(n, NOBODY, "consoles", "serial"), EACCES);
	assert_int_equal(connect_as(n, NOBODY, "consoles", "vnc"), EACCES);
	assert_int_equal(connect_as(n, gid, "guests", "agent.qmp"), EACCES);
	assert_int_equal(connect_as(n, gid, "guests", "guard.qmp"), EACCES);
}

/*
 * Before a guest runs its console is open to the group of the agent that made it or adopted it; an
 * agent without such a group shuts all consoles.
 */
static void test_console_group(void **state)
{
	struct fixture *f = *state;
	struct node *n = &f->a;
	const struct group *group = getgrnam("daemon");

	if (getuid() != 0 || !group) {
		print_message("needs root, to become somebody else, and a group daemon\n");
		skip();
	}
	assert_int_equal(chmod(n->run_dir, 0755), 0);
	f->spec->vnc = true;
	create(n);
	assert_let_in(n, group->gr_gid, EACCES);
	n->console_group = "daemon";
	restart_agent(n);
	adopt(n);
	assert_let_in(n, group->gr_gid, 0);
	step(n, n->driver.ops->kill, "kill");
	create(n);
	assert_let_in(n, group->gr_gid, 0);
	n->console_group = "no-such-group";
	restart_agent(n);
	adopt(n);
	assert_let_in(n, group->gr_gid, EACCES);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		QEMU_TEST(test_life),
		QEMU_TEST(test_refusals),
		QEMU_TEST(test_create_fails),
		QEMU_TEST(test_no_bridge),
		QEMU_TEST(test_waits_for_accel),
		QEMU_TEST(test_kill_while_created),
		QEMU_TEST(test_powers_off),
		QEMU_TEST(test_panics),
		QEMU_TEST(test_reboot_stops),
		QEMU_TEST(test_reboot_in_place),
		QEMU_TEST(test_dies),
		QEMU_TEST(test_adopt_running),
		QEMU_TEST(test_adopt_states),
		QEMU_TEST(test_adopt_dead),
		QEMU_TEST(test_adopt_half_made),
		QEMU_TEST(test_agent_ends_while_creating),
		QEMU_TEST(test_adopt_corrupt),
		QEMU_TEST(test_adopt_deaf),
		QEMU_TEST(test_adopt_unreadable),
		QEMU_TEST(test_adopt_without_descriptors),
		QEMU_TEST(test_console_group),
	};

	if (access(QEMU, X_OK) < 0) {
		print_message("[  SKIPPED ] %s is not installed\n", QEMU);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
