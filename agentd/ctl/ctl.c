/* SPDX-License-Identifier: Apache-2.0
 * The local API put together: connections on one side, methods on the other. */
#include "ctl.h"

#include "api.h"
#include "base/mem.h"
#include "ipc.h"

#include <stdlib.h>

struct ctl {
	struct ipc *ipc;
	struct api *api;
};

static void on_request(void *ctx, struct ipc_client *client, const struct peer *peer,
		       const char *text, size_t len)
{
	struct ctl *ctl = ctx;

	api_request(ctl->api, client, peer, text, len);
}

static void on_gone(void *ctx, struct ipc_client *client)
{
	struct ctl *ctl = ctx;

	api_gone(ctl->api, client);
}

static void on_reply(void *ctx, struct ipc_client *client, const char *text, size_t len)
{
	(void)ctx;
	ipc_reply(client, text, len);
}

int ctl_new(const struct env *env, struct engine *engine, const char *suffix, struct ctl **ret_ctl,
	    struct err *ret_err)
{
	static const struct ipc_ops ops = { .request = on_request, .gone = on_gone };
	char service[PROTO_SERVICE_SIZE];
	struct ctl *ctl;
	int r;

	if (proto_service_name(suffix, service) < 0)
		return err_set(ret_err, -EINVAL,
			       "socket suffix: up to %d letters, digits, '.', '_' and '-'",
			       PROTO_SUFFIX_MAX);
	ctl = mem_new(struct ctl);
	ctl->api = api_new(env, engine, on_reply, ctl);
	r = ipc_new(env, service, IPC_STRANGER_US, &ops, ctl, &ctl->ipc, ret_err);
	if (r < 0) {
		ctl_free(ctl);
		return r;
	}
	*ret_ctl = ctl;
	return 0;
}

void ctl_free(struct ctl *ctl)
{
	if (!ctl)
		return;
	ipc_free(ctl->ipc);
	api_free(ctl->api);
	free(ctl);
}
