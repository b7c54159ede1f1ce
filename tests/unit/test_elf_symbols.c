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
#include "tests/unit/elf_files.h"

#define NAME_BYTES 4096

static struct elf_symbols *open_symbols(const char *path)
{
	struct elf_symbols *symbols;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_symbols_new(fd, &symbols), 0);
	return symbols;
}

/* Where nm says that a symbol of a file starts; 0 where it has none of that name. */
static uint64_t nm_address(struct place *place, const char *file, const char *symbol)
{
	unsigned long long address = 0;
	char command[256];
	FILE *pipe;

	snprintf(command, sizeof(command), "cd %s && nm %s | grep ' %s$'", place->folder, file, symbol);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	if (fscanf(pipe, "%llx", &address) != 1)
		address = 0;
	pclose(pipe);
	return address;
}

static struct elf_function function_at(const struct elf_symbols *symbols, uint64_t address)
{
	struct elf_function function;

	elf_symbols_functions(symbols, &address, 1, &function);
	return function;
}

static void assert_named(const struct elf_symbols *symbols, uint64_t address, const char *expected,
			 enum elf_symbols_source source)
{
	struct elf_function function = function_at(symbols, address);
	char name[NAME_BYTES];

	assert_int_equal(find_name(symbols, address, name, sizeof(name)), 0);
	assert_string_equal(name, expected);
	assert_int_equal(function.source, source);
	assert_true(function.start <= address && address < function.end);
	assert_true(function.from <= address && address < function.to);
}

static void assert_no_name(const struct elf_symbols *symbols, uint64_t address)
{
	char name[NAME_BYTES] = "untouched";

	assert_int_equal(find_name(symbols, address, name, sizeof(name)), -ENOENT);
	assert_string_equal(name, "untouched");
}

static void test_elf_symbols__functions_are_named_from_the_full_table(void **state)
{
	struct elf_symbols *symbols;
	struct elf_function function;
	uint64_t local, exported;

	compile(*state, "full", "");
	local = nm_address(*state, "full", "local_one");
	exported = nm_address(*state, "full", "exported_two");
	symbols = open_symbols(in_place(*state, "full"));
	assert_true(elf_symbols_bytes(symbols) > 0);
	assert_named(symbols, local, "local_one", ELF_SYMBOLS_SYMTAB);
	assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_SYMTAB);
	function = function_at(symbols, exported);
	assert_int_equal(function.start, exported);
	assert_named(symbols, function.end - 1, "exported_two", ELF_SYMBOLS_SYMTAB);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__of_a_functions_names_the_one_that_people_call_is_given(void **state)
{
	static const char *const names[] = {"release", "crelease", "__libc_release", "_release"};

	/* Each of them once as the function, the others as its aliases: their order in the table changes. */
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		FILE *file = fopen(in_place(*state, "names.c"), "w");
		struct elf_symbols *symbols;
		uint64_t address;

		assert_non_null(file);
		fprintf(file, "void %s(void) { }\n", names[i]);
		for (size_t j = 1; j < ARRAY_LENGTH(names); j++)
			fprintf(file, "void %s(void) __attribute__((alias(\"%s\")));\n",
				names[(i + j) % ARRAY_LENGTH(names)], names[i]);
		fclose(file);
		run("cd %s && gcc -w -shared -fPIC -o names.so names.c", ((struct place *)*state)->folder);
		address = nm_address(*state, "names.so", names[i]);
		symbols = open_symbols(in_place(*state, "names.so"));
		assert_named(symbols, address, "release", ELF_SYMBOLS_SYMTAB);
		elf_symbols_free(symbols);
	}
}

static void test_elf_symbols__functions_without_a_size_end_where_the_next_one_starts(void **state)
{
	struct elf_symbols *symbols;
	uint64_t three, four;

	compile(*state, "bare", "");
	three = nm_address(*state, "bare", "bare_three");
	four = nm_address(*state, "bare", "bare_four");
	symbols = open_symbols(in_place(*state, "bare"));
	assert_named(symbols, three + 2, "bare_three", ELF_SYMBOLS_SYMTAB);
	assert_int_equal(function_at(symbols, three).end, four);
	assert_named(symbols, four, "bare_four", ELF_SYMBOLS_SYMTAB);
	assert_named(symbols, nm_address(*state, "bare", "sizeless_five") + 1, "sizeless_five", ELF_SYMBOLS_SYMTAB);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__a_stripped_program_has_its_exported_functions(void **state)
{
	struct elf_symbols *symbols;
	uint64_t local, exported;

	compile(*state, "exports", "-rdynamic");
	local = nm_address(*state, "exports", "local_one");
	exported = nm_address(*state, "exports", "exported_two");
	run("strip %s", in_place(*state, "exports"));
	symbols = open_symbols(in_place(*state, "exports"));
	assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_DYNSYM);
	/* A function whose size nobody knows would claim it. */
	assert_no_name(symbols, local);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__stubs_are_named_after_what_they_call(void **state)
{
	static const char *const flags[] = {"", "-fcf-protection=full -Wl,-z,ibtplt", "-Wl,-z,now -fPIE -pie",
					    "-m64 -no-pie"};
	unsigned long long stub;
	char command[512];
	FILE *pipe;

	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct elf_symbols *symbols;

		compile(*state, "stubs", flags[i]);
		snprintf(command, sizeof(command), "objdump -d %s | grep -E '<(rand)@plt>:'",
			 in_place(*state, "stubs"));
		pipe = popen(command, "r");
		assert_non_null(pipe);
		assert_int_equal(fscanf(pipe, "%llx", &stub), 1);
		pclose(pipe);
		symbols = open_symbols(in_place(*state, "stubs"));
		assert_named(symbols, stub, "rand@plt", ELF_SYMBOLS_PLT);
		assert_named(symbols, stub + 7, "rand@plt", ELF_SYMBOLS_PLT);
		elf_symbols_free(symbols);
	}
}

static void test_elf_symbols__xz_compressed_tables_name_what_was_stripped(void **state)
{
	struct elf_symbols *symbols;
	uint64_t local, exported;

	compile(*state, "mini", "-rdynamic");
	local = nm_address(*state, "mini", "local_one");
	exported = nm_address(*state, "mini", "exported_two");
	/* As gdb's manual has it, with the functions that are not exported. */
	run("cd %s && objcopy --only-keep-debug mini mini.debug && nm -D mini --format=posix --defined-only | awk "
	    "'{print $1}' | sort >dynsyms && nm mini --format=posix --defined-only | awk '$2 ~ /[tT]/ {print $1}' | "
	    "sort >functions && comm -13 dynsyms functions >keep && objcopy -S --remove-section .gdb_index "
	    "--remove-section .comment --keep-symbols=keep mini.debug mini.small && strip --strip-all -R .comment mini "
	    "&& xz -k mini.small && objcopy --add-section .gnu_debugdata=mini.small.xz mini",
	    ((struct place *)*state)->folder);
	symbols = open_symbols(in_place(*state, "mini"));
	assert_named(symbols, local, "local_one", ELF_SYMBOLS_DEBUGDATA);
	assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_DYNSYM);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__an_xz_section_that_is_broken_or_a_bomb_is_as_if_it_were_not_there(void **state)
{
	static const char *const makers[] = {"echo this is no archive >data", "head -c 200M /dev/zero | xz -1 >data",
					     "xz -c /bin/true | head -c 3000 >data", ": >data",
					     "echo inside | xz >data"};
	uint64_t exported;

	compile(*state, "broken", "-rdynamic");
	exported = nm_address(*state, "broken", "exported_two");
	run("cd %s && strip broken", ((struct place *)*state)->folder);
	for (size_t i = 0; i < ARRAY_LENGTH(makers); i++) {
		struct elf_symbols *symbols;

		run("cd %s && %s && objcopy --add-section .gnu_debugdata=data broken broken.now",
		    ((struct place *)*state)->folder, makers[i]);
		symbols = open_symbols(in_place(*state, "broken.now"));
		assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_DYNSYM);
		assert_true(elf_symbols_bytes(symbols) < 1u << 20);
		elf_symbols_free(symbols);
	}
}

static void test_elf_symbols__a_debug_file_names_what_was_stripped(void **state)
{
	struct elf_symbols *symbols;
	uint64_t local, exported;
	int fd;

	compile(*state, "program", "-rdynamic -g");
	local = nm_address(*state, "program", "local_one");
	exported = nm_address(*state, "program", "exported_two");
	run("cd %s && objcopy --only-keep-debug program program.debug && strip program",
	    ((struct place *)*state)->folder);
	symbols = open_symbols(in_place(*state, "program"));
	assert_no_name(symbols, local);
	fd = open(in_place(*state, "program.debug"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_symbols_add_debug_file(symbols, fd), 0);
	assert_int_equal(elf_symbols_add_debug_file(symbols, fd), -EALREADY);
	assert_named(symbols, local, "local_one", ELF_SYMBOLS_DEBUG_FILE);
	assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_DEBUG_FILE);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__a_debug_file_without_functions_changes_nothing(void **state)
{
	struct elf_symbols *symbols;
	uint64_t exported;
	int fd;

	compile(*state, "program", "-rdynamic");
	exported = nm_address(*state, "program", "exported_two");
	run("cd %s && strip program && cp program empty", ((struct place *)*state)->folder);
	symbols = open_symbols(in_place(*state, "program"));
	fd = open(in_place(*state, "empty"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_symbols_add_debug_file(symbols, fd), -ENODATA);
	close(fd);
	fd = open(in_place(*state, "program.c"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_symbols_add_debug_file(symbols, fd), -ENOEXEC);
	close(fd);
	assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_DYNSYM);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__places_in_the_file_become_addresses_and_back(void **state)
{
	struct elf_symbols *symbols;
	uint64_t exported, offset, address;

	compile(*state, "fixed", "-no-pie");
	exported = nm_address(*state, "fixed", "exported_two");
	symbols = open_symbols(in_place(*state, "fixed"));
	assert_true(elf_symbols_file_offset(symbols, exported, &offset));
	assert_true(offset < exported);
	assert_true(elf_symbols_address(symbols, offset, &address));
	assert_int_equal(address, exported);
	assert_false(elf_symbols_address(symbols, UINT64_MAX, &address));
	assert_false(elf_symbols_file_offset(symbols, 0, &offset));
	elf_symbols_free(symbols);
}

static void test_elf_symbols__many_addresses_at_once_have_the_same_answers_in_any_order(void **state)
{
	enum { COUNT = 4096 };
	static struct elf_function up[COUNT], down[COUNT];
	static uint64_t ascending[COUNT], descending[COUNT];
	struct elf_symbols *symbols = open_symbols("/proc/self/exe");
	uint64_t start = nm_address(*state, "/proc/$PPID/exe", "main");
	size_t named = 0;

	assert_true(start);
	start = start > 5 * COUNT ? start - 5 * COUNT : 0;
	for (size_t i = 0; i < COUNT; i++)
		ascending[i] = descending[COUNT - 1 - i] = start + 10 * i;
	elf_symbols_functions(symbols, ascending, COUNT, up);
	elf_symbols_functions(symbols, descending, COUNT, down);
	for (size_t i = 0; i < COUNT; i++) {
		struct elf_function alone = function_at(symbols, ascending[i]);

		named += alone.end != 0;
		assert_memory_equal(&up[i], &alone, sizeof(alone));
		assert_memory_equal(&down[COUNT - 1 - i], &alone, sizeof(alone));
	}
	assert_true(named > 0);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__long_names_are_cut_and_short_room_suffices(void **state)
{
	struct elf_symbols *symbols;
	uint64_t address;
	char name[9000], *text;

	run("cd %s && awk 'BEGIN { printf \"int \"; for (i = 0; i < 6000; i++) printf \"n\"; print \"(void) { return "
	    "1; }\" "
	    "}' >long.c && gcc -shared -fPIC -o long.so long.c",
	    ((struct place *)*state)->folder);
	symbols = open_symbols(in_place(*state, "long.so"));
	address = nm_address(*state, "long.so", "nn*");
	assert_int_equal(find_name(symbols, address, name, sizeof(name)), 0);
	assert_int_equal(strlen(name), 6000);
	assert_int_equal(strspn(name, "n"), 6000);
	for (size_t size = 1; size < 600; size += 37) {
		text = malloc(size);
		assert_int_equal(find_name(symbols, address, text, size), size > 1 ? 0 : -ENOENT);
		assert_int_equal(strlen(text), size - 1);
		free(text);
	}
	elf_symbols_free(symbols);
}

static void test_elf_symbols__what_is_no_elf_is_refused_and_its_descriptor_left_alone(void **state)
{
	struct elf_symbols *symbols = NULL;
	int fd;

	run("echo hello >%s", in_place(*state, "text"));
	fd = open(in_place(*state, "text"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_symbols_new(fd, &symbols), -ENOEXEC);
	assert_null(symbols);
	assert_int_equal(close(fd), 0);
}

/* Writes a field of a section's header. */
static void patch_section(const char *path, const char *name, size_t field, uint64_t value, size_t width)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct elf_source source = elf_source_file(fd);
	const struct elf_section *section;
	struct elf_image image;
	Elf64_Ehdr header;

	assert_int_equal(elf_image_init(&image, &source), 0);
	section = elf_image_section(&image, name);
	assert_non_null(section);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(
		pwrite(fd, &value, width,
		       (off_t)(header.e_shoff + (size_t)(section - image.sections.items) * sizeof(Elf64_Shdr) + field)),
		(ssize_t)width);
	elf_image_deinit(&image);
	close(fd);
}

static void test_elf_symbols__tables_that_lie_cost_little_and_leave_the_other_tables_alone(void **state)
{
	static const struct {
		const char *section;
		size_t field;
		uint64_t value;
		size_t width;
	} lies[] = {
		{".symtab", offsetof(Elf64_Shdr, sh_offset), UINT64_MAX - 8, 8},
		{".symtab", offsetof(Elf64_Shdr, sh_offset), 1ull << 40, 8},
		{".symtab", offsetof(Elf64_Shdr, sh_link), 60000, 4},
		{".symtab", offsetof(Elf64_Shdr, sh_link), 0, 4},
		{".symtab", offsetof(Elf64_Shdr, sh_link), 1, 4},
		{".symtab", offsetof(Elf64_Shdr, sh_flags), SHF_COMPRESSED, 8},
		{".symtab", offsetof(Elf64_Shdr, sh_size), 23, 8},
		{".symtab", offsetof(Elf64_Shdr, sh_type), SHT_NOBITS, 4},
		{".rela.plt", offsetof(Elf64_Shdr, sh_size), 1ull << 60, 8},
		{".rela.dyn", offsetof(Elf64_Shdr, sh_offset), UINT64_MAX, 8},
		{".plt", offsetof(Elf64_Shdr, sh_size), 1ull << 60, 8},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
		struct elf_symbols *symbols;
		uint64_t exported;
		char name[NAME_BYTES];

		compile(*state, "liar", "-rdynamic");
		exported = nm_address(*state, "liar", "exported_two");
		patch_section(in_place(*state, "liar"), lies[i].section, lies[i].field, lies[i].value, lies[i].width);
		symbols = open_symbols(in_place(*state, "liar"));
		assert_int_equal(find_name(symbols, exported, name, sizeof(name)), 0);
		assert_string_equal(name, "exported_two");
		assert_true(elf_symbols_bytes(symbols) < 1u << 20);
		elf_symbols_free(symbols);
	}
}

static void test_elf_symbols__names_outside_of_the_file_or_their_table_are_none(void **state)
{
	static const struct {
		size_t field;
		uint64_t value;
	} lies[] = {
		{offsetof(Elf64_Shdr, sh_offset), 1ull << 40},
		{offsetof(Elf64_Shdr, sh_offset), UINT64_MAX},
		{offsetof(Elf64_Shdr, sh_size), 1ull << 60},
		{offsetof(Elf64_Shdr, sh_size), 0},
		{offsetof(Elf64_Shdr, sh_size), 3},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
		struct elf_symbols *symbols;
		uint64_t local, exported;

		compile(*state, "liar", "-rdynamic");
		local = nm_address(*state, "liar", "local_one");
		exported = nm_address(*state, "liar", "exported_two");
		patch_section(in_place(*state, "liar"), ".strtab", lies[i].field, lies[i].value, 8);
		symbols = open_symbols(in_place(*state, "liar"));
		assert_no_name(symbols, local);
		if (i < 4)
			assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_DYNSYM);
		else
			assert_no_name(symbols, exported);
		elf_symbols_free(symbols);
	}
}

static void test_elf_symbols__32_bit_files_are_read_as_well(void **state)
{
	struct elf_symbols *symbols;
	uint64_t one, two;

	run("cd %s && printf 'int one(int n) { return n; }\\nint two(int n) { return n + 1; }\\n' >small.c && "
	    "gcc -m32 -O1 -nostdlib -shared -o small.so small.c",
	    ((struct place *)*state)->folder);
	one = nm_address(*state, "small.so", "one");
	two = nm_address(*state, "small.so", "two");
	for (int stripped = 0; stripped < 2; stripped++) {
		enum elf_symbols_source source = stripped ? ELF_SYMBOLS_DYNSYM : ELF_SYMBOLS_SYMTAB;

		symbols = open_symbols(in_place(*state, "small.so"));
		assert_named(symbols, one, "one", source);
		assert_named(symbols, two, "two", source);
		assert_int_equal(function_at(symbols, one).start, one);
		elf_symbols_free(symbols);
		run("strip %s", in_place(*state, "small.so"));
	}
}

static void test_elf_symbols__a_file_without_sections_has_places_and_no_names(void **state)
{
	struct elf_symbols *symbols;
	uint64_t exported, offset, address;
	uint16_t none = 0;
	int fd;

	compile(*state, "bare", "-rdynamic");
	exported = nm_address(*state, "bare", "exported_two");
	fd = open(in_place(*state, "bare"), O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &none, sizeof(none), offsetof(Elf64_Ehdr, e_shnum)), sizeof(none));
	assert_int_equal(pwrite(fd, "\0\0\0\0\0\0\0", 8, offsetof(Elf64_Ehdr, e_shoff)), 8);
	close(fd);
	symbols = open_symbols(in_place(*state, "bare"));
	assert_no_name(symbols, exported);
	assert_true(elf_symbols_file_offset(symbols, exported, &offset));
	assert_true(elf_symbols_address(symbols, offset, &address));
	assert_int_equal(address, exported);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__sections_that_overlap_count_once(void **state)
{
	struct elf_symbols *symbols;
	uint64_t exported;

	compile(*state, "overlap", "-no-pie");
	exported = nm_address(*state, "overlap", "exported_two");
	patch_section(in_place(*state, "overlap"), ".init", offsetof(Elf64_Shdr, sh_addr), exported - 1, 8);
	patch_section(in_place(*state, "overlap"), ".init", offsetof(Elf64_Shdr, sh_size), UINT32_MAX, 8);
	patch_section(in_place(*state, "overlap"), ".fini", offsetof(Elf64_Shdr, sh_addr), 1, 8);
	patch_section(in_place(*state, "overlap"), ".fini", offsetof(Elf64_Shdr, sh_size), UINT64_MAX, 8);
	symbols = open_symbols(in_place(*state, "overlap"));
	assert_named(symbols, exported, "exported_two", ELF_SYMBOLS_SYMTAB);
	elf_symbols_free(symbols);
}

static void test_elf_symbols__a_file_that_shrinks_while_it_is_in_use_gives_errors(void **state)
{
	struct elf_symbols *symbols;
	char name[NAME_BYTES];
	uint64_t address;

	/* More names than are held. */
	run("cd %s && awk 'BEGIN { for (i = 0; i < 4000; i++) printf \"void f%%05d_%%0100d(void) {}\\n\", i, i }' "
	    ">many.c && gcc -w -shared -fPIC -fvisibility=hidden -o many.so many.c",
	    ((struct place *)*state)->folder);
	address = nm_address(*state, "many.so", "f02000_0*2000");
	symbols = open_symbols(in_place(*state, "many.so"));
	assert_int_equal(find_name(symbols, address, name, sizeof(name)), 0);
	assert_int_equal(strncmp(name, "f02000_", 7), 0);
	assert_int_equal(truncate(in_place(*state, "many.so"), 64), 0);
	assert_int_equal(find_name(symbols, address, name, sizeof(name)), -EIO);
	elf_symbols_free(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf_symbols__functions_are_named_from_the_full_table),
		cmocka_unit_test(test_elf_symbols__of_a_functions_names_the_one_that_people_call_is_given),
		cmocka_unit_test(test_elf_symbols__functions_without_a_size_end_where_the_next_one_starts),
		cmocka_unit_test(test_elf_symbols__a_stripped_program_has_its_exported_functions),
		cmocka_unit_test(test_elf_symbols__stubs_are_named_after_what_they_call),
		cmocka_unit_test(test_elf_symbols__xz_compressed_tables_name_what_was_stripped),
		cmocka_unit_test(test_elf_symbols__an_xz_section_that_is_broken_or_a_bomb_is_as_if_it_were_not_there),
		cmocka_unit_test(test_elf_symbols__a_debug_file_names_what_was_stripped),
		cmocka_unit_test(test_elf_symbols__a_debug_file_without_functions_changes_nothing),
		cmocka_unit_test(test_elf_symbols__places_in_the_file_become_addresses_and_back),
		cmocka_unit_test(test_elf_symbols__many_addresses_at_once_have_the_same_answers_in_any_order),
		cmocka_unit_test(test_elf_symbols__long_names_are_cut_and_short_room_suffices),
		cmocka_unit_test(test_elf_symbols__tables_that_lie_cost_little_and_leave_the_other_tables_alone),
		cmocka_unit_test(test_elf_symbols__names_outside_of_the_file_or_their_table_are_none),
		cmocka_unit_test(test_elf_symbols__32_bit_files_are_read_as_well),
		cmocka_unit_test(test_elf_symbols__a_file_without_sections_has_places_and_no_names),
		cmocka_unit_test(test_elf_symbols__sections_that_overlap_count_once),
		cmocka_unit_test(test_elf_symbols__a_file_that_shrinks_while_it_is_in_use_gives_errors),
		cmocka_unit_test(test_elf_symbols__what_is_no_elf_is_refused_and_its_descriptor_left_alone),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
