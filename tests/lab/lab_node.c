/* SPDX-License-Identifier: Apache-2.0
 * The first process of a lab node: holds its namespaces, starts and reaps its processes. */
#include "life.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_MAX 16384
#define ARGS_MAX 256
#define SWITCH "switch"

static void die(const char *what)
{
	fprintf(stderr, "lab_node: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The switch lives in the mounts of its caller, so that it can start the lab's program. */
static void enter_namespaces(const char *name)
{
	if (unshare(CLONE_NEWNET) < 0)
		die("new network namespace");
	if (strcmp(name, SWITCH) == 0)
		return;
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0)
		die("new namespaces");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("private mounts");
	if (sethostname(name, strlen(name)) < 0)
		die("host name");
}

static uint64_t own_start_time(void)
{
	char text[1024], *at;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), field;
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		die("/proc/self/stat");
	text[n] = '\0';
	close(fd);
	/* The name may hold blanks; after its last bracket comes field 3. */
	at = strrchr(text, ')');
	for (field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		die("/proc/self/stat");
	return strtoull(at, NULL, 10);
}

static void write_life(void)
{
	struct life life = { .pid = getpid(), .started = own_start_time() };
	struct stat st;
	FILE *file;

	if (stat("/proc/self/ns/net", &st) < 0 || !life_cookie(&life.cookie))
		die("network namespace");
	life.inode = st.st_ino;
	file = fopen(LIFE_FILE ".new", "we");
	if (!file)
		die("cannot write " LIFE_FILE);
	fprintf(file, LIFE_FORMAT "\n", life.pid, life.started, life.inode, life.cookie);
	if (fclose(file) != 0 || rename(LIFE_FILE ".new", LIFE_FILE) < 0)
		die("cannot write " LIFE_FILE);
}

/* Bound by a relative path: the folder's own may be longer than an address can be. */
static int listen_control(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "control" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0)
		die("control socket");
	return fd;
}

static void exec_child(const char *log, char **argv)
{
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (chdir("/") < 0)
		_exit(126);
	execvp(argv[0], argv);
	fprintf(stderr, "lab_node: cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* @text: the log's path and the arguments, each ended by a zero. Returns the pid or 0. */
static pid_t start(char *text, size_t len)
{
	char *argv[ARGS_MAX + 1] = { NULL }, *at = text;
	int n = -1;
	pid_t pid;

	if (len == 0 || text[len - 1] != '\0')
		return 0;
	for (; at < text + len && n < ARGS_MAX; at += strlen(at) + 1)
		if (++n > 0)
			argv[n - 1] = at;
	if (n < 1)
		return 0;
	pid = fork();
	if (pid == 0)
		exec_child(text, argv);
	return pid > 0 ? pid : 0;
}

static void answer(int listener)
{
	static char request[REQUEST_MAX];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct timeval limit = { .tv_sec = 1 };
	char reply[32];
	ssize_t n;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = recv(fd, request, sizeof(request), 0);
	if (n > 0) {
		snprintf(reply, sizeof(reply), "%d", (int)start(request, (size_t)n));
		send(fd, reply, strlen(reply), MSG_NOSIGNAL);
	}
	close(fd);
}

/* How its processes ended is written down, for whoever looks for a fault. */
static void reap(int signals)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(signals, &info, sizeof(info)) < 0)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		printf("%d ended: %s %d\n", (int)pid, WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct pollfd polls[2];
	sigset_t child;

	if (argc != 3) {
		fprintf(stderr, "usage: lab_node FOLDER NAME\n");
		return 2;
	}
	if (chdir(argv[1]) < 0)
		die(argv[1]);
	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	enter_namespaces(argv[2]);
	polls[0] = (struct pollfd){ .fd = listen_control(), .events = POLLIN };
	polls[1] = (struct pollfd){ .fd = signalfd(-1, &child, SFD_CLOEXEC), .events = POLLIN };
	/* Whoever waits for the node waits for this file. */
	write_life();
	for (;;) {
		poll(polls, 2, -1);
		if (polls[0].revents)
			answer(polls[0].fd);
		if (polls[1].revents)
			reap(polls[1].fd);
	}
}
