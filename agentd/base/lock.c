/* SPDX-License-Identifier: Apache-2.0
 * One agent per folder: a lock that the kernel drops with the process, so that it is never stale. */
#include "lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_SIZE 1024

/* The holder wrote its pid into the file. It is a hint for a person; the lock is what counts. */
static int busy(int fd, const char *dir, struct err *ret_err)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		return err_set(ret_err, -EBUSY,
			       "%s: in use by another domus-agentd, pid %ld; stop that one first",
			       dir, pid);
	return err_set(ret_err, -EBUSY, "%s: in use by another domus-agentd; stop that one first",
		       dir);
}

static int lock_and_sign(int fd, const char *dir, const char *path, struct err *ret_err)
{
	char text[32];
	int n;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? busy(fd, dir, ret_err)
			       : err_set(ret_err, -errno, "%s: %s", path, strerror(errno));
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return err_set(ret_err, errno ? -errno : -EIO, "%s: cannot be written: %s", path,
			       strerror(errno));
	return 0;
}

int lock_take(const char *dir, const char *name, struct err *ret_err)
{
	char path[PATH_SIZE];
	int fd, r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return err_set(ret_err, -ENAMETOOLONG, "%s: the path is too long", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(ret_err, -errno, "%s: cannot be opened: %s", path, strerror(errno));
	r = lock_and_sign(fd, dir, path, ret_err);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
