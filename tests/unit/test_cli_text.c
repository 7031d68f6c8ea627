/* SPDX-License-Identifier: Apache-2.0
 * Text for people: what hostile text becomes, times and sizes in words, columns. */
#include "kit/kit.h"

#include "base/mem.h"
#include "cli/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void assert_safe(const char *in, const char *out)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	text_safe(&b, in);
	assert_string_equal(buf_cstr(&b), out);
}

/* Nothing that moves a cursor, sets a title, or turns text round reaches the terminal. */
static void test_safe(void **state)
{
	(void)state;
	assert_safe("plain text, Grüße, 日本語, 🙂", "plain text, Grüße, 日本語, 🙂");
	assert_safe("\033[2J\033]0;owned\007", "\\x1b[2J\\x1b]0;owned\\x07");
	assert_safe("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd");
	assert_safe("\x7f", "\\x7f");
	assert_safe("\xc2\x9b"
		    "31m",
		    "\\u{9b}31m");
	assert_safe("\xe2\x80\xae"
		    "txt",
		    "\\u{202e}txt");
	assert_safe("\xef\xbb\xbf", "\\u{feff}");
	assert_safe("\xff\xfe", "\\xff\\xfe");
	assert_safe("\xc0\xaf", "\\xc0\\xaf");
	assert_safe("\xed\xa0\x80", "\\xed\\xa0\\x80");
	assert_safe("\xe2\x82", "\\xe2\\x82");
	assert_safe("", "");
	assert_safe(NULL, "");
}

static void assert_ago(int64_t s, const char *out)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	text_ago(&b, (1000000 + s) * 1000000, INT64_C(1000000) * 1000000);
	assert_string_equal(buf_cstr(&b), out);
}

static void test_ago(void **state)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	(void)state;
	assert_ago(0, "0 s ago");
	assert_ago(12, "12 s ago");
	assert_ago(119, "119 s ago");
	assert_ago(120, "2 min ago");
	assert_ago(7199, "119 min ago");
	assert_ago(7200, "2 h ago");
	assert_ago(3 * 86400, "3 d ago");
	/* Clocks of two nodes differ: what will have been is now. */
	assert_ago(-5, "0 s ago");
	text_ago(&b, 1000, 0);
	assert_string_equal(buf_cstr(&b), "");
}

static void assert_bytes(uint64_t n, const char *out)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	text_bytes(&b, n);
	assert_string_equal(buf_cstr(&b), out);
}

static void test_bytes(void **state)
{
	(void)state;
	assert_bytes(0, "0 bytes");
	assert_bytes(4096, "4 KiB");
	assert_bytes(UINT64_C(10) << 30, "10 GiB");
	assert_bytes(UINT64_C(1536) << 20, "1536 MiB");
	assert_bytes(5000, "5000 bytes");
	assert_bytes(123456789, "117.7 MiB");
	assert_bytes(UINT64_MAX, "15.9 EiB");
}

static void test_parse_bytes(void **state)
{
	static const char *const bad[] = {
		"",   "G",   "-1", "10X", "10GG", "1.5G", "99999999999999999999", "17179869184G",
		" 1", "10 G"
	};
	uint64_t n;

	(void)state;
	assert_int_equal(text_parse_bytes("4096", &n), 0);
	assert_int_equal(n, 4096);
	assert_int_equal(text_parse_bytes("512M", &n), 0);
	assert_int_equal(n, UINT64_C(512) << 20);
	assert_int_equal(text_parse_bytes("10GiB", &n), 0);
	assert_int_equal(n, UINT64_C(10) << 30);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (text_parse_bytes(bad[i], &n) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_duration_and_time(void **state)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	(void)state;
	text_duration(&b, 250000);
	buf_char(&b, '|');
	text_duration(&b, 1260000);
	buf_char(&b, '|');
	text_duration(&b, -5);
	buf_char(&b, '|');
	text_time(&b, INT64_C(1767225600000000));
	assert_string_equal(buf_cstr(&b), "250 ms|1.2 s|0 ms|2026-01-01 00:00:00");
}

/* Columns line up by characters, not bytes; an empty cell shows; cells are made safe. */
static void test_table(void **state)
{
	static const char *const headers[] = { "NAME", "X", "LAST", NULL };
	struct text_table t = text_table(headers);
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	(void)state;
	text_cell(&t, "Müller");
	text_cell(&t, NULL);
	text_cell(&t, "a\033b");
	text_cellf(&t, "%d", 7);
	text_cell(&t, "");
	text_cell(&t, "z");
	text_table_print(&t, f);
	fclose(f);
	assert_string_equal(out, "NAME    X  LAST\n"
				 "Müller  -  a\\x1bb\n"
				 "7       -  z\n");
	free(out);
	text_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_ago),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_parse_bytes),
		cmocka_unit_test(test_duration_and_time),
		cmocka_unit_test(test_table),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
