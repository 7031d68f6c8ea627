/* SPDX-License-Identifier: Apache-2.0
 * corosync's settings: what rule L8 refuses is found, and what cannot be read is not taken for safe. */
#include "kit/kit.h"

#include "cluster/corosync_map.h"
#include "corosync_fake.h"

static int set_up(void **state)
{
	(void)state;
	fake_begin();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

static const char *what_is_unsafe(void)
{
	struct corosync_map m = { 0 };
	const char *unsafe;

	corosync_map_read(&m);
	unsafe = corosync_map_unsafe(&m);
	corosync_map_clear(&m);
	return unsafe;
}

/* As a number, as corosync keeps it, and as text; nothing is refused where nothing is set. */
static void test_refused_settings(void **state)
{
	(void)state;
	assert_null(what_is_unsafe());
	fake.number = "quorum.last_man_standing";
	assert_non_null(strstr(what_is_unsafe(), "last_man_standing is set"));
	fake.number = NULL;
	fake.text = "quorum.allow_downscale";
	assert_non_null(strstr(what_is_unsafe(), "allow_downscale is set"));
	fake.text = "quorum.wait_for_all";	/* with one node */
	assert_null(what_is_unsafe());
}

/* Not read yet, no answer, a key that cannot be read: not safe; and safe again when it could be read. */
static void test_unreadable_is_unsafe(void **state)
{
	struct corosync_map m = { 0 };

	(void)state;
	assert_non_null(strstr(corosync_map_unsafe(&m), "cannot be read"));
	assert_true(corosync_map_read(&m));
	assert_null(corosync_map_unsafe(&m));
	fake.cmap = CS_ERR_TRY_AGAIN;
	assert_false(corosync_map_read(&m));
	assert_non_null(strstr(corosync_map_unsafe(&m), "cannot be read"));
	assert_int_equal(m.nodes.n, 1);
	fake.cmap = CS_OK;
	fake.key = CS_ERR_TRY_AGAIN;
	fake.number = "quorum.auto_tie_breaker";
	assert_false(corosync_map_read(&m));
	assert_non_null(strstr(corosync_map_unsafe(&m), "cannot be read"));
	fake.number = NULL;
	fake.text = "quorum.auto_tie_breaker";
	assert_false(corosync_map_read(&m));
	fake.text = NULL;
	assert_true(corosync_map_read(&m));
	assert_null(corosync_map_unsafe(&m));
	corosync_map_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused_settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable_is_unsafe, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
