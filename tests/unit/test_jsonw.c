/* SPDX-License-Identifier: Apache-2.0
 * The JSON writer: canonical text, any bytes made valid, wrong nesting ends the process. */
#include "kit/kit.h"

#include "base/jsonw.h"
#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_values_and_nesting(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	struct jsonw j = jsonw_begin(&b);

	(void)state;
	jsonw_object(&j);
	jsonw_kv_str(&j, "a", "text");
	jsonw_kv_u64(&j, "b", UINT64_MAX);
	jsonw_kv_i64(&j, "c", INT64_MIN);
	jsonw_kv_bool(&j, "d", true);
	jsonw_kv_str(&j, "e", NULL);
	jsonw_key(&j, "f");
	jsonw_array(&j);
	jsonw_u64(&j, 1);
	jsonw_object(&j);
	jsonw_object_end(&j);
	jsonw_array(&j);
	jsonw_array_end(&j);
	jsonw_null(&j);
	jsonw_raw(&j, "{\"x\":1}");
	jsonw_bool(&j, false);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	assert_string_equal(buf_cstr(&b),
			    "{\"a\":\"text\",\"b\":18446744073709551615,"
			    "\"c\":-9223372036854775808,\"d\":true,\"e\":null,"
			    "\"f\":[1,{},[],null,{\"x\":1},false]}");
}

static const char *quoted(struct buf *b, const char *text)
{
	struct jsonw j = jsonw_begin(b);

	buf_clear(b);
	jsonw_str(&j, text);
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
	struct jsonw j = jsonw_begin(&b);

	(void)state;
	jsonw_object(&j);
	jsonw_kv_u64(&j, "a\":1,\"b", 2);
	jsonw_object_end(&j);
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

static void deep(struct jsonw *j, int levels)
{
	for (int i = 0; i < levels; i++)
		jsonw_array(j);
}

static void test_as_deep_as_allowed(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	struct jsonw j = jsonw_begin(&b);

	(void)state;
	deep(&j, JSONW_DEPTH_MAX);
	jsonw_null(&j);
	for (int i = 0; i < JSONW_DEPTH_MAX; i++)
		jsonw_array_end(&j);
	assert_int_equal(b.len, 2 * JSONW_DEPTH_MAX + 4);
}

static void too_deep(struct jsonw *j)
{
	deep(j, JSONW_DEPTH_MAX + 1);
}

static void value_without_key(struct jsonw *j)
{
	jsonw_object(j);
	jsonw_u64(j, 1);
}

static void key_in_array(struct jsonw *j)
{
	jsonw_array(j);
	jsonw_key(j, "a");
}

static void key_after_key(struct jsonw *j)
{
	jsonw_object(j);
	jsonw_key(j, "a");
	jsonw_key(j, "b");
}

static void key_without_value(struct jsonw *j)
{
	jsonw_object(j);
	jsonw_key(j, "a");
	jsonw_object_end(j);
}

static void wrong_end(struct jsonw *j)
{
	jsonw_array(j);
	jsonw_object_end(j);
}

static void end_of_nothing(struct jsonw *j)
{
	jsonw_array_end(j);
}

/* Each of these would give a text that is not JSON. */
static void test_wrong_nesting_aborts(void **state)
{
	static void (*const wrong[])(struct jsonw *j) = {
		too_deep,      value_without_key, key_in_array,	  key_after_key,
		key_without_value, wrong_end,	  end_of_nothing,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			struct buf b = {0};
			struct jsonw j = jsonw_begin(&b);

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
