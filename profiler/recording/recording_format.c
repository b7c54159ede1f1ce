/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/recording_format.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "symbolizer/base/sums.h"

#define FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define NUMBER(type, field)                                                \
	{                                                                  \
		FIELD(type, field), false, REFERS_TO_NOTHING, false, false \
	}
#define DIFFERENCE(type, field)                                           \
	{                                                                 \
		FIELD(type, field), true, REFERS_TO_NOTHING, false, false \
	}
#define FLAG(type, field)                                                 \
	{                                                                 \
		FIELD(type, field), false, REFERS_TO_NOTHING, false, true \
	}
#define STRING(type, field)                                            \
	{                                                              \
		FIELD(type, field), false, TABLE_STRINGS, false, false \
	}
#define ROW_OF(table, type, field)                            \
	{                                                     \
		FIELD(type, field), true, table, false, false \
	}
#define ROW_OR_NONE(table, type, field)                      \
	{                                                    \
		FIELD(type, field), true, table, true, false \
	}

#define CONTAINER_COLUMNS(type, at)                                                                                 \
	NUMBER(type, at cgroup_id), NUMBER(type, at kind), STRING(type, at name), STRING(type, at id),              \
		STRING(type, at runtime), STRING(type, at image), STRING(type, at pod), STRING(type, at namespace), \
		STRING(type, at cgroup)
#define FRAME_COLUMNS(type, at)                                                                      \
	NUMBER(type, at kind), FLAG(type, at named), STRING(type, at name), STRING(type, at module), \
		STRING(type, at file), NUMBER(type, at line)

static const struct table_column fact_columns[] = {
	STRING(struct recording_fact, key),
	STRING(struct recording_fact, value),
};

static const struct table_column container_columns[] = {CONTAINER_COLUMNS(struct recording_container, )};
static const struct table_column container_again_columns[] = {
	ROW_OF(TABLE_CONTAINERS, struct container_again, number),
	CONTAINER_COLUMNS(struct container_again, row.),
};

static const struct table_column process_columns[] = {
	DIFFERENCE(struct recording_process, tgid),
	NUMBER(struct recording_process, ns_tgid),
	DIFFERENCE(struct recording_process, pid_namespace),
	DIFFERENCE(struct recording_process, start_ns),
	NUMBER(struct recording_process, exec_generation),
	STRING(struct recording_process, comm),
	STRING(struct recording_process, exe),
};

static const struct table_column thread_columns[] = {
	ROW_OF(TABLE_PROCESSES, struct recording_thread, process),
	DIFFERENCE(struct recording_thread, tid),
	STRING(struct recording_thread, comm),
};

static const struct table_column frame_columns[] = {FRAME_COLUMNS(struct recording_frame, )};
static const struct table_column frame_again_columns[] = {
	ROW_OF(TABLE_FRAMES, struct frame_again, number),
	FRAME_COLUMNS(struct frame_again, row.),
};

static const struct table_column stack_columns[] = {
	ROW_OR_NONE(TABLE_STACKS, struct recording_stack, parent),
	ROW_OF(TABLE_FRAMES, struct recording_stack, frame),
};

static const struct table_column sample_columns[] = {
	NUMBER(struct recording_sample, kind),
	NUMBER(struct recording_sample, stack_end),
	ROW_OF(TABLE_CONTAINERS, struct recording_sample, container),
	ROW_OF(TABLE_THREADS, struct recording_sample, thread),
	ROW_OR_NONE(TABLE_STACKS, struct recording_sample, stack),
	DIFFERENCE(struct recording_sample, time_ns),
	NUMBER(struct recording_sample, count),
};

static const struct table_column accounting_columns[] = {
	ROW_OR_NONE(TABLE_CONTAINERS, struct recording_accounting, container),
	NUMBER(struct recording_accounting, idle),
	NUMBER(struct recording_accounting, taken),
	NUMBER(struct recording_accounting, kept),
	NUMBER(struct recording_accounting, filtered),
	NUMBER(struct recording_accounting, lost_ring),
	NUMBER(struct recording_accounting, lost_read),
	NUMBER(struct recording_accounting, user_samples),
	NUMBER(struct recording_accounting, user_complete),
	NUMBER(struct recording_accounting, user_assumed),
	NUMBER(struct recording_accounting, user_truncated),
	NUMBER(struct recording_accounting, user_frames),
	NUMBER(struct recording_accounting, user_named),
	NUMBER(struct recording_accounting, kernel_frames),
	NUMBER(struct recording_accounting, kernel_named),
};

static const struct table_column call_columns[] = {
	ROW_OF(TABLE_CONTAINERS, struct recording_call, container),
	DIFFERENCE(struct recording_call, number),
	STRING(struct recording_call, name),
	DIFFERENCE(struct recording_call, time_ns),
	NUMBER(struct recording_call, count),
	NUMBER(struct recording_call, errors),
	NUMBER(struct recording_call, timed),
	NUMBER(struct recording_call, wall_ns),
	NUMBER(struct recording_call, wall_max_ns),
	NUMBER(struct recording_call, oncpu_ns),
	NUMBER(struct recording_call, blocked_ns),
	NUMBER(struct recording_call, uninterruptible_ns),
	NUMBER(struct recording_call, queued_ns),
	NUMBER(struct recording_call, lock_ns),
};

static const struct table_column bucket_columns[] = {
	NUMBER(struct recording_bucket, kind),
	DIFFERENCE(struct recording_bucket, row),
	DIFFERENCE(struct recording_bucket, bucket),
	NUMBER(struct recording_bucket, count),
};

static const struct table_column wait_columns[] = {
	NUMBER(struct recording_wait, state),
	NUMBER(struct recording_wait, flags),
	NUMBER(struct recording_wait, stack_end),
	ROW_OF(TABLE_CONTAINERS, struct recording_wait, container),
	ROW_OR_NONE(TABLE_THREADS, struct recording_wait, thread),
	ROW_OR_NONE(TABLE_STACKS, struct recording_wait, stack),
	ROW_OR_NONE(TABLE_CONTAINERS, struct recording_wait, waker_container),
	ROW_OR_NONE(TABLE_THREADS, struct recording_wait, waker_thread),
	ROW_OR_NONE(TABLE_STACKS, struct recording_wait, waker_stack),
	DIFFERENCE(struct recording_wait, time_ns),
	NUMBER(struct recording_wait, count),
	NUMBER(struct recording_wait, total_ns),
	NUMBER(struct recording_wait, max_ns),
};

static const struct table_column times_columns[] = {
	ROW_OF(TABLE_CONTAINERS, struct recording_times, container),
	DIFFERENCE(struct recording_times, time_ns),
	NUMBER(struct recording_times, oncpu_ns),
	NUMBER(struct recording_times, blocked_ns[WAIT_SLEEPING]),
	NUMBER(struct recording_times, blocked_ns[WAIT_UNINTERRUPTIBLE]),
	NUMBER(struct recording_times, blocked_ns[WAIT_IO]),
	NUMBER(struct recording_times, blocked_ns[WAIT_STOPPED]),
	NUMBER(struct recording_times, blocks[WAIT_SLEEPING]),
	NUMBER(struct recording_times, blocks[WAIT_UNINTERRUPTIBLE]),
	NUMBER(struct recording_times, blocks[WAIT_IO]),
	NUMBER(struct recording_times, blocks[WAIT_STOPPED]),
	NUMBER(struct recording_times, short_ns),
	NUMBER(struct recording_times, shorts),
	NUMBER(struct recording_times, woken_ns),
	NUMBER(struct recording_times, preempted_ns),
	NUMBER(struct recording_times, throttled_ns),
	NUMBER(struct recording_times, throttles),
	DIFFERENCE(struct recording_times, pid_namespace),
};

static const struct table_column queue_columns[] = {
	ROW_OF(TABLE_CONTAINERS, struct recording_queue, container),
	ROW_OR_NONE(TABLE_CONTAINERS, struct recording_queue, culprit),
	NUMBER(struct recording_queue, reason),
	DIFFERENCE(struct recording_queue, time_ns),
	NUMBER(struct recording_queue, ns),
};

static const struct table_column lock_columns[] = {
	NUMBER(struct recording_lock, lock_class),
	NUMBER(struct recording_lock, flags),
	NUMBER(struct recording_lock, stack_end),
	ROW_OF(TABLE_CONTAINERS, struct recording_lock, container),
	ROW_OR_NONE(TABLE_THREADS, struct recording_lock, thread),
	ROW_OR_NONE(TABLE_STACKS, struct recording_lock, stack),
	ROW_OR_NONE(TABLE_CONTAINERS, struct recording_lock, owner_container),
	ROW_OR_NONE(TABLE_CONTAINERS, struct recording_lock, waker_container),
	ROW_OR_NONE(TABLE_THREADS, struct recording_lock, waker_thread),
	ROW_OR_NONE(TABLE_STACKS, struct recording_lock, waker_stack),
	DIFFERENCE(struct recording_lock, time_ns),
	NUMBER(struct recording_lock, count),
	NUMBER(struct recording_lock, total_ns),
	NUMBER(struct recording_lock, max_ns),
	NUMBER(struct recording_lock, handoff_ns),
	NUMBER(struct recording_lock, seen),
	NUMBER(struct recording_lock, place),
	STRING(struct recording_lock, name),
	NUMBER(struct recording_lock, owner),
	ROW_OR_NONE(TABLE_THREADS, struct recording_lock, owner_thread),
	ROW_OR_NONE(TABLE_STACKS, struct recording_lock, owner_stack),
	NUMBER(struct recording_lock, waker_ns),
};

#define SERIES_MORE(measure) NUMBER(struct recording_series, values.values[measure])
#define SERIES_IS(measure) DIFFERENCE(struct recording_series, values.values[measure])

static const struct table_column series_columns[] = {
	ROW_OR_NONE(TABLE_CONTAINERS, struct recording_series, container),
	DIFFERENCE(struct recording_series, time_ns),
	NUMBER(struct recording_series, span_ns),
	DIFFERENCE(struct recording_series, values.known),
	SERIES_MORE(SERIES_CPU_USAGE),
	SERIES_MORE(SERIES_CPU_USER),
	SERIES_MORE(SERIES_CPU_SYSTEM),
	SERIES_IS(SERIES_CPU_LIMIT),
	SERIES_MORE(SERIES_CPU_PERIODS),
	SERIES_MORE(SERIES_CPU_THROTTLED_PERIODS),
	SERIES_MORE(SERIES_CPU_THROTTLED),
	SERIES_MORE(SERIES_CPU_SOME),
	SERIES_MORE(SERIES_CPU_FULL),
	SERIES_MORE(SERIES_MEMORY_SOME),
	SERIES_MORE(SERIES_MEMORY_FULL),
	SERIES_MORE(SERIES_IO_SOME),
	SERIES_MORE(SERIES_IO_FULL),
	SERIES_IS(SERIES_MEMORY_USAGE),
	SERIES_IS(SERIES_MEMORY_LIMIT),
	SERIES_IS(SERIES_MEMORY_ANONYMOUS),
	SERIES_IS(SERIES_MEMORY_KERNEL),
	SERIES_IS(SERIES_MEMORY_SLAB),
	SERIES_MORE(SERIES_MEMORY_LIMIT_HITS),
	SERIES_MORE(SERIES_MEMORY_OOM_KILLS),
	SERIES_MORE(SERIES_MEMORY_MAJOR_FAULTS),
	SERIES_MORE(SERIES_IO_READ),
	SERIES_MORE(SERIES_IO_WRITTEN),
	SERIES_MORE(SERIES_IO_READS),
	SERIES_MORE(SERIES_IO_WRITES),
	SERIES_MORE(SERIES_CPU_STEAL),
	SERIES_MORE(SERIES_CPU_IOWAIT),
	SERIES_IS(SERIES_TASKS_RUNNABLE),
	SERIES_IS(SERIES_TASKS_BLOCKED),
	SERIES_IS(SERIES_LOAD),
	SERIES_IS(SERIES_DENTRIES),
	SERIES_IS(SERIES_DENTRIES_UNUSED),
	SERIES_IS(SERIES_DENTRIES_NEGATIVE),
};

static const struct table_column sample_call_columns[] = {
	ROW_OF(TABLE_SAMPLES, struct recording_sample_call, sample),
	STRING(struct recording_sample_call, name),
};

static const struct table_column hold_columns[] = {
	NUMBER(struct recording_hold, lock_class),
	NUMBER(struct recording_hold, place),
	STRING(struct recording_hold, name),
	DIFFERENCE(struct recording_hold, bit),
	ROW_OR_NONE(TABLE_CONTAINERS, struct recording_hold, container),
	DIFFERENCE(struct recording_hold, time_ns),
	NUMBER(struct recording_hold, looks),
	NUMBER(struct recording_hold, ns),
	NUMBER(struct recording_hold, waited_ns),
};

#define SHAPE(type, field, columns)                                                                    \
	{                                                                                              \
		sizeof(type), offsetof(struct recording_tables, field), columns, ARRAY_LENGTH(columns) \
	}

const struct table_shape recording_shapes[TABLES] = {
	[TABLE_FACTS] = SHAPE(struct recording_fact, facts, fact_columns),
	[TABLE_CONTAINERS] = SHAPE(struct recording_container, containers, container_columns),
	[TABLE_PROCESSES] = SHAPE(struct recording_process, processes, process_columns),
	[TABLE_THREADS] = SHAPE(struct recording_thread, threads, thread_columns),
	[TABLE_FRAMES] = SHAPE(struct recording_frame, frames, frame_columns),
	[TABLE_STACKS] = SHAPE(struct recording_stack, stacks, stack_columns),
	[TABLE_SAMPLES] = SHAPE(struct recording_sample, samples, sample_columns),
	[TABLE_ACCOUNTING] = SHAPE(struct recording_accounting, accounting, accounting_columns),
	[TABLE_CONTAINERS_AGAIN] = SHAPE(struct container_again, containers, container_again_columns),
	[TABLE_FRAMES_AGAIN] = SHAPE(struct frame_again, frames, frame_again_columns),
	[TABLE_CALLS] = SHAPE(struct recording_call, calls, call_columns),
	[TABLE_BUCKETS] = SHAPE(struct recording_bucket, buckets, bucket_columns),
	[TABLE_WAITS] = SHAPE(struct recording_wait, waits, wait_columns),
	[TABLE_TIMES] = SHAPE(struct recording_times, times, times_columns),
	[TABLE_QUEUES] = SHAPE(struct recording_queue, queues, queue_columns),
	[TABLE_LOCKS] = SHAPE(struct recording_lock, locks, lock_columns),
	[TABLE_SERIES] = SHAPE(struct recording_series, series, series_columns),
	[TABLE_SAMPLE_CALLS] = SHAPE(struct recording_sample_call, sample_calls, sample_call_columns),
	[TABLE_HOLDS] = SHAPE(struct recording_hold, holds, hold_columns),
};

bool recording_table_is_wanted(enum table_id table, unsigned int wants)
{
	/* Whoever has rows of waits and locks, and samples as they are, has what they refer to. */
	enum { threads = RECORDING_THREADS | RECORDING_SAMPLE_CALLS | RECORDING_WAITS | RECORDING_LOCKS };
	static const unsigned int wanted_by[TABLES] = {
		[TABLE_PROCESSES] = threads,
		[TABLE_THREADS] = threads,
		[TABLE_CALLS] = RECORDING_CALLS,
		[TABLE_BUCKETS] = RECORDING_CALLS | RECORDING_TIMES | RECORDING_LOCKS,
		[TABLE_WAITS] = RECORDING_WAITS,
		[TABLE_TIMES] = RECORDING_TIMES,
		[TABLE_QUEUES] = RECORDING_TIMES,
		[TABLE_LOCKS] = RECORDING_LOCKS,
		[TABLE_SERIES] = RECORDING_SERIES,
		[TABLE_SAMPLE_CALLS] = RECORDING_SAMPLE_CALLS,
		[TABLE_HOLDS] = RECORDING_LOCKS,
	};

	return !wanted_by[table] || wants & wanted_by[table];
}

bool recording_buckets_are_wanted(uint8_t kind, unsigned int wants)
{
	static const unsigned int wanted_by[] = {
		[HISTOGRAM_CALL] = RECORDING_CALLS,
		[HISTOGRAM_WOKEN] = RECORDING_TIMES,
		[HISTOGRAM_PREEMPTED] = RECORDING_TIMES,
		[HISTOGRAM_LOCK] = RECORDING_LOCKS,
	};

	return kind >= ARRAY_LENGTH(wanted_by) || wants & wanted_by[kind];
}

void recording_waits_add(struct recording_waits_sums *sums, const struct recording_wait *wait)
{
	sums->rows++;
	sum_add(wait->thread == RECORDING_NONE ? &sums->stackless_ns : &sums->stacked_ns, wait->total_ns);
}

int recording_tables_init(struct recording_tables *tables)
{
	memset(tables, 0, sizeof(*tables));
	return string_table_init(&tables->strings);
}

void recording_tables_deinit(struct recording_tables *tables)
{
	string_table_deinit(&tables->strings);
	array_deinit(&tables->facts);
	array_deinit(&tables->containers);
	array_deinit(&tables->processes);
	array_deinit(&tables->threads);
	array_deinit(&tables->frames);
	array_deinit(&tables->stacks);
	array_deinit(&tables->samples);
	array_deinit(&tables->accounting);
	array_deinit(&tables->calls);
	array_deinit(&tables->buckets);
	array_deinit(&tables->waits);
	array_deinit(&tables->times);
	array_deinit(&tables->queues);
	array_deinit(&tables->locks);
	array_deinit(&tables->holds);
	array_deinit(&tables->sample_calls);
	array_deinit(&tables->series);
}

uint64_t chunk_checksum(const struct chunk_header *header, const void *stored)
{
	struct chunk_header bare = *header;
	XXH3_state_t state;

	bare.checksum = 0;
	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, &bare, sizeof(bare));
	XXH3_64bits_update(&state, stored, header->stored_bytes);
	return XXH3_64bits_digest(&state);
}

size_t varint_write(uint8_t *out, uint64_t value)
{
	size_t bytes = 0;

	for (; value >= 0x80; value >>= 7)
		out[bytes++] = (uint8_t)(value | 0x80);
	out[bytes++] = (uint8_t)value;
	return bytes;
}

bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

uint64_t column_get(const struct table_column *column, const void *row)
{
	uint64_t value = 0;

	/* Little-endian, as the whole format is: the low bytes come first. */
	memcpy(&value, (const char *)row + column->offset, column->bytes);
	return value;
}

void column_set(const struct table_column *column, void *row, uint64_t value)
{
	memcpy((char *)row + column->offset, &value, column->bytes);
}
