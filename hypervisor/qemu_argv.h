/* SPDX-License-Identifier: Apache-2.0
 * From a guest specification to QEMU's command line, and back as far as adoption needs. Pure. */
#ifndef DOMUS_HYPERVISOR_QEMU_ARGV_H
#define DOMUS_HYPERVISOR_QEMU_ARGV_H

#include "accel.h"
#include "spec.h"

struct qemu_argv_args {
	const struct guest_spec *spec; /* complete: with uuid and MACs */
	uint64_t epoch;
	const char *binary, *machine;
	enum accel accel;              /* ACCEL_KVM or ACCEL_TCG */
	const char *dir;               /* for the monitors' sockets and the pidfile */
	const char *console_dir;       /* for those of console and screen */
	const char *const *disk_paths; /* one for each disk */
	const bool *disk_is_device;    /* a block device, not a file */
	int first_fd;                  /* the taps: descriptor first_fd + i for NIC i */
	bool incoming;                 /* waits for a migration stream */
	bool cache_writeback;
	bool sandbox_off;
};

/* Ends with a NULL that is not counted, so that v can be executed. */
struct qemu_argv {
	VEC(char *) args;
};

void qemu_argv_build(const struct qemu_argv_args *a, struct qemu_argv *ret_argv);
/* For a command line that was built before it was known what KVM is worth. */
void qemu_argv_set_accel(struct qemu_argv *argv, enum accel accel);
void qemu_argv_free(struct qemu_argv *argv);

/* What a guest's files are called: DIR/UUID.SUFFIX, with DIR by kind. On the heap. */
char *qemu_path(const char *dir, const struct id *uuid, const char *suffix);
#define QEMU_AGENT_SOCKET  "agent.qmp" /* the agent's monitor */
#define QEMU_GUARD_SOCKET  "guard.qmp" /* one for whoever checks from outside */
#define QEMU_SERIAL_SOCKET "serial"
#define QEMU_VNC_SOCKET    "vnc"
#define QEMU_PIDFILE       "pid"
#define QEMU_RECORD        "json"

/*
 * True when @cmdline (the @len bytes of /proc/PID/cmdline) is of a QEMU that was started for @uuid,
 * from the same @dir.
 */
bool qemu_argv_is_for(const char *cmdline, size_t len, const char *dir, const struct id *uuid);
/* The uuid that such a command line names, or false when it names none. */
bool qemu_argv_uuid(const char *cmdline, size_t len, struct id *ret_uuid);

#endif
