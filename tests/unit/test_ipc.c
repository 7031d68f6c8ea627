/* SPDX-License-Identifier: Apache-2.0
 * The local API over real libqb: a server in a process of its own, with the real dispatcher and
 * methods of our own making; well-behaved, greedy, vanishing and hostile clients. */
#include "kit/kit.h"

#include "base/loop.h"
#include "base/mem.h"
#include "client/client.h"
#include "ctl/dispatch.h"
#include "ctl/ipc.h"

#include <fcntl.h>
#include <poll.h>
#include <qb/qbipcc.h>
#include <qb/qblog.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_TEXT (300 * 1024) /* several messages */

struct server {
	struct dispatch *dispatch;
	uint64_t abandoned, complaints;
};

static void handle_status(void *ctx, struct call *call)
{
	struct server *s = ctx;
	struct jsonw *j = call_result(call);

	jsonw_object(j);
	jsonw_kv_u64(j, "abandoned", s->abandoned);
	jsonw_kv_u64(j, "complaints", s->complaints);
	jsonw_kv_str(j, "user", call->peer.user);
	jsonw_object_end(j);
	call_answer(call);
}

static void handle_long(void *ctx, struct call *call)
{
	char *text = mem_alloc0(LONG_TEXT + 1);

	(void)ctx;
	memset(text, 'x', LONG_TEXT);
	jsonw_str(call_result(call), text);
	call_answer(call);
	free(text);
}

static void waiting_abandoned(void *ctx, struct call *call)
{
	struct server *s = ctx;

	(void)call;
	s->abandoned++;
}

static void waiting_late(void *ctx, struct call *call)
{
	(void)ctx;
	call->abandon = NULL;
	jsonw_str(call_result(call), "late");
	call_answer(call);
}

static void handle_wait(void *ctx, struct call *call)
{
	(void)ctx;
	call->abandon = waiting_abandoned;
	call_wait(call, (int64_t)call->params.timeout_ms, waiting_late);
}

static const struct dispatch_method methods[] = {
	{ METHOD_STATUS, { { 0 } }, handle_status },
	{ METHOD_EVENTS, { { 0 } }, handle_long },
	{ METHOD_EVENTS_WAIT,
	  { { "timeout_ms", PARAM_NUMBER, PARAM_(timeout_ms), true, 1, 60000 } },
	  handle_wait },
};

static void stamp(void *ctx, struct stamp *ret)
{
	(void)ctx;
	*ret = (struct stamp){ .index = 7, .term = 2, .age_ms = 10, .current = true };
}

static void reply(void *ctx, struct ipc_client *client, const char *text, size_t len)
{
	(void)ctx;
	ipc_reply(client, text, len);
}

static void on_request(void *ctx, struct ipc_client *client, const struct peer *peer,
		       const char *text, size_t len)
{
	struct server *s = ctx;

	dispatch_request(s->dispatch, client, peer, text, len);
}

static void on_gone(void *ctx, struct ipc_client *client)
{
	struct server *s = ctx;

	dispatch_gone(s->dispatch, client);
}

static void quit(void *ctx)
{
	loop_quit(ctx);
}

/* What libqb would write into the log. */
static void complained(int32_t target, struct qb_log_callsite *site, struct timespec *when,
		       const char *text)
{
	struct server *s = qb_log_target_user_data_get(target);

	(void)site;
	(void)when;
	s->complaints += strstr(text, "Could not accept") != NULL;
}

static void hear_complaints(struct server *s)
{
	int32_t target;

	qb_log_init("test", LOG_USER, LOG_ERR);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
	target = qb_log_custom_open(complained, NULL, NULL, s);
	qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_ERR);
	qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
}

/* How a server differs from the agent's. */
struct setting {
	int64_t stranger_us;
	unsigned int more_fds; /* so many can it open; 0: no limit of ours */
};

/* Counted from the lowest free one, since the runner may have left some open. */
static void limit_fds(unsigned int more)
{
	struct rlimit limit;
	int lowest;

	if (more == 0)
		return;
	lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (lowest < 0)
		_exit(6);
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)lowest + more;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void serve(const char *service, const struct setting *setting, int ready)
{
	static const struct dispatch_ops dispatch_ops = { .stamp = stamp, .reply = reply };
	static const struct ipc_ops ipc_ops = { .request = on_request, .gone = on_gone };
	struct loop *loop = loop_new();
	struct env env = loop_env(loop);
	struct server s = { 0 };
	struct ipc *ipc;
	struct err err;
	int fds;

	hear_complaints(&s);
	loop_signal(loop, SIGTERM, quit, loop);
	s.dispatch = dispatch_new(&env, methods, ARRAY_SIZE(methods), &dispatch_ops, &s);
	fds = open_fds();
	if (ipc_new(&env, service, setting->stranger_us, &ipc_ops, &s, &ipc, &err) < 0)
		_exit(2);
	/* Two agents cannot answer under one name. */
	if (ipc_new(&env, service, setting->stranger_us, &ipc_ops, &s, &ipc, &err) != -EADDRINUSE)
		_exit(3);
	limit_fds(setting->more_fds);
	if (write(ready, "", 1) != 1)
		_exit(4);
	loop_run(loop);
	ipc_free(ipc);
	if (open_fds() != fds)
		_exit(5);
	dispatch_free(s.dispatch);
	loop_free(loop);
	qb_log_fini();
	_exit(0);
}

struct fixture {
	char suffix[PROTO_SUFFIX_MAX], service[PROTO_SERVICE_SIZE];
	pid_t pid;
};

static int setup_with(void **state, const struct setting *setting)
{
	struct fixture *f = mem_new(struct fixture);
	int ready[2];
	char byte;

	snprintf(f->suffix, sizeof(f->suffix), "test-%d", (int)getpid());
	proto_service_name(f->suffix, f->service);
	*state = f;
	if (pipe(ready) < 0)
		return -1;
	f->pid = fork();
	if (f->pid == 0) {
		close(ready[0]);
		serve(f->service, setting, ready[1]);
	}
	close(ready[1]);
	/* End of file: it could not listen. */
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	close(ready[0]);
	return 0;
}

static int setup(void **state)
{
	static const struct setting as_the_agent = { .stranger_us = IPC_STRANGER_US };

	return setup_with(state, &as_the_agent);
}

static int setup_impatient(void **state)
{
	static const struct setting impatient = { .stranger_us = 20 * US_PER_MS };

	return setup_with(state, &impatient);
}

/* Room for the strangers that it may keep and for some clients, not for thousands. */
static int setup_few_fds(void **state)
{
	static const struct setting few = { .stranger_us = 600 * US_PER_S, .more_fds = 100 };

	return setup_with(state, &few);
}

/* Not even room for the strangers that it may keep. */
static int setup_no_fds(void **state)
{
	static const struct setting none = { .stranger_us = US_PER_S, .more_fds = 24 };

	return setup_with(state, &none);
}

/* It ends in order and says so: whatever the test did has not broken it. */
static int teardown(void **state)
{
	struct fixture *f = *state;
	int status = -1;

	kill(f->pid, SIGTERM);
	waitpid(f->pid, &status, 0);
	free(f);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static struct client connected(const struct fixture *f)
{
	struct client c;
	struct err err = { 0 };

	if (client_connect(f->suffix, &c, &err) != REPLY_OK)
		fail_msg("connect: %s", err.text);
	return c;
}

/* The reply's text; the caller frees it. */
static char *ask(struct client *c, const char *request)
{
	struct buf text = { 0 };
	struct err err = { 0 };

	if (c->ops->exchange(c->ctx, request, strlen(request), 5000, &text, &err) < 0)
		fail_msg("asking %.60s: %s", request, err.text);
	return buf_take(&text);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%.300s\"", part, text);
}

static void assert_answers(struct client *c, const char *request, const char *part)
{
	char *text = ask(c, request);

	assert_has(text, part);
	free(text);
}

static void assert_alive(const struct fixture *f)
{
	struct client c = connected(f);

	assert_answers(&c, "{\"id\":1,\"method\":\"status\"}", "\"ok\":true");
	client_close(&c);
}

static void test_answers(void **state)
{
	struct client c = connected(*state);
	struct reply r;

	assert_answers(
		&c, "{\"id\":41,\"method\":\"status\",\"params\":{}}",
		"{\"id\":41,\"ok\":true,\"index\":7,\"term\":2,\"age_ms\":10,\"current\":true,");
	assert_answers(&c, "{\"id\":42,\"method\":\"status\"}", "\"user\":\"root\"");
	assert_int_equal(client_call(&c, METHOD_STATUS, NULL, &r), REPLY_OK);
	assert_true(r.stamped && r.current);
	assert_int_equal(r.index, 7);
	reply_clear(&r);
	assert_int_equal(client_call(&c, METHOD_GUEST_LIST, NULL, &r), REPLY_BAD_REQUEST);
	assert_string_equal(r.error, "guest.list: not known here");
	reply_clear(&r);
	client_close(&c);
}

/* An answer longer than a message comes whole, and the next one is not disturbed. */
static void test_long_answer(void **state)
{
	struct client c = connected(*state);
	char *text = ask(&c, "{\"id\":1,\"method\":\"events\"}");

	assert_true(strlen(text) > LONG_TEXT);
	assert_string_equal(text + strlen(text) - 4, "xx\"}");
	free(text);
	assert_answers(&c, "{\"id\":2,\"method\":\"status\"}", "{\"id\":2,");
	client_close(&c);
}

static void test_answer_later(void **state)
{
	struct client c = connected(*state);

	assert_answers(&c, "{\"id\":1,\"method\":\"events.wait\",\"params\":{\"timeout_ms\":20}}",
		       "\"result\":\"late\"");
	client_close(&c);
}

static void test_malformed_texts(void **state)
{
	static const char *const texts[][2] = {
		{ "nonsense", "not JSON" },
		{ "{\"id\":1,\"method\":\"status\"", "not JSON" },
		{ "[]", "not a JSON object" },
		{ "{\"id\":1}", "unknown method" },
		{ "{\"id\":1,\"method\":7}", "unknown method" },
		{ "{\"id\":1,\"id\":2,\"method\":\"status\"}", "duplicate" },
		{ "{\"id\":1,\"method\":\"status\",\"params\":[]}", "must be an object" },
		{ "{\"id\":1,\"method\":\"status\",\"params\":{\"x\":1}}",
		  "unknown parameter \\\"x\\\"" },
		{ "{\"id\":1,\"method\":\"events.wait\"}", "\\\"timeout_ms\\\" is missing" },
		{ "{\"id\":1,\"method\":\"\\u0000\"}", "not JSON" },
		{ "{\"id\":1,\"method\":\"\xff\xfe\"}", "not JSON" },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper than 16" },
		{ "{\"id\":\"a\",\"method\":\"status\"}", "{\"id\":null,\"ok\":true" },
		{ "{\"id\":99999999999999999999,\"method\":\"status\"}", "not JSON" },
	};
	struct client c = connected(*state);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_answers(&c, texts[i][0], texts[i][1]);
	client_close(&c);
	assert_alive(*state);
}

/* A message whose header lies about its size, or that is none: the connection ends, no more. */
static void test_lying_headers(void **state)
{
	static const int32_t sizes[] = {
		0, 1, 4, 16, -1, INT32_MIN, INT32_MAX, 1 << 20, 131072 + 17
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct {
			struct qb_ipc_request_header head;
			char text[64];
		} message = { .text = "{\"id\":1,\"method\":\"status\"}" };
		qb_ipcc_connection_t *c = qb_ipcc_connect(f->service, PROTO_REQUEST_MAX);

		assert_non_null(c);
		message.head.size = sizes[i];
		qb_ipcc_send(c, &message, sizeof(message));
		assert_alive(f);
		qb_ipcc_disconnect(c);
	}
}

/* The longest datagram that a client can send, with a header that admits it. */
static void test_long_request(void **state)
{
	const size_t size = 200000;
	struct fixture *f = *state;
	struct qb_ipc_request_header *message = mem_alloc0(size);
	qb_ipcc_connection_t *c = qb_ipcc_connect(f->service, size);

	assert_non_null(c);
	message->size = (int32_t)size;
	memset(message + 1, ' ', size - sizeof(*message));
	qb_ipcc_send(c, message, size);
	assert_alive(f);
	qb_ipcc_disconnect(c);
	free(message);
}

static void send_text(qb_ipcc_connection_t *c, const char *text)
{
	struct qb_ipc_request_header head = { 0 };
	struct iovec iov[] = { { &head, sizeof(head) }, { (char *)text, strlen(text) } };
	int64_t tries = 0;
	ssize_t n;

	head.size = (int32_t)(sizeof(head) + strlen(text));
	do
		n = qb_ipcc_sendv(c, iov, 2);
	while (n == -EAGAIN && tries++ < 1000000);
	assert_true(n > 0);
}

static void receive_text(qb_ipcc_connection_t *c, char *ret, size_t size)
{
	ssize_t n = qb_ipcc_recv(c, ret, size - 1, 5000);

	assert_true(n > (ssize_t)sizeof(struct qb_ipc_response_header));
	ret[n] = '\0';
	memmove(ret, ret + sizeof(struct qb_ipc_response_header),
		(size_t)n - sizeof(struct qb_ipc_response_header) + 1);
}

#define WAIT_LONG "{\"id\":1,\"method\":\"events.wait\",\"params\":{\"timeout_ms\":60000}}"

/* One more than may wait is refused; the others wait on, and are abandoned with their client. */
static void test_too_many_under_way(void **state)
{
	struct fixture *f = *state;
	qb_ipcc_connection_t *c = qb_ipcc_connect(f->service, PROTO_REQUEST_MAX);
	_cleanup_(mem_freep) char *text = mem_alloc0(PROTO_REQUEST_MAX);
	struct client other;
	char expected[64];
	bool seen = false;
	time_t until = time(NULL) + 10;

	assert_non_null(c);
	for (int i = 0; i <= PROTO_UNDER_WAY; i++)
		send_text(c, WAIT_LONG);
	receive_text(c, text, PROTO_REQUEST_MAX);
	assert_has(text, "\"code\":\"busy\"");
	qb_ipcc_disconnect(c);

	snprintf(expected, sizeof(expected), "\"abandoned\":%d,", PROTO_UNDER_WAY);
	other = connected(f);
	while (!seen && time(NULL) < until) {
		char *status = ask(&other, "{\"id\":1,\"method\":\"status\"}");

		seen = strstr(status, expected) != NULL;
		free(status);
	}
	assert_true(seen);
	client_close(&other);
}

/* A client that asks as fast as it can is slowed down by refusals, and others are answered. */
static void test_rate(void **state)
{
	struct fixture *f = *state;
	struct client c = connected(f);
	bool refused = false;

	for (int i = 0; i < 20 * PROTO_RATE_PER_S && !refused; i++) {
		char *text = ask(&c, "{\"id\":1,\"method\":\"status\"}");

		refused = strstr(text, "too many requests") != NULL;
		free(text);
	}
	assert_true(refused);
	assert_alive(f);
	client_close(&c);
}

/* A client that asks for more and more and fetches nothing is let go; the agent keeps its memory. */
static void test_never_fetches(void **state)
{
	struct fixture *f = *state;
	qb_ipcc_connection_t *c = qb_ipcc_connect(f->service, PROTO_REQUEST_MAX);
	struct qb_ipc_request_header head = { 0 };
	const char *text = "{\"id\":1,\"method\":\"events\"}";
	struct iovec iov[] = { { &head, sizeof(head) }, { (char *)text, strlen(text) } };
	time_t until = time(NULL) + 20;

	assert_non_null(c);
	head.size = (int32_t)(sizeof(head) + strlen(text));
	while (qb_ipcc_is_connected(c) && time(NULL) < until)
		qb_ipcc_sendv(c, iov, 2);
	assert_false(qb_ipcc_is_connected(c));
	assert_alive(f);
	qb_ipcc_disconnect(c);
}

static void test_too_many_connections(void **state)
{
	struct fixture *f = *state;
	struct client clients[PROTO_CONNECTIONS], one;
	struct err err = { 0 };

	for (int i = 0; i < PROTO_CONNECTIONS; i++)
		clients[i] = connected(f);
	assert_int_equal(client_connect(f->suffix, &one, &err), REPLY_BUSY);
	assert_has(err.text, "too many connections");
	for (int i = 0; i < PROTO_CONNECTIONS; i++)
		client_close(&clients[i]);
}

/* Run as a user who is neither root nor in the group. */
static void test_stranger(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (getuid() != 0) {
		print_message("needs root, to become somebody else\n");
		skip();
	}
	pid = fork();
	if (pid == 0) {
		struct client c;
		struct err err = { 0 };

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(9);
		_exit(client_connect(f->suffix, &c, &err) == REPLY_DENIED &&
				      strstr(err.text, "become root or join the group domus")
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Somebody who connects and says nothing. */
static int silent(const struct fixture *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* libqb's name is abstract, and fills the address. */
	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "%s", f->service);
	assert_true(s >= 0);
	assert_int_equal(connect(s, (struct sockaddr *)&a, sizeof(a)), 0);
	return s;
}

static bool is_dropped(int s, int timeout_ms)
{
	struct pollfd p = { .fd = s, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLHUP);
}

/* Who does not say who he is is dropped after a time, and not before it. */
static void test_silent_stranger(void **state)
{
	int s = silent(*state);

	assert_true(is_dropped(s, 10000));
	close(s);
	assert_alive(*state);
}

static void test_patience(void **state)
{
	int s = silent(*state);

	assert_alive(*state); /* so it has been accepted */
	assert_false(is_dropped(s, 0));
	close(s);
	assert_alive(*state);
}

/* An agent that ends with strangers at its door closes their connections too. */
static void test_ends_with_strangers(void **state)
{
	struct fixture *f = *state;
	int s = silent(f);
	siginfo_t end;

	assert_alive(f);
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	/* Before its process ends it looks whether it has closed all itself. */
	assert_int_equal(waitid(P_PID, (id_t)f->pid, &end, WEXITED | WNOWAIT), 0);
	assert_int_equal(end.si_status, 0);
	close(s);
}

#define CROWD 3000

/* A crowd of strangers, each of whom would be kept for ten minutes, keeps nobody else out. */
static void test_crowd_of_strangers(void **state)
{
	struct fixture *f = *state;
	_cleanup_(mem_freep) int *crowd = mem_resize(NULL, CROWD, sizeof(*crowd));
	struct rlimit before, limit;
	int kept = 0;

	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < CROWD + 100) {
		print_message("needs %d descriptors\n", CROWD);
		skip();
	}
	for (int i = 0; i < CROWD; i++)
		crowd[i] = silent(f);
	assert_alive(f);
	for (int i = 0; i < CROWD; i++) {
		kept += !is_dropped(crowd[i], 0);
		close(crowd[i]);
	}
	assert_in_range(kept, 1, 64);
	setrlimit(RLIMIT_NOFILE, &before);
}

/*
 * When no descriptor is left, those who are in are served, the log is not flooded, and newcomers get
 * in as soon as there is room. A loop that tried again at each of its turns would complain at least
 * once with each request.
 */
static void test_no_descriptors(void **state)
{
	enum { STRANGERS = 40, REQUESTS = 200 };
	struct fixture *f = *state;
	struct client c = connected(f);
	int strangers[STRANGERS], complaints;
	char *text;

	for (int i = 0; i < STRANGERS; i++)
		strangers[i] = silent(f);
	for (int i = 0; i < REQUESTS; i++)
		assert_answers(&c, "{\"id\":1,\"method\":\"status\"}", "\"ok\":true");
	text = ask(&c, "{\"id\":1,\"method\":\"status\"}");
	assert_non_null(strstr(text, "\"complaints\":"));
	complaints = atoi(strstr(text, "\"complaints\":") + strlen("\"complaints\":"));
	free(text);
	assert_in_range(complaints, 1, REQUESTS / 10);
	client_close(&c);
	assert_alive(f);
	for (int i = 0; i < STRANGERS; i++)
		close(strangers[i]);
}

static void test_nobody_listens(void **state)
{
	struct client c;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(client_connect("nobody-is-here", &c, &err), REPLY_NO_AGENT);
	assert_has(err.text, "is domus-agentd running");
	assert_int_equal(client_connect("a/b", &c, &err), REPLY_BAD_REQUEST);
}

/* The agent's end in the middle of a wait is told, at once. */
static void test_agent_ends(void **state)
{
	struct fixture *f = *state;
	struct client c = connected(f);
	struct buf text = { 0 };
	struct err err = { 0 };
	pid_t killer = fork();
	int status;

	if (killer == 0) {
		struct timespec ts = { 0, 100 * 1000 * 1000 }; /* so that the wait has begun */

		nanosleep(&ts, NULL);
		_exit(kill(f->pid, SIGTERM) == 0 ? 0 : 1);
	}
	assert_int_equal(c.ops->exchange(c.ctx, WAIT_LONG, strlen(WAIT_LONG), 20000, &text, &err),
			 -ENOTCONN);
	assert_has(err.text, "has ended");
	buf_free(&text);
	waitpid(killer, &status, 0);
	client_close(&c);
}

int main(void)
{
#define WITH(set_up, test) cmocka_unit_test_setup_teardown(test, set_up, teardown)
#define WITH_SERVER(test)  WITH(setup, test)
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_answers),
		WITH_SERVER(test_long_answer),
		WITH_SERVER(test_answer_later),
		WITH_SERVER(test_malformed_texts),
		WITH_SERVER(test_lying_headers),
		WITH_SERVER(test_long_request),
		WITH_SERVER(test_too_many_under_way),
		WITH_SERVER(test_rate),
		WITH_SERVER(test_never_fetches),
		WITH_SERVER(test_too_many_connections),
		WITH_SERVER(test_stranger),
		WITH(setup_impatient, test_silent_stranger),
		WITH_SERVER(test_patience),
		WITH_SERVER(test_ends_with_strangers),
		WITH(setup_few_fds, test_crowd_of_strangers),
		WITH(setup_no_fds, test_no_descriptors),
		cmocka_unit_test(test_nobody_listens),
		WITH_SERVER(test_agent_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
