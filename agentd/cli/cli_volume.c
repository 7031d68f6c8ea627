/* SPDX-License-Identifier: Apache-2.0
 * domus volume and domus pool: the guests' disks and where they are kept. */
#include "follow.h"
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define DEFAULT_POOL     "default"
#define VOLUME_TIMEOUT_S 300

struct volume_name {
	char pool[64], name[64];
};

/* "[POOL/]NAME" */
static int take_name(struct cli *cli, const char *arg, struct volume_name *ret)
{
	const char *slash = strchr(arg, '/');
	size_t len = slash ? (size_t)(slash - arg) : strlen(DEFAULT_POOL);
	const char *name = slash ? slash + 1 : arg;

	if (len >= sizeof(ret->pool) || STRCPY(ret->name, name) < 0)
		return cli_error(cli, EXIT_USAGE, "volume: %s: names have up to 63 characters",
				 arg);
	snprintf(ret->pool, sizeof(ret->pool), "%.*s", (int)len, slash ? arg : DEFAULT_POOL);
	return 0;
}

static const json_t *find(const json_t *list, const struct volume_name *v)
{
	json_t *volume;
	size_t i;

	json_array_foreach(list, i, volume)
		if (strcmp(cli_str(volume, "name"), v->name) == 0 &&
		    strcmp(cli_str(volume, "pool"), v->pool) == 0)
			return volume;
	return NULL;
}

static enum verdict create_look(struct follow *f, const struct reply *r, struct buf *text)
{
	const json_t *volume = find(r->result, f->ctx);
	const char *state = cli_str(volume, "state");

	if (strcmp(state, "ready") == 0)
		return FOLLOW_DONE;
	if (!volume || strcmp(state, "failed") == 0) {
		buf_printf(text, "%s: %s", f->cli->args[0],
			   volume ? cli_str(volume, "reason") : "it is gone again");
		return FOLLOW_FAILED;
	}
	buf_printf(text, "%s: %s", f->cli->args[0], state);
	return FOLLOW_ON;
}

static enum verdict delete_look(struct follow *f, const struct reply *r, struct buf *text)
{
	const json_t *volume = find(r->result, f->ctx);

	if (!volume)
		return FOLLOW_DONE;
	buf_printf(text, "%s: %s", f->cli->args[0], cli_str(volume, "state"));
	if (strcmp(cli_str(volume, "state"), "failed") != 0)
		return FOLLOW_ON;
	buf_printf(text, ": %s", cli_str(volume, "reason"));
	return FOLLOW_FAILED;
}

static int order_and_follow(struct cli *cli, enum method method, json_t *params,
			    struct volume_name *v, const char *done,
			    enum verdict (*look)(struct follow *, const struct reply *,
						 struct buf *))
{
	struct follow f = { .cli = cli,
			    .method = METHOD_VOLUME_LIST,
			    .name = cli->args[0],
			    .timeout_s = VOLUME_TIMEOUT_S,
			    .wait_ms = 1000,
			    .look = look,
			    .failed_code = 1,
			    .ctx = v };
	struct reply r;
	int ret = cli_call(cli, method, params, &r);

	if (ret == 0 && !cli_flag(cli, OPT_NO_WAIT)) {
		reply_clear(&r);
		ret = follow(&f, &r);
	}
	if (ret == 0 && cli_flag(cli, OPT_JSON)) {
		const json_t *volume = find(r.result, v);

		cli_print_json(cli, &r, volume ? volume : r.result);
	} else if (ret == 0) {
		fprintf(cli->io->out, "%s/%s %s\n", v->pool, v->name,
			cli_flag(cli, OPT_NO_WAIT) ? "is ordered" : done);
	}
	reply_clear(&r);
	return ret;
}

static int run_create(struct cli *cli)
{
	struct volume_name v;
	uint64_t size;
	int ret = take_name(cli, cli->args[0], &v);

	if (ret)
		return ret;
	if (text_parse_bytes(cli->args[1], &size) < 0 || size > INT64_MAX)
		return cli_error(
			cli, EXIT_USAGE,
			"volume create: size %s: a number with K, M, G or T is wanted, as in 10G",
			cli->args[1]);
	return order_and_follow(cli, METHOD_VOLUME_CREATE,
				json_pack("{s:s, s:s, s:I}", "pool", v.pool, "name", v.name, "size",
					  (json_int_t)size),
				&v, "is ready", create_look);
}

static int run_delete(struct cli *cli)
{
	struct volume_name v;
	int ret = take_name(cli, cli->args[0], &v);

	if (ret)
		return ret;
	return order_and_follow(cli, METHOD_VOLUME_DELETE,
				json_pack("{s:s, s:s}", "pool", v.pool, "name", v.name), &v,
				"is deleted", delete_look);
}

static void show_volumes(struct cli *cli, const json_t *list)
{
	static const char *const headers[] = { "VOLUME", "SIZE", "STATE", "ACCESS", "GUEST", NULL };
	struct text_table t = text_table(headers);
	json_t *volume;
	size_t i;

	json_array_foreach(list, i, volume) {
		_cleanup_(buf_free) struct buf size = { 0 }, access = { 0 };
		const char *reason = cli_str(volume, "reason");

		text_bytes(&size, (uint64_t)cli_int(volume, "size"));
		show_access(&access, volume);
		text_cellf(&t, "%s/%s", cli_str(volume, "pool"), cli_str(volume, "name"));
		text_cell(&t, buf_cstr(&size));
		text_cellf(&t, "%s%s%s", cli_str(volume, "state"), *reason ? ": " : "", reason);
		text_cell(&t, buf_cstr(&access));
		text_cell(&t, cli_str(volume, "guest"));
	}
	if (i)
		text_table_print(&t, cli->io->out);
	else
		fputs("no volumes\n", cli->io->out);
	text_table_free(&t);
}

static void show_pools(struct cli *cli, const json_t *list)
{
	static const char *const headers[] = { "POOL", "BACKEND", "PATH", NULL };
	struct text_table t = text_table(headers);
	json_t *pool;
	size_t i;

	json_array_foreach(list, i, pool) {
		text_cell(&t, cli_str(pool, "name"));
		text_cell(&t, cli_str(pool, "backend"));
		text_cell(&t, cli_str(pool, "path"));
	}
	if (i)
		text_table_print(&t, cli->io->out);
	else
		fputs("no pools: make one with: domus pool create default /PATH\n", cli->io->out);
	text_table_free(&t);
}

static int list(struct cli *cli, enum method method, void (*show)(struct cli *, const json_t *))
{
	struct reply r;
	int ret = cli_call(cli, method, NULL, &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, &r)) {
		show(cli, r.result);
		show_index(cli, &r);
	}
	reply_clear(&r);
	return ret;
}

static int run_list(struct cli *cli)
{
	return list(cli, METHOD_VOLUME_LIST, show_volumes);
}

const struct cli_verb cli_volume_verbs[] = {
	{ "list", "", 0, 0, 0, "all volumes and who uses them", run_list, 0 },
	{ "create", "[POOL/]NAME SIZE", 2, 2, OPT(NO_WAIT),
	  "a new, empty volume; SIZE as 10G, 512M", run_create, 0 },
	{ "delete", "[POOL/]NAME", 1, 1, OPT(NO_WAIT), "destroy a volume and what is on it",
	  run_delete, 0 },
	{ 0 }
};

static int run_pool_create(struct cli *cli)
{
	char done[160];

	snprintf(done, sizeof(done), "pool %s is there", cli->args[0]);
	return cli_order(cli, METHOD_POOL_CREATE,
			 json_pack("{s:s, s:s}", "name", cli->args[0], "path", cli->args[1]), done);
}

static int run_pool_delete(struct cli *cli)
{
	char done[160];

	snprintf(done, sizeof(done), "pool %s is no more; its folder is kept", cli->args[0]);
	return cli_order(cli, METHOD_POOL_DELETE, json_pack("{s:s}", "name", cli->args[0]), done);
}

static int run_pool_list(struct cli *cli)
{
	return list(cli, METHOD_POOL_LIST, show_pools);
}

const struct cli_verb cli_pool_verbs[] = {
	{ "list", "", 0, 0, 0, "all pools", run_pool_list, 0 },
	{ "create", "NAME PATH", 2, 2, 0, "a pool of plain files in a folder that all nodes see",
	  run_pool_create, 0 },
	{ "delete", "POOL", 1, 1, 0, "forget a pool that has no volumes", run_pool_delete, 0 },
	{ 0 }
};
