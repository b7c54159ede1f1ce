/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * small_recording: for tests of the file format: a folder, rows by hand, a small recording whose every byte is known, and
 * reading it from memory. Include it after cmocka.h. Of a whole profile: recordings.h.
 */
#ifndef STOKER_TEST_SMALL_RECORDING_H
#define STOKER_TEST_SMALL_RECORDING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/recording/recording_format.h"
#include "profiler/recording/recording_reader.h"
#include "profiler/recording/recording_writer.h"

struct place {
	char folder[32];
	char path[64];
	char older[72];
};

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	unlink(place->older);
	assert_int_equal(rmdir(place->folder), 0);
	free(place);
	return 0;
}

static inline string_id text(struct recording_writer *writer, const char *string)
{
	string_id id;

	assert_int_equal(recording_writer_string(writer, string, strlen(string), &id), 0);
	return id;
}

static inline uint32_t add_frame(struct recording_writer *writer, uint8_t kind, const char *name)
{
	struct recording_frame row = {.kind = kind, .named = name[0] != '[', .name = text(writer, name)};
	uint32_t number;

	assert_int_equal(recording_writer_frame(writer, &row, &number), 0);
	return number;
}

static inline uint32_t add_stack(struct recording_writer *writer, uint32_t parent, uint32_t frame)
{
	struct recording_stack row = {parent, frame};
	uint32_t number;

	assert_int_equal(recording_writer_stack(writer, &row, &number), 0);
	return number;
}

static inline void add_container(struct recording_writer *writer, const char *name, uint64_t cgroup)
{
	struct recording_container row = {.kind = CONTAINER_CONTAINER, .name = text(writer, name), .cgroup_id = cgroup};
	struct recording_process process = {.tgid = 100, .start_ns = UINT64_MAX, .comm = text(writer, "main")};
	struct recording_thread thread = {.tid = 101, .comm = text(writer, "worker")};
	uint32_t number;

	assert_int_equal(recording_writer_container(writer, &row, &number), 0);
	assert_int_equal(recording_writer_process(writer, &process, &thread.process), 0);
	assert_int_equal(recording_writer_thread(writer, &thread, &number), 0);
}

static inline void add_sample(struct recording_writer *writer, uint32_t row, uint32_t stack, uint64_t count)
{
	struct recording_sample sample = {.stack_end = STACK_COMPLETE,
					  .container = row,
					  .thread = row,
					  .stack = stack,
					  .time_ns = count * 1000,
					  .count = count};

	assert_int_equal(recording_writer_sample(writer, &sample), 0);
}

static inline void add_account(struct recording_writer *writer, uint32_t container, uint64_t kept)
{
	struct recording_accounting row = {.container = container, .taken = kept, .kept = kept};

	assert_int_equal(recording_writer_accounting(writer, &row), 0);
}

static inline struct recording_writer *start(const char *path)
{
	struct recording_writer *writer;

	assert_int_equal(recording_writer_new(path, &writer), 0);
	return writer;
}

/* Three flushes; the second one knows the frames of the first, the third redefines. Ends where the chunks end. */
static inline void write_small(const char *path, long ends[5])
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

static inline char *slurp(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	char *bytes = malloc(1 << 20);

	assert_non_null(file);
	assert_non_null(bytes);
	*ret_size = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return bytes;
}

static inline int read_bytes(const void *bytes, size_t size, struct recording_tables *tables, bool *whole,
			     uint64_t *ignored)
{
	FILE *file = size ? fmemopen((void *)bytes, size, "r") : fopen("/dev/null", "re");
	struct recording_end end = {0};
	int err;

	assert_non_null(file);
	assert_int_equal(recording_tables_init(tables), 0);
	err = recording_read(file, RECORDING_ALL, RECORDING_MEMORY_BYTES_MAX, tables, &end);
	*whole = end.whole;
	*ignored = end.ignored;
	fclose(file);
	return err;
}

static inline const char *container_name(const struct recording_tables *tables, size_t row)
{
	return string_table_text(&tables->strings, tables->containers.items[row].name);
}

static inline uint64_t random_of(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

#endif
