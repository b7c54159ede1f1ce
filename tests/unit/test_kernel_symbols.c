/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/kernel_symbols.h"

/* As a kallsyms file tells it. */
static struct kernel_symbols *symbols_of(const char *text)
{
	int fd = memfd_create("kallsyms", MFD_CLOEXEC);
	struct kernel_symbols *symbols;
	char path[48];

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(kernel_symbols_new(path, &symbols), 0);
	close(fd);
	return symbols;
}

static void expect(const struct kernel_symbols *symbols, uint64_t address, const char *name, const char *module)
{
	const char *found_name = "none", *found_module = "none";

	assert_int_equal(kernel_symbols_find(symbols, address, &found_name, &found_module), name != NULL);
	assert_string_equal(found_name, name ? name : "none");
	assert_string_equal(found_module, name ? module : "none");
}

static void test_kernel_symbols__functions_of_kernel_modules_and_bpf_have_their_module(void **state)
{
	struct kernel_symbols *symbols = symbols_of("ffffffff81000000 T _stext\n"
						    "ffffffff81000200 t do_one_initcall\n"
						    "ffffffff81000300 W weak_one\n"
						    "ffffffffc0000000 t ext4_readdir\t[ext4]\n"
						    "ffffffffc0001000 t bpf_prog_6deef7357e7b4530_sample\t[bpf]\n"
						    "ffffffffc0002000 t __builtin__ftrace\t[__builtin__ftrace]\n");

	assert_false(kernel_symbols_hidden(symbols));
	expect(symbols, 0xffffffff80ffffff, NULL, NULL);
	expect(symbols, 0xffffffff81000000, "_stext", "vmlinux");
	expect(symbols, 0xffffffff810001ff, "_stext", "vmlinux");
	expect(symbols, 0xffffffff81000200, "do_one_initcall", "vmlinux");
	expect(symbols, 0xffffffff81000300, "weak_one", "vmlinux");
	expect(symbols, 0xffffffffc0000010, "ext4_readdir", "ext4");
	expect(symbols, 0xffffffffc0001fff, "bpf_prog_6deef7357e7b4530_sample", "bpf");
	kernel_symbols_free(symbols);
}

static void test_kernel_symbols__order_of_the_lines_does_not_matter_and_the_first_of_aliases_is_shown(void **state)
{
	struct kernel_symbols *symbols = symbols_of("ffffffff81000400 T last\n"
						    "ffffffff81000200 T __x64_sys_read\n"
						    "ffffffff81000000 T first\n"
						    "ffffffff81000200 T __ia32_alias\n");

	expect(symbols, 0xffffffff81000100, "first", "vmlinux");
	expect(symbols, 0xffffffff81000210, "__x64_sys_read", "vmlinux");
	expect(symbols, 0xffffffff81000400, "last", "vmlinux");
	kernel_symbols_free(symbols);
}

static void test_kernel_symbols__data_is_no_function(void **state)
{
	struct kernel_symbols *symbols = symbols_of("ffffffff81000000 T function\n"
						    "ffffffff81000100 D data\n"
						    "ffffffff81000180 A absolute\n"
						    "ffffffff81000190 r rodata\n"
						    "0000000000000000 A fixed_percpu_data\n");

	expect(symbols, 0xffffffff81000190, "function", "vmlinux");
	expect(symbols, 0x100, NULL, NULL);
	kernel_symbols_free(symbols);
}

static void test_kernel_symbols__all_zero_is_hidden_and_names_nothing(void **state)
{
	struct kernel_symbols *symbols = symbols_of("0000000000000000 T _stext\n0000000000000000 t f\t[ext4]\n");

	assert_true(kernel_symbols_hidden(symbols));
	expect(symbols, 0, NULL, NULL);
	expect(symbols, 0xffffffff81000000, NULL, NULL);
	kernel_symbols_free(symbols);
}

static void test_kernel_symbols__far_behind_the_last_symbol_nothing_is_named(void **state)
{
	struct kernel_symbols *symbols = symbols_of("ffffffff81000000 T last\n");

	expect(symbols, 0xffffffff81ffffff, "last", "vmlinux");
	expect(symbols, 0xffffffff82000000, NULL, NULL);
	expect(symbols, UINT64_MAX, NULL, NULL);
	kernel_symbols_free(symbols);
}

static void test_kernel_symbols__lines_of_another_form_are_skipped(void **state)
{
	struct kernel_symbols *symbols = symbols_of("\n"
						    "garbage\n"
						    "ffffffff81000000\n"
						    "ffffffff81000000 T\n"
						    "ffffffff81000000 T \n"
						    "ffffffff81000000 TT two\n"
						    "ffffffff81000000  T spaces\n"
						    "ffffffff81000000 T\tt tab\n"
						    "ffffffff81000100 T good");

	expect(symbols, 0xffffffff81000080, NULL, NULL);
	expect(symbols, 0xffffffff81000100, "good", "vmlinux");
	kernel_symbols_free(symbols);
}

static void test_kernel_symbols__file_that_is_missing_is_an_error(void **state)
{
	struct kernel_symbols *symbols = NULL;

	assert_int_equal(kernel_symbols_new("/nowhere/kallsyms", &symbols), -ENOENT);
	assert_int_equal(kernel_symbols_new("/proc/self/fd", &symbols), -EIO);
	assert_null(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_symbols__functions_of_kernel_modules_and_bpf_have_their_module),
		cmocka_unit_test(
			test_kernel_symbols__order_of_the_lines_does_not_matter_and_the_first_of_aliases_is_shown),
		cmocka_unit_test(test_kernel_symbols__data_is_no_function),
		cmocka_unit_test(test_kernel_symbols__all_zero_is_hidden_and_names_nothing),
		cmocka_unit_test(test_kernel_symbols__far_behind_the_last_symbol_nothing_is_named),
		cmocka_unit_test(test_kernel_symbols__lines_of_another_form_are_skipped),
		cmocka_unit_test(test_kernel_symbols__file_that_is_missing_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
