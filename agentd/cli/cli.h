/* SPDX-License-Identifier: Apache-2.0
 * The command line: nouns and verbs as tables, what their handlers share. */
#ifndef DOMUS_CLI_CLI_H
#define DOMUS_CLI_CLI_H

#include "client/client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DOMUS_VERSION "0.1.0"

/* Exit codes that are not an agent's refusal (proto/methods.h has the whole table). */
#define EXIT_USAGE   2
#define EXIT_REFUSED 4
#define EXIT_UNKNOWN 6

enum cli_option {
	OPT_JSON,
	OPT_SOCKET,
	OPT_HELP,
	OPT_NOW,
	OPT_YES,
	OPT_NO_WAIT,
	OPT_ON,
	OPT_FOLLOW,
	OPT_AFTER,
	OPT_POWER_ON,
	OPT_MAX
};
#define OPT(name) (1u << OPT_##name)

/* The world outside, so that tests can stand in for it. */
struct cli_io {
	FILE *in, *out, *err;
	bool in_tty, out_tty;
	const char *socket;		/* DOMUS_SOCKET, or NULL */
	/* As client_connect. */
	enum reply_code (*connect)(void *ctx, const char *suffix, struct client *ret,
				   struct err *ret_err);
	void *connect_ctx;
};

struct cli_verb;

/* One run of the program. */
struct cli {
	const struct cli_io *io;
	struct client client;
	bool connected;
	bool warned;			/* the last word about it: what is shown may be old */
	const char *noun;
	const struct cli_verb *verb;
	char **args;			/* after noun, verb and options */
	int n_args;
	const char *options[OPT_MAX];	/* NULL: not given; "" or its argument */
};

/* Returns the exit code, having said on stderr what went wrong. */
typedef int cli_fn(struct cli *cli);

struct cli_verb {
	const char *name;		/* NULL ends a table; "": the noun alone */
	const char *args;		/* for people */
	int min, max;			/* of arguments; max -1: any */
	unsigned int options;		/* besides --json, --socket, --help */
	const char *help;
	cli_fn *run;
	unsigned int preset;		/* of an alias: flags that are as good as given */
};

struct cli_noun {
	const char *name;
	const char *help;
	const struct cli_verb *verbs;
};

extern const struct cli_verb cli_status_verbs[], cli_cluster_verbs[], cli_node_verbs[],
	cli_fence_verbs[], cli_pool_verbs[], cli_volume_verbs[], cli_guest_verbs[],
	cli_events_verbs[], cli_why_verbs[], cli_request_verbs[];
extern const struct cli_noun cli_nouns[];	/* ends with a NULL name */

int cli_main(int argc, char **argv, const struct cli_io *io);

/* help.c */
void cli_help(FILE *f);
void cli_help_noun(FILE *f, const struct cli_noun *noun);
void cli_help_verb(FILE *f, const struct cli_noun *noun, const struct cli_verb *verb);
/* The table of options, in the order of enum cli_option; @argument NULL: a flag. */
struct cli_option_info {
	const char *name, *argument, *help;
};
extern const struct cli_option_info cli_options[OPT_MAX];

/* "domus: " and one safe line on stderr; returns @exit_code. */
int cli_error(struct cli *cli, int exit_code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Asks the agent, connecting at the first time. On failure the error has been told; returns the
 * exit code. @params is taken over. reply_clear @ret in any case.
 */
int cli_call(struct cli *cli, enum method method, json_t *params, struct reply *ret);
/* The same for an order of which only the success is of interest; prints @done if not NULL. */
int cli_order(struct cli *cli, enum method method, json_t *params, const char *done);

bool cli_flag(const struct cli *cli, enum cli_option o);
/*
 * With --json: prints @r, its result and what the agent knew when it gave it, and says true. All
 * verbs print this one envelope, but `events --follow`, whose lines are events.
 */
bool cli_json(struct cli *cli, const struct reply *r);
/* The same with another result than the answer's own. */
void cli_print_json(struct cli *cli, const struct reply *r, const json_t *result);
/* Of answers that list or show: says on stderr, once, that they may be old. */
void cli_warn_old(struct cli *cli, const struct reply *r);
/* Of answers in a row: the same whenever they become old, and that they are current again. */
void cli_watch_current(struct cli *cli, const struct reply *r);
/* Reads a line; false at the end of the input. The line's end is cut off. */
bool cli_read_line(struct cli *cli, char *ret, size_t size);

/* A short pause before asking again: who follows a busy cluster stays below the agent's rate. */
void cli_breathe(void);

/* Members of hostile objects: "" or 0 or false when missing or of another type. */
const char *cli_str(const json_t *object, const char *key);
int64_t cli_int(const json_t *object, const char *key);
bool cli_bool(const json_t *object, const char *key);

#endif
