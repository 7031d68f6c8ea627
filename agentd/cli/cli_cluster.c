/* SPDX-License-Identifier: Apache-2.0
 * domus cluster: birth and admission; domus events, why, request. */
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int run_init(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_CLUSTER_INIT, json_pack("{s:s}", "name", cli->args[0]), &r);

	if (ret == 0 && !cli_json(cli, r.result))
		fprintf(cli->io->out,
			"cluster %s is born; on each other node say: domus cluster join\n",
			cli->args[0]);
	reply_clear(&r);
	return ret;
}

static int run_join(struct cli *cli)
{
	_cleanup_(buf_free) struct buf line = { 0 }, safe = { 0 };
	struct reply r;
	int ret = cli_call(cli, METHOD_CLUSTER_JOIN, NULL, &r);

	if (ret == 0 && !cli_json(cli, r.result)) {
		buf_printf(&line, "%s is a member of cluster %s", cli_str(r.result, "node"),
			   cli_str(r.result, "cluster"));
		text_safe(&safe, buf_cstr(&line));
		fprintf(cli->io->out, "%s\n", buf_cstr(&safe));
	}
	reply_clear(&r);
	return ret;
}

const struct cli_verb cli_cluster_verbs[] = {
	{ "init", "NAME", 1, 1, 0, "make a new cluster with this node as its first", run_init, 0 },
	{ "join", "", 0, 0, 0, "let this node into the cluster that it can see", run_join, 0 },
	{ 0 }
};

static void print_events(struct cli *cli, const json_t *events)
{
	json_t *ev;
	size_t i;

	json_array_foreach(events, i, ev) {
		_cleanup_(buf_free) struct buf when = { 0 }, subject = { 0 }, text = { 0 };

		text_time(&when, cli_int(ev, "time_us"));
		text_safe(&subject, cli_str(ev, "subject"));
		text_safe(&text, cli_str(ev, "text"));
		fprintf(cli->io->out, "%5" PRId64 "  %s  %-12s  %s\n", cli_int(ev, "seq"),
			buf_cstr(&when), subject.len ? buf_cstr(&subject) : "-", buf_cstr(&text));
	}
}

/* While following, each event is a line of JSON. */
static void print_events_json(struct cli *cli, const json_t *events)
{
	json_t *ev;
	size_t i;

	json_array_foreach(events, i, ev) {
		json_dumpf(ev, cli->io->out, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
		fputc('\n', cli->io->out);
	}
}

static int follow_events(struct cli *cli, int64_t after)
{
	void (*print)(struct cli *, const json_t *) =
		cli_flag(cli, OPT_JSON) ? print_events_json : print_events;
	int ret = 0;

	/* Ends by a signal, or when nobody reads any more. */
	while (ret == 0 && fflush(cli->io->out) == 0) {
		struct reply r;

		ret = cli_call(
			cli, METHOD_EVENTS_WAIT,
			json_pack("{s:I, s:i}", "after", (json_int_t)after, "timeout_ms", 20000),
			&r);
		if (ret == 0) {
			print(cli, json_object_get(r.result, "events"));
			after = cli_int(r.result, "last");
		}
		reply_clear(&r);
		cli_breathe();
	}
	return ret;
}

static int run_events(struct cli *cli)
{
	const char *text = cli->options[OPT_AFTER];
	json_t *params = json_object();
	struct reply r;
	char *rest = NULL;
	int64_t last;
	int ret;

	if (text) {
		int64_t after = strtoll(text, &rest, 10);

		json_object_set_new(params, "after", json_integer(after));
		if (rest == text || *rest || after < 0) {
			json_decref(params);
			return cli_error(cli, EXIT_USAGE, "events: --after: not a number: %s",
					 text);
		}
	}
	ret = cli_call(cli, METHOD_EVENTS, params, &r);
	last = cli_int(r.result, "last");
	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && cli_flag(cli, OPT_FOLLOW) && cli_flag(cli, OPT_JSON))
		print_events_json(cli, json_object_get(r.result, "events"));
	else if (ret == 0 && !cli_json(cli, r.result))
		print_events(cli, json_object_get(r.result, "events"));
	reply_clear(&r);
	return ret == 0 && cli_flag(cli, OPT_FOLLOW) ? follow_events(cli, last) : ret;
}

const struct cli_verb cli_events_verbs[] = { { "", "[--follow] [--after N]", 0, 0,
					       OPT(FOLLOW) | OPT(AFTER), "what has happened",
					       run_events, 0 },
					     { 0 } };

static int run_why(struct cli *cli)
{
	_cleanup_(buf_free) struct buf state = { 0 };
	struct reply r;
	int ret = cli_call(cli, METHOD_WHY, json_pack("{s:s}", "guest", cli->args[0]), &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, r.result)) {
		const char *node = cli_str(r.result, "node");

		show_guest_state(&state, r.result);
		show_linef(cli, cli_str(r.result, "name"), "%s%s%s", buf_cstr(&state),
			   *node ? " on " : "", node);
		fputc('\n', cli->io->out);
		show_reasons(cli, json_object_get(r.result, "reasons"), r.now_us);
	}
	reply_clear(&r);
	return ret;
}

const struct cli_verb cli_why_verbs[] = {
	{ "", "GUEST", 1, 1, 0, "the reasons of what was done with a guest, the newest last",
	  run_why, 0 },
	{ 0 }
};

static int run_request(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_REQUEST, json_pack("{s:s}", "id", cli->args[0]), &r);

	if (ret == 0 && strcmp(cli_str(r.result, "outcome"), "applied") != 0)
		ret = cli_error(cli, EXIT_UNKNOWN,
				"request: not seen here yet: it may still happen: ask again later");
	else if (ret == 0 && !cli_json(cli, r.result))
		fprintf(cli->io->out, "applied at index %" PRId64 "\n", cli_int(r.result, "index"));
	reply_clear(&r);
	return ret;
}

const struct cli_verb cli_request_verbs[] = {
	{ "", "ID", 1, 1, 0, "what became of an order whose outcome was not known", run_request,
	  0 },
	{ 0 }
};
