/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "symbolizer/base/text.h"

static void test_text_append__adds_what_fits_and_no_more(void **state)
{
	char text[9] = {[8] = 'x'};

	for (int i = 1; i <= 3; i++)
		text_append(text, 8, "%s%d", text[0] ? ", " : "", i);
	assert_string_equal(text, "1, 2, 3");
	text_append(text, 8, ", 4");
	assert_string_equal(text, "1, 2, 3");
	text[4] = '\0';
	text_append(text, 8, "%s", "and much that is longer than all the room");
	assert_string_equal(text, "1, 2and");
	assert_int_equal(text[8], 'x');
}

static void test_text_printable__leaves_nothing_that_a_terminal_obeys(void **state)
{
	char out[64];

	assert_string_equal(text_printable("a\033[31mb\tc\x7f", out, sizeof(out)), "a?[31mb?c?");
	assert_string_equal(text_printable("caf\xc3\xa9 \xff", out, sizeof(out)), "caf\xc3\xa9 \xef\xbf\xbd");
	assert_string_equal(text_printable("\xc3\xa9\xc3\xa9", out, 4), "\xc3\xa9");
}

static void test_text_to_u64__takes_whole_numbers_alone(void **state)
{
	static const char *const none[] = {"", "-1", "+1", " 1", "1 ", "0x", "1.5", "18446744073709551616", "a"};
	uint64_t number = 7;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(text_to_u64(none[i], 10, &number));
	assert_int_equal(number, 7);
	assert_true(text_to_u64("18446744073709551615", 10, &number));
	assert_true(number == UINT64_MAX);
	assert_true(text_to_u64("0xfF", 16, &number));
	assert_int_equal(number, 255);
}

static void test_text_grouped__sets_thousands_apart(void **state)
{
	char out[27];

	assert_string_equal(text_grouped(0, out, sizeof(out)), "0");
	assert_string_equal(text_grouped(999, out, sizeof(out)), "999");
	assert_string_equal(text_grouped(1234567, out, sizeof(out)), "1,234,567");
	assert_string_equal(text_grouped(UINT64_MAX, out, sizeof(out)), "18,446,744,073,709,551,615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_append__adds_what_fits_and_no_more),
		cmocka_unit_test(test_text_printable__leaves_nothing_that_a_terminal_obeys),
		cmocka_unit_test(test_text_to_u64__takes_whole_numbers_alone),
		cmocka_unit_test(test_text_grouped__sets_thousands_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
