/* SPDX-License-Identifier: Apache-2.0
 * A cluster from its first boot to the verdict. */
#include "play.h"

#include "cast.h"
#include "settle.h"

#include <string.h>

struct play {
	struct world *w;
	const struct shape *shape;
	struct outcome *out;
	size_t story_from;
	int64_t since_us;		/* what the troubles' times count from */
	struct env_timer *timer;	/* of the next trouble */
};

static void fail(struct play *p, const char *what)
{
	if (p->out->failed)
		return;
	p->out->failed = true;
	STRCPY(p->out->what, what);
	world_note(p->w, what);
}

static void due(void *ctx)
{
	(void)ctx;
}

static bool due_or_over(struct world *w, void *ctx)
{
	return world_broken(w) || world_excused(w) || !((struct play *)ctx)->timer;
}

/* A timer of its own, so that it comes in time though nobody has any (all nodes are off). */
static void wait_for(struct play *p, int64_t at_us)
{
	const struct env *env = world_env(p->w);

	if (p->since_us + at_us <= world_now(p->w))
		return;
	env_timer(env, &p->timer, p->since_us + at_us - world_now(p->w), due, p);
	world_until(p->w, due_or_over, p, INT64_MAX / 2);
	env_cancel(env, &p->timer);
}

static void note(struct play *p, const struct trouble *t)
{
	_cleanup_(buf_free) struct buf line = { 0 };

	buf_str(&line, "* ");
	trouble_print(t, &line);
	world_note(p->w, buf_cstr(&line));
}

static bool play_trouble(struct play *p, const struct trouble *t)
{
	const char *what = NULL;

	wait_for(p, t->at_us);
	if (!world_broken(p->w) && !world_excused(p->w)) {
		note(p, t);
		if (t->kind == TROUBLE_SETTLE)
			what = settle(p->w, p->shape);
		else
			trouble_do(p->w, p->shape, t);
		p->out->done++;
	}
	if (t->kind == TROUBLE_SETTLE)
		p->since_us = world_now(p->w);
	if (world_broken(p->w))
		what = world_broken(p->w);
	else if (world_excused(p->w))
		what = NULL;
	if (what)
		fail(p, what);
	p->out->excused = !what && world_excused(p->w);
	return !what && !p->out->excused;
}

static bool play_troubles(struct play *p, const troubles *list, size_t from)
{
	for (size_t i = from; i < list->n; i++)
		if (!play_trouble(p, &list->v[i]))
			return false;
	return true;
}

static void begin(struct play *p, const struct script *s, struct outcome *ret)
{
	*ret = (struct outcome){ 0 };
	*p = (struct play){ .shape = &s->shape, .out = ret };
	p->w = cast_new(s->seed, &s->shape);
	p->since_us = world_now(p->w);
	p->story_from = strlen(world_story(p->w));
}

void record_free(struct record *r)
{
	buf_free(&r->trace);
	buf_free(&r->story);
}

/* FNV-1a, of 64 bits. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

static void end(struct play *p, struct record *record)
{
	if (!p->out->failed)
		world_note(p->w, p->out->excused ? "all promises kept before that lie" : "all promises kept");
	p->out->hash = hash_of(world_trace(p->w));
	p->out->simulated_us = world_now(p->w);
	if (record) {
		buf_str(&record->trace, world_trace(p->w));
		buf_str(&record->story, world_story(p->w) + p->story_from);
		if (p->out->failed)
			settle_explain(p->w, p->shape, &record->trace);
	}
	world_free(p->w);
}

void play_script(const struct script *script, struct record *record, struct outcome *ret)
{
	struct play p;

	begin(&p, script, ret);
	play_troubles(&p, &script->troubles, 0);
	end(&p, record);
}

void play_seed(struct script *script, int64_t us, struct record *record, struct outcome *ret)
{
	uint64_t random = script->seed * 977 + 1;
	struct play p;
	size_t from;

	begin(&p, script, ret);
	do {
		from = script->troubles.n;
		trouble_draw(&random, &script->shape, &script->troubles);
	} while (play_troubles(&p, &script->troubles, from) && world_now(p.w) < us);
	end(&p, record);
}
