/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows through the worker are the rows that were read; what kills it costs that file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/silent_devices.h"
#include "symbolizer/unwind_parser.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define PYTHON "/usr/bin/python3.11"

static struct silent_devices silent;
static struct unwind_parser *parser;

static int set_up(void **state)
{
	return unwind_parser_new(&silent, &parser);
}

static int tear_down(void **state)
{
	unwind_parser_free(parser);
	return 0;
}

static void test_unwind_parser__rows_come_through_as_they_are(void **state)
{
	_cleanup_(unwind_rows_deinit) struct unwind_rows direct = {0}, through = {0};
	_cleanup_close_ int fd = open(LIBC, O_RDONLY | O_CLOEXEC), path_fd = open(LIBC, O_PATH | O_CLOEXEC);

	assert_int_equal(unwind_rows_read(fd, -1, &direct), 0);
	assert_int_equal(unwind_parser_rows(parser, path_fd, -1, &through), 0);
	assert_true(direct.rows.count > 1000);
	assert_int_equal(through.rows.count, direct.rows.count);
	assert_int_equal(through.pages.count, direct.pages.count);
	assert_int_equal(through.rules.count, direct.rules.count);
	assert_int_equal(through.segment_count, direct.segment_count);
	assert_int_equal(through.first_page, direct.first_page);
	assert_memory_equal(through.rows.items, direct.rows.items, direct.rows.count * sizeof(struct unwind_row));
	assert_memory_equal(through.pages.items, direct.pages.items, direct.pages.count * sizeof(struct unwind_page));
	assert_memory_equal(through.rules.items, direct.rules.items, direct.rules.count * sizeof(struct unwind_rule));
	assert_memory_equal(through.segments, direct.segments, sizeof(direct.segments));
}

static void test_unwind_parser__the_vdso_has_rows(void **state)
{
	_cleanup_(unwind_rows_deinit) struct unwind_rows rows = {0};

	assert_int_equal(unwind_parser_rows(parser, -1, -1, &rows), 0);
	assert_true(rows.rows.count > 0);
}

static void test_unwind_parser__no_ELF_is_an_answer_and_no_death(void **state)
{
	_cleanup_(unwind_rows_deinit) struct unwind_rows rows = {0};
	_cleanup_close_ int text = open("/etc/passwd", O_PATH | O_CLOEXEC), folder = open("/etc", O_PATH | O_CLOEXEC);
	struct unwind_parser_costs costs;

	assert_int_equal(unwind_parser_rows(parser, text, -1, &rows), -ENOEXEC);
	assert_int_equal(unwind_parser_rows(parser, folder, -1, &rows), -EIO);
	costs = unwind_parser_costs(parser);
	assert_int_equal(costs.crashes + costs.timeouts, 0);
}

static void test_unwind_parser__an_interpreter_of_Python_is_known_and_no_other_file(void **state)
{
	_cleanup_(unwind_rows_deinit) struct unwind_rows direct = {0}, through = {0}, libc = {0};
	_cleanup_close_ int fd = open(PYTHON, O_RDONLY | O_CLOEXEC), path_fd = open(PYTHON, O_PATH | O_CLOEXEC);
	_cleanup_close_ int libc_fd = open(LIBC, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		print_message("no " PYTHON "\n");
		skip();
	}
	assert_int_equal(unwind_rows_read(fd, -1, &direct), 0);
	assert_int_equal(unwind_parser_rows(parser, path_fd, -1, &through), 0);
	assert_int_equal(through.python.version, 0x030b);
	assert_true(through.python.place > 0);
	assert_int_equal(through.python.version, direct.python.version);
	assert_int_equal(through.python.place, direct.python.place);
	assert_int_equal(unwind_rows_read(libc_fd, -1, &libc), 0);
	assert_int_equal(libc.python.version, 0);
}

static void test_unwind_parser__container_of_whose_files_too_many_do_not_come_is_asked_nothing_more(void **state)
{
	const struct silent_device left = {.pidfd = -1, .worker = unwind_parser_worker(parser), .tenant = 7};
	_cleanup_(unwind_rows_deinit) struct unwind_rows rows = {0};
	_cleanup_close_ int path_fd = open(LIBC, O_PATH | O_CLOEXEC);

	for (int i = 0; i < SILENT_TENANT_MAX; i++)
		silent.list[silent.count++] = left;
	unwind_parser_ask_for(parser, 7);
	assert_int_equal(unwind_parser_rows(parser, path_fd, -1, &rows), -EHOSTDOWN);
	assert_int_equal(worker_counts(unwind_parser_worker(parser)).requests, 0);
	unwind_parser_ask_for(parser, 8);
	assert_int_equal(unwind_parser_rows(parser, path_fd, -1, &rows), 0);
	silent_devices_deinit(&silent);
}

static void test_unwind_parser__file_system_that_does_not_answer_is_not_asked(void **state)
{
	_cleanup_(unwind_rows_deinit) struct unwind_rows rows = {0};
	_cleanup_close_ int path_fd = open(LIBC, O_PATH | O_CLOEXEC);
	struct stat status;

	assert_int_equal(fstat(path_fd, &status), 0);
	silent.list[silent.count++] = (struct silent_device){.device = status.st_dev, .pidfd = -1};
	assert_int_equal(unwind_parser_rows(parser, path_fd, -1, &rows), -EHOSTDOWN);
	assert_int_equal(worker_counts(unwind_parser_worker(parser)).requests, 0);
	silent_devices_deinit(&silent);
	assert_int_equal(unwind_parser_rows(parser, path_fd, -1, &rows), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_unwind_parser__rows_come_through_as_they_are),
		TEST(test_unwind_parser__the_vdso_has_rows),
		TEST(test_unwind_parser__no_ELF_is_an_answer_and_no_death),
		TEST(test_unwind_parser__container_of_whose_files_too_many_do_not_come_is_asked_nothing_more),
		TEST(test_unwind_parser__file_system_that_does_not_answer_is_not_asked),
		TEST(test_unwind_parser__an_interpreter_of_Python_is_known_and_no_other_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
