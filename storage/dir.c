/* SPDX-License-Identifier: Apache-2.0
 * The `dir` backend: a volume is the plain file NAME.raw in the pool's folder, local or shared.
 *
 * A folder on a network file system can hang, so whatever touches it is a child process. What the
 * folder holds is not trusted: only plain files with proper names are volumes, and a symbolic link
 * is never followed. */
#include "storage.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TEMP_MAX 96

/* A folder's path leaves room for "/NAME.raw" in what map gives out. */
#define DIR_PATH_MAX (STORAGE_PATH_MAX - STORAGE_NAME_MAX - 8)

enum job_kind { JOB_CREATE, JOB_CLEAN, JOB_REMOVE, JOB_LIST, JOB_MAP, JOB_UNMAP, JOB_MAX };

struct dir {
	struct env env;
	const struct children *children;
	char path[STORAGE_PATH_MAX];
	VEC(struct job *) jobs;
};

struct job {
	struct dir *dir;
	enum job_kind kind;
	struct child *child; /* NULL for JOB_UNMAP, which needs none */
	struct env_timer *soon;
	char volume[STORAGE_NAME_MAX];
	char size[24];
	char temp[TEMP_MAX]; /* the name under which JOB_CREATE makes the file */
	struct err result;   /* of the creation, while JOB_CLEAN runs */
	union {
		storage_done_fn *done;
		storage_mapped_fn *mapped;
		storage_list_fn *list;
	} fn;
	void *arg;
};

/* Exit statuses by which the scripts say what they found. */
#define EXIT_EXISTS  40
#define EXIT_ABSENT  41
#define EXIT_ODD     42 /* not a plain file */
#define EXIT_NO_POOL 43

/*
 * The scripts get: $1 the folder, $2 the volume, $3 its size, $4 a temporary name. A volume appears
 * under its name whole, durable and never over another: link does not replace. If the node
 * dies before that, a hidden file is left, which a creation on a later day removes.
 */
#define SCRIPT_HEAD \
	"[ -d \"$1\" ] || exit 43\n" \
	"f=$1/$2.raw; t=$1/$4\n"
#define SCRIPT_FIND \
	"[ ! -L \"$f\" ] || exit 42\n" \
	"[ -e \"$f\" ] || exit 41\n" \
	"[ -f \"$f\" ] || exit 42\n"

static const char create_script[] = SCRIPT_HEAD
	"[ ! -e \"$f\" ] && [ ! -L \"$f\" ] || exit 40\n"
	"umask 077\n"
	"trap 'rm -f -- \"$t\"' EXIT\n"
	"find \"$1\" -maxdepth 1 -type f -name '.*.domus-new' -mmin +1440 -delete\n"
	"/usr/bin/qemu-img create -q -f raw -o preallocation=falloc -- \"$t\" \"$3\" || exit 1\n"
	"sync -- \"$t\" || exit 1\n"
	"ln -T -- \"$t\" \"$f\" || { [ -e \"$f\" ] && exit 40; exit 1; }\n"
	"rm -f -- \"$t\"\n"
	"sync -- \"$1\"\n";

static const char clean_script[] = SCRIPT_HEAD "rm -f -- \"$t\"\n";

static const char remove_script[] = SCRIPT_HEAD SCRIPT_FIND "rm -f -- \"$f\" && sync -- \"$1\"\n";

/* Each entry ends with a zero byte, since a name can hold a newline; the last word proves that
 * nothing was cut off. */
static const char list_script[] = SCRIPT_HEAD
	"find \"$1\" -maxdepth 1 -type f -name '*.raw' -printf '%s %f\\0' && printf end\n";

static const char map_script[] = SCRIPT_HEAD SCRIPT_FIND;

/* Space is allocated, not written, where the file system can; where not, creating takes as long as
 * writing. */
static const struct {
	const char *what, *script;
	int64_t deadline_us;
} job_rows[JOB_MAX] = {
	[JOB_CREATE] = { "create", create_script, 1800 * US_PER_S },
	[JOB_CLEAN] = { "clean up", clean_script, 30 * US_PER_S },
	[JOB_REMOVE] = { "delete", remove_script, 120 * US_PER_S },
	[JOB_LIST] = { "list", list_script, 60 * US_PER_S },
	[JOB_MAP] = { "open", map_script, 30 * US_PER_S },
	[JOB_UNMAP] = { "close", NULL, 0 },
};

static const struct {
	int status, code;
	const char *text;
} exit_rows[] = {
	{ EXIT_EXISTS, -EEXIST, "there is a file of that name already" },
	{ EXIT_ABSENT, -ENOENT, "there is no such file" },
	{ EXIT_ODD, -EINVAL, "it is not a plain file; look at it and remove it by hand" },
	{ EXIT_NO_POOL, -ENODEV,
	  "the folder is not there: create it, or mount what belongs there" },
};

/* What the tools print in the C locale. */
static const struct {
	const char *text;
	int code;
} message_rows[] = {
	{ "No space left on device", -ENOSPC }, { "Disk quota exceeded", -ENOSPC },
	{ "File too large", -EFBIG },           { "Read-only file system", -EROFS },
	{ "Permission denied", -EACCES },
};

static struct job *job_new(struct dir *d, enum job_kind kind, const char *volume, void *arg)
{
	struct job *j = mem_new(struct job);

	j->dir = d;
	j->kind = kind;
	STRCPY(j->volume, volume);
	j->arg = arg;
	vec_push(&d->jobs, j);
	return j;
}

static void job_free(struct job *j)
{
	struct dir *d = j->dir;

	vec_drop(&d->jobs, j);
	env_cancel(&d->env, &j->soon);
	mem_freep(&j);
}

/* The tools' last line says what was wrong. */
static void last_line(const char *text, char ret[static 160])
{
	size_t len = strlen(text), start;

	while (len && text[len - 1] == '\n')
		len--;
	for (start = len; start && text[start - 1] != '\n'; start--)
		;
	snprintf(ret, 160, "%.*s", (int)(len - start), text + start);
}

/* Fills @ret from how the child ended; 0 when it did what it should. */
static int judge(const struct job *j, const struct child_end *end, struct err *ret)
{
	const char *what = job_rows[j->kind].what, *slash = *j->volume ? "/" : "";
	char line[160];

	ret->code = 0;
	ret->text[0] = '\0';
	if (end->status == 0)
		return 0;
	if (end->timed_out)
		return err_set(ret, -ETIMEDOUT,
			       "%s %s%s%s: no answer after %" PRId64
			       " s; is the folder's disk there?",
			       what, j->dir->path, slash, j->volume,
			       job_rows[j->kind].deadline_us / US_PER_S);
	for (size_t i = 0; i < ARRAY_SIZE(exit_rows); i++)
		if (exit_rows[i].status == end->status)
			return err_set(ret, exit_rows[i].code, "%s %s%s%s: %s", what, j->dir->path,
				       slash, j->volume, exit_rows[i].text);
	last_line(end->err, line);
	for (size_t i = 0; i < ARRAY_SIZE(message_rows); i++)
		if (strstr(end->err, message_rows[i].text))
			return err_set(ret, message_rows[i].code, "%s %s%s%s: %s", what,
				       j->dir->path, slash, j->volume, message_rows[i].text);
	return err_set(ret, -EIO, "%s %s%s%s: %s", what, j->dir->path, slash, j->volume,
		       *line ? line : "a tool failed without a word");
}

static void finish(struct job *j, const struct err *err)
{
	struct job end = *j;
	char path[STORAGE_PATH_MAX];

	snprintf(path, sizeof(path), "%.*s/%s.raw", DIR_PATH_MAX, j->dir->path, j->volume);
	job_free(j);
	if (end.kind == JOB_MAP)
		end.fn.mapped(end.arg, err, err->code == 0 ? path : NULL);
	else
		end.fn.done(end.arg, err);
}

static int compare_infos(const void *a, const void *b)
{
	return strcmp(((const struct volume_info *)a)->name, ((const struct volume_info *)b)->name);
}

/* "SIZE NAME.raw": true when that is a volume. */
static bool entry_in(const char *entry, struct volume_info *ret)
{
	char *rest;
	size_t len;

	ret->size = strtoull(entry, &rest, 10);
	if (rest == entry || *rest != ' ')
		return false;
	rest++;
	len = strlen(rest);
	if (len <= 4 || len - 4 >= sizeof(ret->name))
		return false;
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(len - 4), rest);
	return storage_name_ok(ret->name);
}

static void finish_list(struct job *j, struct err *err, const char *out, size_t len)
{
	VEC(struct volume_info) infos = { 0 };
	struct volume_info info;
	storage_list_fn *done = j->fn.list;
	void *arg = j->arg;

	if (err->code == 0 && (len < 3 || memcmp(out + len - 3, "end", 3) != 0))
		err_set(err, -EOVERFLOW,
			"list %s: too many volumes in one folder; use several pools", j->dir->path);
	if (err->code == 0)
		for (const char *p = out; p < out + len - 3; p += strlen(p) + 1)
			if (entry_in(p, &info))
				vec_push(&infos, info);
	if (infos.n)
		qsort(infos.v, infos.n, sizeof(*infos.v), compare_infos);
	job_free(j);
	done(arg, err, infos.v, infos.n);
	vec_free(&infos);
}

static int run(struct job *j, struct err *ret_err);

/* A creation that was killed could not tidy up after itself. True when a child does it now. */
static bool clean_up(struct job *j, const struct child_end *end, const struct err *err)
{
	if (j->kind != JOB_CREATE || end->status >= 0)
		return false;
	j->kind = JOB_CLEAN;
	j->result = *err;
	return run(j, NULL) == 0;
}

static void child_ended(void *arg, const struct child_end *end)
{
	struct job *j = arg;
	struct err err;

	j->child = NULL;
	if (j->kind == JOB_CLEAN) {
		err = j->result;
		finish(j, &err);
		return;
	}
	judge(j, end, &err);
	if (clean_up(j, end, &err))
		return;
	if (j->kind == JOB_LIST)
		finish_list(j, &err, end->out, end->out_len);
	else
		finish(j, &err);
}

static int run(struct job *j, struct err *ret_err)
{
	struct dir *d = j->dir;
	const char *argv[] = { "/bin/sh",       "-c",    job_rows[j->kind].script,
			       "domus-storage", d->path, j->volume,
			       j->size,         j->temp, NULL };
	struct child_spec spec = { .argv = argv, .deadline_us = job_rows[j->kind].deadline_us };

	return d->children->ops->spawn(d->children->ctx, &spec, child_ended, j, &j->child, ret_err);
}

/* Starts a new job, or takes it back. */
static int start(struct job *j, struct err *ret_err)
{
	int r = run(j, ret_err);

	if (r < 0)
		job_free(j);
	return r;
}

/* Absolute, and by no detour: a path that is printed is the path that is meant. */
static bool path_ok(const char *path)
{
	if (path[0] != '/' || path[1] == '\0' || strlen(path) >= DIR_PATH_MAX)
		return false;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return false;
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		size_t len = strcspn(p + 1, "/");

		if ((len == 1 && p[1] == '.') || (len == 2 && p[1] == '.' && p[2] == '.'))
			return false;
	}
	return true;
}

static int dir_open(void *shared, const struct pool_conf *conf, const struct env *env,
		    const struct children *children, void **ret_ctx, struct err *ret_err)
{
	struct dir *d;

	(void)shared;
	if (!path_ok(conf->path))
		return err_set(ret_err, -EINVAL,
			       "pool %s: the path must be a folder's, absolute, without . and .., "
			       "shorter than %d",
			       conf->name, DIR_PATH_MAX);
	d = mem_new(struct dir);
	d->env = *env;
	d->children = children;
	STRCPY(d->path, conf->path);
	*ret_ctx = d;
	return 0;
}

static void dir_close(void *ctx)
{
	struct dir *d = ctx;

	while (d->jobs.n) {
		struct job *j = d->jobs.v[d->jobs.n - 1];

		if (j->child)
			d->children->ops->cancel(d->children->ctx, j->child);
		job_free(j);
	}
	vec_free(&d->jobs);
	mem_freep(&d);
}

static int dir_create(void *ctx, const char *volume, uint64_t size, storage_done_fn *done,
		      void *arg, struct err *ret_err)
{
	struct dir *d = ctx;
	struct job *j = job_new(d, JOB_CREATE, volume, arg);
	uint64_t salt;

	env_random(&d->env, &salt, sizeof(salt));
	j->fn.done = done;
	snprintf(j->size, sizeof(j->size), "%" PRIu64, size);
	/* Another node may be creating in the same folder: the name is this creation's alone. */
	snprintf(j->temp, sizeof(j->temp), ".%s.%016" PRIx64 ".domus-new", volume, salt);
	return start(j, ret_err);
}

static int dir_remove(void *ctx, const char *volume, storage_done_fn *done, void *arg,
		      struct err *ret_err)
{
	struct job *j = job_new(ctx, JOB_REMOVE, volume, arg);

	j->fn.done = done;
	return start(j, ret_err);
}

static int dir_list(void *ctx, storage_list_fn *done, void *arg, struct err *ret_err)
{
	struct job *j = job_new(ctx, JOB_LIST, "", arg);

	j->fn.list = done;
	return start(j, ret_err);
}

static int dir_map(void *ctx, const struct ticket *ticket, storage_mapped_fn *done, void *arg,
		   struct err *ret_err)
{
	struct job *j = job_new(ctx, JOB_MAP, ticket->volume, arg);

	j->fn.mapped = done;
	return start(j, ret_err);
}

static void unmapped(void *arg)
{
	struct err none = { 0 };

	finish(arg, &none);
}

/* A plain file needs no unmapping. It cannot be cut off either: rule G2. */
static int dir_unmap(void *ctx, const struct ticket *ticket, storage_done_fn *done, void *arg,
		     struct err *ret_err)
{
	struct dir *d = ctx;
	struct job *j = job_new(d, JOB_UNMAP, ticket->volume, arg);

	(void)ret_err;
	j->fn.done = done;
	env_defer(&d->env, &j->soon, unmapped, j);
	return 0;
}

const struct storage_backend storage_dir = {
	.name = "dir",
	.open = dir_open,
	.close = dir_close,
	.create = dir_create,
	.remove = dir_remove,
	.list = dir_list,
	.map = dir_map,
	.unmap = dir_unmap,
};
