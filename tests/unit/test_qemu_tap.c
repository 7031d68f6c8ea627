/* SPDX-License-Identifier: Apache-2.0
 * Taps, for real, in a network namespace of this test's own: on their bridge and up, gone with the
 * last descriptor, one for each NIC and no second one for the same. A guest's next process gets
 * those of its last one, which take a while to go. */
#include "qemu_kit.h"

#include "hypervisor/qemu_tap.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#define TAP0 "dom01020304050"
#define TAP1 "dom01020304051"
#define TAP_OF_KIT "dom01234567890" /* of the kit's guest */

static const struct id uuid = { { 1, 2, 3, 4, 5, 6 } };
static const struct spec_nic nic = { .bridge = "br0", .mac = "52:54:00:12:34:56" };

/* The namespace ends with this process. */
static bool own_network(void)
{
	int sock;

	if (unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0)
		return false;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || ioctl(sock, SIOCBRADDBR, "br0") < 0)
		return false;
	close(sock);
	return true;
}

static int open_tap(size_t index)
{
	struct err err = { 0 };
	int fd = qemu_tap_open(&uuid, index, &nic, &err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

/* A port cannot be plugged in again. */
static bool is_port(const char *tap)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { .ifr_name = "br0" };
	bool again;

	req.ifr_ifindex = (int)if_nametoindex(tap);
	again = ioctl(sock, SIOCBRADDIF, &req) == 0;
	close(sock);
	return !again && req.ifr_ifindex > 0;
}

static struct ifreq ask(const char *tap, unsigned long what)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { 0 };

	STRCPY(req.ifr_name, tap);
	assert_int_equal(ioctl(sock, what, &req), 0);
	close(sock);
	return req;
}

static void test_tap(void **state)
{
	struct ifreq mac;
	int first, second;

	(void)state;
	first = open_tap(0);
	second = open_tap(1);
	assert_true(is_port(TAP0) && is_port(TAP1));
	assert_true(ask(TAP0, SIOCGIFFLAGS).ifr_flags & IFF_UP);
	mac = ask(TAP0, SIOCGIFHWADDR);
	assert_memory_equal(mac.ifr_hwaddr.sa_data, "\xfe\x54\x00\x12\x34\x56", 6);
	close(first);
	assert_int_equal(if_nametoindex(TAP0), 0);
	assert_true(is_port(TAP1));
	close(second);
}

/* A second process of the same guest on one host is refused here too. */
static void test_second(void **state)
{
	int first = open_tap(0);
	struct err err;

	(void)state;
	assert_int_equal(qemu_tap_open(&uuid, 0, &nic, &err), -EBUSY);
	assert_non_null(strstr(err.text, "br0"));
	close(first);
	close(open_tap(0));
}

/* What is no bridge leaves nothing. */
static void test_no_bridge(void **state)
{
	static const struct spec_nic missing = { .bridge = "br9", .mac = "52:54:00:12:34:56" };
	static const struct spec_nic odd = { .bridge = "lo", .mac = "52:54:00:12:34:56" };
	struct err err;

	(void)state;
	assert_int_equal(qemu_tap_open(&uuid, 0, &missing, &err), -ENODEV);
	assert_non_null(strstr(err.text, "br9"));
	assert_true(qemu_tap_open(&uuid, 0, &odd, &err) < 0);
	assert_int_equal(if_nametoindex(TAP0), 0);
}

static bool tap_is_gone(void *ctx)
{
	return if_nametoindex(ctx) == 0;
}

/* The one after it is asked for while the taps of the first are still on their way out. */
static void test_one_process_after_the_other(void **state)
{
	struct fixture *f = *state;
	struct mono killed;

	vec_push(&f->spec->nics, (struct spec_nic){ .bridge = "br0" });
	spec_complete(f->spec);
	for (int i = 0; i < 3; i++) {
		run(&f->a);
		assert_int_not_equal(if_nametoindex(TAP_OF_KIT), 0);
		kill_from_outside(&f->a);
		killed = env_now(&f->env);
		wait_event(&f->a, DOMAIN_EV_GONE);
		print_message("death noticed after %.1f ms\n",
			      (double)mono_diff_us(env_now(&f->env), killed) / 1000);
		vec_clear(&f->a.told);
	}
	kit_loop_until(f->loop, tap_is_gone, TAP_OF_KIT, LIMIT_S, "the tap's end");
}

/* Killed while it waits for the taps of the process before it. */
static void test_kill_while_taps_leave(void **state)
{
	struct fixture *f = *state;
	struct answer created = { 0 }, killed = { 0 };
	struct err err;

	vec_push(&f->spec->nics, (struct spec_nic){ .bridge = "br0" });
	spec_complete(f->spec);
	run(&f->a);
	kill_from_outside(&f->a);
	wait_event(&f->a, DOMAIN_EV_GONE);
	assert_int_equal(ask_create(&f->a, &created, &err), 0);
	f->a.driver.ops->kill(f->a.driver.drv, f->a.domain, on_done, &killed, NULL);
	wait_done(f, &killed, "kill");
	assert_int_equal(created.err.code, -ECHILD);
	kit_loop_until(f->loop, tap_is_gone, TAP_OF_KIT, LIMIT_S, "the tap's end");
	assert_run_dir_empty(&f->a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_second),
		cmocka_unit_test(test_no_bridge),
		QEMU_TEST(test_one_process_after_the_other),
		QEMU_TEST(test_kill_while_taps_leave),
	};

	if (!own_network()) {
		print_message(
			"[  SKIPPED ] no network namespace, bridge or tap can be made here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
