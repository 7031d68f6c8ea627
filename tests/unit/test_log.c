/* SPDX-License-Identifier: Apache-2.0
 * The log: one line each on standard error, levels kept apart, hostile texts harmless. */
#include "kit/kit.h"

#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Standard error goes to a file between these two. */
struct capture {
	char *dir, *path;
	int saved;
};

static struct capture capture_start(void)
{
	struct capture c = { .dir = kit_mkdir(), .saved = dup(STDERR_FILENO) };
	int fd;

	c.path = kit_path(c.dir, "log");
	fd = open(c.path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return c;
}

static char *capture_end(struct capture *c)
{
	char *text;

	log_close();
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	text = kit_read(c->path);
	kit_rmdir(c->dir);
	free(c->path);
	return text;
}

static int lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_lines_and_levels(void **state)
{
	struct capture c = capture_start();
	_cleanup_(mem_freep) char *text = NULL;
	regex_t form;

	(void)state;
	log_open("test", false);
	log_error("guest %s: %d", "web1", 7);
	log_warning("second");
	log_info("third");
	log_debug("not seen");
	text = capture_end(&c);
	assert_int_equal(lines(text), 3);
	assert_int_equal(regcomp(&form,
				 "[0-9]+:[0-9]+:[0-9.]+ +error +guest web1: 7\n"
				 ".*warning +second\n.*info +third\n$",
				 REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(regexec(&form, text, 0, NULL, 0), 0);
	regfree(&form);
}

static void test_debug(void **state)
{
	struct capture c = capture_start();
	_cleanup_(mem_freep) char *text = NULL;

	(void)state;
	log_open("test", true);
	log_debug("seen");
	text = capture_end(&c);
	assert_non_null(strstr(text, "seen"));
}

/* A peer's text cannot forge a line, move a terminal's cursor, or be taken for a format. */
static void test_hostile_text(void **state)
{
	struct capture c = capture_start();
	_cleanup_(mem_freep) char *text = NULL;
	_cleanup_(mem_freep) char *longest = mem_alloc0(5000);

	(void)state;
	memset(longest, 'x', 4999);
	log_open("test", false);
	log_info("%s", "a\nerror forged\x1b[2J");
	log_info("%s", "%s%s%n");
	log_info("%s", longest);
	text = capture_end(&c);
	assert_int_equal(lines(text), 3);
	assert_non_null(strstr(text, "a error forged [2J\n"));
	assert_non_null(strstr(text, "%s%s%n\n"));
	assert_true(strlen(text) < 3 * 1100);
}

/* Without an open log lines go nowhere, and closing twice is harmless. */
static void test_closed(void **state)
{
	struct capture c = capture_start();
	_cleanup_(mem_freep) char *text = NULL;

	(void)state;
	log_info("nobody hears");
	log_open("test", false);
	log_close();
	log_info("nobody hears");
	text = capture_end(&c);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_and_levels),
		cmocka_unit_test(test_debug),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
