/* SPDX-License-Identifier: Apache-2.0
 * Requests: parsed within limits, given to their method's handler, answered once. */
#include "dispatch.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct dispatch {
	struct env env;
	const struct dispatch_method *methods;
	size_t n_methods;
	const struct dispatch_ops *ops;
	void *ctx;
	VEC(struct call *) calls; /* under way; each client has at most PROTO_UNDER_WAY */
};

struct dispatch *dispatch_new(const struct env *env, const struct dispatch_method *methods,
			      size_t n, const struct dispatch_ops *ops, void *ctx)
{
	struct dispatch *d = mem_new(struct dispatch);

	*d = (struct dispatch){
		.env = *env, .methods = methods, .n_methods = n, .ops = ops, .ctx = ctx
	};
	return d;
}

static void call_free(struct call *call)
{
	struct dispatch *d = call->dispatch;

	vec_drop(&d->calls, call);
	env_cancel(&d->env, &call->deadline);
	request_clear(&call->request);
	buf_free(&call->out);
	free(call);
}

static void call_abandon(struct call *call)
{
	if (call->abandon)
		call->abandon(call->dispatch->ctx, call);
	call_free(call);
}

void dispatch_gone(struct dispatch *d, struct ipc_client *client)
{
	for (size_t i = d->calls.n; i-- > 0;)
		if (d->calls.v[i]->client == client)
			call_abandon(d->calls.v[i]);
}

void dispatch_free(struct dispatch *d)
{
	if (!d)
		return;
	while (d->calls.n)
		call_abandon(d->calls.v[d->calls.n - 1]);
	vec_free(&d->calls);
	free(d);
}

/* From the newest to the oldest: the one that is answered leaves the list. */
void dispatch_poll(struct dispatch *d)
{
	for (size_t i = d->calls.n; i-- > 0;)
		if (d->calls.v[i]->ready)
			d->calls.v[i]->ready(d->ctx, d->calls.v[i]);
}

/* What all replies begin with. The id is the request's, if it had one that we can repeat. */
static void begin(struct call *call, bool ok)
{
	struct dispatch *d = call->dispatch;
	struct stamp stamp = { 0 };

	d->ops->stamp(d->ctx, &stamp);
	buf_clear(&call->out);
	call->json = jsonw_begin(&call->out);
	jsonw_object(&call->json);
	jsonw_key(&call->json, "id");
	if (call->request.has_id)
		jsonw_i64(&call->json, call->request.id);
	else
		jsonw_null(&call->json);
	jsonw_kv_bool(&call->json, "ok", ok);
	jsonw_kv_u64(&call->json, "index", stamp.index);
	jsonw_kv_u64(&call->json, "term", stamp.term);
	jsonw_kv_i64(&call->json, "age_ms", stamp.age_ms);
	jsonw_kv_bool(&call->json, "current", stamp.current);
	jsonw_kv_i64(&call->json, "now_us", env_wall(&d->env).us);
}

static void send_and_free(struct call *call)
{
	struct dispatch *d = call->dispatch;

	jsonw_object_end(&call->json);
	d->ops->reply(d->ctx, call->client, buf_cstr(&call->out), call->out.len);
	call_free(call);
}

struct jsonw *call_result(struct call *call)
{
	begin(call, true);
	jsonw_key(&call->json, "result");
	return &call->json;
}

void call_answer(struct call *call)
{
	if (call->out.len >= PROTO_REPLY_MAX)
		call_fail(call, REPLY_FAILED, "the answer would be too long");
	else
		send_and_free(call);
}

static void fail(struct call *call, enum reply_code code, const char *text)
{
	begin(call, false);
	jsonw_kv_str(&call->json, "code", reply_code_text(code));
	jsonw_kv_str(&call->json, "error", text);
	if (code == REPLY_UNKNOWN && call->order[0])
		jsonw_kv_str(&call->json, "request", call->order);
	send_and_free(call);
}

void call_fail(struct call *call, enum reply_code code, const char *fmt, ...)
{
	char text[2 * ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail(call, code, text);
}

void call_fail_err(struct call *call, const struct err *err)
{
	fail(call, reply_code_of_errno(err->code), err->text);
}

void *call_ctx(const struct call *call)
{
	return call->dispatch->ctx;
}

static void deadline_passed(void *ctx)
{
	struct call *call = ctx;

	call->late(call->dispatch->ctx, call);
}

void call_wait(struct call *call, int64_t ms, void (*late)(void *ctx, struct call *call))
{
	call->late = late;
	env_timer(&call->dispatch->env, &call->deadline, ms * US_PER_MS, deadline_passed, call);
}

static size_t under_way(const struct dispatch *d, const struct ipc_client *client)
{
	size_t n = 0;

	for (size_t i = 0; i < d->calls.n; i++)
		n += d->calls.v[i]->client == client;
	return n;
}

/* Checks what can be checked without the handler: the method, the caller's role and share. */
static const struct dispatch_method *check(struct dispatch *d, struct call *call,
					   struct err *ret_err)
{
	enum method method = call->request.method;

	if (under_way(d, call->client) >= PROTO_UNDER_WAY) {
		err_set(ret_err, -EBUSY, "%d requests of this connection are not yet answered",
			PROTO_UNDER_WAY);
		return NULL;
	}
	if (call->peer.role < method_role(method)) {
		err_set(ret_err, -EACCES, "%s: permission denied", method_text(method));
		return NULL;
	}
	for (size_t i = 0; i < d->n_methods; i++)
		if (d->methods[i].method == method)
			return &d->methods[i];
	err_set(ret_err, -EBADMSG, "%s: not known here", method_text(method));
	return NULL;
}

void dispatch_request(struct dispatch *d, struct ipc_client *client, const struct peer *peer,
		      const char *text, size_t len)
{
	struct call *call = mem_new(struct call);
	const struct dispatch_method *m = NULL;
	struct err err = { 0 };
	int r;

	*call = (struct call){ .dispatch = d, .client = client, .peer = *peer };
	r = request_parse(text, len, &call->request, &err);
	if (r == 0)
		m = check(d, call, &err);
	if (m && params_decode(m->params, call->request.params, &call->params, &err) < 0) {
		err_prefix(&err, method_text(m->method));
		m = NULL;
	}
	if (!m) {
		call_fail_err(call, &err);
		return;
	}
	vec_push(&d->calls, call);
	m->handle(d->ctx, call);
}
