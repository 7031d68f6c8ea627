/* SPDX-License-Identifier: Apache-2.0
 * Guests' processes as /proc shows them. */
#include "qemu_proc.h"

#include "qemu_argv.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CMDLINE_MAX (64 * 1024)
#define STAT_MAX    1024

/* A process that ends while it is looked at gives either. */
static int absent(int code)
{
	return code == -ENOENT ? -ESRCH : code;
}

/* At most @size - 1 bytes of /proc/PID/NAME, and a zero; the length, or -errno. */
static ssize_t read_proc(int pid, const char *name, char *ret, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return absent(-errno);
	n = read(fd, ret, size - 1);
	if (n < 0)
		n = absent(-errno);
	close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n;
}

/*
 * The second field is the program's name in parentheses and may hold anything, so count from its
 * end.
 */
int qemu_proc_start(int pid, uint64_t *ret_start)
{
	unsigned long long start;
	char text[STAT_MAX];
	ssize_t n = read_proc(pid, "stat", text, sizeof(text));
	const char *p = strrchr(text, ')');

	if (n < 0)
		return (int)n;
	if (!p || sscanf(p + 1,
			 " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
			 " %*s %llu",
			 &start) != 1)
		return -EPROTO;
	*ret_start = start;
	return 0;
}

/* 0: what it calls @dir is what we call so. Other containers have other folders of that name. */
static int shares_folder(int pid, const char *dir)
{
	struct buf path = { 0 };
	struct stat theirs, ours;
	int r;

	buf_printf(&path, "/proc/%d/root%s", pid, dir);
	r = stat(buf_cstr(&path), &theirs) < 0 ? absent(-errno) : 0;
	buf_free(&path);
	if (r == 0 && stat(dir, &ours) < 0)
		r = -errno;
	if (r == 0 && (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino))
		r = -ESRCH;
	return r;
}

/* Its command line, which a zombie or a thread of the kernel has not; the length, or -errno. */
static ssize_t read_cmdline(int pid, char *ret)
{
	ssize_t n = read_proc(pid, "cmdline", ret, CMDLINE_MAX);

	return n == 0 ? -ESRCH : n;
}

int qemu_proc_check(int pid, const char *dir, const struct id *uuid, uint64_t *ret_start)
{
	_cleanup_(mem_freep) char *cmdline = mem_alloc0(CMDLINE_MAX);
	ssize_t n = read_cmdline(pid, cmdline);
	int r;

	if (n < 0)
		return (int)n;
	if (!qemu_argv_is_for(cmdline, (size_t)n, dir, uuid))
		return -ESRCH;
	r = shares_folder(pid, dir);
	return r < 0 ? r : qemu_proc_start(pid, ret_start);
}

/* As qemu_proc_check, for whatever guest it says that it is. */
static int check_any(int pid, const char *dir, struct id *ret_uuid)
{
	_cleanup_(mem_freep) char *cmdline = mem_alloc0(CMDLINE_MAX);
	ssize_t n = read_cmdline(pid, cmdline);

	if (n < 0)
		return (int)n;
	if (!qemu_argv_uuid(cmdline, (size_t)n, ret_uuid) ||
	    !qemu_argv_is_for(cmdline, (size_t)n, dir, ret_uuid))
		return -ESRCH;
	return shares_folder(pid, dir);
}

static int number_of(const char *name)
{
	char *end;
	long pid = strtol(name, &end, 10);

	return *end || pid <= 1 || pid > INT_MAX ? 0 : (int)pid;
}

/* With @uuid: one of that guest. The smallest pid above @after, whatever /proc's order is. */
static int walk(const char *dir, const struct id *uuid, int after, struct id *ret_uuid)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int found = 0, r = 0;
	struct id its;

	if (!proc)
		return -errno;
	while ((r == 0 || r == -ESRCH) && (errno = 0, entry = readdir(proc))) {
		int pid = number_of(entry->d_name);

		if (pid <= after || (found && pid > found))
			continue;
		r = check_any(pid, dir, &its);
		if (r < 0 || (uuid && !id_equal(&its, uuid)))
			continue;
		found = pid;
		*ret_uuid = its;
	}
	if ((r == 0 || r == -ESRCH) && errno)
		r = -errno;
	closedir(proc);
	return r < 0 && r != -ESRCH ? r : found;
}

int qemu_proc_find(const char *dir, const struct id *uuid, int after)
{
	struct id same;

	return walk(dir, uuid, after, &same);
}

int qemu_proc_next(const char *dir, int after, struct id *ret_uuid)
{
	return walk(dir, NULL, after, ret_uuid);
}
