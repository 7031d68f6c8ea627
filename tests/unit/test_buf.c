/* SPDX-License-Identifier: Apache-2.0
 * Buffers: always terminated, any bytes, numbers at their limits. */
#include "kit/kit.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

/* An empty one is a text already, and gives one away. */
static void test_empty(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	_cleanup_(mem_freep) char *taken = buf_take(&b);

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	assert_string_equal(taken, "");
	buf_clear(&b);
	buf_add(&b, NULL, 0);
	assert_string_equal(buf_cstr(&b), "");
}

/* Growth byte by byte past every capacity: the terminating zero must always have its place. */
static void test_is_terminated_at_every_length(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};

	(void)state;
	for (size_t i = 1; i <= 5000; i++) {
		buf_char(&b, 'x');
		assert_int_equal(b.len, i);
		assert_true(b.cap > b.len);
		assert_int_equal(strlen(buf_cstr(&b)), i);
	}
}

static void test_numbers(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};

	(void)state;
	buf_u64(&b, 0);
	buf_char(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_char(&b, ' ');
	buf_i64(&b, INT64_MIN);
	buf_char(&b, ' ');
	buf_i64(&b, INT64_MAX);
	buf_char(&b, ' ');
	buf_i64(&b, -1);
	assert_string_equal(buf_cstr(&b), "0 18446744073709551615 -9223372036854775808 "
					  "9223372036854775807 -1");
}

static void test_bytes_and_text(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};

	(void)state;
	buf_hex(&b, "\x00\x0f\xff\xa5", 4);
	assert_string_equal(buf_cstr(&b), "000fffa5");
	buf_clear(&b);
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
	buf_clear(&b);
	buf_str(&b, "n");
	buf_printf(&b, "%d of %s", 2, "3");
	assert_string_equal(buf_cstr(&b), "n2 of 3");
}

/* After giving its text away the buffer starts anew. */
static void test_take(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	_cleanup_(mem_freep) char *first = NULL;

	(void)state;
	buf_str(&b, "first");
	first = buf_take(&b);
	buf_str(&b, "second");
	assert_string_equal(first, "first");
	assert_string_equal(buf_cstr(&b), "second");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_is_terminated_at_every_length),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bytes_and_text),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
