/* SPDX-License-Identifier: Apache-2.0
 * The command line of domus-agentd. */
#ifndef DOMUS_AGENTD_OPTIONS_H
#define DOMUS_AGENTD_OPTIONS_H

#include "hypervisor/accel.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *run_dir;		/* a tmpfs: what goes with the boot */
	const char *state_dir;		/* the ledger */
	const char *fence_dir;		/* where fence agents are */
	const char *socket;		/* suffix of the local socket's name, or NULL */
	enum accel accel;
	uint64_t memory_mib;		/* for guests; default: the machine's, less 512 MiB or a quarter, whichever is less */
	uint32_t cpus;
	bool debug;
};

/* Returns 1 to go on; 0 after --help or --version, negative after a usage error: @ret_status is what the process exits with. */
int options_read(int argc, char **argv, struct options *ret, int *ret_status);

#endif
