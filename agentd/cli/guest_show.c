/* SPDX-License-Identifier: Apache-2.0
 * domus guest list and show. */
#include "guest_verbs.h"
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

int guest_list(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_GUEST_LIST, NULL, &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, &r)) {
		show_guests(cli, r.result, r.now_us);
		show_index(cli, &r);
	}
	reply_clear(&r);
	return ret;
}

static void show_volumes(struct cli *cli, const json_t *volumes)
{
	json_t *v;
	size_t i;

	json_array_foreach(volumes, i, v)
		show_linef(cli, i ? "" : "volumes", "%s/%s%s, %s", cli_str(v, "pool"),
			   cli_str(v, "name"), cli_bool(v, "readonly") ? ", read only" : "",
			   cli_str(v, "access"));
}

static void show_domain(struct cli *cli, const json_t *domain)
{
	if (!json_is_object(domain))
		return;
	show_linef(cli, "process", "%" PRId64 " here, %s%s", cli_int(domain, "pid"),
		   cli_str(domain, "state"), cli_bool(domain, "kvm") ? ", KVM" : ", without KVM");
	if (*cli_str(domain, "vnc"))
		show_line(cli, "vnc", cli_str(domain, "vnc"));
}

static void show_failures(struct cli *cli, const json_t *failures, int64_t now_us)
{
	json_t *f;
	size_t i;

	json_array_foreach(failures, i, f) {
		_cleanup_(buf_free) struct buf when = { 0 };

		text_ago(&when, now_us, cli_int(f, "time_us"));
		show_linef(cli, i ? "" : "failures", "%s on %s, %s",
			   cli_bool(f, "start") ? "did not start" : "ended", cli_str(f, "node"),
			   buf_cstr(&when));
	}
}

static void show_last_move(struct cli *cli, const json_t *last, int64_t now_us)
{
	_cleanup_(buf_free) struct buf when = { 0 };

	if (!json_is_object(last))
		return;
	text_ago(&when, now_us, cli_int(last, "time_us"));
	show_linef(cli, "last move", "%s -> %s, %s: %" PRId64 " ms in all, downtime %" PRId64 " ms",
		   cli_str(last, "from"), cli_str(last, "to"), buf_cstr(&when),
		   cli_int(last, "total_ms"), cli_int(last, "downtime_ms"));
}

static void show(struct cli *cli, const struct reply *r)
{
	_cleanup_(buf_free) struct buf state = { 0 };
	const json_t *g = r->result;
	const char *node = cli_str(g, "node");

	show_guest_state(&state, g);
	show_line(cli, "guest", cli_str(g, "name"));
	show_linef(cli, "state", "%s%s%s", buf_cstr(&state), *node ? " on " : "", node);
	show_line(cli, "wanted", cli_str(g, "desired"));
	show_linef(cli, "memory", "%" PRId64 " MiB", cli_int(g, "memory_mib"));
	show_linef(cli, "vcpus", "%" PRId64, cli_int(g, "vcpus"));
	show_line(cli, "uuid", cli_str(g, "uuid"));
	show_volumes(cli, json_object_get(g, "volumes"));
	show_domain(cli, json_object_get(g, "domain"));
	show_last_move(cli, json_object_get(g, "last_move"), r->now_us);
	show_failures(cli, json_object_get(g, "failures"), r->now_us);
	fputc('\n', cli->io->out);
	show_reasons(cli, json_object_get(g, "reasons"), r->now_us);
	show_index(cli, r);
}

int guest_show(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_GUEST_SHOW, json_pack("{s:s}", "name", cli->args[0]), &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, &r))
		show(cli, &r);
	reply_clear(&r);
	return ret;
}
