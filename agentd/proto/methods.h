/* SPDX-License-Identifier: Apache-2.0
 * The local API: its methods, limits, reply codes and their exit codes. Shared by the agent and
 * by all who ask it. This comment is the reference.
 *
 * Transport: libqb IPC, type socket, service "domus" ("domus-SUFFIX" for another agent on the same
 * host). Each message is a libqb header and a JSON text. A reply comes in one or more messages: the
 * header's `error` is 1 in all but the last.
 *
 *	request  {"id":N,"method":"guest.start","params":{...}}
 *	reply    {"id":N,"ok":true,"index":I,"term":T,"age_ms":A,"current":B,"now_us":W,"result":R}
 *	refusal  {"id":N,"ok":false,"code":"not-found","error":"one line","index":I,...}
 *	         and "request":"ID" when the code is "unknown"
 *
 * index, term: what had been applied at the node that answers. age_ms: since a majority was last
 * heard there, -1: never. current: false when the node cannot know whether more has happened
 * elsewhere. now_us: wall clock there. All times are microseconds since 1970, UTC.
 *
 * Methods. All parameters are checked: unknown ones are refused; `?` marks those that may be left
 * out. An order (role operate) answers {"index":I} once it has been applied, on whichever node.
 *
 *	status {}		{cluster, node, id, role, current, why_not, leader, quorate, open,
 *				term, voters:[{name, votes}], committed, applied, waiting, digest,
 *				nodes:[NODE], guests:[GUEST], operations:[{id, kind, node, subject,
 *				deadline_us}], alarms:[text]}
 *	cluster.init {name}	gives birth to a cluster on this node; answers when it is open
 *	cluster.join {}		asks to be let in; answers when it is a voter and has caught up
 *	node.list {}		[NODE]
 *	node.show {node}	NODE
 *	node.drain {node}  node.activate {node}  node.fence {node}  node.confirm-off {node}
 *	fence.set {node, agent, params?:{key:value}, power_on?}    agent "": no device
 *	fence.list {}		[{node, agent, power_on, params:[key]}]; values are never told
 *	pool.create {name, backend?, path}	the node that is asked must see the path
 *	pool.delete {name}	no volume and no guest may be of it
 *	pool.list {}		[{name, backend, path}]
 *	volume.create {pool?, name, size}	bytes; ready when volume.list says so
 *	volume.delete {pool?, name}
 *	volume.list {}		[{pool, name, size, state, access, nodes:[name], guest, reason}]
 *	guest.define {spec}	an object as in domus(8), or its text; answers {index, name}
 *	guest.undefine {name}
 *	guest.list {}		[GUEST]
 *	guest.show {name}	GUEST and {uuid, revision, spec, epoch, volumes, reasons, failures,
 *				stop_timeout_s, operation, domain, last_move}, where last_move is
 *				null or {from, to, total_ms, downtime_ms, index, time_us}: of the
 *				last migration that succeeded, and when it had
 *	guest.start {name, on?}  guest.stop {name, now?}  guest.pause {name}  guest.resume {name}
 *	guest.migrate {name, to?}	these five set what is wanted; guest.show tells the rest
 *	guest.console {name}	{node, here, path}: of the serial console's socket, when here
 *	events {after?, max?}	{events:[{seq, index, time_us, subject, text}], last}
 *	events.wait {after, index?, timeout_ms?}	as events {after}; answers when there is a
 *				newer one, when the model is past `index`, when the ledger's status
 *				has changed, or at the timeout
 *	why {guest}		{name, state, desired, node, reasons:[{index, time_us, text}]}
 *	request {id}		of an order: {outcome:"applied", index}, {outcome:"not-seen"},
 *				or the refusal that it met
 *
 *	NODE   {name, id, state, drain, since_us, guests, memory_mib, memory_used_mib, cpus, leader,
 *	       silent, incarnation, fence_agent, fence_wanted, proof}
 *	GUEST  {name, state, desired, node, memory_mib, vcpus, wants_move, wanted_node, since_us,
 *	       reason, move}, where move is null or {phase, from, to, sent, loaded, began_us,
 *	       downtime_ms, total_ms, progress}, and progress, told by the source only,
 *	       {sent_bytes, total_bytes, remaining_bytes} */
#ifndef DOMUS_PROTO_METHODS_H
#define DOMUS_PROTO_METHODS_H

#include "base/table.h"

#include <stdbool.h>
#include <stddef.h>

/* Limits on what a client may send. */
#define PROTO_REQUEST_MAX    (128 * 1024)	/* bytes of a request's JSON text */
#define PROTO_DEPTH_MAX	     16			/* nested objects and arrays */
#define PROTO_CONNECTIONS    64
#define PROTO_UNDER_WAY	     16			/* unanswered requests of one connection */
#define PROTO_RATE_PER_S     500		/* requests of one connection */
#define PROTO_CHUNK_MAX	     (60 * 1024)	/* bytes of one message of a reply */
#define PROTO_REPLY_MAX	     (16 * 1024 * 1024)
#define PROTO_SERVICE	     "domus"
#define PROTO_SUFFIX_MAX     32
#define PROTO_GROUP	     "domus"		/* its members may connect */
#define PROTO_ORDER_MS	     30000		/* then an order's outcome is "unknown" */
#define PROTO_WAIT_MAX_MS    60000		/* of events.wait */
#define PROTO_EVENTS_MAX     200		/* in one reply */

enum method {
	METHOD_STATUS,
	METHOD_CLUSTER_INIT,
	METHOD_CLUSTER_JOIN,
	METHOD_NODE_LIST,
	METHOD_NODE_SHOW,
	METHOD_NODE_DRAIN,
	METHOD_NODE_ACTIVATE,
	METHOD_NODE_FENCE,
	METHOD_NODE_CONFIRM_OFF,
	METHOD_FENCE_SET,
	METHOD_FENCE_LIST,
	METHOD_POOL_CREATE,
	METHOD_POOL_DELETE,
	METHOD_POOL_LIST,
	METHOD_VOLUME_CREATE,
	METHOD_VOLUME_DELETE,
	METHOD_VOLUME_LIST,
	METHOD_GUEST_DEFINE,
	METHOD_GUEST_UNDEFINE,
	METHOD_GUEST_LIST,
	METHOD_GUEST_SHOW,
	METHOD_GUEST_START,
	METHOD_GUEST_STOP,
	METHOD_GUEST_PAUSE,
	METHOD_GUEST_RESUME,
	METHOD_GUEST_MIGRATE,
	METHOD_GUEST_CONSOLE,
	METHOD_EVENTS,
	METHOD_EVENTS_WAIT,
	METHOD_WHY,
	METHOD_REQUEST,
	METHOD_MAX,
	METHOD_INVALID = -1
};
TABLE_DECLARE(method, enum method);

/* What a caller may do; a higher one includes the lower. */
enum role { ROLE_NONE, ROLE_READ, ROLE_OPERATE, ROLE_MAX, ROLE_INVALID = -1 };
TABLE_DECLARE(role, enum role);

/* What a method asks of its caller. */
enum role method_role(enum method m);

/* Why there is no result. Codes and exit codes are stable: scripts rely on them. */
enum reply_code {
	REPLY_OK,
	REPLY_FAILED,		/* anything that has no code of its own */
	REPLY_BAD_REQUEST,	/* malformed: usage */
	REPLY_NOT_FOUND,
	REPLY_EXISTS,
	REPLY_REFUSED,		/* makes no sense in this state */
	REPLY_BUSY,
	REPLY_NOT_QUORATE,	/* this node cannot reach the majority, or has not caught up */
	REPLY_UNKNOWN,		/* timed out: it may still happen */
	REPLY_NO_AGENT,		/* made by the client: nobody answers here */
	REPLY_DENIED,
	REPLY_CODE_MAX,
	REPLY_CODE_INVALID = -1
};
TABLE_DECLARE(reply_code, enum reply_code);

int reply_exit_code(enum reply_code code);		/* of the program `domus` */
enum reply_code reply_code_of_errno(int err);		/* a negative errno, or 0 */

/*
 * The libqb service's name for a suffix (NULL or "": none), in @ret. Returns 0, or -EINVAL when
 * the suffix has other characters than [A-Za-z0-9._-] or is too long.
 */
#define PROTO_SERVICE_SIZE (sizeof(PROTO_SERVICE) + 1 + PROTO_SUFFIX_MAX)
int proto_service_name(const char *suffix, char ret[static PROTO_SERVICE_SIZE]);

/*
 * Whether a JSON text nests at most PROTO_DEPTH_MAX deep. Looks at brackets outside of strings
 * only: the parser judges the rest, after this has bounded its recursion.
 */
bool proto_depth_ok(const char *text, size_t len);

#endif
