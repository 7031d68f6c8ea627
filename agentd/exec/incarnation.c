/* SPDX-License-Identifier: Apache-2.0
 * The identity of this node's present life. */
#include "exec/incarnation.h"

#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define FILE_TEXT_MAX (2 * ID_TEXT_SIZE + 8)

/* The first bytes of a small file as text, or -errno. */
static int read_text(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	ret[n] = '\0';
	return (int)n;
}

static bool same_mounts(const char *pid)
{
	char path[300];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	return stat(path, &theirs) == 0 && stat("/proc/self/ns/mnt", &ours) == 0 && theirs.st_ino == ours.st_ino;
}

/* Whether the command line of @pid (words with zeros between them) names a file below RUN_DIR/guests/. */
static bool is_guest(const char *pid, const char *guests)
{
	static const size_t line_max = 64 * 1024;
	_cleanup_(mem_freep) char *line = mem_alloc0(line_max);
	char path[300];
	int n;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	n = read_text(path, line, line_max);
	return n > 0 && memmem(line, (size_t)n, guests, strlen(guests)) && strstr(line, "qemu") && same_mounts(pid);
}

static int refuse_living_guests(const char *run_dir, struct err *ret_err)
{
	char guests[512];
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int rc = 0;

	if (!dir)
		return err_set(ret_err, -errno, "/proc cannot be read: it tells whether guests still run here");
	snprintf(guests, sizeof(guests), "%s/guests/", run_dir);
	while (rc == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_guest(entry->d_name, guests))
			rc = err_set(ret_err, -EBUSY, "%s/incarnation is gone, but process %s is a guest of ours: end it, or reboot this node",
				     run_dir, entry->d_name);
	closedir(dir);
	return rc;
}

static int write_new(const char *run_dir, const char *path, const char *text, struct err *ret_err)
{
	char temp[600];
	size_t len = strlen(text);
	int fd;

	snprintf(temp, sizeof(temp), "%s/incarnation.new", run_dir);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(ret_err, -errno, "%s: cannot be written: %s", temp, strerror(errno));
	if (write(fd, text, len) != (ssize_t)len) {
		close(fd);
		return err_set(ret_err, -EIO, "%s: cannot be written: is the disk full?", temp);
	}
	close(fd);
	if (rename(temp, path) < 0)
		return err_set(ret_err, -errno, "%s: cannot be put in place: %s", path, strerror(errno));
	return 0;
}

static int make_new(const char *run_dir, const char *path, const char *boot, const struct env *env, struct id *ret_id,
		    struct err *ret_err)
{
	struct id id = id_random(env);
	char id_string[ID_TEXT_SIZE], text[FILE_TEXT_MAX];
	int rc = refuse_living_guests(run_dir, ret_err);

	if (rc < 0)
		return rc;
	snprintf(text, sizeof(text), "%.36s %s\n", boot, id_text(&id, id_string));
	rc = write_new(run_dir, path, text, ret_err);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

int incarnation_read(const char *run_dir, const struct env *env, struct id *ret_id, struct err *ret_err)
{
	char path[600], boot[64], text[FILE_TEXT_MAX];

	snprintf(path, sizeof(path), "%s/incarnation", run_dir);
	if (read_text(BOOT_ID, boot, sizeof(boot)) < ID_TEXT_SIZE - 1)
		return err_set(ret_err, -EIO, "%s: cannot be read", BOOT_ID);
	boot[ID_TEXT_SIZE - 1] = '\0';
	if (read_text(path, text, sizeof(text)) == 2 * ID_TEXT_SIZE && !strncmp(text, boot, ID_TEXT_SIZE - 1)) {
		text[2 * ID_TEXT_SIZE - 1] = '\0';
		if (id_parse(text + ID_TEXT_SIZE, ret_id) == 0)
			return 0;
	}
	return make_new(run_dir, path, boot, env, ret_id, ret_err);
}
