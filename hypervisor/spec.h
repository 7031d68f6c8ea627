/* SPDX-License-Identifier: Apache-2.0
 * The guest specification: what a person writes to define a guest, as a checked value. */
#ifndef DOMUS_HYPERVISOR_SPEC_H
#define DOMUS_HYPERVISOR_SPEC_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/table.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_NAME_MAX	 64		/* with the zero: [A-Za-z0-9][A-Za-z0-9._-]* */
#define SPEC_TEXT_MAX	 4096		/* a path or a kernel command line */
#define SPEC_JSON_MAX	 (16 * 1024)	/* a whole specification; a ledger command must hold it */
#define SPEC_DISKS_MAX	 16
#define SPEC_NICS_MAX	 8

/* What follows when a guest ends by itself. */
enum spec_after { SPEC_AFTER_STOP, SPEC_AFTER_RESTART, SPEC_AFTER_MAX, SPEC_AFTER_INVALID = -1 };
TABLE_DECLARE(spec_after, enum spec_after);	/* "stop", "restart" */

struct spec_disk {
	char pool[SPEC_NAME_MAX];	/* "default" when not given */
	char volume[SPEC_NAME_MAX];
	bool readonly;
};

struct spec_nic {
	char bridge[16];		/* an interface name of the host */
	char mac[18];			/* given, or derived from the guest's uuid so that it never changes */
};

struct guest_spec {
	char name[SPEC_NAME_MAX];
	struct id uuid;			/* given, or random at definition; never changes afterwards */
	uint32_t memory_mib;		/* 16 .. 16 TiB */
	uint32_t vcpus;			/* 1 .. 255 */
	char *kernel, *initrd, *cmdline;	/* direct kernel boot; NULL: boot from the first disk. Absolute paths. */
	char *cpu;			/* QEMU CPU model; NULL: one that every node of a cluster can offer */
	bool vnc;			/* a VNC server on a UNIX socket; default true */
	VEC(struct spec_disk) disks;
	VEC(struct spec_nic) nics;
	enum spec_after on_poweroff, on_reboot, on_crash;	/* default: stop, restart, restart */
	uint32_t stop_timeout_s;	/* how long a graceful stop may take before it is killed; default 60 */
	uint32_t restart_max, restart_window_s;	/* at most so many automatic restarts in this time on one node, then relocated; 0 .. 30, default 3 in 600 */
};

/*
 * Parses and checks @text: unknown keys, duplicate keys, wrong types, values out of range, more than @len > SPEC_JSON_MAX are
 * refused with the key's name and what is allowed. A missing uuid stays none (the
 * caller sets it), then call spec_complete. @len counts bytes.
 */
int spec_parse(const char *text, size_t len, struct guest_spec **ret_spec, struct err *ret_err);
/* Derives what was not given from the uuid (MACs). */
void spec_complete(struct guest_spec *spec);
/* Canonical JSON: keys sorted, defaults written out; spec_parse of it gives the same value. */
void spec_print(const struct guest_spec *spec, struct buf *out);
void spec_free(struct guest_spec *spec);
void spec_freep(struct guest_spec **spec);
bool spec_name_ok(const char *name);

#endif
