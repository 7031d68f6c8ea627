/* SPDX-License-Identifier: Apache-2.0
 * What the files of the API's methods share; for api*.c only. */
#ifndef DOMUS_CTL_API_PRIV_H
#define DOMUS_CTL_API_PRIV_H

#include "api.h"
#include "dispatch.h"
#include "policy/command.h"

struct api {
	struct env env;
	struct engine *engine;
	struct dispatch *dispatch;
	api_reply_fn *reply;
	void *reply_ctx;
};

/* Orders @c for the caller of @call and answers when it is applied, or unknown after 30 s. */
void api_order(struct api *api, struct call *call, struct command *c);
/* An order that names nothing but call's guest, its kind and what the caller has set in @c. */
struct command api_command(struct api *api, const struct call *call, enum command_kind kind);

/* NULL: it has been answered that there is no such record. */
const struct guest *api_guest(struct api *api, struct call *call);
const struct node *api_node(struct api *api, struct call *call);

/* Of a reason with time and index, as an object. */
void api_reason_json(struct jsonw *j, const struct reason *r);
/* A node's name, or null for 0. */
void api_node_json(struct jsonw *j, const char *key, const struct model *m, uint32_t node);
void api_id_json(struct jsonw *j, const char *key, const struct id *id);

/* The lists that `status` has in it too. */
void api_nodes_json(struct api *api, struct jsonw *j);
void api_guests_json(struct api *api, struct jsonw *j);

/* Writes and reads the text by which an order can be asked for. parse: 0 or -EINVAL. */
void api_order_text(const struct command_id *id, char *ret, size_t size);
int api_order_parse(const char *text, struct command_id *ret_id);

/* The handlers (ctx is struct api). */
void api_status(void *ctx, struct call *call);
void api_cluster_init(void *ctx, struct call *call);
void api_cluster_join(void *ctx, struct call *call);
void api_node_list(void *ctx, struct call *call);
void api_node_show(void *ctx, struct call *call);
void api_node_drain(void *ctx, struct call *call);
void api_node_activate(void *ctx, struct call *call);
void api_node_fence(void *ctx, struct call *call);
void api_node_confirm_off(void *ctx, struct call *call);
void api_fence_set(void *ctx, struct call *call);
void api_fence_list(void *ctx, struct call *call);
void api_pool_create(void *ctx, struct call *call);
void api_pool_delete(void *ctx, struct call *call);
void api_pool_list(void *ctx, struct call *call);
void api_volume_create(void *ctx, struct call *call);
void api_volume_delete(void *ctx, struct call *call);
void api_volume_list(void *ctx, struct call *call);
void api_guest_define(void *ctx, struct call *call);
void api_guest_undefine(void *ctx, struct call *call);
void api_guest_list(void *ctx, struct call *call);
void api_guest_show(void *ctx, struct call *call);
void api_guest_start(void *ctx, struct call *call);
void api_guest_stop(void *ctx, struct call *call);
void api_guest_pause(void *ctx, struct call *call);
void api_guest_resume(void *ctx, struct call *call);
void api_guest_migrate(void *ctx, struct call *call);
void api_guest_console(void *ctx, struct call *call);
void api_why(void *ctx, struct call *call);
void api_events(void *ctx, struct call *call);
void api_events_wait(void *ctx, struct call *call);
void api_request_outcome(void *ctx, struct call *call);

#endif
