/* SPDX-License-Identifier: Apache-2.0
 * From a request's text to a method's handler, and back to a reply, now or later. Knows nothing
 * of what the methods do. */
#ifndef DOMUS_CTL_DISPATCH_H
#define DOMUS_CTL_DISPATCH_H

#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "ipc.h"
#include "params.h"
#include "proto/methods.h"
#include "request.h"

struct dispatch;

/*
 * A request under way. It ends, and is freed, with call_answer or call_fail, or when its client
 * has gone: then @abandon is called, if set, and no reply is sent.
 */
struct call {
	struct dispatch *dispatch;	/* private, as are the next three */
	struct ipc_client *client;
	struct buf out;
	struct jsonw json;
	struct request request;
	struct peer peer;
	struct params params;
	char order[96];			/* the id to ask again with, once something was ordered */

	/* While it waits; set by its handler. */
	void (*abandon)(void *ctx, struct call *call);
	bool (*ready)(void *ctx, struct call *call);	/* on dispatch_poll: answers, or false */
	void (*late)(void *ctx, struct call *call);	/* its time is up: answers */
	struct env_timer *deadline;
	uint64_t seen[2];		/* whatever its `ready` compares with */
};

struct dispatch_method {
	enum method method;
	struct param params[8];		/* a row without a name ends them */
	/* Answers now, or sets @ready or @abandon and call_wait and answers later. */
	void (*handle)(void *ctx, struct call *call);
};

/* What each reply carries of the node's knowledge. */
struct stamp {
	uint64_t index, term;
	int64_t age_ms;			/* -1: never */
	bool current;
};

struct dispatch_ops {
	void (*stamp)(void *ctx, struct stamp *ret);
	void (*reply)(void *ctx, struct ipc_client *client, const char *text, size_t len);
};

/* @methods, @ops, @ctx outlive it; @ctx is what the handlers get. */
struct dispatch *dispatch_new(const struct env *env, const struct dispatch_method *methods,
			      size_t n, const struct dispatch_ops *ops, void *ctx);
void dispatch_free(struct dispatch *d);		/* abandons all calls. Accepts NULL */

/* Hostile until checked. Every request gets exactly one reply unless its client goes first. */
void dispatch_request(struct dispatch *d, struct ipc_client *client, const struct peer *peer,
		      const char *text, size_t len);
void dispatch_gone(struct dispatch *d, struct ipc_client *client);
/* Something may have changed that calls wait for. */
void dispatch_poll(struct dispatch *d);

/* Writes the result's one value by the returned writer, then call_answer. */
struct jsonw *call_result(struct call *call);
void call_answer(struct call *call);
void call_fail(struct call *call, enum reply_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void call_fail_err(struct call *call, const struct err *err);
/* What its handler was called with, for what comes back with the call alone. */
void *call_ctx(const struct call *call);
/* Goes on later; @late is called unless it is answered within @ms. */
void call_wait(struct call *call, int64_t ms, void (*late)(void *ctx, struct call *call));

#endif
