/* SPDX-License-Identifier: Apache-2.0
 * The API's tables: every name there and back, every code with its exit code, limits on JSON. */
#include "kit/kit.h"

#include "proto/methods.h"

#include <errno.h>
#include <string.h>

/* Each enumeration is named completely, and a name finds its value again. */
static void test_names_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < METHOD_MAX; i++)
		assert_int_equal(method_parse(method_text((enum method)i)), i);
	for (int i = 0; i < REPLY_CODE_MAX; i++)
		assert_int_equal(reply_code_parse(reply_code_text((enum reply_code)i)), i);
	for (int i = 0; i < ROLE_MAX; i++)
		assert_int_equal(role_parse(role_text((enum role)i)), i);
	assert_int_equal(method_parse("guest.explode"), METHOD_INVALID);
	assert_int_equal(method_parse(NULL), METHOD_INVALID);
}

/* Whoever may only read cannot change anything, nor reach into a guest. */
static void test_roles(void **state)
{
	(void)state;
	assert_int_equal(method_role(METHOD_STATUS), ROLE_READ);
	assert_int_equal(method_role(METHOD_EVENTS_WAIT), ROLE_READ);
	assert_int_equal(method_role(METHOD_GUEST_START), ROLE_OPERATE);
	assert_int_equal(method_role(METHOD_NODE_FENCE), ROLE_OPERATE);
	assert_int_equal(method_role(METHOD_GUEST_CONSOLE), ROLE_OPERATE);
	assert_int_equal(method_role(METHOD_INVALID), ROLE_OPERATE);
	assert_int_equal(method_role(METHOD_MAX), ROLE_OPERATE);
}

/* The exit codes are a promise to scripts: this is the whole of it. */
static void test_exit_codes(void **state)
{
	static const struct {
		const char *code;
		int exit_code;
	} promised[] = {
		{ "ok", 0 },      { "failed", 1 },   { "bad-request", 2 }, { "not-found", 3 },
		{ "exists", 4 },  { "refused", 4 },  { "busy", 4 },        { "not-quorate", 5 },
		{ "unknown", 6 }, { "no-agent", 7 }, { "denied", 8 },
	};

	(void)state;
	assert_int_equal(sizeof(promised) / sizeof(promised[0]), REPLY_CODE_MAX);
	for (size_t i = 0; i < REPLY_CODE_MAX; i++)
		assert_int_equal(reply_exit_code(reply_code_parse(promised[i].code)),
				 promised[i].exit_code);
	assert_int_equal(reply_exit_code(REPLY_CODE_INVALID), 1);
}

static void test_errno_codes(void **state)
{
	(void)state;
	assert_int_equal(reply_code_of_errno(0), REPLY_OK);
	assert_int_equal(reply_code_of_errno(-ENOENT), REPLY_NOT_FOUND);
	assert_int_equal(reply_code_of_errno(-EAGAIN), REPLY_NOT_QUORATE);
	assert_int_equal(reply_code_of_errno(-ESTALE), REPLY_REFUSED);
	assert_int_equal(reply_code_of_errno(-ENOSPC), REPLY_REFUSED);
	assert_int_equal(reply_code_of_errno(-EACCES), REPLY_DENIED);
	assert_int_equal(reply_code_of_errno(-EIO), REPLY_FAILED);
}

/* A suffix becomes part of a socket's name: letters, digits and three signs only. */
static void test_service_name(void **state)
{
	char name[PROTO_SERVICE_SIZE];

	(void)state;
	assert_int_equal(proto_service_name(NULL, name), 0);
	assert_string_equal(name, "domus");
	assert_int_equal(proto_service_name("", name), 0);
	assert_string_equal(name, "domus");
	assert_int_equal(proto_service_name("lab-1_a.b", name), 0);
	assert_string_equal(name, "domus-lab-1_a.b");
	assert_int_equal(proto_service_name("12345678901234567890123456789012", name), 0);
	assert_int_equal(strlen(name), PROTO_SERVICE_SIZE - 1);
	assert_int_equal(proto_service_name("123456789012345678901234567890123", name), -EINVAL);
	assert_int_equal(proto_service_name("../x", name), -EINVAL);
	assert_int_equal(proto_service_name("a b", name), -EINVAL);
}

static bool depth_ok(const char *text)
{
	return proto_depth_ok(text, strlen(text));
}

/* Brackets count outside of strings only, whatever is escaped in them; ends do not underflow. */
static void test_depth(void **state)
{
	char deep[64];

	(void)state;
	memset(deep, '[', PROTO_DEPTH_MAX);
	deep[PROTO_DEPTH_MAX] = '\0';
	assert_true(depth_ok(deep));
	strcat(deep, "{");
	assert_false(depth_ok(deep));
	assert_true(depth_ok("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[\"}"));
	assert_true(depth_ok("[][][][][][][][][][][][][][][][][][][][][][]"));
	assert_true(depth_ok("]]]]]]]]]]]]]]]]]]]]"));
	assert_true(depth_ok("\"\\"));
	assert_true(depth_ok(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_round_trip), cmocka_unit_test(test_roles),
		cmocka_unit_test(test_exit_codes),       cmocka_unit_test(test_errno_codes),
		cmocka_unit_test(test_service_name),     cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
