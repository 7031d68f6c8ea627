/* SPDX-License-Identifier: Apache-2.0
 * Trouble as text. */
#include "trouble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const trouble_kind_names[TROUBLE_KIND_MAX] = {
	[TROUBLE_POWER] = "power",
	[TROUBLE_CRASH] = "crash",
	[TROUBLE_BOOT] = "boot",
	[TROUBLE_AGENT] = "agent",
	[TROUBLE_AGENT_KILL] = "agent-kill",
	[TROUBLE_AGENT_START] = "agent-start",
	[TROUBLE_SPLIT] = "split",
	[TROUBLE_HEAL] = "heal",
	[TROUBLE_CLOCK] = "clock",
	[TROUBLE_CLOCKS] = "clocks",
	[TROUBLE_SUSPEND] = "suspend",
	[TROUBLE_RESUME] = "resume",
	[TROUBLE_STAND] = "stand",
	[TROUBLE_RATE] = "rate",
	[TROUBLE_TOKEN] = "token",
	[TROUBLE_JOIN] = "join",
	[TROUBLE_FAULTS] = "faults",
	[TROUBLE_DISK] = "disk",
	[TROUBLE_STALL] = "stall",
	[TROUBLE_CUT] = "cut",
	[TROUBLE_DISK_FULL] = "disk-full",
	[TROUBLE_DISK_EIO] = "disk-eio",
	[TROUBLE_DISK_FSYNC] = "disk-fsync",
	[TROUBLE_DISK_WELL] = "disk-well",
	[TROUBLE_ROLL_BACK] = "roll-back",
	[TROUBLE_WIPE] = "wipe",
	[TROUBLE_LIE] = "lie",
	[TROUBLE_DEVICE_APART] = "device-apart",
	[TROUBLE_DEVICE_WITH_NODE] = "device-with-node",
	[TROUBLE_DEVICE_LIES] = "device-lies",
	[TROUBLE_DIES] = "dies",
	[TROUBLE_POWERS_OFF] = "powers-off",
	[TROUBLE_PANICS] = "panics",
	[TROUBLE_REBOOTS] = "reboots",
	[TROUBLE_LOSES_DISK] = "loses-disk",
	[TROUBLE_START] = "start",
	[TROUBLE_STOP] = "stop",
	[TROUBLE_STOP_NOW] = "stop-now",
	[TROUBLE_PAUSE] = "pause",
	[TROUBLE_MIGRATE] = "migrate",
	[TROUBLE_DEFINE] = "define",
	[TROUBLE_UNDEFINE] = "undefine",
	[TROUBLE_DRAIN] = "drain",
	[TROUBLE_ACTIVATE] = "activate",
	[TROUBLE_FENCE] = "fence",
	[TROUBLE_CONFIRM_OFF] = "confirm-off",
	[TROUBLE_VOLUME_CREATE] = "volume-create",
	[TROUBLE_VOLUME_DELETE] = "volume-delete",
	[TROUBLE_SETTLE] = "settle",
};
TABLE_DEFINE(trouble_kind, enum trouble_kind, TROUBLE_KIND_MAX)

/* One letter for each argument: a node, a guest, a volume, or a number (+). */
static const char *const forms[TROUBLE_KIND_MAX] = {
	[TROUBLE_POWER] = "n",	      [TROUBLE_CRASH] = "n",	     [TROUBLE_BOOT] = "n",	[TROUBLE_AGENT] = "n",
	[TROUBLE_AGENT_KILL] = "n",   [TROUBLE_AGENT_START] = "n",   [TROUBLE_SPLIT] = "+",	[TROUBLE_HEAL] = "",
	[TROUBLE_CLOCK] = "n+",	      [TROUBLE_CLOCKS] = "+",	     [TROUBLE_DISK] = "n+",	[TROUBLE_FAULTS] = "+++++",
	[TROUBLE_SUSPEND] = "n",      [TROUBLE_RESUME] = "n",	     [TROUBLE_STAND] = "n",	[TROUBLE_RATE] = "n+",
	[TROUBLE_TOKEN] = "n",	      [TROUBLE_JOIN] = "",	     [TROUBLE_STALL] = "n+",	[TROUBLE_CUT] = "n++",
	[TROUBLE_DISK_FULL] = "n",    [TROUBLE_DISK_EIO] = "n",	     [TROUBLE_DISK_FSYNC] = "n", [TROUBLE_DISK_WELL] = "n",
	[TROUBLE_ROLL_BACK] = "n+",   [TROUBLE_WIPE] = "n",	     [TROUBLE_LIE] = "n++",
	[TROUBLE_DEVICE_APART] = "n", [TROUBLE_DEVICE_WITH_NODE] = "n", [TROUBLE_DEVICE_LIES] = "n",
	[TROUBLE_DIES] = "g",	      [TROUBLE_POWERS_OFF] = "g",    [TROUBLE_PANICS] = "g",	[TROUBLE_REBOOTS] = "g",
	[TROUBLE_LOSES_DISK] = "g",   [TROUBLE_START] = "gn",	     [TROUBLE_STOP] = "gn",	[TROUBLE_STOP_NOW] = "gn",
	[TROUBLE_PAUSE] = "gn",	      [TROUBLE_MIGRATE] = "gn",	     [TROUBLE_DEFINE] = "gn",	[TROUBLE_UNDEFINE] = "gn",
	[TROUBLE_DRAIN] = "nn",	      [TROUBLE_ACTIVATE] = "nn",     [TROUBLE_FENCE] = "nn",	[TROUBLE_CONFIRM_OFF] = "nn",
	[TROUBLE_VOLUME_CREATE] = "vn", [TROUBLE_VOLUME_DELETE] = "vn", [TROUBLE_SETTLE] = "",
};

void trouble_print(const struct trouble *t, struct buf *out)
{
	const char *form = forms[t->kind];

	buf_printf(out, "%lld.%03lld %s", (long long)(t->at_us / US_PER_MS), (long long)(t->at_us % US_PER_MS),
		   trouble_kind_text(t->kind));
	for (size_t i = 0; form[i]; i++)
		buf_printf(out, form[i] == '+' ? " " : " %c", form[i]), buf_i64(out, t->args[i]);
}

/* Milliseconds, with three digits behind the point. */
static int parse_time(const char *word, int64_t *ret_us)
{
	long long ms;
	unsigned us;
	int end = 0;

	if (sscanf(word, "%lld.%3u%n", &ms, &us, &end) != 2 || word[end] || ms < 0)
		return -EINVAL;
	*ret_us = ms * US_PER_MS + us;
	return 0;
}

static int parse_arg(const char *word, char form, const struct shape *shape, int64_t *ret)
{
	int64_t most = form == 'n' ? shape->nodes : form == 'g' ? shape->guests : 2 * shape->guests;
	char *end;

	if (form != '+' && *word++ != form)
		return -EINVAL;
	*ret = strtoll(word, &end, 10);
	return *end || end == word || (form != '+' && (*ret < 1 || *ret > most)) ? -EINVAL : 0;
}

static int parse_words(char *const *words, const struct shape *shape, struct trouble *ret)
{
	const char *form;

	if (!words[0] || parse_time(words[0], &ret->at_us) < 0)
		return -EINVAL;
	ret->kind = words[1] ? trouble_kind_parse(words[1]) : TROUBLE_KIND_INVALID;
	if (ret->kind == TROUBLE_KIND_INVALID)
		return -EINVAL;
	form = forms[ret->kind];
	for (size_t i = 0; form[i]; i++)
		if (!words[2 + i] || parse_arg(words[2 + i], form[i], shape, &ret->args[i]) < 0)
			return -EINVAL;
	return words[2 + strlen(form)] ? -EINVAL : 0;
}

int trouble_parse(const char *line, const struct shape *shape, struct trouble *ret, struct err *ret_err)
{
	char *words[TROUBLE_ARGS + 4] = { NULL }, *rest = NULL;
	struct trouble t = { 0 };
	char copy[256];
	size_t n = 0;
	int rc;

	rc = STRCPY(copy, line);
	for (char *word = strtok_r(copy, " \t", &rest); word && n < ARRAY_SIZE(words) - 1; word = strtok_r(NULL, " \t", &rest))
		words[n++] = word;
	if (rc == 0)
		rc = parse_words(words, shape, &t);
	if (rc < 0)
		return err_set(ret_err, -EINVAL, "not a trouble: %s", line);
	*ret = t;
	return 0;
}
