/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a recording goes, as the writer of rows meets it: files that are there already, full disks, pipes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/small_recording.h"

static void test_chunk_file__an_older_file_is_kept_beside(void **state)
{
	const struct place *place = *state;
	struct stat before, after;
	long ends[5];

	write_small(place->path, ends);
	assert_int_equal(stat(place->path, &before), 0);
	write_small(place->path, ends);
	assert_int_equal(stat(place->older, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_size, ends[4]);
	assert_int_equal(stat(place->path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
}

static void test_chunk_file__a_dangling_link_is_not_written_through(void **state)
{
	const struct place *place = *state;
	struct recording_writer *writer = NULL;

	assert_int_equal(symlink(place->older, place->path), 0);
	assert_true(recording_writer_new(place->path, &writer) < 0);
	assert_null(writer);
	assert_int_equal(access(place->older, F_OK), -1);
}

static void test_chunk_file__a_place_that_cannot_be_written_is_known_at_once(void **state)
{
	struct recording_writer *writer = NULL;

	assert_int_equal(recording_writer_new("/nonexistent/folder/x.rec", &writer), -ENOENT);
	assert_int_equal(recording_writer_new("/dev/full", &writer), -ENOSPC);
	assert_null(writer);
}

static void test_chunk_file__a_full_disk_leaves_what_was_flushed_before(void **state)
{
	const struct place *place = *state;
	struct recording_writer *writer = start(place->path);
	struct rlimit old, tight;
	struct recording_tables tables;
	uint64_t ignored, good, seed = 7;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	char name[64], *bytes;
	size_t size;
	bool whole;

	add_container(writer, "web", 1);
	add_sample(writer, 0, add_stack(writer, RECORDING_STACK_ROOT, add_frame(writer, FRAME_USER, "main")), 5);
	assert_int_equal(recording_writer_flush(writer), 0);
	good = recording_writer_bytes(writer);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%llx", (unsigned long long)random_of(&seed));
		add_frame(writer, FRAME_USER, name);
	}

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = good + 1000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(recording_writer_flush(writer), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, handler);

	/* There is room again, but what comes now could refer to rows that are not on disk. */
	add_sample(writer, 0, 0, 7);
	assert_int_equal(recording_writer_flush(writer), -EFBIG);
	assert_int_equal(recording_writer_finish(writer), -EFBIG);
	assert_int_equal(recording_writer_bytes(writer), good);
	recording_writer_free(writer);

	bytes = slurp(place->path, &size);
	assert_int_equal(size, good);
	assert_int_equal(read_bytes(bytes, size, &tables, &whole, &ignored), 0);
	assert_false(whole);
	assert_int_equal(ignored, 0);
	assert_int_equal(tables.samples.count, 1);
	assert_int_equal(tables.samples.items[0].count, 5);
	recording_tables_deinit(&tables);
	free(bytes);
}

static void test_chunk_file__dev_null_is_written_to_and_stays(void **state)
{
	struct stat status;
	long ends[5];

	write_small("/dev/null", ends);
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	assert_int_equal(access("/dev/null.old", F_OK), -1);
}

static void *write_into_pipe(void *path)
{
	long ends[5];

	write_small(path, ends);
	return NULL;
}

static void test_chunk_file__a_pipe_is_written_and_read(void **state)
{
	struct place *place = *state;
	struct recording_tables tables;
	struct recording_end end;
	pthread_t thread;
	FILE *file;

	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_into_pipe, place->path), 0);
	file = fopen(place->path, "re");
	assert_non_null(file);
	assert_int_equal(recording_tables_init(&tables), 0);
	assert_int_equal(recording_read(file, RECORDING_ALL, RECORDING_MEMORY_BYTES_MAX, &tables, &end), 0);
	assert_true(end.whole);
	assert_int_equal(tables.samples.count, 3);
	assert_int_equal(pthread_join(thread, NULL), 0);
	recording_tables_deinit(&tables);
	fclose(file);
}

static void test_chunk_file__standard_output_keeps_what_stood_before(void **state)
{
	const struct place *place = *state;
	int saved = dup(STDOUT_FILENO), fd = open(place->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	long ends[5];
	char before[6];

	assert_true(saved >= 0 && fd >= 0);
	assert_int_equal(write(fd, "before", 6), 6);
	fflush(stdout);
	assert_true(dup2(fd, STDOUT_FILENO) >= 0);
	write_small("-", ends);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 6 + ends[4]);
	assert_int_equal(pread(fd, before, 6, 0), 6);
	assert_memory_equal(before, "before", 6);
	close(fd);
	close(saved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_chunk_file__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_older_file_is_kept_beside),
		TEST(a_dangling_link_is_not_written_through),
		TEST(a_place_that_cannot_be_written_is_known_at_once),
		TEST(a_full_disk_leaves_what_was_flushed_before),
		TEST(dev_null_is_written_to_and_stays),
		TEST(a_pipe_is_written_and_read),
		TEST(standard_output_keeps_what_stood_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
