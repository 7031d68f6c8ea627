/* SPDX-License-Identifier: Apache-2.0
 * A world of whole engines: nodes, their disks and their power. */
#include "witness.h"
#include "world_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(struct world *w, uint32_t node, const char *text)
{
	int64_t us = env_now(&w->env).us;

	buf_printf(&w->trace, "%6lld.%03lld ms ", (long long)(us / 1000), (long long)(us % 1000));
	if (node)
		buf_printf(&w->trace, "n%u ", node);
	buf_printf(&w->trace, "%s\n", text);
}

void world_tell(struct world *w, const char *subject, const char *text)
{
	int64_t tenths = env_now(&w->env).us / (US_PER_S / 10);

	buf_printf(&w->story, "%5lld.%lld s ", (long long)(tenths / 10), (long long)(tenths % 10));
	if (subject)
		buf_printf(&w->story, "%s: ", subject);
	buf_printf(&w->story, "%s\n", text);
}

void world_note(struct world *w, const char *text)
{
	say(w, 0, text);
	world_tell(w, NULL, text);
}

void world_befalls(struct world_node *n, const char *text)
{
	say(n->w, n->id, text);
	world_tell(n->w, n->name, text);
}

static void node_log(void *ctx, int priority, const char *text)
{
	struct world_node *n = ctx;

	(void)priority;
	say(n->w, n->id, text);
}

/* The store is read: only now the agent joins the group, as the real one does. Before it would miss what is said there. */
static void node_ready(void *ctx)
{
	struct world_node *n = ctx;

	n->joined = true;
	world_order_joined(n);
}

static void node_failed(void *ctx, const struct err *err)
{
	node_log(ctx, 3, err->text);
}

static void node_applied(void *ctx, const struct ledger_entry *entry)
{
	witness_applied(ctx, entry);
}

/* ---- nodes ---- */

void world_set_log(struct world *w, uint64_t entries)
{
	w->log_entries = entries;
}

void world_agent_start(struct world *w, uint32_t node)
{
	struct world_node *n = &w->nodes[node];
	static const struct engine_news news = { .ready = node_ready, .failed = node_failed, .applied = node_applied };
	struct engine_conf conf = { .incarnation = n->incarnation, .memory_mib = 1024, .cpus = 2, .ha = ha_conf_default,
				    .log_entries = w->log_entries };
	struct engine_parts parts = { .env = n->env, .order = world_order_of(n), .store = world_disk_of(n),
				      .fence = world_fence_of(n), .log = node_log, .log_ctx = n };

	n->life++;
	n->pid = ++w->next_pid;
	n->engine = engine_new(&conf);
	n->storage = storage_new(&n->env, NULL, w->backends);
	n->driver = sim_driver_new(w->guests, n->name, &n->env, &engine_driver_events, n->engine);
	parts.storage = n->storage;
	parts.driver = n->driver;
	n->events = &engine_order_events;
	n->events_ctx = n->engine;
	n->agent_up = true;
	engine_start(n->engine, &parts, &news, n);
}

void world_agent_kill(struct world *w, uint32_t node)
{
	struct world_node *n = &w->nodes[node];

	bool joined = n->joined;

	n->agent_up = n->joined = false;
	n->life++;
	world_disk_agent_ends(n);
	n->driver.ops->free(n->driver.drv);
	storage_free(n->storage);
	engine_free(n->engine);
	n->engine = NULL;
	if (n->powered && joined)
		world_order_left(n);
}

void world_boot(struct world *w, uint32_t node)
{
	struct world_node *n = &w->nodes[node];

	n->powered = true;
	n->said_off = false;
	n->incarnation = id_random(&w->env);
	world_befalls(n, "boots");
	world_agent_start(w, node);
	world_ring_soon(w, WORLD_MERGE_US);
}

void world_crash(struct world *w, uint32_t node)
{
	struct world_node *n = &w->nodes[node];

	world_befalls(n, "loses power");
	n->powered = false;
	if (n->agent_up)
		world_agent_kill(w, node);
	world_clock_power_lost(n);
	world_disk_power_lost(n);
	world_order_power_lost(n);
	sim_node_crash(w->guests, n->name);
	storage_world_node_gone(w->disks, node);
}

struct world *world_new(uint64_t seed, size_t n_nodes)
{
	struct world *w = mem_new(struct world);

	w->venv = venv_new(seed);
	w->env = venv_env(w->venv);
	venv_set_wall(w->venv, (struct wall){ INT64_C(1700000000) * US_PER_S });
	w->guests = sim_world_new(&w->env, NULL, &world_hypervisor_hooks, w);
	w->disks = storage_world_new();
	w->witness = witness_new();
	storage_world_faults(w->disks, world_storage_fault, w);
	w->backend = storage_world_backend(w->disks);
	w->backends[0] = &w->backend;
	w->n_nodes = n_nodes;
	for (uint32_t i = 1; i <= n_nodes; i++) {
		struct world_node *n = &w->nodes[i];

		n->w = w;
		n->id = i;
		snprintf(n->name, sizeof(n->name), "n%u", i);
		world_clock_new(n);
		world_disk_new(n);
	}
	return w;
}

void world_free(struct world *w)
{
	struct world_sent **sent;

	if (!w)
		return;
	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		if (w->nodes[i].agent_up)
			world_agent_kill(w, i);
		world_disk_free(&w->nodes[i]);
	}
	world_order_free(w);
	world_run(w, 10 * US_PER_S);		/* what is under way ends by itself, and frees itself */
	world_fence_free(w);
	vec_each(sent, &w->sent)
		free(*sent);
	vec_free(&w->sent);
	for (uint32_t i = 1; i <= w->n_nodes; i++)
		world_clock_free(&w->nodes[i]);
	sim_world_free(w->guests);
	storage_world_free(w->disks);
	witness_free(w->witness);
	venv_free(w->venv);
	buf_free(&w->trace);
	buf_free(&w->story);
	free(w);
}

bool world_all_current(struct world *w)
{
	struct engine_status s;

	for (uint32_t i = 1; i <= w->n_nodes; i++) {
		if (!w->nodes[i].engine)
			return false;
		engine_status(w->nodes[i].engine, &s);
		if (!s.current)
			return false;
	}
	return true;
}

/* ---- running it ---- */

static bool step(struct world *w, struct mono until)
{
	if (!venv_step(w->venv, until))
		return false;
	world_check(w);
	return true;
}

bool world_until(struct world *w, bool (*cond)(struct world *w, void *ctx), void *ctx, int64_t deadline_us)
{
	struct mono until = mono_add(env_now(&w->env), deadline_us);

	while (!cond(w, ctx))
		if (!step(w, until))
			return cond(w, ctx);
	return true;
}

void world_run(struct world *w, int64_t us)
{
	struct mono until = mono_add(env_now(&w->env), us);

	while (step(w, until))
		;
}

struct order_wait {
	struct world *w;
	struct command_id id;
	bool done;
	struct err err;
};

/* Of what came in a snapshot it may be too long ago to tell. */
static void note_told(struct world *w, const struct command_id *id, const struct err *err, uint64_t index)
{
	if (err->code != -ENODATA)
		witness_told(w, id, index);
}

static void order_done(void *ctx, const struct err *err, uint64_t index)
{
	struct order_wait *wait = ctx;

	note_told(wait->w, &wait->id, err, index);
	wait->done = true;
	wait->err = *err;
}

static bool is_done(struct world *w, void *ctx)
{
	(void)w;
	return ((struct order_wait *)ctx)->done;
}

int world_order(struct world *w, uint32_t node, struct command *c, struct err *ret_err)
{
	struct order_wait wait = { .w = w };
	int rc = engine_submit(w->nodes[node].engine, c, order_done, &wait, &wait.id, ret_err);

	command_free(c);
	if (rc < 0)
		return rc;
	if (!world_until(w, is_done, &wait, 60 * US_PER_S)) {
		if (w->nodes[node].engine)	/* it may have been fenced meanwhile */
			engine_abandon(w->nodes[node].engine, &wait);
		return err_set(ret_err, -ETIMEDOUT, "no outcome");
	}
	*ret_err = wait.err;
	return wait.err.code;
}

/* Of a command that nobody waits for; kept until its outcome is told, or the world ends. */
struct world_sent {
	struct world *w;
	struct command_id id;
};

static void sent_done(void *ctx, const struct err *err, uint64_t index)
{
	struct world_sent *sent = ctx;

	note_told(sent->w, &sent->id, err, index);
	vec_drop(&sent->w->sent, sent);
	free(sent);
}

void world_send(struct world *w, uint32_t node, struct command *c)
{
	struct world_sent *sent = mem_new(struct world_sent);
	struct err err;

	sent->w = w;
	if (engine_submit(w->nodes[node].engine, c, sent_done, sent, &sent->id, &err) < 0)
		free(sent);
	else
		vec_push(&w->sent, sent);
	command_free(c);
}

bool world_powered(const struct world *w, uint32_t node)
{
	return w->nodes[node].powered;
}

struct engine *world_engine(struct world *w, uint32_t node)
{
	return w->nodes[node].engine;
}

struct sim_world *world_guests(struct world *w)
{
	return w->guests;
}

const char *world_trace(struct world *w)
{
	return buf_cstr(&w->trace);
}

const char *world_story(struct world *w)
{
	return buf_cstr(&w->story);
}

const char *world_broken(const struct world *w)
{
	return w->broken[0] ? w->broken : NULL;
}

struct storage_world *world_disks(struct world *w)
{
	return w->disks;
}

int64_t world_now(struct world *w)
{
	return env_now(&w->env).us;
}

const struct env *world_env(struct world *w)
{
	return &w->env;
}
