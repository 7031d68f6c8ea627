/* SPDX-License-Identifier: Apache-2.0
 * Commands as bytes: what goes out comes in again, and nothing else does. */
#include "kit/kit.h"

#include "engine/command.h"

#include <stdlib.h>
#include <string.h>

/* A command that uses every kind of field. */
static struct command sample(void)
{
	struct command c = { .kind = CMD_GUEST_DEFINE, .n_reads = 2, .node = 3, .operation = UINT64_MAX, .ok = true,
			     .desired = DESIRED_PAUSED, .cause = END_CRASH, .size = 1 << 20 };
	struct guest_volume v = { .readonly = true };
	struct fence_conf_param p = { .key = "port", .value = "7" };

	STRCPY(c.name, "web1");
	STRCPY(c.reason, "because");
	c.incarnation.b[15] = 9;
	c.reads[0] = (struct command_read){ .kind = RECORD_GUEST, .guest = "web1", .revision = 12 };
	c.reads[1] = (struct command_read){ .kind = RECORD_NODE, .node = 2, .revision = 13 };
	vec_push(&c.params, p);
	c.guest = mem_new(struct guest);
	STRCPY(c.guest->name, "web1");
	c.guest->memory_mib = 128;
	c.guest->spec = mem_strdup("{\"name\":\"web1\"}");
	STRCPY(v.pool, "default");
	STRCPY(v.name, "disk1");
	vec_push(&c.guest->volumes, v);
	return c;
}

static void check_same(const struct command *a, const struct command *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->reason, b->reason);
	assert_int_equal(a->node, b->node);
	assert_true(a->operation == b->operation && a->ok == b->ok && a->desired == b->desired && a->cause == b->cause);
	assert_memory_equal(&a->incarnation, &b->incarnation, sizeof(a->incarnation));
	assert_int_equal(a->n_reads, b->n_reads);
	assert_memory_equal(a->reads, b->reads, sizeof(a->reads));
	assert_int_equal(a->params.n, b->params.n);
	assert_string_equal(a->params.v[0].value, b->params.v[0].value);
	assert_string_equal(a->guest->spec, b->guest->spec);
	assert_int_equal(a->guest->memory_mib, b->guest->memory_mib);
	assert_int_equal(a->guest->volumes.n, b->guest->volumes.n);
	assert_memory_equal(a->guest->volumes.v, b->guest->volumes.v, sizeof(a->guest->volumes.v[0]));
}

static void test_round_trip(void **state)
{
	struct command c = sample(), back;
	struct buf bytes = { 0 }, again = { 0 };
	struct err err = { 0 };

	(void)state;
	command_out(&c, &bytes);
	assert_int_equal(command_in(bytes.data, bytes.len, &back, &err), 0);
	check_same(&c, &back);
	command_out(&back, &again);
	assert_int_equal(bytes.len, again.len);
	assert_memory_equal(bytes.data, again.data, bytes.len);
	command_free(&c);
	command_free(&back);
	buf_free(&bytes);
	buf_free(&again);
}

/* Each beginning of a command is refused, and so is one byte too many. */
static void test_cut_anywhere(void **state)
{
	struct command c = sample(), back;
	struct buf bytes = { 0 };
	struct err err = { 0 };

	(void)state;
	command_out(&c, &bytes);
	for (size_t n = 0; n < bytes.len; n++) {
		char *copy = mem_dup(bytes.data, n);	/* on the heap, so that a read beyond it is seen */

		assert_int_equal(command_in(copy, n, &back, &err), -EBADMSG);
		free(copy);
	}
	buf_char(&bytes, 'x');
	assert_int_equal(command_in(bytes.data, bytes.len, &back, &err), -EBADMSG);
	command_free(&c);
	buf_free(&bytes);
}

/* Any one byte changed: refused, or another command that is well-formed (it prints to the same bytes again). */
static void test_damaged_bytes(void **state)
{
	struct command c = sample(), back;
	struct buf bytes = { 0 };
	struct err err = { 0 };
	size_t refused = 0;

	(void)state;
	command_out(&c, &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			struct buf again = { 0 };

			bytes.data[i] ^= (char)(1 << bit);
			if (command_in(bytes.data, bytes.len, &back, &err) < 0) {
				refused++;
			} else {
				command_out(&back, &again);
				assert_int_equal(bytes.len, again.len);
				assert_memory_equal(bytes.data, again.data, bytes.len);
				command_free(&back);
			}
			buf_free(&again);
			bytes.data[i] ^= (char)(1 << bit);
		}
	assert_true(refused > 100);
	command_free(&c);
	buf_free(&bytes);
}

/* Unknown kinds, a guest where none belongs, too many reads or parameters. */
static void test_out_of_range(void **state)
{
	static const struct {
		size_t at;
		unsigned char value;
	} changes[] = { { 0, 2 }, { 1, COMMAND_KIND_MAX }, { 1, 255 }, { 2, COMMAND_READS_MAX + 1 } };
	struct command c = { .kind = CMD_GUEST_WANT, .desired = DESIRED_RUNNING }, back;
	struct buf bytes = { 0 };
	struct err err = { 0 };

	(void)state;
	STRCPY(c.name, "web1");
	command_out(&c, &bytes);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		char was = bytes.data[changes[i].at];

		bytes.data[changes[i].at] = (char)changes[i].value;
		assert_int_equal(command_in(bytes.data, bytes.len, &back, &err), -EBADMSG);
		bytes.data[changes[i].at] = was;
	}
	bytes.data[bytes.len - 1] = 1;		/* says that a guest follows */
	assert_int_equal(command_in(bytes.data, bytes.len, &back, &err), -EBADMSG);
	buf_free(&bytes);
}

/* What stands in ledgers: a kind that was put in between would make others of those that are there. */
static void test_numbers_of_kinds(void **state)
{
	static const enum command_kind kinds[] = {
		[0] = CMD_CLUSTER_NAME, [5] = CMD_NODE_DRAIN, [10] = CMD_POOL_DEFINE, [13] = CMD_GUEST_START,
		[21] = CMD_FENCE, [23] = CMD_REPORT_DONE, [28] = CMD_REPORT_FACTS, [29] = CMD_POOL_DELETE,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_true(!kinds[i] || kinds[i] == (enum command_kind)i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_damaged_bytes),
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_numbers_of_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
