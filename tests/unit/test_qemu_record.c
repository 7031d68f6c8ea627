/* SPDX-License-Identifier: Apache-2.0
 * The run record: it comes back as it was written; what is not one is refused. */
#include "kit/kit.h"

#include "base/mem.h"
#include "hypervisor/qemu_argv.h"
#include "hypervisor/qemu_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct qemu_record example(void)
{
	struct qemu_record r = {
		.uuid = { { 1, 2, 3 } },
		.name = "web1",
		.epoch = INT64_MAX,
		.note = 7,
		.pid = 4711,
		.start = 123456789012,
		.incoming = true,
		.ran = true,
		.kvm = true,
	};

	return r;
}

static void test_round_trip(void **state)
{
	char *dir = kit_mkdir();
	struct qemu_record r = example(), back;
	struct err err;

	(void)state;
	assert_int_equal(qemu_record_write(dir, &r, &err), 0);
	assert_int_equal(qemu_record_read(dir, &r.uuid, &back, &err), 0);
	assert_true(id_equal(&back.uuid, &r.uuid));
	assert_string_equal(back.name, "web1");
	assert_int_equal(back.epoch, r.epoch);
	assert_int_equal(back.note, 7);
	assert_int_equal(back.pid, 4711);
	assert_int_equal(back.start, r.start);
	assert_true(back.incoming && back.ran && back.kvm && !back.vnc);
	qemu_record_remove(dir, &r.uuid);
	assert_int_equal(qemu_record_read(dir, &r.uuid, &back, &err), -ENOENT);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

/* A record in another's place is no record. */
static void test_wrong_place(void **state)
{
	char *dir = kit_mkdir();
	struct qemu_record r = example(), back;
	struct id other = { { 9 } };
	_cleanup_(mem_freep) char *here = qemu_path(dir, &r.uuid, QEMU_RECORD);
	_cleanup_(mem_freep) char *there = qemu_path(dir, &other, QEMU_RECORD);
	struct err err;

	(void)state;
	assert_int_equal(qemu_record_write(dir, &r, &err), 0);
	assert_int_equal(rename(here, there), 0);
	assert_int_equal(qemu_record_read(dir, &other, &back, &err), -EINVAL);
	kit_rmdir(dir);
}

#define U "\"uuid\":\"01020300-0000-4000-8000-000000000000\""
#define REST \
	"\"epoch\":1,\"incoming\":false,\"kvm\":false,\"name\":\"a\",\"note\":0,\"ran\":false," \
	"\"start\":5,\"vnc\":false"

static void test_hostile(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{" U "," REST ",\"pid\":1}",
		"{" U "," REST ",\"pid\":1,\"version\":2}",
		"{" U "," REST ",\"pid\":-1,\"version\":1}",
		"{" U "," REST ",\"pid\":2147483648,\"version\":1}",
		"{" U "," REST ",\"pid\":\"1\",\"version\":1}",
		"{\"uuid\":\"..\"," REST ",\"pid\":1,\"version\":1}",
		"{" U "," REST ",\"name\":\"b\",\"pid\":1,\"version\":1}",
		"{" U
		",\"epoch\":1,\"incoming\":0,\"kvm\":false,\"name\":\"a\",\"note\":0,\"ran\":false,"
		"\"start\":5,\"vnc\":false,\"pid\":1,\"version\":1}",
		"{" U ",\"epoch\":1,\"incoming\":false,\"kvm\":false,\"name\":\"../a\",\"note\":0,"
		"\"ran\":false,\"start\":5,\"vnc\":false,\"pid\":1,\"version\":1}",
	};
	static const char good[] = "{" U "," REST ",\"pid\":1,\"version\":1}";
	struct qemu_record r;
	struct err err;

	(void)state;
	assert_int_equal(qemu_record_parse(good, strlen(good), &r, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (qemu_record_parse(texts[i], strlen(texts[i]), &r, &err) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
}

static void test_pidfile(void **state)
{
	static const struct {
		const char *text;
		int pid;
	} files[] = { { "4711\n", 4711 }, { "", 0 },   { "x", 0 },
		      { "1", 0 },         { "-5", 0 }, { "99999999999", 0 } };
	char *dir = kit_mkdir();
	struct id id = { { 1 } };
	_cleanup_(mem_freep) char *path = qemu_path(dir, &id, QEMU_PIDFILE);

	(void)state;
	assert_int_equal(qemu_pidfile_read(dir, &id), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		kit_write(path, files[i].text);
		assert_int_equal(qemu_pidfile_read(dir, &id), files[i].pid);
	}
	kit_rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_wrong_place),
		cmocka_unit_test(test_hostile),    cmocka_unit_test(test_pidfile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
