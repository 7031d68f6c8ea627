/* SPDX-License-Identifier: Apache-2.0
 * QMP's words: lines cut anywhere come out whole and in order; a hostile QEMU ends its connection
 * and nothing else; a connection answers every command exactly once. */
#include "kit/kit.h"

#include "base/loop.h"
#include "base/mem.h"
#include "hypervisor/qmp.h"
#include "hypervisor/qmp_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LIMIT_S 20

static const char session[] =
	"{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
	"{\"return\": {}, \"id\": 1}\r\n"
	"\r\n"
	"{\"timestamp\": {\"seconds\": 1}, \"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, "
	"\"reason\": \"guest-shutdown\"}}\r\n"
	"{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\\nsuch\"}}\r\n"
	"{\"event\": \"STOP\"}\r\n";

static void expect_session(struct qmp_msg *msg, int i)
{
	switch (i) {
	case 0:
		assert_int_equal(msg->kind, QMP_GREETING);
		break;
	case 1:
		assert_int_equal(msg->kind, QMP_RETURN);
		assert_int_equal(msg->id, 1);
		break;
	case 2:
		assert_int_equal(msg->kind, QMP_EVENT);
		assert_string_equal(msg->event, "SHUTDOWN");
		assert_string_equal(qmp_str(msg->data, "reason"), "guest-shutdown");
		break;
	case 3:
		assert_int_equal(msg->kind, QMP_ERROR);
		assert_int_equal(msg->id, 2);
		assert_string_equal(msg->err.text, "no such");
		break;
	default:
		assert_string_equal(msg->event, "STOP");
		assert_null(msg->data);
	}
}

/* However the bytes are cut. */
static void test_cuts(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < sizeof(session); cut++) {
		struct qmp_reader r = { 0 };
		struct qmp_msg msg;
		int n = 0;

		for (size_t at = 0; at < sizeof(session) - 1; at += cut) {
			size_t left = sizeof(session) - 1 - at;

			assert_int_equal(qmp_feed(&r, session + at, left < cut ? left : cut, NULL),
					 0);
			while (qmp_next(&r, &msg, NULL) > 0) {
				expect_session(&msg, n++);
				qmp_msg_clear(&msg);
			}
		}
		assert_int_equal(n, 5);
		qmp_reader_free(&r);
	}
}

/* Each ends the conversation, and it stays ended. */
static void test_hostile_lines(void **state)
{
	static const char *const lines[] = {
		"hello\n",
		"[]\n",
		"1\n",
		"{}\n",
		"{\"return\":1}}\n",
		"{\"event\":7}\n",
		"{\"event\":\"\"}\n",
		"{\"QMP\":1}\n",
		"{\"return\":1,\"return\":2}\n",
		"{\"event\":\"AVERYLONGNAMEAVERYLONGNAMEAVERYLONGNAMEAVERYLONGNAMEAVERYLONGNAME\"}"
		"\n",
		"{\"return\":\"\xff\"}\n",
		"\x01\x02\n",
		"{\"return\":{\"a\":\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct qmp_reader r = { 0 };
		struct qmp_msg msg;
		struct err err;

		assert_int_equal(qmp_feed(&r, lines[i], strlen(lines[i]), &err), 0);
		if (qmp_next(&r, &msg, &err) != -EPROTO)
			fail_msg("taken: %s", lines[i]);
		assert_int_equal(qmp_next(&r, &msg, &err), -EPROTO);
		assert_int_equal(qmp_feed(&r, "{\"return\":1}\n", 13, &err), -EPROTO);
		qmp_reader_free(&r);
	}
}

/* Odd, and yet harmless: ids of other types are nobody's, errors without a text get one. */
static void test_odd_lines(void **state)
{
	static const char lines[] = "{\"return\":[],\"id\":\"x\"}\n{\"return\":1,\"id\":-5}\n"
				    "{\"error\":7,\"id\":3}\n{\"event\":\"A\",\"data\":[1]}\n";
	struct qmp_reader r = { 0 };
	struct qmp_msg msg;
	int n = 0;

	(void)state;
	qmp_feed(&r, lines, sizeof(lines) - 1, NULL);
	while (qmp_next(&r, &msg, NULL) > 0) {
		if (n < 2)
			assert_int_equal(msg.id, 0);
		if (n == 2)
			assert_true(msg.err.text[0]);
		assert_string_equal(qmp_str(msg.data, "status"), "");
		assert_int_equal(qmp_u64(msg.data, "x"), 0);
		assert_string_equal(qmp_first_str(msg.data, "a", "b"), "");
		assert_null(qmp_object(msg.data, "ram"));
		n++;
		qmp_msg_clear(&msg);
	}
	assert_int_equal(n, 4);
	qmp_reader_free(&r);
}

static int try_line(const char *line, size_t len)
{
	struct qmp_reader r = { 0 };
	struct qmp_msg msg;
	int got;

	qmp_feed(&r, line, len, NULL);
	got = qmp_next(&r, &msg, NULL);
	if (got > 0)
		qmp_msg_clear(&msg);
	qmp_reader_free(&r);
	return got;
}

static int try_depth(int depth)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	buf_str(&b, "{\"return\":");
	for (int i = 1; i < depth; i++)
		buf_char(&b, '[');
	for (int i = 1; i < depth; i++)
		buf_char(&b, ']');
	buf_str(&b, "}\n");
	return try_line(b.data, b.len);
}

/* Depth and length are bounded; brackets in texts are no depth. */
static void test_limits(void **state)
{
	_cleanup_(mem_freep) char *big = mem_alloc0(QMP_LINE_MAX + 64);
	_cleanup_(buf_free) struct buf b = { 0 };

	(void)state;
	assert_int_equal(try_depth(QMP_DEPTH_MAX), 1);
	assert_int_equal(try_depth(QMP_DEPTH_MAX + 1), -EPROTO);
	buf_str(&b, "{\"return\":\"");
	for (int i = 0; i < 100; i++)
		buf_str(&b, "[{\\\"");
	buf_str(&b, "\"}\n");
	assert_int_equal(try_line(b.data, b.len), 1);
	memset(big, '[', QMP_LINE_MAX);
	big[QMP_LINE_MAX - 1] = '\n';
	assert_int_equal(try_line(big, QMP_LINE_MAX), -EPROTO);
	memset(big, ' ', QMP_LINE_MAX + 2);
	assert_int_equal(try_line(big, QMP_LINE_MAX), 0);
	assert_int_equal(try_line(big, QMP_LINE_MAX + 1), -EPROTO);
}

static void test_commands(void **state)
{
	struct buf b = { 0 };

	(void)state;
	qmp_command(&b, 7, "cont", NULL, false);
	qmp_command(&b, 8, "yank", "{\"instances\":[]}", true);
	assert_string_equal(buf_cstr(&b),
			    "{\"execute\":\"cont\",\"arguments\":{},\"id\":7}\n"
			    "{\"exec-oob\":\"yank\",\"arguments\":{\"instances\":[]},\"id\":8}\n");
	buf_free(&b);
}

/* ---- The connection, with this test as QEMU ---- */

struct fixture {
	struct loop *loop;
	char *dir, *path;
	int listener, peer;
	struct qmp_conn *conn;
	unsigned int events, closed, answers;
	int codes[8];
	struct buf heard;
};

static void on_event(void *ctx, const char *event, const struct json_t *data)
{
	struct fixture *f = ctx;

	(void)event;
	(void)data;
	f->events++;
}

static void on_closed(void *ctx, const char *why)
{
	struct fixture *f = ctx;

	assert_true(why[0]);
	f->closed++;
}

static const struct qmp_conn_events conn_events = { on_event, on_closed };

static void on_answer(void *ctx, const struct err *err, const struct json_t *data)
{
	struct fixture *f = ctx;

	(void)data;
	assert_int_equal(f->closed, 0);
	f->codes[f->answers++] = err->code;
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct err err;

	f->loop = loop_new();
	f->dir = kit_mkdir();
	f->path = kit_path(f->dir, "qmp");
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(STRCPY(addr.sun_path, f->path), 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	assert_int_equal(qmp_conn_open(f->loop, f->path, &conn_events, f, &f->conn, &err), 0);
	f->peer = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(f->peer >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	qmp_conn_free(f->conn);
	close(f->listener);
	if (f->peer >= 0)
		close(f->peer);
	loop_free(f->loop);
	buf_free(&f->heard);
	kit_rmdir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static void say(struct fixture *f, const char *text)
{
	assert_int_equal(send(f->peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

struct hope {
	struct fixture *f;
	const char *text;
};

static bool has_heard(void *ctx)
{
	struct hope *h = ctx;
	char chunk[4096];
	ssize_t n = recv(h->f->peer, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n > 0)
		buf_add(&h->f->heard, chunk, (size_t)n);
	return strstr(buf_cstr(&h->f->heard), h->text) != NULL;
}

static void hear(struct fixture *f, const char *text)
{
	struct hope h = { f, text };

	kit_loop_until(f->loop, has_heard, &h, LIMIT_S, text);
}

static bool is_closed(void *ctx)
{
	return ((struct fixture *)ctx)->closed > 0;
}

static bool two_answers(void *ctx)
{
	return ((struct fixture *)ctx)->answers == 2;
}

static void shake_hands(struct fixture *f, unsigned int id)
{
	char answer[64];

	say(f, "{\"QMP\":{}}\r\n");
	hear(f, "qmp_capabilities");
	assert_null(strstr(buf_cstr(&f->heard), "first"));
	snprintf(answer, sizeof(answer), "{\"return\":{},\"id\":%u}\r\n", id);
	say(f, answer);
}

/* What is called before the handshake is over waits for it. */
static void test_talk(void **state)
{
	struct fixture *f = *state;

	qmp_conn_call(f->conn, "first", NULL, on_answer, f);
	qmp_conn_call(f->conn, "second", NULL, on_answer, f);
	shake_hands(f, 3);
	hear(f, "\"second\",\"arguments\":{},\"id\":2}");
	assert_non_null(strstr(buf_cstr(&f->heard), "\"first\",\"arguments\":{},\"id\":1}"));
}

static void answer_ids(struct fixture *f, unsigned int first_id, unsigned int second_id)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	buf_printf(&b,
		   "{\"event\":\"X\"}\r\n{\"error\":{\"desc\":\"bad\"},\"id\":%u}\r\n"
		   "{\"return\":{},\"id\":%u}\r\n{\"return\":{},\"id\":%u}\r\n{\"return\":1,\"id\":"
		   "99}\n",
		   second_id, first_id, first_id);
	say(f, buf_cstr(&b));
}

/*
 * QEMU's error and its return go to those who asked; a second answer, or one to nobody, is
 * dropped.
 */
static void test_answers(void **state)
{
	struct fixture *f = *state;

	shake_hands(f, 1);
	hear(f, "\"id\":1}");
	qmp_conn_call(f->conn, "first", NULL, on_answer, f);
	qmp_conn_call_oob(f->conn, "second", NULL, on_answer, f);
	hear(f, "\"exec-oob\":\"second\",\"arguments\":{},\"id\":3}");
	answer_ids(f, 2, 3);
	kit_loop_until(f->loop, two_answers, f, LIMIT_S, "answers");
	assert_int_equal(f->codes[0], -EREMOTEIO);
	assert_int_equal(f->codes[1], 0);
	assert_int_equal(f->events, 1);
	assert_int_equal(f->closed, 0);
}

/* The other side goes: everybody who waits hears so, then the owner, once; later calls fail too. */
static void test_hang_up(void **state)
{
	struct fixture *f = *state;

	shake_hands(f, 1);
	qmp_conn_call(f->conn, "first", NULL, on_answer, f);
	qmp_conn_call(f->conn, "second", NULL, on_answer, f);
	hear(f, "second");
	close(f->peer);
	f->peer = -1;
	kit_loop_until(f->loop, is_closed, f, LIMIT_S, "the end");
	assert_int_equal(f->answers, 2);
	assert_int_equal(f->codes[0], -EPIPE);
	assert_int_equal(f->codes[1], -EPIPE);
	assert_int_equal(f->closed, 1);
}

/* Garbage ends the connection; the owner hears why. */
static void test_garbage(void **state)
{
	struct fixture *f = *state;

	shake_hands(f, 1);
	qmp_conn_call(f->conn, "first", NULL, on_answer, f);
	hear(f, "first");
	say(f, "This is not QMP.\n");
	kit_loop_until(f->loop, is_closed, f, LIMIT_S, "the end");
	assert_int_equal(f->codes[0], -EPROTO);
}

/* Nobody listens: an error at once. */
static void test_nobody(void **state)
{
	struct fixture *f = *state;
	struct qmp_conn *none = NULL;
	struct err err;

	assert_int_equal(qmp_conn_open(f->loop, "/nonexistent/qmp", &conn_events, f, &none, &err),
			 -ENOENT);
	assert_null(none);
}

int main(void)
{
#define CONN_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),      cmocka_unit_test(test_hostile_lines),
		cmocka_unit_test(test_odd_lines), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_commands),  CONN_TEST(test_talk),
		CONN_TEST(test_answers),          CONN_TEST(test_hang_up),
		CONN_TEST(test_garbage),          CONN_TEST(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
