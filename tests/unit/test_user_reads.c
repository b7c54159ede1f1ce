/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels, by what their symbols and their code say: which of them freeze where a program reads user memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/collect/user_reads.h"
#include "symbolizer/base/array.h"

#define COPY 0xffffffff81298470
#define CHECK 0xffffffff812ec2a0
#define NMI 0xffffffff81083a60
#define AREA 0xffffffff812761f0
#define VM_AREA 0xffffffff81276490
#define OTHER 0xffffffff81b39270

/* A kernel: what its two functions call. */
struct kernel {
	const char *name;
	uint64_t copy_calls, check_calls;
	enum user_reads reads;
};

static const struct kernel *kernel; /* at hand */

static const char symbols[] = "0000000000000000 A fixed_percpu_data\n"
			      "ffffffff81000000 T _stext\n"
			      "ffffffff81083a60 T nmi_uaccess_okay\n"
			      "ffffffff81083ac0 t cr4_update_pce\n"
			      "ffffffff812761f0 T find_vmap_area\n"
			      "ffffffff81276250 T find_unlink_vmap_area\n"
			      "ffffffff81276490 T find_vm_area\n"
			      "ffffffff812764c0 T remove_vm_area\n"
			      "ffffffff81298470 T copy_from_user_nofault\n"
			      "ffffffff81298530 T copy_to_user_nofault\n"
			      "ffffffff812ec2a0 T __check_object_size\n"
			      "ffffffff812ec2a0 T an_alias\n"
			      "ffffffff812ec4d0 T memfd_fcntl\n"
			      "ffffffffc0000000 t find_vmap_area\t[liar]\n";

/* Where code is not told to call what was asked for, it is bytes that look like calls. */
static int read_code(uint64_t address, void *code, size_t bytes)
{
	uint64_t target = address == COPY ? kernel->copy_calls : kernel->check_calls;
	uint8_t *at = code;
	int32_t distance;

	assert_true(address == COPY ? bytes == 0xc0 : address == CHECK && bytes == 0x230);
	memset(code, 0xe8, bytes);
	distance = (int32_t)(target - (address + bytes));
	if (target)
		memcpy(at + bytes - sizeof(distance), &distance, sizeof(distance));
	return 0;
}

static int read_nothing(uint64_t address, void *code, size_t bytes)
{
	return -EFAULT;
}

static enum user_reads judge(const char *text, kernel_code_reader reader)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	enum user_reads reads;

	assert_non_null(file);
	reads = user_reads_judge(file, reader);
	fclose(file);
	return reads;
}

static const struct kernel whole = {"6.1.27", OTHER, AREA, USER_READS_FREEZE};

static void test_user_reads__are_judged_by_what_the_code_calls(void **state)
{
	static const struct kernel kernels[] = {
		{"5.10: no lock", OTHER, OTHER, USER_READS_SAFE},
		{"5.18", OTHER, VM_AREA, USER_READS_FREEZE},
		{"5.19, 6.0, 6.1.35, 6.2, 6.3.9", OTHER, AREA, USER_READS_FREEZE},
		{"6.1.36, 6.3.10, 6.4 and later", NMI, AREA, USER_READS_SAFE},
		{"fixed by a distribution, whatever it is called", NMI, VM_AREA, USER_READS_SAFE},
		{"code of no call", 0, 0, USER_READS_SAFE},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(kernels); i++) {
		kernel = &kernels[i];
		print_message("%s\n", kernel->name);
		assert_int_equal(judge(symbols, read_code), kernel->reads);
	}
}

static void test_user_reads__are_safe_where_buffers_are_not_checked(void **state)
{
	static const char without[] = "ffffffff81298470 T copy_from_user_nofault\n"
				      "ffffffff81298530 T copy_to_user_nofault\n";

	kernel = &whole;
	assert_int_equal(judge(without, read_code), USER_READS_SAFE);
}

static void test_user_reads__are_unknown_where_the_kernel_hides_its_addresses_or_its_code(void **state)
{
	static const char hidden[] = "0000000000000000 T copy_from_user_nofault\n"
				     "0000000000000000 T __check_object_size\n";
	static const char cut[] = "ffffffff81298470 T copy_from_user_nofault\n"
				  "ffffffff81298530 T copy_to_user_nofault\n"
				  "ffffffff812ec2a0 T __check_object_size\n";

	kernel = &whole;
	assert_int_equal(judge(hidden, read_code), USER_READS_UNKNOWN);
	assert_int_equal(judge("nonsense", read_code), USER_READS_UNKNOWN);
	assert_int_equal(judge(cut, read_code), USER_READS_UNKNOWN);
	assert_int_equal(judge(symbols, read_nothing), USER_READS_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_reads__are_judged_by_what_the_code_calls),
		cmocka_unit_test(test_user_reads__are_safe_where_buffers_are_not_checked),
		cmocka_unit_test(test_user_reads__are_unknown_where_the_kernel_hides_its_addresses_or_its_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
