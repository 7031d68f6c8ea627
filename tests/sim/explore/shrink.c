/* SPDX-License-Identifier: Apache-2.0
 * From a script that fails to a short one that still does. */
#include "shrink.h"

static void copy_without(const struct script *s, size_t from, size_t count, struct script *ret)
{
	*ret = (struct script){ .seed = s->seed, .shape = s->shape };
	for (size_t i = 0; i < s->troubles.n; i++)
		if (i < from || i >= from + count)
			vec_push(&ret->troubles, s->troubles.v[i]);
}

/* Whether it was possible to leave out the @count at @from. */
static bool leave_out(struct script *s, size_t from, size_t count, shrink_fails_fn *fails, void *ctx)
{
	struct script less;
	bool still;

	copy_without(s, from, count, &less);
	still = fails(ctx, &less);
	if (still) {
		script_free(s);
		*s = less;
	} else {
		script_free(&less);
	}
	return still;
}

/* From the end, for what comes last is needed most seldom: the failure has come before it. */
static bool leave_out_each(struct script *s, size_t count, shrink_fails_fn *fails, void *ctx)
{
	bool any = false;

	for (size_t end = s->troubles.n; end > 0;) {
		size_t from = end > count ? end - count : 0;

		any |= leave_out(s, from, end - from, fails, ctx);
		end = from;
	}
	return any;
}

void shrink(struct script *s, shrink_fails_fn *fails, void *ctx)
{
	for (size_t count = (s->troubles.n + 1) / 2; count > 1; count = (count + 1) / 2)
		leave_out_each(s, count, fails, ctx);
	while (leave_out_each(s, 1, fails, ctx))
		;
}
