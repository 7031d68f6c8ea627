/* SPDX-License-Identifier: Apache-2.0
 * The replicated state as bytes: a version, the model, then of each origin its results, so that repetitions fall out after a
 * snapshot as before it. */
#include "base/wire.h"
#include "engine/model_wire.h"
#include "engine/state_priv.h"

#include <errno.h>

#define VERSION	    1
#define ORIGINS_MAX (64 * 1024)	/* against a snapshot that claims more than a cluster could have */

/* Of a nonce the lower half only: the upper one is the origin's life. */
static void outcome_out(const struct outcome *o, struct buf *out)
{
	wire_put_u32(out, (uint32_t)o->nonce);
	wire_put_u64(out, o->index);
	wire_put_u32(out, (uint32_t)-o->code);
	if (o->code)
		wire_put_str(out, o->text);
}

/* Nonces rise, from above those that were forgotten. */
static bool outcome_in(struct origin *o, uint64_t after, struct wire *w)
{
	struct outcome *new = vec_add(&o->outcomes);
	uint32_t code;

	new->nonce = o->life << 32 | wire_u32(w);
	new->index = wire_u64(w);
	code = wire_u32(w);
	if (code > INT32_MAX)
		return false;
	new->code = -(int)code;
	if (code)
		new->text = wire_str_dup(w, ERR_TEXT_MAX - 1);
	return !w->failed && new->nonce > after && new->index > 0;
}

static void origin_out(const struct origin *o, struct buf *out)
{
	const struct outcome *outcome;

	wire_put_u32(out, o->node);
	wire_put_id(out, &o->incarnation);
	wire_put_u32(out, (uint32_t)o->life);
	wire_put_u64(out, o->forgotten);
	wire_put_u32(out, (uint32_t)o->outcomes.n);
	vec_each(outcome, &o->outcomes)
		outcome_out(outcome, out);
}

static bool outcomes_in(struct origin *o, struct wire *w)
{
	uint64_t after = o->forgotten;
	uint32_t n = wire_u32(w);

	if (n > OUTCOMES)
		return false;
	for (; n > 0; n--) {
		if (!outcome_in(o, after, w))
			return false;
		after = o->outcomes.v[o->outcomes.n - 1].nonce;
	}
	return !w->failed;
}

/* The map owns even what is wrong, since that is freed with it. */
static bool origin_in(struct state *s, struct wire *w)
{
	size_t before = map_count(s->origins);
	struct origin *o = mem_new(struct origin);
	bool good;

	o->node = wire_u32(w);
	o->incarnation = wire_id(w);
	o->life = wire_u32(w);
	o->forgotten = wire_u64(w);
	good = (o->forgotten == 0 || o->forgotten >> 32 == o->life) && outcomes_in(o, w);
	map_put_u64(s->origins, o->node, o);
	return good && map_count(s->origins) == before + 1 && map_last(s->origins) == o;
}

static bool origins_in(struct state *s, struct wire *w)
{
	uint32_t n = wire_u32(w);

	if (n > ORIGINS_MAX)
		return false;
	while (n-- > 0)
		if (!origin_in(s, w))
			return false;
	return true;
}

void state_out(const struct state *s, struct buf *out)
{
	struct map_iter it = { 0 };
	const struct origin *o;

	wire_put_u8(out, VERSION);
	model_wire_out(s->model, out);
	wire_put_u32(out, (uint32_t)map_count(s->origins));
	while ((o = map_next(s->origins, &it)))
		origin_out(o, out);
}

int state_in(const void *data, size_t len, struct state **ret, struct err *ret_err)
{
	struct wire w = wire_reader(data, len);
	struct state *s = state_new();

	if (wire_u8(&w) != VERSION || !model_wire_in(s->model, &w) || !origins_in(s, &w) || !wire_done(&w)) {
		state_free(s);
		return err_set(ret_err, -EBADMSG, "a state of %zu bytes does not decode", len);
	}
	*ret = s;
	return 0;
}
