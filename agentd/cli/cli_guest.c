/* SPDX-License-Identifier: Apache-2.0
 * domus guest: orders about guests, followed until they are carried out. */
#include "follow.h"
#include "guest_verbs.h"
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_MAX        (64 * 1024) /* bounds what we read; the agent takes less */
#define START_TIMEOUT_S 180
#define STOP_MARGIN_S   60      /* beyond what the guest itself may take */
#define NO_PLACE_US     5000000 /* stands still for so long: tell why, do not wait on */

static bool is(const json_t *guest, const char *key, const char *value)
{
	return strcmp(cli_str(guest, key), value) == 0;
}

static void say_why(const json_t *guest, struct buf *text)
{
	buf_printf(text, "%s is %s: %s", cli_str(guest, "name"), cli_str(guest, "state"),
		   *show_reason(guest) ? show_reason(guest) : "no reason is known");
}

/* No process, none being made: nothing will come of it unless something else changes. */
static bool stands_still(const struct follow *f, const json_t *guest)
{
	return (is(guest, "state", "stopped") || is(guest, "state", "recovering")) &&
	       cli_int(guest, "operation") == 0 && f->now_us - f->began_us > NO_PLACE_US;
}

static enum verdict running_look(struct follow *f, const struct reply *r, struct buf *text)
{
	const json_t *g = r->result;

	if (is(g, "state", "running"))
		return FOLLOW_DONE;
	say_why(g, text);
	return is(g, "state", "held") || is(g, "desired", "stopped") || stands_still(f, g)
		       ? FOLLOW_FAILED
		       : FOLLOW_ON;
}

static enum verdict stopped_look(struct follow *f, const struct reply *r, struct buf *text)
{
	const json_t *g = r->result;

	(void)f;
	/* Held: there is no process anywhere. */
	if (is(g, "state", "stopped") || is(g, "state", "held"))
		return FOLLOW_DONE;
	say_why(g, text);
	return is(g, "desired", "stopped") ? FOLLOW_ON : FOLLOW_FAILED;
}

static enum verdict paused_look(struct follow *f, const struct reply *r, struct buf *text)
{
	const json_t *g = r->result;

	if (is(g, "state", "paused"))
		return FOLLOW_DONE;
	say_why(g, text);
	return is(g, "state", "held") || !is(g, "desired", "paused") || stands_still(f, g)
		       ? FOLLOW_FAILED
		       : FOLLOW_ON;
}

/* What each order waits for. */
struct wish {
	enum method method;
	enum verdict (*look)(struct follow *f, const struct reply *r, struct buf *text);
	const char *done;
	bool asks_guest; /* takes as long as the guest wants, up to its stop timeout */
};

static int report(struct cli *cli, const struct follow *f, const struct wish *wish,
		  const struct reply *r)
{
	_cleanup_(buf_free) struct buf line = { 0 }, safe = { 0 };
	const char *node = cli_str(r->result, "node");

	if (cli_json(cli, r))
		return 0;
	buf_printf(&line, "%s %s%s%s", cli_str(r->result, "name"), wish->done, *node ? " on " : "",
		   node);
	if (f->now_us > f->began_us) {
		buf_str(&line, " after ");
		text_duration(&line, f->now_us - f->began_us);
	}
	text_safe(&safe, buf_cstr(&line));
	fprintf(cli->io->out, "%s\n", buf_cstr(&safe));
	return 0;
}

/* How long a guest may take to stop, by its own specification. */
static int stop_timeout(struct cli *cli, const char *name, int *ret_s)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_GUEST_SHOW, json_pack("{s:s}", "name", name), &r);

	*ret_s = (int)cli_int(r.result, "stop_timeout_s") + STOP_MARGIN_S;
	reply_clear(&r);
	return ret;
}

static int order_wish(struct cli *cli, const char *name, const struct wish *wish, json_t *params)
{
	struct follow f = { .cli = cli,
			    .method = METHOD_GUEST_SHOW,
			    .key = "name",
			    .name = name,
			    .timeout_s = START_TIMEOUT_S,
			    .wait_ms = 1000,
			    .look = wish->look,
			    .failed_code = EXIT_REFUSED };
	struct reply r;
	int ret = 0;

	if (wish->asks_guest && !cli_flag(cli, OPT_NO_WAIT))
		ret = stop_timeout(cli, name, &f.timeout_s);
	if (ret) {
		json_decref(params);
		return ret;
	}
	ret = cli_call(cli, wish->method, params, &r);
	if (ret == 0 && cli_flag(cli, OPT_NO_WAIT)) {
		if (!cli_json(cli, &r))
			fprintf(cli->io->out, "ordered\n");
	} else if (ret == 0) {
		f.since = (uint64_t)cli_int(r.result, "index");
		f.began_us = r.now_us;
		reply_clear(&r);
		ret = follow(&f, &r);
		if (ret == 0)
			ret = report(cli, &f, wish, &r);
	}
	reply_clear(&r);
	return ret;
}

static int start(struct cli *cli, const char *name)
{
	static const struct wish wish = { METHOD_GUEST_START, running_look, "runs", false };
	json_t *params = json_pack("{s:s}", "name", name);

	if (params && cli->options[OPT_ON])
		json_object_set_new(params, "on", json_string(cli->options[OPT_ON]));
	return order_wish(cli, name, &wish, params);
}

static int run_start(struct cli *cli)
{
	return start(cli, cli->args[0]);
}

static int run_stop(struct cli *cli)
{
	static const struct wish wish = { METHOD_GUEST_STOP, stopped_look, "is stopped", true };

	return order_wish(
		cli, cli->args[0], &wish,
		json_pack("{s:s, s:b}", "name", cli->args[0], "now", (int)cli_flag(cli, OPT_NOW)));
}

static int run_pause(struct cli *cli)
{
	static const struct wish wish = { METHOD_GUEST_PAUSE, paused_look, "is paused", false };

	return order_wish(cli, cli->args[0], &wish, json_pack("{s:s}", "name", cli->args[0]));
}

static int run_resume(struct cli *cli)
{
	static const struct wish wish = { METHOD_GUEST_RESUME, running_look, "runs", false };

	return order_wish(cli, cli->args[0], &wish, json_pack("{s:s}", "name", cli->args[0]));
}

/* A whole file, or the standard input for "-". */
static int read_spec(struct cli *cli, const char *path, struct buf *out)
{
	bool from_in = strcmp(path, "-") == 0;
	FILE *f = from_in ? cli->io->in : fopen(path, "re");
	char chunk[4096];
	bool failed;
	size_t n;

	if (!f)
		return cli_error(cli, EXIT_USAGE, "guest %s: %s: %s", cli->verb->name, path,
				 strerror(errno));
	while (out->len <= SPEC_MAX && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	failed = ferror(f);
	if (!from_in)
		fclose(f);
	if (failed || out->len > SPEC_MAX)
		return cli_error(cli, EXIT_USAGE, "guest %s: %s: %s", cli->verb->name, path,
				 failed ? "cannot be read" : "too long for a specification");
	return 0;
}

/* The name that the agent read in the specification goes to @ret_name. */
static int define(struct cli *cli, char *ret_name, size_t size)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct reply r = { 0 };
	json_t *spec;
	int ret = read_spec(cli, cli->args[0], &text);

	if (ret)
		return ret;
	spec = json_stringn(buf_cstr(&text), text.len);
	if (!spec)
		return cli_error(cli, EXIT_USAGE, "guest %s: %s: not text (UTF-8)", cli->verb->name,
				 cli->args[0]);
	ret = cli_call(cli, METHOD_GUEST_DEFINE, json_pack("{s:o}", "spec", spec), &r);
	snprintf(ret_name, size, "%s", cli_str(r.result, "name"));
	if (ret == 0 && strcmp(cli->verb->name, "define") == 0 && !cli_json(cli, &r))
		fprintf(cli->io->out, "%s is defined; start it with: domus guest start %s\n",
			ret_name, ret_name);
	reply_clear(&r);
	return ret;
}

static int run_define(struct cli *cli)
{
	char name[64];

	return define(cli, name, sizeof(name));
}

static int run_create(struct cli *cli)
{
	char name[64];
	int ret = define(cli, name, sizeof(name));

	return ret ? ret : start(cli, name);
}

static int run_undefine(struct cli *cli)
{
	char done[128];

	snprintf(done, sizeof(done), "%s is no more; its volumes are kept", cli->args[0]);
	return cli_order(cli, METHOD_GUEST_UNDEFINE, json_pack("{s:s}", "name", cli->args[0]),
			 done);
}

const struct cli_verb cli_guest_verbs[] = {
	{ "list", "", 0, 0, 0, "all guests", guest_list, 0 },
	{ "show", "GUEST", 1, 1, 0, "one guest", guest_show, 0 },
	{ "define", "FILE|-", 1, 1, 0,
	  "make a guest of a specification, or change one that is stopped", run_define, 0 },
	{ "create", "FILE|-", 1, 1, OPT(NO_WAIT) | OPT(ON), "define and start", run_create, 0 },
	{ "undefine", "GUEST", 1, 1, 0, "forget a guest that is stopped", run_undefine, 0 },
	{ "start", "GUEST", 1, 1, OPT(NO_WAIT) | OPT(ON), "let it run, on the best node", run_start,
	  0 },
	{ "stop", "GUEST", 1, 1, OPT(NO_WAIT) | OPT(NOW), "ask it to power off; then end it",
	  run_stop, 0 },
	{ "shutdown", "GUEST", 1, 1, OPT(NO_WAIT) | OPT(NOW), "the same as stop", run_stop, 0 },
	{ "destroy", "GUEST", 1, 1, OPT(NO_WAIT), "the same as stop --now", run_stop, OPT(NOW) },
	{ "pause", "GUEST", 1, 1, OPT(NO_WAIT), "let it stand still where it is", run_pause, 0 },
	{ "resume", "GUEST", 1, 1, OPT(NO_WAIT), "let it go on", run_resume, 0 },
	{ "migrate", "GUEST [NODE]", 1, 2, OPT(NO_WAIT), "move it while it runs", guest_migrate,
	  0 },
	{ "console", "GUEST", 1, 1, 0, "its serial console, on its node; Ctrl-] ends",
	  guest_console, 0 },
	{ 0 }
};
