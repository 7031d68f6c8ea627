/* SPDX-License-Identifier: Apache-2.0
 * How nodes, guests and volumes look to people; shared by `status` and the nouns' own verbs. */
#ifndef DOMUS_CLI_SHOW_H
#define DOMUS_CLI_SHOW_H

#include "cli.h"

#include "base/buf.h"

/* Tables with headers; nothing but a sentence when the list is empty. */
void show_nodes(struct cli *cli, const json_t *nodes);
void show_guests(struct cli *cli, const json_t *guests, int64_t now_us);

/* "running", "migrating n1 -> n3", "stopped, wanted: running" */
void show_guest_state(struct buf *out, const json_t *guest);
/* What a guest's newest reason says beyond its state: policy begins many with "STATE: ". */
const char *show_reason(const json_t *guest);
/* "online", "online, draining", "lost, silent" */
void show_node_state(struct buf *out, const json_t *node);
/* "not in use", "private (n1)", "shared (n1 -> n2)" */
void show_access(struct buf *out, const json_t *volume);

/* One line "name:  value" of a record; "-" when empty. */
void show_line(struct cli *cli, const char *name, const char *value);
void show_linef(struct cli *cli, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What lists and records for people end with: how much the node that was asked knew. */
void show_index(struct cli *cli, const struct reply *r);
/* Reasons, the newest last. */
void show_reasons(struct cli *cli, const json_t *reasons, int64_t now_us);

#endif
