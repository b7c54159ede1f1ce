/* SPDX-License-Identifier: BSD-2-Clause */
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

#include "symbolizer/jitdump.h"
#include "tests/unit/elf_files.h"

/* A dump in a file of our own: the descriptor writes, the dump has another. */
struct written {
	int fd;
	struct jitdump *dump;
};

static int set_up(void **state)
{
	struct written *written = calloc(1, sizeof(*written));
	char path[48];

	written->fd = memfd_create("jit-1.dump", MFD_CLOEXEC);
	if (written->fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", written->fd);
	*state = written;
	return jitdump_new(open(path, O_RDONLY | O_CLOEXEC), &written->dump);
}

static int tear_down(void **state)
{
	struct written *written = *state;

	jitdump_free(written->dump);
	close(written->fd);
	free(written);
	return 0;
}

static void add(struct written *written, const void *bytes, size_t count)
{
	assert_int_equal(write(written->fd, bytes, count), count);
}

static void add_header(struct written *written, uint64_t time)
{
	const struct {
		uint32_t magic, version, bytes, machine, pad, pid;
		uint64_t time, flags;
	} header = {0x4a695444, 1, sizeof(header), 62, 0, 7, time, 0};

	add(written, &header, sizeof(header));
}

static void add_record(struct written *written, uint32_t type, const void *body, size_t bytes)
{
	const struct {
		uint32_t type, bytes;
		uint64_t time;
	} header = {type, (uint32_t)(sizeof(header) + bytes), 1};

	add(written, &header, sizeof(header));
	add(written, body, bytes);
}

static void add_load(struct written *written, uint64_t address, uint64_t bytes, const char *name)
{
	const uint64_t numbers[] = {7, address, address, bytes, 1};
	unsigned char body[8192];
	size_t length = sizeof(numbers);

	memcpy(body, numbers, sizeof(numbers));
	memcpy(body + length, name, strlen(name) + 1);
	length += strlen(name) + 1;
	memset(body + length, 0xcc, 100);
	add_record(written, 0, body, length + 100);
}

static void add_move(struct written *written, uint64_t old_address, uint64_t new_address, uint64_t bytes)
{
	const uint64_t numbers[] = {7, new_address, old_address, new_address, bytes, 1};

	add_record(written, 1, numbers, sizeof(numbers));
}

struct source_line {
	uint64_t address;
	int32_t line;
	const char *file;
};

static void add_lines(struct written *written, uint64_t address, const struct source_line *lines, size_t count)
{
	unsigned char body[4096];
	size_t at = 16;

	memcpy(body, &address, 8);
	memcpy(body + 8, &count, 8);
	for (size_t i = 0; i < count; i++) {
		memset(body + at, 0, 16);
		memcpy(body + at, &lines[i].address, 8);
		memcpy(body + at + 8, &lines[i].line, 4);
		memcpy(body + at + 16, lines[i].file, strlen(lines[i].file) + 1);
		at += 16 + strlen(lines[i].file) + 1;
	}
	add_record(written, 2, body, at);
}

/* "name file:line", or "none". */
static const char *at(const struct written *written, uint64_t address)
{
	struct jitdump_place place;
	static char text[16384];

	if (!jitdump_find(written->dump, address, &place))
		return "none";
	assert_true(place.start <= address && address < place.end);
	snprintf(text, sizeof(text), "%s %s:%u", place.function, place.file ? place.file : "-", place.line);
	return text;
}

static void test_jitdump__function_is_found_at_its_addresses_only(void **state)
{
	struct written *written = *state;

	add_header(written, 1);
	add_load(written, 0x1000, 0x100, "fib");
	add_load(written, 0x2000, 0x10, "loop");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0xfff), "none");
	assert_string_equal(at(written, 0x1000), "fib -:0");
	assert_string_equal(at(written, 0x10ff), "fib -:0");
	assert_string_equal(at(written, 0x1100), "none");
	assert_string_equal(at(written, 0x2008), "loop -:0");
}

static void test_jitdump__what_is_appended_is_read_and_lies_over_what_was_there(void **state)
{
	struct written *written = *state;

	add_header(written, 1);
	add_load(written, 0x1000, 0x100, "old");
	assert_int_equal(jitdump_read(written->dump), 0);
	add_load(written, 0x1080, 0x100, "new");
	assert_string_equal(at(written, 0x1090), "old -:0");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x1010), "old -:0");
	assert_string_equal(at(written, 0x1090), "new -:0");
}

static void test_jitdump__record_that_is_half_written_waits_for_its_rest(void **state)
{
	struct written *written = *state;
	off_t size;

	add_header(written, 1);
	add_load(written, 0x1000, 0x100, "fib");
	size = lseek(written->fd, 0, SEEK_END);
	for (off_t cut = 0; cut < size; cut++) {
		int copy = memfd_create("cut", MFD_CLOEXEC);
		struct written part = {copy, NULL};
		struct jitdump_place place;
		unsigned char bytes[1024];

		assert_int_equal(pread(written->fd, bytes, sizeof(bytes), 0), size);
		assert_int_equal(jitdump_new(dup(copy), &part.dump), 0);
		add(&part, bytes, (size_t)cut);
		assert_int_equal(jitdump_read(part.dump), 0);
		assert_false(jitdump_find(part.dump, 0x1000, &place));
		add(&part, bytes + cut, (size_t)(size - cut));
		assert_int_equal(jitdump_read(part.dump), 0);
		assert_string_equal(at(&part, 0x1000), "fib -:0");
		jitdump_free(part.dump);
		close(copy);
	}
}

static void test_jitdump__code_that_moved_is_found_where_it_went(void **state)
{
	const struct source_line lines[] = {{0x1000, 3, "fib.js"}, {0x1020, 4, "fib.js"}};
	struct written *written = *state;

	add_header(written, 1);
	add_lines(written, 0x1000, lines, 2);
	add_load(written, 0x1000, 0x100, "fib");
	add_move(written, 0x1000, 0x5000, 0x100);
	add_load(written, 0x1000, 0x80, "next");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x5010), "fib fib.js:3");
	assert_string_equal(at(written, 0x5030), "fib fib.js:4");
	assert_string_equal(at(written, 0x1010), "next -:0");
	add_move(written, 0x9000, 0x6000, 0x100);
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x6000), "none");
}

static void test_jitdump__lines_belong_to_the_code_that_is_loaded_next(void **state)
{
	const struct source_line lines[] = {{0x1008, 3, "a.js"}, {0x1020, 7, "\xff"}, {0x1010, 5, "b.js"}};
	const struct source_line others[] = {{0x7000, 9, "lost.js"}};
	struct written *written = *state;

	add_header(written, 1);
	add_lines(written, 0x7000, others, 1);
	add_lines(written, 0x1000, lines, 3);
	add_load(written, 0x1000, 0x100, "fib");
	add_load(written, 0x7000, 0x100, "bare");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x1000), "fib -:0");
	assert_string_equal(at(written, 0x1008), "fib a.js:3");
	assert_string_equal(at(written, 0x1015), "fib b.js:5");
	assert_string_equal(at(written, 0x10ff), "fib a.js:7");
	assert_string_equal(at(written, 0x7000), "bare -:0");
}

static void test_jitdump__lines_behind_an_elf_header_are_moved_back(void **state)
{
	const struct source_line lines[] = {{0x1040, 3, "a.js"}, {0x1050, 4, "a.js"}};
	struct written *written = *state;

	add_header(written, 1);
	add_lines(written, 0x1000, lines, 2);
	add_load(written, 0x1000, 0x20, "fib");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x1000), "fib a.js:3");
	assert_string_equal(at(written, 0x1010), "fib a.js:4");
}

static void test_jitdump__lines_that_make_no_sense_are_dropped_with_their_record(void **state)
{
	const struct source_line before[] = {{0x1000, 3, "a.js"}, {0xfff, 4, "a.js"}};
	const struct source_line negative[] = {{0x2000, 3, "a.js"}, {0x2001, -4, "a.js"}};
	struct written *written = *state;

	add_header(written, 1);
	add_lines(written, 0x1000, before, 2);
	add_load(written, 0x1000, 0x20, "fib");
	add_lines(written, 0x2000, negative, 2);
	add_load(written, 0x2000, 0x20, "loop");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x1000), "fib -:0");
	assert_string_equal(at(written, 0x2000), "loop -:0");
}

static void test_jitdump__another_process_in_the_same_file_is_read_from_the_start(void **state)
{
	struct written *written = *state;

	add_header(written, 1);
	add_load(written, 0x1000, 0x100, "first");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_int_equal(lseek(written->fd, 0, SEEK_SET), 0);
	add_header(written, 2);
	add_load(written, 0x3000, 0x100, "second");
	add_load(written, 0x4000, 0x100, "third");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x1000), "none");
	assert_string_equal(at(written, 0x3000), "second -:0");
	assert_int_equal(ftruncate(written->fd, 0), 0);
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x3000), "none");
}

static void test_jitdump__record_that_makes_no_sense_ends_the_dump(void **state)
{
	const uint32_t endless[] = {0, 8, 0, 0};
	struct written *written = *state;

	add_header(written, 1);
	add_load(written, 0x1000, 0x100, "fib");
	add(written, endless, sizeof(endless));
	add_load(written, 0x2000, 0x100, "behind");
	assert_int_equal(jitdump_read(written->dump), -EBADMSG);
	assert_int_equal(jitdump_read(written->dump), -EBADMSG);
	assert_string_equal(at(written, 0x1000), "fib -:0");
	assert_string_equal(at(written, 0x2000), "none");
}

static void test_jitdump__other_files_are_no_dumps(void **state)
{
	struct written *written = *state;

	add(written, "7f0000001000 100 main\n7f0000001100 100 loop\n", 45);
	assert_int_equal(jitdump_read(written->dump), -EBADMSG);
	assert_string_equal(at(written, 0x7f0000001000), "none");
}

static void test_jitdump__records_out_of_bounds_are_skipped(void **state)
{
	const uint64_t nameless[] = {7, 0x1000, 0x1000, 0x100, 1};
	struct written *written = *state;

	add_header(written, 1);
	add_record(written, 0, nameless, sizeof(nameless)); /* no NUL within the record */
	add_record(written, 0, nameless, 12);
	add_record(written, 2, nameless, 4);
	add_record(written, 1, nameless, 4);
	add_load(written, 0x1000, 0, "empty");
	add_load(written, UINT64_MAX - 10, 100, "wraps");
	add_load(written, 0x1000, JITDUMP_CODE_BYTES_MAX + 1, "huge");
	add_load(written, 0x1000, 0x10, "");
	add_record(written, 77, nameless, sizeof(nameless));
	add_load(written, 0x2000, 0x10, "good");
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_string_equal(at(written, 0x2000), "good -:0");
	assert_string_equal(at(written, 0x1000), "none");
	assert_string_equal(at(written, UINT64_MAX - 5), "none");
	assert_string_equal(at(written, 0), "none");
}

static void test_jitdump__long_name_is_cut(void **state)
{
	struct written *written = *state;
	char name[JITDUMP_NAME_BYTES_MAX + 100];
	struct jitdump_place place;

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	add_header(written, 1);
	add_load(written, 0x1000, 0x10, name);
	assert_int_equal(jitdump_read(written->dump), 0);
	assert_true(jitdump_find(written->dump, 0x1000, &place));
	assert_int_equal(strlen(place.function), JITDUMP_NAME_BYTES_MAX);
}

static void test_jitdump__file_that_claims_to_be_endless_is_refused(void **state)
{
	struct written *written = *state;

	add_header(written, 1);
	assert_int_equal(ftruncate(written->fd, (off_t)JITDUMP_FILE_BYTES_MAX + 1), 0);
	assert_int_equal(jitdump_read(written->dump), -EFBIG);
}

static void test_jitdump__is_read_again_after_a_trim(void **state)
{
	struct written *written = *state;
	struct jitdump_place place;

	add_header(written, 1);
	add_load(written, 0x1000, 0x100, "first");
	add_load(written, 0x2000, 0x100, "second");
	assert_int_equal(jitdump_read(written->dump), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(jitdump_bytes(written->dump) > 0);
		jitdump_trim(written->dump);
		assert_int_equal(jitdump_bytes(written->dump), 0);
		assert_false(jitdump_find(written->dump, 0x1000, &place));
		assert_int_equal(jitdump_read(written->dump), 0);
		assert_true(jitdump_find(written->dump, 0x1000, &place));
		assert_string_equal(place.function, "first");
		assert_true(jitdump_find(written->dump, 0x20ff, &place));
	}
}

static void test_jitdump__dump_of_node_is_read(void **state)
{
	struct place *here = *state;
	struct jitdump_place found;
	struct jitdump *dump;
	uint64_t address;
	char text[64] = "";
	FILE *pipe;
	int fd;

	pipe = fopen(in_place(here, "fib.js"), "w");
	assert_non_null(pipe);
	fputs("\nfunction fib(n) {\n  return n < 2 ? n : fib(n - 1) + fib(n - 2);\n}\nfib(30);\n", pipe);
	assert_int_equal(fclose(pipe), 0);
	run("cd %s && node --perf-prof fib.js && mv jit-*.dump dump && grep -abo '\\*fib ' dump | tail -n 1 | "
	    "cut -d: -f1 >place",
	    here->folder);
	fd = open(in_place(here, "place"), O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);

	/* The name "JS:*fib ..." stands behind the record's five numbers: pids, address twice, size, index. */
	fd = open(in_place(here, "dump"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, &address, sizeof(address), atol(text) - 3 - 24), sizeof(address));
	assert_int_equal(jitdump_new(fd, &dump), 0);
	assert_int_equal(jitdump_read(dump), 0);
	assert_true(jitdump_find(dump, address, &found));
	assert_int_equal(strncmp(found.function, "JS:*fib ", 8), 0);
	assert_true(found.start == address);
	/* V8's lines may be unusable: then there are none. */
	assert_true(found.file ? strstr(found.file, "fib.js") && found.line >= 2 && found.line <= 4 : !found.line);
	jitdump_free(dump);
}

#define WITH_DUMP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DUMP(test_jitdump__function_is_found_at_its_addresses_only),
		WITH_DUMP(test_jitdump__what_is_appended_is_read_and_lies_over_what_was_there),
		WITH_DUMP(test_jitdump__record_that_is_half_written_waits_for_its_rest),
		WITH_DUMP(test_jitdump__code_that_moved_is_found_where_it_went),
		WITH_DUMP(test_jitdump__lines_belong_to_the_code_that_is_loaded_next),
		WITH_DUMP(test_jitdump__lines_behind_an_elf_header_are_moved_back),
		WITH_DUMP(test_jitdump__lines_that_make_no_sense_are_dropped_with_their_record),
		WITH_DUMP(test_jitdump__another_process_in_the_same_file_is_read_from_the_start),
		WITH_DUMP(test_jitdump__record_that_makes_no_sense_ends_the_dump),
		WITH_DUMP(test_jitdump__other_files_are_no_dumps),
		WITH_DUMP(test_jitdump__records_out_of_bounds_are_skipped),
		WITH_DUMP(test_jitdump__long_name_is_cut),
		WITH_DUMP(test_jitdump__file_that_claims_to_be_endless_is_refused),
		WITH_DUMP(test_jitdump__is_read_again_after_a_trim),
		cmocka_unit_test(test_jitdump__dump_of_node_is_read),
	};

	return cmocka_run_group_tests(tests, place_set_up, place_tear_down);
}
