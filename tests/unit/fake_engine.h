/* SPDX-License-Identifier: Apache-2.0
 * For the API's tests: the engine's face, as far as the API uses it. It keeps what was submitted, and
 * answers when the test says so. For one file of a program. */
#ifndef DOMUS_TESTS_FAKE_ENGINE_H
#define DOMUS_TESTS_FAKE_ENGINE_H

#include "kit/kit.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "policy/command.h"

#include <string.h>

struct engine {
	struct model *model;
	struct engine_status status;
	struct ledger_voters voters;
	engine_watch_fn *watch;
	void *watch_ctx;
	struct command submitted;
	int n_submitted, n_abandoned;
	engine_done_fn *done;
	void *done_ctx;
	const char *alarm;
	int refuse; /* what engine_submit answers */
	int outcome;
	struct err outcome_err;
	int init_result;
	storage_done_fn *looked;
	void *look_ctx;
	struct pool_conf look;
	int n_look_cancelled;
	bool has_domain;
	struct domain_info domain;
};

const struct model *engine_model(const struct engine *e)
{
	return e->model;
}

const char *engine_digest(const struct engine *e, char ret[static 65])
{
	(void)e;
	strcpy(ret, "d1");
	return ret;
}

void engine_status(struct engine *e, struct engine_status *ret)
{
	*ret = e->status;
}

int engine_submit(struct engine *e, const struct command *c, engine_done_fn *done, void *ctx,
		  struct command_id *ret_id, struct err *ret_err)
{
	if (e->refuse)
		return err_set(ret_err, e->refuse, "this node cannot reach the majority");
	command_free(&e->submitted);
	e->submitted = *c;
	/* The command stays the caller's: what it owns is not kept. */
	e->submitted.guest = NULL;
	memset(&e->submitted.params, 0, sizeof(e->submitted.params));
	e->n_submitted++;
	e->done = done;
	e->done_ctx = ctx;
	*ret_id = (struct command_id){ .node = 1, .incarnation = { { 0xab } }, .nonce = 77 };
	return 0;
}

void engine_abandon(struct engine *e, void *ctx)
{
	if (e->done_ctx != ctx)
		return;
	e->n_abandoned++;
	e->done = NULL;
}

int engine_outcome(const struct engine *e, const struct command_id *id, struct err *ret_err,
		   uint64_t *ret_index)
{
	if (id->node != 1 || id->nonce != 77)
		return -ENOENT;
	*ret_err = e->outcome_err;
	*ret_index = 12;
	return e->outcome;
}

void engine_watch(struct engine *e, engine_watch_fn *fn, void *ctx)
{
	e->watch = fn;
	e->watch_ctx = ctx;
}

int engine_cluster_init(struct engine *e, const char *name, struct err *ret_err)
{
	(void)name;
	return e->init_result ? err_set(ret_err, e->init_result, "a cluster is here already") : 0;
}

int engine_cluster_join(struct engine *e, struct err *ret_err)
{
	return engine_cluster_init(e, NULL, ret_err);
}

int engine_domain(const struct engine *e, const char *guest, struct domain_info *ret)
{
	if (!e->has_domain || strcmp(guest, e->domain.name) != 0)
		return -ENOENT;
	*ret = e->domain;
	return 0;
}

int engine_fence_agent(const struct engine *e, const char *agent, struct err *ret_err)
{
	(void)e;
	if (strcmp(agent, "fence_nosuch") != 0)
		return 0;
	return err_set(ret_err, -ENOENT, "/usr/sbin/%s: no such fence agent", agent);
}

int engine_look(const struct engine *e, const struct pool_conf *conf, storage_done_fn *done,
		void *ctx, struct err *ret_err)
{
	struct engine *w = (struct engine *)e;

	if (strstr(conf->path, ".."))
		return err_set(ret_err, -EINVAL, "the path must be without ..");
	w->look = *conf;
	w->looked = done;
	w->look_ctx = ctx;
	return 0;
}

void engine_look_cancel(const struct engine *e, const void *ctx)
{
	struct engine *w = (struct engine *)e;

	assert_ptr_equal(w->look_ctx, ctx);
	w->looked = NULL;
	w->n_look_cancelled++;
}

const struct ledger_voters *engine_voters(const struct engine *e)
{
	return &e->voters;
}

const char *engine_alarm(const struct engine *e, size_t i)
{
	return i == 0 ? e->alarm : NULL;
}

#endif
