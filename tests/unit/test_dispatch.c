/* SPDX-License-Identifier: Apache-2.0
 * The API's methods over an engine of our own: every method's parameters, what becomes of orders,
 * what is shown and what never is. */
#include "fake_engine.h"
#include "kit/kit.h"

#include "base/mem.h"
#include "ctl/api.h"
#include "proto/methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct venv *venv;
	struct engine engine;
	struct api *api;
	struct peer peer;
	struct buf reply;
	int replies;
};

/* Any address: the API only compares it. */
#define CLIENT(f) ((struct ipc_client *)&(f)->peer)

static void on_reply(void *ctx, struct ipc_client *client, const char *text, size_t len)
{
	struct fixture *f = ctx;

	assert_ptr_equal(client, CLIENT(f));
	buf_clear(&f->reply);
	buf_add(&f->reply, text, len);
	f->replies++;
}

static struct guest *add_guest(struct model *m, const char *name, uint32_t node)
{
	struct guest *g = mem_new(struct guest);
	struct reason r = { .index = 10, .time_us = 5000000, .text = "ordered by root on n1" };
	struct guest_volume v = { .pool = "default" };

	STRCPY(g->name, name);
	STRCPY(v.name, name);
	g->uuid.b[0] = (uint8_t)name[0];
	g->spec = mem_strdup("{\"name\":\"x\"}");
	g->memory_mib = 128;
	g->vcpus = 1;
	g->owner.node = node;
	g->state = node ? GUEST_RUNNING : GUEST_STOPPED;
	g->desired = node ? DESIRED_RUNNING : DESIRED_STOPPED;
	vec_push(&g->reasons, r);
	vec_push(&g->volumes, v);
	map_put(m->guests, name, g);
	return g;
}

static void add_node(struct model *m, uint32_t id, const char *name)
{
	struct node *n = mem_new(struct node);
	struct fence_conf_param p = { .key = "password", .value = "hunter2" };

	n->id = id;
	STRCPY(n->name, name);
	STRCPY(n->fence_agent, "fence_lab");
	n->incarnation.b[0] = (uint8_t)id;
	n->memory_mib = 1024;
	vec_push(&n->fence_params, p);
	map_put_u64(m->nodes, id, n);
}

static void add_volume(struct model *m, const char *key, const char *name)
{
	struct volume *v = mem_new(struct volume);

	STRCPY(v->pool, "default");
	STRCPY(v->name, name);
	v->size = 1 << 20;
	v->state = VOLUME_READY;
	map_put(m->volumes, key, v);
}

static void add_event(struct model *m, const char *subject, const char *text)
{
	struct event ev = { .seq = ++m->next_event, .index = 10, .time_us = 5000000 };

	STRCPY(ev.subject, subject);
	STRCPY(ev.text, text);
	vec_push(&m->events, ev);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	struct env env;

	f->venv = venv_new(1);
	env = venv_env(f->venv);
	f->engine.model = model_new();
	f->engine.model->index = 10;
	f->engine.model->term = 2;
	f->engine.model->next_event = 0;
	f->engine.voters =
		(struct ledger_voters){ .v = { { .node = 1, .votes = 1, .name = "n1" } }, .n = 1 };
	f->engine.status = (struct engine_status){ .ledger = { .role = LEDGER_VOTER,
							       .open = true,
							       .quorate = true,
							       .term = 2,
							       .leader = 1,
							       .age_us = 150000,
							       .applied = 10,
							       .committed = 10 },
						   .node = 1,
						   .node_name = "n1",
						   .current = true,
						   .why_not = "" };
	add_node(f->engine.model, 1, "n1");
	add_node(f->engine.model, 2, "n2");
	f->peer = (struct peer){ .uid = 0, .user = "root", .role = ROLE_OPERATE };
	f->api = api_new(&env, &f->engine, on_reply, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	api_free(f->api);
	command_free(&f->engine.submitted);
	model_free(f->engine.model);
	venv_free(f->venv);
	buf_free(&f->reply);
	free(f);
	return 0;
}

static void send(struct fixture *f, const char *text)
{
	buf_clear(&f->reply);
	api_request(f->api, CLIENT(f), &f->peer, text, strlen(text));
}

/* A request of @method with @params (JSON). */
static void request(struct fixture *f, const char *method, const char *params)
{
	char text[4096];

	snprintf(text, sizeof(text), "{\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
	send(f, text);
}

static void assert_reply(struct fixture *f, const char *part)
{
	if (!strstr(buf_cstr(&f->reply), part))
		fail_msg("\"%s\" is not in \"%s\"", part, buf_cstr(&f->reply));
}

static void assert_refused(struct fixture *f, enum reply_code code, const char *part)
{
	char text[64];

	snprintf(text, sizeof(text), "\"ok\":false");
	assert_reply(f, text);
	snprintf(text, sizeof(text), "\"code\":\"%s\"", reply_code_text(code));
	assert_reply(f, text);
	assert_reply(f, part);
}

/* The order under way ends so. */
static void order_ends(struct fixture *f, int code, const char *text, uint64_t index)
{
	struct err err = { 0 };

	assert_non_null(f->engine.done);
	if (code)
		err_set(&err, code, "%s", text);
	f->engine.done(f->engine.done_ctx, &err, index);
	f->engine.done = NULL;
	f->engine.done_ctx = NULL;
}

/* The place that is looked at is fine, or not. */
static void look_ends(struct fixture *f, int code, const char *text)
{
	storage_done_fn *done = f->engine.looked;
	struct err err = { 0 };

	assert_non_null(done);
	if (code)
		err_set(&err, code, "%s", text);
	f->engine.looked = NULL;
	done(f->engine.look_ctx, &err);
}

static void run_ms(struct fixture *f, int64_t ms)
{
	struct env env = venv_env(f->venv);

	venv_run(f->venv, mono_add(env_now(&env), ms * US_PER_MS));
}

/* Each order, from its parameters to the command that the engine gets. */
static void test_orders(void **state)
{
	static const struct {
		const char *method, *params;
		enum command_kind kind;
		const char *name;
		uint32_t node;
	} orders[] = {
		{ "node.drain", "{\"node\":\"n2\"}", CMD_NODE_DRAIN, "", 2 },
		{ "node.activate", "{\"node\":\"n2\"}", CMD_NODE_ACTIVATE, "", 2 },
		{ "node.fence", "{\"node\":\"n2\"}", CMD_NODE_FENCE, "", 2 },
		{ "node.confirm-off", "{\"node\":\"n2\"}", CMD_NODE_CONFIRM_OFF, "", 2 },
		{ "fence.set", "{\"node\":\"n1\",\"agent\":\"fence_x\",\"params\":{\"a\":\"b\"}}",
		  CMD_NODE_FENCE_SET, "fence_x", 1 },
		{ "pool.create", "{\"name\":\"p\",\"path\":\"/srv\"}", CMD_POOL_DEFINE, "p", 0 },
		{ "pool.delete", "{\"name\":\"p\"}", CMD_POOL_DELETE, "p", 0 },
		{ "volume.create", "{\"name\":\"v\",\"size\":4096}", CMD_VOLUME_CREATE, "v", 0 },
		{ "volume.delete", "{\"pool\":\"p\",\"name\":\"v\"}", CMD_VOLUME_DELETE, "v", 0 },
		{ "guest.undefine", "{\"name\":\"web1\"}", CMD_GUEST_UNDEFINE, "web1", 0 },
		{ "guest.start", "{\"name\":\"web1\",\"on\":\"n2\"}", CMD_GUEST_WANT, "web1", 2 },
		{ "guest.stop", "{\"name\":\"web1\",\"now\":true}", CMD_GUEST_WANT, "web1", 0 },
		{ "guest.pause", "{\"name\":\"web1\"}", CMD_GUEST_WANT, "web1", 0 },
		{ "guest.resume", "{\"name\":\"web1\"}", CMD_GUEST_WANT, "web1", 0 },
		{ "guest.migrate", "{\"name\":\"web1\",\"to\":\"n2\"}", CMD_GUEST_MIGRATE, "web1",
		  2 },
		{ "guest.define", "{\"spec\":{\"name\":\"db1\",\"memory_mib\":64,\"vcpus\":1}}",
		  CMD_GUEST_DEFINE, "db1", 0 },
	};
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 1);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		request(f, orders[i].method, orders[i].params);
		if (f->engine.looked)
			look_ends(f, 0, NULL);
		if (f->engine.n_submitted != (int)i + 1)
			fail_msg("%s: %s", orders[i].method, buf_cstr(&f->reply));
		assert_int_equal(f->engine.submitted.kind, orders[i].kind);
		assert_string_equal(f->engine.submitted.name, orders[i].name);
		assert_int_equal(f->engine.submitted.node, orders[i].node);
		assert_string_equal(f->engine.submitted.reason, "ordered by root on n1");
		assert_string_equal(buf_cstr(&f->reply), "");
		order_ends(f, 0, NULL, 20 + i);
		assert_reply(f, "\"ok\":true");
	}
	assert_int_equal(f->replies, (int)ARRAY_SIZE(orders));
}

static void test_details_of_orders(void **state)
{
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 1);
	request(f, "guest.stop", "{\"name\":\"web1\",\"now\":true}");
	assert_int_equal(f->engine.submitted.desired, DESIRED_STOPPED);
	assert_true(f->engine.submitted.stop_now);
	request(f, "guest.start", "{\"name\":\"web1\"}");
	assert_int_equal(f->engine.submitted.desired, DESIRED_RUNNING);
	assert_false(f->engine.submitted.stop_now);
	request(f, "volume.create", "{\"name\":\"v\",\"size\":8192}");
	assert_string_equal(f->engine.submitted.pool, "default");
	assert_int_equal(f->engine.submitted.size, 8192);
	request(f, "pool.create", "{\"name\":\"p\",\"path\":\"/srv/p\"}");
	look_ends(f, 0, NULL);
	assert_string_equal(f->engine.submitted.detail, "dir");
	assert_string_equal(f->engine.submitted.text, "/srv/p");
	request(f, "node.confirm-off", "{\"node\":\"n2\"}");
	assert_int_equal(f->engine.submitted.incarnation.b[0], 2);
	assert_string_equal(f->engine.submitted.text, "root");
}

/*
 * A pool's place is looked at before it is ordered: one that is not there is refused. A folder that
 * hangs is not waited for for ever, nor one whose client has gone.
 */
static void test_pool_is_looked_at(void **state)
{
	static const char params[] = "{\"name\":\"p\",\"path\":\"/nonexist\"}";
	struct fixture *f = *state;

	request(f, "pool.create", params);
	assert_string_equal(f->engine.look.path, "/nonexist");
	assert_string_equal(f->engine.look.backend, "dir");
	look_ends(f, -ENODEV, "list /nonexist: the folder is not there: create it");
	assert_refused(f, REPLY_REFUSED, "pool p: list /nonexist: the folder is not there");
	request(f, "pool.create", params);
	run_ms(f, PROTO_ORDER_MS);
	assert_refused(f, REPLY_FAILED, "pool p: /nonexist does not answer after 30 s");
	assert_int_equal(f->engine.n_look_cancelled, 1);
	request(f, "pool.create", params);
	api_gone(f->api, CLIENT(f));
	assert_int_equal(f->engine.n_look_cancelled, 2);
	request(f, "pool.create", "{\"name\":\"p\",\"path\":\"/a/../b\"}");
	assert_refused(f, REPLY_REFUSED, "without ..");
	assert_int_equal(f->engine.n_submitted, 0);
}

/* What each method does not take is refused before anything is ordered. */
static void test_bad_params(void **state)
{
	static const char *const bad[][3] = {
		{ "guest.start", "{}", "\\\"name\\\" is missing" },
		{ "guest.start", "{\"name\":\"web1\",\"of\":\"n2\"}", "it takes name, on" },
		{ "guest.start", "{\"name\":7}", "must be a name" },
		{ "guest.start", "{\"name\":\"../etc\"}", "must be a name" },
		{ "guest.start", "{\"name\":\"\"}", "must be a name" },
		{ "guest.start", "{\"name\":\"a\\u001b[2J\"}", "must be a name" },
		{ "guest.stop", "{\"name\":\"web1\",\"now\":1}", "true or false" },
		{ "volume.create", "{\"name\":\"v\",\"size\":0}", "a whole number from 1" },
		{ "volume.create", "{\"name\":\"v\",\"size\":-1}", "a whole number from 1" },
		{ "volume.create", "{\"name\":\"v\",\"size\":4096.5}", "a whole number from 1" },
		{ "volume.create", "{\"name\":\"v\",\"size\":4097}", "multiple of 4096" },
		{ "pool.create", "{\"name\":\"p\",\"path\":\"srv\"}", "must be absolute" },
		{ "pool.create", "{\"name\":\"p\",\"path\":\"/a\\nb\"}", "must be one line" },
		{ "pool.create", "{\"name\":\"p\",\"path\":\"/a\",\"backend\":\"lvm\"}",
		  "must be" },
		{ "fence.set", "{\"node\":\"n1\",\"agent\":\"a\",\"params\":{\"k\":1}}",
		  "text of one line" },
		{ "fence.set", "{\"node\":\"n1\",\"agent\":\"a\",\"params\":{\"k\":\"a\\nb\"}}",
		  "one line" },
		{ "fence.set", "{\"node\":\"n1\",\"agent\":\"a\",\"params\":{\"\":\"b\"}}",
		  "no parameter" },
		{ "guest.define", "{\"spec\":7}", "an object, or its text" },
		{ "guest.define", "{\"spec\":{\"name\":\"x\",\"wheels\":4}}", "wheels" },
		{ "guest.define", "{\"spec\":\"{\"}", "\"code\"" },
		{ "events", "{\"max\":100000}", "from 1 to 200" },
		{ "events.wait", "{\"after\":0,\"timeout_ms\":9999999}", "from 1 to 60000" },
		{ "request", "{\"id\":\"what\"}", "not an id" },
		{ "request", "{\"id\":\"1:ab000000-0000-0000-0000-000000000000:-77\"}",
		  "not an id" },
		{ "request", "{\"id\":\"1:ab000000-0000-0000-0000-000000000000:77x\"}",
		  "not an id" },
	};
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		request(f, bad[i][0], bad[i][1]);
		assert_refused(f, REPLY_BAD_REQUEST, bad[i][2]);
	}
	assert_int_equal(f->engine.n_submitted, 0);
}

static void test_not_found(void **state)
{
	static const char *const missing[][2] = {
		{ "guest.start", "{\"name\":\"nope\"}" },
		{ "guest.show", "{\"name\":\"nope\"}" },
		{ "why", "{\"guest\":\"nope\"}" },
		{ "guest.console", "{\"name\":\"nope\"}" },
		{ "node.show", "{\"node\":\"nope\"}" },
		{ "node.fence", "{\"node\":\"nope\"}" },
		{ "guest.migrate", "{\"name\":\"web1\",\"to\":\"nope\"}" },
	};
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 1);
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		request(f, missing[i][0], missing[i][1]);
		assert_refused(f, REPLY_NOT_FOUND, "nope: no such");
	}
	assert_int_equal(f->engine.n_submitted, 0);
}

/* Whoever may only read is told so, and nothing is ordered. */
static void test_role(void **state)
{
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 1);
	f->peer.role = ROLE_READ;
	request(f, "guest.stop", "{\"name\":\"web1\"}");
	assert_refused(f, REPLY_DENIED, "permission denied");
	request(f, "guest.list", "{}");
	assert_reply(f, "\"ok\":true");
	assert_int_equal(f->engine.n_submitted, 0);
}

/* The engine's refusals, at once and after the order was applied, keep their kind and sentence. */
static void test_refusals(void **state)
{
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 1);
	f->engine.refuse = -EAGAIN;
	request(f, "guest.start", "{\"name\":\"web1\"}");
	assert_refused(f, REPLY_NOT_QUORATE, "cannot reach the majority");
	f->engine.refuse = 0;
	request(f, "guest.start", "{\"name\":\"web1\"}");
	order_ends(f, -ENOSPC, "web1 fits on no node", 0);
	assert_refused(f, REPLY_REFUSED, "web1 fits on no node");
}

/* After 30 s the outcome is unknown; the id that is told can be asked for. */
static void test_order_without_answer(void **state)
{
	struct fixture *f = *state;
	const char id[] = "1:ab000000-0000-0000-0000-000000000000:77";
	char params[128];

	add_guest(f->engine.model, "web1", 1);
	request(f, "guest.start", "{\"name\":\"web1\"}");
	run_ms(f, PROTO_ORDER_MS - 1);
	assert_int_equal(f->replies, 0);
	run_ms(f, 1);
	assert_int_equal(f->replies, 1);
	assert_refused(f, REPLY_UNKNOWN, "ask again with: domus request ");
	assert_reply(f, id);
	assert_int_equal(f->engine.n_abandoned, 1);

	snprintf(params, sizeof(params), "{\"id\":\"%s\"}", id);
	request(f, "request", params);
	assert_reply(f, "\"outcome\":\"not-seen\"");
	f->engine.outcome = 1;
	request(f, "request", params);
	assert_reply(f, "\"index\":12,\"outcome\":\"applied\"");
	err_set(&f->engine.outcome_err, -EEXIST, "it is there already");
	request(f, "request", params);
	assert_refused(f, REPLY_EXISTS, "it is there already");
	request(f, "request", "{\"id\":\"9:ab000000-0000-0000-0000-000000000000:77\"}");
	assert_refused(f, REPLY_NOT_FOUND, "too old");
}

/* A client that goes takes its waiting requests with it; the others' go on. */
static void test_client_gone(void **state)
{
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 1);
	request(f, "guest.start", "{\"name\":\"web1\"}");
	request(f, "events.wait", "{\"after\":0}");
	api_gone(f->api, (struct ipc_client *)f);
	assert_int_equal(f->engine.n_abandoned, 0);
	api_gone(f->api, CLIENT(f));
	assert_int_equal(f->engine.n_abandoned, 1);
	run_ms(f, 120000);
	assert_int_equal(f->replies, 0);
}

static void test_too_many_under_way(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < PROTO_UNDER_WAY; i++)
		request(f, "events.wait", "{\"after\":0}");
	assert_int_equal(f->replies, 0);
	request(f, "status", "{}");
	assert_refused(f, REPLY_BUSY, "not yet answered");
	/* All of them wait for the same event. */
	add_event(f->engine.model, "web1", "started");
	f->engine.watch(f->engine.watch_ctx);
	assert_int_equal(f->replies, PROTO_UNDER_WAY + 1);
	request(f, "status", "{}");
	assert_reply(f, "\"ok\":true");
}

static void test_events(void **state)
{
	struct fixture *f = *state;

	add_event(f->engine.model, "web1", "one");
	add_event(f->engine.model, "web1", "two");
	add_event(f->engine.model, "n1", "three");
	request(f, "events", "{}");
	assert_reply(f, "one");
	assert_reply(f, "\"last\":3");
	request(f, "events", "{\"after\":1,\"max\":1}");
	assert_reply(f, "\"seq\":2");
	assert_reply(f, "\"last\":2");
	assert_null(strstr(buf_cstr(&f->reply), "three"));
	request(f, "events", "{\"max\":1}");
	assert_reply(f, "three");
	request(f, "events", "{\"after\":3}");
	assert_reply(f, "\"events\":[],\"last\":3");
}

/* A wait ends with an event, a newer index, another status, or its time. */
static void test_events_wait(void **state)
{
	struct fixture *f = *state;

	add_event(f->engine.model, "web1", "one");
	request(f, "events.wait", "{\"after\":0}");
	assert_reply(f, "one");
	request(f, "events.wait", "{\"after\":1,\"timeout_ms\":500}");
	f->engine.watch(f->engine.watch_ctx);
	assert_string_equal(buf_cstr(&f->reply), "");
	run_ms(f, 500);
	assert_reply(f, "\"events\":[]");

	request(f, "events.wait", "{\"after\":1,\"index\":10}");
	assert_string_equal(buf_cstr(&f->reply), "");
	f->engine.model->index = 11;
	f->engine.watch(f->engine.watch_ctx);
	assert_reply(f, "\"index\":11");

	request(f, "events.wait", "{\"after\":1}");
	f->engine.status.current = false;
	f->engine.watch(f->engine.watch_ctx);
	assert_reply(f, "\"current\":false");
}

/* init and join answer when this node is a voter and current, or say what lacks. */
static void test_init(void **state)
{
	struct fixture *f = *state;

	f->engine.status.current = false;
	STRCPY(f->engine.status.why_not, "waiting for the others");
	request(f, "cluster.init", "{\"name\":\"lab\"}");
	f->engine.watch(f->engine.watch_ctx);
	assert_int_equal(f->replies, 0);
	f->engine.status.current = true;
	f->engine.watch(f->engine.watch_ctx);
	assert_int_equal(f->replies, 0);		/* its name is not applied yet */
	STRCPY(f->engine.model->cluster, "lab");
	f->engine.watch(f->engine.watch_ctx);
	assert_reply(f, "\"node\":\"n1\"");
	f->engine.init_result = -EEXIST;
	request(f, "cluster.init", "{\"name\":\"lab\"}");
	assert_refused(f, REPLY_EXISTS, "a cluster is here already");

	f->engine.init_result = 0;
	f->engine.status.ledger.role = LEDGER_LEARNER;
	request(f, "cluster.join", "{}");
	run_ms(f, PROTO_ORDER_MS);
	assert_refused(f, REPLY_UNKNOWN, "waiting for the others");
}

/* Nothing that shows nodes or devices ever tells a device's secret. */
static void test_no_secrets(void **state)
{
	static const char *const methods[] = { "status", "node.list", "fence.list", "events" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		request(f, methods[i], "{}");
		assert_reply(f, "\"ok\":true");
		assert_null(strstr(buf_cstr(&f->reply), "hunter2"));
	}
	request(f, "node.show", "{\"node\":\"n1\"}");
	assert_reply(f, "\"fence_agent\":\"fence_lab\"");
	assert_null(strstr(buf_cstr(&f->reply), "hunter2"));
	request(f, "fence.list", "{}");
	assert_reply(f, "\"params\":[\"password\"]");
}

/*
 * A fence agent that this node cannot run is refused when it is set, not found missing when a node
 * is lost; a node that lacks what was set elsewhere says so in its status, but not about itself.
 */
static void test_fence_agent_missing(void **state)
{
	struct fixture *f = *state;

	request(f, "fence.set", "{\"node\":\"n1\",\"agent\":\"fence_nosuch\"}");
	assert_refused(f, REPLY_REFUSED, "fence set n1: /usr/sbin/fence_nosuch: no such");
	assert_int_equal(f->engine.n_submitted, 0);
	request(f, "fence.set", "{\"node\":\"n1\",\"agent\":\"\"}");
	assert_int_equal(f->engine.n_submitted, 1);
	STRCPY(model_node(f->engine.model, 1)->fence_agent, "fence_nosuch");
	request(f, "status", "{}");
	assert_reply(f, "\"alarms\":[]");
	STRCPY(model_node(f->engine.model, 2)->fence_agent, "fence_nosuch");
	request(f, "status", "{}");
	assert_reply(f, "\"alarms\":[\"n1 cannot fence n2: /usr/sbin/fence_nosuch: ");
}

static void test_console(void **state)
{
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 2);
	add_guest(f->engine.model, "db1", 0);
	request(f, "guest.console", "{\"name\":\"web1\"}");
	assert_reply(f, "{\"here\":false,\"node\":\"n2\",\"path\":null}");
	request(f, "guest.console", "{\"name\":\"db1\"}");
	assert_refused(f, REPLY_REFUSED, "db1 is stopped");
	f->engine.has_domain = true;
	STRCPY(f->engine.domain.name, "web1");
	STRCPY(f->engine.domain.serial, "/run/x");
	request(f, "guest.console", "{\"name\":\"web1\"}");
	assert_reply(f, "{\"here\":true,\"node\":\"n2\",\"path\":\"/run/x\"}");
}

/* "Resume" of a guest that is stopped is not a start. */
static void test_resume_is_no_start(void **state)
{
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 0);
	request(f, "guest.resume", "{\"name\":\"web1\"}");
	assert_refused(f, REPLY_REFUSED, "web1 is stopped, not paused");
	assert_int_equal(f->engine.n_submitted, 0);
}

/* A guest keeps its uuid, and no two guests have the same. */
static void test_uuid(void **state)
{
	struct fixture *f = *state;

	add_guest(f->engine.model, "web1", 0);
	request(f, "guest.define",
		"{\"spec\":{\"name\":\"web1\",\"memory_mib\":64,\"vcpus\":1,"
		"\"uuid\":\"00000000-0000-0000-0000-000000000001\"}}");
	assert_refused(f, REPLY_REFUSED, "cannot be changed");
	request(f, "guest.define",
		"{\"spec\":{\"name\":\"web2\",\"memory_mib\":64,\"vcpus\":1,"
		"\"uuid\":\"77000000-0000-0000-0000-000000000000\"}}");
	assert_refused(f, REPLY_EXISTS, "that of web1");
	assert_int_equal(f->engine.n_submitted, 0);
	request(f, "guest.define", "{\"spec\":{\"name\":\"web1\",\"memory_mib\":64,\"vcpus\":1}}");
	assert_int_equal(f->engine.n_submitted, 1);
}

/*
 * A node that says nothing any more is an alarm at all others, which nobody has to be told of. At
 * itself the reason, where it is known, says it better.
 */
static void test_silent_node(void **state)
{
	struct fixture *f = *state;
	struct engine_status *s = &f->engine.status;

	request(f, "status", "{}");
	assert_reply(f, "\"alarms\":[],");
	s->ledger.silent[s->ledger.n_silent++] = 2;
	request(f, "status", "{}");
	assert_reply(f, "\"alarms\":[\"n2 is silent: its agent or its disk hangs: "
			"see its log\"],");
	s->node = 2;
	f->engine.alarm = "no space left";
	request(f, "status", "{}");
	assert_reply(f, "\"alarms\":[\"no space left\"],");
}

/* Everything that shows, whole: the shapes that clients rely on. */
static void test_shown(void **state)
{
	static const char *const requests[][2] = {
		{ "status", "{}" },
		{ "node.list", "{}" },
		{ "guest.list", "{}" },
		{ "volume.list", "{}" },
		{ "fence.list", "{}" },
		{ "pool.list", "{}" },
		{ "guest.show", "{\"name\":\"web1\"}" },
		{ "guest.show", "{\"name\":\"db1\"}" },
		{ "why", "{\"guest\":\"web1\"}" },
	};
	_cleanup_(buf_free) struct buf all = { 0 };
	struct fixture *f = *state;
	struct guest *g = add_guest(f->engine.model, "web1", 1);

	g->state = GUEST_MIGRATING;
	g->move = (struct move){ .phase = MOVE_SENDING, .target.node = 2, .began_us = 4000000 };
	add_guest(f->engine.model, "db1", 2)->last_move = (struct last_move){
		.from = 1, .to = 2, .downtime_ms = 31, .total_ms = 840, .index = 9,
		.time_us = 4500000
	};
	f->engine.has_domain = true;
	f->engine.domain = (struct domain_info){ .name = "web1",
						 .state = DOMAIN_SENDING,
						 .pid = 99,
						 .sent_bytes = 50,
						 .total_bytes = 200,
						 .remaining_bytes = 150 };
	add_volume(f->engine.model, "default/web1", "web1");
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		request(f, requests[i][0], requests[i][1]);
		buf_printf(&all, "%s %s\n%s\n\n", requests[i][0], requests[i][1],
			   buf_cstr(&f->reply));
	}
	kit_golden("api_shown.txt", buf_cstr(&all));
}

int main(void)
{
#define WITH_API(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_API(test_orders),
		WITH_API(test_details_of_orders),
		WITH_API(test_pool_is_looked_at),
		WITH_API(test_bad_params),
		WITH_API(test_not_found),
		WITH_API(test_role),
		WITH_API(test_refusals),
		WITH_API(test_order_without_answer),
		WITH_API(test_client_gone),
		WITH_API(test_too_many_under_way),
		WITH_API(test_events),
		WITH_API(test_events_wait),
		WITH_API(test_init),
		WITH_API(test_no_secrets),
		WITH_API(test_fence_agent_missing),
		WITH_API(test_console),
		WITH_API(test_resume_is_no_start),
		WITH_API(test_uuid),
		WITH_API(test_silent_node),
		WITH_API(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
