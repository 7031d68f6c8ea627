/* SPDX-License-Identifier: Apache-2.0
 * Help, made from the tables of nouns, verbs and options. */
#include "cli.h"

#include <string.h>

const struct cli_option_info cli_options[OPT_MAX] = {
	[OPT_JSON] = { "--json", NULL, "the answer as JSON, for programs" },
	[OPT_SOCKET] = { "--socket", "SUFFIX", "ask the agent with this socket suffix" },
	[OPT_HELP] = { "--help", NULL, "this help" },
	[OPT_NOW] = { "--now", NULL, "at once: the guest is not asked, its process is ended" },
	[OPT_YES] = { "--yes", NULL, "do not ask" },
	[OPT_NO_WAIT] = { "--no-wait", NULL, "return when it is ordered, not when it is done" },
	[OPT_ON] = { "--on", "NODE", "on this node" },
	[OPT_FOLLOW] = { "--follow", NULL, "go on with what happens from now on" },
	[OPT_AFTER] = { "--after", "N", "all events after this number, not just the newest 50" },
	[OPT_POWER_ON] = { "--power-on", NULL, "switch the node on again once it is proven off" },
};

static void verb_line(FILE *f, const struct cli_noun *noun, const struct cli_verb *v)
{
	char usage[128];

	snprintf(usage, sizeof(usage), "%s%s%s%s%s", noun->name, v->name[0] ? " " : "", v->name,
		 v->args[0] ? " " : "", v->args);
	if (strlen(usage) > 36)
		fprintf(f, "  %s\n  %-36s  %s\n", usage, "", v->help);
	else
		fprintf(f, "  %-36s  %s\n", usage, v->help);
}

static void option_lines(FILE *f, unsigned int options)
{
	for (int o = 0; o < OPT_MAX; o++) {
		char text[64];

		if (!(options & 1u << o))
			continue;
		snprintf(text, sizeof(text), "%s%s%s", cli_options[o].name,
			 cli_options[o].argument ? " " : "",
			 cli_options[o].argument ? cli_options[o].argument : "");
		fprintf(f, "  %-36s  %s\n", text, cli_options[o].help);
	}
}

void cli_help(FILE *f)
{
	fputs("usage: domus NOUN VERB [ARGUMENTS]\n\n", f);
	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		for (const struct cli_verb *v = n->verbs; v->name; v++)
			verb_line(f, n, v);
	fputs("\nfor all:\n", f);
	option_lines(f, OPT(JSON) | OPT(SOCKET) | OPT(HELP));
	fputs("\nMore: domus NOUN --help, domus NOUN VERB --help, man 8 domus\n", f);
}

void cli_help_noun(FILE *f, const struct cli_noun *noun)
{
	unsigned int options = 0;

	fprintf(f, "domus %s: %s\n\n", noun->name, noun->help);
	for (const struct cli_verb *v = noun->verbs; v->name; v++) {
		verb_line(f, noun, v);
		options |= v->options;
	}
	if (options)
		fputs("\noptions of some of them:\n", f);
	option_lines(f, options);
}

void cli_help_verb(FILE *f, const struct cli_noun *noun, const struct cli_verb *verb)
{
	fprintf(f, "usage: domus %s%s%s%s%s [OPTIONS]\n\n  %s\n\noptions:\n", noun->name,
		verb->name[0] ? " " : "", verb->name, verb->args[0] ? " " : "", verb->args,
		verb->help);
	option_lines(f, verb->options | OPT(JSON) | OPT(SOCKET) | OPT(HELP));
}
