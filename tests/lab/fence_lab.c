/* SPDX-License-Identifier: Apache-2.0
 * fence_lab: a fence agent, and the power switch of the lab's nodes. */
#include "power.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OFF_LIMIT_MS 10000
#define ON_LIMIT_MS 20000

/* What fence agents answer with; ANSWER_NONE: the action is still to be done. */
enum answer { ANSWER_NONE = -1, ANSWER_OK = 0, ANSWER_FAILED = 1, ANSWER_OFF = 2 };

struct options {
	char action[32];
	char lab_dir[2048];
	char port[64];
	char faults[8];		/* "no": the switch works whatever the tests have told it */
};

static const struct option_row {
	const char *key;
	size_t offset, size;
} option_rows[] = {
#define OPTION(key, field) \
	{ key, offsetof(struct options, field), sizeof(((struct options *)0)->field) }
	OPTION("action", action),
	OPTION("lab_dir", lab_dir),
	OPTION("port", port),
	OPTION("plug", port),
	OPTION("faults", faults),
#undef OPTION
};

static const char metadata[] =
	"<?xml version=\"1.0\" ?>\n"
	"<resource-agent name=\"fence_lab\" shortdesc=\"Power switch of the lab's nodes\">\n"
	"  <longdesc>Kills all processes in a node's network namespace.</longdesc>\n"
	"  <vendor-url>https://localhost/</vendor-url>\n"
	"  <parameters>\n"
	"    <parameter name=\"action\" unique=\"0\" required=\"1\">\n"
	"      <getopt mixed=\"action=[action]\" />\n"
	"      <content type=\"string\" default=\"off\" />\n"
	"      <shortdesc lang=\"en\">Fencing action</shortdesc>\n"
	"    </parameter>\n"
	"    <parameter name=\"lab_dir\" unique=\"0\" required=\"1\">\n"
	"      <getopt mixed=\"lab_dir=[folder]\" />\n"
	"      <content type=\"string\" />\n"
	"      <shortdesc lang=\"en\">Folder of the lab</shortdesc>\n"
	"    </parameter>\n"
	"    <parameter name=\"port\" unique=\"0\" required=\"1\">\n"
	"      <getopt mixed=\"port=[node]\" />\n"
	"      <content type=\"string\" />\n"
	"      <shortdesc lang=\"en\">Name of the node</shortdesc>\n"
	"    </parameter>\n"
	"  </parameters>\n"
	"  <actions>\n"
	"    <action name=\"on\" automatic=\"0\" />\n"
	"    <action name=\"off\" />\n"
	"    <action name=\"reboot\" />\n"
	"    <action name=\"status\" />\n"
	"    <action name=\"monitor\" />\n"
	"    <action name=\"list\" />\n"
	"    <action name=\"metadata\" />\n"
	"  </actions>\n"
	"</resource-agent>\n";

static int failed(const char *what, const char *on)
{
	fprintf(stderr, "fence_lab: %s: %s: %s\n", on, what, strerror(errno));
	return ANSWER_FAILED;
}

/* Unknown keys are ignored, as fence agents do. */
static void set_option(struct options *options, char *line)
{
	char *value = strchr(line, '=');
	size_t i;

	line[strcspn(line, "\n")] = '\0';
	if (!value)
		return;
	*value++ = '\0';
	for (i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++)
		if (strcmp(line, option_rows[i].key) == 0)
			snprintf((char *)options + option_rows[i].offset, option_rows[i].size, "%s",
				 value);
}

static void node_path(const struct options *options, const char *file, char *path, size_t size)
{
	snprintf(path, size, "%s/%s/%s", options->lab_dir, options->port, file);
}

static bool read_life(const struct options *options, struct life *life)
{
	char path[2200];
	FILE *file;
	bool good;

	node_path(options, LIFE_FILE, path, sizeof(path));
	file = fopen(path, "re");
	if (!file)
		return false;
	good = fscanf(file, LIFE_FORMAT, &life->pid, &life->started, &life->inode,
		      &life->cookie) == 4;
	fclose(file);
	return good;
}

static bool is_on(const struct options *options)
{
	struct life life;

	return read_life(options, &life) && power_is_on(&life);
}

static int do_status(const struct options *options)
{
	bool on = is_on(options);

	printf("Status: %s\n", on ? "ON" : "OFF");
	return on ? ANSWER_OK : ANSWER_OFF;
}

static int do_off(const struct options *options)
{
	struct life life;

	if (!read_life(options, &life) || power_off(&life, power_now_ms() + OFF_LIMIT_MS))
		return ANSWER_OK;
	errno = ETIMEDOUT;
	return failed("processes do not end", options->port);
}

/* Asks the process that holds the lab's switch to start the node. */
static bool ask_switch(const struct options *options)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "control" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char request[4096], reply[32];
	bool good;
	int n;

	n = snprintf(request, sizeof(request), "%s/power.log%c%s/power%c%s%c", options->lab_dir, 0,
		     options->lab_dir, 0, options->port, 0);
	if (chdir(options->lab_dir) < 0 || chdir("switch") < 0)
		return false;
	good = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       send(fd, request, (size_t)n, MSG_NOSIGNAL) == n &&
	       recv(fd, reply, sizeof(reply), 0) > 0 && reply[0] != '0';
	close(fd);
	return good;
}

static int do_on(const struct options *options)
{
	int64_t deadline = power_now_ms() + ON_LIMIT_MS;

	if (is_on(options))
		return ANSWER_OK;
	if (!ask_switch(options))
		return failed("cannot reach the switch", options->port);
	while (!is_on(options)) {
		if (power_now_ms() > deadline) {
			errno = ETIMEDOUT;
			return failed("does not come up", options->port);
		}
		poll(NULL, 0, 5);
	}
	return ANSWER_OK;
}

static int do_reboot(const struct options *options)
{
	int answer = do_off(options);

	return answer == ANSWER_OK ? do_on(options) : answer;
}

/* Good when the lab can be seen. */
static int do_monitor(const struct options *options)
{
	return access(options->lab_dir, X_OK) == 0 ? ANSWER_OK :
						     failed("no lab", options->lab_dir);
}

static int do_metadata(const struct options *options)
{
	(void)options;
	fputs(metadata, stdout);
	return ANSWER_OK;
}

static int do_list(const struct options *options)
{
	struct dirent *entry;
	DIR *dir = opendir(options->lab_dir);

	if (!dir)
		return failed("no lab", options->lab_dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] == 'n' && strspn(entry->d_name + 1, "0123456789") > 0)
			printf("%s,\n", entry->d_name);
	closedir(dir);
	return ANSWER_OK;
}

static const struct action_row {
	const char *name;
	int (*run)(const struct options *options);
	bool switches;		/* faults that a test has ordered bear on it */
	bool needs_port;
} action_rows[] = {
	{ "off",	do_off,		true,	true },
	{ "on",		do_on,		true,	true },
	{ "reboot",	do_reboot,	true,	true },
	{ "status",	do_status,	false,	true },
	{ "monitor",	do_monitor,	false,	false },
	{ "list",	do_list,	false,	false },
	{ "metadata",	do_metadata,	false,	false },
};

static int fault_fail(const struct options *options)
{
	errno = EIO;
	return failed("told to fail", options->port);
}

static int fault_hang(const struct options *options)
{
	(void)options;
	while (pause() < 0)
		continue;
	return ANSWER_FAILED;
}

static int fault_lie(const struct options *options)
{
	(void)options;
	return ANSWER_OK;
}

/* A power switch that is reached by the node's own cable. */
static int fault_in_band(const struct options *options)
{
	char path[2200], from[64], to[64];
	bool cut = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cuts", options->lab_dir);
	file = fopen(path, "re");
	while (file && fscanf(file, "%63s %63s", from, to) == 2)
		cut = cut || strcmp(from, options->port) == 0 || strcmp(to, options->port) == 0;
	if (file)
		fclose(file);
	errno = EHOSTUNREACH;
	return cut ? failed("its cable is cut", options->port) : ANSWER_NONE;
}

static const struct fault_row {
	const char *name;
	int (*instead)(const struct options *options);
} fault_rows[] = {
	{ "fail",	fault_fail },
	{ "hang",	fault_hang },
	{ "lie",	fault_lie },	/* says that it is done, does nothing; status tells the truth */
	{ "in-band",	fault_in_band },
};

/* What a test wants to go wrong stands in the node's file "fault". */
static const struct fault_row *find_fault(const struct options *options)
{
	char path[2200], text[16] = "";
	FILE *file;
	size_t i;

	node_path(options, "fault", path, sizeof(path));
	file = fopen(path, "re");
	if (!file)
		return NULL;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	for (i = 0; i < sizeof(fault_rows) / sizeof(fault_rows[0]); i++)
		if (strcmp(text, fault_rows[i].name) == 0)
			return &fault_rows[i];
	return NULL;
}

static const struct action_row *find_action(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(action_rows) / sizeof(action_rows[0]); i++)
		if (strcmp(name, action_rows[i].name) == 0)
			return &action_rows[i];
	return NULL;
}

static void read_options(struct options *options, int argc, char **argv)
{
	char line[4096];
	int i;

	for (i = 1; i < argc; i++)
		set_option(options, argv[i]);
	while (argc == 1 && fgets(line, sizeof(line), stdin))
		set_option(options, line);
}

int main(int argc, char **argv)
{
	static struct options options = { .action = "off" };
	const struct action_row *action;
	const struct fault_row *fault;
	int answer = ANSWER_NONE;

	read_options(&options, argc, argv);
	action = find_action(options.action);
	if (!action) {
		fprintf(stderr, "fence_lab: unknown action %s\n", options.action);
		return ANSWER_FAILED;
	}
	if (action->needs_port &&
	    (!options.port[0] || !options.lab_dir[0] || strchr(options.port, '/'))) {
		fprintf(stderr, "fence_lab: give lab_dir=FOLDER port=NODE action=ACTION\n");
		return ANSWER_FAILED;
	}
	if (action->switches && strcmp(options.faults, "no") != 0) {
		fault = find_fault(&options);
		answer = fault ? fault->instead(&options) : ANSWER_NONE;
	}
	return answer == ANSWER_NONE ? action->run(&options) : answer;
}
