/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "symbolizer/demangle.h"

static void expect(const char *name, const char *wanted)
{
	char *readable = demangle(name);

	assert_non_null(readable);
	assert_string_equal(readable, wanted);
	free(readable);
}

static void test_demangle__cpp_and_both_kinds_of_rust_are_readable(void **state)
{
	expect("_ZNK8geometry6Circle4areaEd", "geometry::Circle::area");
	expect("_ZN8geometry8wear_outIdLi20000EEET_S1_", "geometry::wear_out<double, 20000>");
	expect("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
	expect("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar");
}

static void test_demangle__what_is_not_mangled_stays_as_it_is(void **state)
{
	static const char *const names[] = {"", "main", "_Z", "_R", "__Z", "_ZZZZ", "_start", "_RXYZ"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(demangle(names[i]));
}

static void test_demangle__a_name_past_the_limit_stays_as_it_is(void **state)
{
	int identifier = MANGLED_BYTES_MAX - 7; /* "_Z", four digits, "v" */
	char name[MANGLED_BYTES_MAX + 2], *readable;

	snprintf(name, sizeof(name), "_Z%d%0*dv", identifier, identifier, 0);
	memset(name + 6, 'a', (size_t)identifier);
	readable = demangle(name);
	assert_non_null(readable);
	assert_int_equal(strlen(readable), identifier);
	free(readable);
	snprintf(name + MANGLED_BYTES_MAX, 2, "v");
	assert_null(demangle(name));
}

static void test_demangle__the_deepest_name_needs_less_than_a_megabyte_of_stack(void **state)
{
	struct rlimit before, little = {1 << 20, 1 << 20};
	char name[MANGLED_BYTES_MAX + 1], *readable;

	assert_int_equal(getrlimit(RLIMIT_STACK, &before), 0);
	little.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_STACK, &little), 0);
	snprintf(name, sizeof(name), "_Z1fI%0*d", MANGLED_BYTES_MAX - 5, 0);
	memset(name + 5, 'P', MANGLED_BYTES_MAX - 9);
	memcpy(name + MANGLED_BYTES_MAX - 4, "iEvv", 4);
	readable = demangle(name);
	free(readable); /* nothing: libiberty prints no more than 1,024 levels */
	memcpy(name + 900, "iEvv", 5);
	readable = demangle(name);
	assert_non_null(readable);
	assert_memory_equal(readable, "f<int****", 9);
	free(readable);
	/* A cycle of references. */
	readable = demangle("_RINvC1a1fTB6_EE");
	free(readable);
	assert_int_equal(setrlimit(RLIMIT_STACK, &before), 0);
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* Number as Rust's mangling writes it: base 62, less one, "_" behind it. */
static void add_back_reference(char *name, size_t size, size_t position)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t used = strlen(name), number = position - 1;

	if (number < 62)
		snprintf(name + used, size - used, "B%c_", digits[number]);
	else
		snprintf(name + used, size - used, "B%c%c_", digits[number / 62], digits[number % 62]);
}

static void test_demangle__a_name_that_doubles_forty_times_is_cut_at_the_limit(void **state)
{
	char name[1024] = "_RINvC1a1fTllE", *readable;
	size_t before = strlen("INvC1a1f");
	double begin = cpu_seconds();

	for (int i = 0; i < 40; i++) {
		size_t here = strlen(name) - 2;

		snprintf(name + strlen(name), sizeof(name) - strlen(name), "T");
		add_back_reference(name, sizeof(name), before);
		add_back_reference(name, sizeof(name), before);
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "E");
		before = here;
	}
	snprintf(name + strlen(name), sizeof(name) - strlen(name), "E");
	readable = demangle(name);
	assert_non_null(readable);
	assert_int_equal(strlen(readable), DEMANGLED_BYTES_MAX);
	assert_memory_equal(readable, "a::f::<(i32, i32), ((i32, i32), (i32, i32)), (((", 48);
	assert_true(cpu_seconds() - begin < 0.5);
	free(readable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demangle__cpp_and_both_kinds_of_rust_are_readable),
		cmocka_unit_test(test_demangle__what_is_not_mangled_stays_as_it_is),
		cmocka_unit_test(test_demangle__a_name_past_the_limit_stays_as_it_is),
		cmocka_unit_test(test_demangle__the_deepest_name_needs_less_than_a_megabyte_of_stack),
		cmocka_unit_test(test_demangle__a_name_that_doubles_forty_times_is_cut_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
