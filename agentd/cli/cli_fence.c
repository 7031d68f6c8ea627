/* SPDX-License-Identifier: Apache-2.0
 * domus fence: the devices that switch nodes off. */
#include "show.h"

#include "base/mem.h"
#include "text.h"

#include <errno.h>
#include <string.h>

#define SECRET_MAX 1024

/* The first line of a file: a secret that must not stand in a command line. */
static int read_secret(struct cli *cli, const char *path, char ret[static SECRET_MAX])
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(ret, SECRET_MAX, f);

	if (f)
		fclose(f);
	if (!ok)
		return cli_error(cli, EXIT_USAGE, "fence set: %s: cannot read a line of it: %s",
				 path, f ? "it is empty" : strerror(errno));
	ret[strcspn(ret, "\r\n")] = '\0';
	return 0;
}

/* "key=value" or "key=@FILE" into @params. */
static int take_param(struct cli *cli, const char *arg, json_t *params)
{
	const char *eq = strchr(arg, '=');
	char key[64], value[SECRET_MAX];
	int ret = 0;

	if (!eq || eq == arg || (size_t)(eq - arg) >= sizeof(key))
		return cli_error(cli, EXIT_USAGE, "fence set: %s: KEY=VALUE or KEY=@FILE is wanted",
				 arg);
	snprintf(key, sizeof(key), "%.*s", (int)(eq - arg), arg);
	if (eq[1] == '@')
		ret = read_secret(cli, eq + 2, value);
	else if ((size_t)snprintf(value, sizeof(value), "%s", eq + 1) >= sizeof(value))
		ret = cli_error(cli, EXIT_USAGE, "fence set: %s: the value is too long", key);
	if (ret == 0 && json_object_set_new(params, key, json_string(value)) < 0)
		ret = cli_error(cli, EXIT_USAGE, "fence set: %s: not UTF-8", key);
	return ret;
}

static int run_set(struct cli *cli)
{
	bool none = strcmp(cli->args[1], "none") == 0;
	json_t *params = json_object();
	char done[160];
	int ret = 0;

	for (int i = 2; i < cli->n_args && ret == 0; i++)
		ret = take_param(cli, cli->args[i], params);
	if (ret) {
		json_decref(params);
		return ret;
	}
	snprintf(done, sizeof(done), none ? "%s has no fence device now" : "%s is fenced by %s",
		 cli->args[0], cli->args[1]);
	return cli_order(cli, METHOD_FENCE_SET,
			 json_pack("{s:s, s:s, s:o, s:b}", "node", cli->args[0], "agent",
				   none ? "" : cli->args[1], "params", params, "power_on",
				   (int)cli_flag(cli, OPT_POWER_ON)),
			 done);
}

static void show_devices(struct cli *cli, const json_t *list)
{
	static const char *const headers[] = { "NODE", "AGENT", "THEN ON", "PARAMETERS", NULL };
	struct text_table t = text_table(headers);
	json_t *dev, *key;
	size_t i, k;

	json_array_foreach(list, i, dev) {
		_cleanup_(buf_free) struct buf keys = { 0 };

		json_array_foreach(json_object_get(dev, "params"), k, key)
			buf_printf(&keys, "%s%s", k ? " " : "",
				   json_is_string(key) ? json_string_value(key) : "?");
		text_cell(&t, cli_str(dev, "node"));
		text_cell(&t, *cli_str(dev, "agent") ? cli_str(dev, "agent") : "none");
		text_cell(&t, cli_bool(dev, "power_on") ? "yes" : "no");
		text_cell(&t, buf_cstr(&keys));
	}
	text_table_print(&t, cli->io->out);
	text_table_free(&t);
}

static int run_list(struct cli *cli)
{
	struct reply r;
	int ret = cli_call(cli, METHOD_FENCE_LIST, NULL, &r);

	if (ret == 0)
		cli_warn_old(cli, &r);
	if (ret == 0 && !cli_json(cli, &r)) {
		show_devices(cli, r.result);
		show_index(cli, &r);
	}
	reply_clear(&r);
	return ret;
}

const struct cli_verb cli_fence_verbs[] = {
	{ "list", "", 0, 0, 0, "all nodes' fence devices, without secrets", run_list, 0 },
	{ "set", "NODE AGENT|none [KEY=VALUE|KEY=@FILE]...", 2, -1, OPT(POWER_ON),
	  "how this node is switched off; @FILE: the value is its first line", run_set, 0 },
	{ 0 }
};
