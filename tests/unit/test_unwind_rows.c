/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows against libdw's own answer, on the libraries that this machine has, and on files made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/unwind_rows.h"
#include "tests/unit/unwind_rules.h"

#define RSP 7
#define RBP 6
#define RIP 16

/* libdw's answer in our terms. */
static struct unwind_rule cfa_of(Dwarf_Frame *frame)
{
	struct unwind_rule rule = {.cfa = UNWIND_UNSUPPORTED};
	Dwarf_Op *ops;
	size_t count;

	if (dwarf_frame_cfa(frame, &ops, &count))
		return rule;
	if (count == 1 && ops[0].atom == DW_OP_bregx) {
		rule.cfa = ops[0].number == RSP ? UNWIND_SP : ops[0].number == RBP ? UNWIND_FP : UNWIND_REGISTER;
		rule.cfa_offset = (int32_t)ops[0].number2;
		if (rule.cfa == UNWIND_REGISTER)
			rule.fp = (uint8_t)(ops[0].number << 4);
	} else if ((count == 2 || (count == 3 && ops[2].atom == DW_OP_plus_uconst)) && ops[1].atom == DW_OP_deref &&
		   (ops[0].atom == DW_OP_breg6 || ops[0].atom == DW_OP_breg7)) {
		rule.cfa = ops[0].atom == DW_OP_breg6 ? UNWIND_FP_DEREF : UNWIND_SP_DEREF;
		rule.cfa_offset = (int32_t)ops[0].number * 256 + (count == 3 ? (int32_t)ops[2].number : 0);
	} else if (count == 7 && ops[0].atom == DW_OP_breg7 && ops[1].atom == DW_OP_breg9 && !ops[1].number &&
		   ops[2].atom == DW_OP_lit8 && ops[3].atom == DW_OP_mul && ops[4].atom == DW_OP_plus &&
		   ops[5].atom == DW_OP_deref && ops[6].atom == DW_OP_plus_uconst) {
		/* The only one that is known: in OpenSSL. */
		rule.cfa = UNWIND_SP_INDEXED;
		rule.fp = 9 << 4;
		rule.cfa_offset = (int32_t)ops[0].number * 256 + (int32_t)ops[6].number;
	} else if (count == 9 && ops[0].atom == DW_OP_breg7 && ops[0].number == 8 && ops[1].atom == DW_OP_breg16 &&
		   ops[2].atom == DW_OP_lit15 && ops[3].atom == DW_OP_and && ops[5].atom == DW_OP_ge) {
		rule.cfa = UNWIND_PLT;
		rule.cfa_offset = ops[4].atom - DW_OP_lit0;
	}
	return rule;
}

static struct unwind_rule rule_of(Dwarf_Frame *frame, bool is_signal)
{
	static const struct unwind_rule unsupported = {.cfa = UNWIND_UNSUPPORTED};
	struct unwind_rule rule = cfa_of(frame);
	Dwarf_Op memory[3], *ops;
	size_t count;

	if (dwarf_frame_register(frame, RIP, memory, &ops, &count))
		return unsupported;
	if (!count && ops == memory)
		return (struct unwind_rule){.cfa = UNWIND_END};
	if (is_signal)
		return (struct unwind_rule){.cfa = UNWIND_SIGNAL};
	if (count != 2 || ops[0].atom != DW_OP_call_frame_cfa || ops[1].atom != DW_OP_plus_uconst ||
	    (int64_t)ops[1].number != -8 || rule.cfa == UNWIND_UNSUPPORTED)
		return unsupported;
	if (dwarf_frame_register(frame, RBP, memory, &ops, &count))
		return unsupported;
	if (!ops && !count)
		return rule; /* same value */
	if (count && ops[0].atom == DW_OP_call_frame_cfa && (count == 1 || ops[1].atom == DW_OP_plus_uconst)) {
		rule.fp |= UNWIND_FP_AT_CFA;
		rule.fp_offset = count == 2 ? (int16_t)ops[1].number : 0;
	} else if (count == 2 && ops[0].atom == DW_OP_call_frame_cfa && ops[1].atom == DW_OP_breg6) {
		/* The CFA is on the expression's stack when it starts, and is not used. */
		rule.fp |= UNWIND_FP_AT_FP;
		rule.fp_offset = (int16_t)ops[1].number;
	} else {
		rule.fp |= UNWIND_FP_LOST;
	}
	return rule;
}

struct comparison {
	size_t rows, different, by_cfa[16];
};

static void print_rule(const char *who, struct unwind_rule rule)
{
	printf("  %s: cfa %u fp %x fp_offset %d cfa_offset %d\n", who, rule.cfa, rule.fp, rule.fp_offset,
	       rule.cfa_offset);
}

static void compare_function(const struct unwind_rows *rows, Dwarf_CFI *cfi, uint64_t start, uint64_t end,
			     struct comparison *comparison)
{
	for (uint64_t pc = start; pc < end;) {
		Dwarf_Addr row_start, row_end;
		struct unwind_rule ours, theirs;
		Dwarf_Frame *frame;
		bool is_signal;

		if (dwarf_cfi_addrframe(cfi, pc, &frame))
			return;
		dwarf_frame_info(frame, &row_start, &row_end, &is_signal);
		theirs = rule_of(frame, is_signal);
		free(frame);
		if (row_end > end || row_end <= pc)
			row_end = end;
		for (int last = 0; last < 2; last++) {
			ours = find_rule(rows, last ? row_end - 1 : pc);
			comparison->rows++;
			comparison->by_cfa[ours.cfa & 15]++;
			if (!memcmp(&ours, &theirs, sizeof(ours)))
				continue;
			if (comparison->different++ < 5) {
				printf("at %#lx:\n", (unsigned long)(last ? row_end - 1 : pc));
				print_rule("ours", ours);
				print_rule("libdw's", theirs);
			}
		}
		pc = row_end;
	}
}

/* The functions of .eh_frame, as .eh_frame_hdr lists them: another reading of the file than ours. */
static void compare_file(int fd, const struct unwind_rows *rows, struct comparison *comparison)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *section = NULL;
	size_t names, headers;
	uint64_t at = 0, bytes = 0, offset = 0;
	_cleanup_free_ unsigned char *table = NULL;
	Dwarf_CFI *cfi = dwarf_getcfi_elf(elf);

	assert_non_null(cfi);
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	assert_int_equal(elf_getphdrnum(elf, &headers), 0);
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		gelf_getshdr(section, &header);
		if (strcmp(elf_strptr(elf, names, header.sh_name), ".eh_frame_hdr") != 0)
			continue;
		at = header.sh_addr;
		bytes = header.sh_size;
		offset = header.sh_offset;
	}
	assert_true(bytes > 12);
	table = malloc(bytes);
	assert_int_equal(pread(fd, table, bytes, (off_t)offset), bytes);
	for (uint64_t entry = 12; entry + 8 <= bytes; entry += 8) {
		int32_t start, fde;
		uint32_t length;

		memcpy(&start, table + entry, 4);
		memcpy(&fde, table + entry + 4, 4);
		/* The FDE's own length is in the file: 4 bytes length, 4 CIE, 4 start, 4 length of the function. */
		for (size_t i = 0; i < headers; i++) {
			GElf_Phdr header;

			gelf_getphdr(elf, (int)i, &header);
			if (header.p_type != PT_LOAD || at + (uint64_t)fde - header.p_vaddr >= header.p_filesz)
				continue;
			assert_int_equal(pread(fd, &length, 4,
					       (off_t)(at + (uint64_t)fde - header.p_vaddr + header.p_offset + 12)),
					 4);
			compare_function(rows, cfi, at + (uint64_t)start, at + (uint64_t)start + length, comparison);
		}
	}
	dwarf_cfi_end(cfi);
	elf_end(elf);
}

static void check_equal(const char *path, size_t places_min)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct comparison comparison = {0};
	struct unwind_rows rows = {0};

	assert_true(fd >= 0);
	assert_int_equal(unwind_rows_read(fd, -1, &rows), 0);
	assert_int_equal(rows.broken, 0);
	compare_file(fd, &rows, &comparison);
	printf("%s: %zu rows, %zu rules, %zu places compared, %zu different\n", path, rows.rows.count, rows.rules.count,
	       comparison.rows, comparison.different);
	assert_int_equal(comparison.different, 0);
	assert_true(comparison.rows >= places_min);
	unwind_rows_deinit(&rows);
}

static void test_unwind_rows__libc_is_as_libdw_reads_it(void **state)
{
	check_equal("/lib/x86_64-linux-gnu/libc.so.6", 10000);
}

/*
 * Whatever of these is here: runtimes and servers are large and need not be installed for the unit tests. Some are small
 * starters: Debian's node has its all in a library.
 */
static void test_unwind_rows__other_programs_are_as_libdw_reads_them(void **state)
{
	static const char *const paths[] = {
		"/proc/self/exe",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/bin/python3.11",
		"/usr/bin/node",
		"/usr/lib/postgresql/15/bin/postgres",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
		if (!access(paths[i], R_OK))
			check_equal(paths[i], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unwind_rows__libc_is_as_libdw_reads_it),
		cmocka_unit_test(test_unwind_rows__other_programs_are_as_libdw_reads_them),
	};

	elf_version(EV_CURRENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
