/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays that are kept in order: where a key belongs, and what moves when an element comes or goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/partition_point.h"

struct numbers {
	ARRAY(uint32_t) list;
};

static void test_partition_point__counts_the_first_that_fulfil_whatever_their_number(void **state)
{
	for (size_t count = 0; count <= 70; count++)
		for (size_t fulfil = 0; fulfil <= count; fulfil++)
			assert_int_equal(partition_point(i, count, i < fulfil), fulfil);
}

static void test_partition_point__finds_the_first_and_the_last_of_equals(void **state)
{
	static const int sorted[] = {1, 3, 3, 3, 7};

	assert_int_equal(partition_point(i, ARRAY_LENGTH(sorted), sorted[i] < 3), 1);
	assert_int_equal(partition_point(i, ARRAY_LENGTH(sorted), sorted[i] <= 3), 4);
	assert_int_equal(partition_point(i, ARRAY_LENGTH(sorted), sorted[i] < 0), 0);
	assert_int_equal(partition_point(i, ARRAY_LENGTH(sorted), sorted[i] <= 9), 5);
}

static void test_partition_point__asks_about_elements_that_there_are_and_few_of_them(void **state)
{
	for (size_t count = 0; count <= 1025; count++) {
		size_t asked = 0;

		partition_point(i, count, (assert_true(i < count), asked++, i % 2));
		assert_in_range(asked, 0, 11);
	}
}

static void test_array_insert__moves_what_is_behind_up(void **state)
{
	static const uint32_t unsorted[] = {5, 1, 9, 3, 7, 0, 8, 2, 6, 4, 10};
	struct numbers numbers = {0};

	for (size_t n = 0; n < ARRAY_LENGTH(unsorted); n++) {
		size_t place = partition_point(i, numbers.list.count, numbers.list.items[i] < unsorted[n]);
		uint32_t *added = array_insert(&numbers.list, place);

		assert_ptr_equal(added, &numbers.list.items[place]);
		assert_int_equal(*added, 0);
		*added = unsorted[n];
	}
	assert_int_equal(numbers.list.count, ARRAY_LENGTH(unsorted));
	for (uint32_t i = 0; i < numbers.list.count; i++)
		assert_int_equal(numbers.list.items[i], i);
	array_deinit(&numbers.list);
}

static void test_array_remove__moves_what_is_behind_down(void **state)
{
	struct numbers numbers = {0};

	for (uint32_t i = 0; i < 5; i++)
		*(uint32_t *)array_add(&numbers.list) = i;
	array_remove(&numbers.list, 4);
	array_remove(&numbers.list, 0);
	array_remove(&numbers.list, 1);
	assert_int_equal(numbers.list.count, 2);
	assert_int_equal(numbers.list.items[0], 1);
	assert_int_equal(numbers.list.items[1], 3);
	array_remove(&numbers.list, 0);
	array_remove(&numbers.list, 0);
	assert_int_equal(numbers.list.count, 0);
	array_deinit(&numbers.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partition_point__counts_the_first_that_fulfil_whatever_their_number),
		cmocka_unit_test(test_partition_point__finds_the_first_and_the_last_of_equals),
		cmocka_unit_test(test_partition_point__asks_about_elements_that_there_are_and_few_of_them),
		cmocka_unit_test(test_array_insert__moves_what_is_behind_up),
		cmocka_unit_test(test_array_remove__moves_what_is_behind_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
