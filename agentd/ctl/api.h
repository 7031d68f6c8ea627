/* SPDX-License-Identifier: Apache-2.0
 * The methods of the local API, bound to an engine. Their reference stands in proto/methods.h. */
#ifndef DOMUS_CTL_API_H
#define DOMUS_CTL_API_H

#include "base/env.h"
#include "engine/engine.h"

#include "ipc.h"

typedef void api_reply_fn(void *ctx, struct ipc_client *client, const char *text, size_t len);

/*
 * @engine outlives it and has no other watcher. Replies go to @reply, one for each request whose
 * client is still there.
 */
struct api;
struct api *api_new(const struct env *env, struct engine *engine, api_reply_fn *reply, void *ctx);
void api_free(struct api *api);	/* abandons waiting requests, unanswered. Accepts NULL */

void api_request(struct api *api, struct ipc_client *client, const struct peer *peer,
		 const char *text, size_t len);
void api_gone(struct api *api, struct ipc_client *client);

#endif
