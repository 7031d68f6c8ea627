/* SPDX-License-Identifier: Apache-2.0
 * Replies taken apart: whatever an agent says, the caller gets a code and a sentence. */
#include "kit/kit.h"

#include "base/mem.h"
#include "client/client.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

struct fake {
	const char *reply; /* NULL: @err */
	int err;
	char asked[256];
	int timeout_ms;
};

static int exchange(void *ctx, const char *request, size_t len, int timeout_ms,
		    struct buf *ret_reply, struct err *ret_err)
{
	struct fake *f = ctx;

	snprintf(f->asked, sizeof(f->asked), "%.*s", (int)len, request);
	f->timeout_ms = timeout_ms;
	if (!f->reply)
		return err_set(ret_err, f->err, "it went wrong");
	buf_str(ret_reply, f->reply);
	return 0;
}

static void close_nothing(void *ctx)
{
	(void)ctx;
}

static const struct client_ops fake_ops = { .exchange = exchange, .close = close_nothing };

static enum reply_code call(struct fake *f, enum method method, struct reply *ret)
{
	struct client c = { .ops = &fake_ops, .ctx = f };

	return client_call(&c, method, NULL, ret);
}

static void test_request(void **state)
{
	struct fake f = { .reply = "{\"ok\":true,\"index\":3,\"result\":null}" };
	struct client c = { .ops = &fake_ops, .ctx = &f };
	struct reply r;

	(void)state;
	assert_int_equal(client_call(&c, METHOD_WHY, json_pack("{s:s}", "guest", "w"), &r),
			 REPLY_OK);
	assert_string_equal(f.asked, "{\"id\":1,\"method\":\"why\",\"params\":{\"guest\":\"w\"}}");
	assert_true(json_is_null(r.result));
	reply_clear(&r);
	assert_int_equal(client_call(&c, METHOD_STATUS, NULL, &r), REPLY_OK);
	assert_string_equal(f.asked, "{\"id\":2,\"method\":\"status\",\"params\":{}}");
	reply_clear(&r);
	client_close(&c);
}

/* A long poll is waited for longer than other requests. */
static void test_timeouts(void **state)
{
	struct fake f = { .reply = "{\"ok\":true,\"index\":3,\"result\":[]}" };
	struct client c = { .ops = &fake_ops, .ctx = &f };
	struct reply r;
	int usual;

	(void)state;
	client_call(&c, METHOD_STATUS, NULL, &r);
	reply_clear(&r);
	usual = f.timeout_ms;
	assert_true(usual > PROTO_ORDER_MS);
	client_call(&c, METHOD_EVENTS_WAIT, json_pack("{s:i}", "timeout_ms", 20000), &r);
	reply_clear(&r);
	assert_int_equal(f.timeout_ms, usual + 20000);
}

static void test_refusal(void **state)
{
	struct fake f = {
		.reply = "{\"ok\":false,\"code\":\"unknown\",\"error\":\"not yet\","
			 "\"request\":\"1:x:2\",\"index\":9,\"term\":2,\"current\":true}"
	};
	struct reply r;

	(void)state;
	assert_int_equal(call(&f, METHOD_GUEST_START, &r), REPLY_UNKNOWN);
	assert_string_equal(r.error, "not yet");
	assert_string_equal(r.request, "1:x:2");
	assert_true(r.stamped && r.current);
	assert_int_equal(r.index, 9);
	assert_null(r.result);
	reply_clear(&r);
}

static void test_senseless(void **state)
{
	static const char *const replies[] = {
		"",
		"nonsense",
		"[]",
		"{}",
		"{\"ok\":true}",
		"{\"ok\":1,\"result\":1}",
		"{\"ok\":false,\"code\":\"ok\"}",
		"{\"ok\":false,\"code\":7,\"error\":8}",
	};
	struct fake f = { 0 };
	struct reply r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		f.reply = replies[i];
		assert_int_equal(call(&f, METHOD_STATUS, &r), REPLY_FAILED);
		assert_true(strlen(r.error) > 0);
		reply_clear(&r);
	}
}

/* An order that got no answer may have been carried out: nobody may say that it failed. */
static void test_lost(void **state)
{
	struct fake f = { .err = -ENOTCONN };
	struct reply r;

	(void)state;
	assert_int_equal(call(&f, METHOD_STATUS, &r), REPLY_NO_AGENT);
	assert_int_equal(call(&f, METHOD_GUEST_START, &r), REPLY_UNKNOWN);
	assert_non_null(strstr(r.error, "whether it was ordered is not known"));
	f.err = -ETIMEDOUT;
	assert_int_equal(call(&f, METHOD_STATUS, &r), REPLY_UNKNOWN);
	assert_int_equal(call(&f, METHOD_GUEST_START, &r), REPLY_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request), cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_refusal), cmocka_unit_test(test_senseless),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
