/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/commands/whole_file.h"

struct place {
	char folder[64];
	char path[80];
};

static int set_up(void **state)
{
	static struct place place;

	snprintf(place.folder, sizeof(place.folder), "/tmp/whole_file.XXXXXX");
	*state = &place;
	if (!mkdtemp(place.folder))
		return -1;
	snprintf(place.path, sizeof(place.path), "%s/x.svg", place.folder);
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	return system(command);
}

static void write_plainly(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void holds(const char *path, const char *wanted)
{
	char text[64] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) < sizeof(text));
	fclose(file);
	assert_string_equal(text, wanted);
}

static size_t files_in(const char *folder)
{
	size_t count = 0;
	DIR *dir = opendir(folder);

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void test_whole_file__takes_its_place_when_committed_and_not_before(void **state)
{
	struct place *place = *state;
	struct whole_file file;
	struct stat status;

	write_plainly(place->path, "old");
	umask(022);
	assert_int_equal(whole_file_open(&file, place->path), 0);
	fputs("new", file.out);
	fflush(file.out);
	holds(place->path, "old");
	assert_int_equal(whole_file_commit(&file), 0);
	whole_file_deinit(&file);
	holds(place->path, "new");
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	assert_int_equal(files_in(place->folder), 1);
}

static void test_whole_file__not_committed_leaves_nothing(void **state)
{
	struct place *place = *state;
	struct whole_file file;

	assert_int_equal(whole_file_open(&file, place->path), 0);
	fputs("half", file.out);
	whole_file_deinit(&file);
	assert_int_equal(files_in(place->folder), 0);
}

static void test_whole_file__an_error_while_writing_keeps_the_older_file(void **state)
{
	struct place *place = *state;
	struct whole_file file;
	struct rlimit limit, small = {.rlim_cur = 4};

	write_plainly(place->path, "old");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small.rlim_max = limit.rlim_max;
	assert_int_equal(whole_file_open(&file, place->path), 0);
	fputs("too long for the limit", file.out);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(whole_file_commit(&file), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	whole_file_deinit(&file);
	holds(place->path, "old");
	assert_int_equal(files_in(place->folder), 1);
}

static void test_whole_file__a_link_stays_a_link(void **state)
{
	struct place *place = *state;
	struct whole_file file;
	struct stat status;
	char target[96];

	snprintf(target, sizeof(target), "%s/target", place->folder);
	write_plainly(target, "old");
	assert_int_equal(symlink("target", place->path), 0);
	assert_int_equal(whole_file_open(&file, place->path), 0);
	fputs("new", file.out);
	assert_int_equal(whole_file_commit(&file), 0);
	whole_file_deinit(&file);
	assert_int_equal(lstat(place->path, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	holds(target, "new");
}

static void test_whole_file__what_is_no_file_is_written_to_directly(void **state)
{
	struct whole_file file;
	struct stat status;

	assert_int_equal(whole_file_open(&file, "/dev/null"), 0);
	fputs("x", file.out);
	assert_int_equal(whole_file_commit(&file), 0);
	whole_file_deinit(&file);
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));

	assert_int_equal(whole_file_open(&file, "/dev/full"), 0);
	fputs("x", file.out);
	assert_int_equal(whole_file_commit(&file), -ENOSPC);
	whole_file_deinit(&file);
}

static void test_whole_file__places_that_cannot_be_are_known_at_once(void **state)
{
	struct place *place = *state;
	struct whole_file file;
	char nowhere[96];

	snprintf(nowhere, sizeof(nowhere), "%s/no/x.svg", place->folder);
	assert_int_equal(whole_file_open(&file, nowhere), -ENOENT);
	assert_int_equal(whole_file_open(&file, place->folder), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_whole_file__##name, set_up, tear_down)
		T(takes_its_place_when_committed_and_not_before), T(not_committed_leaves_nothing),
		T(an_error_while_writing_keeps_the_older_file),	  T(a_link_stays_a_link),
		T(what_is_no_file_is_written_to_directly),	  T(places_that_cannot_be_are_known_at_once),
	};

	return cmocka_run_group_tests_name("whole_file", tests, NULL, NULL);
}
