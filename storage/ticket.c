/* SPDX-License-Identifier: Apache-2.0
 * Tickets: what a new one means beside the one that is held. */
#include "ticket.h"

#include <inttypes.h>

static const char *const access_mode_names[ACCESS_MODE_MAX] = {
	[ACCESS_DEPORTED] = "not-in-use",
	[ACCESS_PRIVATE] = "private",
	[ACCESS_SHARED] = "shared",
};
TABLE_DEFINE(access_mode, enum access_mode, ACCESS_MODE_MAX)

int ticket_check(const struct ticket *t, struct err *ret_err)
{
	if (!storage_name_ok(t->pool) || !storage_name_ok(t->volume))
		return err_set(ret_err, -EINVAL, "volume ticket: bad pool or volume name");
	if (t->node == 0 || t->epoch == 0)
		return err_set(ret_err, -EINVAL, "ticket for volume %s/%s: no node or no epoch",
			       t->pool, t->volume);
	if (t->mode <= ACCESS_MODE_INVALID || t->mode >= ACCESS_MODE_MAX)
		return err_set(ret_err, -EINVAL, "ticket for volume %s/%s: unknown mode %d",
			       t->pool, t->volume, (int)t->mode);
	return 0;
}

bool ticket_equal(const struct ticket *a, const struct ticket *b)
{
	return strcmp(a->pool, b->pool) == 0 && strcmp(a->volume, b->volume) == 0 &&
	       a->node == b->node && a->epoch == b->epoch && a->mode == b->mode;
}

/*
 * Within one grant its owner may go from private to shared and back: that is how a migration begins
 * and how it is called off. Everything else that differs at the same epoch contradicts the ledger.
 */
static bool excludes(const struct ticket *held, const struct ticket *t)
{
	if (held->node != t->node)
		return true;
	if (held->epoch != t->epoch || held->mode == t->mode)
		return false;
	return held->mode == ACCESS_DEPORTED || t->mode == ACCESS_DEPORTED;
}

int ticket_admit(const struct ticket *t, const struct ticket *held, uint64_t seen,
		 struct err *ret_err)
{
	if (t->epoch < seen)
		return err_set(ret_err, -ESTALE,
			       "volume %s/%s: the ticket of epoch %" PRIu64
			       " is outdated, epoch %" PRIu64 " is known here",
			       t->pool, t->volume, t->epoch, seen);
	if (held && excludes(held, t))
		return err_set(ret_err, -EBUSY,
			       "volume %s/%s: mapped %s for node %" PRIu32 " under epoch %" PRIu64
			       ", which excludes %s for node %" PRIu32 " under epoch %" PRIu64,
			       t->pool, t->volume, access_mode_text(held->mode), held->node,
			       held->epoch, access_mode_text(t->mode), t->node, t->epoch);
	return 0;
}
