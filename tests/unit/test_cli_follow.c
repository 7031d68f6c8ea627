/* SPDX-License-Identifier: Apache-2.0
 * Orders that are followed until they are carried out: their ends, good and bad. */
#include "canned.h"

#define GUEST(state, desired, node, more) \
	"{\"name\":\"web1\",\"state\":\"" state "\",\"desired\":\"" desired \
	"\",\"node\":" node more "}"
#define STARTING \
	GUEST("starting", "running", "\"n2\"", ",\"reason\":\"n2: memory 6 %\",\"operation\":9")
#define RUNNING GUEST("running", "running", "\"n2\"", ",\"reason\":\"started\"")
#define HELD    GUEST("held", "running", "null", ",\"reason\":\"did not start on n1, n2, n3\"")
#define STOPPED GUEST("stopped", "stopped", "null", ",\"reason\":\"ordered by root\"")
#define NO_PLACE \
	GUEST("recovering", "running", "null", ",\"reason\":\"fits nowhere\",\"operation\":0")
#define WAITED "{\"events\":[],\"last\":1}"
#define MOVING(phase, more) \
	GUEST("migrating", "running", "\"n1\"", \
	      ",\"reason\":\"asked for\",\"move\":{\"phase\":\"" phase \
	      "\",\"from\":\"n1\",\"to\":\"n3\"" more "}")
#define MOVED(index, total, downtime) \
	",\"last_move\":{\"index\":" #index ",\"from\":\"n1\",\"to\":\"n3\",\"total_ms\":" #total \
	",\"downtime_ms\":" #downtime ",\"time_us\":1767225600800000}"
#define PROGRESS(sent, left) \
	",\"progress\":{\"sent_bytes\":" #sent ",\"remaining_bytes\":" #left \
	",\"total_bytes\":134217728}"

struct story {
	const char *line;
	int code;
	struct canned_answer answers[10];
};

static const struct story stories[] = {
	{ "guest start web1",
	  0,
	  { { "guest.start", 0, "{\"index\":101}", 0 },
	    { "guest.show", 100, STARTING, 0 },
	    { "events.wait", 200, WAITED, 0 },
	    { "guest.show", 1250, RUNNING, 0 } } },
	{ "guest start web1 --json",
	  0,
	  { { "guest.start", 0, "{\"index\":101}", 0 }, { "guest.show", 100, RUNNING, 0 } } },
	{ "guest start web1",
	  4,
	  { { "guest.start", 0, "{\"index\":101}", 0 }, { "guest.show", 100, HELD, 0 } } },
	/* No room now: not at once, but before a person loses patience. */
	{ "guest start web1",
	  4,
	  { { "guest.start", 0, "{\"index\":101}", 0 },
	    { "guest.show", 1000, NO_PLACE, 0 },
	    { "events.wait", 2000, WAITED, 0 },
	    { "guest.show", 5500, NO_PLACE, 0 } } },
	{ "guest start web1",
	  6,
	  { { "guest.start", 0, "{\"index\":101}", 0 }, { "guest.show", 181000, STARTING, 0 } } },
	{ "guest start web1",
	  5,
	  { { "guest.start", 0, "!not-quorate this node cannot reach the majority (1 of 3 votes)",
	      0 } } },
	/* The agent goes away while we wait: what was ordered stays ordered. */
	{ "guest start web1",
	  7,
	  { { "guest.start", 0, "{\"index\":101}", 0 }, { "guest.show", 0, "!gone", 0 } } },
	/* The node is cut off while we wait: that is said at once, and not waited for for ever. */
	{ "guest start web1",
	  6,
	  { { "guest.start", 0, "{\"index\":101}", 0 },
	    { "guest.show", 100, STARTING, 0 },
	    { "events.wait", 200, WAITED, 1 },
	    { "guest.show", 300, STARTING, 1 },
	    { "events.wait", 1300, WAITED, 1 },
	    { "guest.show", 10200, STARTING, 1 },
	    { "events.wait", 10300, WAITED, 1 },
	    { "guest.show", 10301, STARTING, 1 } } },
	/* It comes back in time, twice; what an old answer says was done was done. */
	{ "guest start web1",
	  0,
	  { { "guest.start", 0, "{\"index\":101}", 0 },
	    { "guest.show", 300, STARTING, 1 },
	    { "events.wait", 9000, WAITED, 0 },
	    { "guest.show", 9100, STARTING, 0 },
	    { "events.wait", 9200, WAITED, 0 },
	    { "guest.show", 9300, STARTING, 1 },
	    { "events.wait", 19000, WAITED, 1 },
	    { "guest.show", 19100, RUNNING, 1 } } },
	/* What stands still in a minority may be at work elsewhere. */
	{ "guest start web1",
	  0,
	  { { "guest.start", 0, "{\"index\":101}", 0 },
	    { "guest.show", 1000, NO_PLACE, 1 },
	    { "events.wait", 2000, WAITED, 1 },
	    { "guest.show", 5500, NO_PLACE, 1 },
	    { "events.wait", 5600, WAITED, 0 },
	    { "guest.show", 5700, RUNNING, 0 } } },
	{ "guest stop web1",
	  0,
	  { { "guest.show", 0, "{\"stop_timeout_s\":60}", 0 },
	    { "guest.stop", 0, "{\"index\":101}", 0 },
	    { "guest.show", 2500, STOPPED, 0 } } },
	/* Somebody else wants it again. */
	{ "guest stop web1",
	  4,
	  { { "guest.show", 0, "{\"stop_timeout_s\":60}", 0 },
	    { "guest.stop", 0, "{\"index\":101}", 0 },
	    { "guest.show", 2500, RUNNING, 0 } } },
	{ "guest pause web1",
	  0,
	  { { "guest.pause", 0, "{\"index\":101}", 0 },
	    { "guest.show", 10, GUEST("paused", "paused", "\"n2\"", ""), 0 } } },
	{ "guest migrate web1 n3",
	  0,
	  { { "guest.show", 0, GUEST("running", "running", "\"n1\"", ""), 0 },
	    { "guest.migrate", 0, "{\"index\":101}", 0 },
	    { "guest.show", 10, MOVING("preparing", ""), 0 },
	    { "events.wait", 10, WAITED, 0 },
	    { "guest.show", 100, MOVING("sending", PROGRESS(10485760, 123731968)), 0 },
	    { "events.wait", 100, WAITED, 0 },
	    { "guest.show", 600, MOVING("sending", PROGRESS(62914560, 67108864)), 0 },
	    { "events.wait", 600, WAITED, 0 },
	    { "guest.show", 900,
	      GUEST("running", "running", "\"n3\"",
		    ",\"reason\":\"migrated to n3 in 840 ms, downtime 31 ms\",\"move\":null"
		    MOVED(105, 840, 31)),
	      0 } } },
	{ "guest migrate web1",
	  0,
	  { { "guest.show", 0, GUEST("running", "running", "\"n1\"", ""), 0 },
	    { "guest.migrate", 0, "{\"index\":101}", 0 },
	    { "guest.show", 800, MOVING("activating", ",\"total_ms\":790,\"downtime_ms\":29"), 0 },
	    { "events.wait", 800, WAITED, 0 },
	    { "guest.show", 900,
	      GUEST("running", "running", "\"n3\"", ",\"move\":null" MOVED(105, 790, 29)), 0 } } },
	/* Programs are told the figures too. */
	{ "guest migrate web1 --json",
	  0,
	  { { "guest.show", 0, GUEST("running", "running", "\"n1\"", ""), 0 },
	    { "guest.migrate", 0, "{\"index\":101}", 0 },
	    { "guest.show", 900,
	      GUEST("running", "running", "\"n3\"", ",\"move\":null" MOVED(105, 790, 29)), 0 } } },
	/* It came to run elsewhere in another way: the figures are those of an earlier one. */
	{ "guest migrate web1",
	  0,
	  { { "guest.show", 0, GUEST("running", "running", "\"n1\"", ""), 0 },
	    { "guest.migrate", 0, "{\"index\":101}", 0 },
	    { "guest.show", 9000,
	      GUEST("running", "running", "\"n2\"",
		    ",\"reason\":\"runs on n2\",\"move\":null" MOVED(77, 790, 29)),
	      0 } } },
	{ "guest migrate web1 n3",
	  1,
	  { { "guest.show", 0, GUEST("running", "running", "\"n1\"", ""), 0 },
	    { "guest.migrate", 0, "{\"index\":101}", 0 },
	    { "guest.show", 100, MOVING("sending", PROGRESS(0, 134217728)), 0 },
	    { "events.wait", 100, WAITED, 0 },
	    { "guest.show", 900,
	      GUEST("running", "running", "\"n1\"", ",\"reason\":\"the stream to n3 broke\""),
	      0 } } },
	{ "guest migrate web1 n1",
	  4,
	  { { "guest.show", 0, GUEST("running", "running", "\"n1\"", ""), 0 },
	    { "guest.migrate", 0, "!refused migrate refused: it runs on n1 already", 0 } } },
	{ "node drain n1",
	  0,
	  { { "node.drain", 0, "{\"index\":101}", 0 },
	    { "guest.list", 0, "[" MOVING("sending", "") "]", 0 },
	    { "events.wait", 0, WAITED, 0 },
	    { "guest.list", 3000, "[" RUNNING "]", 0 } } },
	{ "node drain n2",
	  4,
	  { { "node.drain", 0, "{\"index\":101}", 0 },
	    { "guest.list", 0, "[" RUNNING "]", 0 },
	    { "events.wait", 0, WAITED, 0 },
	    { "guest.list", 5500, "[" RUNNING "]", 0 } } },
	{ "node fence n2 --yes",
	  0,
	  { { "node.fence", 0, "{\"index\":101}", 0 },
	    { "node.show", 0,
	      "{\"name\":\"n2\",\"state\":\"online\",\"fence_wanted\":true,\"proof\":null}", 0 },
	    { "events.wait", 0, WAITED, 0 },
	    { "node.show", 900,
	      "{\"name\":\"n2\",\"state\":\"fenced\",\"fence_wanted\":false,\"proof\":{\"index\":"
	      "105}}",
	      0 } } },
	{ "node fence n2 --yes",
	  1,
	  { { "node.fence", 0, "{\"index\":101}", 0 },
	    { "node.show", 0,
	      "{\"name\":\"n2\",\"state\":\"online\",\"fence_wanted\":false,\"proof\":{\"index\":7}"
	      "}",
	      0 } } },
	{ "volume create web1 4M",
	  0,
	  { { "volume.create", 0, "{\"index\":101}", 0 },
	    { "volume.list", 0, "[{\"pool\":\"default\",\"name\":\"web1\",\"state\":\"creating\"}]",
	      0 },
	    { "events.wait", 0, WAITED, 0 },
	    { "volume.list", 50,
	      "[{\"pool\":\"other\",\"name\":\"web1\",\"state\":\"failed\"},"
	      "{\"pool\":\"default\",\"name\":\"web1\",\"state\":\"ready\"}]",
	      0 } } },
	{ "volume create web1 4M",
	  1,
	  { { "volume.create", 0, "{\"index\":101}", 0 },
	    { "volume.list", 0,
	      "[{\"pool\":\"default\",\"name\":\"web1\",\"state\":\"failed\",\"reason\":\"disk "
	      "full\"}]",
	      0 } } },
	{ "volume delete web1",
	  0,
	  { { "volume.delete", 0, "{\"index\":101}", 0 }, { "volume.list", 0, "[]", 0 } } },
};

static void tell_all(bool tty, const char *golden)
{
	_cleanup_(buf_free) struct buf all = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		const struct canned_run run = { .answers = stories[i].answers, .out_tty = tty };
		int code = canned_run(&run, stories[i].line, &all);

		if (code != stories[i].code)
			fail_msg("story %zu (%s): exit %d, expected %d\n%s", i, stories[i].line,
				 code, stories[i].code, buf_cstr(&all));
	}
	kit_golden(golden, buf_cstr(&all));
}

/* To a file or a pipe: one line at the end, or an error. */
static void test_plain(void **state)
{
	(void)state;
	tell_all(false, "cli_follow.txt");
}

/* On a terminal: one line more that is written over while it goes on. */
static void test_terminal(void **state)
{
	(void)state;
	tell_all(true, "cli_follow_tty.txt");
}

/* Events go on until the agent ends; each is printed once. */
static void test_follow_events(void **state)
{
	static const struct canned_answer answers[] = {
		{ "events", 0, "{\"events\":[{\"seq\":4,\"text\":\"one\"}],\"last\":4}", 0 },
		{ "events.wait", 0, "{\"events\":[{\"seq\":5,\"text\":\"two\"}],\"last\":5}", 0 },
		{ "events.wait", 0, "{\"events\":[],\"last\":5}", 0 },
		{ "events.wait", 0, "!gone", 0 },
		{ 0 }
	};
	const struct canned_run run = { .answers = answers };
	_cleanup_(buf_free) struct buf all = { 0 };

	(void)state;
	assert_int_equal(canned_run(&run, "events --follow", &all), 7);
	assert_int_equal(canned_run(&run, "events --follow --json --after 3", &all), 7);
	kit_golden("cli_follow_events.txt", buf_cstr(&all));
}

/* A node that becomes a minority later says so then, and again when it is none any more. */
static void test_follow_events_alone(void **state)
{
	static const struct canned_answer answers[] = {
		{ "events", 0, "{\"events\":[],\"last\":4}", 0 },
		{ "events.wait", 0, "{\"events\":[],\"last\":4}", 1 },
		{ "events.wait", 0, "{\"events\":[],\"last\":4}", 1 },
		{ "events.wait", 0, "{\"events\":[{\"seq\":5,\"text\":\"two\"}],\"last\":5}", 0 },
		{ "events.wait", 0, "{\"events\":[],\"last\":5}", 1 },
		{ "events.wait", 0, "!gone", 0 },
		{ 0 }
	};
	const struct canned_run run = { .answers = answers };
	_cleanup_(buf_free) struct buf all = { 0 };

	(void)state;
	assert_int_equal(canned_run(&run, "events --follow", &all), 7);
	assert_int_equal(canned_run(&run, "events --follow --json", &all), 7);
	kit_golden("cli_follow_alone.txt", buf_cstr(&all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_follow_events),
		cmocka_unit_test(test_follow_events_alone),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
