/* SPDX-License-Identifier: Apache-2.0
 * Which accelerator guests get: found out by running something, once per boot of the host. */
#ifndef DOMUS_HYPERVISOR_ACCEL_H
#define DOMUS_HYPERVISOR_ACCEL_H

#include "base/child.h"
#include "base/env.h"
#include "base/err.h"
#include "base/table.h"

enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG, ACCEL_MAX, ACCEL_INVALID = -1 };
TABLE_DECLARE(accel, enum accel); /* "auto", "kvm", "tcg" */

/* Called once, from the loop, with ACCEL_KVM or ACCEL_TCG. @why is one line for a person. */
typedef void accel_done_fn(void *ctx, enum accel accel, const char *why);

struct accel_probe;

/*
 * Finds out what a stock guest can run on. A /dev/kvm that opens proves little: there are
 * hosts where it emulates each instruction. So the CPU must offer hardware
 * virtualisation, and QEMU must bring a little 64-bit guest through some
 * ten million instructions within its time. The answer is kept in
 * @dir/accel for this boot. @children and @binary outlive the probe.
 *
 * Returns 0 and calls @done later; *ret_probe is valid until then and may be cancelled.
 */
int accel_probe_start(const char *dir, const char *binary, const struct env *env,
		      const struct children *children, accel_done_fn *done, void *ctx,
		      struct accel_probe **ret_probe, struct err *ret_err);
void accel_probe_cancel(struct accel_probe *p); /* accepts NULL; @done is not called */

/* The argv of one run of @firmware under @accel. Its exit status ACCEL_RAN: it came through. */
#define ACCEL_RAN 85
void accel_probe_argv(const char *binary, enum accel accel, const char *firmware,
		      const char *ret_argv[static 20]);
/* Writes the little guest to @path. Returns 0 or a negative errno. */
int accel_write_guest(const char *path, struct err *ret_err);

#endif
