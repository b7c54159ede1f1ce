/* SPDX-License-Identifier: BSD-2-Clause */
/* Where Python frames stand among native ones. Native rows are 1 … 9, the loop's 90 …, Python's from 100 on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/collect/python_stack.h"
#include "symbolizer/base/array.h"

#define RUN PYTHON_FRAME_EVALUATED /* a new run begins */

struct expectation {
	uint32_t native[8]; /* leaf first, up to 0 */
	uint64_t words[8];  /* RUN or 0 for each Python frame */
	size_t python_count;
	bool from_root;
	uint32_t expected[16];
};

static void check(const struct expectation *wanted)
{
	static const uint32_t python[] = {100, 101, 102, 103, 104, 105, 106, 107};
	struct python_stack stack = {
		.native = wanted->native,
		.from_root = wanted->from_root,
		.words = wanted->words,
		.python = python,
		.python_count = wanted->python_count,
	};
	bool evaluates[8] = {false};
	uint32_t rows[16] = {0};
	size_t count;

	for (; stack.native_count < 8 && wanted->native[stack.native_count]; stack.native_count++)
		evaluates[stack.native_count] = wanted->native[stack.native_count] >= 90;
	stack.evaluates = evaluates;
	count = python_stack_merge(&stack, rows, ARRAY_LENGTH(rows));
	assert_true(count < ARRAY_LENGTH(rows));
	assert_memory_equal(rows, wanted->expected, sizeof(rows));
}

static void test_python_stack__each_run_stands_for_the_call_that_evaluates_it(void **state)
{
	check(&(struct expectation){{1, 90, 2, 91, 3}, {0, 0, RUN, 0}, 4, true, {1, 100, 101, 2, 102, 103, 3}});
	check(&(struct expectation){{1, 90, 2, 91, 3}, {0, 0, RUN, 0}, 4, false, {1, 100, 101, 2, 102, 103, 3}});
}

static void test_python_stack__a_call_that_has_no_frame_yet_stays(void **state)
{
	check(&(struct expectation){{90, 2, 91, 3}, {RUN, 0}, 2, true, {90, 2, 100, 101, 3}});
	check(&(struct expectation){{90, 2, 91, 3}, {RUN, 0}, 2, false, {90, 2, 100, 101, 3}});
	/* The walk did not tell: counted from the root it shows. */
	check(&(struct expectation){{90, 2, 91, 3}, {0, 0}, 2, true, {90, 2, 100, 101, 3}});
}

static void test_python_stack__frames_whose_call_is_not_known_are_not_lost(void **state)
{
	check(&(struct expectation){{1, 91, 3}, {0, RUN, 0}, 3, true, {100, 1, 101, 102, 3}});
	check(&(struct expectation){{1, 91}, {0, RUN, 0}, 3, false, {1, 100, 101, 102}});
	check(&(struct expectation){{1, 2}, {0, 0}, 2, false, {1, 2, 100, 101}});
}

static void test_python_stack__without_Python_frames_the_stack_is_as_it_was(void **state)
{
	check(&(struct expectation){{1, 90, 2}, {0}, 0, true, {1, 90, 2}});
}

static void test_python_stack__what_does_not_fit_is_left_out_at_the_root(void **state)
{
	static const uint32_t native[] = {1, 90, 2}, python[] = {100, 101, 102};
	static const bool evaluates[] = {false, true, false};
	static const uint64_t words[3] = {0};
	const struct python_stack stack = {native, evaluates, 3, true, words, python, 3};
	uint32_t rows[2];

	assert_int_equal(python_stack_merge(&stack, rows, 2), 2);
	assert_int_equal(rows[0], 1);
	assert_int_equal(rows[1], 100);
}

static void test_python_stack__the_loop_is_known_by_its_name_and_what_was_moved_out_of_it(void **state)
{
	assert_true(python_stack_evaluates("_PyEval_EvalFrameDefault"));
	assert_true(python_stack_evaluates("_PyEval_EvalFrameDefault.cold"));
	assert_false(python_stack_evaluates("_PyEval_EvalFrameDefaultX"));
	assert_false(python_stack_evaluates("PyEval_EvalCode"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_python_stack__each_run_stands_for_the_call_that_evaluates_it),
		cmocka_unit_test(test_python_stack__a_call_that_has_no_frame_yet_stays),
		cmocka_unit_test(test_python_stack__frames_whose_call_is_not_known_are_not_lost),
		cmocka_unit_test(test_python_stack__without_Python_frames_the_stack_is_as_it_was),
		cmocka_unit_test(test_python_stack__what_does_not_fit_is_left_out_at_the_root),
		cmocka_unit_test(test_python_stack__the_loop_is_known_by_its_name_and_what_was_moved_out_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
