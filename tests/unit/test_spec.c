/* SPDX-License-Identifier: Apache-2.0
 * The guest specification: what is good prints back to itself; what is bad is refused by name. */
#include "kit/kit.h"

#include "base/mem.h"
#include "hypervisor/spec.h"
#include "hypervisor/steps.h"

#include <stdlib.h>
#include <string.h>

static struct guest_spec *parse(const char *text)
{
	struct guest_spec *spec = NULL;
	struct err err = { 0 };

	if (spec_parse(text, strlen(text), &spec, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return spec;
}

static char *print(const struct guest_spec *spec)
{
	struct buf b = { 0 };

	spec_print(spec, &b);
	return buf_take(&b);
}

/* The least that can be said: everything else has its default. */
static void test_defaults(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec =
		parse("{\"name\":\"web1\",\"memory_mib\":128}");

	(void)state;
	assert_string_equal(spec->name, "web1");
	assert_true(id_is_none(&spec->uuid));
	assert_int_equal(spec->vcpus, 1);
	assert_true(spec->vnc);
	assert_null(spec->kernel);
	assert_int_equal(spec->on_poweroff, SPEC_AFTER_STOP);
	assert_int_equal(spec->on_reboot, SPEC_AFTER_RESTART);
	assert_int_equal(spec->on_crash, SPEC_AFTER_RESTART);
	assert_int_equal(spec->stop_timeout_s, 60);
	assert_int_equal(spec->restart_max, 3);
	assert_int_equal(spec->restart_window_s, 600);
}

static const char everything[] =
	"{\"cmdline\":\"console=ttyS0 a,b=\\\"c\\\"\",\"cpu\":\"max,-la57\","
	"\"disks\":[{\"pool\":\"fast\",\"readonly\":true,\"volume\":\"web1\"},"
	"{\"pool\":\"default\",\"readonly\":false,\"volume\":\"web1\"}],"
	"\"initrd\":\"/boot/initrd,1\",\"kernel\":\"/boot/vm linux\",\"memory_mib\":16777216,"
	"\"name\":\"web1.example_org-x\",\"nics\":[{\"bridge\":\"br0\",\"mac\":\"52:54:00:ab:cd:"
	"ef\"}],"
	"\"on_crash\":\"stop\",\"on_poweroff\":\"restart\",\"on_reboot\":\"stop\",\"restart_max\":"
	"0,"
	"\"restart_window_s\":1,\"stop_timeout_s\":1,"
	"\"uuid\":\"01234567-89ab-4def-8123-456789abcdef\",\"vcpus\":255,\"vnc\":false}";

/* The canonical form is a fixed point, and every key survives the way there and back. */
static void test_round_trip(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec = parse(everything);
	_cleanup_(mem_freep) char *text = print(spec);

	(void)state;
	assert_string_equal(text, everything);
}

static void test_defaults_round_trip(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec = parse(
		" { \"memory_mib\" : 16, \"name\" : \"a\", \"disks\":[{\"volume\":\"v\"}] }\n");
	_cleanup_(mem_freep) char *first = print(spec);
	_cleanup_(spec_freep) struct guest_spec *again = parse(first);
	_cleanup_(mem_freep) char *second = print(again);

	(void)state;
	assert_string_equal(first, second);
	assert_string_equal(again->disks.v[0].pool, "default");
}

/*
 * MACs come from the uuid: the same each time, different for each NIC, local and unicast; given
 * ones stay.
 */
static void test_complete(void **state)
{
	_cleanup_(spec_freep) struct guest_spec *spec = parse(
		"{\"name\":\"a\",\"memory_mib\":16,\"uuid\":\"01234567-89ab-4def-8123-"
		"456789abcdef\","
		"\"nics\":[{\"bridge\":\"b\"},{\"bridge\":\"b\",\"mac\":\"52:54:00:AB:CD:EF\"},"
		"{\"bridge\":\"b\"}]}");

	(void)state;
	assert_string_equal(spec->nics.v[0].mac, "");
	spec_complete(spec);
	assert_string_equal(spec->nics.v[0].mac, "52:01:23:45:67:89");
	assert_string_equal(spec->nics.v[1].mac, "52:54:00:ab:cd:ef");
	assert_string_equal(spec->nics.v[2].mac, "52:01:23:45:67:8b");
}

#define GOOD "\"name\":\"a\",\"memory_mib\":16"

/* Each is refused, and the error says at which word. */
static const struct {
	const char *text, *says;
} bad[] = {
	{ "", "line" },
	{ "{", "line" },
	{ "[]", "object" },
	{ "{" GOOD "} x", "line" },
	{ "{" GOOD ",\"name\":\"b\"}", "duplicate" },
	{ "{\"name\":\"a\"}", "\"memory_mib\" is missing" },
	{ "{\"memory_mib\":16}", "\"name\" is missing" },
	{ "{" GOOD ",\"memory\":1}", "unknown key \"memory\"" },
	{ "{\"name\":\"a\",\"memory_mib\":15}", "from 16 to 16777216" },
	{ "{\"name\":\"a\",\"memory_mib\":16777217}", "memory_mib" },
	{ "{\"name\":\"a\",\"memory_mib\":-16}", "memory_mib" },
	{ "{\"name\":\"a\",\"memory_mib\":16.5}", "memory_mib" },
	{ "{\"name\":\"a\",\"memory_mib\":\"16\"}", "memory_mib" },
	{ "{\"name\":\"a\",\"memory_mib\":99999999999999999999}", "line" },
	{ "{\"name\":\"\",\"memory_mib\":16}", "\"name\"" },
	{ "{\"name\":\"-a\",\"memory_mib\":16}", "\"name\"" },
	{ "{\"name\":\"../a\",\"memory_mib\":16}", "\"name\"" },
	{ "{\"name\":\"a/b\",\"memory_mib\":16}", "\"name\"" },
	{ "{\"name\":\"a,b\",\"memory_mib\":16}", "\"name\"" },
	{ "{\"name\":\"a@1\",\"memory_mib\":16}", "\"name\"" },
	{ "{\"name\":\"a\\u0000b\",\"memory_mib\":16}", "line" },
	{ "{\"name\":7,\"memory_mib\":16}", "\"name\"" },
	{ "{" GOOD ",\"vcpus\":0}", "from 1 to 255" },
	{ "{" GOOD ",\"vcpus\":256}", "from 1 to 255" },
	{ "{" GOOD ",\"uuid\":\"1\"}", "\"uuid\"" },
	{ "{" GOOD ",\"uuid\":\"00000000-0000-0000-0000-000000000000\"}", "\"uuid\"" },
	{ "{" GOOD ",\"kernel\":\"vmlinuz\"}", "\"kernel\" must be an absolute path" },
	{ "{" GOOD ",\"kernel\":\"/a\\nb\"}", "\"kernel\"" },
	{ "{" GOOD ",\"initrd\":\"/initrd\"}", "\"initrd\" needs a \"kernel\"" },
	{ "{" GOOD ",\"cmdline\":\"quiet\"}", "\"cmdline\" needs a \"kernel\"" },
	{ "{" GOOD ",\"kernel\":\"/k\",\"cmdline\":\"a\\tb\"}", "\"cmdline\"" },
	{ "{" GOOD ",\"cpu\":\"\"}", "\"cpu\"" },
	{ "{" GOOD ",\"cpu\":\"-x\"}", "\"cpu\"" },
	{ "{" GOOD ",\"cpu\":\"max; rm\"}", "\"cpu\"" },
	{ "{" GOOD ",\"vnc\":1}", "\"vnc\" must be true or false" },
	{ "{" GOOD ",\"on_crash\":\"explode\"}", "\"on_crash\"" },
	{ "{" GOOD ",\"stop_timeout_s\":0}", "\"stop_timeout_s\"" },
	{ "{" GOOD ",\"restart_max\":31}", "\"restart_max\"" },
	{ "{" GOOD ",\"disks\":{}}", "\"disks\" must be an array" },
	{ "{" GOOD ",\"disks\":[1]}", "\"disks\"[0]: must be an object" },
	{ "{" GOOD ",\"disks\":[{}]}", "\"disks\"[0]: \"volume\" is missing" },
	{ "{" GOOD ",\"disks\":[{\"volume\":\"v\",\"path\":\"/x\"}]}", "unknown key \"path\"" },
	{ "{" GOOD ",\"disks\":[{\"volume\":\"../../etc\"}]}", "\"disks\"[0]: \"volume\"" },
	{ "{" GOOD ",\"disks\":[{\"volume\":\"v\"},{\"pool\":\"default\",\"volume\":\"v\"}]}",
	  "\"disks\"[1]: volume default/v stands in an earlier disk" },
	{ "{" GOOD ",\"nics\":[{}]}", "\"bridge\" is missing" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"sixteen-letters-\"}]}", "up to 15" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"a/b\"}]}", "\"bridge\"" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"b\",\"mac\":\"\"}]}", "\"mac\"" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"b\",\"mac\":\"53:54:00:00:00:01\"}]}", "unicast" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"b\",\"mac\":\"00:00:00:00:00:00\"}]}", "unicast" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"b\",\"mac\":\"52:54:00:00:00:0g\"}]}", "\"mac\"" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"b\",\"mac\":\"52-54-00-00-00-01\"}]}", "\"mac\"" },
	{ "{" GOOD ",\"nics\":[{\"bridge\":\"b\",\"mac\":\"52:54:00:00:00:01\"},"
	  "{\"bridge\":\"c\",\"mac\":\"52:54:00:00:00:01\"}]}",
	  "\"nics\"[1]: mac" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct guest_spec *spec = (void *)&bad;
		struct err err = { 0 };
		int r = spec_parse(bad[i].text, strlen(bad[i].text), &spec, &err);

		if (r != -EINVAL || err.code != r || !strstr(err.text, bad[i].says))
			fail_msg("%s: %d, \"%s\" does not say: %s", bad[i].text, r, err.text,
				 bad[i].says);
		assert_ptr_equal(spec, &bad);
	}
}

static char *many(const char *key, const char *item, int n)
{
	struct buf b = { 0 };

	buf_printf(&b, "{" GOOD ",\"%s\":[", key);
	for (int i = 0; i < n; i++) {
		buf_str(&b, i ? "," : "");
		buf_printf(&b, item, i);
	}
	buf_str(&b, "]}");
	return buf_take(&b);
}

/* The limits on counts and sizes hold at their edge. */
static void check_count(const char *key, const char *item, int max)
{
	_cleanup_(mem_freep) char *fits = many(key, item, max), *over = many(key, item, max + 1);
	_cleanup_(spec_freep) struct guest_spec *spec = parse(fits);
	struct guest_spec *none = NULL;
	struct err err;

	assert_int_equal(spec_parse(over, strlen(over), &none, &err), -EINVAL);
	assert_null(none);
}

static void test_limits(void **state)
{
	_cleanup_(mem_freep) char *blank = mem_alloc0(SPEC_JSON_MAX + 1);
	struct guest_spec *none = NULL;
	struct err err;

	(void)state;
	check_count("disks", "{\"volume\":\"v%d\"}", SPEC_DISKS_MAX);
	check_count("nics", "{\"bridge\":\"b%d\"}", SPEC_NICS_MAX);
	memset(blank, ' ', SPEC_JSON_MAX + 1);
	assert_int_equal(spec_parse(blank, SPEC_JSON_MAX + 1, &none, &err), -E2BIG);
	memset(blank, '[', SPEC_JSON_MAX);
	assert_int_equal(spec_parse(blank, SPEC_JSON_MAX, &none, &err), -EINVAL);
}

/* Names become files and arguments. */
static void test_names(void **state)
{
	static const char *const no[] = {
		"", ".", "..", ".a", "_a", "a b", "a/b", "a\n", "\xc3\xa4"
	};
	char longest[SPEC_NAME_MAX + 1];

	(void)state;
	assert_true(spec_name_ok("a"));
	assert_true(spec_name_ok("Web-1.example_org"));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(spec_name_ok(no[i]));
	memset(longest, 'a', sizeof(longest));
	longest[SPEC_NAME_MAX] = '\0';
	assert_false(spec_name_ok(longest));
	longest[SPEC_NAME_MAX - 1] = '\0';
	assert_true(spec_name_ok(longest));
}

/* Every name of every table reads back to its value. */
static void test_tables(void **state)
{
	(void)state;
	for (int i = 0; i < SPEC_AFTER_MAX; i++)
		assert_int_equal(spec_after_parse(spec_after_text(i)), i);
	for (int i = 0; i < DOMAIN_STATE_MAX; i++)
		assert_int_equal(domain_state_parse(domain_state_text(i)), i);
	for (int i = 0; i < DOMAIN_EVENT_MAX; i++)
		assert_int_equal(domain_event_parse(domain_event_text(i)), i);
	for (int i = 0; i < STEP_MAX; i++)
		assert_int_equal(step_parse(step_text(i)), i);
}

/* The walk over (step, state): what may run a guest is allowed in these states and in no other. */
static void test_steps(void **state)
{
	static const struct {
		enum step step;
		enum domain_state state;
	} runs[] = {
		{ STEP_CONT, DOMAIN_CREATED },       { STEP_CONT, DOMAIN_PAUSED },
		{ STEP_CONT, DOMAIN_IO_ERROR },      { STEP_ACTIVATE, DOMAIN_LOADED },
		{ STEP_RESUME_SOURCE, DOMAIN_SENT },
	};
	size_t allowed = 0;

	(void)state;
	for (int s = 0; s < DOMAIN_STATE_MAX; s++)
		allowed += step_allowed(STEP_CONT, s) + step_allowed(STEP_ACTIVATE, s) +
			   step_allowed(STEP_RESUME_SOURCE, s);
	assert_int_equal(allowed, ARRAY_SIZE(runs));
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		assert_true(step_allowed(runs[i].step, runs[i].state));
	for (int s = 0; s < STEP_MAX; s++) {
		assert_false(step_allowed(s, DOMAIN_ENDING));
		assert_false(step_allowed(s, DOMAIN_BEING_CREATED));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_defaults_round_trip),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
