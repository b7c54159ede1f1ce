/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of a Go program without symbols and DWARF, against the .debug_frame that it had before it was stripped. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
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

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/unwind_rows.h"
#include "tests/unit/elf_files.h"
#include "tests/unit/unwind_rules.h"

#define GO "/usr/lib/go-1.19/bin/go"
#define RSP 7

static void build_go(struct place *place, const char *flags)
{
	FILE *file;

	if (access(GO, X_OK)) {
		print_message("no Go compiler at " GO " (golang-1.19-go)\n");
		skip();
	}
	file = fopen(in_place(place, "main.go"), "w");
	assert_non_null(file);
	fputs("package main\n\nfunc main() { m := map[string]int{\"a\": 1}; go println(len(m)); println(m[\"a\"]) }\n",
	      file);
	assert_int_equal(fclose(file), 0);
	run("cd %s && HOME=$PWD GO111MODULE=off GOCACHE=$PWD/cache CGO_ENABLED=0 " GO " build %s -o program main.go && "
	    "strip -o stripped program",
	    place->folder, flags);
}

static void read_rows(struct place *place, struct unwind_rows *rows)
{
	_cleanup_close_ int fd = open(in_place(place, "stripped"), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unwind_rows_read(fd, -1, rows), 0);
	assert_int_equal(rows->broken, 0);
}

static uint64_t address_of(struct place *place, const char *name, uint64_t *ret_bytes)
{
	unsigned long long address = 0, bytes = 0;
	char command[256];
	FILE *pipe;

	snprintf(command, sizeof(command), "nm -S %s/program | awk '$4 == \"%s\" { print $1, $2 }'", place->folder,
		 name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%llx %llx", &address, &bytes), 2);
	pclose(pipe);
	*ret_bytes = bytes;
	return address;
}

struct counts {
	size_t places, different;
};

static void compare_place(const struct unwind_rows *rows, Dwarf_CFI *cfi, uint64_t pc, uint64_t *ret_end,
			  struct counts *counts)
{
	struct unwind_rule ours = find_rule(rows, pc);
	Dwarf_Addr start, end = pc + 1;
	Dwarf_Frame *frame;
	Dwarf_Op *ops;
	size_t count;
	bool signal;

	*ret_end = pc + 1;
	if (dwarf_cfi_addrframe(cfi, pc, &frame))
		return;
	dwarf_frame_info(frame, &start, &end, &signal);
	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	counts->places++;
	if (count != 1 || ops[0].atom != DW_OP_bregx || ops[0].number != RSP || ours.cfa != UNWIND_SP ||
	    ours.cfa_offset != (int32_t)ops[0].number2)
		counts->different++;
	free(frame);
	*ret_end = end > pc ? end : pc + 1;
}

static void expect_debug_frame(struct place *place)
{
	_cleanup_close_ int fd = open(in_place(place, "program"), O_RDONLY | O_CLOEXEC);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	Dwarf_CFI *cfi = dwarf_getcfi(dwarf);
	struct unwind_rows rows = {0};
	struct counts counts = {0};

	assert_non_null(cfi);
	read_rows(place, &rows);
	for (size_t i = 0; i < rows.segment_count; i++) {
		const struct unwind_segment *segment = &rows.segments[i];

		for (uint64_t pc = segment->address; pc < segment->address + segment->bytes;)
			compare_place(&rows, cfi, pc, &pc, &counts);
	}
	print_message("%zu places, %zu different\n", counts.places, counts.different);
	assert_true(counts.places > 3000);
	/* What the runtime's few functions that change stacks have, .debug_frame does not know. */
	assert_true(counts.different < 60);
	unwind_rows_deinit(&rows);
	dwarf_end(dwarf);
	elf_end(elf);
}

static void test_unwind_go__a_stripped_program_has_the_rows_that_debug_frame_had(void **state)
{
	build_go(*state, "");
	expect_debug_frame(*state);
	build_go(*state, "-buildmode=pie");
	expect_debug_frame(*state);
}

static void expect_everywhere(struct place *place, const struct unwind_rows *rows, const char *name, int cfa)
{
	uint64_t bytes, start = address_of(place, name, &bytes);

	for (uint64_t pc = start; pc < start + bytes; pc++)
		assert_int_equal(find_rule(rows, pc).cfa, cfa);
}

/* At its start the function is like any other; behind its change of stacks it is not. */
static void expect_somewhere(struct place *place, const struct unwind_rows *rows, const char *name,
			     struct unwind_rule expected)
{
	uint64_t bytes, start = address_of(place, name, &bytes), places = 0;
	struct unwind_rule first = find_rule(rows, start);

	assert_int_equal(first.cfa, UNWIND_SP);
	assert_int_equal(first.cfa_offset, 8);
	for (uint64_t pc = start; pc < start + bytes; pc++) {
		struct unwind_rule rule = find_rule(rows, pc);

		places += !memcmp(&rule, &expected, sizeof(rule));
	}
	assert_true(places > 3);
	assert_true(places < bytes);
}

static void test_unwind_go__the_runtimes_stacks_lead_to_the_goroutines(void **state)
{
	/* Of Go 1.19: TLS at -8, m.curg at 0xc0. */
	struct unwind_rule calls = {.cfa = UNWIND_GOROUTINE, .cfa_offset = -8 * (1 << UNWIND_GO_TLS_SHIFT) + 0xc0};
	struct unwind_rule grows = calls, end = {.cfa = UNWIND_END}, by_fp = {.cfa = UNWIND_FP_ELSEWHERE};
	struct unwind_rows rows = {0};
	uint64_t bytes;

	grows.fp_offset = -8;
	build_go(*state, "-buildmode=pie");
	read_rows(*state, &rows);
	expect_somewhere(*state, &rows, "runtime.systemstack.abi0", calls);
	unwind_rows_deinit(&rows);
	build_go(*state, "");
	read_rows(*state, &rows);
	expect_everywhere(*state, &rows, "runtime.goexit.abi0", UNWIND_END);
	expect_everywhere(*state, &rows, "runtime.mstart.abi0", UNWIND_END);
	expect_everywhere(*state, &rows, "runtime.rt0_go.abi0", UNWIND_END);
	expect_somewhere(*state, &rows, "runtime.systemstack.abi0", calls);
	expect_somewhere(*state, &rows, "runtime.asmcgocall.abi0", calls);
	expect_somewhere(*state, &rows, "runtime.morestack.abi0", grows);
	expect_somewhere(*state, &rows, "runtime.mcall", end);
	expect_somewhere(*state, &rows, "runtime.clone.abi0", end);
	expect_somewhere(*state, &rows, "runtime.nanotime1.abi0", by_fp);
	assert_int_equal(find_rule(&rows, address_of(*state, "runtime.sigreturn.abi0", &bytes) - 1).cfa, UNWIND_SIGNAL);
	unwind_rows_deinit(&rows);
}

static void expect_sound(const struct unwind_rows *rows)
{
	assert_true(rows->rows.count <= UNWIND_ROWS_MAX && rows->rules.count <= UNWIND_RULES_MAX);
	for (size_t i = 0; i < rows->rows.count; i++)
		assert_true(rows->rows.items[i].rule < rows->rules.count);
}

/* A table that another one wrote over, byte by byte. */
static void test_unwind_go__tables_of_garbage_end_and_stay_within_bounds(void **state)
{
	_cleanup_close_ int fd = -1;
	uint64_t random = 1;
	size_t functions = 0;

	build_go(*state, "");
	run("cd %s && cp stripped hostile && readelf -SW hostile | awk '/gopclntab/ { sub(/.*PROGBITS/, \"\"); print "
	    "$2, $3 }' "
	    ">where",
	    ((struct place *)*state)->folder);
	fd = open(in_place(*state, "hostile"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (int round = 0; round < 40; round++) {
		struct unwind_rows rows = {0};
		unsigned long long offset, bytes;
		FILE *where = fopen(in_place(*state, "where"), "r");

		assert_int_equal(fscanf(where, "%llx %llx", &offset, &bytes), 2);
		fclose(where);
		for (int i = 0; i < 2000; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			/* Its header stays: that one is refused. */
			assert_int_equal(pwrite(fd, (char *)&random + 7, 1,
						(off_t)(offset + 72 + (random >> 20) % (bytes - 72))),
					 1);
		}
		assert_int_equal(unwind_rows_read(fd, -1, &rows), 0);
		expect_sound(&rows);
		functions += rows.functions;
		unwind_rows_deinit(&rows);
	}
	assert_true(functions > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unwind_go__a_stripped_program_has_the_rows_that_debug_frame_had),
		cmocka_unit_test(test_unwind_go__the_runtimes_stacks_lead_to_the_goroutines),
		cmocka_unit_test(test_unwind_go__tables_of_garbage_end_and_stay_within_bounds),
	};

	elf_version(EV_CURRENT);
	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
