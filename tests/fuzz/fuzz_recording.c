/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_recording: hostile recordings (recording_input.h). Every number of a row that was read has a row behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/recording/recording_reader.h"
#include "tests/fuzz/recording_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t use_later(const struct recording_tables *tables)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < tables->calls.count; i++)
		sum += tables->containers.items[tables->calls.items[i].container].kind +
		       (uint64_t)string_table_text(&tables->strings, tables->calls.items[i].name)[0];
	for (size_t i = 0; i < tables->times.count; i++)
		sum += tables->containers.items[tables->times.items[i].container].kind;
	for (size_t i = 0; i < tables->sample_calls.count; i++)
		sum += tables->samples.items[tables->sample_calls.items[i].sample].count;
	for (size_t i = 0; i < tables->series.count; i++)
		if (tables->series.items[i].container != SERIES_HOST)
			sum += tables->containers.items[tables->series.items[i].container].kind;
	return sum;
}

static uint64_t use_reference(const struct recording_tables *tables, uint32_t container, uint32_t thread,
			      uint32_t stack)
{
	uint64_t sum = 0;

	if (container != RECORDING_NONE)
		sum += tables->containers.items[container].kind;
	if (thread != RECORDING_NONE)
		sum += tables->threads.items[thread].tid;
	if (stack != RECORDING_STACK_ROOT)
		sum += tables->stacks.items[stack].frame;
	return sum;
}

static uint64_t use_waits(const struct recording_tables *tables)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < tables->waits.count; i++) {
		const struct recording_wait *wait = &tables->waits.items[i];

		sum += tables->containers.items[wait->container].kind;
		sum += use_reference(tables, wait->waker_container, wait->thread, wait->stack) +
		       use_reference(tables, RECORDING_NONE, wait->waker_thread, wait->waker_stack);
	}
	for (size_t i = 0; i < tables->queues.count; i++)
		sum += tables->containers.items[tables->queues.items[i].container].kind +
		       use_reference(tables, tables->queues.items[i].culprit, RECORDING_NONE, RECORDING_STACK_ROOT);
	for (size_t i = 0; i < tables->locks.count; i++) {
		const struct recording_lock *lock = &tables->locks.items[i];

		sum += tables->containers.items[lock->container].kind;
		sum += use_reference(tables, lock->owner_container, lock->thread, lock->stack) +
		       use_reference(tables, lock->waker_container, lock->waker_thread, lock->waker_stack) +
		       use_reference(tables, RECORDING_NONE, lock->owner_thread, lock->owner_stack) +
		       (uint64_t)string_table_text(&tables->strings, lock->name)[0];
	}
	for (size_t i = 0; i < tables->holds.count; i++)
		sum += use_reference(tables, tables->holds.items[i].container, RECORDING_NONE, RECORDING_STACK_ROOT) +
		       (uint64_t)string_table_text(&tables->strings, tables->holds.items[i].name)[0];
	return sum;
}

/* Everything that a reader may rely on. */
static void use(const struct recording_tables *tables)
{
	volatile uint64_t sum = 0;

	for (size_t i = 0; i < tables->containers.count; i++)
		sum += string_table_text(&tables->strings, tables->containers.items[i].name)[0];
	for (size_t i = 0; i < tables->threads.count; i++)
		sum += tables->processes.items[tables->threads.items[i].process].tgid;
	for (size_t i = 0; i < tables->stacks.count; i++) {
		if (tables->stacks.items[i].parent != RECORDING_STACK_ROOT && tables->stacks.items[i].parent >= i)
			abort();
		sum += tables->frames.items[tables->stacks.items[i].frame].named;
	}
	for (size_t i = 0; i < tables->samples.count; i++) {
		const struct recording_sample *sample = &tables->samples.items[i];

		sum += tables->containers.items[sample->container].kind + tables->threads.items[sample->thread].tid;
		if (sample->stack != RECORDING_STACK_ROOT)
			sum += tables->stacks.items[sample->stack].frame;
	}
	sum += use_later(tables) + use_waits(tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recording_tables tables;
	struct recording_end end;
	char *bytes = NULL;
	size_t length = 0;
	FILE *file;

	if (!size)
		return 0;
	file = open_memstream(&bytes, &length);
	recording_input_write(file, data, size);
	fclose(file);
	if (length && !recording_tables_init(&tables)) {
		file = fmemopen(bytes, length, "r");
		if (!recording_read(file, RECORDING_ALL, RECORDING_MEMORY_BYTES_MAX, &tables, &end) &&
		    end.ignored > length)
			abort();
		use(&tables);
		fclose(file);
		recording_tables_deinit(&tables);
	}
	free(bytes);
	return 0;
}
