/* SPDX-License-Identifier: Apache-2.0
 * Commands: everything that can be ordered, by people, by policy and by executors that report. */
#ifndef DOMUS_POLICY_COMMAND_H
#define DOMUS_POLICY_COMMAND_H

#include "policy/model.h"

/* Their numbers are in every ledger: a new kind goes to the end, and none is ever used anew. */
enum command_kind {
	/* people */
	CMD_CLUSTER_NAME,	/* name: of the cluster, for people */
	/*
	 * guest name, uuid, spec and resources; replaces the specification of a guest that is
	 * stopped
	 */
	CMD_GUEST_DEFINE,
	CMD_GUEST_UNDEFINE,	/* name; only when stopped or held */
	/* name, desired, stop_now, node (0: any; a wish for the next start) */
	CMD_GUEST_WANT,
	CMD_GUEST_MIGRATE,	/* name, node (0: any) */
	CMD_NODE_DRAIN,		/* node */
	CMD_NODE_ACTIVATE,	/* node */
	CMD_NODE_FENCE,		/* node */
	/* node, incarnation: exactly the life that is lost; text: who confirmed */
	CMD_NODE_CONFIRM_OFF,
	CMD_NODE_FENCE_SET,	/* node, name: agent ("": none), params, power_on */
	CMD_POOL_DEFINE,	/* name, backend in detail, text: path */
	/* pool, name, size; policy repeats it when the node that was to do it has gone */
	CMD_VOLUME_CREATE,
	CMD_VOLUME_DELETE,	/* pool, name; the same */
	/* policy (the leader's ha_step) */
	/*
	 * name, node, incarnation: grants ownership and orders OP_START; node 0: no node fits
	 * now, the reason is noted
	 */
	CMD_GUEST_START,
	CMD_GUEST_STOP,		/* name, stop_now: orders OP_STOP or OP_KILL at the owner */
	CMD_GUEST_PAUSE,	/* name: OP_PAUSE */
	CMD_GUEST_RESUME,	/* name: OP_RESUME (from PAUSED or IO_ERROR) */
	CMD_GUEST_HOLD,		/* name: gives up; text says why */
	CMD_MOVE_BEGIN,		/* name, node, incarnation: orders OP_PREPARE_IN at the target */
	/* name: stays where it is; orders OP_RESUME_SOURCE if the source was sending */
	CMD_MOVE_CANCEL,
	/*
	 * name: a migration that was asked for, or that a drain needs, cannot be done; the
	 * reason says why; a person's wish is dropped
	 */
	CMD_MOVE_REFUSE,
	/* node, incarnation, executor: orders OP_FENCE; the node's guests become LOST */
	CMD_FENCE,
	/*
	 * operation: its executor is gone or its deadline has passed, and nothing can come of it
	 * any more
	 */
	CMD_OPERATION_DROP,
	/* executors */
	/*
	 * operation, ok, text (error), detail (OP_PREPARE_IN: address); downtime_ms, total_ms
	 * (OP_SEND)
	 */
	CMD_REPORT_DONE,
	CMD_REPORT_LOADED,	/* operation (of OP_PREPARE_IN: its id is the move's epoch), name */
	CMD_REPORT_BROKEN,	/* name, epoch: the target's half of a migration is gone; text */
	CMD_REPORT_ENDED,	/* name, epoch, cause; text */
	/*
	 * name, epoch, desired-like state the process is in: running, paused, io-error (in
	 * `state`)
	 */
	CMD_REPORT_STATE,
	CMD_REPORT_FACTS,	/* node, memory_mib, cpus */
	/* people */
	CMD_POOL_DELETE,	/* name; only when no volume and no guest is of it */
	/* policy; name: both words are there, and the target was away when the second one came */
	CMD_MOVE_HAND_OVER,
	COMMAND_KIND_MAX,
	COMMAND_KIND_INVALID = -1
};
TABLE_DECLARE(command_kind, enum command_kind);

/* crash: also a process that vanished */
enum end_cause { END_POWEROFF, END_REBOOT, END_CRASH, END_CAUSE_MAX, END_CAUSE_INVALID = -1 };
TABLE_DECLARE(end_cause, enum end_cause);

enum record_kind { RECORD_GUEST, RECORD_NODE, RECORD_KIND_MAX };

/*
 * A record that the decision behind a command read, and its revision then: another one now, and
 * all refuse the command alike (rule L11).
 */
struct command_read {
	enum record_kind kind;
	char guest[MODEL_NAME_MAX];
	uint32_t node;
	uint64_t revision;
};
#define COMMAND_READS_MAX 4

/*
 * One command. Only the fields that its kind names are set, the rest is zero; the codec
 * (agentd/engine/command.h) carries just those. @reason is what `why` and `events` will say; of
 * people's orders it is who gave them and where, and what was wanted is put in front of it.
 */
struct command {
	enum command_kind kind;
	struct command_read reads[COMMAND_READS_MAX];
	size_t n_reads;
	char name[MODEL_NAME_MAX];
	char pool[MODEL_NAME_MAX];
	uint32_t node;
	struct id incarnation;
	uint32_t executor;
	uint64_t operation, epoch;
	bool ok, stop_now, power_on;
	enum desired desired;
	enum guest_state state;
	enum end_cause cause;
	uint64_t size, memory_mib;
	uint32_t cpus, downtime_ms, total_ms;
	char detail[128];
	char text[MODEL_PATH_MAX];
	char reason[MODEL_TEXT_MAX];
	struct guest *guest;		/* CMD_GUEST_DEFINE: owned */
	VEC(struct fence_conf_param) params;
};

/* what it owns; the struct itself is the caller's */
void command_free(struct command *c);

#endif
