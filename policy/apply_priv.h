/* SPDX-License-Identifier: Apache-2.0
 * The handlers of commands, by noun, and what they share. Private to policy/.
 *
 * A handler checks everything first and changes the model last: when it returns an error nothing
 * has changed. */
#ifndef DOMUS_POLICY_APPLY_PRIV_H
#define DOMUS_POLICY_APPLY_PRIV_H

#include "ha_fence.h"
#include "ha_guest.h"
#include "ha_node.h"
#include "policy/apply.h"

typedef int apply_fn(struct model *m, const struct command *c, struct err *ret_err);

/* Finding what a command names; NULL with -ENOENT and a sentence. */
struct guest *apply_find_guest(const struct model *m, const char *name, struct err *ret_err);
struct node *apply_find_node(const struct model *m, uint32_t id, struct err *ret_err);

/* What is wanted from now on, and whose order that was if @c knows: both, for `why`. */
struct line apply_wanted(const struct command *c, const char *what);

/* apply_guest.c: people */
apply_fn apply_guest_define, apply_guest_undefine;
/* apply_want.c: people */
apply_fn apply_guest_want, apply_guest_migrate;
/* apply_order.c: policy */
apply_fn apply_guest_start, apply_guest_stop, apply_guest_pause, apply_guest_resume,
	apply_guest_hold;
/* apply_move.c: policy, and executors */
apply_fn apply_move_begin, apply_move_cancel, apply_move_refuse, apply_move_hand_over,
	apply_report_loaded, apply_report_broken;
/* apply_node.c */
apply_fn apply_cluster_name, apply_node_drain, apply_node_activate, apply_node_fence,
	apply_node_confirm_off, apply_node_fence_set, apply_fence, apply_report_facts;
/* apply_volume.c */
apply_fn apply_pool_define, apply_pool_delete, apply_volume_create, apply_volume_delete;
/* apply_report.c: executors */
apply_fn apply_operation_drop, apply_report_done, apply_report_ended, apply_report_state;

/* What an operation on a guest has come to. It still stands in the model when this is called. */
typedef void done_fn(struct model *m, struct guest *g, const struct operation *op,
		     const struct command *c);

/* apply_move.c */
done_fn move_prepared, move_prepare_failed, move_sent, move_send_failed, move_activated,
	move_activate_failed, move_resumed, move_resume_failed;

/* apply_volume.c: an operation on a volume is over. */
void volume_done(struct model *m, const struct operation *op, bool ok, const char *text);

/*
 * Whether @n is that life, is online and has room for @g now. -ESTALE: the decision has been
 * overtaken.
 */
int apply_check_grant(const struct model *m, const struct guest *g, const struct command *c,
		      struct err *ret_err);

#endif
