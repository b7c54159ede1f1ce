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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/process_files.h"

#define NOBODYS_PID 4194304 /* PID_MAX_LIMIT: never given */
#define INNER_PID 77777777  /* a PID inside of which no file speaks */

/* A folder that stands for a root, and the map that this very process would have in the real /tmp. */
struct place {
	char folder[64];
	char own_map[64];
	int root;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	snprintf(place->folder, sizeof(place->folder), "/tmp/process_files.XXXXXX");
	snprintf(place->own_map, sizeof(place->own_map), "/tmp/perf-%d.map", getpid());
	*state = place;
	if (!mkdtemp(place->folder))
		return -1;
	place->root = open(place->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return place->root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[128];

	remove(place->own_map);
	close(place->root);
	snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
	if (system(command))
		return -1;
	free(place);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void write_below(const struct place *place, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", place->folder, name);
	write_file(path, text);
}

static void expect_text(int fd, const char *text)
{
	char got[64] = "";

	assert_true(fd >= 0);
	assert_true(pread(fd, got, sizeof(got) - 1, 0) >= 0);
	close(fd);
	assert_string_equal(got, text);
}

/* Of this process, which is taken to have begun now. */
static int find_map(uint32_t ns_pid)
{
	return process_files_perf_map(getpid(), ns_pid, clock_read_ns(CLOCK_BOOTTIME));
}

static void expect_map(uint32_t ns_pid, const char *text)
{
	int path_fd = find_map(ns_pid);
	char byte;

	assert_true(path_fd >= 0);
	/* Held, not opened: a file system that does not answer is no matter to who holds it. */
	assert_int_equal(read(path_fd, &byte, 1), -1);
	expect_text(process_files_reopen(path_fd), text);
	close(path_fd);
}

static void expect_below(const struct place *place, const char *path, const char *text)
{
	struct stat status;
	int path_fd;

	assert_int_equal(process_files_below(place->root, path, &path_fd, &status), 0);
	assert_int_equal(status.st_size, strlen(text));
	expect_text(process_files_reopen(path_fd), text);
	close(path_fd);
}

static void test_process_files__links_stay_below_the_root(void **state)
{
	struct place *place = *state;
	struct stat status;
	int fd = -1;

	assert_int_equal(mkdirat(place->root, "etc", 0755), 0);
	assert_int_equal(mkdirat(place->root, "var", 0755), 0);
	write_below(place, "etc/passwd", "the inner one");
	assert_int_equal(symlinkat("/etc", place->root, "absolute"), 0);
	assert_int_equal(symlinkat("../../../../../../etc", place->root, "var/upwards"), 0);
	assert_int_equal(symlinkat("/etc/hostname", place->root, "missing"), 0);
	assert_int_equal(symlinkat("/cycle", place->root, "cycle"), 0);
	expect_below(place, "/etc/passwd", "the inner one");
	expect_below(place, "/absolute/passwd", "the inner one");
	expect_below(place, "/var/upwards/passwd", "the inner one");
	expect_below(place, "/../../etc/passwd", "the inner one");
	assert_int_equal(process_files_below(place->root, "/missing", &fd, &status), -ENOENT);
	assert_int_equal(process_files_below(place->root, "/cycle", &fd, &status), -ELOOP);
	assert_int_equal(fd, -1);
}

static void test_process_files__links_of_proc_to_other_files_are_refused(void **state)
{
	struct stat status;
	int root = open("/", O_PATH | O_CLOEXEC), fd = -1;
	char path[64];

	assert_true(root >= 0);
	snprintf(path, sizeof(path), "/proc/%d/root/etc/passwd", getpid());
	assert_int_equal(process_files_below(root, path, &fd, &status), -ELOOP);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), root);
	assert_int_equal(process_files_below(root, path, &fd, &status), -ELOOP);
	close(root);
}

static void test_process_files__files_of_the_kernel_are_not_opened(void **state)
{
	static const char *const paths[] = {"/proc/self/status", "/proc/version", "/sys/kernel/uevent_seqnum"};
	struct stat status;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_PATH | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(process_files_stat(fd, &status), 0);
		assert_true(S_ISREG(status.st_mode));
		assert_int_equal(process_files_reopen(fd), -EINVAL);
		close(fd);
	}
}

static void test_process_files__only_regular_files_are_opened_for_reading(void **state)
{
	struct place *place = *state;
	struct stat status;
	int fd;

	assert_int_equal(mkfifoat(place->root, "fifo", 0600), 0);
	assert_int_equal(mkdirat(place->root, "folder", 0755), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(process_files_below(place->root, i ? "/folder" : "/fifo", &fd, &status), 0);
		assert_int_equal(process_files_reopen(fd), -EINVAL);
		close(fd);
	}
	fd = open("/dev/zero", O_PATH | O_CLOEXEC);
	assert_int_equal(process_files_reopen(fd), -EINVAL);
	close(fd);
}

static void test_process_files__inside_is_the_processes_own_root(void **state)
{
	struct place *place = *state;
	struct stat status;
	char path[128];
	int fd = -1;

	write_below(place, "file", "ours");
	snprintf(path, sizeof(path), "%s/file", place->folder);
	assert_int_equal(process_files_inside(getpid(), path, &fd, &status), 0);
	expect_text(process_files_reopen(fd), "ours");
	close(fd);
	assert_int_equal(process_files_inside(NOBODYS_PID, path, &fd, &status), -ENOENT);
}

static void test_process_files__what_proc_says_is_cut_to_the_room_there_is(void **state)
{
	char text[8];

	assert_int_equal(process_files_read(getpid(), "status", text, sizeof(text)), 0);
	assert_string_equal(text, "Name:\tt");
	assert_int_equal(process_files_read(NOBODYS_PID, "status", text, sizeof(text)), -ENOENT);
}

static void test_process_files__perf_map_is_found_in_tmp(void **state)
{
	struct place *place = *state;

	assert_int_equal(find_map((uint32_t)getpid()), -ENOENT);
	write_file(place->own_map, "1000 10 f\n");
	expect_map((uint32_t)getpid(), "1000 10 f\n");
	/* By the host's number too, for tools that write it from outside. */
	expect_map(INNER_PID, "1000 10 f\n");
}

static void test_process_files__perf_map_that_was_unlinked_is_found_where_it_is_held_open(void **state)
{
	struct place *place = *state;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/perf-%d.map", place->folder, INNER_PID);
	write_file(path, "2000 10 g\n");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(unlink(path), 0);
	expect_map(INNER_PID, "2000 10 g\n");
	assert_int_equal(find_map(INNER_PID / 10), -ENOENT);
	close(fd);
	assert_int_equal(find_map(INNER_PID), -ENOENT);
}

static void test_process_files__file_whose_name_only_begins_like_a_perf_map_is_none(void **state)
{
	struct place *place = *state;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/perf-%d.map.backup", place->folder, INNER_PID);
	write_file(path, "2000 10 g\n");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(find_map(INNER_PID), -ENOENT);
	close(fd);
}

static void test_process_files__link_fifo_and_folder_are_no_perf_maps(void **state)
{
	struct place *place = *state;

	assert_int_equal(symlink("/etc/passwd", place->own_map), 0);
	assert_int_equal(find_map((uint32_t)getpid()), -EINVAL);
	assert_int_equal(find_map(INNER_PID), -EINVAL);
	assert_int_equal(unlink(place->own_map), 0);
	assert_int_equal(mkfifo(place->own_map, 0600), 0);
	assert_int_equal(find_map((uint32_t)getpid()), -EINVAL);
	assert_int_equal(unlink(place->own_map), 0);
	assert_int_equal(mkdir(place->own_map, 0755), 0);
	assert_int_equal(find_map((uint32_t)getpid()), -EINVAL);
}

static void set_age(const char *path, int64_t age_ms)
{
	int64_t then_ms = (int64_t)(clock_read_ns(CLOCK_REALTIME) / 1000000) - age_ms;
	struct timespec then = {.tv_sec = then_ms / 1000, .tv_nsec = then_ms % 1000 * 1000000};

	assert_int_equal(utimensat(AT_FDCWD, path, (const struct timespec[]){then, then}, 0), 0);
}

static void test_process_files__perf_map_from_before_the_process_began_is_an_earlier_ones(void **state)
{
	struct place *place = *state;
	const uint32_t numbers[] = {(uint32_t)getpid(), INNER_PID};

	write_file(place->own_map, "1000 10 before\n");
	for (size_t i = 0; i < 2; i++) {
		set_age(place->own_map, 2500);
		assert_int_equal(find_map(numbers[i]), -ENOENT);
		/* Two clocks tell it, one of them to a second. */
		set_age(place->own_map, 1000);
		expect_map(numbers[i], "1000 10 before\n");
	}
	set_age(place->own_map, 1000000000000);
	assert_int_equal(find_map((uint32_t)getpid()), -ENOENT);
	write_file(place->own_map, "1000 10 now\n");
	expect_map((uint32_t)getpid(), "1000 10 now\n");
}

static void test_process_files__perf_map_that_is_held_open_is_its_own_however_old(void **state)
{
	struct place *place = *state;
	int fd;

	write_file(place->own_map, "1000 10 f\n");
	set_age(place->own_map, 3600000);
	fd = open(place->own_map, O_RDONLY | O_CLOEXEC);
	expect_map((uint32_t)getpid(), "1000 10 f\n");
	close(fd);
	assert_int_equal(find_map((uint32_t)getpid()), -ENOENT);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACED(test_process_files__links_stay_below_the_root),
		PLACED(test_process_files__links_of_proc_to_other_files_are_refused),
		cmocka_unit_test(test_process_files__files_of_the_kernel_are_not_opened),
		PLACED(test_process_files__only_regular_files_are_opened_for_reading),
		PLACED(test_process_files__inside_is_the_processes_own_root),
		PLACED(test_process_files__what_proc_says_is_cut_to_the_room_there_is),
		PLACED(test_process_files__perf_map_is_found_in_tmp),
		PLACED(test_process_files__perf_map_that_was_unlinked_is_found_where_it_is_held_open),
		PLACED(test_process_files__file_whose_name_only_begins_like_a_perf_map_is_none),
		PLACED(test_process_files__link_fifo_and_folder_are_no_perf_maps),
		PLACED(test_process_files__perf_map_from_before_the_process_began_is_an_earlier_ones),
		PLACED(test_process_files__perf_map_that_is_held_open_is_its_own_however_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
