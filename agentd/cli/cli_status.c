/* SPDX-License-Identifier: Apache-2.0
 * domus status. */
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>

/* One line of text that came from the cluster. */
static void print_safe(struct cli *cli, const struct buf *line)
{
	_cleanup_(buf_free) struct buf safe = { 0 };

	text_safe(&safe, buf_cstr(line));
	fprintf(cli->io->out, "%s\n", buf_cstr(&safe));
}

static void warning(struct cli *cli, const struct reply *r)
{
	const char *why_not = cli_str(r->result, "why_not");
	bool blank = !*cli_str(r->result, "cluster");
	_cleanup_(buf_free) struct buf line = { 0 };

	buf_printf(&line, "%s: %s%s", cli_str(r->result, "node"),
		   *why_not ? why_not : "not current",
		   blank ? "" : ". What follows is what it knew last.");
	print_safe(cli, &line);
	fputc('\n', cli->io->out);
}

static const char *or_else(const char *text, const char *other)
{
	return *text ? text : other;
}

static void heading(struct cli *cli, const struct reply *r)
{
	const json_t *s = r->result;
	_cleanup_(buf_free) struct buf line = { 0 };

	buf_printf(&line,
		   "cluster %s, asked %s (%s): %s, leader %s, term %" PRIu64 ", index %" PRIu64,
		   or_else(cli_str(s, "cluster"), "(none)"), cli_str(s, "node"), cli_str(s, "role"),
		   cli_bool(s, "quorate") ? "quorate" : "not quorate",
		   or_else(cli_str(s, "leader"), "none"), r->term, r->index);
	if (r->age_ms >= 0) {
		buf_str(&line, ", majority heard ");
		text_duration(&line, r->age_ms * 1000);
		buf_str(&line, " ago");
	}
	print_safe(cli, &line);
}

static void operations(struct cli *cli, const json_t *list)
{
	static const char *const headers[] = { "OPERATION", "NODE", "ABOUT", "ID", NULL };
	struct text_table t = text_table(headers);
	json_t *op;
	size_t i;

	json_array_foreach(list, i, op) {
		text_cell(&t, cli_str(op, "kind"));
		text_cell(&t, cli_str(op, "node"));
		text_cell(&t, cli_str(op, "subject"));
		text_cellf(&t, "%" PRId64, cli_int(op, "id"));
	}
	if (i) {
		fputc('\n', cli->io->out);
		text_table_print(&t, cli->io->out);
	}
	text_table_free(&t);
}

static void alarms(struct cli *cli, const json_t *list)
{
	json_t *alarm;
	size_t i;

	json_array_foreach(list, i, alarm) {
		_cleanup_(buf_free) struct buf safe = { 0 };

		text_safe(&safe, json_string_value(alarm));
		fprintf(cli->io->out, "%sALARM: %s\n", i ? "" : "\n", buf_cstr(&safe));
	}
}

static int run_status(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_STATUS, NULL, &r);

	if (ret == 0 && !cli_json(cli, &r)) {
		if (!r.current)
			warning(cli, &r);
		heading(cli, &r);
		fputc('\n', cli->io->out);
		show_nodes(cli, json_object_get(r.result, "nodes"));
		fputc('\n', cli->io->out);
		show_guests(cli, json_object_get(r.result, "guests"), r.now_us);
		operations(cli, json_object_get(r.result, "operations"));
		alarms(cli, json_object_get(r.result, "alarms"));
	}
	reply_clear(&r);
	return ret;
}

const struct cli_verb cli_status_verbs[] = {
	{ "", "", 0, 0, 0, "the cluster, its nodes, its guests, what is under way", run_status, 0 },
	{ 0 }
};
