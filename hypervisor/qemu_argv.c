/* SPDX-License-Identifier: Apache-2.0
 * From a guest specification to QEMU's command line. Pure.
 *
 * What stands here is a promise: agents of other versions adopt such a process, and the other end
 * of a migration must have built the same machine. So devices stand in a fixed order (it gives
 * their PCI addresses), and -nodefaults keeps QEMU from adding any. */
#include "qemu_argv.h"

#include <stdlib.h>
#include <string.h>

/* Offered by every 64-bit host of the last 15 years, and by TCG without a warning. */
#define DEFAULT_CPU "Nehalem"

static void add(struct qemu_argv *argv, const char *arg)
{
	vec_push(&argv->args, mem_strdup(arg));
}

/* Option and value. The buffer is emptied. */
static void add_buf(struct qemu_argv *argv, const char *option, struct buf *value)
{
	add(argv, option);
	vec_push(&argv->args, buf_take(value));
}

static void add2(struct qemu_argv *argv, const char *option, const char *value)
{
	add(argv, option);
	add(argv, value);
}

/* In a list of key=value QEMU reads a doubled comma as one. */
static void put_value(struct buf *b, const char *value)
{
	for (; *value; value++) {
		if (*value == ',')
			buf_char(b, ',');
		buf_char(b, *value);
	}
}

static void put_path(struct buf *b, const struct qemu_argv_args *a, const char *dir,
		     const char *suffix)
{
	_cleanup_(mem_freep) char *path = qemu_path(dir, &a->spec->uuid, suffix);

	put_value(b, path);
}

char *qemu_path(const char *dir, const struct id *uuid, const char *suffix)
{
	struct buf b = { 0 };
	char text[ID_TEXT_SIZE];

	buf_str(&b, dir);
	buf_char(&b, '/');
	buf_str(&b, id_text(uuid, text));
	buf_char(&b, '.');
	buf_str(&b, suffix);
	return buf_take(&b);
}

/* The epoch stands behind the name, where query-name and ps both show it; names hold no '@'. */
static void put_identity(const struct qemu_argv_args *a, struct qemu_argv *argv)
{
	struct buf b = { 0 };
	char uuid[ID_TEXT_SIZE];

	buf_str(&b, "guest=");
	buf_str(&b, a->spec->name);
	buf_char(&b, '@');
	buf_u64(&b, a->epoch);
	buf_str(&b, ",debug-threads=on");
	add_buf(argv, "-name", &b);
	add2(argv, "-uuid", id_text(&a->spec->uuid, uuid));
}

/* Without tb-size a TCG guest may take a GiB more for translated code. */
static const char *accel_option(enum accel accel)
{
	return accel == ACCEL_KVM ? "kvm" : "tcg,thread=multi,tb-size=64";
}

/*
 * QEMU before 9.0 loses pages that an emulated guest writes during a migration: the quick way of
 * reading the log of written pages, 64 at a time, does not tell TCG, so that the next write is
 * not logged. It is taken for memory of whole times 64 pages only, so with TCG there are 8 KiB
 * more, the least that is not rounded away.
 */
static char *memory_option(uint64_t mib, enum accel accel)
{
	struct buf b = { 0 };

	buf_u64(&b, mib * 1024 + (accel == ACCEL_KVM ? 0 : 8));
	buf_char(&b, 'K');
	return buf_take(&b);
}

static void put_machine(const struct qemu_argv_args *a, struct qemu_argv *argv)
{
	const struct guest_spec *spec = a->spec;
	struct buf b = { 0 };

	buf_str(&b, a->machine);
	buf_str(&b, ",usb=off,vmport=off,dump-guest-core=off");
	add_buf(argv, "-machine", &b);
	add2(argv, "-accel", accel_option(a->accel));
	add2(argv, "-cpu", spec->cpu ? spec->cpu : DEFAULT_CPU);
	buf_u64(&b, spec->vcpus);
	add_buf(argv, "-smp", &b);
	add(argv, "-m");
	vec_push(&argv->args, memory_option(spec->memory_mib, a->accel));
	add2(argv, "-rtc", "base=utc");
}

/*
 * The vCPUs wait for our word (-S), the process outlives the guest so that the cause can be read,
 * and a panic shows. The sandbox cannot deny spawning, since -daemonize forks after it is up.
 */
static void put_manners(const struct qemu_argv_args *a, struct qemu_argv *argv)
{
	bool in_place = a->spec->on_reboot == SPEC_AFTER_RESTART;

	add(argv, "-nodefaults");
	add(argv, "-no-user-config");
	add(argv, "-no-shutdown");
	add2(argv, "-action",
	     in_place ? "panic=pause,reboot=reset" : "panic=pause,reboot=shutdown");
	add(argv, "-S");
	add2(argv, "-msg", "timestamp=off");
	if (!a->sandbox_off)
		add2(argv, "-sandbox", "on,obsolete=deny,resourcecontrol=deny");
}

static void put_socket(const struct qemu_argv_args *a, struct qemu_argv *argv, const char *id,
		       const char *dir, const char *suffix)
{
	struct buf b = { 0 };

	buf_str(&b, "socket,id=");
	buf_str(&b, id);
	buf_str(&b, ",path=");
	put_path(&b, a, dir, suffix);
	buf_str(&b, ",server=on,wait=off");
	add_buf(argv, "-chardev", &b);
}

static void put_sockets(const struct qemu_argv_args *a, struct qemu_argv *argv)
{
	put_socket(a, argv, "agent", a->dir, QEMU_AGENT_SOCKET);
	add2(argv, "-mon", "chardev=agent,mode=control");
	put_socket(a, argv, "guard", a->dir, QEMU_GUARD_SOCKET);
	add2(argv, "-mon", "chardev=guard,mode=control");
	put_socket(a, argv, "serial0", a->console_dir, QEMU_SERIAL_SOCKET);
	add2(argv, "-serial", "chardev:serial0");
}

static void put_display(const struct qemu_argv_args *a, struct qemu_argv *argv)
{
	struct buf b = { 0 };

	if (!a->spec->vnc) {
		add2(argv, "-display", "none");
		return;
	}
	buf_str(&b, "unix:");
	put_path(&b, a, a->console_dir, QEMU_VNC_SOCKET);
	add_buf(argv, "-vnc", &b);
	add2(argv, "-device", "VGA,id=video0");
}

/*
 * A disk that fails stops the guest rather than giving it errors that it would take for the end of
 * the file system. cache.direct keeps the host's cache from holding what the target of a migration
 * must read. The image lock keeps a second QEMU away.
 */
static void put_disk(const struct qemu_argv_args *a, struct qemu_argv *argv, size_t i)
{
	const struct spec_disk *disk = &a->spec->disks.v[i];
	const char *bits = disk->readonly ? ",read-only=on" : ",discard=unmap";
	struct buf b = { 0 };

	buf_str(&b, "driver=raw,node-name=disk");
	buf_u64(&b, i);
	buf_str(&b, a->cache_writeback ? ",cache.direct=off" : ",cache.direct=on");
	buf_str(&b, bits);
	buf_str(&b, a->disk_is_device[i] ? ",file.driver=host_device" : ",file.driver=file");
	buf_str(&b, ",file.locking=on,file.aio=threads,file.filename=");
	put_value(&b, a->disk_paths[i]);
	add_buf(argv, "-blockdev", &b);

	buf_str(&b, "virtio-blk-pci,id=vdisk");
	buf_u64(&b, i);
	buf_str(&b, ",drive=disk");
	buf_u64(&b, i);
	buf_str(&b, ",werror=stop,rerror=stop");
	if (!a->spec->kernel) {
		buf_str(&b, ",bootindex=");
		buf_u64(&b, i + 1);
	}
	add_buf(argv, "-device", &b);
}

/* An empty romfile: nobody boots from the network here, and loading it costs start-up time. */
static void put_nic(const struct qemu_argv_args *a, struct qemu_argv *argv, size_t i)
{
	struct buf b = { 0 };

	buf_str(&b, "tap,id=net");
	buf_u64(&b, i);
	buf_str(&b, ",fd=");
	buf_u64(&b, (uint64_t)a->first_fd + i);
	buf_str(&b, ",vhost=off");
	add_buf(argv, "-netdev", &b);

	buf_str(&b, "virtio-net-pci,id=nic");
	buf_u64(&b, i);
	buf_str(&b, ",netdev=net");
	buf_u64(&b, i);
	buf_str(&b, ",mac=");
	buf_str(&b, a->spec->nics.v[i].mac);
	buf_str(&b, ",romfile=");
	add_buf(argv, "-device", &b);
}

static void put_devices(const struct qemu_argv_args *a, struct qemu_argv *argv)
{
	add2(argv, "-device", "pvpanic");
	add2(argv, "-object", "rng-random,id=rng0,filename=/dev/urandom");
	add2(argv, "-device", "virtio-rng-pci,id=vrng0,rng=rng0");
	put_display(a, argv);
	for (size_t i = 0; i < a->spec->disks.n; i++)
		put_disk(a, argv, i);
	for (size_t i = 0; i < a->spec->nics.n; i++)
		put_nic(a, argv, i);
}

static void put_kernel(const struct guest_spec *spec, struct qemu_argv *argv)
{
	if (spec->kernel)
		add2(argv, "-kernel", spec->kernel);
	if (spec->initrd)
		add2(argv, "-initrd", spec->initrd);
	if (spec->cmdline)
		add2(argv, "-append", spec->cmdline);
}

void qemu_argv_build(const struct qemu_argv_args *a, struct qemu_argv *ret_argv)
{
	_cleanup_(mem_freep) char *pidfile = qemu_path(a->dir, &a->spec->uuid, QEMU_PIDFILE);
	struct qemu_argv argv = { 0 };

	add(&argv, a->binary);
	put_identity(a, &argv);
	put_machine(a, &argv);
	put_manners(a, &argv);
	put_sockets(a, &argv);
	put_devices(a, &argv);
	put_kernel(a->spec, &argv);
	if (a->incoming)
		add2(&argv, "-incoming", "defer");
	add2(&argv, "-pidfile", pidfile);
	add(&argv, "-daemonize");
	vec_push(&argv.args, NULL);
	argv.args.n--;
	*ret_argv = argv;
}

void qemu_argv_set_accel(struct qemu_argv *argv, enum accel accel)
{
	for (size_t i = 0; i + 1 < argv->args.n; i++) {
		char **value = &argv->args.v[i + 1], *old = *value;

		if (strcmp(argv->args.v[i], "-accel") == 0)
			*value = mem_strdup(accel_option(accel));
		else if (strcmp(argv->args.v[i], "-m") == 0)
			*value = memory_option(strtoull(old, NULL, 10) / 1024, accel);
		else
			continue;
		free(old);
	}
}

void qemu_argv_free(struct qemu_argv *argv)
{
	for (size_t i = 0; i < argv->args.n; i++)
		free(argv->args.v[i]);
	vec_free(&argv->args);
}

bool qemu_argv_uuid(const char *cmdline, size_t len, struct id *ret_uuid)
{
	static const char option[] = "\0-uuid"; /* with a zero at either end */
	const char *at = memmem(cmdline, len, option, sizeof(option));
	char text[ID_TEXT_SIZE];

	if (!at || (size_t)(cmdline + len - at) < sizeof(option) + sizeof(text))
		return false;
	memcpy(text, at + sizeof(option), sizeof(text));
	return text[sizeof(text) - 1] == '\0' && id_parse(text, ret_uuid) == 0;
}

/* True when the words @option @value stand in @cmdline one after the other. */
static bool has_option(const char *cmdline, size_t len, const char *option, const char *value)
{
	struct buf want = { 0 };
	bool found;

	buf_char(&want, '\0');
	buf_add(&want, option, strlen(option) + 1);
	buf_add(&want, value, strlen(value) + 1);
	found = memmem(cmdline, len, want.data, want.len) != NULL;
	buf_free(&want);
	return found;
}

bool qemu_argv_is_for(const char *cmdline, size_t len, const char *dir, const struct id *uuid)
{
	_cleanup_(mem_freep) char *pidfile = qemu_path(dir, uuid, QEMU_PIDFILE);
	char text[ID_TEXT_SIZE];

	return has_option(cmdline, len, "-uuid", id_text(uuid, text)) &&
	       has_option(cmdline, len, "-pidfile", pidfile);
}
