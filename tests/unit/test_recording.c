/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/recording/recording_format.h"
#include "profiler/recording/recording_reader.h"
#include "profiler/recording/recording_writer.h"

struct place {
	char folder[32];
	char path[64];
	char older[72];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->folder, sizeof(place->folder), "/tmp/stoker-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/test.rec", place->folder);
	snprintf(place->older, sizeof(place->older), "%s.old", place->path);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	unlink(place->older);
	assert_int_equal(rmdir(place->folder), 0);
	free(place);
	return 0;
}

static string_id text(struct recording_writer *writer, const char *string)
{
	string_id id;

	assert_int_equal(recording_writer_string(writer, string, strlen(string), &id), 0);
	return id;
}

static uint32_t add_frame(struct recording_writer *writer, uint8_t kind, const char *name)
{
	struct recording_frame row = {.kind = kind, .named = name[0] != '[', .name = text(writer, name)};
	uint32_t number;

	assert_int_equal(recording_writer_frame(writer, &row, &number), 0);
	return number;
}

static uint32_t add_stack(struct recording_writer *writer, uint32_t parent, uint32_t frame)
{
	struct recording_stack row = {parent, frame};
	uint32_t number;

	assert_int_equal(recording_writer_stack(writer, &row, &number), 0);
	return number;
}

static void add_container(struct recording_writer *writer, const char *name, uint64_t cgroup)
{
	struct recording_container row = {.kind = CONTAINER_CONTAINER, .name = text(writer, name), .cgroup_id = cgroup};
	struct recording_process process = {.tgid = 100, .start_ns = UINT64_MAX, .comm = text(writer, "main")};
	struct recording_thread thread = {.tid = 101, .comm = text(writer, "worker")};
	uint32_t number;

	assert_int_equal(recording_writer_container(writer, &row, &number), 0);
	assert_int_equal(recording_writer_process(writer, &process, &thread.process), 0);
	assert_int_equal(recording_writer_thread(writer, &thread, &number), 0);
}

static void add_sample(struct recording_writer *writer, uint32_t row, uint32_t stack, uint64_t count)
{
	struct recording_sample sample = {.stack_end = STACK_COMPLETE,
					  .container = row,
					  .thread = row,
					  .stack = stack,
					  .time_ns = count * 1000,
					  .count = count};

	assert_int_equal(recording_writer_sample(writer, &sample), 0);
}

static void add_account(struct recording_writer *writer, uint32_t container, uint64_t kept)
{
	struct recording_accounting row = {.container = container, .taken = kept, .kept = kept};

	assert_int_equal(recording_writer_accounting(writer, &row), 0);
}

static struct recording_writer *start(const char *path)
{
	struct recording_writer *writer;

	assert_int_equal(recording_writer_new(path, &writer), 0);
	return writer;
}

/* Three flushes; the second one knows the frames of the first, the third redefines. Ends where the chunks end. */
static void write_small(const char *path, long ends[5])
{
	struct recording_writer *writer = start(path);
	struct recording_container renamed = {.kind = CONTAINER_CONTAINER};
	struct recording_frame named = {.kind = FRAME_JIT, .named = true};
	uint32_t main_frame, loop, alone, stack;

	ends[0] = (long)recording_writer_bytes(writer);
	assert_int_equal(recording_writer_fact(writer, "host.name", "here"), 0);
	add_container(writer, "web", 7);
	main_frame = add_frame(writer, FRAME_USER, "main");
	stack = add_stack(writer, RECORDING_STACK_ROOT, main_frame);
	add_sample(writer, 0, stack, 3);
	add_sample(writer, 0, RECORDING_STACK_ROOT, 1);
	add_account(writer, RECORDING_TOTAL, 4);
	assert_int_equal(recording_writer_flush(writer), 0);
	ends[1] = (long)recording_writer_bytes(writer);

	add_container(writer, "batch", 8);
	loop = add_frame(writer, FRAME_USER, "loop");
	assert_int_equal(add_frame(writer, FRAME_USER, "main"), main_frame);
	assert_int_equal(add_stack(writer, RECORDING_STACK_ROOT, main_frame), stack);
	named.name = text(writer, "[jit: no map]");
	named.named = false;
	assert_int_equal(recording_writer_frame_alone(writer, &named, &alone), 0);
	add_sample(writer, 1, add_stack(writer, add_stack(writer, stack, loop), alone), 5);
	add_account(writer, RECORDING_TOTAL, 9);
	assert_int_equal(recording_writer_flush(writer), 0);
	ends[2] = (long)recording_writer_bytes(writer);

	named.name = text(writer, "LazyCompile:~f");
	named.named = true;
	assert_int_equal(recording_writer_redefine_frame(writer, alone, &named), 0);
	renamed.name = text(writer, "shop");
	assert_int_equal(recording_writer_redefine_container(writer, 0, &renamed), 0);
	assert_int_equal(recording_writer_flush(writer), 0);
	ends[3] = (long)recording_writer_bytes(writer);
	assert_int_equal(recording_writer_flush(writer), 0);
	assert_int_equal(recording_writer_bytes(writer), ends[3]);
	assert_int_equal(recording_writer_finish(writer), 0);
	ends[4] = (long)recording_writer_bytes(writer);
	recording_writer_free(writer);
}

static char *slurp(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	char *bytes = malloc(1 << 20);

	assert_non_null(file);
	assert_non_null(bytes);
	*ret_size = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return bytes;
}

static int read_bytes(const void *bytes, size_t size, struct recording_tables *tables, bool *whole, uint64_t *ignored)
{
	FILE *file = size ? fmemopen((void *)bytes, size, "r") : fopen("/dev/null", "re");
	int err;

	assert_non_null(file);
	assert_int_equal(recording_tables_init(tables), 0);
	*whole = false;
	*ignored = 0;
	err = recording_read(file, tables, whole, ignored);
	fclose(file);
	return err;
}

static const char *container_name(const struct recording_tables *tables, size_t row)
{
	return string_table_text(&tables->strings, tables->containers.items[row].name);
}

static void test_recording__what_was_written_is_read(void **state)
{
	const struct place *place = *state;
	struct recording_tables tables;
	uint64_t ignored;
	long ends[5];
	size_t size;
	bool whole;
	char *bytes;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	assert_int_equal(size, ends[4]);
	assert_int_equal(read_bytes(bytes, size, &tables, &whole, &ignored), 0);
	assert_true(whole);
	assert_int_equal(ignored, 0);
	assert_int_equal(tables.containers.count, 2);
	assert_string_equal(container_name(&tables, 0), "shop");
	assert_string_equal(container_name(&tables, 1), "batch");
	assert_int_equal(tables.containers.items[1].cgroup_id, 8);
	assert_int_equal(tables.processes.items[1].start_ns, UINT64_MAX);
	assert_int_equal(tables.threads.items[1].process, 1);
	assert_int_equal(tables.frames.count, 3);
	assert_string_equal(string_table_text(&tables.strings, tables.frames.items[2].name), "LazyCompile:~f");
	assert_true(tables.frames.items[2].named);
	assert_int_equal(tables.stacks.count, 3);
	assert_int_equal(tables.stacks.items[2].parent, 1);
	assert_int_equal(tables.samples.count, 3);
	assert_int_equal(tables.samples.items[1].stack, RECORDING_STACK_ROOT);
	assert_int_equal(tables.samples.items[2].count, 5);
	assert_int_equal(tables.samples.items[2].time_ns, 5000);
	assert_int_equal(tables.accounting.items[1].kept, 9);
	recording_tables_deinit(&tables);
	free(bytes);
}

static void test_recording__cut_at_any_byte_it_is_read_up_to_its_last_whole_chunk(void **state)
{
	static const size_t samples_after[] = {0, 2, 3, 3, 3};
	const struct place *place = *state;
	long ends[5];
	size_t size;
	char *bytes;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	for (size_t cut = 0; cut <= size; cut++) {
		struct recording_tables tables;
		uint64_t ignored;
		bool whole;
		int err = read_bytes(bytes, cut, &tables, &whole, &ignored), chunks = 0;

		if (cut < RECORDING_MAGIC_BYTES) {
			assert_int_equal(err, cut ? -EBADMSG : -ENODATA);
		} else if (cut < sizeof(struct recording_file_header)) {
			assert_int_equal(err, 0);
			assert_int_equal(ignored, cut);
		} else {
			while (chunks < 4 && ends[chunks + 1] <= (long)cut)
				chunks++;
			assert_int_equal(err, 0);
			assert_int_equal(whole, cut == size);
			assert_int_equal(tables.samples.count, samples_after[chunks]);
			assert_int_equal(ignored, (long)cut - ends[chunks]);
		}
		recording_tables_deinit(&tables);
	}
	free(bytes);
}

static void test_recording__a_changed_byte_is_noticed_wherever_it_is(void **state)
{
	const struct place *place = *state;
	long ends[5];
	size_t size;
	char *bytes;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	for (size_t at = 0; at < size; at++) {
		struct recording_tables tables;
		uint64_t ignored;
		bool whole;
		int err;

		bytes[at] ^= 0x20;
		err = read_bytes(bytes, size, &tables, &whole, &ignored);
		if (at < RECORDING_MAGIC_BYTES)
			assert_int_equal(err, -EBADMSG);
		else if (at < sizeof(struct recording_file_header))
			assert_int_equal(err, -EPROTO);
		else
			assert_true(!err && !whole && ignored > 0);
		bytes[at] ^= 0x20;
		recording_tables_deinit(&tables);
	}
	free(bytes);
}

static void test_recording__bytes_after_the_end_are_reported_and_do_no_harm(void **state)
{
	const struct place *place = *state;
	struct recording_tables tables;
	uint64_t ignored;
	long ends[5];
	size_t size;
	char *bytes;
	bool whole;

	write_small(place->path, ends);
	bytes = slurp(place->path, &size);
	memcpy(bytes + size, bytes, size);
	assert_int_equal(read_bytes(bytes, 2 * size, &tables, &whole, &ignored), 0);
	assert_true(whole);
	assert_int_equal(ignored, size);
	assert_int_equal(tables.samples.count, 3);
	recording_tables_deinit(&tables);
	free(bytes);
}

static void test_recording__what_is_none_is_refused(void **state)
{
	static const char garbage[] = "#!/bin/sh\necho this is no recording at all\n";
	struct recording_file_header newer = {.magic = RECORDING_MAGIC, .version = RECORDING_VERSION + 1};
	struct recording_tables tables;
	uint64_t ignored;
	bool whole;

	assert_int_equal(read_bytes(garbage, sizeof(garbage), &tables, &whole, &ignored), -EBADMSG);
	recording_tables_deinit(&tables);
	assert_int_equal(read_bytes(&newer, sizeof(newer), &tables, &whole, &ignored), -EPROTO);
	recording_tables_deinit(&tables);
}

/* A writer lets any number pass: the references are the reader's to check. */
static void expect_refused(const struct place *place, void (*add_bad)(struct recording_writer *writer))
{
	struct recording_writer *writer = start(place->path);
	struct recording_tables tables;
	uint64_t ignored;
	size_t size;
	bool whole;
	char *bytes;

	add_container(writer, "web", 1);
	add_stack(writer, RECORDING_STACK_ROOT, add_frame(writer, FRAME_USER, "main"));
	add_sample(writer, 0, 0, 1);
	assert_int_equal(recording_writer_flush(writer), 0);
	add_sample(writer, 0, 0, 2);
	add_bad(writer);
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	bytes = slurp(place->path, &size);
	assert_int_equal(read_bytes(bytes, size, &tables, &whole, &ignored), 0);
	assert_false(whole);
	assert_true(ignored > 0);
	assert_int_equal(tables.samples.count, 1);
	assert_string_equal(container_name(&tables, 0), "web");
	recording_tables_deinit(&tables);
	free(bytes);
}

static void bad_container(struct recording_writer *writer)
{
	add_sample(writer, 1, 0, 1);
}

static void bad_stack(struct recording_writer *writer)
{
	add_sample(writer, 0, 1, 1);
}

static void own_parent(struct recording_writer *writer)
{
	add_stack(writer, 1, 0);
}

static void bad_frame(struct recording_writer *writer)
{
	add_stack(writer, 0, 1);
}

static void bad_string(struct recording_writer *writer)
{
	struct recording_frame row = {.name = 4000};
	uint32_t number;

	assert_int_equal(recording_writer_frame(writer, &row, &number), 0);
}

static void bad_process(struct recording_writer *writer)
{
	struct recording_thread row = {.process = 9};
	uint32_t number;

	assert_int_equal(recording_writer_thread(writer, &row, &number), 0);
}

static void bad_account(struct recording_writer *writer)
{
	add_account(writer, 3, 1);
}

static void bad_redefinitions(struct recording_writer *writer)
{
	struct recording_container container = {.name = text(writer, "never seen")};
	struct recording_frame frame = {.kind = FRAME_USER};

	/* The good one goes with the bad one: a chunk counts as a whole or not at all. */
	assert_int_equal(recording_writer_redefine_container(writer, 0, &container), 0);
	assert_int_equal(recording_writer_redefine_frame(writer, 77, &frame), 0);
}

static void test_recording__a_row_that_refers_to_nothing_voids_its_chunk(void **state)
{
	expect_refused(*state, bad_container);
	expect_refused(*state, bad_stack);
	expect_refused(*state, own_parent);
	expect_refused(*state, bad_frame);
	expect_refused(*state, bad_string);
	expect_refused(*state, bad_process);
	expect_refused(*state, bad_account);
	expect_refused(*state, bad_redefinitions);
}

static void test_recording__a_large_flush_becomes_several_chunks(void **state)
{
	const struct place *place = *state;
	struct recording_writer *writer = start(place->path);
	struct recording_tables tables;
	char name[2048];
	uint32_t stack;
	uint64_t ignored, state_of = 88172645463325252ull, sum = 0;
	size_t wanted = 700000;
	bool whole;
	FILE *file;

	add_container(writer, "web", 1);
	memset(name, 'n', sizeof(name));
	for (int i = 0; i < 6000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		name[strlen(name)] = 'n';
		name[sizeof(name) - 1] = '\0';
		stack = add_stack(writer, RECORDING_STACK_ROOT, add_frame(writer, FRAME_USER, name));
	}
	for (size_t i = 0; i < wanted; i++) {
		state_of ^= state_of << 13;
		state_of ^= state_of >> 7;
		state_of ^= state_of << 17;
		add_sample(writer, 0, stack - (uint32_t)(state_of % 6000), state_of >> 40);
		sum += state_of >> 40;
	}
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	file = fopen(place->path, "re");
	assert_non_null(file);
	assert_int_equal(recording_tables_init(&tables), 0);
	assert_int_equal(recording_read(file, &tables, &whole, &ignored), 0);
	fclose(file);
	assert_true(whole);
	assert_int_equal(tables.frames.count, 6000);
	assert_int_equal(tables.samples.count, wanted);
	for (size_t i = 0; i < wanted; i++)
		sum -= tables.samples.items[i].count;
	assert_int_equal(sum, 0);
	recording_tables_deinit(&tables);
}

static uint64_t random_of(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Four busy containers on two CPUs for a minute: 99 ticks a second each, and new stacks in every one of 20 flushes. */
static void test_recording__a_minute_of_two_busy_cpus_takes_less_than_300_kB(void **state)
{
	const struct place *place = *state;
	struct recording_writer *writer = start(place->path);
	uint32_t frames[600], stack;
	uint64_t seed = 42;
	char name[96];

	for (int i = 0; i < 4; i++)
		add_container(writer, "container", (uint64_t)i << 20);
	for (int flush = 0; flush < 20; flush++) {
		for (int i = flush * 30; i < flush * 30 + 30; i++) {
			snprintf(name, sizeof(name),
				 "engine::part_%llx::operation_%d(unsigned long, std::string const&)",
				 (unsigned long long)random_of(&seed) & 0xffff, i);
			frames[i] = add_frame(writer, i % 3 ? FRAME_USER : FRAME_KERNEL, name);
		}
		for (int i = 0; i < 594; i++) {
			uint64_t depth = 10 + random_of(&seed) % 20, width = (uint64_t)flush * 30 + 30;

			stack = RECORDING_STACK_ROOT;
			for (uint64_t d = 0; d < depth; d++)
				stack = add_stack(writer, stack,
						  frames[(d < 8 ? d : d * 7 + random_of(&seed) % 4) % width]);
			add_sample(writer, (uint32_t)(random_of(&seed) % 4), stack, 1);
		}
		for (uint32_t i = 0; i < 4; i++)
			add_account(writer, i, (uint64_t)flush * 99);
		assert_int_equal(recording_writer_flush(writer), 0);
	}
	assert_int_equal(recording_writer_finish(writer), 0);
	print_message("a minute: %llu bytes\n", (unsigned long long)recording_writer_bytes(writer));
	assert_true(recording_writer_bytes(writer) < 300000);
	recording_writer_free(writer);
}

static void test_recording__an_older_file_is_kept_beside(void **state)
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

static void test_recording__a_dangling_link_is_not_written_through(void **state)
{
	const struct place *place = *state;
	struct recording_writer *writer = NULL;

	assert_int_equal(symlink(place->older, place->path), 0);
	assert_true(recording_writer_new(place->path, &writer) < 0);
	assert_null(writer);
	assert_int_equal(access(place->older, F_OK), -1);
}

static void test_recording__a_place_that_cannot_be_written_is_known_at_once(void **state)
{
	struct recording_writer *writer = NULL;

	assert_int_equal(recording_writer_new("/nonexistent/folder/x.rec", &writer), -ENOENT);
	assert_int_equal(recording_writer_new("/dev/full", &writer), -ENOSPC);
	assert_null(writer);
}

static void test_recording__a_full_disk_leaves_what_was_flushed_before(void **state)
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

static void test_recording__dev_null_is_written_to_and_stays(void **state)
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

static void test_recording__a_pipe_is_written_and_read(void **state)
{
	struct place *place = *state;
	struct recording_tables tables;
	uint64_t ignored;
	pthread_t thread;
	bool whole;
	FILE *file;

	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_into_pipe, place->path), 0);
	file = fopen(place->path, "re");
	assert_non_null(file);
	assert_int_equal(recording_tables_init(&tables), 0);
	assert_int_equal(recording_read(file, &tables, &whole, &ignored), 0);
	assert_true(whole);
	assert_int_equal(tables.samples.count, 3);
	assert_int_equal(pthread_join(thread, NULL), 0);
	recording_tables_deinit(&tables);
	fclose(file);
}

static void test_recording__standard_output_keeps_what_stood_before(void **state)
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

static void test_recording__varints_hold_every_number(void **state)
{
	static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)INT64_MAX, UINT64_MAX};
	static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1};
	const uint8_t *at = endless;
	uint64_t number;

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		uint8_t bytes[10];
		size_t length = varint_write(bytes, numbers[i]);

		at = bytes;
		assert_true(varint_read(&at, bytes + length, &number));
		assert_ptr_equal(at, bytes + length);
		assert_true(number == numbers[i]);
		at = bytes;
		assert_false(varint_read(&at, bytes + length - 1, &number));
		assert_true(unzigzag(zigzag((int64_t)numbers[i])) == (int64_t)numbers[i]);
	}
	at = endless;
	assert_false(varint_read(&at, endless + sizeof(endless), &number));
}

/* Two containers, three places, twenty flushes; and waits, whose rows are nobody's here. */
static void test_recording__samples_alone_are_read_as_one_row_a_place(void **state)
{
	struct place *place = *state;
	struct recording_writer *writer = start(place->path);
	struct recording_tables tables;
	uint64_t ignored, sums[3] = {0};
	bool others, whole;
	uint32_t stack;
	FILE *file;

	add_container(writer, "web", 7);
	add_container(writer, "db", 8);
	stack = add_stack(writer, RECORDING_STACK_ROOT, add_frame(writer, FRAME_USER, "main"));
	for (uint64_t i = 1; i <= 20; i++) {
		struct recording_wait wait = {.stack = stack, .waker_thread = RECORDING_NONE, .waker_stack = stack};

		add_sample(writer, 0, stack, i);
		add_sample(writer, 1, stack, 10 * i);
		add_sample(writer, 0, RECORDING_STACK_ROOT, 100 * i);
		assert_int_equal(recording_writer_sample_call(writer, text(writer, "read")), 0);
		wait.waker_container = RECORDING_NONE;
		assert_int_equal(recording_writer_wait(writer, &wait), 0);
		assert_int_equal(recording_writer_flush(writer), 0);
	}
	assert_int_equal(recording_writer_finish(writer), 0);
	recording_writer_free(writer);

	file = fopen(place->path, "re");
	assert_non_null(file);
	assert_int_equal(recording_tables_init(&tables), 0);
	assert_int_equal(recording_read_samples(file, &tables, &others, &whole, &ignored), 0);
	fclose(file);
	assert_true(whole);
	assert_true(others);
	assert_int_equal(tables.samples.count, 3);
	assert_int_equal(tables.waits.count + tables.threads.count + tables.sample_calls.count, 0);
	for (size_t i = 0; i < 3; i++)
		sums[i] = tables.samples.items[i].count;
	assert_int_equal(sums[0], 210);
	assert_int_equal(sums[1], 2100);
	assert_int_equal(sums[2], 21000);
	assert_int_equal(tables.samples.items[2].time_ns, 2000 * 1000);
	assert_int_equal(tables.samples.items[1].container, 1);
	recording_tables_deinit(&tables);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_recording__##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(cut_at_any_byte_it_is_read_up_to_its_last_whole_chunk),
		TEST(a_changed_byte_is_noticed_wherever_it_is),
		TEST(bytes_after_the_end_are_reported_and_do_no_harm),
		TEST(what_is_none_is_refused),
		TEST(a_row_that_refers_to_nothing_voids_its_chunk),
		TEST(a_large_flush_becomes_several_chunks),
		TEST(a_minute_of_two_busy_cpus_takes_less_than_300_kB),
		TEST(an_older_file_is_kept_beside),
		TEST(a_dangling_link_is_not_written_through),
		TEST(a_place_that_cannot_be_written_is_known_at_once),
		TEST(a_full_disk_leaves_what_was_flushed_before),
		TEST(dev_null_is_written_to_and_stays),
		TEST(a_pipe_is_written_and_read),
		TEST(standard_output_keeps_what_stood_before),
		TEST(samples_alone_are_read_as_one_row_a_place),
		TEST(varints_hold_every_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
