/* SPDX-License-Identifier: Apache-2.0
 * Guests' processes as /proc shows them. What could not be looked at is told from what is not
 * there: a guest that is taken for gone is started again elsewhere. */
#ifndef DOMUS_HYPERVISOR_QEMU_PROC_H
#define DOMUS_HYPERVISOR_QEMU_PROC_H

#include "base/err.h"
#include "base/id.h"

/*
 * Whether process @pid is the guest's QEMU, by its command line: 0, and when it was started (clock
 * ticks since boot); -ESRCH: certainly not, or it is no more (a zombie is no more). Any
 * other error: nothing is known.
 *
 * Only processes count for which @dir is the same folder: in another mount namespace the name
 * may mean another one.
 */
int qemu_proc_check(int pid, const char *dir, const struct id *uuid, uint64_t *ret_start);
/* When it was started, of whatever process that is. Errors as above. */
int qemu_proc_start(int pid, uint64_t *ret_start);
/* The first pid above @after of such a process, 0 when there is none, or -errno. Reads all of /proc. */
int qemu_proc_find(const char *dir, const struct id *uuid, int after);
/*
 * The first pid above @after of a QEMU of any guest in @dir and that guest's uuid; as above. For
 * finding those of which no record tells.
 */
int qemu_proc_next(const char *dir, int after, struct id *ret_uuid);

#endif
