/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: an adapter to the loop, to processes and to QEMU's sockets. */
#ifndef DOMUS_HYPERVISOR_QEMU_H
#define DOMUS_HYPERVISOR_QEMU_H

#include "base/child.h"
#include "base/loop.h"
#include "hypervisor/accel.h"
#include "hypervisor/driver.h"

/* Texts are copied by qemu_driver_new; NULL or 0 gives the default named here. */
struct qemu_conf {
	const char *binary;   /* absolute; /usr/bin/qemu-system-x86_64 */
	const char *run_dir;  /* on tmpfs, ours alone; /run/domus */
	const char *machine;  /* fixed version, the same on all nodes; pc-q35-7.2 */
	/* Its members may use consoles and screens (not monitors); NULL, or none of that name: root alone */
	const char *console_group;
	enum accel accel;     /* ACCEL_AUTO, the zero, decides once per boot */
	bool cache_writeback; /* true where the file system has no O_DIRECT (tmpfs) */
	bool sandbox_off;     /* false: QEMU's seccomp sandbox is on */
};

/*
 * Makes the driver of this node. Makes run_dir/guests (mode 0700) and run_dir/consoles, and begins to
 * find out whether KVM works; neither blocks. @env, @loop, @children and
 * @events outlive it.
 *
 * Returns a driver whose ops is NULL, with @ret_err filled, when run_dir cannot be made.
 */
struct driver qemu_driver_new(const struct qemu_conf *conf, const struct env *env,
			      struct loop *loop, const struct children *children,
			      const struct driver_events *events, void *ctx, struct err *ret_err);

#endif
