/* SPDX-License-Identifier: Apache-2.0
 * domus-sim: sends a simulated cluster through trouble, and says whether it kept its promises. */
#include "explore/apart.h"
#include "explore/case.h"
#include "explore/shrink.h"
#include "world/fail.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
	"usage: domus-sim --seed N | --script FILE [OPTION...]\n"
	"Sends a simulated cluster through random trouble and says whether it kept its promises: exit status 0, or else 1.\n"
	"The same options give the same trace, to the letter; its hash stands at the end.\n"
	"  --seed N      what the trouble is drawn from\n"
	"  --script FILE the trouble itself, as --shrink prints it\n"
	"  --nodes N     1 to 8; default 3\n"
	"  --guests N    1 to 200; default 4\n"
	"  --log N       entries after which logs are cut, 0: late; default: drawn from the seed\n"
	"  --hours H     of virtual time; default: one run of trouble\n"
	"  --shrink      of what fails, print the shortest script that still does\n"
	"  --story       instead of the trace only what a person would tell\n"
	"  --quiet       without the trace\n"
	"\n"
	"       domus-sim --case DIR [--update]\n"
	"Plays DIR/script, and compares what a person would tell with DIR/log.expect; --update writes that anew.\n";

struct options {
	struct script script;
	double hours;
	const char *file, *folder;	/* of a script, of a case; or NULL */
	bool seeded, log_set, shrink, story, quiet, update;
};

void world_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* A failed assertion of the product is a failure like any other. */
static void aborted(int number)
{
	static const char text[] = "it ended by an assertion, or worse: see it in a debugger\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)number, (void)n;
	_exit(1);
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return end != text && !*end && *text != '-' && *ret >= least && *ret <= most;
}

static bool set(struct options *o, int option)
{
	uint64_t value;
	char *end;

	switch (option) {
	case 's': o->seeded = true; return number(optarg, 0, UINT64_MAX, &o->script.seed);
	case 'n':
		if (!number(optarg, 1, WORLD_NODES_MAX, &value))
			return false;
		o->script.shape.nodes = (uint32_t)value;
		return true;
	case 'g':
		if (!number(optarg, 1, 200, &value))
			return false;
		o->script.shape.guests = (uint32_t)value;
		return true;
	case 'l': o->log_set = true; return number(optarg, 0, UINT64_MAX, &o->script.shape.log_entries);
	case 'h': o->hours = strtod(optarg, &end); return !*end && o->hours >= 0;
	case 'k': o->shrink = true; return true;
	case 'q': o->quiet = true; return true;
	case 't': o->story = true; return true;
	case 'c': o->folder = optarg; return true;
	case 'f': o->file = optarg; return true;
	case 'u': o->update = true; return true;
	default: return false;
	}
}

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "seed", required_argument, NULL, 's' },   { "nodes", required_argument, NULL, 'n' },
		{ "guests", required_argument, NULL, 'g' }, { "hours", required_argument, NULL, 'h' },
		{ "shrink", no_argument, NULL, 'k' },	    { "quiet", no_argument, NULL, 'q' },
		{ "story", no_argument, NULL, 't' },	    { "case", required_argument, NULL, 'c' },
		{ "update", no_argument, NULL, 'u' },	    { "script", required_argument, NULL, 'f' },
		{ "log", required_argument, NULL, 'l' },   { NULL, 0, NULL, 0 },
	};
	int option;

	*o = (struct options){ .script = { .shape = { 3, 4, 0 } } };
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		if (!set(o, option))
			return false;
	if (!o->log_set)
		o->script.shape.log_entries = script_log_entries(o->script.seed);
	return o->seeded + !!o->folder + !!o->file == 1 && optind == argc;
}

static void print_outcome(const struct script *s, const struct outcome *out)
{
	printf("seed %llu: %s\n", (unsigned long long)s->seed, out->failed ? out->what : "all promises kept");
	if (out->given_up)
		printf("clusters given up after a lie that nobody can make good: %zu\n", out->given_up);
	printf("trace %016llx, %.3f s simulated, %zu troubles\n", (unsigned long long)out->hash, (double)out->simulated_us / US_PER_S,
	       out->done);
}

static int64_t virtual_us(const struct options *o)
{
	return (int64_t)(o->hours * 3600 * US_PER_S);
}

static bool run(struct options *o)
{
	struct record record = { 0 }, *to = o->quiet ? NULL : &record;
	struct outcome out;

	if (o->file)
		play_script(&o->script, to, &out);
	else
		play_seed(&o->script, virtual_us(o), to, &out);
	fputs(buf_cstr(o->story ? &record.story : &record.trace), stdout);
	print_outcome(&o->script, &out);
	record_free(&record);
	return !out.failed;
}

static bool fails(void *ctx, const struct script *script)
{
	struct outcome out;

	apart_script(script, &out);
	fprintf(stderr, "%4zu troubles: %s\n", script->troubles.n, out.failed ? out.what : "kept");
	*(struct outcome *)ctx = out;
	return out.failed;
}

static bool run_and_shrink(struct options *o)
{
	struct buf text = { 0 };
	struct outcome out;

	if (o->file)
		apart_script(&o->script, &out);
	else
		apart_seed(&o->script, virtual_us(o), &out);
	if (!out.failed) {
		print_outcome(&o->script, &out);
		return true;
	}
	shrink(&o->script, fails, &out);
	script_print(&o->script, &text);
	apart_script(&o->script, &out);
	printf("# %s\n%s", out.what, buf_cstr(&text));
	buf_free(&text);
	return false;
}

static bool run_case(const struct options *o)
{
	struct err err = { 0 };

	if (case_play(o->folder, o->update, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	struct options o;
	bool well;

	if (!read_options(argc, argv, &o)) {
		fputs(help, stderr);
		return 1;
	}
	signal(SIGABRT, aborted);
	signal(SIGSEGV, aborted);
	if (o.file && script_read(o.file, &o.script, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	well = o.folder ? run_case(&o) : o.shrink ? run_and_shrink(&o) : run(&o);
	script_free(&o.script);
	return well ? 0 : 1;
}
