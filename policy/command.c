/* SPDX-License-Identifier: Apache-2.0
 * Commands: their names, and what they own. */
#include "command.h"

#include <stdlib.h>

static const char *const command_kind_names[COMMAND_KIND_MAX] = {
	[CMD_CLUSTER_NAME] = "cluster-name",
	[CMD_GUEST_DEFINE] = "guest-define",
	[CMD_GUEST_UNDEFINE] = "guest-undefine",
	[CMD_GUEST_WANT] = "guest-want",
	[CMD_GUEST_MIGRATE] = "guest-migrate",
	[CMD_NODE_DRAIN] = "node-drain",
	[CMD_NODE_ACTIVATE] = "node-activate",
	[CMD_NODE_FENCE] = "node-fence",
	[CMD_NODE_CONFIRM_OFF] = "node-confirm-off",
	[CMD_NODE_FENCE_SET] = "node-fence-set",
	[CMD_POOL_DEFINE] = "pool-define",
	[CMD_VOLUME_CREATE] = "volume-create",
	[CMD_VOLUME_DELETE] = "volume-delete",
	[CMD_GUEST_START] = "guest-start",
	[CMD_GUEST_STOP] = "guest-stop",
	[CMD_GUEST_PAUSE] = "guest-pause",
	[CMD_GUEST_RESUME] = "guest-resume",
	[CMD_GUEST_HOLD] = "guest-hold",
	[CMD_MOVE_BEGIN] = "move-begin",
	[CMD_MOVE_CANCEL] = "move-cancel",
	[CMD_MOVE_REFUSE] = "move-refuse",
	[CMD_MOVE_HAND_OVER] = "move-hand-over",
	[CMD_FENCE] = "fence",
	[CMD_OPERATION_DROP] = "operation-drop",
	[CMD_REPORT_DONE] = "report-done",
	[CMD_REPORT_LOADED] = "report-loaded",
	[CMD_REPORT_BROKEN] = "report-broken",
	[CMD_REPORT_ENDED] = "report-ended",
	[CMD_REPORT_STATE] = "report-state",
	[CMD_REPORT_FACTS] = "report-facts",
	[CMD_POOL_DELETE] = "pool-delete",
};
TABLE_DEFINE(command_kind, enum command_kind, COMMAND_KIND_MAX)

static const char *const end_cause_names[END_CAUSE_MAX] = {
	[END_POWEROFF] = "poweroff",
	[END_REBOOT] = "reboot",
	[END_CRASH] = "crash",
};
TABLE_DEFINE(end_cause, enum end_cause, END_CAUSE_MAX)

void command_free(struct command *c)
{
	struct guest *g = c->guest;

	if (g) {
		free(g->spec);
		vec_free(&g->volumes);
		vec_free(&g->failures);
		vec_free(&g->reasons);
		mem_freep(&c->guest);
	}
	vec_free(&c->params);
}
