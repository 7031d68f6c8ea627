/* SPDX-License-Identifier: Apache-2.0
 * One node's executor: carries out the operations that the model orders from this life of this node, and reports.
 *
 * It is driven by the model alone: whatever an operation needs is found there, and what runs here without the model's
 * leave is ended. So a restarted agent goes on where the one before stopped. */
#ifndef DOMUS_EXEC_EXEC_H
#define DOMUS_EXEC_EXEC_H

#include "base/env.h"
#include "base/err.h"
#include "fence/device.h"
#include "hypervisor/driver.h"
#include "policy/command.h"
#include "storage/storage.h"

#include <stdbool.h>

/* Upcalls. From the loop, or from inside exec_sync. */
struct exec_events {
	/* @c is to be proposed until it is applied. Not kept. */
	void (*report)(void *ctx, const struct command *c);
	/* The gate at this very instant (rule G5): may something be started, continued or resumed here now? */
	bool (*may_run)(void *ctx);
	/* What the cluster takes the time to be: deadlines in the model are by it, not by this node's clock. */
	int64_t (*ledger_us)(void *ctx);
	/* This node's address for migration streams. */
	const char *(*address)(void *ctx);
	/* Something has moved on: call exec_sync soon, and tell who watches. */
	void (*moved)(void *ctx);
	void (*log)(void *ctx, int priority, const char *text);
};

struct exec_conf {
	struct env env;
	struct storage *storage;
	struct driver driver;
	struct fence_runner fence;
	const struct model *model;	/* the applied one; changes only between calls */
	struct id incarnation;
	const struct exec_events *events;
	void *ctx;
};

struct exec;

struct exec *exec_new(const struct exec_conf *conf);
void exec_free(struct exec *x);		/* running guests go on */

/* Once, first: looks for what an earlier agent left running. */
void exec_adopt(struct exec *x);

/*
 * Does what the model orders now. Called after changes of the model, and only while it is current (open, caught up, quorate).
 * @node: this one.
 */
void exec_sync(struct exec *x, uint32_t node);

/* The gate has closed: what must not go on without it (fence agents) is ended, and begun anew if it is still ordered later. */
void exec_gate_closed(struct exec *x);

/* For the driver's events. */
void exec_domain_event(struct exec *x, struct domain *d, enum domain_event event, const char *why);
void exec_domain_found(struct exec *x, struct domain *d);
void exec_domains_adopted(struct exec *x);

/* The domain of a guest on this node, or -ENOENT. */
int exec_domain(const struct exec *x, const char *guest, struct domain_info *ret);

#endif
