/* SPDX-License-Identifier: Apache-2.0
 * Cases: scripts that are kept. */
#include "case.h"

#include "play.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE 512

static void path_in(const char *dir, const char *name, char ret[static PATH_SIZE])
{
	snprintf(ret, PATH_SIZE, "%s/%s", dir, name);
}

/* "" if there is none yet. */
static void read_expected(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	int c;

	while (f && (c = fgetc(f)) != EOF)
		buf_char(out, (char)c);
	if (f)
		fclose(f);
}

static int write_expected(const char *path, const struct buf *text, struct err *ret_err)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(buf_cstr(text), f) < 0 || fclose(f))
		return err_set(ret_err, -EIO, "cannot write %s", path);
	return 0;
}

static int compare(const char *dir, const char *is, const char *want, struct err *ret_err)
{
	int line = 1;

	if (!strcmp(is, want))
		return 0;
	while (*is && strcspn(is, "\n") == strcspn(want, "\n") && !strncmp(is, want, strcspn(is, "\n") + 1)) {
		is += strcspn(is, "\n") + 1;
		want += strcspn(want, "\n") + 1;
		line++;
	}
	return err_set(ret_err, -ESTALE, "%s: line %d is '%.*s', not '%.*s'", dir, line, (int)strcspn(is, "\n"), is,
		       (int)strcspn(want, "\n"), want);
}

static int judge(const char *dir, bool update, const struct outcome *out, const struct buf *story, struct err *ret_err)
{
	_cleanup_(buf_free) struct buf want = { 0 };
	char path[PATH_SIZE];

	if (out->failed)
		return err_set(ret_err, -EPROTO, "%s: %s", dir, out->what);
	path_in(dir, "log.expect", path);
	if (update)
		return write_expected(path, story, ret_err);
	read_expected(path, &want);
	return compare(dir, buf_cstr(story), buf_cstr(&want), ret_err);
}

int case_play(const char *dir, bool update, struct err *ret_err)
{
	struct record record = { 0 };
	struct script script;
	struct outcome out;
	char path[PATH_SIZE];
	int rc;

	path_in(dir, "script", path);
	rc = script_read(path, &script, ret_err);
	if (rc < 0)
		return rc;
	play_script(&script, &record, &out);
	rc = judge(dir, update, &out, &record.story, ret_err);
	record_free(&record);
	script_free(&script);
	return rc;
}
