/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/kernel_data.h"

static bool find(const char *text, struct kernel_datum *data, size_t count)
{
	int fd = memfd_create("kallsyms", MFD_CLOEXEC);
	char path[48];
	bool any;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(kernel_data_find(path, data, count, &any), 0);
	close(fd);
	return any;
}

static void test_kernel_data__a_lock_has_the_name_of_what_it_lies_in(void **state)
{
	struct kernel_datum data[] = {
		{.address = 0xffffffff82a01000}, {.address = 0xffffffff82a02018}, {.address = 0xffffffffc0003020},
		{.address = 0xffffffff81000210}, {.address = 0xffffffff83000000},
	};

	assert_true(find("0000000000001000 A per_cpu_thing\n"
			 "ffffffff81000200 t do_one_initcall\n"
			 "ffffffff82a02000 D pernet_ops_rwsem\n"
			 "ffffffff82a01000 d rtnl_mutex\n"
			 "ffffffff82a01020 d after\n"
			 "ffffffffc0003000 b lock\t[ext4]\n",
			 data, 5));
	assert_string_equal(data[0].name, "rtnl_mutex");
	assert_int_equal(data[0].offset, 0);
	assert_string_equal(data[1].name, "pernet_ops_rwsem");
	assert_int_equal(data[1].offset, 0x18);
	assert_string_equal(data[2].name, "lock");
	assert_int_equal(data[2].offset, 0x20);
	/* In a function; and too far behind the last symbol. */
	assert_string_equal(data[3].name, "");
	assert_string_equal(data[4].name, "");
}

static void test_kernel_data__a_kernel_without_data_symbols_says_so(void **state)
{
	struct kernel_datum datum = {.address = 0xffffffff82a01000};

	assert_false(find("ffffffff81000200 t do_one_initcall\n"
			  "ffffffff82a00000 D __start_builtin_fw\n",
			  &datum, 1));
	assert_string_equal(datum.name, "");
	assert_false(find("0000000000000000 d rtnl_mutex\n", &datum, 1));
	assert_string_equal(datum.name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_data__a_lock_has_the_name_of_what_it_lies_in),
		cmocka_unit_test(test_kernel_data__a_kernel_without_data_symbols_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
