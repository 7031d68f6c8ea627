/* SPDX-License-Identifier: Apache-2.0
 * libqb's poll handlers as sources of GLib's default context, which is the one our loop runs.
 *
 * libqb names a watch by its descriptor and hands these functions no context. So the context
 * itself is the table of watches: a source is found by our functions and its descriptor, and
 * nothing stands in file scope. */
#include "qb_loop.h"

#include <errno.h>
#include <poll.h>

#include <glib.h>

/* What is passed on as it is. */
_Static_assert((int)G_IO_IN == POLLIN && (int)G_IO_OUT == POLLOUT && (int)G_IO_PRI == POLLPRI &&
	       (int)G_IO_ERR == POLLERR && (int)G_IO_HUP == POLLHUP && (int)G_IO_NVAL == POLLNVAL,
	       "GLib's conditions are poll's");

struct watch {
	GSource source;		/* first: GLib allocates and frees it */
	gpointer tag;
	int fd;
	qb_ipcs_dispatch_fn_t fn;
	void *data;
};

/* A negative answer ends the watch, as in libqb's own loop. */
static gboolean watch_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct watch *w = (struct watch *)source;
	GIOCondition got = g_source_query_unix_fd(source, w->tag);

	(void)callback;
	(void)data;
	if (!got)
		return G_SOURCE_CONTINUE;
	return w->fn(w->fd, (int32_t)got, w->data) < 0 ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
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

static GIOCondition condition(int32_t events)
{
	return (GIOCondition)events | G_IO_ERR | G_IO_HUP;
}

static int32_t dispatch_add(enum qb_loop_priority p, int32_t fd, int32_t events, void *data,
			    qb_ipcs_dispatch_fn_t fn)
{
	struct watch *w = watch_find(fd);

	(void)p;
	/* One that outlived its descriptor, whose number is used anew. */
	if (w)
		g_source_destroy(&w->source);
	w = (struct watch *)g_source_new(&watch_funcs, sizeof(*w));
	w->fd = fd;
	w->fn = fn;
	w->data = data;
	w->tag = g_source_add_unix_fd(&w->source, fd, condition(events));
	g_source_set_callback(&w->source, never_called, GINT_TO_POINTER(fd), NULL);
	g_source_attach(&w->source, NULL);
	g_source_unref(&w->source);
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
	g_source_modify_unix_fd(&w->source, w->tag, condition(events));
	return 0;
}

static int32_t dispatch_del(int32_t fd)
{
	struct watch *w = watch_find(fd);

	if (!w)
		return -ENOENT;
	g_source_destroy(&w->source);
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

struct qb_ipcs_poll_handlers qb_loop_handlers(void)
{
	return (struct qb_ipcs_poll_handlers){
		.job_add = job_add,
		.dispatch_add = dispatch_add,
		.dispatch_mod = dispatch_mod,
		.dispatch_del = dispatch_del,
	};
}
