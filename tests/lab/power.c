/* SPDX-License-Identifier: Apache-2.0
 * The power switch: finds, cuts off and kills all processes of a life. */
#include "power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VICTIMS_MAX 4096

int64_t power_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The processes found in the node: descriptors, so that no number can mean another process. */
struct victims {
	int ns;			/* their network namespace, kept from being used anew; -1: none found */
	int n;
	struct pollfd fds[VICTIMS_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "fence_lab: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A process's first thread may have ended while others still run: then these are asked. */
static int open_namespace(int proc, const char *pid)
{
	char path[64];
	struct dirent *entry;
	int ns, fd;
	DIR *dir;

	snprintf(path, sizeof(path), "%.20s/ns/net", pid);
	ns = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (ns >= 0)
		return ns;
	snprintf(path, sizeof(path), "%.20s/task", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && ns < 0 && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%.20s/ns/net", entry->d_name);
		ns = openat(dirfd(dir), path, O_RDONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return ns;
}

/* Takes the process if it lives in the namespace with this inode number. */
static void look_at(int proc, const char *pid, uint64_t inode, struct victims *victims)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	int ns = fd < 0 ? -1 : open_namespace(proc, pid);
	struct stat st;

	if (ns >= 0 && fstat(ns, &st) == 0 && st.st_ino == inode) {
		victims->fds[victims->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		fd = -1;
		if (victims->ns < 0) {
			victims->ns = ns;
			ns = -1;
		}
	}
	if (ns >= 0)
		close(ns);
	if (fd >= 0)
		close(fd);
}

static void forget_processes(struct victims *victims)
{
	while (victims->n > 0)
		if (victims->fds[--victims->n].fd >= 0)
			close(victims->fds[victims->n].fd);
}

/* What was found before is forgotten, but for the namespace. */
static void find(uint64_t inode, struct victims *victims)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	forget_processes(victims);
	while (dir && victims->n < VICTIMS_MAX && (entry = readdir(dir)) != NULL)
		if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid())
			look_at(dirfd(dir), entry->d_name, inode, victims);
	if (dir)
		closedir(dir);
}

static void forget(struct victims *victims)
{
	forget_processes(victims);
	if (victims->ns >= 0)
		close(victims->ns);
	victims->ns = -1;
}

/* Pulls the cable, as power loss does, so that the dying say nothing more. */
static void cut_uplink(void)
{
	struct ifreq ifr = { .ifr_name = "uplink" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

/* True when the namespace found is the life's own. Its uplink is then down, if @cut. */
static bool same_namespace(const struct life *life, const struct victims *victims, bool cut)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	uint64_t cookie;
	bool same;

	if (setns(victims->ns, CLONE_NEWNET) < 0)
		die("cannot look into the node");
	same = life_cookie(&cookie) && cookie == life->cookie;
	if (same && cut)
		cut_uplink();
	if (setns(own, CLONE_NEWNET) < 0)
		die("cannot return to the own network");
	close(own);
	return same;
}

/* True when all have ended before @deadline. */
static bool kill_and_wait(struct victims *victims, int64_t deadline)
{
	int i, left = victims->n;

	for (i = 0; i < victims->n; i++)
		syscall(SYS_pidfd_send_signal, victims->fds[i].fd, SIGKILL, NULL, 0);
	while (left > 0 && power_now_ms() < deadline) {
		if (poll(victims->fds, (nfds_t)victims->n, (int)(deadline - power_now_ms())) <= 0)
			continue;
		for (i = 0; i < victims->n; i++) {
			if (victims->fds[i].fd < 0 || !victims->fds[i].revents)
				continue;
			close(victims->fds[i].fd);
			/* A negative descriptor is left out by poll. */
			victims->fds[i].fd = -1;
			left--;
		}
	}
	return left == 0;
}

bool power_is_on(const struct life *life)
{
	static struct victims victims = { .ns = -1 };
	bool on;

	find(life->inode, &victims);
	on = victims.n > 0 && same_namespace(life, &victims, false);
	forget(&victims);
	return on;
}

bool power_off(const struct life *life, int64_t deadline_ms)
{
	static struct victims victims = { .ns = -1 };
	bool off = true;

	find(life->inode, &victims);
	if (victims.n > 0 && !same_namespace(life, &victims, true))
		victims.n = 0;
	/* A process may have forked while it was looked at: only an empty search is the end. */
	while (off && victims.n > 0) {
		off = kill_and_wait(&victims, deadline_ms);
		if (off)
			find(life->inode, &victims);
	}
	return off;
}
