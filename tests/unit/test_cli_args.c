/* SPDX-License-Identifier: Apache-2.0
 * The command line's grammar: help, unknown words, options in the wrong place, what is asked of
 * the agent for each verb, how its refusals are told. */
#include "canned.h"

/* Printed as it is: help is made from the tables, and a change of them shows here. */
static void test_help(void **state)
{
	static const char *const lines[] = {
		"help",          "help fence", "guest --help", "guest start --help",
		"status --help", "--version",  "",
	};
	_cleanup_(buf_free) struct buf all = { 0 };
	const struct canned_run run = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		canned_run(&run, lines[i], &all);
	kit_golden("cli_help.txt", buf_cstr(&all));
}

/* Wrong usage is exit code 2, one line, and nobody is asked. */
static void test_usage_errors(void **state)
{
	static const char *const lines[] = {
		"gest list",
		"help frobnicate",
		"guest",
		"guest explode",
		"guest start",
		"guest start a b",
		"guest list --now",
		"guest stop web1 --now=yes",
		"guest start web1 --on",
		"--wat",
		"status extra",
		"volume create v",
		"volume create v 10X",
		"volume create v -1",
		"fence set n1",
		"fence set n1 fence_x noequals",
		"fence set n1 fence_x k=@/nonexistent",
		"events --after soon",
		"guest define /nonexistent",
		"node fence n2",
		"\033[2J",
	};
	_cleanup_(buf_free) struct buf all = { 0 };
	const struct canned_run run = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(canned_run(&run, lines[i], &all), 2);
	kit_golden("cli_usage.txt", buf_cstr(&all));
}

/*
 * JSON cannot say what is not UTF-8: it is refused wherever it stands, and nobody is asked. The
 * argument is not repeated, since it may be a secret.
 */
static void test_not_utf8(void **state)
{
	static const char *const lines[] = {
		"guest start web\xe9 --no-wait",
		"guest migrate web1 n\xe9",
		"guest start web1 --on n\xe9",
		"fence set n1 password=secret\xff",
		"status --socket \xc3",
	};
	const struct canned_run run = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_(buf_free) struct buf all = { 0 };
		const char *said;

		assert_int_equal(canned_run(&run, lines[i], &all), 2);
		said = strstr(buf_cstr(&all), "[stderr]");
		assert_non_null(said);
		assert_non_null(strstr(said, "is not UTF-8: names and texts have to be\n"));
		assert_null(strstr(said, "secret"));
	}
}

/* Each verb that only orders or lists: what it asks. */
static void test_requests(void **state)
{
	static const struct {
		const char *line;
		struct canned_answer answers[2];
	} verbs[] = {
		{ "cluster init lab", { { "cluster.init", 0, "{\"cluster\":\"lab\"}", 0 } } },
		{ "cluster join",
		  { { "cluster.join", 0, "{\"cluster\":\"lab\",\"node\":\"n2\"}", 0 } } },
		{ "node activate n1", { { "node.activate", 0, "{\"index\":5}", 0 } } },
		{ "node confirm-off n2 --yes", { { "node.confirm-off", 0, "{\"index\":5}", 0 } } },
		{ "node drain n1 --no-wait", { { "node.drain", 0, "{\"index\":5}", 0 } } },
		{ "node fence n1 --yes --no-wait", { { "node.fence", 0, "{\"index\":5}", 0 } } },
		{ "fence set n1 fence_x ip=10.0.0.1 user=admin --power-on",
		  { { "fence.set", 0, "{\"index\":5}", 0 } } },
		{ "fence set n1 none", { { "fence.set", 0, "{\"index\":5}", 0 } } },
		{ "pool create default /srv/domus", { { "pool.create", 0, "{\"index\":5}", 0 } } },
		{ "pool delete default", { { "pool.delete", 0, "{\"index\":5}", 0 } } },
		{ "volume create web1 10G --no-wait",
		  { { "volume.create", 0, "{\"index\":5}", 0 } } },
		{ "volume delete fast/web1 --no-wait",
		  { { "volume.delete", 0, "{\"index\":5}", 0 } } },
		{ "guest start web1 --on n2 --no-wait",
		  { { "guest.start", 0, "{\"index\":5}", 0 } } },
		{ "guest start --no-wait --json -- web1",
		  { { "guest.start", 0, "{\"index\":5}", 0 } } },
		{ "guest pause web1 --no-wait", { { "guest.pause", 0, "{\"index\":5}", 0 } } },
		{ "guest resume web1 --no-wait", { { "guest.resume", 0, "{\"index\":5}", 0 } } },
		{ "guest undefine web1", { { "guest.undefine", 0, "{\"index\":5}", 0 } } },
		{ "request 1:x:2",
		  { { "request", 0, "{\"outcome\":\"applied\",\"index\":7}", 0 } } },
	};
	_cleanup_(buf_free) struct buf all = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const struct canned_run run = { .answers = verbs[i].answers };

		assert_int_equal(canned_run(&run, verbs[i].line, &all), 0);
	}
	kit_golden("cli_requests.txt", buf_cstr(&all));
}

static void add_events(struct buf *out, int first, int last)
{
	buf_str(out, "{\"events\":[");
	for (int seq = first; seq <= last; seq++)
		buf_printf(out, "%s{\"seq\":%d,\"text\":\"e\"}", seq > first ? "," : "", seq);
	buf_printf(out, "],\"last\":%d}", last);
}

/*
 * An answer holds so many events and no more. --after means all that came after: it is asked again
 * until there are no more, and for programs they are one list.
 */
static void test_all_events_after(void **state)
{
	_cleanup_(buf_free) struct buf one = { 0 }, two = { 0 }, all = { 0 }, json = { 0 };
	struct canned_answer answers[3] = { { "events", 0, NULL, 0 }, { "events", 0, NULL, 0 } };
	const struct canned_run run = { .answers = answers };
	int lines = 0;

	(void)state;
	add_events(&one, 8, 7 + PROTO_EVENTS_MAX);
	add_events(&two, 8 + PROTO_EVENTS_MAX, 10 + PROTO_EVENTS_MAX);
	answers[0].text = buf_cstr(&one);
	answers[1].text = buf_cstr(&two);
	assert_int_equal(canned_run(&run, "events --after 7", &all), 0);
	for (const char *p = buf_cstr(&all); (p = strstr(p, "  1970-01-01")); p++)
		lines++;
	assert_int_equal(lines, PROTO_EVENTS_MAX + 3);
	assert_non_null(strstr(buf_cstr(&all), "events {\"after\":7,\"max\":200}\n"
					       "events {\"after\":207,\"max\":200}\n"));
	assert_int_equal(canned_run(&run, "events --after 7 --json", &json), 0);
	assert_non_null(strstr(buf_cstr(&json), "\"seq\": 8,\n"));
	assert_non_null(strstr(buf_cstr(&json), "\"seq\": 210,\n"));
	assert_non_null(strstr(buf_cstr(&json), "\"last\": 210\n"));
}

/* The aliases say what they stand for. */
static void test_aliases(void **state)
{
	static const struct canned_answer stop[] = { { "guest.stop", 0, "{\"index\":5}", 0 },
						     { 0 } };
	static const struct canned_answer create[] = { { "guest.define", 0,
							 "{\"index\":5,\"name\":\"web1\"}", 0 },
						       { "guest.start", 0, "{\"index\":6}", 0 },
						       { 0 } };
	_cleanup_(buf_free) struct buf all = { 0 };
	const struct canned_run run = { .answers = stop };
	const struct canned_run create_run = { .answers = create, .typed = "{\"name\":\"web1\"}" };

	(void)state;
	canned_run(&run, "guest stop web1 --no-wait", &all);
	canned_run(&run, "guest shutdown web1 --no-wait", &all);
	canned_run(&run, "guest stop web1 --now --no-wait", &all);
	canned_run(&run, "guest destroy web1 --no-wait", &all);
	canned_run(&create_run, "guest create - --no-wait", &all);
	kit_golden("cli_aliases.txt", buf_cstr(&all));
}

/* A refusal: its own exit code, and one safe line that says where. */
static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		int code;
	} refusals[] = {
		{ "!failed the disk is full", 1 },
		{ "!bad-request guest.undefine: unknown parameter", 2 },
		{ "!not-found web1: no such guest: see: domus guest list", 3 },
		{ "!exists it is there", 4 },
		{ "!refused it runs", 4 },
		{ "!busy try again", 4 },
		{ "!not-quorate this node cannot reach the majority (1 of 3 votes)", 5 },
		{ "!unknown not yet known: ask again with: domus request 1:x:2", 6 },
		{ "!denied permission denied", 8 },
		{ "!newer-code what \\u001b[2J is this", 1 },
		{ "!gone", 6 },
	};
	_cleanup_(buf_free) struct buf all = { 0 };
	struct canned_run run = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct canned_answer answers[] = {
			{ "guest.undefine", 0, refusals[i].text, 0 }, { 0 }
		};

		run.answers = answers;
		assert_int_equal(canned_run(&run, "guest undefine web1", &all), refusals[i].code);
	}
	run.answers = NULL;
	run.connect = REPLY_NO_AGENT;
	assert_int_equal(canned_run(&run, "guest undefine web1", &all), 7);
	run.connect = REPLY_DENIED;
	assert_int_equal(canned_run(&run, "status --socket other", &all), 8);
	kit_golden("cli_refusals.txt", buf_cstr(&all));
}

/*
 * What ends a node, or gives its guests away, asks a person for the node's name, and takes nothing
 * else for an answer. Where nobody can be asked it wants --yes.
 */
static void test_fence_asks(void **state)
{
	static const struct canned_answer off[] = { { "node.confirm-off", 0, "{\"index\":5}", 0 },
						    { 0 } };

	static const struct canned_answer fence[] = { { "node.fence", 0, "{\"index\":5}", 0 },
						      { 0 } };
	const struct canned_run no = { .typed = "yes\n", .in_tty = true };
	const struct canned_run end = { .typed = "\n", .in_tty = true };
	const struct canned_run yes = { .answers = fence, .typed = "n2\n", .in_tty = true };
	const struct canned_run yes_off = { .answers = off, .typed = "n2\n", .in_tty = true };
	const struct canned_run nobody = { .typed = "n2\n" };
	_cleanup_(buf_free) struct buf all = { 0 };

	(void)state;
	assert_int_equal(canned_run(&no, "node fence n2 --no-wait", &all), 4);
	assert_int_equal(canned_run(&end, "node fence n2 --no-wait", &all), 4);
	assert_int_equal(canned_run(&yes, "node fence n2 --no-wait", &all), 0);
	assert_int_equal(canned_run(&nobody, "node fence n2", &all), 2);
	assert_int_equal(canned_run(&no, "node confirm-off n2", &all), 4);
	assert_int_equal(canned_run(&yes_off, "node confirm-off n2", &all), 0);
	assert_int_equal(canned_run(&nobody, "node confirm-off n2", &all), 2);
	kit_golden("cli_fence_asks.txt", buf_cstr(&all));
}

/* A secret comes from the first line of a file, and is in no message of ours. */
static void test_secret_from_file(void **state)
{
	static const struct canned_answer answers[] = { { "fence.set", 0, "{\"index\":5}", 0 },
							{ 0 } };
	const struct canned_run run = { .answers = answers };
	_cleanup_(buf_free) struct buf all = { 0 };
	char *dir = kit_mkdir(), *path = kit_path(dir, "secret");
	char line[256];

	(void)state;
	kit_write(path, "hunter2\nmore\n");
	snprintf(line, sizeof(line), "fence set n1 fence_x password=@%s", path);
	assert_int_equal(canned_run(&run, line, &all), 0);
	assert_non_null(strstr(buf_cstr(&all), "\"password\":\"hunter2\""));
	free(path);
	kit_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_all_events_after),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_fence_asks),
		cmocka_unit_test(test_secret_from_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
