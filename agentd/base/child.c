/* SPDX-License-Identifier: Apache-2.0
 * Child processes by fork, exec and pidfd, watched by the loop. */
#include "child.h"
#include "buf.h"
#include "loop.h"
#include "mem.h"
#include "vec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX   65536
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* How long child_runner_free waits for one it killed: one stuck in the kernel is left to init. */
#define REAP_MS 1000

/* One of the child's two outputs. */
struct output {
	int fd;			/* our end of the pipe; -1 after its end */
	struct loop_fd *watch;
	struct buf text;	/* at most OUTPUT_MAX bytes; the rest is read and dropped */
};

/* Stands in its runner's list until it is reaped. */
struct child {
	struct child_runner *runner;
	pid_t pid;		/* also its process group and session */
	int pidfd;
	struct loop_fd *watch;
	struct output out, err;
	struct env_timer *deadline;
	bool timed_out;
	child_done_fn *done;	/* NULL after cancel */
	void *arg;
};

struct child_runner {
	struct loop *loop;
	struct env env;
	VEC(struct child *) children;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void output_stop(struct output *o)
{
	loop_fd_remove(TAKE_PTR(o->watch));
	close_fd(&o->fd);
}

/* Reads what is there now. */
static void output_read(void *ctx, int fd, uint32_t revents)
{
	struct output *o = ctx;
	char chunk[4096];
	ssize_t n;

	(void)revents;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		size_t room = OUTPUT_MAX - o->text.len;

		buf_add(&o->text, chunk, (size_t)n < room ? (size_t)n : room);
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		output_stop(o);
}

static void output_free(struct output *o)
{
	output_stop(o);
	buf_free(&o->text);
}

static void child_free(struct child *c)
{
	struct child_runner *r = c->runner;

	for (size_t i = 0; i < r->children.n; i++) {
		if (r->children.v[i] == c) {
			vec_remove(&r->children, i);
			break;
		}
	}
	env_cancel(&r->env, &c->deadline);
	loop_fd_remove(c->watch);
	close_fd(&c->pidfd);
	output_free(&c->out);
	output_free(&c->err);
	free(c);
}

/* The group, and the child itself, which may not have made its group yet. */
static void kill_all(const struct child *c)
{
	kill(-c->pid, SIGKILL);
	pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
}

static void child_late(void *ctx)
{
	struct child *c = ctx;

	c->timed_out = true;
	kill_all(c);
}

static void child_ended(void *ctx, int fd, uint32_t revents)
{
	struct child *c = ctx;
	struct child_end end = { .status = -1, .timed_out = c->timed_out };
	siginfo_t info = {0};

	(void)revents;
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
		return;
	if (info.si_code == CLD_EXITED)
		end.status = info.si_status;
	else
		end.signo = info.si_status;
	/* What it wrote last may not have been reported yet. */
	if (c->out.fd >= 0)
		output_read(&c->out, c->out.fd, POLLIN);
	if (c->err.fd >= 0)
		output_read(&c->err, c->err.fd, POLLIN);
	end.out = buf_cstr(&c->out.text);
	end.out_len = c->out.text.len;
	end.err = buf_cstr(&c->err.text);
	end.err_len = c->err.text.len;
	if (c->done)
		c->done(c->arg, &end);
	child_free(c);
}

/* What the forked child needs: made before, since it may only call what is safe after a fork. */
struct plan {
	const char *const *argv;
	char *env[3];
	int *fds;		/* what becomes 0, 1, 2, 3 ... */
	int n_fds;
};

static void default_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First all out of the way (a descriptor may stand where another must go), then into place. */
static int place_fds(const struct plan *p)
{
	for (int i = 0; i < p->n_fds; i++) {
		p->fds[i] = fcntl(p->fds[i], F_DUPFD, p->n_fds);
		if (p->fds[i] < 0)
			return -1;
	}
	for (int i = 0; i < p->n_fds; i++)
		if (dup2(p->fds[i], i) < 0)
			return -1;
	return close_range((unsigned int)p->n_fds, ~0U, 0);
}

__attribute__((noreturn)) static void run_child(const struct plan *p)
{
	static const char text[] = "cannot run the program\n";

	setsid();
	default_signals();
	if (place_fds(p) == 0 && chdir("/") == 0)
		execve(p->argv[0], (char *const *)p->argv, p->env);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(126);
	_exit(127);
}

/* Its standard input as a file in memory: nothing has to be written while it runs. */
static int open_input(const char *input)
{
	size_t len = input ? strlen(input) : 0;
	int fd;

	if (!input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	if (write(fd, input, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -1;
}

/* @ret_theirs is the child's end of the pipe. */
static int output_open(struct output *o, int *ret_theirs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	o->fd = ends[0];
	*ret_theirs = ends[1];
	return fcntl(o->fd, F_SETFL, O_NONBLOCK);
}

static int start(struct child *c, struct plan *p)
{
	c->pid = fork();
	if (c->pid == 0)
		run_child(p);
	if (c->pid < 0)
		return -1;
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd >= 0)
		return 0;
	/* Without a pidfd nobody would see its end. */
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	return -1;
}

/* Opens what becomes the child's 0, 1 and 2, which stay -1 from the first failure on. */
static int open_std(struct child *c, const struct child_spec *spec, int std[static 3])
{
	std[0] = open_input(spec->input);
	if (std[0] < 0 || output_open(&c->out, &std[1]) < 0 || output_open(&c->err, &std[2]) < 0)
		return -1;
	return 0;
}

static int launch(struct child *c, const struct child_spec *spec)
{
	const char *path = getenv("PATH");
	_cleanup_(buf_free) struct buf path_entry = {0};
	VEC(int) fds = {0};
	struct plan p = { .argv = spec->argv };
	int failed = 0;

	buf_str(&path_entry, "PATH=");
	buf_str(&path_entry, path ? path : DEFAULT_PATH);
	p.env[0] = path_entry.data;
	p.env[1] = (char[]){ "LANG=C" };
	for (size_t i = 0; i < 3 + spec->n_fds; i++)
		vec_push(&fds, i < 3 ? -1 : spec->fds[i - 3]);
	p.fds = fds.v;
	p.n_fds = (int)fds.n;
	if (open_std(c, spec, fds.v) < 0 || start(c, &p) < 0)
		failed = errno;
	for (size_t i = 0; i < 3; i++)
		close_fd(&fds.v[i]);
	vec_free(&fds);
	return -failed;
}

static void watch(struct child *c, int64_t deadline_us)
{
	struct child_runner *r = c->runner;

	c->watch = loop_fd_add(r->loop, c->pidfd, POLLIN, child_ended, c);
	c->out.watch = loop_fd_add(r->loop, c->out.fd, POLLIN, output_read, &c->out);
	c->err.watch = loop_fd_add(r->loop, c->err.fd, POLLIN, output_read, &c->err);
	if (deadline_us > 0)
		env_timer(&r->env, &c->deadline, deadline_us, child_late, c);
}

static int runner_spawn(void *ctx, const struct child_spec *spec, child_done_fn *done, void *arg,
			struct child **ret_child, struct err *ret_err)
{
	struct child_runner *r = ctx;
	struct child *c;
	int code;

	if (spec->argv[0][0] != '/')
		return err_set(ret_err, -EINVAL, "cannot run %s: not an absolute path",
			       spec->argv[0]);
	if (access(spec->argv[0], X_OK) < 0) {
		code = -errno;
		return err_set(ret_err, code, "cannot run %s: %s", spec->argv[0], strerror(-code));
	}
	c = mem_new(struct child);
	*c = (struct child){ .runner = r, .pidfd = -1, .out.fd = -1, .err.fd = -1, .done = done,
			     .arg = arg };
	code = launch(c, spec);
	if (code < 0) {
		child_free(c);
		return err_set(ret_err, code, "cannot run %s: %s", spec->argv[0], strerror(-code));
	}
	vec_push(&r->children, c);
	watch(c, spec->deadline_us);
	*ret_child = c;
	return 0;
}

static void runner_cancel(void *ctx, struct child *c)
{
	struct child_runner *r = ctx;

	kill_all(c);
	c->done = NULL;
	output_stop(&c->out);
	output_stop(&c->err);
	env_cancel(&r->env, &c->deadline);
}

static const struct child_ops runner_ops = {
	.spawn = runner_spawn,
	.cancel = runner_cancel,
};

struct child_runner *child_runner_new(struct loop *l)
{
	struct child_runner *r = mem_new(struct child_runner);

	r->loop = l;
	r->env = loop_env(l);
	return r;
}

void child_runner_free(struct child_runner *r)
{
	if (!r)
		return;
	while (r->children.n) {
		struct child *c = r->children.v[r->children.n - 1];
		struct pollfd ended = { .fd = c->pidfd, .events = POLLIN };

		kill_all(c);
		if (poll(&ended, 1, REAP_MS) > 0)
			waitid(P_PIDFD, (id_t)c->pidfd, NULL, WEXITED | WNOHANG);
		child_free(c);
	}
	vec_free(&r->children);
	free(r);
}

struct children child_runner_children(struct child_runner *r)
{
	return (struct children){ .ops = &runner_ops, .ctx = r };
}
