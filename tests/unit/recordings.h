/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recordings: for tests: small recordings, written and loaded again in a few lines. Include it after cmocka.h.
 */
#ifndef STOKER_TEST_RECORDINGS_H
#define STOKER_TEST_RECORDINGS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/profile/profile.h"
#include "profiler/recording/recording_writer.h"

struct maker {
	char path[64];
	struct recording_writer *writer;
	struct recording_accounting total;
};

static inline string_id maker_text(struct maker *maker, const char *text)
{
	string_id id;

	assert_int_equal(recording_writer_string(maker->writer, text, strlen(text), &id), 0);
	return id;
}

static inline void maker_start(struct maker *maker)
{
	int fd;

	memset(maker, 0, sizeof(*maker));
	snprintf(maker->path, sizeof(maker->path), "/tmp/stoker-test-XXXXXX");
	fd = mkstemp(maker->path);
	assert_true(fd >= 0);
	close(fd);
	unlink(maker->path);
	assert_int_equal(recording_writer_new(maker->path, &maker->writer), 0);
	maker->total.container = RECORDING_TOTAL;
}

static inline void maker_fact(struct maker *maker, const char *key, const char *value)
{
	assert_int_equal(recording_writer_fact(maker->writer, key, value), 0);
}

/* A container with one process and one thread, all of the same row number. */
static inline uint32_t maker_container(struct maker *maker, uint8_t kind, const char *name, const char *id,
				       const char *pod)
{
	struct recording_container row = {.kind = kind,
					  .name = maker_text(maker, name),
					  .id = maker_text(maker, id),
					  .pod = maker_text(maker, pod),
					  .cgroup = maker_text(maker, "/same")};
	struct recording_process process = {.comm = maker_text(maker, "app")};
	struct recording_thread thread = {.comm = maker_text(maker, "worker")};
	uint32_t number, same;

	assert_int_equal(recording_writer_container(maker->writer, &row, &number), 0);
	process.tgid = 100 + number;
	assert_int_equal(recording_writer_process(maker->writer, &process, &thread.process), 0);
	thread.tid = 200 + number;
	assert_int_equal(recording_writer_thread(maker->writer, &thread, &same), 0);
	assert_int_equal(number, same);
	return number;
}

/*
 * @stack: "main;loop;k:do_syscall_64;k:__x64_sys_read", root first; "k:" is a kernel frame, "p:" one of
 * Python, a name in brackets is a reason
 */
static inline void maker_sample(struct maker *maker, uint32_t container, const char *stack, uint64_t count)
{
	char copy[8192], *rest = copy, *name;
	struct recording_sample sample = {.container = container,
					  .thread = container,
					  .stack = RECORDING_STACK_ROOT,
					  .count = count,
					  .time_ns = 1000000000};

	assert_true(strlen(stack) < sizeof(copy));
	snprintf(copy, sizeof(copy), "%s", stack);
	while (*stack && (name = strsep(&rest, ";")) != NULL) {
		bool kernel = !strncmp(name, "k:", 2), python = !strncmp(name, "p:", 2);
		struct recording_frame frame = {.kind = kernel ? FRAME_KERNEL : python ? FRAME_PYTHON : FRAME_USER};
		struct recording_stack step = {.parent = sample.stack};

		name += kernel || python ? 2 : 0;
		frame.named = *name != '[';
		frame.name = maker_text(maker, name);
		if (!kernel)
			sample.stack_end = STACK_COMPLETE;
		assert_int_equal(recording_writer_frame(maker->writer, &frame, &step.frame), 0);
		assert_int_equal(recording_writer_stack(maker->writer, &step, &sample.stack), 0);
	}
	maker->total.taken += count;
	maker->total.kept += count;
	assert_int_equal(recording_writer_sample(maker->writer, &sample), 0);
}

/* Writes the account, the end, and reads it again: what is wanted of it (enum recording_wants). */
static inline struct profile *maker_load_some(struct maker *maker, unsigned int wants)
{
	struct profile *profile = NULL;
	char error[256] = "";

	assert_int_equal(recording_writer_accounting(maker->writer, &maker->total), 0);
	assert_int_equal(recording_writer_finish(maker->writer), 0);
	recording_writer_free(maker->writer);
	if (profile_load(maker->path, wants, &profile, error, sizeof(error)))
		fail_msg("%s", error);
	unlink(maker->path);
	return profile;
}

static inline struct profile *maker_load(struct maker *maker)
{
	return maker_load_some(maker, RECORDING_ALL);
}

#endif
