/* SPDX-License-Identifier: Apache-2.0
 * The command line of domus-agentd. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef DOMUS_VERSION
#define DOMUS_VERSION "0.1"
#endif

static const struct option table[] = {
	{ "run-dir", required_argument, NULL, 'r' },	{ "state-dir", required_argument, NULL, 's' },
	{ "fence-dir", required_argument, NULL, 'f' },	{ "accel", required_argument, NULL, 'a' },
	{ "memory-mib", required_argument, NULL, 'm' }, { "socket", required_argument, NULL, 'S' },
	{ "debug", no_argument, NULL, 'd' },
	{ "version", no_argument, NULL, 'v' },		{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"usage: domus-agentd [OPTION...]\n"
	"Keeps this node's guests alive, together with the agents of the other nodes of its corosync ring.\n"
	"  --run-dir DIR     what goes with the boot (a tmpfs); default /run/domus\n"
	"  --state-dir DIR   the ledger; default /var/lib/domus\n"
	"  --fence-dir DIR   where fence agents are; default /usr/sbin\n"
	"  --accel WHAT      kvm, tcg, or auto: whichever works; default auto\n"
	"  --memory-mib N    memory for guests; default: the machine's, less 512 MiB (or a quarter, if that is less)\n"
	"  --socket SUFFIX   tells this agent's socket from others' in one network namespace\n"
	"  --debug           log more\n";

static uint64_t default_memory(void)
{
	uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >> 20;
	uint64_t quarter = total / 4;

	return total - (quarter < 512 ? quarter : 512);
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "domus-agentd: %s: %s: see domus-agentd --help\n", what, value);
	return -EINVAL;
}

static int set(struct options *o, int option, const char *value)
{
	char *end;

	switch (option) {
	case 'r': o->run_dir = value; return value[0] == '/' ? 0 : usage("--run-dir must be an absolute path", value);
	case 's': o->state_dir = value; return value[0] == '/' ? 0 : usage("--state-dir must be an absolute path", value);
	case 'f': o->fence_dir = value; return value[0] == '/' ? 0 : usage("--fence-dir must be an absolute path", value);
	case 'a':
		o->accel = accel_parse(value);
		return o->accel == ACCEL_INVALID ? usage("--accel must be auto, kvm or tcg", value) : 0;
	case 'm':
		o->memory_mib = strtoull(value, &end, 10);
		return *end || !o->memory_mib || o->memory_mib > (1u << 24) ? usage("--memory-mib must be a number of MiB", value) : 0;
	case 'S': o->socket = value; return 0;
	case 'd': o->debug = true; return 0;
	case 'v': puts("domus-agentd " DOMUS_VERSION); return 1;
	case 'h': fputs(help, stdout); return 1;
	default: return -EINVAL;
	}
}

int options_read(int argc, char **argv, struct options *ret, int *ret_status)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int option, rc;

	*ret = (struct options){ .run_dir = "/run/domus", .state_dir = "/var/lib/domus", .fence_dir = "/usr/sbin",
				 .memory_mib = default_memory(), .cpus = cpus > 0 ? (uint32_t)cpus : 1 };
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		rc = set(ret, option, optarg);
		if (rc != 0) {
			*ret_status = rc < 0 ? 2 : 0;
			return rc < 0 ? rc : 0;
		}
	}
	if (optind < argc) {
		*ret_status = 2;
		return usage("takes no arguments", argv[optind]);
	}
	return 1;
}
