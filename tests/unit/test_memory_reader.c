/* SPDX-License-Identifier: BSD-2-Clause */
/* What a lock that is held for ever does to it, only a real one shows: tests/system/record_locked_memory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/memory_reader.h"
#include "symbolizer/process_maps.h"

/* Whatever memory the test itself takes meanwhile, its code stays where it is. */
static void keep_code(char *text)
{
	char *out = text;

	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		size_t length = (size_t)(end + 1 - line);

		*end = '\0';
		if (!strstr(line, " r-xp "))
			continue;
		*end = '\n';
		memmove(out, line, length);
		out += length;
	}
	*out = '\0';
}

static void test_memory_reader__answers_are_those_of_proc(void **state)
{
	struct memory_file files[2] = {{.start = 0x1000, .end = 0x2000}};
	struct memory_reader *reader;
	char *text = NULL, *direct = NULL, path[64];
	struct stat status;

	assert_int_equal(memory_reader_new(&reader), 0);
	assert_int_equal(memory_reader_maps(reader, 1, getpid(), &text), 0);
	assert_int_equal(process_maps_read(getpid(), &direct), 0);
	keep_code(text);
	keep_code(direct);
	assert_string_equal(text, direct);
	assert_int_equal(sscanf(text, "%" SCNx64 "-%" SCNx64, &files[1].start, &files[1].end), 2);
	assert_int_equal(memory_reader_files(reader, 1, getpid(), files, 2), 0);
	assert_int_equal(files[0].error, -ENOENT);
	if (files[1].error != -EPERM) { /* not root's */
		assert_int_equal(files[1].error, 0);
		assert_int_equal(stat("/proc/self/exe", &status), 0);
		assert_int_equal(files[1].status.st_ino, status.st_ino);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", files[1].path_fd);
		assert_int_equal(access(path, F_OK), 0);
		close(files[1].path_fd);
	}
	memory_reader_free(reader);
	free(text);
	free(direct);
}

static void test_memory_reader__who_is_gone_has_no_maps(void **state)
{
	struct memory_reader *reader;
	char *text = NULL;

	assert_int_equal(memory_reader_new(&reader), 0);
	assert_int_equal(memory_reader_maps(reader, 1, 0x3fffffff, &text), -ESRCH);
	assert_null(text);
	memory_reader_free(reader);
	memory_reader_free(NULL);
}

#define TEST(name) cmocka_unit_test(test_memory_reader__##name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_are_those_of_proc),
		TEST(who_is_gone_has_no_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
