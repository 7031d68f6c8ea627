/* SPDX-License-Identifier: Apache-2.0
 * Guests' processes in /proc: known by their command line and by the folder that they see. What
 * cannot be looked at is not taken for gone. */
#include "kit/kit.h"

#include "base/child.h"
#include "base/loop.h"
#include "base/mem.h"
#include "hypervisor/qemu_argv.h"
#include "hypervisor/qemu_proc.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct id uuid = { { 1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16 } };

/* A process that has a guest's command line and only waits. */
static int pretend(const char *dir, const struct id *id)
{
	_cleanup_(mem_freep) char *pidfile = qemu_path(dir, id, QEMU_PIDFILE);
	char text[ID_TEXT_SIZE];
	int pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "qemu", "-c", "kill -STOP $$", "sh", "-uuid", id_text(id, text),
		      "-pidfile", pidfile, "end", (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	return pid;
}

static void end(int pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int64_t ticks_since_boot(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * sysconf(_SC_CLK_TCK) + sysconf(_SC_CLK_TCK);
}

/* Found by uuid and folder, in order of the pids; gone once it is a zombie. */
static void test_found(void **state)
{
	char *dir = kit_mkdir();
	int first = pretend(dir, &uuid), second = pretend(dir, &uuid), low, high;
	uint64_t start, same;
	struct id got;

	(void)state;
	low = first < second ? first : second;
	high = first < second ? second : first;
	assert_int_equal(qemu_proc_check(low, dir, &uuid, &start), 0);
	assert_int_equal(qemu_proc_start(low, &same), 0);
	assert_int_equal(start, same);
	assert_true(start > 0 && (int64_t)start <= ticks_since_boot());
	assert_int_equal(qemu_proc_find(dir, &uuid, 0), low);
	assert_int_equal(qemu_proc_find(dir, &uuid, low), high);
	assert_int_equal(qemu_proc_find(dir, &uuid, high), 0);
	assert_int_equal(qemu_proc_next(dir, 0, &got), low);
	assert_true(id_equal(&got, &uuid));
	kill(low, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)low, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(qemu_proc_check(low, dir, &uuid, &start), -ESRCH);
	assert_int_equal(qemu_proc_find(dir, &uuid, 0), high);
	end(low);
	end(high);
	assert_int_equal(qemu_proc_check(low, dir, &uuid, &start), -ESRCH);
	assert_int_equal(qemu_proc_start(low, &start), -ESRCH);
	kit_rmdir(dir);
}

/* Another guest, another folder, and what is no guest at all. */
static void test_strangers(void **state)
{
	char *dir = kit_mkdir(), *other_dir = kit_mkdir();
	const struct id other = { { 9, 9 } };
	int pid = pretend(dir, &uuid);
	uint64_t start;
	struct id got;

	(void)state;
	assert_int_equal(qemu_proc_check(pid, dir, &other, &start), -ESRCH);
	assert_int_equal(qemu_proc_check(pid, other_dir, &uuid, &start), -ESRCH);
	assert_int_equal(qemu_proc_find(other_dir, &uuid, 0), 0);
	assert_int_equal(qemu_proc_next(other_dir, 0, &got), 0);
	assert_int_equal(qemu_proc_check(getpid(), dir, &uuid, &start), -ESRCH);
	assert_int_equal(qemu_proc_start(getpid(), &start), 0);
	end(pid);
	kit_rmdir(dir);
	kit_rmdir(other_dir);
}

/* Without a descriptor nothing can be looked at: that is said, and no process is taken for gone. */
static void test_cannot_look(void **state)
{
	char *dir = kit_mkdir();
	int pid = pretend(dir, &uuid);
	struct rlimit before, none;
	uint64_t start;
	struct id got;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(qemu_proc_check(pid, dir, &uuid, &start), -EMFILE);
	assert_int_equal(qemu_proc_start(pid, &start), -EMFILE);
	assert_int_equal(qemu_proc_find(dir, &uuid, 0), -EMFILE);
	assert_int_equal(qemu_proc_next(dir, 0, &got), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	end(pid);
	kit_rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_cannot_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
