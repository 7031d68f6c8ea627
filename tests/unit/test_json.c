/* SPDX-License-Identifier: Apache-2.0
 * The JSON writer: canonical text, any bytes made valid, wrong nesting ends the process. */
#include "kit/kit.h"

#include "base/json.h"
#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_values_and_nesting(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	struct json j = json_writer(&b);

	(void)state;
	json_object(&j);
	json_kv_str(&j, "a", "text");
	json_kv_u64(&j, "b", UINT64_MAX);
	json_kv_i64(&j, "c", INT64_MIN);
	json_kv_bool(&j, "d", true);
	json_kv_str(&j, "e", NULL);
	json_key(&j, "f");
	json_array(&j);
	json_u64(&j, 1);
	json_object(&j);
	json_object_end(&j);
	json_array(&j);
	json_array_end(&j);
	json_null(&j);
	json_raw(&j, "{\"x\":1}");
	json_bool(&j, false);
	json_array_end(&j);
	json_object_end(&j);
	assert_string_equal(buf_cstr(&b),
			    "{\"a\":\"text\",\"b\":18446744073709551615,"
			    "\"c\":-9223372036854775808,\"d\":true,\"e\":null,"
			    "\"f\":[1,{},[],null,{\"x\":1},false]}");
}

static const char *quoted(struct buf *b, const char *text)
{
	struct json j = json_writer(b);

	buf_clear(b);
	json_str(&j, text);
	return buf_cstr(b);
}

static void test_escapes(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};

	(void)state;
	assert_string_equal(quoted(&b, "\"\\/"), "\"\\\"\\\\/\"");
	assert_string_equal(quoted(&b, "\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	assert_string_equal(quoted(&b, "\x01\x1f\x7f"), "\"\\u0001\\u001f\\u007f\"");
	assert_string_equal(quoted(&b, ""), "\"\"");
}

/* Keys are escaped as texts are. */
static void test_hostile_key(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	struct json j = json_writer(&b);

	(void)state;
	json_object(&j);
	json_kv_u64(&j, "a\":1,\"b", 2);
	json_object_end(&j);
	assert_string_equal(buf_cstr(&b), "{\"a\\\":1,\\\"b\":2}");
}

#define BAD "\xef\xbf\xbd"

/* Valid characters of all lengths stay; each byte of an invalid one becomes U+FFFD. */
static void test_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x91", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x91" },
		{ "\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80", "\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xff", BAD },			/* never a start */
		{ "\x80x", BAD "x" },			/* a continuation alone */
		{ "\xc3", BAD },			/* cut by the end */
		{ "\xe2\x82", BAD BAD },
		{ "\xf0\x9f\x90", BAD BAD BAD },
		{ "\xc3x", BAD "x" },			/* cut by another character */
		{ "\xe2\x82\"", BAD BAD "\\\"" },
		{ "\xc0\xaf", BAD BAD },		/* overlong */
		{ "\xe0\x80\xaf", BAD BAD BAD },
		{ "\xf0\x80\x80\xaf", BAD BAD BAD BAD },
		{ "\xed\xa0\x80", BAD BAD BAD },	/* a surrogate */
		{ "\xf4\x90\x80\x80", BAD BAD BAD BAD },	/* above U+10FFFF */
		{ "\xf5\x80\x80\x80", BAD BAD BAD BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_free) struct buf b = {0}, want = {0};

		buf_printf(&want, "\"%s\"", rows[i].out);
		assert_string_equal(quoted(&b, rows[i].in), buf_cstr(&want));
	}
}

static void deep(struct json *j, int levels)
{
	for (int i = 0; i < levels; i++)
		json_array(j);
}

static void test_as_deep_as_allowed(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	struct json j = json_writer(&b);

	(void)state;
	deep(&j, JSON_DEPTH_MAX);
	json_null(&j);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_array_end(&j);
	assert_int_equal(b.len, 2 * JSON_DEPTH_MAX + 4);
}

static void too_deep(struct json *j)
{
	deep(j, JSON_DEPTH_MAX + 1);
}

static void value_without_key(struct json *j)
{
	json_object(j);
	json_u64(j, 1);
}

static void key_in_array(struct json *j)
{
	json_array(j);
	json_key(j, "a");
}

static void key_after_key(struct json *j)
{
	json_object(j);
	json_key(j, "a");
	json_key(j, "b");
}

static void key_without_value(struct json *j)
{
	json_object(j);
	json_key(j, "a");
	json_object_end(j);
}

static void wrong_end(struct json *j)
{
	json_array(j);
	json_object_end(j);
}

static void end_of_nothing(struct json *j)
{
	json_array_end(j);
}

/* Each of these would give a text that is not JSON. */
static void test_wrong_nesting_aborts(void **state)
{
	static void (*const wrong[])(struct json *j) = {
		too_deep,      value_without_key, key_in_array,	  key_after_key,
		key_without_value, wrong_end,	  end_of_nothing,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			struct buf b = {0};
			struct json j = json_writer(&b);

			signal(SIGABRT, SIG_DFL);
			wrong[i](&j);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_and_nesting),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_hostile_key),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_as_deep_as_allowed),
		cmocka_unit_test(test_wrong_nesting_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
