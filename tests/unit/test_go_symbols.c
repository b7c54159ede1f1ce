/* SPDX-License-Identifier: BSD-2-Clause */
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
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/elf_symbols.h"
#include "symbolizer/go_symbols.h"
#include "tests/unit/elf_files.h"

#define CODE 0x401000
#define CODE_BYTES 0x3000
#define FUNCTIONS 3
#define TABLE_BYTES 0x400
#define RECORDS_AT 0x100
#define NAMES_AT 0x200
#define GO "/usr/lib/go-1.19/bin/go"

static const uint64_t starts[FUNCTIONS + 1] = {CODE, CODE + 0x100, CODE + 0x2000, CODE + 0x2800};
static const char *const names[FUNCTIONS] = {"main.main", "main.(*T).method", "runtime.goexit"};
static const uint32_t magics[] = {0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1};

/* An ELF file in memory with code and, as a section, a table of Go. */
struct image_file {
	Elf64_Ehdr header;
	Elf64_Shdr sections[5];
	char section_names[64];
	unsigned char table[TABLE_BYTES];
};

static void put(unsigned char *table, size_t at, uint64_t number, size_t width)
{
	memcpy(table + at, &number, width);
}

/* The table of three functions in the form of a magic number; where its parts are is as good as any. */
static void make_table(unsigned char *table, uint32_t magic)
{
	bool offsets = magic == 0xfffffff0 || magic == 0xfffffff1, first = magic == 0xfffffffb;
	size_t field = offsets ? 4 : 8, list = first ? 16 : 0x80, base = first ? 0 : 0x80;

	memset(table, 0, TABLE_BYTES);
	put(table, 0, magic, 4);
	table[6] = 1;
	table[7] = 8;
	put(table, 8, FUNCTIONS, 8);
	if (magic == 0xfffffffa) {
		put(table, 24, NAMES_AT, 8);
		put(table, 56, list, 8);
	} else if (offsets) {
		put(table, 24, CODE, 8);
		put(table, 32, NAMES_AT, 8);
		put(table, 64, list, 8);
	}
	for (size_t i = 0; i <= FUNCTIONS; i++) {
		size_t record = RECORDS_AT + i * 0x20;

		put(table, list + 2 * i * field, offsets ? starts[i] - CODE : starts[i], field);
		if (i == FUNCTIONS)
			break;
		put(table, list + (2 * i + 1) * field, record - base, field);
		put(table, record + (offsets ? 4 : 8), (first ? NAMES_AT : 0) + i * 0x40, 4);
		memcpy(table + NAMES_AT + i * 0x40, names[i], strlen(names[i]));
	}
}

static void make_file(struct image_file *file, uint32_t magic, const char *table_name)
{
	static const char section_names[] = "\0.text\0.shstrtab\0.go.buildinfo\0";

	memset(file, 0, sizeof(*file));
	memcpy(file->header.e_ident, ELFMAG, SELFMAG);
	file->header.e_ident[EI_CLASS] = ELFCLASS64;
	file->header.e_ident[EI_DATA] = ELFDATA2LSB;
	file->header.e_entry = CODE + 0x100;
	file->header.e_shoff = offsetof(struct image_file, sections);
	file->header.e_shentsize = sizeof(Elf64_Shdr);
	file->header.e_shnum = 5;
	file->header.e_shstrndx = 2;
	file->sections[1] = (Elf64_Shdr){1, SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, CODE, 0, CODE_BYTES};
	file->sections[2] = (Elf64_Shdr){
		7, SHT_STRTAB, 0, 0, offsetof(struct image_file, section_names), sizeof(file->section_names)};
	file->sections[3] = (Elf64_Shdr){17, SHT_PROGBITS};
	file->sections[4] =
		(Elf64_Shdr){32, SHT_PROGBITS, SHF_ALLOC, 0, offsetof(struct image_file, table), sizeof(file->table)};
	memcpy(file->section_names, section_names, sizeof(section_names));
	snprintf(file->section_names + 32, 32, "%s", table_name);
	make_table(file->table, magic);
}

struct found {
	struct function_table table;
	struct go_names names;
	struct elf_source source;
	int err;
};

static struct found read_file(const struct image_file *file)
{
	const struct code_range range = {CODE, CODE + CODE_BYTES};
	struct found found = {.source = elf_source_memory(file, sizeof(*file))};
	struct elf_image image;

	assert_int_equal(elf_image_init(&image, &found.source), 0);
	found.err = go_symbols_read(&image, &range, 1, &found.table, ELF_SYMBOLS_GO, &found.names);
	elf_image_deinit(&image);
	return found;
}

static void expect_functions(const struct image_file *file)
{
	struct found found = read_file(file);

	assert_int_equal(found.err, 0);
	assert_int_equal(found.table.entries.count, FUNCTIONS);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		const struct function_entry *entry = &found.table.entries.items[i];
		char text[32] = "";
		uint32_t at;

		assert_int_equal(entry->address, starts[i]);
		assert_int_equal(entry->bytes, starts[i + 1] - starts[i]);
		assert_int_equal(go_symbols_name(&found.names, &found.source, entry->name, &at), 0);
		assert_true(elf_source_read(&found.source, found.names.texts + at, text, sizeof(text)) == sizeof(text));
		assert_string_equal(text, names[i]);
	}
	function_table_deinit(&found.table);
}

static void expect_error(const struct image_file *file, int err)
{
	struct found found = read_file(file);

	assert_int_equal(found.err, err);
	assert_int_equal(found.table.entries.count, 0);
	function_table_deinit(&found.table);
}

static void test_go_symbols__tables_of_every_form_are_read(void **state)
{
	struct image_file file;

	for (size_t i = 0; i < ARRAY_LENGTH(magics); i++) {
		make_file(&file, magics[i], ".gopclntab");
		expect_functions(&file);
		make_file(&file, magics[i], ".data.rel.ro.gopclntab");
		expect_functions(&file);
	}
}

static void test_go_symbols__a_table_somewhere_in_data_is_found_in_a_go_program_only(void **state)
{
	struct image_file file;

	for (size_t i = 0; i < ARRAY_LENGTH(magics); i++) {
		make_file(&file, magics[i], ".data.rel.ro");
		memmove(file.table + 0x58, file.table, sizeof(file.table) - 0x58);
		/* What looks like a table and is none comes before it. */
		memset(file.table + 8, 0, 0x50);
		expect_functions(&file);
		file.section_names[18] = 'x';
		expect_error(&file, -ENOENT);
	}
}

static void test_go_symbols__where_code_starts_is_guessed_only_where_the_program_starts_in_go(void **state)
{
	struct image_file file;

	make_file(&file, 0xfffffff1, ".gopclntab");
	put(file.table, 24, 0, 8);
	expect_functions(&file);
	file.header.e_entry = CODE + 0x40;
	expect_error(&file, -ENOEXEC);
	put(file.table, 24, CODE + CODE_BYTES, 8);
	expect_error(&file, -ENOEXEC);
}

static void test_go_symbols__unknown_forms_and_lies_in_the_header_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		size_t width;
	} lies[] = {
		{0, 0xfffffff2, 4},
		{0, 0xfbffffff, 4},
		{4, 1, 1},
		{6, 3, 1},
		{7, 4, 1},
		{7, 0, 1},
		{8, 0, 8},
		{8, UINT64_MAX, 8},
		{8, UINT32_MAX, 8},
		{8, 1000, 8},
		{32, UINT64_MAX, 8},
		{32, TABLE_BYTES, 8},
		{64, UINT64_MAX, 8},
		{64, TABLE_BYTES, 8},
		{64, TABLE_BYTES - 8, 8},
	};
	struct image_file file;

	for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
		make_file(&file, 0xfffffff0, ".gopclntab");
		put(file.table, lies[i].at, lies[i].value, lies[i].width);
		expect_error(&file, -ENOEXEC);
	}
	make_file(&file, 0xfffffff0, ".gopclntab");
	file.sections[4].sh_size = 40;
	expect_error(&file, -ENOEXEC);
	file.sections[4].sh_size = UINT64_MAX;
	put(file.table, 8, 4u << 20, 8);
	expect_error(&file, -ENOEXEC);
	file.sections[4].sh_offset = UINT64_MAX - 8;
	expect_error(&file, -ENOEXEC);
}

static void test_go_symbols__records_and_names_outside_of_the_table_are_no_names(void **state)
{
	struct image_file file;
	struct found found;
	uint32_t at = 77;

	make_file(&file, 0xfffffff0, ".gopclntab");
	put(file.table, 0x80 + 4, UINT32_MAX, 4);
	put(file.table, 0x80 + 12, TABLE_BYTES - 0x80 - 7, 4);
	put(file.table, RECORDS_AT + 0x40 + 4, TABLE_BYTES - NAMES_AT, 4);
	found = read_file(&file);
	assert_int_equal(found.err, 0);
	for (size_t i = 0; i < FUNCTIONS; i++)
		assert_int_equal(go_symbols_name(&found.names, &found.source, found.table.entries.items[i].name, &at),
				 -ENOENT);
	assert_int_equal(at, 77);
	function_table_deinit(&found.table);
}

static void test_go_symbols__functions_that_end_before_they_start_are_left_out(void **state)
{
	struct image_file file;
	struct found found;

	make_file(&file, 0xfffffff0, ".gopclntab");
	put(file.table, 0x80 + 8, 0x2001, 4);
	found = read_file(&file);
	assert_int_equal(found.err, 0);
	assert_int_equal(found.table.entries.count, FUNCTIONS - 1);
	function_table_deinit(&found.table);
}

/* Compiles a Go program with its full table beside it; what the two say must be the same. */
static void build_go(struct place *place, const char *flags)
{
	FILE *file = fopen(in_place(place, "main.go"), "w");

	assert_non_null(file);
	fputs("package main\n\ntype T struct{ n int }\n\n//go:noinline\nfunc (t *T) method(n int) int { return t.n * n "
	      "}\n\n"
	      "//go:noinline\nfunc plain(n int) int { return n*3 + 1 }\n\n"
	      "func main() { t := &T{plain(2)}; println(t.method(4)) }\n",
	      file);
	assert_int_equal(fclose(file), 0);
	run("cd %s && HOME=$PWD GO111MODULE=off GOCACHE=$PWD/cache CGO_ENABLED=0 " GO " build %s -o program main.go",
	    place->folder, flags);
}

static void expect_go_names(struct place *place, const char *stripped)
{
	char command[256], line[512], name[256], expected[256];
	struct elf_symbols *symbols;
	unsigned long long address;
	size_t compared = 0;
	FILE *pipe;
	int fd = open(in_place(place, stripped), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_symbols_new(fd, &symbols), 0);
	snprintf(command, sizeof(command), "nm %s/program", place->folder);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		uint64_t wide;
		struct elf_function function;

		if (sscanf(line, "%llx %*[tT] main.%250s", &address, expected) != 2)
			continue;
		wide = address;
		elf_symbols_functions(symbols, &wide, 1, &function);
		assert_int_equal(function.source, ELF_SYMBOLS_GO);
		assert_int_equal(function.start, address);
		assert_int_equal(find_name(symbols, address, name, sizeof(name)), 0);
		assert_string_equal(name + strlen("main."), expected);
		compared++;
	}
	pclose(pipe);
	assert_true(compared >= 3);
	elf_symbols_free(symbols);
}

static void test_go_symbols__a_stripped_go_program_has_the_names_that_it_had_before(void **state)
{
	static const char *const flags[] = {"", "-buildmode=pie"};

	if (access(GO, X_OK)) {
		print_message("no Go compiler at " GO " (golang-1.19-go)\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		build_go(*state, flags[i]);
		run("cd %s && strip -o stripped program", ((struct place *)*state)->folder);
		expect_go_names(*state, "stripped");
		/* Without its symbols from the start the program is laid out in the same way. */
		run("cd %s && HOME=$PWD GO111MODULE=off GOCACHE=$PWD/cache CGO_ENABLED=0 " GO
		    " build %s -ldflags='-s -w' -o bare main.go",
		    ((struct place *)*state)->folder, flags[i]);
		expect_go_names(*state, "bare");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_go_symbols__tables_of_every_form_are_read),
		cmocka_unit_test(test_go_symbols__a_table_somewhere_in_data_is_found_in_a_go_program_only),
		cmocka_unit_test(test_go_symbols__where_code_starts_is_guessed_only_where_the_program_starts_in_go),
		cmocka_unit_test(test_go_symbols__unknown_forms_and_lies_in_the_header_are_refused),
		cmocka_unit_test(test_go_symbols__records_and_names_outside_of_the_table_are_no_names),
		cmocka_unit_test(test_go_symbols__functions_that_end_before_they_start_are_left_out),
		cmocka_unit_test(test_go_symbols__a_stripped_go_program_has_the_names_that_it_had_before),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
