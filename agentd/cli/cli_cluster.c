/* SPDX-License-Identifier: Apache-2.0
 * domus cluster: birth and admission; domus why, request. */
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

static int run_init(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_CLUSTER_INIT, json_pack("{s:s}", "name", cli->args[0]), &r);

	if (ret == 0 && !cli_json(cli, &r))
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

	if (ret == 0 && !cli_json(cli, &r)) {
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

static int run_why(struct cli *cli)
{
	_cleanup_(buf_free) struct buf state = { 0 };
	struct reply r;
	int ret = cli_call(cli, METHOD_WHY, json_pack("{s:s}", "guest", cli->args[0]), &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, &r)) {
		const char *node = cli_str(r.result, "node");

		show_guest_state(&state, r.result);
		show_linef(cli, cli_str(r.result, "name"), "%s%s%s", buf_cstr(&state),
			   *node ? " on " : "", node);
		fputc('\n', cli->io->out);
		show_reasons(cli, json_object_get(r.result, "reasons"), r.now_us);
		show_index(cli, &r);
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
	else if (ret == 0 && !cli_json(cli, &r))
		fprintf(cli->io->out, "applied at index %" PRId64 "\n", cli_int(r.result, "index"));
	reply_clear(&r);
	return ret;
}

const struct cli_verb cli_request_verbs[] = {
	{ "", "ID", 1, 1, 0, "what became of an order whose outcome was not known", run_request,
	  0 },
	{ 0 }
};
