/* SPDX-License-Identifier: Apache-2.0
 * Waiting for what was ordered to happen. */
#include "follow.h"

#include "base/mem.h"
#include "text.h"

#define ALONE_US 10000000 /* without the majority for so long: the wait ends */

static void progress(struct follow *f, const struct buf *text)
{
	_cleanup_(buf_free) struct buf safe = { 0 };

	if (!f->cli->io->out_tty || cli_flag(f->cli, OPT_JSON))
		return;
	text_safe(&safe, buf_cstr(text));
	fprintf(f->cli->io->out, "\r\033[K%s", buf_cstr(&safe));
	fflush(f->cli->io->out);
}

static int ask(struct follow *f, struct reply *ret)
{
	json_t *params = f->key ? json_pack("{s:s}", f->key, f->name) : NULL;
	int r = cli_call(f->cli, f->method, params, ret);

	if (r == 0) {
		f->now_us = ret->now_us;
		if (!f->began_us)
			f->began_us = ret->now_us;
	}
	return r;
}

/* Until the model has moved past @index, whatever it was that moved. */
static int wait_for_more(struct follow *f, uint64_t index)
{
	struct reply r;
	int ret = cli_call(f->cli, METHOD_EVENTS_WAIT,
			   json_pack("{s:I, s:I, s:i}", "after", (json_int_t)INT64_MAX, "index",
				     (json_int_t)index, "timeout_ms", f->wait_ms),
			   &r);

	reply_clear(&r);
	cli_breathe();
	return ret;
}

/* How far it is, or what it is about. */
static const char *so_far(const struct follow *f, const struct buf *text)
{
	return text->len ? buf_cstr(text) : f->name ? f->name : "it";
}

static void note_age(struct follow *f, const struct reply *r)
{
	const struct buf nothing = { 0 };

	if (r->current == f->cli->warned)
		progress(f, &nothing);
	cli_watch_current(f->cli, r);
	if (r->current)
		f->old_since_us = 0;
	else if (!f->old_since_us)
		f->old_since_us = f->now_us;
}

static enum verdict judge(struct follow *f, const struct reply *r, struct buf *text)
{
	enum verdict v;

	note_age(f, r);
	buf_clear(text);
	v = f->look(f, r, text);
	return v == FOLLOW_FAILED && !r->current ? FOLLOW_ON : v;
}

/* Whether waiting on makes no sense any more: 0, or the exit code, with the reason told. */
static int given_up(struct follow *f, const struct buf *text)
{
	bool alone = f->old_since_us && f->now_us - f->old_since_us > ALONE_US;
	const struct buf nothing = { 0 };

	if (!alone && f->now_us - f->began_us <= f->timeout_s * INT64_C(1000000))
		return 0;
	progress(f, &nothing);
	if (alone)
		return cli_error(f->cli, EXIT_UNKNOWN,
				 "%s %s: %s: outcome not known: this node has lost the majority: "
				 "ask another node",
				 f->cli->noun, f->cli->verb->name, so_far(f, text));
	return cli_error(f->cli, EXIT_UNKNOWN,
			 "%s %s: %s: not done after %d s, but still wanted: see: domus events",
			 f->cli->noun, f->cli->verb->name, so_far(f, text), f->timeout_s);
}

int follow(struct follow *f, struct reply *ret)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	const struct buf nothing = { 0 };
	enum verdict v;
	int r;

	for (;;) {
		r = ask(f, ret);
		if (r)
			return r;
		v = judge(f, ret, &text);
		if (v != FOLLOW_ON)
			break;
		progress(f, &text);
		r = given_up(f, &text);
		if (r == 0)
			r = wait_for_more(f, ret->index);
		if (r)
			return r;
		reply_clear(ret);
	}
	progress(f, &nothing);
	if (v == FOLLOW_DONE)
		return 0;
	return cli_error(f->cli, f->failed_code, "%s %s: %s", f->cli->noun, f->cli->verb->name,
			 buf_cstr(&text));
}
