/* SPDX-License-Identifier: Apache-2.0
 * The event loop over GLib's default main context. */
#include "loop.h"
#include "mem.h"
#include "timers.h"
#include "vec.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include <glib-unix.h>
#include <glib.h>

/* What loop_fd passes on as it is. */
_Static_assert((int)G_IO_IN == POLLIN && (int)G_IO_OUT == POLLOUT && (int)G_IO_ERR == POLLERR &&
	       (int)G_IO_HUP == POLLHUP, "GLib's conditions are poll's");

/* All timers share one source: GLib has no promise about the order of sources. */
struct timer_source {
	GSource source;		/* first: GLib allocates and frees it */
	struct loop *loop;
};

struct signal_watch {
	env_fn *fn;
	void *ctx;
	guint id;
};

struct loop {
	struct timers timers;
	struct timer_source *timer_source;
	VEC(struct signal_watch *) signals;
	bool quit;
};

static struct mono loop_now(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct mono){ ts.tv_sec * US_PER_S + ts.tv_nsec / 1000 };
}

static struct wall loop_wall(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct wall){ ts.tv_sec * US_PER_S + ts.tv_nsec / 1000 };
}

/* Tells GLib when to wake up: its ready time is CLOCK_MONOTONIC in microseconds, as ours. */
static void schedule(struct loop *l)
{
	struct mono due;
	bool armed = timers_next(&l->timers, &due);

	g_source_set_ready_time(&l->timer_source->source, armed ? due.us : -1);
}

static void loop_timer(void *ctx, struct env_timer **slot, int64_t delay_us, env_fn *fn, void *arg)
{
	struct loop *l = ctx;
	struct mono due = mono_add(loop_now(NULL), delay_us > 0 ? delay_us : 0);

	timers_arm(&l->timers, slot, due, fn, arg);
	schedule(l);
}

static void loop_cancel(void *ctx, struct env_timer **slot)
{
	struct loop *l = ctx;

	timers_cancel(&l->timers, slot);
	schedule(l);
}

static gboolean timers_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct loop *l = ((struct timer_source *)source)->loop;
	struct mono now = loop_now(NULL);
	uint64_t before = l->timers.armed;

	(void)callback;
	(void)data;
	while (timers_fire(&l->timers, now, before))
		;
	schedule(l);
	return G_SOURCE_CONTINUE;
}

static void loop_random(void *ctx, void *ret_bytes, size_t len)
{
	uint8_t *p = ret_bytes;

	(void)ctx;
	while (len) {
		/* Up to 256 bytes come whole; a signal can shorten only longer reads. */
		ssize_t n = getrandom(p, len < 256 ? len : 256, 0);

		if (n <= 0 && errno != EINTR)
			abort();
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

static const struct env_ops loop_ops = {
	.now = loop_now,
	.wall = loop_wall,
	.timer = loop_timer,
	.cancel = loop_cancel,
	.random = loop_random,
};

struct loop *loop_new(void)
{
	static GSourceFuncs timer_funcs = { .dispatch = timers_dispatch };
	struct loop *l = mem_new(struct loop);
	GSource *source = g_source_new(&timer_funcs, sizeof(struct timer_source));

	signal(SIGPIPE, SIG_IGN);
	l->timer_source = (struct timer_source *)source;
	l->timer_source->loop = l;
	g_source_attach(source, NULL);
	return l;
}

void loop_free(struct loop *l)
{
	struct signal_watch **s;

	if (!l)
		return;
	g_source_destroy(&l->timer_source->source);
	g_source_unref(&l->timer_source->source);
	timers_free(&l->timers);
	vec_each(s, &l->signals) {
		g_source_remove((*s)->id);
		free(*s);
	}
	vec_free(&l->signals);
	free(l);
}

void loop_run(struct loop *l)
{
	while (!l->quit)
		g_main_context_iteration(NULL, TRUE);
	l->quit = false;
}

void loop_quit(struct loop *l)
{
	l->quit = true;
	g_main_context_wakeup(NULL);
}

struct env loop_env(struct loop *l)
{
	return (struct env){ .ops = &loop_ops, .ctx = l };
}

/* GLib frees it when it is neither attached, nor held by us, nor in its callback. */
struct loop_fd {
	GSource source;
	gpointer tag;
	int fd;
	loop_fd_fn *fn;
	void *ctx;
};

static gboolean fd_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct loop_fd *w = (struct loop_fd *)source;
	GIOCondition got = g_source_query_unix_fd(source, w->tag);

	(void)callback;
	(void)data;
	if (got)
		w->fn(w->ctx, w->fd, (uint32_t)got);
	return G_SOURCE_CONTINUE;
}

static GIOCondition fd_condition(uint32_t events)
{
	return (GIOCondition)events | G_IO_ERR | G_IO_HUP;
}

struct loop_fd *loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn,
			    void *ctx)
{
	static GSourceFuncs fd_funcs = { .dispatch = fd_dispatch };
	GSource *source = g_source_new(&fd_funcs, sizeof(struct loop_fd));
	struct loop_fd *w = (struct loop_fd *)source;

	(void)l;	/* GLib's default context is the only one */
	w->fd = fd;
	w->fn = fn;
	w->ctx = ctx;
	w->tag = g_source_add_unix_fd(source, fd, fd_condition(events));
	g_source_attach(source, NULL);
	return w;
}

void loop_fd_events(struct loop_fd *w, uint32_t events)
{
	g_source_modify_unix_fd(&w->source, w->tag, fd_condition(events));
}

void loop_fd_remove(struct loop_fd *w)
{
	if (!w)
		return;
	g_source_destroy(&w->source);
	g_source_unref(&w->source);
}

static gboolean signal_dispatch(gpointer data)
{
	struct signal_watch *s = data;

	s->fn(s->ctx);
	return G_SOURCE_CONTINUE;
}

void loop_signal(struct loop *l, int signo, env_fn *fn, void *ctx)
{
	struct signal_watch *s = mem_new(struct signal_watch);

	*s = (struct signal_watch){ .fn = fn, .ctx = ctx };
	s->id = g_unix_signal_add(signo, signal_dispatch, s);
	vec_push(&l->signals, s);
}

struct post {
	env_fn *fn;
	void *ctx;
};

static gboolean post_dispatch(gpointer data)
{
	const struct post *p = data;

	p->fn(p->ctx);
	return G_SOURCE_REMOVE;
}

void loop_post(struct loop *l, env_fn *fn, void *ctx)
{
	struct post *p = mem_new(struct post);
	GSource *source = g_idle_source_new();

	(void)l;
	*p = (struct post){ .fn = fn, .ctx = ctx };
	/* The priority of all else: a busy loop must not put off what a thread has finished. */
	g_source_set_priority(source, G_PRIORITY_DEFAULT);
	g_source_set_callback(source, post_dispatch, p, free);
	g_source_attach(source, NULL);
	g_source_unref(source);
}
