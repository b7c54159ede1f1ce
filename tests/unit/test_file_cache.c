/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of a file when it is closed, opened again, and mapped by somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/file_cache.h"

#define PROGRAM "/proc/self/exe"

static struct parser *parser;
static struct file_cache *cache;

static int set_up(void **state)
{
	return parser_new(&parser) || file_cache_new(parser, &cache);
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
	assert_int_equal(file_cache_pin(cache, path_fd, &status, &file), 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_file_cache__names_outlive_the_descriptor),
		TEST(test_file_cache__names_from_inside_a_container_do_not_outlive_it),
		TEST(test_file_cache__quarantine_outlives_it),
		TEST(test_file_cache__a_file_of_no_process_is_everybodys),
		TEST(test_file_cache__a_second_root_makes_it_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
