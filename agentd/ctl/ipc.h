/* SPDX-License-Identifier: Apache-2.0
 * The local API's server: connections over libqb, who may connect, limits, whole texts. */
#ifndef DOMUS_CTL_IPC_H
#define DOMUS_CTL_IPC_H

#include "base/env.h"
#include "base/err.h"
#include "proto/methods.h"

#include <stddef.h>

/* Who is at the other end, by the kernel's word. */
struct peer {
	unsigned int uid;
	char user[64];		/* its name, or its number */
	enum role role;
};

struct ipc;
struct ipc_client;		/* one connection; valid until `gone` has returned */

/* Called from the loop. */
struct ipc_ops {
	/* @text is not terminated. Answered by ipc_reply, now or later, if the client stays. */
	void (*request)(void *ctx, struct ipc_client *client, const struct peer *peer,
			const char *text, size_t len);
	void (*gone)(void *ctx, struct ipc_client *client);
};

/* In this time an honest client has said who it is, on a machine that is very busy too. */
#define IPC_STRANGER_US (5 * US_PER_S)

/*
 * Listens as @service (proto_service_name gives it). -EADDRINUSE: another agent does already.
 * @env must be that of a running base/loop.h.
 *
 * A client that sends what is no message of ours, or does not fetch its replies within 5 s, is
 * disconnected. Root and members of the group `domus` may connect. One that does not say who it
 * is within @stranger_us is disconnected, and earlier when there are many such.
 */
int ipc_new(const struct env *env, const char *service, int64_t stranger_us,
	    const struct ipc_ops *ops, void *ctx, struct ipc **ret_ipc, struct err *ret_err);
void ipc_free(struct ipc *ipc);	/* disconnects all, each `gone`. Accepts NULL */

/* Copies @text and sends it as soon as the client takes it. */
void ipc_reply(struct ipc_client *client, const char *text, size_t len);

#endif
