/* SPDX-License-Identifier: Apache-2.0
 * domus guest migrate: ordered, followed with its progress, summed up. */
#include "follow.h"
#include "guest_verbs.h"
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define TIMEOUT_S 1800

/* What is known of a migration from one look to the next. */
struct trip {
	char from[64]; /* where it ran before */
	uint64_t sent_bytes;
	int64_t sent_us;
	uint64_t rate; /* bytes/s between the last two looks */
};

static bool is(const json_t *o, const char *key, const char *value)
{
	return strcmp(cli_str(o, key), value) == 0;
}

static void take_rate(struct trip *t, const json_t *progress, int64_t now_us)
{
	uint64_t sent = (uint64_t)cli_int(progress, "sent_bytes");

	if (t->sent_us && now_us > t->sent_us && sent >= t->sent_bytes)
		t->rate = (sent - t->sent_bytes) * 1000000 / (uint64_t)(now_us - t->sent_us);
	t->sent_bytes = sent;
	t->sent_us = now_us;
}

static void say_progress(struct follow *f, const json_t *move, struct buf *text)
{
	const json_t *progress = json_object_get(move, "progress");
	int64_t total = cli_int(progress, "total_bytes");
	struct trip *t = f->ctx;

	if (!json_is_object(move)) {
		buf_printf(text, "%s is to leave %s", f->name, t->from);
		return;
	}
	buf_printf(text, "%s: %s -> %s: %s", f->name, t->from, cli_str(move, "to"),
		   cli_str(move, "phase"));
	if (total <= 0)
		return;
	take_rate(t, progress, f->now_us);
	buf_printf(text, " %" PRId64 " %%",
		   (total - cli_int(progress, "remaining_bytes")) * 100 / total);
	if (t->rate)
		buf_printf(text, ", %" PRIu64 " MiB/s", t->rate >> 20);
}

static enum verdict look(struct follow *f, const struct reply *r, struct buf *text)
{
	const json_t *g = r->result;
	struct trip *t = f->ctx;
	bool elsewhere = *cli_str(g, "node") && !is(g, "node", t->from);

	if (cli_bool(g, "wants_move") || is(g, "state", "migrating")) {
		say_progress(f, json_object_get(g, "move"), text);
		return FOLLOW_ON;
	}
	if (is(g, "state", "running") && elsewhere)
		return FOLLOW_DONE;
	if (is(g, "state", "running"))
		buf_printf(text, "%s did not leave %s: %s", f->name, cli_str(g, "node"),
			   show_reason(g));
	else
		buf_printf(text, "%s is %s now: %s", f->name, cli_str(g, "state"),
			   show_reason(g));
	return FOLLOW_FAILED;
}

/* The figures of this migration; without them (its node was lost, say) why it is where it is. */
static void report(const struct follow *f, const struct reply *r)
{
	_cleanup_(buf_free) struct buf line = { 0 }, safe = { 0 };
	const json_t *guest = r->result, *last = json_object_get(guest, "last_move");

	if (cli_json(f->cli, r))
		return;
	buf_printf(&line, "%s runs on %s now: ", cli_str(guest, "name"), cli_str(guest, "node"));
	if ((uint64_t)cli_int(last, "index") > f->since)
		buf_printf(&line, "%" PRId64 " ms in all, downtime %" PRId64 " ms",
			   cli_int(last, "total_ms"), cli_int(last, "downtime_ms"));
	else
		buf_str(&line, show_reason(guest));
	text_safe(&safe, buf_cstr(&line));
	fprintf(f->cli->io->out, "%s\n", buf_cstr(&safe));
}

/* Where it is before. */
static int depart(struct cli *cli, struct trip *t)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_GUEST_SHOW, json_pack("{s:s}", "name", cli->args[0]), &r);

	snprintf(t->from, sizeof(t->from), "%s", cli_str(r.result, "node"));
	reply_clear(&r);
	return ret;
}

int guest_migrate(struct cli *cli)
{
	struct trip trip = { 0 };
	struct follow f = { .cli = cli,
			    .method = METHOD_GUEST_SHOW,
			    .key = "name",
			    .name = cli->args[0],
			    .timeout_s = TIMEOUT_S,
			    .wait_ms = cli->io->out_tty ? 200 : 1000,
			    .look = look,
			    .failed_code = 1,
			    .ctx = &trip };
	json_t *params = json_pack("{s:s}", "name", cli->args[0]);
	struct reply r = { 0 };
	int ret = depart(cli, &trip);

	if (ret) {
		json_decref(params);
		return ret;
	}
	if (cli->n_args > 1)
		json_object_set_new(params, "to", json_string(cli->args[1]));
	ret = cli_call(cli, METHOD_GUEST_MIGRATE, params, &r);
	if (ret == 0 && cli_flag(cli, OPT_NO_WAIT)) {
		if (!cli_json(cli, &r))
			fprintf(cli->io->out, "ordered\n");
	} else if (ret == 0) {
		f.since = (uint64_t)cli_int(r.result, "index");
		reply_clear(&r);
		ret = follow(&f, &r);
		if (ret == 0)
			report(&f, &r);
	}
	reply_clear(&r);
	return ret;
}
