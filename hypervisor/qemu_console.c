/* SPDX-License-Identifier: Apache-2.0
 * The QEMU driver: who may use the guests' consoles and screens.
 *
 * Their sockets stand in a folder of their own, apart from the monitors, which are root's alone:
 * through a monitor QEMU opens every file of the host. QEMU leaves a group no right to write to its
 * sockets, so one is let in by a step of ours once QEMU is up and before the guest runs; if we die
 * between, adoption takes that step. At no time is anything open that should not be. */
#include "qemu_int.h"

#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_GROUP ((gid_t)-1)

static const char *const suffixes[] = { QEMU_SERIAL_SOCKET, QEMU_VNC_SOCKET };

static gid_t group_id(const char *name)
{
	struct group gr, *found = NULL;
	char space[16384];

	if (!name || getgrnam_r(name, &gr, space, sizeof(space), &found) != 0 || !found)
		return NO_GROUP;
	return gr.gr_gid;
}

int qemu_consoles_make(struct qemu *q, const char *group, struct err *ret_err)
{
	q->console_gid = group_id(group);
	if (mkdir(q->console_dir, 0700) < 0 && errno != EEXIST)
		return err_set(ret_err, -errno, "cannot make the folder %s: %s", q->console_dir,
			       strerror(errno));
	if (q->console_gid != NO_GROUP && chown(q->console_dir, (uid_t)-1, q->console_gid) < 0)
		q->console_gid = NO_GROUP;
	if (chmod(q->console_dir, q->console_gid == NO_GROUP ? 0700 : 0750) < 0)
		return err_set(ret_err, -errno, "cannot set the mode of %s: %s", q->console_dir,
			       strerror(errno));
	return 0;
}

/* A failure leaves it to root alone. */
static void open_to_group(const struct domain *d, const char *suffix)
{
	_cleanup_(mem_freep) char *path = qemu_path(d->q->console_dir, &d->info.uuid, suffix);

	if (chown(path, (uid_t)-1, d->q->console_gid) == 0)
		chmod(path, 0660);
}

void qemu_consoles_open(const struct domain *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes) && d->q->console_gid != NO_GROUP; i++)
		open_to_group(d, suffixes[i]);
}

void qemu_consoles_remove(const struct qemu *q, const struct id *uuid)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_(mem_freep) char *path = qemu_path(q->console_dir, uuid, suffixes[i]);

		unlink(path);
	}
}
