/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbolizer/unwind_layers.h"

static void add(struct unwind_cfi_rows *rows, uint64_t pc, int32_t cfa_offset)
{
	*(struct unwind_cfi_row *)array_add(&rows->list) =
		(struct unwind_cfi_row){pc, {.cfa = cfa_offset ? UNWIND_SP : UNWIND_GAP, .cfa_offset = cfa_offset}};
}

static void expect(const struct unwind_cfi_rows *rows, size_t at, uint64_t pc, int32_t cfa_offset)
{
	assert_true(at < rows->list.count);
	assert_int_equal(rows->list.items[at].pc, pc);
	assert_int_equal(rows->list.items[at].rule.cfa_offset, cfa_offset);
}

static void test_unwind_layers__what_is_below_is_seen_through_gaps_alone(void **state)
{
	struct unwind_cfi_rows rows = {.functions = 1}, below = {.functions = 2, .broken = 1};

	add(&rows, 100, 8);
	add(&rows, 200, 0);
	add(&rows, 400, 16);
	add(&rows, 500, 0);
	add(&below, 50, 24);
	add(&below, 150, 32);
	add(&below, 300, 40);
	add(&below, 450, 48);
	add(&below, 600, 0);
	assert_int_equal(unwind_layer_put_below(&rows, &below), 0);
	assert_int_equal(rows.list.count, 7);
	expect(&rows, 0, 50, 24);
	expect(&rows, 1, 100, 8);
	expect(&rows, 2, 200, 32);
	expect(&rows, 3, 300, 40);
	expect(&rows, 4, 400, 16);
	expect(&rows, 5, 500, 48);
	expect(&rows, 6, 600, 0);
	assert_int_equal(rows.functions, 3);
	assert_int_equal(rows.broken, 1);
	array_deinit(&rows.list);
	array_deinit(&below.list);
}

static void test_unwind_layers__below_nothing_all_of_it_is_seen(void **state)
{
	struct unwind_cfi_rows rows = {0}, below = {0};

	add(&below, 50, 24);
	add(&below, 60, 0);
	assert_int_equal(unwind_layer_put_below(&rows, &below), 0);
	assert_int_equal(rows.list.count, 2);
	expect(&rows, 0, 50, 24);
	assert_int_equal(unwind_layer_put_below(&rows, &below), 0);
	assert_int_equal(rows.list.count, 2);
	array_deinit(&rows.list);
	array_deinit(&below.list);
}

static void test_unwind_layers__at_one_address_a_function_goes_before_the_end_of_another(void **state)
{
	struct unwind_cfi_rows rows = {0};

	add(&rows, 200, 16);
	add(&rows, 100, 8);
	add(&rows, 200, 0);
	add(&rows, 300, 0);
	add(&rows, 308, 24); /* alignment lies between */
	add(&rows, 400, 0);
	unwind_layer_sort(&rows);
	assert_int_equal(rows.list.count, 4);
	expect(&rows, 0, 100, 8);
	expect(&rows, 1, 200, 16);
	expect(&rows, 2, 308, 24);
	expect(&rows, 3, 400, 0);
	array_deinit(&rows.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unwind_layers__what_is_below_is_seen_through_gaps_alone),
		cmocka_unit_test(test_unwind_layers__below_nothing_all_of_it_is_seen),
		cmocka_unit_test(test_unwind_layers__at_one_address_a_function_goes_before_the_end_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
