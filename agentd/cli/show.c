/* SPDX-License-Identifier: Apache-2.0
 * How nodes, guests and volumes look to people. */
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define REASON_MAX 72 /* bytes, in a list */

void show_node_state(struct buf *out, const json_t *node)
{
	buf_str(out, cli_str(node, "state"));
	if (cli_bool(node, "drain") && strcmp(cli_str(node, "state"), "maintenance") != 0)
		buf_str(out, ", draining");
	if (cli_bool(node, "silent"))
		buf_str(out, ", silent");
	if (cli_bool(node, "fence_wanted"))
		buf_str(out, ", being fenced");
}

const char *show_reason(const json_t *guest)
{
	const char *state = cli_str(guest, "state"), *reason = cli_str(guest, "reason");
	size_t len = strlen(state);

	return strncmp(reason, state, len) == 0 && strncmp(reason + len, ": ", 2) == 0 ?
	       reason + len + 2 : reason;
}

/* One line of a list: the whole of a long reason is in `guest show` and `why`. */
static void reason_cell(struct text_table *t, const char *reason)
{
	int n = REASON_MAX - 3;

	if (strlen(reason) <= REASON_MAX) {
		text_cell(t, reason);
		return;
	}
	/* Not in the middle of a character. */
	while (n > 0 && (reason[n] & 0xc0) == 0x80)
		n--;
	text_cellf(t, "%.*s...", n, reason);
}

void show_guest_state(struct buf *out, const json_t *guest)
{
	const char *state = cli_str(guest, "state"), *desired = cli_str(guest, "desired");
	const json_t *move = json_object_get(guest, "move");

	buf_str(out, state);
	/* Handed over already, not yet running there: its owner is the target. */
	if (strcmp(state, "migrating") == 0 && json_is_object(move) &&
	    strcmp(cli_str(move, "from"), cli_str(move, "to")) == 0)
		buf_printf(out, " to %s", cli_str(move, "to"));
	else if (strcmp(state, "migrating") == 0 && json_is_object(move))
		buf_printf(out, " %s -> %s", cli_str(move, "from"), cli_str(move, "to"));
	/* Only where it stands still: the others are on their way. */
	else if ((strcmp(state, "stopped") == 0 || strcmp(state, "held") == 0) &&
		 strcmp(desired, "stopped") != 0)
		buf_printf(out, ", wanted: %s", desired);
}

void show_access(struct buf *out, const json_t *volume)
{
	json_t *nodes = json_object_get(volume, "nodes"), *node;
	size_t i;

	buf_str(out, cli_str(volume, "access"));
	json_array_foreach(nodes, i, node) {
		const char *name = json_string_value(node);

		buf_str(out, i ? " -> " : " (");
		buf_str(out, name ? name : "?");
	}
	if (json_array_size(nodes))
		buf_str(out, ")");
}

void show_nodes(struct cli *cli, const json_t *nodes)
{
	static const char *const headers[] = {
		"NODE", "STATE", "GUESTS", "MEMORY", "FENCING", NULL
	};
	struct text_table t = text_table(headers);
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		_cleanup_(buf_free) struct buf state = { 0 };

		show_node_state(&state, node);
		text_cellf(&t, "%s%s", cli_str(node, "name"),
			   cli_bool(node, "leader") ? " (leader)" : "");
		text_cell(&t, buf_cstr(&state));
		text_cellf(&t, "%" PRId64, cli_int(node, "guests"));
		text_cellf(&t, "%" PRId64 "/%" PRId64 " MiB", cli_int(node, "memory_used_mib"),
			   cli_int(node, "memory_mib"));
		text_cell(&t, cli_str(node, "fence_agent"));
	}
	if (i)
		text_table_print(&t, cli->io->out);
	else
		fputs("no nodes\n", cli->io->out);
	text_table_free(&t);
}

void show_guests(struct cli *cli, const json_t *guests, int64_t now_us)
{
	static const char *const headers[] = { "GUEST", "STATE",  "NODE", "MEMORY",
					       "SINCE", "REASON", NULL };
	struct text_table t = text_table(headers);
	json_t *guest;
	size_t i;

	json_array_foreach(guests, i, guest) {
		_cleanup_(buf_free) struct buf state = { 0 }, since = { 0 };

		show_guest_state(&state, guest);
		text_ago(&since, now_us, cli_int(guest, "since_us"));
		text_cell(&t, cli_str(guest, "name"));
		text_cell(&t, buf_cstr(&state));
		text_cell(&t, cli_str(guest, "node"));
		text_cellf(&t, "%" PRId64 " MiB", cli_int(guest, "memory_mib"));
		text_cell(&t, buf_cstr(&since));
		reason_cell(&t, show_reason(guest));
	}
	if (i)
		text_table_print(&t, cli->io->out);
	else
		fputs("no guests\n", cli->io->out);
	text_table_free(&t);
}

void show_line(struct cli *cli, const char *name, const char *value)
{
	_cleanup_(buf_free) struct buf safe = { 0 };

	text_safe(&safe, *value ? value : "-");
	fprintf(cli->io->out, "%-12s  %s\n", name, buf_cstr(&safe));
}

void show_linef(struct cli *cli, const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	show_line(cli, name, text);
}

void show_reasons(struct cli *cli, const json_t *reasons, int64_t now_us)
{
	static const char *const headers[] = { "INDEX", "WHEN", "WHAT", NULL };
	struct text_table t = text_table(headers);
	json_t *reason;
	size_t i;

	json_array_foreach(reasons, i, reason) {
		_cleanup_(buf_free) struct buf when = { 0 };

		text_ago(&when, now_us, cli_int(reason, "time_us"));
		text_cellf(&t, "%" PRId64, cli_int(reason, "index"));
		text_cell(&t, buf_cstr(&when));
		text_cell(&t, cli_str(reason, "text"));
	}
	if (i)
		text_table_print(&t, cli->io->out);
	text_table_free(&t);
}

void show_index(struct cli *cli, const struct reply *r)
{
	fprintf(cli->io->out, "as of index %" PRIu64 "\n", r->index);
}
