/* SPDX-License-Identifier: Apache-2.0
 * What people see: every list and record, from answers written beforehand. */
#include "canned.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NODE1 \
	"{\"name\":\"n1\",\"id\":1,\"state\":\"online\",\"drain\":false,\"guests\":1," \
	"\"memory_mib\":2048,\"memory_used_mib\":128,\"cpus\":2,\"leader\":true," \
	"\"since_us\":1767225500000000,\"fence_agent\":\"fence_lab\",\"proof\":null," \
	"\"incarnation\":\"a1\"}"
#define NODE2 \
	"{\"name\":\"n2\",\"id\":2,\"state\":\"online\",\"drain\":true,\"guests\":0," \
	"\"memory_mib\":2048,\"memory_used_mib\":0,\"cpus\":2,\"leader\":false,\"silent\":true," \
	"\"since_us\":1767225000000000,\"fence_agent\":null,\"proof\":null,\"incarnation\":" \
	"\"a2\"}"
#define NODE3 \
	"{\"name\":\"n3\",\"id\":3,\"state\":\"fenced\",\"drain\":false,\"guests\":0," \
	"\"memory_mib\":2048,\"memory_used_mib\":0,\"cpus\":2,\"leader\":false," \
	"\"since_us\":1767220000000000,\"fence_agent\":\"fence_lab\",\"incarnation\":\"a3\"," \
	"\"proof\":{\"kind\":\"fenced\",\"by\":\"fence_lab\",\"time_us\":1767220000000000}}"
#define NODES "[" NODE1 "," NODE2 "," NODE3 "]"

#define WEB1 \
	"{\"name\":\"web1\",\"state\":\"migrating\",\"desired\":\"running\",\"node\":\"n1\"," \
	"\"memory_mib\":128,\"since_us\":1767225588000000,\"reason\":\"n2 is being drained\"," \
	"\"move\":{\"phase\":\"sending\",\"from\":\"n1\",\"to\":\"n2\"}}"
#define DB1 \
	"{\"name\":\"db1\",\"state\":\"held\",\"desired\":\"running\",\"node\":null," \
	"\"memory_mib\":512,\"since_us\":1767225000000000,\"move\":null," \
	"\"reason\":\"kernel \\u001b[31mmissing\"}"
#define GUESTS "[" DB1 "," WEB1 "]"

#define STATUS(current, why) \
	"{\"cluster\":\"lab\",\"node\":\"n1\",\"role\":\"voter\",\"leader\":\"n1\"," \
	"\"quorate\":" current ",\"current\":" current ",\"why_not\":\"" why "\",\"nodes\":" NODES \
	",\"guests\":" GUESTS \
	",\"operations\":[{\"id\":99,\"kind\":\"send\",\"node\":\"n1\",\"subject\":\"web1\"}]," \
	"\"alarms\":[\"n2: clock is 5 s ahead\"]}"

#define VOLUMES \
	"[{\"pool\":\"default\",\"name\":\"a\",\"size\":10737418240,\"state\":\"ready\"," \
	"\"access\":\"not in use\",\"nodes\":[],\"guest\":null,\"reason\":\"\"}," \
	"{\"pool\":\"default\",\"name\":\"web1\",\"size\":4194304,\"state\":\"ready\"," \
	"\"access\":\"shared\",\"nodes\":[\"n1\",\"n2\"],\"guest\":\"web1\",\"reason\":\"\"}," \
	"{\"pool\":\"fast\",\"name\":\"db1\",\"size\":5000,\"state\":\"failed\"," \
	"\"access\":\"private\",\"nodes\":[\"n1\"],\"guest\":\"db1\",\"reason\":\"disk full\"}]"

#define REASONS \
	"[{\"index\":12,\"time_us\":1767225000000000," \
	"\"text\":\"is to run, ordered by root on n1\"}," \
	"{\"index\":13,\"time_us\":1767225588000000,\"text\":\"n1: memory 6 %\"}]"

#define EVENTS \
	"{\"events\":[{\"seq\":1,\"time_us\":1767225000000000,\"subject\":\"web1\",\"text\":" \
	"\"defined\"}," \
	"{\"seq\":2,\"time_us\":1767225588000000,\"subject\":\"\",\"text\":\"term " \
	"3\\n\"}],\"last\":2}"

static const struct {
	const char *line;
	struct canned_answer answers[2];
} shown[] = {
	{ "status", { { "status", 0, STATUS("true", ""), false } } },
	{ "status",
	  { { "status", 0, STATUS("false", "this node cannot reach the majority (1 of 3 votes)"),
	      true } } },
	{ "status",
	  { { "status", 0, "{\"node\":\"n1\",\"role\":\"blank\",\"why_not\":\"no cluster yet\"}",
	      true } } },
	{ "node list", { { "node.list", 0, NODES, false } } },
	{ "node list", { { "node.list", 0, NODES, true } } },
	{ "node show n3", { { "node.show", 0, NODE3, false } } },
	{ "guest list", { { "guest.list", 0, GUESTS, false } } },
	{ "guest list", { { "guest.list", 0, "[]", false } } },
	{ "guest show web1",
	  { { "guest.show", 0,
	      "{\"name\":\"web1\",\"state\":\"running\",\"desired\":\"running\",\"node\":\"n1\","
	      "\"memory_mib\":128,\"vcpus\":1,\"uuid\":\"u1\",\"volumes\":[{\"pool\":\"default\","
	      "\"name\":\"web1\",\"access\":\"private\",\"readonly\":false}],\"domain\":{\"pid\":"
	      "99,"
	      "\"state\":\"running\",\"kvm\":false,\"vnc\":\"/run/"
	      "v\"},\"failures\":[{\"node\":\"n2\","
	      "\"start\":true,\"time_us\":1767225000000000}],"
	      "\"last_move\":{\"from\":\"n2\",\"to\":\"n1\",\"total_ms\":840,"
	      "\"downtime_ms\":31,\"index\":90,\"time_us\":1767225000000000},"
	      "\"reasons\":" REASONS "}",
	      false } } },
	{ "volume list", { { "volume.list", 0, VOLUMES, false } } },
	{ "pool list", { { "pool.list", 0, "[]", false } } },
	{ "pool list",
	  { { "pool.list", 0, "[{\"name\":\"default\",\"backend\":\"dir\",\"path\":\"/srv\"}]",
	      false } } },
	{ "fence list",
	  { { "fence.list", 0,
	      "[{\"node\":\"n1\",\"agent\":\"fence_lab\",\"power_on\":true,\"params\":[\"ip\","
	      "\"password\"]},"
	      "{\"node\":\"n2\",\"agent\":null,\"power_on\":false,\"params\":[]}]",
	      false } } },
	{ "events", { { "events", 0, EVENTS, false } } },
	{ "why web1",
	  { { "why", 0,
	      "{\"name\":\"web1\",\"state\":\"running\",\"desired\":\"running\",\"node\":\"n1\","
	      "\"reasons\":" REASONS "}",
	      false } } },
	{ "request 1:x:2", { { "request", 0, "{\"outcome\":\"not-seen\"}", false } } },
	{ "guest console web1",
	  { { "guest.console", 0, "{\"node\":\"n2\",\"here\":false,\"path\":null}", false } } },
};

static void test_shown(void **state)
{
	_cleanup_(buf_free) struct buf all = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		const struct canned_run run = { .answers = shown[i].answers };

		canned_run(&run, shown[i].line, &all);
	}
	assert_null(strchr(buf_cstr(&all), '\033'));
	kit_golden("cli_shown.txt", buf_cstr(&all));
}

/* Programs get the result as it is, and nothing else on stdout, whatever stands in it. */
static void test_json(void **state)
{
	_cleanup_(buf_free) struct buf all = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		const struct canned_run run = { .answers = shown[i].answers };
		char line[128];

		snprintf(line, sizeof(line), "%s --json", shown[i].line);
		canned_run(&run, line, &all);
	}
	assert_null(strchr(buf_cstr(&all), '\033'));
	kit_golden("cli_json.txt", buf_cstr(&all));
}

/* Answers of an agent of another version, or an insane one: an error, or dashes, never a crash. */
static void test_senseless_answers(void **state)
{
	static const char *const texts[] = { "7",
					     "null",
					     "[]",
					     "{}",
					     "[7,null,\"x\",[]]",
					     "{\"nodes\":7,\"guests\":{\"a\":1},\"alarms\":[7]}",
					     "{\"events\":{},\"reasons\":7,\"last\":\"x\"}" };
	_cleanup_(buf_free) struct buf all = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		for (size_t t = 0; t < ARRAY_SIZE(texts); t++) {
			const struct canned_answer answers[] = {
				{ shown[i].answers[0].method, 0, texts[t], false }, { 0 }
			};
			const struct canned_run run = { .answers = answers };

			if (strcmp(shown[i].line, "guest console web1") != 0)
				canned_run(&run, shown[i].line, &all);
		}
	assert_true(all.len > 0);
}

/* In a process that is nobody: the status that "guest console" ends with, if it says why. */
static int console_as_nobody(const char *answer)
{
	const struct canned_answer answers[] = { { "guest.console", 0, answer, false }, { 0 } };
	const struct canned_run run = { .answers = answers };
	_cleanup_(buf_free) struct buf all = { 0 };
	int code;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 255;
	code = canned_run(&run, "guest console web1", &all);
	return strstr(buf_cstr(&all), "guest console web1: permission denied: become root or join "
				      "the group domus")
		       ? code
		       : 254;
}

/* A console that the user may not use is a matter of rights, as an agent is that lets nobody in. */
static void test_console_denied(void **state)
{
	char *dir, answer[300];
	int status;
	pid_t pid;

	(void)state;
	if (getuid() != 0) {
		print_message("needs root, to become somebody else\n");
		skip();
	}
	dir = kit_mkdir();
	assert_int_equal(chmod(dir, 0700), 0);
	snprintf(answer, sizeof(answer), "{\"node\":\"n1\",\"here\":true,\"path\":\"%s/serial\"}",
		 dir);
	pid = fork();
	if (pid == 0)
		_exit(console_as_nobody(answer));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	kit_rmdir(dir);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), reply_exit_code(REPLY_DENIED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_senseless_answers),
		cmocka_unit_test(test_console_denied),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
