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
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/process_maps.h"

struct parsed {
	struct string_table strings;
	struct mapping_array mappings;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct parsed));
	return string_table_init(&((struct parsed *)*state)->strings);
}

static int tear_down(void **state)
{
	struct parsed *parsed = *state;

	array_deinit(&parsed->mappings.list);
	string_table_deinit(&parsed->strings);
	free(parsed);
	return 0;
}

static void parse(struct parsed *parsed, const char *text)
{
	char *copied = strdup(text);

	assert_int_equal(process_maps_parse(copied, &parsed->strings, &parsed->mappings), 0);
	free(copied);
}

static void expect(const struct parsed *parsed, size_t number, enum mapping_kind kind, const char *name)
{
	const struct mapping *mapping;

	assert_true(number < parsed->mappings.list.count);
	mapping = &parsed->mappings.list.items[number];
	assert_int_equal(mapping->kind, kind);
	assert_string_equal(string_table_text(&parsed->strings, mapping->name), name);
}

static void test_process_maps__executable_mappings_are_taken_with_bounds_offset_and_base_name(void **state)
{
	struct parsed *parsed = *state;
	const struct mapping *mapping;

	parse(parsed, "55d0c0000000-55d0c0002000 r--p 00000000 08:01 131 /usr/bin/burn\n"
		      "55d0c0002000-55d0c0003000 r-xp 00002000 08:01 131                        /usr/bin/burn\n"
		      "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
		      "7f0000001000-7f0000002000 r-xs 00000000 fe:02 9 /lib/a b/libc.so.6\n");
	assert_int_equal(parsed->mappings.list.count, 2);
	mapping = &parsed->mappings.list.items[0];
	assert_int_equal(mapping->start, 0x55d0c0002000);
	assert_int_equal(mapping->end, 0x55d0c0003000);
	assert_int_equal(mapping->offset, 0x2000);
	assert_null(mapping->file);
	expect(parsed, 0, MAPPING_FILE, "burn");
	expect(parsed, 1, MAPPING_FILE, "libc.so.6");
}

static void test_process_maps__code_that_was_moved_to_other_memory_is_its_files(void **state)
{
	struct parsed *parsed = *state;
	const struct mapping *mapping;

	parse(parsed, "1000-2000 r--p 00000000 08:01 131 /usr/bin/burn\n"
		      "2000-4000 r-xp 00000000 00:00 0 \n"
		      "4000-5000 r--p 00003000 08:01 131 /usr/bin/burn\n");
	assert_int_equal(parsed->mappings.list.count, 1);
	mapping = &parsed->mappings.list.items[0];
	assert_int_equal(mapping->start, 0x2000);
	assert_int_equal(mapping->end, 0x4000);
	assert_int_equal(mapping->offset, 0x1000);
	assert_int_equal(mapping->file_start, 0x1000);
	assert_int_equal(mapping->file_end, 0x2000);
	assert_int_equal(mapping->inode, 131);
	expect(parsed, 0, MAPPING_FILE, "burn");
}

static void test_process_maps__memory_beside_files_is_none_of_theirs(void **state)
{
	struct parsed *parsed = *state;

	/* Another place in the file behind it, another file, a gap before it and after it, a name of its own, no file. */
	parse(parsed, "11000-12000 r--p 00000000 08:01 131 /usr/bin/burn\n"
		      "12000-14000 r-xp 00000000 00:00 0 \n"
		      "14000-15000 r--p 00004000 08:01 131 /usr/bin/burn\n"
		      "15000-16000 r-xp 00000000 00:00 0 \n"
		      "16000-17000 r--p 00006000 08:01 132 /usr/bin/burn\n"
		      "18000-19000 r-xp 00000000 00:00 0 \n"
		      "19000-1a000 r--p 00009000 08:01 132 /usr/bin/burn\n"
		      "1a000-1b000 r-xp 00000000 00:00 0 \n"
		      "1c000-1d000 r--p 0000c000 08:01 132 /usr/bin/burn\n"
		      "1d000-1e000 r-xp 00000000 00:00 0 [anon:v8]\n"
		      "1e000-1f000 r--p 0000e000 08:01 132 /usr/bin/burn\n"
		      "1f000-20000 r-xp 00000000 00:00 0 \n");
	assert_int_equal(parsed->mappings.list.count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(parsed->mappings.list.items[i].kind, MAPPING_JIT);
}

static void test_process_maps__kinds_are_told_apart(void **state)
{
	struct parsed *parsed = *state;

	parse(parsed, "1000-2000 rwxp 00000000 00:00 0 \n"
		      "2000-3000 r-xp 00000000 00:00 0                          [vdso]\n"
		      "3000-4000 r-xs 00000000 00:01 12 /memfd:doublemapper (deleted)\n"
		      "4000-5000 r-xp 00000000 00:00 0 [anon:v8]\n"
		      "5000-6000 --xp 00000000 00:00 0 [vsyscall]\n"
		      "6000-7000 r-xs 00000000 00:01 3 /dev/zero (deleted)\n"
		      "7000-8000 rwxp 00000000 00:00 0 [heap]\n"
		      "8000-9000 r-xp 00000000 00:00 0 [uprobes]\n"
		      "9000-a000 rwxp 00000000 00:00 0 [stack]\n"
		      "a000-b000 rwxs 00000000 00:01 4 /SYSV00000000 (deleted)");
	expect(parsed, 0, MAPPING_JIT, "");
	expect(parsed, 1, MAPPING_VDSO, "[vdso]");
	expect(parsed, 2, MAPPING_JIT, "memfd:doublemapper");
	expect(parsed, 3, MAPPING_JIT, "[anon:v8]");
	expect(parsed, 4, MAPPING_OTHER, "[vsyscall]");
	expect(parsed, 5, MAPPING_JIT, "zero");
	expect(parsed, 6, MAPPING_JIT, "[heap]");
	expect(parsed, 7, MAPPING_OTHER, "[uprobes]");
	expect(parsed, 8, MAPPING_JIT, "[stack]");
	expect(parsed, 9, MAPPING_JIT, "SYSV00000000");
}

static void test_process_maps__only_one_deleted_at_the_end_is_the_kernels(void **state)
{
	struct parsed *parsed = *state;

	parse(parsed, "1000-2000 r-xp 00000000 08:01 5 /tmp/old (deleted)\n"
		      "2000-3000 r-xp 00000000 08:01 6 /tmp/twice (deleted) (deleted)\n"
		      "3000-4000 r-xp 00000000 08:01 7 /tmp/(deleted)/inner\n"
		      "4000-5000 r-xp 00000000 08:01 8 /tmp/new\\012line\n");
	expect(parsed, 0, MAPPING_FILE, "old");
	expect(parsed, 1, MAPPING_FILE, "twice (deleted)");
	expect(parsed, 2, MAPPING_FILE, "inner");
	expect(parsed, 3, MAPPING_FILE, "new\\012line");
}

static void test_process_maps__names_that_only_begin_like_shared_memory_are_files(void **state)
{
	struct parsed *parsed = *state;

	parse(parsed, "1000-2000 r-xp 00000000 08:01 5 /dev/zero-copy/libfast.so\n"
		      "2000-3000 r-xp 00000000 08:01 6 /SYSVOL/libdisk.so\n"
		      "3000-4000 r-xp 00000000 08:01 7 /memfd:x/libplain.so\n");
	expect(parsed, 0, MAPPING_FILE, "libfast.so");
	expect(parsed, 1, MAPPING_FILE, "libdisk.so");
	expect(parsed, 2, MAPPING_FILE, "libplain.so");
}

static void test_process_maps__lines_that_do_not_parse_are_skipped(void **state)
{
	struct parsed *parsed = *state;

	parse(parsed, "\n"
		      "garbage\n"
		      "1000-2000\n"
		      "1000-2000 r-xp\n"
		      "2000-1000 r-xp 00000000 08:01 5 /backwards\n"
		      "1000-1000 r-xp 00000000 08:01 5 /empty\n"
		      "1000-2000 r- 00000000 08:01 5 /short\n"
		      "1000-2000 r-xp 00000000 08:01 five /inode\n"
		      "3000-4000 r-xp 00000000 08:01 5 /good\n");
	assert_int_equal(parsed->mappings.list.count, 1);
	expect(parsed, 0, MAPPING_FILE, "good");
}

static void test_process_maps__mappings_have_a_limit(void **state)
{
	struct parsed *parsed = *state;
	FILE *out;
	char *text;
	size_t size;

	out = open_memstream(&text, &size);
	for (unsigned int i = 1; i <= 70000; i++)
		fprintf(out, "%x000-%x000 r-xp 00000000 08:01 5 /many\n", i, i + 1);
	fclose(out);
	assert_int_equal(process_maps_parse(text, &parsed->strings, &parsed->mappings), 0);
	free(text);
	assert_int_equal(parsed->mappings.list.count, 65536);
	assert_true(parsed->mappings.cut);
	/* Pieces of one file take little. */
	assert_in_range(parsed->mappings.bytes, 0, 8 << 20);
}

static void test_process_maps__long_names_have_a_limit(void **state)
{
	struct parsed *parsed = *state;
	char text[65536], directory[3000];
	int length = 0;

	memset(directory, 'd', sizeof(directory) - 1);
	directory[sizeof(directory) - 1] = '\0';
	parsed->mappings.bytes_max = 1000;
	for (unsigned int i = 1; i <= 20; i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length,
				   "%x000-%x000 r-xp 00000000 08:01 5 /%s/library-%u\n", i, i + 1, directory, i);
	parse(parsed, text);
	expect(parsed, 0, MAPPING_FILE, "library-1");
	assert_string_equal(string_table_text(&parsed->strings, parsed->mappings.list.items[0].path), "library-1");
	assert_true(parsed->mappings.cut);
	assert_in_range(parsed->mappings.list.count, 3, 8);
	assert_in_range(parsed->mappings.bytes, 1000, 1300);
}

static void test_process_maps__what_was_not_read_is_known_to_be_missing(void **state)
{
	struct parsed *parsed = *state;
	char text[] = "1000-2000 r-xp 00000000 08:01 5 /library\n" PROCESS_MAPS_CUT;

	parse(parsed, text);
	assert_int_equal(parsed->mappings.list.count, 1);
	assert_true(parsed->mappings.cut);
}

static void test_process_maps__our_own_code_is_in_our_own_mappings(void **state)
{
	struct parsed *parsed = *state;
	uint64_t here = (uint64_t)(uintptr_t)test_process_maps__our_own_code_is_in_our_own_mappings;
	char *text;

	assert_int_equal(process_maps_read(getpid(), &text), 0);
	parse(parsed, text);
	free(text);
	for (size_t i = 0; i < parsed->mappings.list.count; i++) {
		const struct mapping *mapping = &parsed->mappings.list.items[i];

		if (mapping->start > here || here >= mapping->end)
			continue;
		expect(parsed, i, MAPPING_FILE, "test_process_maps");
		return;
	}
	fail_msg("no mapping holds this function");
}

/* starttime of proc(5)'s stat, in ns: good to 10 ms. */
static uint64_t start_of(pid_t pid)
{
	unsigned long long ticks = 0;
	char path[32], text[1024];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_int_equal(sscanf(strrchr(text, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
				&ticks),
			 1);
	return ticks * 10000000ull;
}

static void test_process_maps__another_start_or_another_image_is_another_process(void **state)
{
	uint64_t start_ns = start_of(getpid());
	pid_t pid = 0;

	assert_int_equal(process_maps_check(getpid(), start_ns, 0, &pid), 0);
	assert_int_equal(pid, getpid());
	assert_int_equal(process_maps_check(getpid(), start_ns + 50000000, 0, &pid), -ESRCH);
	assert_int_equal(process_maps_check(getpid(), start_ns - 50000000, 0, &pid), -ESRCH);
	assert_int_equal(process_maps_check(getpid(), start_ns, 0x7ffc00000010, &pid), -ESRCH);
}

static void test_process_maps__one_that_has_ended_is_not_read(void **state)
{
	pid_t child = fork(), pid;
	uint64_t start_ns;
	char *text = NULL;

	if (!child)
		_exit(0);
	assert_true(child > 0);
	start_ns = start_of(child);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(process_maps_check(child, start_ns, 0, &pid), -ESRCH);
	assert_int_equal(process_maps_read(child, &text), -ESRCH);
	assert_null(text);
}

static void test_process_maps__one_that_cannot_be_looked_at_has_not_ended(void **state)
{
	uint64_t start_ns = start_of(getpid());
	struct rlimit limit, none;
	pid_t pid;
	int err;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = process_maps_check(getpid(), start_ns, 0, &pid);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(err, -EMFILE);
}

#define PARSED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PARSED(test_process_maps__executable_mappings_are_taken_with_bounds_offset_and_base_name),
		PARSED(test_process_maps__code_that_was_moved_to_other_memory_is_its_files),
		PARSED(test_process_maps__memory_beside_files_is_none_of_theirs),
		PARSED(test_process_maps__kinds_are_told_apart),
		PARSED(test_process_maps__only_one_deleted_at_the_end_is_the_kernels),
		PARSED(test_process_maps__names_that_only_begin_like_shared_memory_are_files),
		PARSED(test_process_maps__lines_that_do_not_parse_are_skipped),
		PARSED(test_process_maps__mappings_have_a_limit),
		PARSED(test_process_maps__long_names_have_a_limit),
		PARSED(test_process_maps__what_was_not_read_is_known_to_be_missing),
		PARSED(test_process_maps__our_own_code_is_in_our_own_mappings),
		cmocka_unit_test(test_process_maps__another_start_or_another_image_is_another_process),
		cmocka_unit_test(test_process_maps__one_that_has_ended_is_not_read),
		cmocka_unit_test(test_process_maps__one_that_cannot_be_looked_at_has_not_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
