/* SPDX-License-Identifier: Apache-2.0
 * The engine's face for people and programs: commands and their outcomes, status, digest. */
#include "engine/engine_priv.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

int engine_submit(struct engine *e, const struct command *c, engine_done_fn *done, void *ctx, struct command_id *ret_id, struct err *ret_err)
{
	struct engine_status s;
	struct waiter w = { .done = done, .ctx = ctx };

	engine_status(e, &s);
	if (!s.current)
		return err_set(ret_err, -EAGAIN, "%s", s.why_not);
	w.id = engine_propose(e, c, ret_err);
	if (!w.id.node)
		return ret_err->code;
	vec_push(&e->waiters, w);
	*ret_id = w.id;
	return 0;
}

void engine_abandon(struct engine *e, void *ctx)
{
	for (size_t i = e->waiters.n; i-- > 0;)
		if (e->waiters.v[i].ctx == ctx)
			vec_remove(&e->waiters, i);
}

void request_applied(struct engine *e, const struct ledger_entry *entry, const struct err *err)
{
	struct waiter *w;

	vec_each(w, &e->waiters) {
		if (!command_id_equal(&w->id, &entry->id))
			continue;
		w->settled = true;
		w->err = *err;
		w->index = entry->index;
		return;
	}
}

/* The state came as a whole: those whose command it holds are told what it says of them. */
void request_restored(struct engine *e)
{
	struct waiter *w;

	vec_each(w, &e->waiters) {
		int rc = w->settled ? 0 : state_outcome(e->state, &w->id, &w->err, &w->index);

		if (rc == -ENOENT)
			err_set(&w->err, -ENODATA, "it was carried out or refused while this node was away: look at what is there");
		w->settled = w->settled || rc != 0;
	}
}

/* Told from the turn, not from inside apply: whoever is told may ask for the next thing at once. */
void request_tell(struct engine *e)
{
	for (size_t i = 0; i < e->waiters.n;) {
		struct waiter w = e->waiters.v[i];

		if (!w.settled) {
			i++;
			continue;
		}
		vec_remove(&e->waiters, i);
		w.done(w.ctx, &w.err, w.index);
		i = 0;
	}
}

int engine_outcome(const struct engine *e, const struct command_id *id, struct err *ret_err, uint64_t *ret_index)
{
	return state_outcome(e->state, id, ret_err, ret_index);
}

const struct model *engine_model(const struct engine *e)
{
	return state_model(e->state);
}

const struct ledger_voters *engine_voters(const struct engine *e)
{
	static const struct ledger_voters none;

	return e->ledger ? ledger_voters(e->ledger) : &none;
}

const char *engine_digest(const struct engine *e, char ret[static 65])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	struct buf json = { 0 }, hex = { 0 };

	state_json(e->state, &json);
	if (EVP_Digest(buf_cstr(&json), json.len, sum, &n, EVP_sha256(), NULL) != 1)
		n = 0;
	buf_hex(&hex, sum, n);
	mem_strcpy(ret, 65, buf_cstr(&hex));
	buf_free(&json);
	buf_free(&hex);
	return ret;
}

static void why_not_current(const struct engine *e, const struct ledger_status *s, struct err *ret)
{
	const char *unsafe = e->parts.order.ops->unsafe(e->parts.order.order);

	if (s->role == LEDGER_FAILED)
		err_set(ret, -EIO, "this node's disk failed: the agent acknowledges nothing any more; see its log, then restart it");
	else if (!e->loaded)
		err_set(ret, -EAGAIN, "the ledger is still being read from disk");
	else if (!e->ledger || e->away[0])
		err_set(ret, -EAGAIN, "%s on this node: see that it runs", e->away[0] ? e->away : "corosync has no group yet");
	else if (unsafe)
		err_set(ret, -EAGAIN, "corosync's quorum cannot be trusted: %s", unsafe);
	else if (s->role == LEDGER_BLANK)
		err_set(ret, -EAGAIN, "this node belongs to no cluster yet: say 'domus cluster init NAME' on one node, "
				      "'domus cluster join' on the others");
	else if (s->role == LEDGER_FOREIGN)
		err_set(ret, -EAGAIN, "the other nodes here belong to another cluster: check corosync.conf, or the state folder");
	else if (s->role == LEDGER_LEARNER)
		err_set(ret, -EAGAIN, "this node has no vote (its store is new, or was set back): say 'domus cluster join' on it");
	else if (!s->open)
		err_set(ret, -EAGAIN, "this node cannot reach the majority: %s", s->why_not_open);
	else
		err_set(ret, -EAGAIN, "this node is still catching up with the others");
}

void engine_status(struct engine *e, struct engine_status *ret)
{
	struct err why = { 0 };

	*ret = (struct engine_status){ .node = e->node, .node_name = e->node_name };
	ret->ledger.why_not_open = "";
	ret->ledger.age_us = -1;
	if (e->ledger)
		ledger_status(e->ledger, env_now(&e->parts.env), &ret->ledger);
	ret->current = engine_current(e);
	if (!ret->current)
		why_not_current(e, &ret->ledger, &why);
	STRCPY(ret->why_not, why.text);
}

void engine_watch(struct engine *e, engine_watch_fn *fn, void *ctx)
{
	e->watch = fn;
	e->watch_ctx = ctx;
}

static int cluster_ready(struct engine *e, struct err *ret_err)
{
	if (e->ledger)
		return 0;
	return err_set(ret_err, -EAGAIN, "corosync does not answer on this node: start it first");
}

int engine_cluster_init(struct engine *e, const char *name, struct err *ret_err)
{
	struct command c = { .kind = CMD_CLUSTER_NAME };
	ledger_effects out = { 0 };
	int rc = cluster_ready(e, ret_err);

	if (rc == 0)
		rc = ledger_init(e->ledger, id_random(&e->parts.env), env_wall(&e->parts.env), &out, ret_err);
	engine_run(e, &out);
	if (rc < 0)
		return rc;
	STRCPY(c.name, name);
	return engine_propose(e, &c, ret_err).node ? 0 : ret_err->code;
}

int engine_cluster_join(struct engine *e, struct err *ret_err)
{
	ledger_effects out = { 0 };
	int rc = cluster_ready(e, ret_err);

	if (rc == 0)
		rc = ledger_join(e->ledger, &out, ret_err);
	engine_run(e, &out);
	return rc;
}

int engine_domain(const struct engine *e, const char *guest, struct domain_info *ret)
{
	return exec_domain(e->exec, guest, ret);
}

int engine_fence_agent(const struct engine *e, const char *agent, struct err *ret_err)
{
	return e->parts.fence.ops->look(e->parts.fence.runner, agent, ret_err);
}

int engine_look(const struct engine *e, const struct pool_conf *conf, storage_done_fn *done, void *ctx, struct err *ret_err)
{
	return storage_look(e->parts.storage, conf, done, ctx, ret_err);
}

void engine_look_cancel(const struct engine *e, const void *ctx)
{
	storage_look_cancel(e->parts.storage, ctx);
}

const char *engine_alarm(const struct engine *e, size_t i)
{
	if (e->not_adopted[0] && i-- == 0)
		return e->not_adopted;
	return e->ledger ? ledger_alarm_standing(e->ledger, i) : NULL;
}
