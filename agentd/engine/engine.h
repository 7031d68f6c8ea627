/* SPDX-License-Identifier: Apache-2.0
 * The engine: one node's agent without its surroundings. It wires order, ledger, model, policy and executor. */
#ifndef DOMUS_ENGINE_ENGINE_H
#define DOMUS_ENGINE_ENGINE_H

#include "base/env.h"
#include "base/err.h"
#include "cluster/ledger.h"
#include "cluster/log_store.h"
#include "cluster/order.h"
#include "fence/device.h"
#include "hypervisor/driver.h"
#include "policy/ha.h"
#include "policy/model.h"
#include "storage/storage.h"

#include <stdbool.h>
#include <stdint.h>

struct engine_conf {
	struct id incarnation;		/* of this life of the node */
	uint64_t memory_mib;		/* for guests on this node */
	uint32_t cpus;
	struct ha_conf ha;
	uint64_t log_entries;		/* as in struct ledger_conf; 0: the usual */
};

/* The surroundings: real ones in domus-agentd, simulated ones in tests. All outlive the engine. */
struct engine_parts {
	struct env env;
	struct order order;
	struct store store;
	struct storage *storage;
	struct driver driver;
	struct fence_runner fence;
	/* For people; called from the loop. May be NULL. @priority as in base/log.h. */
	void (*log)(void *ctx, int priority, const char *text);
	void *log_ctx;
};

struct engine;

/* How it goes with coming up. */
struct engine_news {
	/* The store is read: connect to the order now, not before, or an agent that cannot start would disturb the group. */
	void (*ready)(void *ctx);
	/* The agent cannot go on: a store that cannot be read, a node id that changed. */
	void (*failed)(void *ctx, const struct err *err);
	/* An entry is being applied; what came in a snapshot is not told. For those who watch: may be NULL. */
	void (*applied)(void *ctx, const struct ledger_entry *entry);
};

/*
 * Made first, so that the surroundings can be given it as the context of their upcalls; which are accepted from
 * engine_start on. That reads the store and looks for running guests.
 */
struct engine *engine_new(const struct engine_conf *conf);
void engine_start(struct engine *e, const struct engine_parts *parts, const struct engine_news *news, void *ctx);
void engine_free(struct engine *e);

/* The engine's ear for its surroundings: give these to whoever makes the order and the driver. ctx is the engine. */
extern const struct order_events engine_order_events;
extern const struct driver_events engine_driver_events;

/* What has been agreed and applied here. Valid until the next turn of the loop. */
const struct model *engine_model(const struct engine *e);
/* 64 hex digits and the zero: SHA-256 of the model's canonical JSON, at engine_model()->index. */
const char *engine_digest(const struct engine *e, char ret[static 65]);

struct engine_status {
	struct ledger_status ledger;
	uint32_t node;			/* this one; 0 while not known */
	const char *node_name;		/* never NULL */
	bool current;			/* quorate, open and caught up: what is shown is the cluster's, not just ours */
	char why_not[ERR_TEXT_MAX];	/* one sentence for people; "" when current */
};
void engine_status(struct engine *e, struct engine_status *ret);

/*
 * Proposes a command for somebody. @done comes once, when it was applied: @err as from model_apply, @index where; or with -ENODATA
 * when it came in a snapshot that does not say what became of it. -EAGAIN with a
 * sentence when this node is in a minority or has not caught up: nothing was proposed then. If the
 * caller leaves, engine_abandon: the outcome is then unknown to it, and can be asked for by @ret_id.
 */
typedef void engine_done_fn(void *ctx, const struct err *err, uint64_t index);
int engine_submit(struct engine *e, const struct command *c, engine_done_fn *done, void *ctx, struct command_id *ret_id, struct err *ret_err);
void engine_abandon(struct engine *e, void *ctx);

/* What became of a command: 1 applied (with @ret_err and @ret_index), 0 not seen (yet), -ENOENT too old to tell. */
int engine_outcome(const struct engine *e, const struct command_id *id, struct err *ret_err, uint64_t *ret_index);

/* Called after every turn in which the model, the ledger's status or a migration's progress has changed. */
typedef void engine_watch_fn(void *ctx);
void engine_watch(struct engine *e, engine_watch_fn *fn, void *ctx);	/* one watcher; NULL ends it */

int engine_cluster_init(struct engine *e, const char *name, struct err *ret_err);
int engine_cluster_join(struct engine *e, struct err *ret_err);

/* What runs on this node: the domain of a guest, or -ENOENT. For console paths and migration progress. */
int engine_domain(const struct engine *e, const char *guest, struct domain_info *ret);

/* Whether this node can run a fence agent: 0, or a negative errno with a sentence that says what is missing. */
int engine_fence_agent(const struct engine *e, const char *agent, struct err *ret_err);

/* Whether this node sees the place of a pool that is to be made: storage_look and storage_look_cancel of its storage. */
int engine_look(const struct engine *e, const struct pool_conf *conf, storage_done_fn *done, void *ctx, struct err *ret_err);
void engine_look_cancel(const struct engine *e, const void *ctx);

/* The voters in force; empty while there is no cluster. */
const struct ledger_voters *engine_voters(const struct engine *e);

/* Why the store's tail, the disk or a neighbour worries us: a line each, @i from 0 on; NULL: no more. */
const char *engine_alarm(const struct engine *e, size_t i);

#endif
