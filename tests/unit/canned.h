/* SPDX-License-Identifier: Apache-2.0
 * For the command line's tests: an agent whose answers are written beforehand, and a run of the
 * program against it with all that it prints. */
#ifndef DOMUS_TESTS_CANNED_H
#define DOMUS_TESTS_CANNED_H

#include "kit/kit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CANNED_NOW_US INT64_C(1767225600000000) /* 2026-01-01 00:00:00 */

/*
 * One answer: to @method only, @ms after the first. @text is the result, or with a '!' in front
 * the whole of a refusal's code and sentence: "!refused it is held". "!gone" ends the agent.
 */
struct canned_answer {
	const char *method;
	int64_t ms;
	const char *text;
	bool old; /* not current */
};

struct canned {
	const struct canned_answer *next; /* a NULL method ends them */
	enum reply_code connect;
	struct buf asked; /* "method params" lines */
	uint64_t index;
};

static inline void canned_reply(struct canned *c, const struct canned_answer *a, struct buf *out)
{
	char code[32];

	buf_printf(out,
		   "{\"id\":1,\"index\":%llu,\"term\":3,\"age_ms\":200,\"current\":%s,\"now_us\":%"
		   "lld,",
		   (unsigned long long)++c->index, a->old ? "false" : "true",
		   (long long)(CANNED_NOW_US + a->ms * 1000));
	if (a->text[0] != '!') {
		buf_printf(out, "\"ok\":true,\"result\":%s}", a->text);
		return;
	}
	snprintf(code, sizeof(code), "%.*s", (int)strcspn(a->text + 1, " "), a->text + 1);
	buf_printf(out, "\"ok\":false,\"code\":\"%s\",\"error\":\"%s\"}", code,
		   a->text + 2 + strlen(code));
}

static inline int canned_exchange(void *ctx, const char *request, size_t len, int timeout_ms,
				  struct buf *ret_reply, struct err *ret_err)
{
	struct canned *c = ctx;
	const struct canned_answer *a = c->next++;
	json_t *root = json_loadb(request, len, 0, NULL);
	const char *method = cli_str(root, "method");
	char *params = json_dumps(json_object_get(root, "params"), JSON_COMPACT | JSON_SORT_KEYS);

	(void)timeout_ms;
	buf_printf(&c->asked, "%s %s\n", method, params);
	if (!a->method || strcmp(method, a->method) != 0)
		fail_msg("asked %s %s, expected %s", method, params,
			 a->method ? a->method : "no more");
	free(params);
	json_decref(root);
	if (strcmp(a->text, "!gone") == 0)
		return err_set(ret_err, -ENOTCONN, "the agent has ended before it answered");
	canned_reply(c, a, ret_reply);
	return 0;
}

static inline void canned_close(void *ctx)
{
	(void)ctx;
}

static inline enum reply_code canned_connect(void *ctx, const char *suffix, struct client *ret,
					     struct err *ret_err)
{
	static const struct client_ops ops = { .exchange = canned_exchange, .close = canned_close };
	struct canned *c = ctx;

	if (c->connect != REPLY_OK) {
		err_set(ret_err, -1, "cannot connect (%s)", suffix ? suffix : "no suffix");
		return c->connect;
	}
	*ret = (struct client){ .ops = &ops, .ctx = c };
	return REPLY_OK;
}

/* How a run goes on: what a person types, and whether there is one. */
struct canned_run {
	const struct canned_answer *answers;
	enum reply_code connect;
	const char *typed;
	bool in_tty, out_tty;
};

/* Runs "domus @line" (split at spaces); appends to @all what was printed, asked, returned. */
static inline int canned_run(const struct canned_run *run, const char *line, struct buf *all)
{
	static const struct canned_answer none[] = { { 0 } };
	struct canned c = { .next = run->answers ? run->answers : none,
			    .connect = run->connect,
			    .index = 100 };
	char *words = mem_strdup(line), *argv[32] = { (char *)"domus" };
	char *out = NULL, *err = NULL;
	size_t out_len, err_len;
	struct cli_io io = { .in = fmemopen((void *)(run->typed ? run->typed : "\n"),
					    strlen(run->typed ? run->typed : "\n"), "r"),
			     .out = open_memstream(&out, &out_len),
			     .err = open_memstream(&err, &err_len),
			     .in_tty = run->in_tty,
			     .out_tty = run->out_tty,
			     .connect = canned_connect,
			     .connect_ctx = &c };
	int argc = 1, code;

	for (char *w = strtok(words, " "); w && argc < 31; w = strtok(NULL, " "))
		argv[argc++] = w;
	code = cli_main(argc, argv, &io);
	fclose(io.in);
	fclose(io.out);
	fclose(io.err);
	buf_printf(all, "$ domus %s\n%s", line, out);
	if (err_len)
		buf_printf(all, "[stderr] %s", err);
	if (c.asked.len)
		buf_printf(all, "[asked]\n%s", buf_cstr(&c.asked));
	buf_printf(all, "[exit %d]\n\n", code);
	if (c.next->method)
		fail_msg("%s: never asked for %s", line, c.next->method);
	buf_free(&c.asked);
	free(words);
	free(out);
	free(err);
	return code;
}

#endif
