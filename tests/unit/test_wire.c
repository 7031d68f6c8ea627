/* SPDX-License-Identifier: Apache-2.0
 * Wire: what was written is read back; a message cut anywhere is refused, never over-read. */
#include "kit/kit.h"

#include "base/mem.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

/* One of each. */
struct sample {
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	int64_t i64;
	struct id id;
	char text[16];
	size_t bytes_len;
	char *dup;
};

static void write_sample(struct buf *b)
{
	static const struct id id = { .b = { 1, 2, 3, [15] = 16 } };

	wire_put_u8(b, 0xfe);
	wire_put_u16(b, 0xfedc);
	wire_put_u32(b, 0xfedcba98);
	wire_put_u64(b, UINT64_C(0xfedcba9876543210));
	wire_put_i64(b, INT64_MIN);
	wire_put_id(b, &id);
	wire_put_str(b, "guest web1");
	wire_put_bytes(b, "a\0b", 3);
	wire_put_str(b, NULL);
}

static bool read_sample(const void *data, size_t len, struct sample *s)
{
	struct wire w = wire_reader(data, len);

	s->u8 = wire_u8(&w);
	s->u16 = wire_u16(&w);
	s->u32 = wire_u32(&w);
	s->u64 = wire_u64(&w);
	s->i64 = wire_i64(&w);
	s->id = wire_id(&w);
	wire_str(&w, s->text, sizeof(s->text));
	wire_bytes(&w, 8, &s->bytes_len);
	s->dup = wire_str_dup(&w, 8);
	return wire_done(&w);
}

static void test_round_trip(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	struct sample s;

	(void)state;
	write_sample(&b);
	assert_true(read_sample(b.data, b.len, &s));
	assert_int_equal(s.u8, 0xfe);
	assert_int_equal(s.u16, 0xfedc);
	assert_int_equal(s.u32, 0xfedcba98);
	assert_int_equal(s.u64, UINT64_C(0xfedcba9876543210));
	assert_int_equal(s.i64, INT64_MIN);
	assert_int_equal(s.id.b[15], 16);
	assert_string_equal(s.text, "guest web1");
	assert_int_equal(s.bytes_len, 3);
	assert_string_equal(s.dup, "");
	free(s.dup);
}

/* The same bytes on every machine. */
static void test_layout(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};

	(void)state;
	wire_put_u16(&b, 0x0102);
	wire_put_u32(&b, 0x03040506);
	wire_put_str(&b, "x");
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "\x02\x01\x06\x05\x04\x03\x01\0\0\0x", 11);
}

/* Cut at every length: refused. In a block of just that size, so that ASan sees any over-read. */
static void test_cut_anywhere(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};

	(void)state;
	write_sample(&b);
	for (size_t len = 0; len < b.len; len++) {
		_cleanup_(mem_freep) void *part = mem_dup(b.data, len);
		struct sample s;

		assert_false(read_sample(part, len, &s));
		free(s.dup);
	}
}

/* Something left over: refused. */
static void test_left_over(void **state)
{
	_cleanup_(buf_free) struct buf b = {0};
	struct sample s;

	(void)state;
	write_sample(&b);
	buf_char(&b, 0);
	assert_false(read_sample(b.data, b.len, &s));
	free(s.dup);
}

/* Lengths that lie: larger than the message, than the limit, than the address space. */
static void test_lengths_that_lie(void **state)
{
	static const uint32_t lies[] = { 6, 9, 255, 0x7fffffff, 0x80000000, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		_cleanup_(buf_free) struct buf b = {0};
		struct wire w;
		size_t len = 77;

		wire_put_u32(&b, lies[i]);
		buf_str(&b, "12345");
		w = wire_reader(b.data, b.len);
		assert_null(wire_bytes(&w, SIZE_MAX, &len));
		assert_int_equal(len, 0);
		assert_true(w.failed);
	}
}

/* A text that is too long for its place, or has a zero inside, fails and reads as "". */
static void test_texts(void **state)
{
	char five[5] = "old";
	_cleanup_(buf_free) struct buf b = {0};
	_cleanup_(mem_freep) char *dup = NULL;
	struct wire w;

	(void)state;
	wire_put_str(&b, "four");
	w = wire_reader(b.data, b.len);
	wire_str(&w, five, sizeof(five));
	assert_string_equal(five, "four");
	w = wire_reader(b.data, b.len);
	wire_str(&w, five, 4);
	assert_string_equal(five, "");
	assert_true(w.failed);

	buf_clear(&b);
	wire_put_bytes(&b, "a\0b", 3);
	w = wire_reader(b.data, b.len);
	dup = wire_str_dup(&w, 100);
	assert_string_equal(dup, "");
	assert_true(w.failed);
}

/* Once failed, nothing reads any more, though bytes are left. */
static void test_stays_failed(void **state)
{
	static const uint8_t data[] = { 1, 2, 3 };
	struct wire w = wire_reader(data, sizeof(data));
	struct id none = {0}, id;
	size_t len;

	(void)state;
	assert_int_equal(wire_u32(&w), 0);
	assert_int_equal(wire_left(&w), 3);
	assert_int_equal(wire_u8(&w), 0);
	id = wire_id(&w);
	assert_true(id_equal(&id, &none));
	assert_null(wire_bytes(&w, 10, &len));
	assert_false(wire_done(&w));
}

/* Nothing at all is a message too: it has no bytes, and empty bytes are not NULL. */
static void test_nothing(void **state)
{
	static const uint8_t empty_bytes[4] = {0};
	struct wire w = wire_reader(NULL, 0);
	size_t len;

	(void)state;
	assert_true(wire_done(&w));
	w = wire_reader(empty_bytes, sizeof(empty_bytes));
	assert_non_null(wire_bytes(&w, 0, &len));
	assert_true(wire_done(&w));
}

/* Random bytes, many times: whatever is decoded, nothing is read outside. */
static void test_noise(void **state)
{
	unsigned int seed = 99;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t len = (size_t)rand_r(&seed) % 80;
		_cleanup_(mem_freep) uint8_t *data = mem_alloc0(len);
		struct sample s;

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(rand_r(&seed) % 4 ? 0 : rand_r(&seed));
		read_sample(data, len, &s);
		assert_true(strlen(s.text) < sizeof(s.text));
		assert_true(s.bytes_len <= 8);
		assert_true(strlen(s.dup) <= 8);
		free(s.dup);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_lengths_that_lie),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_stays_failed),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
