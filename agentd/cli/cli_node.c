/* SPDX-License-Identifier: Apache-2.0
 * domus node: the hosts. */
#include "follow.h"
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define DRAIN_TIMEOUT_S 900
#define DRAIN_QUIET_US  5000000 /* so long nothing moves: what is left stays */
#define FENCE_TIMEOUT_S 120

static json_t *node_params(const struct cli *cli)
{
	return json_pack("{s:s}", "node", cli->args[0]);
}

static int run_list(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_NODE_LIST, NULL, &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, &r)) {
		show_nodes(cli, r.result);
		show_index(cli, &r);
	}
	reply_clear(&r);
	return ret;
}

static void show_proof(struct cli *cli, const json_t *proof, int64_t now_us)
{
	_cleanup_(buf_free) struct buf when = { 0 };

	if (!json_is_object(proof))
		return;
	text_ago(&when, now_us, cli_int(proof, "time_us"));
	show_linef(cli, "proof", "%s by %s, %s", cli_str(proof, "kind"), cli_str(proof, "by"),
		   buf_cstr(&when));
}

static void show_node(struct cli *cli, const struct reply *r)
{
	_cleanup_(buf_free) struct buf state = { 0 }, since = { 0 };
	const json_t *n = r->result;

	show_node_state(&state, n);
	text_ago(&since, r->now_us, cli_int(n, "since_us"));
	show_linef(cli, "node", "%s (id %" PRId64 ")%s", cli_str(n, "name"), cli_int(n, "id"),
		   cli_bool(n, "leader") ? ", leader" : "");
	show_linef(cli, "state", "%s, since %s", buf_cstr(&state), buf_cstr(&since));
	show_linef(cli, "guests", "%" PRId64, cli_int(n, "guests"));
	show_linef(cli, "memory", "%" PRId64 " of %" PRId64 " MiB promised",
		   cli_int(n, "memory_used_mib"), cli_int(n, "memory_mib"));
	show_linef(cli, "cpus", "%" PRId64, cli_int(n, "cpus"));
	show_line(cli, "fencing", cli_str(n, "fence_agent"));
	show_proof(cli, json_object_get(n, "proof"), r->now_us);
	show_line(cli, "incarnation", cli_str(n, "incarnation"));
	show_index(cli, r);
}

static int run_show(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_NODE_SHOW, node_params(cli), &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, &r))
		show_node(cli, &r);
	reply_clear(&r);
	return ret;
}

static bool is_moving(const json_t *guest)
{
	const char *state = cli_str(guest, "state");

	return strcmp(state, "migrating") == 0 || strcmp(state, "stopping") == 0 ||
	       strcmp(state, "starting") == 0 || cli_bool(guest, "wants_move");
}

/* What a drain has seen: how many were there, and when that or their doings last changed. */
struct drain {
	size_t left, moving;
	int64_t changed_us;
};

static void drain_stuck(const struct reply *r, const char *node, struct buf *text)
{
	const char *between = "";
	json_t *guest;
	size_t i;

	buf_printf(text, "%s: these guests stay: ", node);
	json_array_foreach(r->result, i, guest) {
		if (strcmp(cli_str(guest, "node"), node) != 0)
			continue;
		buf_printf(text, "%s%s (%s: %s)", between, cli_str(guest, "name"),
			   cli_str(guest, "state"), show_reason(guest));
		between = ", ";
	}
}

static enum verdict drain_look(struct follow *f, const struct reply *r, struct buf *text)
{
	const char *node = f->cli->args[0];
	struct drain *d = f->ctx;
	size_t i, left = 0, moving = 0;
	json_t *guest;

	json_array_foreach(r->result, i, guest)
		if (strcmp(cli_str(guest, "node"), node) == 0) {
			left++;
			moving += is_moving(guest);
		}
	if (left == 0)
		return FOLLOW_DONE;
	if (left != d->left || moving != d->moving || !d->changed_us)
		*d = (struct drain){ left, moving, f->now_us };
	if (moving == 0 && f->now_us - d->changed_us > DRAIN_QUIET_US) {
		drain_stuck(r, node, text);
		return FOLLOW_FAILED;
	}
	buf_printf(text, "%s: %zu guests left, %zu on their way", node, left, moving);
	return FOLLOW_ON;
}

static int run_drain(struct cli *cli)
{
	struct drain drain = { 0 };
	struct follow f = { .cli = cli,
			    .method = METHOD_GUEST_LIST,
			    .timeout_s = DRAIN_TIMEOUT_S,
			    .wait_ms = 1000,
			    .look = drain_look,
			    .failed_code = EXIT_REFUSED,
			    .ctx = &drain };
	struct reply r;
	int ret = cli_call(cli, METHOD_NODE_DRAIN, node_params(cli), &r);

	if (ret == 0 && cli_flag(cli, OPT_NO_WAIT)) {
		if (!cli_json(cli, &r))
			fprintf(cli->io->out, "%s is being drained\n", cli->args[0]);
	} else if (ret == 0) {
		reply_clear(&r);
		ret = follow(&f, &r);
		if (ret == 0 && !cli_json(cli, &r))
			fprintf(cli->io->out,
				"%s is empty; it takes guests again after: domus node activate "
				"%s\n",
				cli->args[0], cli->args[0]);
	}
	reply_clear(&r);
	return ret;
}

static int run_activate(struct cli *cli)
{
	char done[128];

	snprintf(done, sizeof(done), "%s takes guests", cli->args[0]);
	return cli_order(cli, METHOD_NODE_ACTIVATE, node_params(cli), done);
}

/* Whether the person means it: @what of a node does @this. */
static int confirm(struct cli *cli, const char *what, const char *this)
{
	const char *node = cli->args[0];
	char line[128];

	if (cli_flag(cli, OPT_YES))
		return 0;
	if (!cli->io->in_tty)
		return cli_error(cli, EXIT_USAGE,
				 "node %s %s: nobody to ask here: say --yes if you mean it", what,
				 node);
	fprintf(cli->io->err, "%s: %s\nType the node's name to go on: ", node, this);
	fflush(cli->io->err);
	if (!cli_read_line(cli, line, sizeof(line)) || strcmp(line, node) != 0)
		return cli_error(cli, EXIT_REFUSED, "node %s %s: not confirmed, nothing was done",
				 what, node);
	return 0;
}

static enum verdict fence_look(struct follow *f, const struct reply *r, struct buf *text)
{
	const json_t *proof = json_object_get(r->result, "proof");

	if ((uint64_t)cli_int(proof, "index") > f->since)
		return FOLLOW_DONE;
	if (!cli_bool(r->result, "fence_wanted")) {
		buf_printf(text, "%s was not proven off: see: domus events", f->name);
		return FOLLOW_FAILED;
	}
	buf_printf(text, "%s: %s, being fenced", f->name, cli_str(r->result, "state"));
	return FOLLOW_ON;
}

static int run_fence(struct cli *cli)
{
	struct follow f = { .cli = cli,
			    .method = METHOD_NODE_SHOW,
			    .key = "node",
			    .name = cli->args[0],
			    .timeout_s = FENCE_TIMEOUT_S,
			    .wait_ms = 1000,
			    .look = fence_look,
			    .failed_code = 1 };
	struct reply r = { 0 };
	int ret = confirm(cli, "fence",
			  "this cuts its power; what runs on it ends at once and is started "
			  "elsewhere.");

	if (ret)
		return ret;
	ret = cli_call(cli, METHOD_NODE_FENCE, node_params(cli), &r);
	if (ret == 0 && cli_flag(cli, OPT_NO_WAIT)) {
		if (!cli_json(cli, &r))
			fprintf(cli->io->out, "%s is being fenced\n", cli->args[0]);
	} else if (ret == 0) {
		f.since = (uint64_t)cli_int(r.result, "index");
		reply_clear(&r);
		ret = follow(&f, &r);
		if (ret == 0 && !cli_json(cli, &r))
			fprintf(cli->io->out, "%s is proven off\n", cli->args[0]);
	}
	reply_clear(&r);
	return ret;
}

static int run_confirm_off(struct cli *cli)
{
	char done[160];
	int ret = confirm(cli, "confirm-off",
			  "is it switched off for certain? Its guests are started elsewhere; if "
			  "it still runs, they run twice and destroy their disks.");

	if (ret)
		return ret;
	snprintf(done, sizeof(done), "noted: %s is off; its guests may be started elsewhere",
		 cli->args[0]);
	return cli_order(cli, METHOD_NODE_CONFIRM_OFF, node_params(cli), done);
}

const struct cli_verb cli_node_verbs[] = {
	{ "list", "", 0, 0, 0, "all nodes", run_list, 0 },
	{ "show", "NODE", 1, 1, 0, "one node", run_show, 0 },
	{ "drain", "NODE", 1, 1, OPT(NO_WAIT), "move its guests away and take no new ones",
	  run_drain, 0 },
	{ "activate", "NODE", 1, 1, 0, "take guests again", run_activate, 0 },
	{ "fence", "NODE", 1, 1, OPT(YES) | OPT(NO_WAIT), "cut its power (asks first)", run_fence,
	  0 },
	{ "confirm-off", "NODE", 1, 1, OPT(YES),
	  "your word that a lost node is switched off (asks first)", run_confirm_off, 0 },
	{ 0 }
};
