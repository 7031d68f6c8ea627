/* SPDX-License-Identifier: Apache-2.0
 * domus events: what has happened, and what happens from now on. */
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

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
			cli_watch_current(cli, &r);
			print(cli, json_object_get(r.result, "events"));
			after = cli_int(r.result, "last");
		}
		reply_clear(&r);
		cli_breathe();
	}
	return ret;
}

/* All after @after, in as many questions as it takes. @ret is the last answer, with all of them. */
static int ask_after(struct cli *cli, int64_t after, struct reply *ret)
{
	json_t *all = json_array(), *page;
	bool more;
	int r;

	do {
		r = cli_call(cli, METHOD_EVENTS,
			     json_pack("{s:I, s:i}", "after", (json_int_t)after, "max",
				       PROTO_EVENTS_MAX),
			     ret);
		page = json_object_get(ret->result, "events");
		json_array_extend(all, page);
		after = cli_int(ret->result, "last");
		more = json_array_size(page) == PROTO_EVENTS_MAX;
		if (more)
			reply_clear(ret);
	} while (more);
	json_object_set_new(ret->result, "events", all);
	return r;
}

static int ask(struct cli *cli, struct reply *ret)
{
	const char *text = cli->options[OPT_AFTER];
	char *rest = NULL;
	int64_t after;

	*ret = (struct reply){ 0 };
	if (!text)
		return cli_call(cli, METHOD_EVENTS, NULL, ret);
	after = strtoll(text, &rest, 10);
	if (rest == text || *rest || after < 0)
		return cli_error(cli, EXIT_USAGE, "events: --after: not a number: %s", text);
	return ask_after(cli, after, ret);
}

/* Once, or as the beginning of those that follow. */
static void tell(struct cli *cli, const struct reply *r)
{
	const json_t *events = json_object_get(r->result, "events");
	bool follows = cli_flag(cli, OPT_FOLLOW);

	cli_warn_old(cli, r);
	if (follows && cli_flag(cli, OPT_JSON)) {
		print_events_json(cli, events);
	} else if (!cli_json(cli, r)) {
		print_events(cli, events);
		if (!follows)
			show_index(cli, r);
	}
}

static int run_events(struct cli *cli)
{
	struct reply r;
	int ret = ask(cli, &r);
	int64_t last = cli_int(r.result, "last");

	if (ret == 0)
		tell(cli, &r);
	reply_clear(&r);
	return ret == 0 && cli_flag(cli, OPT_FOLLOW) ? follow_events(cli, last) : ret;
}

const struct cli_verb cli_events_verbs[] = {
	{ "", "[--follow] [--after N]", 0, 0, OPT(FOLLOW) | OPT(AFTER), "what has happened",
	  run_events, 0 },
	{ 0 }
};
