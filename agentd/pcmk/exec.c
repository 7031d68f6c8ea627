/* SPDX-License-Identifier: Apache-2.0
 * Runs fence agents by Pacemaker's libcrmservice. */
#include "exec.h"

#include "base/mem.h"

#include <crm/common/results.h>
#include <crm/services.h>
#include <glib-unix.h>
#include <glib.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WHY_MAX 200

/* The whole of Pacemaker's magic word for "read this value from my secrets' folder". */
#define PCMK_SECRET "lrm://"

#define DIR_MAX	  512
#define PATH_SIZE (DIR_MAX + FENCE_NAME_MAX)

struct runner {
	char dir[DIR_MAX];
	VEC(struct call *) calls;
};

/*
 * One agent that runs. libcrmservice cannot be told to forget an action, so this outlives the
 * runner if need be: then @runner is NULL and nobody is told.
 */
struct call {
	struct runner *runner;
	svc_action_t *op; /* NULL once it has ended */
	int pidfd;
	guint watch; /* GLib source of @pidfd, or 0 */
	guint soon;  /* GLib source of an answer that came too early, or 0 */
	bool starting;
	int status;
	char why[WHY_MAX];
	fence_called_fn *done;
	void *ctx;
};

static void call_free(struct call *c)
{
	struct runner *r = c->runner;

	for (size_t i = 0; r && i < r->calls.n; i++)
		if (r->calls.v[i] == c) {
			vec_remove(&r->calls, i);
			break;
		}
	if (c->watch)
		g_source_remove(c->watch);
	if (c->soon)
		g_source_remove(c->soon);
	if (c->pidfd >= 0)
		close(c->pidfd);
	mem_freep(&c);
}

static gboolean tell(void *arg)
{
	struct call *c = arg, end = *c;

	c->soon = 0;
	call_free(c);
	if (end.runner && end.done)
		end.done(end.ctx, end.status, end.why);
	return G_SOURCE_REMOVE;
}

/* An agent's last line says what was wrong. People see it: nothing that moves a cursor. */
static void last_line(const char *text, char *ret, size_t size)
{
	size_t len = text ? strlen(text) : 0, start;

	while (len && g_ascii_isspace(text[len - 1]))
		len--;
	for (start = len; start && text[start - 1] != '\n'; start--)
		;
	snprintf(ret, size, "%.*s", (int)(len - start), text ? text + start : "");
	for (char *p = ret; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
}

/* The exit status counts only when the library says that the agent ran to its end. */
static void action_ended(svc_action_t *op)
{
	struct call *c = op->cb_data;

	c->op = NULL;
	if (op->status == PCMK_EXEC_DONE) {
		c->status = op->rc;
		last_line(op->stderr_data, c->why, sizeof(c->why));
	} else {
		c->status = -1;
		snprintf(c->why, sizeof(c->why), "%s",
			 op->status == PCMK_EXEC_TIMEOUT ? "killed at its timeout"
							 : pcmk_exec_status_str(op->status));
	}
	if (!c->starting)
		tell(c);
}

/*
 * The library notices an end by SIGCHLD alone. When that comes just before the loop goes to sleep,
 * it sleeps on for up to 500 ms, during which a lost node's guests stay down. The pidfd wakes it in
 * any case, and a SIGCHLD raised here has run its handler when raise returns.
 */
static gboolean process_ended(gint fd, GIOCondition condition, gpointer arg)
{
	struct call *c = arg;

	(void)fd;
	(void)condition;
	c->watch = 0;
	raise(SIGCHLD);
	return G_SOURCE_REMOVE;
}

static void watch(struct call *c)
{
	c->pidfd = (int)syscall(SYS_pidfd_open, c->op->pid, 0);
	if (c->pidfd >= 0)
		c->watch = g_unix_fd_add(c->pidfd, G_IO_IN, process_ended, c);
}

static int find(const struct runner *r, const char *agent, char ret_path[static PATH_SIZE],
		struct err *ret_err)
{
	size_t len = strspn(agent, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (strncmp(agent, "fence_", 6) != 0 || len <= 6 || agent[len])
		return err_set(ret_err, -EINVAL,
			       "fence agent: the name is fence_ and letters, digits or _");
	if ((size_t)snprintf(ret_path, PATH_SIZE, "%s/%s", r->dir, agent) >= PATH_SIZE)
		return err_set(ret_err, -ENAMETOOLONG, "%s: path too long", agent);
	if (access(ret_path, X_OK) < 0)
		return err_set(ret_err, -errno,
			       errno == ENOENT ? "%s: no such fence agent; install its package"
					       : "%s: not executable",
			       ret_path);
	return 0;
}

static int pcmk_look(void *runner, const char *agent, struct err *ret_err)
{
	char path[PATH_SIZE];

	return find(runner, agent, path, ret_err);
}

static int check(const struct fence_call *call, struct err *ret_err)
{
	for (size_t i = 0; i < call->n_params; i++)
		if (strcmp(call->params[i].value, PCMK_SECRET) == 0)
			return err_set(ret_err, -EINVAL, "%s: the value of '%s' may not be %s",
				       call->agent, call->params[i].key, PCMK_SECRET);
	return 0;
}

/* For the library 0 is no timeout at all. */
static int timeout_ms(int64_t us)
{
	int64_t ms = us / US_PER_MS;

	return ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/*
 * Without @agent the library takes the action for an alert and puts all parameters into
 * the environment, where /proc shows them; with standard "stonith" and an agent they go to standard
 * input only.
 */
static svc_action_t *action_new(const char *path, const struct fence_call *call)
{
	svc_action_t *op = services_action_create_generic(path, NULL);

	if (!op)
		return NULL;
	op->standard = mem_strdup("stonith");
	op->agent = mem_strdup(call->agent);
	op->action = mem_strdup(call->action);
	op->id = mem_strdup(call->agent);
	op->timeout = timeout_ms(call->timeout_us);
	op->params = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (size_t i = 0; i < call->n_params; i++)
		g_hash_table_insert(op->params, g_strdup(call->params[i].key),
				    g_strdup(call->params[i].value));
	g_hash_table_insert(op->params, g_strdup("action"), g_strdup(call->action));
	return op;
}

static int pcmk_call(void *runner, const struct fence_call *call, fence_called_fn *done, void *ctx,
		     struct err *ret_err)
{
	struct runner *r = runner;
	char path[PATH_SIZE];
	struct call *c;
	int rc = check(call, ret_err);

	if (rc == 0)
		rc = find(r, call->agent, path, ret_err);
	if (rc < 0)
		return rc;
	c = mem_new(struct call);
	c->pidfd = -1;
	c->op = action_new(path, call);
	if (!c->op) {
		mem_freep(&c);
		return err_set(ret_err, -ENOMEM, "%s: could not be prepared", path);
	}
	c->op->cb_data = c;
	c->runner = r;
	c->done = done;
	c->ctx = ctx;
	vec_push(&r->calls, c);
	/* An action that cannot even be forked is ended from inside this call; the caller is told
	 * from the loop. */
	c->starting = true;
	services_action_async(c->op, action_ended);
	c->starting = false;
	if (c->op)
		watch(c);
	else
		c->soon = g_idle_add(tell, c);
	return 0;
}

/* The group may not exist yet (the child makes it), nor the child any more: then the other kill is
 * the right one. */
static void abandon(struct call *c)
{
	pid_t pid = c->op ? c->op->pid : 0;

	c->runner = NULL;
	if (pid > 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	} else if (!c->op) {
		call_free(c);
	}
}

static void pcmk_cancel(void *runner, void *ctx)
{
	struct runner *r = runner;

	for (size_t i = r->calls.n; i-- > 0;) {
		struct call *c = r->calls.v[i];

		if (c->ctx != ctx)
			continue;
		vec_remove(&r->calls, i);
		abandon(c);
	}
}

static const struct fence_runner_ops pcmk_ops = {
	.look = pcmk_look,
	.call = pcmk_call,
	.cancel = pcmk_cancel,
};

struct fence_runner pcmk_runner_new(const char *fence_dir)
{
	struct runner *r = mem_new(struct runner);

	if (STRCPY(r->dir, fence_dir) < 0)
		r->dir[0] = '\0'; /* no agent will be found there */
	return (struct fence_runner){ &pcmk_ops, r };
}

void pcmk_runner_free(struct fence_runner *runner)
{
	struct runner *r = runner->runner;

	if (!r)
		return;
	while (r->calls.n) {
		struct call *c = r->calls.v[--r->calls.n];

		abandon(c);
	}
	vec_free(&r->calls);
	mem_freep(&runner->runner);
}
