/* SPDX-License-Identifier: Apache-2.0
 * From an argument vector to a verb's handler; what all handlers need. */
#include "cli.h"

#include "base/mem.h"
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct cli_noun cli_nouns[] = {
	{ "status", "the cluster at a glance", cli_status_verbs },
	{ "cluster", "give birth to a cluster, join one", cli_cluster_verbs },
	{ "node", "the hosts", cli_node_verbs },
	{ "guest", "the virtual machines", cli_guest_verbs },
	{ "volume", "the guests' disks", cli_volume_verbs },
	{ "pool", "where volumes are kept", cli_pool_verbs },
	{ "fence", "how a lost node is switched off", cli_fence_verbs },
	{ "events", "what has happened", cli_events_verbs },
	{ "why", "why a guest is where it is", cli_why_verbs },
	{ "request", "what became of an order", cli_request_verbs },
	{ 0 }
};

int cli_error(struct cli *cli, int exit_code, const char *fmt, ...)
{
	_cleanup_(buf_free) struct buf safe = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_safe(&safe, text);
	fflush(cli->io->out);
	fprintf(cli->io->err, "domus: %s\n", buf_cstr(&safe));
	return exit_code;
}

bool cli_flag(const struct cli *cli, enum cli_option o)
{
	return cli->options[o] || (cli->verb && cli->verb->preset & 1u << o);
}

void cli_print_json(struct cli *cli, const struct reply *r, const json_t *result)
{
	json_t *all = json_pack("{s:I, s:b, s:I, s:O, s:I}", "age_ms", (json_int_t)r->age_ms,
				"current", (int)r->current, "index", (json_int_t)r->index,
				"result", result, "term", (json_int_t)r->term);

	/* Nothing but ASCII: what a terminal may take for a command is escaped. */
	json_dumpf(all, cli->io->out, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	fputc('\n', cli->io->out);
	json_decref(all);
}

bool cli_json(struct cli *cli, const struct reply *r)
{
	if (!cli_flag(cli, OPT_JSON))
		return false;
	cli_print_json(cli, r, r->result);
	return true;
}

static void where(const struct cli *cli, char *ret, size_t size)
{
	snprintf(ret, size, "%s%s%s", cli->noun, cli->verb->name[0] ? " " : "", cli->verb->name);
}

static int connect_once(struct cli *cli)
{
	const char *suffix = cli->options[OPT_SOCKET];
	struct err err = { 0 };
	enum reply_code code;

	if (cli->connected)
		return 0;
	code = cli->io->connect(cli->io->connect_ctx, suffix ? suffix : cli->io->socket,
				&cli->client, &err);
	if (code != REPLY_OK)
		return cli_error(cli, reply_exit_code(code), "%s", err.text);
	cli->connected = true;
	return 0;
}

int cli_call(struct cli *cli, enum method method, json_t *params, struct reply *ret)
{
	char verb[64];
	int r = connect_once(cli);

	*ret = (struct reply){ 0 };
	if (r) {
		json_decref(params);
		return r;
	}
	if (client_call(&cli->client, method, params, ret) == REPLY_OK)
		return 0;
	where(cli, verb, sizeof(verb));
	return cli_error(cli, reply_exit_code(ret->code), "%s: %s", verb, ret->error);
}

int cli_order(struct cli *cli, enum method method, json_t *params, const char *done)
{
	struct reply reply;
	int r = cli_call(cli, method, params, &reply);

	if (r == 0 && !cli_json(cli, &reply) && done)
		fprintf(cli->io->out, "%s\n", done);
	reply_clear(&reply);
	return r;
}

void cli_warn_old(struct cli *cli, const struct reply *r)
{
	if (r->current || cli->warned)
		return;
	cli->warned = true;
	cli_error(cli, 0,
		  "not current: this node cannot reach the majority, or has not caught up: "
		  "what it shows is what it knew at index %llu",
		  (unsigned long long)r->index);
}

void cli_watch_current(struct cli *cli, const struct reply *r)
{
	if (r->current && cli->warned) {
		cli->warned = false;
		cli_error(cli, 0, "current again at index %llu", (unsigned long long)r->index);
	}
	cli_warn_old(cli, r);
}

bool cli_read_line(struct cli *cli, char *ret, size_t size)
{
	if (!fgets(ret, (int)size, cli->io->in))
		return false;
	ret[strcspn(ret, "\r\n")] = '\0';
	return true;
}

/* Two requests, then this: at most 400 in a second, of PROTO_RATE_PER_S. */
void cli_breathe(void)
{
	const struct timespec pause = { .tv_nsec = 5000000 };

	nanosleep(&pause, NULL);
}

const char *cli_str(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

int64_t cli_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool cli_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static int usage_error(struct cli *cli, const char *what, const char *arg)
{
	return cli_error(cli, EXIT_USAGE, "%s \"%s\": see: domus help", what, arg);
}

/* Takes the option at @argv[*i]. 0, or the exit code. */
static int take_option(struct cli *cli, int argc, char **argv, int *i)
{
	const char *arg = argv[*i];
	size_t len = strcspn(arg, "=");

	for (int o = 0; o < OPT_MAX; o++) {
		const struct cli_option_info *info = &cli_options[o];

		if (strlen(info->name) != len || strncmp(info->name, arg, len) != 0)
			continue;
		if (info->argument && !arg[len] && *i + 1 == argc)
			return cli_error(cli, EXIT_USAGE, "%s: %s is missing", arg, info->argument);
		if (!info->argument && arg[len])
			return cli_error(cli, EXIT_USAGE, "%s takes no argument", info->name);
		if (!info->argument)
			cli->options[o] = "";
		else
			cli->options[o] = arg[len] ? arg + len + 1 : argv[++*i];
		return 0;
	}
	return usage_error(cli, "unknown option", arg);
}

/*
 * JSON cannot say what is not UTF-8: refused here, so that no handler drops or changes it. The
 * argument is not repeated: it may be a secret.
 */
static int check_texts(struct cli *cli, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		json_t *text = json_string(argv[i]);

		if (!text)
			return cli_error(cli, EXIT_USAGE,
					 "argument %d is not UTF-8: names and texts have to be", i);
		json_decref(text);
	}
	return 0;
}

/* Options apart, the rest into @cli->args. After "--" nothing is an option. */
static int take_args(struct cli *cli, int argc, char **argv)
{
	bool only_args = false;
	int r = check_texts(cli, argc, argv);

	cli->args = mem_alloc0(sizeof(char *) * (size_t)(argc + 1));
	for (int i = 1; i < argc && r == 0; i++) {
		if (!only_args && strcmp(argv[i], "--") == 0)
			only_args = true;
		else if (!only_args && argv[i][0] == '-' && argv[i][1])
			r = take_option(cli, argc, argv, &i);
		else
			cli->args[cli->n_args++] = argv[i];
	}
	return r;
}

static const struct cli_noun *noun_find(const char *name)
{
	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		if (strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

static const struct cli_verb *verb_find(const struct cli_noun *noun, const char *name)
{
	for (const struct cli_verb *v = noun->verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

/* The number of arguments, and options that this verb does not know. */
static int check_args(struct cli *cli)
{
	unsigned int allowed = cli->verb->options | OPT(JSON) | OPT(SOCKET) | OPT(HELP);
	char verb[64];

	where(cli, verb, sizeof(verb));
	for (int o = 0; o < OPT_MAX; o++)
		if (cli->options[o] && !(allowed & 1u << o))
			return cli_error(cli, EXIT_USAGE, "%s: no option %s: see: domus %s --help",
					 verb, cli_options[o].name, verb);
	if (cli->n_args < cli->verb->min || (cli->verb->max >= 0 && cli->n_args > cli->verb->max))
		return cli_error(cli, EXIT_USAGE, "usage: domus %s%s%s", verb,
				 cli->verb->args[0] ? " " : "", cli->verb->args);
	return 0;
}

static int run_verb(struct cli *cli, const struct cli_noun *noun)
{
	int skip = 1, r;

	cli->noun = noun->name;
	cli->verb = verb_find(noun, "");
	if (!cli->verb && cli->n_args > 1) {
		cli->verb = verb_find(noun, cli->args[1]);
		skip = 2;
	}
	if (!cli->verb && cli->n_args > 1)
		return cli_error(cli, EXIT_USAGE, "%s: no verb \"%s\": see: domus %s --help",
				 noun->name, cli->args[1], noun->name);
	if (cli->verb && cli->options[OPT_HELP]) {
		cli_help_verb(cli->io->out, noun, cli->verb);
		return 0;
	}
	if (!cli->verb) {
		cli_help_noun(cli->options[OPT_HELP] ? cli->io->out : cli->io->err, noun);
		return cli->options[OPT_HELP] ? 0 : EXIT_USAGE;
	}
	cli->args += skip;
	cli->n_args -= skip;
	r = check_args(cli);
	return r ? r : cli->verb->run(cli);
}

/* "help", "help NOUN", or --help alone. */
static int run_help(struct cli *cli)
{
	const char *word = cli->n_args > 1 ? cli->args[1] : NULL;
	const struct cli_noun *noun = word ? noun_find(word) : NULL;

	if (word && !noun && strcmp(word, "help") != 0)
		return usage_error(cli, "unknown command", word);
	if (noun)
		cli_help_noun(cli->io->out, noun);
	else
		cli_help(cli->io->out);
	return 0;
}

static int run(struct cli *cli)
{
	const char *word = cli->n_args ? cli->args[0] : NULL;
	const struct cli_noun *noun = word ? noun_find(word) : NULL;

	if (noun)
		return run_verb(cli, noun);
	if (!word ? cli->options[OPT_HELP] != NULL : strcmp(word, "help") == 0)
		return run_help(cli);
	if (word)
		return usage_error(cli, "unknown command", word);
	cli_help(cli->io->err);
	return EXIT_USAGE;
}

int cli_main(int argc, char **argv, const struct cli_io *io)
{
	struct cli cli = { .io = io };
	_cleanup_(mem_freep) char **args = NULL;
	int r;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		fprintf(io->out, "domus %s\n", DOMUS_VERSION);
		return 0;
	}
	r = take_args(&cli, argc, argv);
	args = cli.args;
	if (r == 0)
		r = run(&cli);
	if (cli.connected)
		client_close(&cli.client);
	/* A result that could not be written is none. */
	if (fflush(io->out) != 0 && r == 0)
		r = cli_error(&cli, reply_exit_code(REPLY_FAILED), "cannot write the output");
	return r;
}
