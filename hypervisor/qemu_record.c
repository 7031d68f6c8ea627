/* SPDX-License-Identifier: Apache-2.0
 * The run record. */
#include "qemu_record.h"

#include "qemu_argv.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_file(const char *path, const struct buf *text, struct err *ret_err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t n;

	if (fd < 0)
		return err_set(ret_err, -errno, "cannot write %s: %s", path, strerror(errno));
	n = write(fd, text->data, text->len);
	close(fd);
	if (n != (ssize_t)text->len)
		return err_set(ret_err, -ENOSPC, "cannot write %s: no space", path);
	return 0;
}

/* No fsync: the folder is a tmpfs, and what it says is worth nothing after the host's death. */
int qemu_record_write(const char *dir, const struct qemu_record *r, struct err *ret_err)
{
	_cleanup_(mem_freep) char *path = qemu_path(dir, &r->uuid, QEMU_RECORD);
	_cleanup_(mem_freep) char *new_path = qemu_path(dir, &r->uuid, QEMU_RECORD ".new");
	_cleanup_(buf_free) struct buf b = { 0 };
	char uuid[ID_TEXT_SIZE];
	int ret;

	buf_printf(&b,
		   "{\"epoch\":%llu,\"incoming\":%s,\"kvm\":%s,\"name\":\"%s\",\"note\":%llu,"
		   "\"pid\":%d,"
		   "\"ran\":%s,\"start\":%llu,\"uuid\":\"%s\",\"version\":1,\"vnc\":%s}\n",
		   (unsigned long long)r->epoch, r->incoming ? "true" : "false",
		   r->kvm ? "true" : "false", r->name, (unsigned long long)r->note, r->pid,
		   r->ran ? "true" : "false", (unsigned long long)r->start, id_text(&r->uuid, uuid),
		   r->vnc ? "true" : "false");
	ret = write_file(new_path, &b, ret_err);
	if (ret < 0)
		return ret;
	if (rename(new_path, path) < 0)
		return err_set(ret_err, -errno, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int read_bool(json_t *root, const char *key, bool *ret)
{
	json_t *value = json_object_get(root, key);

	if (!json_is_boolean(value))
		return -EINVAL;
	*ret = json_is_true(value);
	return 0;
}

static int read_u64(json_t *root, const char *key, uint64_t max, uint64_t *ret)
{
	json_t *value = json_object_get(root, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int read_root(json_t *root, struct qemu_record *r)
{
	const char *name = json_string_value(json_object_get(root, "name"));
	const char *uuid = json_string_value(json_object_get(root, "uuid"));
	uint64_t version, pid;

	if (read_u64(root, "version", 1, &version) < 0 || version != 1)
		return -EINVAL;
	if (!name || !spec_name_ok(name) || STRCPY(r->name, name) < 0)
		return -EINVAL;
	if (!uuid || id_parse(uuid, &r->uuid) < 0 || id_is_none(&r->uuid))
		return -EINVAL;
	if (read_u64(root, "epoch", INT64_MAX, &r->epoch) < 0 ||
	    read_u64(root, "note", INT64_MAX, &r->note) < 0 ||
	    read_u64(root, "start", INT64_MAX, &r->start) < 0 ||
	    read_u64(root, "pid", INT_MAX, &pid) < 0)
		return -EINVAL;
	r->pid = (int)pid;
	if (read_bool(root, "incoming", &r->incoming) < 0 || read_bool(root, "ran", &r->ran) < 0 ||
	    read_bool(root, "vnc", &r->vnc) < 0 || read_bool(root, "kvm", &r->kvm) < 0)
		return -EINVAL;
	return 0;
}

int qemu_record_parse(const char *text, size_t len, struct qemu_record *ret_record,
		      struct err *ret_err)
{
	struct qemu_record r = { 0 };
	json_t *root = NULL;
	int ret = -EINVAL;

	if (len < QEMU_RECORD_MAX)
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (root)
		ret = read_root(root, &r);
	json_decref(root);
	if (ret < 0)
		return err_set(ret_err, ret, "it is not a run record");
	*ret_record = r;
	return 0;
}

/* At most @size - 1 bytes of a file, and a zero; the length, or -errno. */
static ssize_t read_file(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n;
}

int qemu_record_read(const char *dir, const struct id *uuid, struct qemu_record *ret_record,
		     struct err *ret_err)
{
	_cleanup_(mem_freep) char *path = qemu_path(dir, uuid, QEMU_RECORD);
	char text[QEMU_RECORD_MAX + 1];
	ssize_t n = read_file(path, text, sizeof(text));
	struct qemu_record r;

	if (n < 0)
		return err_set(ret_err, (int)n, "cannot read %s: %s", path, strerror((int)-n));
	if (qemu_record_parse(text, (size_t)n, &r, ret_err) < 0 || !id_equal(&r.uuid, uuid))
		return err_set(ret_err, -EINVAL, "%s is not a run record", path);
	*ret_record = r;
	return 0;
}

void qemu_record_remove(const char *dir, const struct id *uuid)
{
	static const char *const suffixes[] = {
		QEMU_RECORD,	   QEMU_RECORD ".new", QEMU_AGENT_SOCKET,
		QEMU_GUARD_SOCKET, QEMU_PIDFILE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_(mem_freep) char *path = qemu_path(dir, uuid, suffixes[i]);

		unlink(path);
	}
}

int qemu_pidfile_read(const char *dir, const struct id *uuid)
{
	_cleanup_(mem_freep) char *path = qemu_path(dir, uuid, QEMU_PIDFILE);
	char text[32], *end;
	long pid;

	if (read_file(path, text, sizeof(text)) <= 0)
		return 0;
	pid = strtol(text, &end, 10);
	return end != text && pid > 1 && pid <= INT_MAX ? (int)pid : 0;
}
