/* SPDX-License-Identifier: Apache-2.0
 * A cluster from its first boot to the verdict. */
#include "play.h"

#include "cast.h"
#include "settle.h"

#include <string.h>

#define HASH_OF_NOTHING UINT64_C(14695981039346656037)

struct play {
	struct world *w;
	const struct script *script;
	struct outcome *out;
	struct record *record;		/* or NULL */
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

/* FNV-1a, of 64 bits. */
static uint64_t hash_on(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

static size_t count_snapshots(const struct play *p)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= p->script->shape.nodes; i++)
		n += world_disk_image(p->w, i)->snapshot.index > 0;
	return n;
}

/* What is left of the cluster when it is freed. */
static void collect(struct play *p)
{
	p->out->hash = hash_on(p->out->hash, world_trace(p->w));
	p->out->simulated_us += world_now(p->w);
	p->out->given_up += world_excused(p->w);
	p->out->snapshots += count_snapshots(p);
	if (!p->record)
		return;
	buf_str(&p->record->trace, world_trace(p->w));
	buf_str(&p->record->story, world_story(p->w) + p->story_from);
}

static void set_up(struct play *p)
{
	p->w = cast_new(p->script->seed + p->out->given_up, &p->script->shape);
	p->since_us = world_now(p->w);
	p->story_from = strlen(world_story(p->w));
}

static void set_up_another(struct play *p)
{
	world_note(p->w, "given up after a lie that nobody can make good; another cluster takes its place");
	collect(p);
	world_free(p->w);
	set_up(p);
}

static const char *play_settle(struct play *p)
{
	const char *what = NULL;

	if (!world_excused(p->w))
		what = settle(p->w, &p->script->shape);
	if (!world_broken(p->w) && world_excused(p->w)) {
		set_up_another(p);
		return NULL;
	}
	p->since_us = world_now(p->w);
	return what;
}

static bool play_trouble(struct play *p, const struct trouble *t)
{
	const char *what = NULL;

	wait_for(p, t->at_us);
	if (!world_broken(p->w)) {
		if (t->kind == TROUBLE_SETTLE || !world_excused(p->w))
			note(p, t);
		if (t->kind == TROUBLE_SETTLE)
			what = play_settle(p);
		else if (!world_excused(p->w))
			trouble_do(p->w, &p->script->shape, t);
		p->out->done++;
	}
	if (world_broken(p->w))
		what = world_broken(p->w);
	if (what)
		fail(p, what);
	return !what;
}

static bool play_troubles(struct play *p, const troubles *list, size_t from)
{
	for (size_t i = from; i < list->n; i++)
		if (!play_trouble(p, &list->v[i]))
			return false;
	return true;
}

static void begin(struct play *p, const struct script *s, struct record *record, struct outcome *ret)
{
	*ret = (struct outcome){ .hash = HASH_OF_NOTHING };
	*p = (struct play){ .script = s, .out = ret, .record = record };
	set_up(p);
}

void record_free(struct record *r)
{
	buf_free(&r->trace);
	buf_free(&r->story);
}

static void end(struct play *p)
{
	if (!p->out->failed)
		world_note(p->w, "all promises kept");
	collect(p);
	if (p->record && p->out->failed)
		settle_explain(p->w, &p->script->shape, &p->record->trace);
	world_free(p->w);
}

void play_script(const struct script *script, struct record *record, struct outcome *ret)
{
	struct play p;

	begin(&p, script, record, ret);
	play_troubles(&p, &script->troubles, 0);
	end(&p);
}

void play_seed(struct script *script, int64_t us, struct record *record, struct outcome *ret)
{
	uint64_t random = script->seed * 977 + 1;
	struct play p;
	size_t from;

	begin(&p, script, record, ret);
	do {
		from = script->troubles.n;
		trouble_draw(&random, &script->shape, &script->troubles);
	} while (play_troubles(&p, &script->troubles, from) && ret->simulated_us + world_now(p.w) < us);
	end(&p);
}
