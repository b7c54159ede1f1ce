/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/profile/short_ids.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_short_ids__are_twelve_characters_where_that_tells_them_apart(void **state)
{
	static const char *const ids[] = {"0123456789abcdef0123", "0123456789aBcdef0123", "web", "", "web"};
	size_t lengths[COUNT(ids)];

	assert_int_equal(short_id_lengths(ids, COUNT(ids), lengths), 0);
	for (size_t i = 0; i < COUNT(ids); i++)
		assert_int_equal(lengths[i], SHORT_ID);
	assert_int_equal(short_id_lengths(NULL, 0, NULL), 0);
}

static void test_short_ids__are_as_long_as_it_takes_where_ids_begin_alike(void **state)
{
	static const char *const ids[] = {"production-web-1-blue",  "elsewhere-and-long",    "production-web-2",
					  "production-web-1-green", "production-web-1-blue", "production-web-1"};
	/* "production-web-1" itself is all of it: one more than it has tells it from what it begins. */
	static const size_t wanted[] = {18, 12, 16, 18, 18, 17};
	size_t lengths[COUNT(ids)];

	assert_int_equal(short_id_lengths(ids, COUNT(ids), lengths), 0);
	for (size_t i = 0; i < COUNT(ids); i++)
		assert_int_equal(lengths[i], wanted[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_ids__are_twelve_characters_where_that_tells_them_apart),
		cmocka_unit_test(test_short_ids__are_as_long_as_it_takes_where_ids_begin_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
