/* SPDX-License-Identifier: Apache-2.0
 * Child processes: what blocks runs outside. Ends are seen by pidfd, since libcrmservice
 * owns SIGCHLD. */
#ifndef DOMUS_BASE_CHILD_H
#define DOMUS_BASE_CHILD_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child;

/* How it ended. The texts are valid during the callback only. */
struct child_end {
	int status;		/* exit status, or -1 when a signal ended it */
	int signo;		/* that signal, or 0 */
	bool timed_out;		/* we killed it (the whole process group) at its deadline */
	const char *out, *err;	/* what it wrote, cut at 64 KiB each, never NULL */
	size_t out_len, err_len;
};

typedef void child_done_fn(void *ctx, const struct child_end *end);

/*
 * @argv[0] is an absolute path; NULL ends it. @fds[i] becomes descriptor 3 + i of the
 * child (the caller keeps its own); all others are closed. Runs in a session of its
 * own with default signals, in "/", with the agent's environment reduced to PATH
 * and LANG=C. All is copied.
 */
struct child_spec {
	const char *const *argv;
	const char *input;	/* to its standard input, or NULL for /dev/null */
	const int *fds;
	size_t n_fds;
	int64_t deadline_us;	/* 0 = none */
};

/*
 * All asynchronous. spawn returns 0 and calls @done exactly once, later, from
 * the loop; or a negative errno (-ENOENT, -EACCES: no such program), and never calls
 * it. The end is the process's: what it left running in the background may still
 * hold its output, and is not waited for. cancel kills the child's process group and
 * forgets it: @done is not called. A @child is valid until @done is called.
 */
struct child_ops {
	int (*spawn)(void *ctx, const struct child_spec *spec, child_done_fn *done, void *arg,
		     struct child **ret_child, struct err *ret_err);
	void (*cancel)(void *ctx, struct child *child);
};

struct children {
	const struct child_ops *ops;
	void *ctx;
};

struct loop;
/* The real one. @l outlives it; free cancels what still runs. */
struct child_runner;
struct child_runner *child_runner_new(struct loop *l);
void child_runner_free(struct child_runner *r);	/* not from inside @done; accepts NULL */
struct children child_runner_children(struct child_runner *r);

#endif
