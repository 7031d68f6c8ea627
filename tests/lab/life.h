/* SPDX-License-Identifier: Apache-2.0
 * A lab node's life: which network namespace it has. Written by lab_node, read by fence_lab. */
#ifndef DOMUS_LAB_LIFE_H
#define DOMUS_LAB_LIFE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Inode numbers of namespaces are used again, cookies are not. A life whose
 * namespace has another cookie is over.
 */
struct life {
	int pid;		/* the holder's */
	uint64_t started;	/* its start time, field 22 of /proc/PID/stat */
	uint64_t inode;		/* of the network namespace */
	uint64_t cookie;
};

#define LIFE_FILE "life"
#define LIFE_FORMAT "%d %" PRIu64 " %" PRIu64 " %" PRIu64

/* The cookie of the network namespace that this process is in. */
bool life_cookie(uint64_t *ret_cookie);

#endif
