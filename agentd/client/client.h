/* SPDX-License-Identifier: Apache-2.0
 * The other end of the local API: one question at a time, answered or explained. Blocks: for
 * programs without a loop. */
#ifndef DOMUS_CLIENT_CLIENT_H
#define DOMUS_CLIENT_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/methods.h"

#include <stdbool.h>
#include <stdint.h>

struct json_t;		/* jansson's */

/* How texts get to an agent and back. libqb in the product, canned answers in tests. */
struct client_ops {
	/*
	 * Sends a request and appends the whole reply to it to @ret_reply. -ETIMEDOUT when none has
	 * come after @timeout_ms, -ENOTCONN when the agent has gone.
	 */
	int (*exchange)(void *ctx, const char *request, size_t len, int timeout_ms,
			struct buf *ret_reply, struct err *ret_err);
	void (*close)(void *ctx);
};

struct client {
	const struct client_ops *ops;
	void *ctx;
	int64_t last_id;	/* of the last request */
};

/*
 * Connects to the agent of this host (or network namespace). @suffix: NULL, or which one of
 * several. REPLY_NO_AGENT or REPLY_DENIED with a sentence that says what to do.
 */
enum reply_code client_connect(const char *suffix, struct client *ret, struct err *ret_err);
void client_close(struct client *c);

/* Texts in it are the cluster's and may hold anything but zeros. */
struct reply {
	enum reply_code code;
	char error[512];		/* one line, unless REPLY_OK */
	char request[96];		/* what to ask again with, or "" */
	bool stamped;			/* the agent answered: what follows is known */
	bool current;
	uint64_t index, term;
	int64_t age_ms, now_us;
	struct json_t *root, *result;	/* result: borrowed from root; NULL unless REPLY_OK */
};

/*
 * Asks @method with @params (taken over; NULL: none) and waits for the answer, for events.wait as
 * long as it may take. Returns @ret's code. reply_clear it in any case.
 */
enum reply_code client_call(struct client *c, enum method method, struct json_t *params,
			    struct reply *ret);
void reply_clear(struct reply *r);

#endif
