/* SPDX-License-Identifier: Apache-2.0
 * The tables of the local API: methods and roles, reply codes, errno and exit codes. */
#include "methods.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const method_names[METHOD_MAX] = {
	[METHOD_STATUS] = "status",
	[METHOD_CLUSTER_INIT] = "cluster.init",
	[METHOD_CLUSTER_JOIN] = "cluster.join",
	[METHOD_NODE_LIST] = "node.list",
	[METHOD_NODE_SHOW] = "node.show",
	[METHOD_NODE_DRAIN] = "node.drain",
	[METHOD_NODE_ACTIVATE] = "node.activate",
	[METHOD_NODE_FENCE] = "node.fence",
	[METHOD_NODE_CONFIRM_OFF] = "node.confirm-off",
	[METHOD_FENCE_SET] = "fence.set",
	[METHOD_FENCE_LIST] = "fence.list",
	[METHOD_POOL_CREATE] = "pool.create",
	[METHOD_POOL_DELETE] = "pool.delete",
	[METHOD_POOL_LIST] = "pool.list",
	[METHOD_VOLUME_CREATE] = "volume.create",
	[METHOD_VOLUME_DELETE] = "volume.delete",
	[METHOD_VOLUME_LIST] = "volume.list",
	[METHOD_GUEST_DEFINE] = "guest.define",
	[METHOD_GUEST_UNDEFINE] = "guest.undefine",
	[METHOD_GUEST_LIST] = "guest.list",
	[METHOD_GUEST_SHOW] = "guest.show",
	[METHOD_GUEST_START] = "guest.start",
	[METHOD_GUEST_STOP] = "guest.stop",
	[METHOD_GUEST_PAUSE] = "guest.pause",
	[METHOD_GUEST_RESUME] = "guest.resume",
	[METHOD_GUEST_MIGRATE] = "guest.migrate",
	[METHOD_GUEST_CONSOLE] = "guest.console",
	[METHOD_EVENTS] = "events",
	[METHOD_EVENTS_WAIT] = "events.wait",
	[METHOD_WHY] = "why",
	[METHOD_REQUEST] = "request",
};
TABLE_DEFINE(method, enum method, METHOD_MAX)

static const char *const role_names[ROLE_MAX] = {
	[ROLE_NONE] = "none",
	[ROLE_READ] = "read",
	[ROLE_OPERATE] = "operate",
};
TABLE_DEFINE(role, enum role, ROLE_MAX)

/* Those that only look. guest.console hands out a way into a guest, so it is not among them. */
static const enum role method_roles[METHOD_MAX] = {
	[METHOD_STATUS] = ROLE_READ,
	[METHOD_NODE_LIST] = ROLE_READ,
	[METHOD_NODE_SHOW] = ROLE_READ,
	[METHOD_FENCE_LIST] = ROLE_READ,
	[METHOD_POOL_LIST] = ROLE_READ,
	[METHOD_VOLUME_LIST] = ROLE_READ,
	[METHOD_GUEST_LIST] = ROLE_READ,
	[METHOD_GUEST_SHOW] = ROLE_READ,
	[METHOD_EVENTS] = ROLE_READ,
	[METHOD_EVENTS_WAIT] = ROLE_READ,
	[METHOD_WHY] = ROLE_READ,
	[METHOD_REQUEST] = ROLE_READ,
};

enum role method_role(enum method m)
{
	return m >= 0 && m < METHOD_MAX && method_roles[m] ? method_roles[m] : ROLE_OPERATE;
}

static const char *const reply_code_names[REPLY_CODE_MAX] = {
	[REPLY_OK] = "ok",
	[REPLY_FAILED] = "failed",
	[REPLY_BAD_REQUEST] = "bad-request",
	[REPLY_NOT_FOUND] = "not-found",
	[REPLY_EXISTS] = "exists",
	[REPLY_REFUSED] = "refused",
	[REPLY_BUSY] = "busy",
	[REPLY_NOT_QUORATE] = "not-quorate",
	[REPLY_UNKNOWN] = "unknown",
	[REPLY_NO_AGENT] = "no-agent",
	[REPLY_DENIED] = "denied",
};
TABLE_DEFINE(reply_code, enum reply_code, REPLY_CODE_MAX)

static const int exit_codes[REPLY_CODE_MAX] = {
	[REPLY_OK] = 0,
	[REPLY_FAILED] = 1,
	[REPLY_BAD_REQUEST] = 2,
	[REPLY_NOT_FOUND] = 3,
	[REPLY_EXISTS] = 4,
	[REPLY_REFUSED] = 4,
	[REPLY_BUSY] = 4,
	[REPLY_NOT_QUORATE] = 5,
	[REPLY_UNKNOWN] = 6,
	[REPLY_NO_AGENT] = 7,
	[REPLY_DENIED] = 8,
};

int reply_exit_code(enum reply_code code)
{
	return code >= 0 && code < REPLY_CODE_MAX ? exit_codes[code] : 1;
}

static const struct {
	int err;
	enum reply_code code;
} errno_codes[] = {
	{ 0, REPLY_OK },
	{ -ENOENT, REPLY_NOT_FOUND },
	{ -EEXIST, REPLY_EXISTS },
	{ -EINVAL, REPLY_REFUSED },
	{ -ESTALE, REPLY_REFUSED },
	{ -ENOSPC, REPLY_REFUSED },
	{ -ENODEV, REPLY_REFUSED },
	{ -EALREADY, REPLY_REFUSED },
	{ -EBUSY, REPLY_BUSY },
	{ -ENOBUFS, REPLY_BUSY },
	{ -EMSGSIZE, REPLY_BAD_REQUEST },
	{ -EBADMSG, REPLY_BAD_REQUEST },
	{ -EAGAIN, REPLY_NOT_QUORATE },
	{ -ETIMEDOUT, REPLY_UNKNOWN },
	{ -EACCES, REPLY_DENIED },
	{ -EPERM, REPLY_DENIED },
};

enum reply_code reply_code_of_errno(int err)
{
	for (size_t i = 0; i < sizeof(errno_codes) / sizeof(errno_codes[0]); i++)
		if (errno_codes[i].err == err)
			return errno_codes[i].code;
	return REPLY_FAILED;
}

int proto_service_name(const char *suffix, char ret[static PROTO_SERVICE_SIZE])
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (!suffix || !*suffix) {
		memcpy(ret, PROTO_SERVICE, sizeof(PROTO_SERVICE));
		return 0;
	}
	if (strlen(suffix) > PROTO_SUFFIX_MAX || suffix[strspn(suffix, allowed)])
		return -EINVAL;
	snprintf(ret, PROTO_SERVICE_SIZE, "%s-%s", PROTO_SERVICE, suffix);
	return 0;
}

bool proto_depth_ok(const char *text, size_t len)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = false;
		} else if (text[i] == '"') {
			quoted = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > PROTO_DEPTH_MAX)
				return false;
		} else if (text[i] == '}' || text[i] == ']') {
			depth--;
		}
	}
	return true;
}
