/* SPDX-License-Identifier: Apache-2.0
 * The leader's part: policy looks at the model and what it orders is proposed, one round at a time. */
#include "engine/engine_priv.h"

#define REFUSED_WAIT_US (50 * US_PER_MS)	/* the model had moved on under a decision: look again soon, not in a frenzy */

static void decide_soon(void *ctx)
{
	struct engine *e = ctx;

	e->refused = false;
	e->look = true;
	engine_turn_soon(e);
}

static void look_later(struct engine *e)
{
	e->refused = true;
	env_timer(&e->parts.env, &e->decide_again, REFUSED_WAIT_US, decide_soon, e);
}

static void propose_all(struct engine *e, struct ha_out *out)
{
	struct command *c;
	struct err err = { 0 };

	vec_each(c, &out->commands) {
		struct command_id id = engine_propose(e, c, &err);

		if (id.node) {
			vec_push(&e->deciding, id);
			continue;
		}
		engine_log(e, 3, "a decision cannot be proposed: %s", err.text);
		look_later(e);
	}
}

/* Another leads now: what of ours is still on its way may come or not, its reads protect it. */
static void stand_down(struct engine *e)
{
	const struct command_id *id;

	vec_each(id, &e->deciding)
		ledger_forget(e->ledger, id);
	vec_clear(&e->deciding);
	env_cancel(&e->parts.env, &e->decide_again);
	e->refused = false;
	e->look = true;
}

void decide_turn(struct engine *e)
{
	struct ha_out out = { 0 };
	int64_t now;

	if (!e->ledger)
		return;
	if (!ledger_is_leader(e->ledger)) {
		stand_down(e);
		return;
	}
	if (!e->look || e->deciding.n || e->refused || !engine_current(e))
		return;
	e->look = false;
	now = ledger_time(e->ledger, engine_clock(e)).us;
	ha_step(state_model(e->state), &e->conf.ha, now, &out);
	propose_all(e, &out);
	if (!out.commands.n && out.again_us != INT64_MAX)
		env_timer(&e->parts.env, &e->decide_again, out.again_us - now, decide_soon, e);
	ha_out_free(&out);
}

void decide_restored(struct engine *e)
{
	struct err err;
	uint64_t index;

	for (size_t i = e->deciding.n; i-- > 0;)
		if (state_outcome(e->state, &e->deciding.v[i], &err, &index))
			vec_remove(&e->deciding, i);
}

void decide_applied(struct engine *e, const struct command_id *id, const struct err *err)
{
	for (size_t i = 0; i < e->deciding.n; i++) {
		if (!command_id_equal(&e->deciding.v[i], id))
			continue;
		vec_remove(&e->deciding, i);
		if (err->code)
			look_later(e);
		return;
	}
}
