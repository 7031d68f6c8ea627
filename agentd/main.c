/* SPDX-License-Identifier: Apache-2.0
 * domus-agentd: makes the real surroundings, puts an engine among them, and runs. */
#include "base/child.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/corosync.h"
#include "ctl/ctl.h"
#include "engine/engine.h"
#include "exec/incarnation.h"
#include "hypervisor/qemu.h"
#include "options.h"
#include "pcmk/exec.h"
#include "proto/methods.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct agent {
	struct options options;
	int lock_fd;
	struct loop *loop;
	struct env env;
	struct child_runner *children;
	struct store store;
	struct storage *storage;
	struct driver driver;
	struct fence_runner fence;
	struct corosync *corosync;
	struct engine *engine;
	struct ctl *ctl;
	int status;
};

static void log_text(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_line(priority, "%s", text);
}

static void failed(void *ctx, const struct err *err)
{
	struct agent *a = ctx;

	log_error("%s", err->text);
	a->status = EXIT_FAILURE;
	loop_quit(a->loop);
}

static void ready(void *ctx)
{
	struct agent *a = ctx;

	log_info("domus-agentd is up: %llu MiB and %u CPUs for guests", (unsigned long long)a->options.memory_mib, a->options.cpus);
	corosync_start(a->corosync);
}

/* Guests go on without an agent; the next one adopts them. */
static void asked_to_end(void *ctx)
{
	log_info("ending; the guests of this node go on");
	loop_quit(((struct agent *)ctx)->loop);
}

/*
 * Each guest and each client costs some descriptors, so the usual 1024 would be a limit to both that
 * nobody has chosen. Where it cannot be raised we go on with what there is.
 */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_parts(struct agent *a, struct err *ret_err)
{
	static const struct storage_backend *const backends[] = { &storage_dir, NULL };
	struct qemu_conf qemu = { .run_dir = a->options.run_dir, .accel = a->options.accel, .console_group = PROTO_GROUP };
	struct engine_conf conf = { .memory_mib = a->options.memory_mib, .cpus = a->options.cpus, .ha = ha_conf_default };
	struct children children = child_runner_children(a->children);

	if (mkdir(a->options.run_dir, 0755) < 0 && errno != EEXIST)
		return err_set(ret_err, -errno, "%s: the run folder cannot be made", a->options.run_dir);
	/* Two agents with one life and one set of guests would undo each other's work, whatever their ledgers. */
	a->lock_fd = lock_take(a->options.run_dir, "agent.lock", ret_err);
	if (a->lock_fd < 0)
		return a->lock_fd;
	if (store_open(a->options.state_dir, &a->env, a->loop, &a->store, ret_err) < 0 ||
	    incarnation_read(a->options.run_dir, &a->env, &conf.incarnation, ret_err) < 0)
		return ret_err->code;
	a->engine = engine_new(&conf);
	a->storage = storage_new(&a->env, &children, backends);
	a->fence = pcmk_runner_new(a->options.fence_dir);
	a->driver = qemu_driver_new(&qemu, &a->env, a->loop, &children, &engine_driver_events, a->engine, ret_err);
	return a->driver.ops ? 0 : ret_err->code;
}

static int run(struct agent *a, struct err *ret_err)
{
	static const struct engine_news news = { .ready = ready, .failed = failed };
	struct engine_parts parts = { .env = a->env, .store = a->store, .storage = a->storage, .driver = a->driver,
				      .fence = a->fence, .log = log_text };

	if (ctl_new(&a->env, a->engine, a->options.socket, &a->ctl, ret_err) < 0)
		return ret_err->code;
	a->corosync = corosync_new(a->loop, &engine_order_events, a->engine);
	parts.order = corosync_order(a->corosync);
	engine_start(a->engine, &parts, &news, a);
	loop_run(a->loop);
	return 0;
}

/* The surroundings go first, so that nothing comes up any more; then those who listened. */
static void close_parts(struct agent *a)
{
	ctl_free(a->ctl);
	corosync_free(a->corosync);
	store_close(&a->store);
	if (a->driver.ops)
		a->driver.ops->free(a->driver.drv);
	pcmk_runner_free(&a->fence);
	storage_free(a->storage);
	engine_free(a->engine);
	child_runner_free(a->children);
	loop_free(a->loop);
	if (a->lock_fd >= 0)
		close(a->lock_fd);
}

int main(int argc, char **argv)
{
	struct agent a = { .lock_fd = -1, .status = EXIT_SUCCESS };
	struct err err = { 0 };

	if (options_read(argc, argv, &a.options, &a.status) <= 0)
		return a.status;
	log_open("domus-agentd", a.options.debug);
	raise_fd_limit();
	a.loop = loop_new();
	a.env = loop_env(a.loop);
	a.children = child_runner_new(a.loop);
	loop_signal(a.loop, SIGTERM, asked_to_end, &a);
	loop_signal(a.loop, SIGINT, asked_to_end, &a);
	if (open_parts(&a, &err) < 0 || run(&a, &err) < 0)
		failed(&a, &err);
	close_parts(&a);
	log_close();
	return a.status;
}
