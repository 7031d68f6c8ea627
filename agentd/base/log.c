/* SPDX-License-Identifier: Apache-2.0
 * The log: libqb's targets, our own lines. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <qb/qblog.h>

#define LINE_SIZE 1024

/* What our lines carry as their source file, so that filters know them from libraries' lines. */
#define OUR_NAME "domus"

/* Part of the log target: libqb must not be called before its init. */
static bool is_open;

static void set_target(int32_t target, bool on, uint8_t our_level)
{
	qb_log_ctl(target, QB_LOG_CONF_ENABLED, on);
	qb_log_filter_ctl(target, QB_LOG_FILTER_CLEAR_ALL, QB_LOG_FILTER_FILE, "*", LOG_TRACE);
	if (!on)
		return;
	qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, OUR_NAME, our_level);
	qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_WARNING);
}

void log_open(const char *program, bool debug)
{
	bool to_syslog = !isatty(STDERR_FILENO) && access("/dev/log", W_OK) == 0;
	uint8_t level = debug ? LOG_DEBUG : LOG_INFO;

	qb_log_init(program, LOG_DAEMON, level);
	qb_log_format_set(QB_LOG_STDERR, "%b");
	set_target(QB_LOG_STDERR, true, level);
	set_target(QB_LOG_SYSLOG, to_syslog, level);
	is_open = true;
}

void log_close(void)
{
	if (!is_open)
		return;
	is_open = false;
	qb_log_fini();
}

/*
 * Time and level in front, as far as they fit. Not libqb's own: it reads a coarse clock that
 * stands still for up to 4 ms, and these lines are what delays are measured by.
 */
static size_t stamp(char *line, size_t size, int priority)
{
	static const char *const levels[] = {
		[LOG_ERR] = "error", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
		[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};
	bool known = priority >= LOG_ERR && priority <= LOG_DEBUG;
	struct timespec now;
	struct tm local;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	n = strftime(line, size, "%b %d %H:%M:%S", &local);
	n += (size_t)snprintf(line + n, size - n, ".%03ld %-7s ", now.tv_nsec / 1000000,
			      known ? levels[priority] : "alert");
	return n < size ? n : size - 1;
}

/* One line each: a text from elsewhere must not be able to forge a second one. */
static void flatten(char *line)
{
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

void log_line(int priority, const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list ap;
	size_t n;

	if (!is_open)
		return;
	n = stamp(line, sizeof(line), priority);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	flatten(line);
	qb_log_from_external_source("log_line", OUR_NAME, "%s", (uint8_t)priority, 0, 0, line);
}
