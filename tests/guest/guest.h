/* SPDX-License-Identifier: Apache-2.0
 * The test guest: what its three files share. */
#ifndef DOMUS_GUEST_H
#define DOMUS_GUEST_H

#include <stdbool.h>
#include <stdint.h>

enum guest_end { GUEST_RUNS, GUEST_POWEROFF, GUEST_REBOOT, GUEST_CRASH };

struct counter {
	int fd;			/* -1: no disk */
	bool damaged;		/* the disk holds something else: never written to */
	uint64_t value;		/* as on the disk */
	void *record;		/* one aligned block */
};

struct guest {
	char boot[40];		/* differs for each boot */
	char name[64];
	struct counter counter;
	int button;		/* the ACPI power button's events, -1: none */
	enum guest_end end;	/* wanted: answers that are under way are sent first */
};

/* Opens @path and reads the counter; a blank disk counts from 0. */
void counter_open(struct counter *counter, const char *path);
/* Adds @n; true once the new value is on the disk. */
bool counter_add(struct counter *counter, unsigned n);
const char *counter_state(const struct counter *counter);

/* Serves pages on TCP port 80 until the guest is to end. */
void web_serve(struct guest *guest);

#endif
