/* SPDX-License-Identifier: BSD-2-Clause */
#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "symbolizer/base/array.h"
#include "symbolizer/dwarf_expression.h"

static bool read_word(void *data, uint64_t address, uint64_t *ret_word)
{
	if (address < 0x1000 || address >= 0x2000)
		return false;
	*ret_word = address * 0x10001;
	return true;
}

static const struct call_memory memory = {.read = read_word};
static const struct call_registers registers = {
	.value = {[0] = 7, [CALL_SP] = 0x1010, [CALL_IP] = 0x40100b},
	.known = 1u << 0 | 1u << CALL_SP | 1u << CALL_IP,
};

static bool run(const Dwarf_Op *operations, size_t count, const uint64_t *cfa, uint64_t *result, bool *is_value)
{
	return dwarf_expression_run(operations, count, &registers, cfa, &memory, result, is_value);
}

static uint64_t result_of(const Dwarf_Op *operations, size_t count)
{
	uint64_t result, cfa = 0x1800;
	bool is_value;

	assert_true(run(operations, count, &cfa, &result, &is_value));
	return result;
}
#define RESULT_OF(...) result_of((Dwarf_Op[]){__VA_ARGS__}, ARRAY_LENGTH(((Dwarf_Op[]){__VA_ARGS__})))

static bool fails(const Dwarf_Op *operations, size_t count)
{
	uint64_t result;
	bool is_value;

	return !run(operations, count, NULL, &result, &is_value);
}
#define FAILS(...) fails((Dwarf_Op[]){__VA_ARGS__}, ARRAY_LENGTH(((Dwarf_Op[]){__VA_ARGS__})))

#define OP(name, ...)                             \
	{                                         \
		.atom = DW_OP_##name, __VA_ARGS__ \
	}

/* rsp + 8 + ((rip & 15) >= 11) * 8, as linkers describe a PLT. */
static void test_dwarf_expression__entry_of_a_plt(void **state)
{
	assert_int_equal(RESULT_OF(OP(breg7, .number = 8), OP(breg16), OP(lit15), OP(and), OP(lit11), OP(ge), OP(lit3),
				   OP(shl), OP(plus)),
			 0x1010 + 16);
}

static void test_dwarf_expression__saved_registers_are_found_from_the_cfa(void **state)
{
	assert_int_equal(RESULT_OF(OP(call_frame_cfa), OP(plus_uconst, .number = (uint64_t)-16)), 0x1800 - 16);
	assert_int_equal(RESULT_OF(OP(bregx, .number = CALL_SP, .number2 = 8), OP(deref)), 0x1018ull * 0x10001);
	assert_int_equal(RESULT_OF(OP(bregx, .number = CALL_SP), OP(deref_size, .number = 2)), 0x1010);
}

static void test_dwarf_expression__stack_operations_keep_their_order(void **state)
{
	assert_int_equal(RESULT_OF(OP(lit1), OP(lit2), OP(swap), OP(minus)), 1);
	/* 1 2 3 → 3 1 2: 3 - (1 - 2) */
	assert_int_equal(RESULT_OF(OP(lit1), OP(lit2), OP(lit3), OP(rot), OP(minus), OP(minus)), 4);
	assert_int_equal(RESULT_OF(OP(lit5), OP(lit9), OP(over), OP(minus), OP(plus)), 9);
	assert_int_equal(RESULT_OF(OP(lit5), OP(neg), OP(abs)), 5);
	assert_int_equal(RESULT_OF(OP(lit7), OP(lit5), OP(abs), OP(minus)), 2);
	/* Nothing of the operand stays. */
	assert_int_equal(RESULT_OF(OP(lit10), OP(lit5), OP(neg), OP(plus)), 5);
}

static void test_dwarf_expression__branches_lead_to_operations(void **state)
{
	/* if (1) skip the 9 */
	assert_int_equal(RESULT_OF({.atom = DW_OP_lit4, .offset = 0}, {.atom = DW_OP_lit1, .offset = 1},
				   {.atom = DW_OP_bra, .offset = 2, .number = 1}, {.atom = DW_OP_lit9, .offset = 5},
				   {.atom = DW_OP_nop, .offset = 6}),
			 4);
	assert_true(FAILS({.atom = DW_OP_lit4, .offset = 0}, {.atom = DW_OP_skip, .offset = 1, .number = 77}));
}

/* From a lit7 over @last, which takes @bytes. */
static bool ends(Dwarf_Op last, unsigned int bytes)
{
	const Dwarf_Op operations[] = {
		{.atom = DW_OP_lit7, .offset = 0}, {.atom = DW_OP_skip, .offset = 1, .number = bytes}, last};

	return !fails(operations, ARRAY_LENGTH(operations));
}

static void test_dwarf_expression__branch_to_one_past_the_last_ends_it(void **state)
{
	assert_int_equal(RESULT_OF({.atom = DW_OP_lit7, .offset = 0}, {.atom = DW_OP_skip, .offset = 1, .number = 0}),
			 7);
	assert_int_equal(RESULT_OF({.atom = DW_OP_lit7, .offset = 0}, {.atom = DW_OP_lit1, .offset = 1},
				   {.atom = DW_OP_bra, .offset = 2, .number = 2},
				   {.atom = DW_OP_plus_uconst, .offset = 5, .number = 8}),
			 7);
	assert_true(ends((Dwarf_Op){.atom = DW_OP_drop, .offset = 4}, 1));
	assert_false(ends((Dwarf_Op){.atom = DW_OP_drop, .offset = 4}, 2));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_const4u, .offset = 4}, 5));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_breg7, .offset = 4, .number = 63}, 2));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_breg7, .offset = 4, .number = 64}, 3));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_breg7, .offset = 4, .number = (uint64_t)-64}, 2));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_consts, .offset = 4, .number = (uint64_t)-65}, 3));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_consts, .offset = 4, .number = 1ull << 63}, 11));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_constu, .offset = 4, .number = 128}, 3));
	assert_true(ends((Dwarf_Op){.atom = DW_OP_bregx, .offset = 4, .number = 7, .number2 = 8}, 3));
}

static void test_dwarf_expression__a_value_is_told_from_an_address(void **state)
{
	uint64_t result;
	bool is_value;

	assert_true(run((Dwarf_Op[]){OP(lit4), OP(stack_value)}, 2, NULL, &result, &is_value));
	assert_true(is_value);
	assert_true(run((Dwarf_Op[]){OP(regx, .number = 0)}, 1, NULL, &result, &is_value));
	assert_true(is_value);
	assert_int_equal(result, 7);
	assert_true(run((Dwarf_Op[]){OP(lit4)}, 1, NULL, &result, &is_value));
	assert_false(is_value);
}

static void test_dwarf_expression__what_cannot_be_computed_fails(void **state)
{
	assert_true(FAILS(OP(breg3)));				   /* unknown register */
	assert_true(FAILS(OP(bregx, .number = 40)));		   /* no such register */
	assert_true(FAILS(OP(lit8), OP(deref)));		   /* no such memory */
	assert_true(FAILS(OP(call_frame_cfa)));			   /* not known yet */
	assert_true(FAILS(OP(plus)));				   /* nothing to add */
	assert_true(FAILS(OP(lit1), OP(swap)));			   /* nothing to swap with */
	assert_true(FAILS(OP(rot)));				   /* nothing at all */
	assert_true(FAILS(OP(lit1), OP(lit0), OP(div)));	   /* no number */
	assert_true(FAILS(OP(lit1), OP(lit0), OP(mod)));	   /* no number */
	assert_true(FAILS(OP(lit1), OP(deref_size, .number = 9))); /* no such size */
	assert_true(FAILS(OP(addrx, .number = 1)));		   /* not for call frames */
	assert_true(FAILS({.atom = DW_OP_nop}));		   /* no result */
}

static void test_dwarf_expression__one_that_never_ends_is_given_up(void **state)
{
	assert_true(FAILS({.atom = DW_OP_nop, .offset = 0}, {.atom = DW_OP_skip, .offset = 1, .number = (uint16_t)-4}));
	assert_true(
		FAILS({.atom = DW_OP_lit1, .offset = 0}, {.atom = DW_OP_skip, .offset = 1, .number = (uint16_t)-4}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dwarf_expression__entry_of_a_plt),
		cmocka_unit_test(test_dwarf_expression__saved_registers_are_found_from_the_cfa),
		cmocka_unit_test(test_dwarf_expression__stack_operations_keep_their_order),
		cmocka_unit_test(test_dwarf_expression__branches_lead_to_operations),
		cmocka_unit_test(test_dwarf_expression__branch_to_one_past_the_last_ends_it),
		cmocka_unit_test(test_dwarf_expression__a_value_is_told_from_an_address),
		cmocka_unit_test(test_dwarf_expression__what_cannot_be_computed_fails),
		cmocka_unit_test(test_dwarf_expression__one_that_never_ends_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
