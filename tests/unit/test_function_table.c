/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "symbolizer/function_table.h"

static const struct code_range code = {0x1000, 0x9000};

static void add(struct function_table *table, uint64_t address, uint64_t bytes, uint32_t name, unsigned int rank)
{
	assert_int_equal(function_table_add(table, address, bytes, name, 0, rank), 0);
}

static uint32_t name_at(const struct function_table *table, uint64_t address)
{
	struct function_place place = {0};

	function_table_find(table, address, &place);
	assert_true(place.from <= address && address < place.to);
	return place.number == FUNCTION_NONE ? 0 : table->entries.items[place.number].name;
}

static void test_function_table__an_empty_table_has_no_function(void **state)
{
	struct function_table table = {0};

	assert_int_equal(function_table_finish(&table, &code, 1, true, NULL), 0);
	assert_int_equal(name_at(&table, 0x1000), 0);
	function_table_deinit(&table);
}

static void test_function_table__functions_hold_their_first_byte_and_not_the_one_after_their_last(void **state)
{
	struct function_table table = {0};

	add(&table, 0x2000, 0x10, 2, FUNCTION_SIZED);
	add(&table, 0x1800, 0x20, 1, FUNCTION_SIZED);
	assert_int_equal(function_table_finish(&table, &code, 1, true, NULL), 0);
	assert_int_equal(name_at(&table, 0x17ff), 0);
	assert_int_equal(name_at(&table, 0x1800), 1);
	assert_int_equal(name_at(&table, 0x181f), 1);
	assert_int_equal(name_at(&table, 0x1820), 0);
	assert_int_equal(name_at(&table, 0x2000), 2);
	assert_int_equal(name_at(&table, 0x2010), 0);
	function_table_deinit(&table);
}

/* Of two names the one with the higher number. */
static bool higher_name(void *data, const struct function_entry *entry, const struct function_entry *other)
{
	++*(int *)data;
	return entry->name > other->name;
}

static void test_function_table__of_names_for_one_address_the_best_is_kept(void **state)
{
	struct function_table table = {0};
	int asked = 0;
	const struct function_choice choice = {higher_name, &asked};

	for (int chosen = 0; chosen < 2; chosen++) {
		add(&table, 0x2000, 0, 9, FUNCTION_SIZELESS);
		add(&table, 0x2000, 0x10, 6, FUNCTION_SIZED);
		add(&table, 0x2000, 0x10, 5, FUNCTION_SIZED);
		add(&table, 0x2000, 0x8, 8, FUNCTION_SIZED);
		add(&table, 0x2000, 0x20, 7, FUNCTION_LABEL);
		assert_int_equal(function_table_add(&table, 0x2000, 0x20, 10, 1, FUNCTION_SIZED), 0);
		assert_int_equal(function_table_finish(&table, &code, 1, true, chosen ? &choice : NULL), 0);
		assert_int_equal(table.entries.count, 1);
		assert_int_equal(name_at(&table, 0x2008), chosen ? 6 : 5);
		assert_int_equal(name_at(&table, 0x2010), 0);
		function_table_deinit(&table);
	}
	assert_true(asked > 0);
}

static void test_function_table__the_inner_one_of_nested_functions_answers_and_the_outer_one_around_it(void **state)
{
	struct function_place place = {0};
	struct function_table table = {0};

	add(&table, 0x2000, 0x100, 1, FUNCTION_SIZED);
	add(&table, 0x2040, 0x10, 2, FUNCTION_SIZED);
	assert_int_equal(function_table_finish(&table, &code, 1, true, NULL), 0);
	assert_int_equal(name_at(&table, 0x203f), 1);
	assert_int_equal(name_at(&table, 0x2040), 2);
	assert_int_equal(name_at(&table, 0x2050), 1);
	assert_int_equal(name_at(&table, 0x2100), 0);
	function_table_find(&table, 0x2060, &place);
	assert_int_equal(place.from, 0x2050);
	assert_int_equal(place.to, 0x2100);
	function_table_find(&table, 0x2000, &place);
	assert_int_equal(place.from, 0x2000);
	assert_int_equal(place.to, 0x2040);
	function_table_deinit(&table);
}

static void test_function_table__functions_without_a_size_end_at_the_next_one_or_where_code_ends(void **state)
{
	struct function_table table = {0};

	add(&table, 0x2000, 0, 1, FUNCTION_SIZELESS);
	add(&table, 0x2040, 0, 2, FUNCTION_SIZELESS);
	assert_int_equal(function_table_finish(&table, &code, 1, true, NULL), 0);
	assert_int_equal(name_at(&table, 0x203f), 1);
	assert_int_equal(name_at(&table, 0x8fff), 2);
	assert_int_equal(name_at(&table, 0x9000), 0);
	function_table_deinit(&table);
}

static void test_function_table__what_is_outside_of_code_is_dropped_and_what_sticks_out_is_cut(void **state)
{
	const struct code_range two[] = {{0x1000, 0x2000}, {0x3000, 0x4000}};
	struct function_table table = {0};

	add(&table, 0x800, 0x10, 1, FUNCTION_SIZED);
	add(&table, 0x1ff0, UINT64_MAX, 2, FUNCTION_SIZED);
	add(&table, 0x2800, 0x10, 3, FUNCTION_SIZED);
	add(&table, 0x3000, 0x10, 4, FUNCTION_SIZED);
	add(&table, 0x5000, 0x10, 5, FUNCTION_SIZED);
	add(&table, UINT64_MAX - 8, 0x10, 6, FUNCTION_SIZED);
	assert_int_equal(function_table_finish(&table, two, 2, true, NULL), 0);
	assert_int_equal(table.entries.count, 2);
	assert_int_equal(name_at(&table, 0x1fff), 2);
	assert_int_equal(name_at(&table, 0x2000), 0);
	assert_int_equal(name_at(&table, 0x3001), 4);
	function_table_deinit(&table);
}

static void test_function_table__exported_functions_without_a_size_are_left_out_where_asked(void **state)
{
	struct function_table table = {0};

	add(&table, 0x2000, 0, 1, FUNCTION_SIZELESS);
	add(&table, 0x3000, 8, 2, FUNCTION_SIZED);
	assert_int_equal(function_table_finish(&table, &code, 1, false, NULL), 0);
	assert_int_equal(name_at(&table, 0x2000), 0);
	assert_int_equal(name_at(&table, 0x3000), 2);
	function_table_deinit(&table);
}

static void test_function_table__labels_inside_of_a_function_are_its_own(void **state)
{
	struct function_table table = {0};

	add(&table, 0x2000, 0x100, 1, FUNCTION_SIZED);
	add(&table, 0x2040, 0, 2, FUNCTION_LABEL | FUNCTION_SIZELESS);
	add(&table, 0x2100, 0, 3, FUNCTION_LABEL | FUNCTION_SIZELESS);
	assert_int_equal(function_table_finish(&table, &code, 1, true, NULL), 0);
	assert_int_equal(name_at(&table, 0x2050), 1);
	assert_int_equal(name_at(&table, 0x2150), 3);
	function_table_deinit(&table);
}

/* A linear search over what was added, first come first kept: what the table must say for any address. */
static void test_function_table__a_hundred_thousand_in_any_order_are_found_as_by_a_linear_search(void **state)
{
	enum { COUNT = 100000, STEP = 64 };
	const struct code_range all = {0x10000, 0x10000 + (uint64_t)COUNT * STEP};
	struct function_place place = {0};
	struct function_table table = {0};
	uint64_t lower = all.start;

	/* 7919 and the count have no divisor in common: every place once, in no order. */
	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t number = i * 7919 % COUNT;

		add(&table, all.start + number * STEP, 1 + number % STEP, (uint32_t)number + 1, FUNCTION_SIZED);
	}
	assert_int_equal(function_table_finish(&table, &all, 1, true, NULL), 0);
	assert_int_equal(table.entries.count, COUNT);
	for (uint64_t address = all.start - 5; address < all.end + 5; address += 1 + address % 37) {
		uint64_t number = (address - all.start) / STEP, inside = (address - all.start) % STEP;
		bool holds = address >= all.start && address < all.end && inside < 1 + number % STEP;

		function_table_find(&table, address, &place);
		if (holds)
			assert_int_equal(table.entries.items[place.number].name, number + 1);
		else
			assert_true(place.number == FUNCTION_NONE);
		assert_int_equal(name_at(&table, address), holds ? number + 1 : 0);
		assert_true(place.from <= address && address < place.to);
		if (holds)
			lower = address;
	}
	/* And back down, where the hint is of no use. */
	function_table_find(&table, all.start, &place);
	assert_int_equal(table.entries.items[place.number].name, 1);
	assert_true(lower > all.start);
	function_table_deinit(&table);
}

static void test_function_table__addresses_may_be_as_far_apart_as_there_are(void **state)
{
	const struct code_range all = {0, UINT64_MAX};
	struct function_table table = {0};

	add(&table, FUNCTION_ADDRESS_MAX, 1, 2, FUNCTION_SIZED);
	add(&table, 1ull << 40, 1, 3, FUNCTION_SIZED);
	add(&table, 0, 1, 1, FUNCTION_SIZED);
	assert_int_equal(function_table_finish(&table, &all, 1, true, NULL), 0);
	assert_int_equal(name_at(&table, 0), 1);
	assert_int_equal(name_at(&table, 1ull << 40), 3);
	assert_int_equal(name_at(&table, FUNCTION_ADDRESS_MAX), 2);
	function_table_deinit(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function_table__an_empty_table_has_no_function),
		cmocka_unit_test(test_function_table__functions_hold_their_first_byte_and_not_the_one_after_their_last),
		cmocka_unit_test(test_function_table__of_names_for_one_address_the_best_is_kept),
		cmocka_unit_test(
			test_function_table__the_inner_one_of_nested_functions_answers_and_the_outer_one_around_it),
		cmocka_unit_test(test_function_table__functions_without_a_size_end_at_the_next_one_or_where_code_ends),
		cmocka_unit_test(test_function_table__what_is_outside_of_code_is_dropped_and_what_sticks_out_is_cut),
		cmocka_unit_test(test_function_table__exported_functions_without_a_size_are_left_out_where_asked),
		cmocka_unit_test(test_function_table__addresses_may_be_as_far_apart_as_there_are),
		cmocka_unit_test(test_function_table__labels_inside_of_a_function_are_its_own),
		cmocka_unit_test(test_function_table__a_hundred_thousand_in_any_order_are_found_as_by_a_linear_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
