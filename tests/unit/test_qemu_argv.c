/* SPDX-License-Identifier: Apache-2.0
 * QEMU's command line: golden files for what a guest of each kind becomes, since later agents
 * adopt what earlier ones started; and that adoption knows its own from others. */
#include "kit/kit.h"

#include "base/mem.h"
#include "hypervisor/qemu_argv.h"

#include <stdio.h>
#include <string.h>

#define UUID "01234567-89ab-4def-8123-456789abcdef"

static const char *const paths[] = { "/srv/domus/web1.raw", "/dev/vg0/web1,data" };
static const bool devices[] = { false, true };

static struct guest_spec *parse(const char *text)
{
	struct guest_spec *spec = NULL;
	struct err err = { 0 };

	if (spec_parse(text, strlen(text), &spec, &err) < 0)
		fail_msg("%s", err.text);
	spec_complete(spec);
	return spec;
}

static struct qemu_argv_args args_for(const struct guest_spec *spec)
{
	return (struct qemu_argv_args){
		.spec = spec,
		.epoch = 42,
		.binary = "/usr/bin/qemu-system-x86_64",
		.machine = "pc-q35-7.2",
		.accel = ACCEL_TCG,
		.dir = "/run/domus/guests",
		.console_dir = "/run/domus/consoles",
		.disk_paths = paths,
		.disk_is_device = devices,
		.first_fd = 3,
	};
}

/* One argument a line; options' values beside them. */
static void print_argv(const struct qemu_argv *argv, struct buf *out)
{
	for (size_t i = 0; i < argv->args.n; i++) {
		const char *arg = argv->args.v[i];

		buf_str(out, i == 0 ? "" : arg[0] == '-' ? "\n" : " ");
		buf_str(out, arg);
	}
	buf_char(out, '\n');
	assert_null(argv->args.v[argv->args.n]);
}

static void golden(const char *name, const struct qemu_argv_args *args)
{
	_cleanup_(buf_free) struct buf b = { 0 };
	struct qemu_argv argv;

	qemu_argv_build(args, &argv);
	print_argv(&argv, &b);
	qemu_argv_free(&argv);
	kit_golden(name, buf_cstr(&b));
}

/* A guest with a kernel of its own, a NIC and no screen. */
static void test_kernel(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec =
		parse("{\"name\":\"web1\",\"uuid\":\"" UUID "\",\"memory_mib\":128,\"vnc\":false,"
		      "\"kernel\":\"/srv/a,b/vmlinux\",\"initrd\":\"/srv/initrd\","
		      "\"cmdline\":\"console=ttyS0 x=\\\"a b\\\",c\",\"cpu\":\"max,-la57\","
		      "\"disks\":[{\"volume\":\"web1\"}],\"nics\":[{\"bridge\":\"br0\"}]}");
	struct qemu_argv_args args = args_for(spec);

	(void)state;
	golden("qemu_argv/kernel", &args);
}

/* One that boots from its disks and shows a screen, on a KVM host, as the target of a migration. */
static void test_disks(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec =
		parse("{\"name\":\"db.1\",\"uuid\":\"" UUID "\",\"memory_mib\":4096,\"vcpus\":4,"
		      "\"on_reboot\":\"stop\",\"disks\":[{\"volume\":\"a\"},"
		      "{\"volume\":\"b\",\"readonly\":true}],\"nics\":[{\"bridge\":\"br0\"},"
		      "{\"bridge\":\"br1\",\"mac\":\"52:54:00:00:00:01\"}]}");
	struct qemu_argv_args args = args_for(spec);

	(void)state;
	args.accel = ACCEL_KVM;
	args.incoming = true;
	args.epoch = 18446744073709551615u;
	golden("qemu_argv/disks_incoming", &args);
}

/* The least; a folder with a comma; no sandbox, the host's cache. */
static void test_least(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec =
		parse("{\"name\":\"a\",\"uuid\":\"" UUID "\",\"memory_mib\":16,"
		      "\"disks\":[{\"volume\":\"a\"}]}");
	struct qemu_argv_args args = args_for(spec);

	(void)state;
	args.dir = "/run/a,b";
	args.console_dir = "/run/c,d";
	args.sandbox_off = true;
	args.cache_writeback = true;
	golden("qemu_argv/least", &args);
}

static bool has_arg(const struct qemu_argv *argv, const char *arg)
{
	for (size_t i = 0; i < argv->args.n; i++)
		if (strcmp(argv->args.v[i], arg) == 0)
			return true;
	return false;
}

static void test_set_accel(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec =
		parse("{\"name\":\"a\",\"uuid\":\"" UUID "\",\"memory_mib\":16}");
	struct qemu_argv_args args = args_for(spec);
	struct qemu_argv argv;

	(void)state;
	qemu_argv_build(&args, &argv);
	assert_false(has_arg(&argv, "kvm"));
	qemu_argv_set_accel(&argv, ACCEL_KVM);
	assert_true(has_arg(&argv, "kvm"));
	qemu_argv_free(&argv);
}

/* As /proc/PID/cmdline shows it. */
static void join(const struct qemu_argv *argv, struct buf *out)
{
	for (size_t i = 0; i < argv->args.n; i++)
		buf_add(out, argv->args.v[i], strlen(argv->args.v[i]) + 1);
}

/*
 * Ours, and not: another guest's, another folder's, one that only mentions the words, one cut
 * short.
 */
static void test_is_for(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec =
		parse("{\"name\":\"a\",\"uuid\":\"" UUID "\",\"memory_mib\":16}");
	struct qemu_argv_args args = args_for(spec);
	static const char mention[] =
		"grep\0x-uuid\0" UUID "\0-pidfile\0/run/domus/guests/" UUID ".pid";
	struct id other = { { 1 } };
	struct qemu_argv argv;
	struct buf b = { 0 };

	(void)state;
	qemu_argv_build(&args, &argv);
	join(&argv, &b);
	assert_true(qemu_argv_is_for(b.data, b.len, args.dir, &spec->uuid));
	assert_false(qemu_argv_is_for(b.data, b.len, args.dir, &other));
	assert_false(qemu_argv_is_for(b.data, b.len, "/run/other", &spec->uuid));
	assert_false(qemu_argv_is_for(b.data, 100, args.dir, &spec->uuid));
	assert_false(qemu_argv_is_for(b.data, 0, args.dir, &spec->uuid));
	assert_false(qemu_argv_is_for(mention, sizeof(mention), args.dir, &spec->uuid));
	qemu_argv_free(&argv);
	buf_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel), cmocka_unit_test(test_disks),
		cmocka_unit_test(test_least),  cmocka_unit_test(test_set_accel),
		cmocka_unit_test(test_is_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
