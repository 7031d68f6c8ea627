/* SPDX-License-Identifier: Apache-2.0
 * libqb's poll handlers as sources of GLib's default context, which is the one our loop runs.
 *
 * libqb names a watch by its descriptor and hands these functions no context. So the context
 * itself is the table of watches: a source is found by our functions and its descriptor, and
 * nothing stands in file scope.
 *
 * libqb holds whoever has connected and says nothing for ever, and anybody on this host may connect.
 * So who is what is told by when its watch is added: the one that qb_ipcs_run adds is the listener;
 * what is added while a listener's function runs is a stranger, who has not said yet who it is;
 * all else are clients that were let in. */
#include "qb_loop.h"

#include "base/vec.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include <glib.h>

/* So many may be about to say who they are: an honest one has done so at the loop's next turn. */
#define STRANGERS_MAX 64
/* Accepting has failed, most likely for want of descriptors: trying at once again would fail too. */
#define PAUSE_US      (1000 * 1000)
/* The key of a listener that libqb has not named yet. */
#define NO_FD	      (-1)

/* What is passed on as it is. */
_Static_assert((int)G_IO_IN == POLLIN && (int)G_IO_OUT == POLLOUT && (int)G_IO_PRI == POLLPRI &&
	       (int)G_IO_ERR == POLLERR && (int)G_IO_HUP == POLLHUP && (int)G_IO_NVAL == POLLNVAL,
	       "GLib's conditions are poll's");

/*
 * Invariants: @listener is set of a stranger only, and stands as long as it is set; @strangers holds
 * exactly those whose @listener this is, the oldest first.
 */
struct watch {
	GSource source;		/* first: GLib allocates and frees it */
	gpointer tag;
	int fd;
	GIOCondition events;
	qb_ipcs_dispatch_fn_t fn;
	void *data;
	struct watch *listener;
	/* Of a listener: */
	bool listens, accepted;
	int64_t stranger_us;
	VEC(struct watch *) strangers;
};

/* libqb closes it, and forgets it by dispatch_del. */
static int32_t hang_up(struct watch *w)
{
	return w->fn(w->fd, POLLHUP, w->data);
}

static void drop_oldest(struct watch *listener)
{
	struct watch *w = listener->strangers.v[0];

	vec_remove(&listener->strangers, 0);
	w->listener = NULL;
	hang_up(w);
}

static void watch_end(struct watch *w)
{
	if (w->listener)
		vec_drop(&w->listener->strangers, w);
	w->listener = NULL;
	while (w->strangers.n)
		drop_oldest(w);
	vec_free(&w->strangers);
	g_source_destroy(&w->source);
}

static void wake_in(struct watch *w, int64_t us)
{
	g_source_set_ready_time(&w->source, g_get_monotonic_time() + us);
}

/* What it waited for has not come, or its pause is over. */
static int32_t watch_late(struct watch *w)
{
	g_source_set_ready_time(&w->source, -1);
	if (w->listener)
		return hang_up(w);
	g_source_modify_unix_fd(&w->source, w->tag, w->events);
	return 0;
}

/* libqb tells nobody that it could not accept, only the log; it would try at each turn of the loop. */
static int32_t watch_accept(struct watch *w, GIOCondition got)
{
	int32_t r;

	w->accepted = false;
	r = w->fn(w->fd, (int32_t)got, w->data);
	if (r >= 0 && !w->accepted) {
		g_source_modify_unix_fd(&w->source, w->tag, 0);
		wake_in(w, PAUSE_US);
	}
	return r;
}

/* A negative answer ends the watch, as in libqb's own loop. */
static gboolean watch_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct watch *w = (struct watch *)source;
	GIOCondition got = g_source_query_unix_fd(source, w->tag);
	int32_t r;

	(void)callback;
	(void)data;
	if (!got)
		r = watch_late(w);
	else if (w->listens)
		r = watch_accept(w, got);
	else
		r = w->fn(w->fd, (int32_t)got, w->data);
	if (r >= 0)
		return G_SOURCE_CONTINUE;
	watch_end(w);
	return G_SOURCE_REMOVE;
}

static gboolean never_called(gpointer data)
{
	(void)data;
	return G_SOURCE_REMOVE;
}

/* GLib takes it as not const, and changes it never. */
static GSourceFuncs watch_funcs = { .dispatch = watch_dispatch };

/* The callback's data, which no one reads, is what the source is found by. */
static struct watch *watch_find(int32_t fd)
{
	return (struct watch *)g_main_context_find_source_by_funcs_user_data(
		NULL, &watch_funcs, GINT_TO_POINTER(fd));
}

static void watch_name(struct watch *w, int32_t fd)
{
	w->fd = fd;
	g_source_set_callback(&w->source, never_called, GINT_TO_POINTER(fd), NULL);
}

static struct watch *watch_new(int32_t fd)
{
	struct watch *w = (struct watch *)g_source_new(&watch_funcs, sizeof(*w));

	watch_name(w, fd);
	g_source_attach(&w->source, NULL);
	g_source_unref(&w->source); /* the context's now */
	return w;
}

/* The listener whose function runs now, or NULL. */
static struct watch *who_accepts(void)
{
	GSource *source = g_main_current_source();
	struct watch *w = (struct watch *)source;

	return source && source->source_funcs == &watch_funcs && w->listens ? w : NULL;
}

static void stranger_begin(struct watch *w, struct watch *listener)
{
	listener->accepted = true;
	if (listener->strangers.n >= STRANGERS_MAX)
		drop_oldest(listener);
	w->listener = listener;
	vec_push(&listener->strangers, w);
	wake_in(w, listener->stranger_us);
}

static GIOCondition condition(int32_t events)
{
	return (GIOCondition)events | G_IO_ERR | G_IO_HUP;
}

static int32_t dispatch_add(enum qb_loop_priority p, int32_t fd, int32_t events, void *data,
			    qb_ipcs_dispatch_fn_t fn)
{
	struct watch *listener = who_accepts(), *w = watch_find(fd);

	(void)p;
	/* One that outlived its descriptor, whose number is used anew. */
	if (w)
		watch_end(w);
	w = listener ? NULL : watch_find(NO_FD);
	if (w)
		watch_name(w, fd);
	else
		w = watch_new(fd);
	w->fn = fn;
	w->data = data;
	w->events = condition(events);
	w->tag = g_source_add_unix_fd(&w->source, fd, w->events);
	if (listener)
		stranger_begin(w, listener);
	return 0;
}

static int32_t dispatch_mod(enum qb_loop_priority p, int32_t fd, int32_t events, void *data,
			    qb_ipcs_dispatch_fn_t fn)
{
	struct watch *w = watch_find(fd);

	(void)p;
	if (!w)
		return -ENOENT;
	w->fn = fn;
	w->data = data;
	w->events = condition(events);
	g_source_modify_unix_fd(&w->source, w->tag, w->events);
	return 0;
}

static int32_t dispatch_del(int32_t fd)
{
	struct watch *w = watch_find(fd);

	if (!w)
		return -ENOENT;
	watch_end(w);
	return 0;
}

struct job {
	qb_loop_job_dispatch_fn fn;
	void *data;
};

static gboolean job_run(gpointer data)
{
	const struct job *job = data;

	job->fn(job->data);
	return G_SOURCE_REMOVE;
}

static int32_t job_add(enum qb_loop_priority p, void *data, qb_loop_job_dispatch_fn fn)
{
	struct job *job = g_new(struct job, 1);

	(void)p;
	*job = (struct job){ fn, data };
	g_idle_add_full(G_PRIORITY_DEFAULT, job_run, job, g_free);
	return 0;
}

int32_t qb_loop_listen(qb_ipcs_service_t *service, int64_t stranger_us)
{
	struct qb_ipcs_poll_handlers handlers = {
		.job_add = job_add,
		.dispatch_add = dispatch_add,
		.dispatch_mod = dispatch_mod,
		.dispatch_del = dispatch_del,
	};
	struct watch *w = watch_new(NO_FD);
	int32_t r;

	w->listens = true;
	w->stranger_us = stranger_us;
	qb_ipcs_poll_handlers_set(service, &handlers);
	r = qb_ipcs_run(service);
	w = watch_find(NO_FD);
	if (w)
		watch_end(w);
	return r;
}
