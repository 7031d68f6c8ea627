/* SPDX-License-Identifier: Apache-2.0
 * The event loop: a thin face over GLib's default main context (where libcrmservice
 * schedules itself too).
 *
 * Included by adapters and programs only; engine and below see struct env. */
#ifndef DOMUS_BASE_LOOP_H
#define DOMUS_BASE_LOOP_H

#include "env.h"
#include "err.h"

#include <stdint.h>

struct loop;

struct loop *loop_new(void);		/* also sets SIGPIPE to ignore */
/* Watches must be gone and posts delivered; timers are forgotten (slots NULL). Accepts NULL. */
void loop_free(struct loop *l);
void loop_run(struct loop *l);		/* until loop_quit, even if that came before */
void loop_quit(struct loop *l);
struct env loop_env(struct loop *l);	/* CLOCK_MONOTONIC, CLOCK_REALTIME, getrandom */

/* Watches @fd (not owned) for @events (POLLIN, POLLOUT); errors and hang-ups always come too. */
struct loop_fd;
typedef void loop_fd_fn(void *ctx, int fd, uint32_t revents);
struct loop_fd *loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn,
			    void *ctx);
void loop_fd_events(struct loop_fd *w, uint32_t events);
void loop_fd_remove(struct loop_fd *w);		/* safe inside its own callback; accepts NULL */

/* SIGTERM, SIGINT, SIGHUP or SIGUSR1, delivered from the loop. */
void loop_signal(struct loop *l, int signo, env_fn *fn, void *ctx);

/*
 * The only call that other threads may make: runs @fn in the loop's thread, in
 * the order of the posts.
 */
void loop_post(struct loop *l, env_fn *fn, void *ctx);

#endif
