/* SPDX-License-Identifier: Apache-2.0
 * The model: all that a cluster has agreed on, as values. The same on every node at the same
 * ledger index. */
#ifndef DOMUS_POLICY_MODEL_H
#define DOMUS_POLICY_MODEL_H

#include "base/buf.h"
#include "base/id.h"
#include "base/map.h"
#include "base/table.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define MODEL_NAME_MAX	 64
#define MODEL_TEXT_MAX	 256
#define MODEL_PATH_MAX	 1024
#define MODEL_PARAMS_MAX 32
#define MODEL_EVENTS_MAX 1000	/* the newest are kept */
#define MODEL_REASONS_MAX 16	/* per guest, the newest */

/* What a person wants of a guest. */
enum desired {
	DESIRED_STOPPED,
	DESIRED_RUNNING,
	DESIRED_PAUSED,
	DESIRED_MAX,
	DESIRED_INVALID = -1
};
TABLE_DECLARE(desired, enum desired);

enum guest_state {
	GUEST_STOPPED,		/* no process anywhere, none wanted or not yet placed */
	GUEST_STARTING,		/* owned; its start operation is under way */
	GUEST_RUNNING,
	GUEST_PAUSED,		/* by a person */
	GUEST_STOPPING,		/* its stop or kill operation is under way */
	GUEST_MIGRATING,	/* see struct move */
	GUEST_IO_ERROR,		/* stopped by its disk; the process stands */
	GUEST_LOST,		/* its owner's node is lost: nothing happens before a proof */
	/* no process anywhere (proven, or it ended by itself), to be started again */
	GUEST_RECOVERING,
	/* given up after too many failures: a person must act; the reason says why */
	GUEST_HELD,
	GUEST_STATE_MAX,
	GUEST_STATE_INVALID = -1
};
TABLE_DECLARE(guest_state, enum guest_state);

enum after { AFTER_STOP, AFTER_RESTART, AFTER_MAX, AFTER_INVALID = -1 };
TABLE_DECLARE(after, enum after);

/*
 * Who may run a guest. One life of one node; @epoch is the ledger index of the grant. node 0:
 * nobody.
 */
struct owner {
	uint32_t node;
	struct id incarnation;
	uint64_t epoch;
};

enum move_phase {
	MOVE_NONE,
	MOVE_PREPARING,		/* the target makes a process that waits (OP_PREPARE_IN) */
	/* the source sends (OP_SEND); @sent and @loaded come in either order */
	MOVE_SENDING,
	/* committed: it stays; the source runs it again (OP_RESUME_SOURCE) */
	MOVE_CANCELLING,
	MOVE_ACTIVATING,	/* committed: handed over; the target runs it (OP_ACTIVATE) */
	MOVE_PHASE_MAX,
	MOVE_PHASE_INVALID = -1
};
TABLE_DECLARE(move_phase, enum move_phase);

/*
 * A live migration. The owner stays the source until both @sent and @loaded are committed: that
 * commit is the hand-over (rule H1).
 */
struct move {
	enum move_phase phase;
	/*
	 * Its epoch is the index at which the migration began. The process at the target carries
	 * it, and so does the owner from the hand-over on: it is later than the source's.
	 */
	struct owner target;
	uint32_t from;			/* the source's node: the owner's up to the hand-over */
	char address[128];		/* where the target listens */
	bool sent, loaded;
	uint32_t downtime_ms, total_ms;	/* as the hypervisor reported */
	int64_t began_us, deadline_us;	/* ledger time */
	bool drain;			/* because its node is being drained */
	char failed[MODEL_TEXT_MAX];	/* while CANCELLING: what failed, and why */
};

/* The last migration that came to its end. index 0: there was none. */
struct last_move {
	uint32_t from, to;
	uint32_t downtime_ms, total_ms;	/* as the hypervisor reported */
	uint64_t index;			/* at which it ended */
	int64_t time_us;		/* ledger time of that */
};

/* Why something was done: the answer of `domus why`. */
struct reason {
	uint64_t index;
	int64_t time_us;
	char text[MODEL_TEXT_MAX];
};

struct guest_volume {
	char pool[MODEL_NAME_MAX], name[MODEL_NAME_MAX];
	bool readonly;
};

/* A failed start or an end by itself, remembered for limits. */
struct failure {
	uint32_t node;
	int64_t time_us;
	/* the start failed (this node is not tried again within the window) */
	bool start;
};

struct guest {
	char name[MODEL_NAME_MAX];
	struct id uuid;
	uint64_t revision;		/* index of the last change */
	char *spec;			/* the specification: opaque here, canonical JSON */
	uint32_t memory_mib, vcpus;
	VEC(struct guest_volume) volumes;
	enum after on_poweroff, on_reboot, on_crash;
	uint32_t stop_timeout_s, restart_max, restart_window_s;

	enum desired desired;
	bool stop_now;			/* of desired stopped: without asking the guest */
	enum guest_state state;
	/* while LOST: what it goes back to if its node returns unfenced */
	enum guest_state before_loss;
	struct owner owner;		/* node 0 exactly when STOPPED, RECOVERING or HELD */
	/* phase not NONE exactly while MIGRATING (or LOST out of it) */
	struct move move;
	struct last_move last_move;
	uint64_t operation;		/* the one under way for it, 0: none */
	uint32_t wanted_node;		/* asked for by `migrate` or `start --on`; 0: any */
	bool wants_move;		/* a person asked for a migration that has not begun */
	/* migrations that failed since the last success, or since its node's drain began */
	uint32_t move_failures;
	int64_t move_retry_us;		/* ledger time before which a drain begins no further one */
	int64_t resume_retry_us;	/* ledger time before which no further resume is ordered */
	/*
	 * it has run since a person wanted it to: then starts that fail are tried again, with
	 * growing pauses, and are no reason to give it up
	 */
	bool ran;
	VEC(struct failure) failures;	/* the oldest first; of each node the newest 32 */
	VEC(struct reason) reasons;	/* the newest last */
};

enum node_state {
	NODE_ONLINE,
	NODE_MAINTENANCE,	/* online, but takes no guests and gives its own away */
	NODE_AWAY,		/* its agent is not in the group, but the node is in the ring */
	NODE_LOST,		/* not in the ring */
	NODE_FENCED,		/* proven off, in the life that owned something */
	NODE_STATE_MAX,
	NODE_STATE_INVALID = -1
};
TABLE_DECLARE(node_state, enum node_state);

enum proof_kind {
	PROOF_NONE,
	PROOF_FENCED,
	PROOF_CONFIRMED,
	PROOF_RESTARTED,
	PROOF_KIND_MAX,
	PROOF_KIND_INVALID = -1
};
TABLE_DECLARE(proof_kind, enum proof_kind);

/*
 * That one life of a node is over (rule G4): a fence device said so and was checked, a person
 * confirmed it, or the node itself came back in another life. Void once a later OPEN lists that
 * life again.
 */
struct proof {
	enum proof_kind kind;
	struct id incarnation;
	uint64_t term;		/* the last term with that life as a member */
	uint64_t index;
	int64_t time_us;
	char by[MODEL_NAME_MAX];
};

struct fence_conf_param {
	char key[MODEL_NAME_MAX];
	/* may be a secret: never in an event, a reason or a reply */
	char value[MODEL_PATH_MAX];
};

struct node {
	uint32_t id;
	char name[MODEL_NAME_MAX];
	uint64_t revision;
	struct id incarnation;		/* of its present or last life; none: never seen */
	uint64_t last_term;		/* the last term whose OPEN listed that life */
	enum node_state state;
	bool drain;			/* wanted: maintenance. Outlives being away or lost */
	/*
	 * no voter any more: takes nothing new; the record goes once it owns nothing and is out
	 * of the ring
	 */
	bool leaving;
	int64_t since_us;		/* ledger time at which @state began */
	struct proof proof;
	/* facts, reported by its agent */
	uint64_t memory_mib;		/* for guests; 0: not yet reported, takes none */
	uint32_t cpus;
	/* fencing */
	char fence_agent[MODEL_NAME_MAX];	/* "": none */
	VEC(struct fence_conf_param) fence_params;
	bool fence_power_on;		/* switch it on again once proven off */
	bool fence_wanted;		/* a person asked for it */
	uint64_t fence_operation;	/* under way, 0: none */
	uint32_t fence_attempts;	/* failed ones since it was lost */
	int64_t fence_retry_us;		/* ledger time before which no further one starts */
};

enum volume_state {
	VOLUME_CREATING,
	VOLUME_READY,
	VOLUME_DELETING,
	VOLUME_FAILED,
	VOLUME_STATE_MAX,
	VOLUME_STATE_INVALID = -1
};
TABLE_DECLARE(volume_state, enum volume_state);

struct volume {
	char pool[MODEL_NAME_MAX], name[MODEL_NAME_MAX];
	uint64_t revision;
	uint64_t size;			/* bytes */
	enum volume_state state;
	/* of a DELETING one: it was FAILED, so it is gone too if its pool's place is not there */
	bool was_failed;
	uint64_t operation;
	/* of CREATING: begun before by a node that did not say what came of it */
	bool again;
	char reason[MODEL_TEXT_MAX];	/* why FAILED */
};

struct pool {
	char name[MODEL_NAME_MAX];
	uint64_t revision;
	char backend[16];
	char path[MODEL_PATH_MAX];
};

enum op_kind {
	OP_START, OP_STOP, OP_KILL, OP_PAUSE, OP_RESUME,
	OP_PREPARE_IN, OP_SEND, OP_ACTIVATE, OP_RESUME_SOURCE,
	OP_FENCE, OP_VOLUME_CREATE, OP_VOLUME_DELETE,
	OP_KIND_MAX,
	OP_KIND_INVALID = -1
};
TABLE_DECLARE(op_kind, enum op_kind);

/*
 * What one life of a node was told to do. Its id is the ledger index that ordered it. It stands
 * in the model until its report is applied, or until what it was for has gone. Executors carry
 * it out idempotently.
 */
struct operation {
	uint64_t id;
	enum op_kind kind;
	uint32_t node;			/* who carries it out */
	struct id incarnation;
	char guest[MODEL_NAME_MAX];	/* or "" */
	uint64_t epoch;			/* of the guest's owner (or move target) for whom it acts */
	char pool[MODEL_NAME_MAX], volume[MODEL_NAME_MAX];
	uint32_t victim;		/* OP_FENCE: whom, in which life, last seen in which term */
	struct id victim_incarnation;
	uint64_t victim_term;
	int64_t deadline_us;		/* ledger time; then policy takes the other way out */
};

struct event {
	uint64_t seq;			/* 1, 2, 3 ... without gaps */
	uint64_t index;
	int64_t time_us;
	char subject[MODEL_NAME_MAX];	/* the guest, node or volume */
	char text[MODEL_TEXT_MAX];
};

/* An agent that the last OPEN listed. */
struct model_member {
	uint32_t node;
	struct id incarnation;		/* none: in the group, has not spoken */
};

struct model {
	char cluster[MODEL_NAME_MAX];	/* its name for people */
	uint64_t index;			/* of the last entry applied */
	uint64_t term;			/* of the last OPEN applied */
	int64_t time_us;		/* ledger time: never falls */
	/* as the last OPEN listed them: a node may become a voter later */
	VEC(struct model_member) members;
	VEC(uint32_t) ring;			/* the nodes in its ring */
	struct map *guests;		/* name -> struct guest */
	struct map *nodes;		/* id -> struct node */
	struct map *pools;		/* name -> struct pool */
	struct map *volumes;		/* "pool/name" -> struct volume */
	struct map *operations;		/* id -> struct operation */
	VEC(struct event) events;	/* the newest last */
	uint64_t next_event;
};

struct model *model_new(void);
void model_free(struct model *m);
void model_freep(struct model **m);

/* NULL: none. The pointers stay valid until the record is removed */
struct guest *model_guest(const struct model *m, const char *name);
struct node *model_node(const struct model *m, uint32_t id);
struct node *model_node_named(const struct model *m, const char *name);
struct pool *model_pool(const struct model *m, const char *name);
struct volume *model_volume(const struct model *m, const char *pool, const char *name);
#define VOLUME_KEY_SIZE (2 * MODEL_NAME_MAX)
/* "pool/name" */
void volume_key(const char *pool, const char *name, char ret[static VOLUME_KEY_SIZE]);
struct operation *model_operation(const struct model *m, uint64_t id);
/* "node 7" style fallback is not given: "?" */
const char *model_node_name(const struct model *m, uint32_t id);
bool node_online(const struct node *n);		/* ONLINE or MAINTENANCE */
bool owner_is(const struct owner *o, uint32_t node, const struct id *incarnation);
/* that very life of its node is online */
bool owner_online(const struct model *m, const struct owner *o);

/*
 * Who uses a volume: the guest that names it (NULL: none), and how, derived from that guest's
 * owner and move.
 */
enum volume_access {
	VOLUME_NOT_IN_USE,
	VOLUME_PRIVATE,
	VOLUME_SHARED,
	VOLUME_ACCESS_MAX,
	VOLUME_ACCESS_INVALID = -1
};
TABLE_DECLARE(volume_access, enum volume_access);
const struct guest *model_volume_user(const struct model *m, const char *pool, const char *name);
enum volume_access model_volume_access(const struct model *m, const char *pool, const char *name);

/* Memory promised on a node: guests owned there and migrations on their way to it. MiB. */
uint64_t model_memory_used(const struct model *m, uint32_t node);

/*
 * The whole model as canonical JSON (model_json.c): keys sorted, integers only; equal models
 * give equal bytes. Secrets are included: for digests and snapshots only.
 */
void model_json(const struct model *m, struct buf *out);

#endif
