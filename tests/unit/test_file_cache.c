/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of a file when it is closed, opened again, and mapped by somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/file_cache.h"
#include "symbolizer/silent_devices.h"

#define PROGRAM "/proc/self/exe"
#define FILES_MANY 3000

static struct silent_devices silent;
static struct parser *parser;
static struct file_cache *cache;
static size_t open_count; /* of those of pin_many() */

static int set_up(void **state)
{
	return parser_new(&silent, &parser) || file_cache_new(parser, &cache);
}

static int tear_down(void **state)
{
	file_cache_free(cache);
	parser_free(parser);
	return 0;
}

static struct pinned_file *pin(void)
{
	_cleanup_close_ int path_fd = open(PROGRAM, O_PATH | O_CLOEXEC);
	struct pinned_file *file;
	struct stat status;

	assert_true(path_fd >= 0);
	assert_int_equal(fstat(path_fd, &status), 0);
	assert_int_equal(file_cache_pin(cache, path_fd, &status, NULL, &file), 0);
	assert_int_equal(file->state, PINNED_OPEN);
	return file;
}

static bool has_name_at(const struct pinned_file *file, uint64_t at)
{
	string_id name;

	return range_cache_find(&file->names, at, &name);
}

static void add_name_at(struct pinned_file *file, uint64_t at)
{
	assert_int_equal(range_cache_add(&file->names, at, at + 1, 7), 0);
	assert_int_equal(range_cache_settle(&file->names), 0);
}

static void test_file_cache__names_outlive_the_descriptor(void **state)
{
	struct pinned_file *file = pin();

	add_name_at(file, 4096);
	file_cache_trim(cache, 0);
	assert_int_equal(file->state, PINNED_TRIMMED);
	assert_ptr_equal(pin(), file);
	assert_true(has_name_at(file, 4096));
}

static void test_file_cache__names_from_inside_a_container_do_not_outlive_it(void **state)
{
	struct pinned_file *file = pin();

	file->debug_inside = true;
	add_name_at(file, 4096);
	file_cache_trim(cache, 0);
	assert_ptr_equal(pin(), file);
	assert_false(file->debug_inside);
	assert_false(has_name_at(file, 4096));
}

static void test_file_cache__quarantine_outlives_it(void **state)
{
	struct pinned_file *file = pin();

	file->source.deaths = PARSER_DEATHS_MAX;
	file_cache_trim(cache, 0);
	assert_ptr_equal(pin(), file);
	assert_int_equal(parser_open(parser, &file->source), -ENOTRECOVERABLE);
}

static void test_file_cache__a_file_of_no_process_is_everybodys(void **state)
{
	struct pinned_file *file;

	assert_int_equal(file_cache_adopt(cache, open(PROGRAM, O_RDONLY | O_CLOEXEC), &file), 0);
	assert_true(file->shared);
}

static void test_file_cache__a_second_root_makes_it_shared(void **state)
{
	struct pinned_file *file = pin();

	file_cache_note_root(file, (struct root_identity){1, 2});
	file_cache_note_root(file, (struct root_identity){1, 2});
	assert_false(file->shared);
	file_cache_note_root(file, (struct root_identity){1, 3});
	assert_true(file->shared);
}

/* [count] files of one page each that nobody else has. */
static void pin_many(struct pinned_file **files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_close_ int fd = memfd_create("one of many", MFD_CLOEXEC);
		struct stat status;

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(file_cache_pin(cache, fd, &status, &open_count, &files[i]), 0);
	}
}

static void test_file_cache__those_unused_for_longest_are_closed(void **state)
{
	struct pinned_file *files[8];

	pin_many(files, ARRAY_LENGTH(files));
	file_cache_touch(cache, files[0]);
	file_cache_touch(cache, files[3]);
	file_cache_trim(cache, 3);
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		assert_int_equal(files[i]->state, i == 0 || i == 3 || i == 7 ? PINNED_OPEN : PINNED_TRIMMED);
	file_cache_trim(cache, 3);
	assert_int_equal(files[7]->state, PINNED_OPEN);
	file_cache_trim(cache, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		assert_int_equal(files[i]->state, PINNED_TRIMMED);
}

static void test_file_cache__open_files_are_counted_for_whom_they_were_opened(void **state)
{
	struct pinned_file *files[8];

	pin_many(files, ARRAY_LENGTH(files));
	assert_int_equal(open_count, ARRAY_LENGTH(files));
	pin();
	file_cache_trim(cache, 4);
	assert_int_equal(open_count, 3);
	file_cache_forget_unmarked(cache);
	assert_int_equal(open_count, 0);
}

static void test_file_cache__of_thousands_those_used_last_stay_open(void **state)
{
	static struct pinned_file *files[FILES_MANY];
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	pin_many(files, FILES_MANY);
	file_cache_trim(cache, 512);
	assert_int_equal(files[FILES_MANY - 513]->state, PINNED_TRIMMED);
	assert_int_equal(files[FILES_MANY - 512]->state, PINNED_OPEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_file_cache__names_outlive_the_descriptor),
		TEST(test_file_cache__names_from_inside_a_container_do_not_outlive_it),
		TEST(test_file_cache__quarantine_outlives_it),
		TEST(test_file_cache__a_file_of_no_process_is_everybodys),
		TEST(test_file_cache__a_second_root_makes_it_shared),
		TEST(test_file_cache__those_unused_for_longest_are_closed),
		TEST(test_file_cache__open_files_are_counted_for_whom_they_were_opened),
		TEST(test_file_cache__of_thousands_those_used_last_stay_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
