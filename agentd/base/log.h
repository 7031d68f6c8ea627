/* SPDX-License-Identifier: Apache-2.0
 * The log: libqb behind four macros. Only agentd/ logs; library rooms return errors. */
#ifndef DOMUS_BASE_LOG_H
#define DOMUS_BASE_LOG_H

#include <stdbool.h>

/* The log target is one of the two pieces of state that a process has in file scope. */
/*
 * To standard error, one line each: time, level, text; to syslog too when that is not
 * a terminal and /dev/log is there. Libraries that log by libqb (Pacemaker's)
 * are heard from warnings on. Before log_open and after log_close lines are dropped.
 */
void log_open(const char *program, bool debug);
void log_close(void);
/* Cut at 1023 bytes; control characters become spaces. From the loop's thread only. */
void log_line(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a person must act on / should know / may want to know / is of use to a developer only. */
#define log_error(...)	 log_line(3, __VA_ARGS__)
#define log_warning(...) log_line(4, __VA_ARGS__)
#define log_info(...)	 log_line(6, __VA_ARGS__)
#define log_debug(...)	 log_line(7, __VA_ARGS__)

#endif
