/* SPDX-License-Identifier: Apache-2.0
 * The replicated state. Repetitions of a command (rule L5) fall out here, by the proposer's recent numbers. */
#include "engine/state.h"

#include "base/jsonw.h"
#include "engine/command.h"
#include "engine/state_priv.h"
#include "policy/apply.h"

#include <stdlib.h>
#include <string.h>

static void outcome_clear(struct outcome *o)
{
	free(o->text);
}

static void origin_clear(struct origin *o)
{
	struct outcome *out;

	vec_each(out, &o->outcomes)
		outcome_clear(out);
	vec_clear(&o->outcomes);
}

static void origin_free(void *p)
{
	struct origin *o = p;

	origin_clear(o);
	vec_free(&o->outcomes);
	free(o);
}

struct state *state_new(void)
{
	struct state *s = mem_new(struct state);

	s->model = model_new();
	s->origins = map_new(origin_free);
	return s;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	model_free(s->model);
	map_free(s->origins);
	free(s);
}

void state_replace(struct state *s, struct state *with)
{
	struct model model = *s->model;
	struct map *origins = s->origins;

	*s->model = *with->model;
	s->origins = with->origins;
	*with->model = model;
	with->origins = origins;
	state_free(with);
}

struct model *state_model(const struct state *s)
{
	return s->model;
}

/* The place of @nonce in @o, or where it would stand. */
static size_t outcome_place(const struct origin *o, uint64_t nonce)
{
	size_t low = 0, high = o->outcomes.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (o->outcomes.v[mid].nonce < nonce)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct outcome *outcome_find(const struct origin *o, uint64_t nonce)
{
	size_t i = outcome_place(o, nonce);

	return i < o->outcomes.n && o->outcomes.v[i].nonce == nonce ? &o->outcomes.v[i] : NULL;
}

static struct origin *origin_of(struct state *s, const struct command_id *id)
{
	struct origin *o = map_get_u64(s->origins, id->node);

	if (!o) {
		o = mem_new(struct origin);
		o->node = id->node;
		map_put_u64(s->origins, id->node, o);
	}
	if (!id_equal(&o->incarnation, &id->incarnation) || o->life != id->nonce >> 32) {
		origin_clear(o);
		o->incarnation = id->incarnation;
		o->life = id->nonce >> 32;
		o->forgotten = 0;
	}
	return o;
}

static void outcome_add(struct origin *o, uint64_t nonce, uint64_t index, const struct err *err)
{
	struct outcome new = { nonce, index, err->code, err->code ? mem_strdup(err->text) : NULL };
	size_t i;

	if (o->outcomes.n == OUTCOMES) {
		/* A quarter at once, so that a command costs no move of the whole list. */
		for (i = 0; i < OUTCOMES / 4; i++)
			outcome_clear(&o->outcomes.v[i]);
		o->forgotten = o->outcomes.v[i - 1].nonce;
		memmove(o->outcomes.v, o->outcomes.v + i, (OUTCOMES - i) * sizeof(o->outcomes.v[0]));
		o->outcomes.n -= i;
	}
	i = outcome_place(o, nonce);
	vec_push(&o->outcomes, new);
	memmove(&o->outcomes.v[i + 1], &o->outcomes.v[i], (o->outcomes.n - 1 - i) * sizeof(new));
	o->outcomes.v[i] = new;
}

static void apply_open(struct state *s, const struct apply_at *at, const struct ledger_entry *entry)
{
	struct ledger_open open;
	struct apply_member members[ORDER_MEMBERS_MAX];

	if (ledger_open_in(entry->data, entry->len, &open) < 0)
		return;
	for (size_t i = 0; i < open.n_members; i++)
		members[i] = (struct apply_member){ open.members[i].node, open.members[i].incarnation };
	model_open(s->model, at, members, open.n_members, open.nodes, open.n_nodes);
}

static void apply_voters(struct state *s, const struct apply_at *at, const struct ledger_entry *entry)
{
	struct ledger_voters voters;
	struct apply_voter list[LEDGER_VOTERS_MAX];

	if (ledger_voters_in(entry->data, entry->len, &voters) < 0)
		return;
	for (size_t i = 0; i < voters.n; i++) {
		list[i].node = voters.v[i].node;
		memcpy(list[i].name, voters.v[i].name, sizeof(list[i].name));
	}
	model_voters(s->model, at, list, voters.n);
}

static void apply_command(struct state *s, const struct apply_at *at, const struct ledger_entry *entry, struct err *ret_err)
{
	struct command c;

	if (command_in(entry->data, entry->len, &c, ret_err) < 0)
		return;
	model_apply(s->model, at, &c, ret_err);
	command_free(&c);
}

struct state_result state_apply(struct state *s, const struct ledger_entry *entry)
{
	struct apply_at at = { entry->index, entry->term, entry->stamp_us };
	struct state_result r = { .fresh = true };
	struct origin *o;

	s->model->index = entry->index;
	if (entry->kind == ENTRY_OPEN)
		apply_open(s, &at, entry);
	else if (entry->kind == ENTRY_VOTERS)
		apply_voters(s, &at, entry);
	if (entry->kind != ENTRY_COMMAND)
		return r;
	o = origin_of(s, &entry->id);
	if (entry->id.nonce <= o->forgotten || outcome_find(o, entry->id.nonce))
		return (struct state_result){ .fresh = false };
	apply_command(s, &at, entry, &r.err);
	outcome_add(o, entry->id.nonce, entry->index, &r.err);
	return r;
}

int state_outcome(const struct state *s, const struct command_id *id, struct err *ret_err, uint64_t *ret_index)
{
	const struct origin *o = map_get_u64(s->origins, id->node);
	const struct outcome *out;

	if (!o)
		return 0;
	if (!id_equal(&o->incarnation, &id->incarnation) || o->life != id->nonce >> 32 || id->nonce <= o->forgotten)
		return -ENOENT;
	out = outcome_find(o, id->nonce);
	if (!out)
		return 0;
	*ret_err = (struct err){ 0 };
	if (out->code)
		err_set(ret_err, out->code, "%s", out->text);
	*ret_index = out->index;
	return 1;
}

static void origin_json(const struct origin *o, struct jsonw *j)
{
	const struct outcome *out;
	char text[ID_TEXT_SIZE];

	jsonw_object(j);
	jsonw_kv_u64(j, "forgotten", o->forgotten);
	jsonw_kv_str(j, "incarnation", id_text(&o->incarnation, text));
	jsonw_kv_u64(j, "life", o->life);
	jsonw_kv_u64(j, "node", o->node);
	jsonw_key(j, "outcomes");
	jsonw_array(j);
	vec_each(out, &o->outcomes) {
		jsonw_array(j);
		jsonw_u64(j, out->nonce);
		jsonw_u64(j, out->index);
		jsonw_i64(j, out->code);
		jsonw_str(j, out->text);
		jsonw_array_end(j);
	}
	jsonw_array_end(j);
	jsonw_object_end(j);
}

void state_json(const struct state *s, struct buf *out)
{
	struct jsonw j = jsonw_begin(out);
	struct buf model = { 0 };
	struct map_iter it = { 0 };
	const struct origin *o;

	model_json(s->model, &model);
	jsonw_object(&j);
	jsonw_key(&j, "model");
	jsonw_raw(&j, buf_cstr(&model));
	jsonw_key(&j, "origins");
	jsonw_array(&j);
	while ((o = map_next(s->origins, &it)))
		origin_json(o, &j);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	buf_free(&model);
}
