/* SPDX-License-Identifier: Apache-2.0
 * What unit tests share. */
#include "kit.h"

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *kit_path(const char *dir, const char *name)
{
	struct buf b = {0};

	buf_printf(&b, "%s/%s", dir, name);
	return buf_take(&b);
}

/* The whole file, or NULL. */
static char *slurp(const char *path)
{
	struct buf b = {0};
	char chunk[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(&b, chunk, (size_t)n);
	close(fd);
	return buf_take(&b);
}

char *kit_read(const char *path)
{
	char *text = slurp(path);

	if (!text)
		fail_msg("cannot read %s", path);
	return text;
}

void kit_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		fail_msg("cannot write %s", path);
}

/* The number of the first line in which the two differ, and that line of each. */
static void first_difference(const char *is, const char *want, struct buf *out)
{
	int line = 1;

	while (*is && strcspn(is, "\n") == strcspn(want, "\n") &&
	       strncmp(is, want, strcspn(is, "\n") + 1) == 0) {
		is += strcspn(is, "\n") + 1;
		want += strcspn(want, "\n") + 1;
		line++;
	}
	buf_printf(out, "line %d\n  is:     %.*s\n  wanted: %.*s", line, (int)strcspn(is, "\n"), is,
		   (int)strcspn(want, "\n"), want);
}

void kit_golden(const char *name, const char *text)
{
	_cleanup_(mem_freep) char *path = kit_path("tests/golden", name);
	_cleanup_(mem_freep) char *wanted = NULL;
	_cleanup_(buf_free) struct buf difference = {0};

	if (getenv("DOMUS_GOLDEN_UPDATE")) {
		kit_write(path, text);
		return;
	}
	wanted = kit_read(path);
	if (strcmp(wanted, text) == 0)
		return;
	first_difference(text, wanted, &difference);
	fail_msg("%s: %s\n(make golden writes it anew)", path, buf_cstr(&difference));
}

char *kit_mkdir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path = kit_path(tmp && *tmp ? tmp : "/tmp", "domus-test-XXXXXX");

	if (!mkdtemp(path))
		fail_msg("cannot make a folder like %s", path);
	return path;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void kit_rmdir(char *path)
{
	if (path)
		nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

struct limit {
	struct loop *loop;
	bool over;
};

static void limit_over(void *ctx)
{
	struct limit *l = ctx;

	l->over = true;
	loop_quit(l->loop);
}

/* A timer looks at the condition every millisecond: the tests' own sources need not know of it. */
static void tick(void *ctx)
{
	loop_quit(ctx);
}

void kit_loop_until(struct loop *loop, bool (*done)(void *ctx), void *ctx, int seconds,
		    const char *what)
{
	struct env env = loop_env(loop);
	struct env_timer *deadline = NULL, *next = NULL;
	struct limit limit = { .loop = loop };

	env_timer(&env, &deadline, seconds * US_PER_S, limit_over, &limit);
	while (!done(ctx) && !limit.over) {
		env_timer(&env, &next, US_PER_MS, tick, loop);
		loop_run(loop);
	}
	env_cancel(&env, &next);
	env_cancel(&env, &deadline);
	if (!done(ctx))
		fail_msg("%s: not within %d s", what, seconds);
}
