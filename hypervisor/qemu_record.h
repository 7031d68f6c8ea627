/* SPDX-License-Identifier: Apache-2.0
 * The run record: what an agent's successor must know of a guest's process. One file per guest, on
 * a tmpfs. */
#ifndef DOMUS_HYPERVISOR_QEMU_RECORD_H
#define DOMUS_HYPERVISOR_QEMU_RECORD_H

#include "base/err.h"
#include "base/id.h"
#include "spec.h"

/* A plain value. */
struct qemu_record {
	struct id uuid;
	char name[SPEC_NAME_MAX];
	uint64_t epoch, note;
	int pid;        /* 0: the process was being made */
	uint64_t start; /* field 22 of /proc/PID/stat: tells it from a later process with its pid */
	bool incoming;  /* made to receive a migration */
	bool ran;       /* its vCPUs ran at least once here */
	bool vnc, kvm;
};

#define QEMU_RECORD_MAX 4096 /* bytes of the file */

/* Replaces DIR/UUID.json at once and whole. */
int qemu_record_write(const char *dir, const struct qemu_record *record, struct err *ret_err);
/* Reads and checks a file that may have been tampered with. */
int qemu_record_parse(const char *text, size_t len, struct qemu_record *ret_record,
		      struct err *ret_err);
int qemu_record_read(const char *dir, const struct id *uuid, struct qemu_record *ret_record,
		     struct err *ret_err);
/* Removes the record, the sockets and the pidfile. */
void qemu_record_remove(const char *dir, const struct id *uuid);

/* The pid in a pidfile, or 0. */
int qemu_pidfile_read(const char *dir, const struct id *uuid);

#endif
