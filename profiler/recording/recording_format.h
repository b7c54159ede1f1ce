/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_format: what the writer and the reader must agree on (docs/recording-format.md).
 *
 * Every table is described once, as a list of columns; both sides encode, decode and check rows from that description.
 * Numbers are LEB128 varints; a column that counts up is written as zigzag differences.
 */
#ifndef STOKER_RECORDING_FORMAT_H
#define STOKER_RECORDING_FORMAT_H

#include <stddef.h>

#include "profiler/recording/recording.h"

#define CHUNK_RAW_BYTES_MAX (64u << 20)
#define CHUNK_STORED_BYTES_MAX (65u << 20)
#define CHUNK_RAW_BYTES_AIM (8u << 20)	       /* the writer ends a chunk beyond this */
#define RECORDING_STRING_BYTES_MAX (64u << 10) /* longer ones are cut by the writer */

struct recording_file_header {
	char magic[RECORDING_MAGIC_BYTES];
	uint32_t version;
	uint32_t flags; /* 0 */
};

enum chunk_type {
	CHUNK_ROWS = 1,
	CHUNK_END = 2,	/* the recording ended as it should */
	CHUNK_MORE = 3, /* rows of the later tables, each with its size: a reader skips those that it does not know */
};

struct chunk_header {
	uint32_t type; /* enum chunk_type */
	uint32_t raw_bytes;
	uint32_t stored_bytes; /* that follow: one zstd frame */
	uint32_t reserved;     /* 0 */
	uint64_t checksum;     /* XXH3 of this header with a checksum of 0, then of the stored bytes */
};

/* Values are on disk: append only. A chunk's tables come in this order. */
enum table_id {
	TABLE_STRINGS = 0,
	TABLE_FACTS,
	TABLE_CONTAINERS,
	TABLE_PROCESSES,
	TABLE_THREADS,
	TABLE_FRAMES,
	TABLE_STACKS,
	TABLE_SAMPLES,
	TABLE_ACCOUNTING,
	TABLE_CONTAINERS_AGAIN, /* rows defined anew; the first column is the row's number */
	TABLE_FRAMES_AGAIN,
	TABLE_CALLS, /* from here on: in CHUNK_MORE */
	TABLE_BUCKETS,
	TABLE_WAITS,
	TABLE_TIMES,
	TABLE_QUEUES,
	TABLE_LOCKS,
	TABLE_SERIES,
	TABLE_SAMPLE_CALLS,
	TABLE_HOLDS,
	TABLES,
};

#define TABLE_FIRST_LATER TABLE_CALLS

#define REFERS_TO_NOTHING TABLES

/* The tables whose rows are kept in struct recording_tables, for a loop over them. */
static inline enum table_id next_kept_table(enum table_id table)
{
	return table == TABLE_ACCOUNTING ? TABLE_FIRST_LATER : (enum table_id)(table + 1);
}

struct table_column {
	uint16_t offset;   /* in the row's struct */
	uint8_t bytes;	   /* 1, 2, 4 or 8 */
	bool differences;  /* written as zigzag differences to the row before */
	uint8_t refers_to; /* enum table_id whose rows this column numbers, or REFERS_TO_NOTHING */
	bool or_none;	   /* … or UINT32_MAX */
	bool is_flag;	   /* 0 or 1 */
};

struct table_shape {
	size_t row_bytes;
	size_t rows; /* offset of the table's array in struct recording_tables; meaningless for TABLE_*_AGAIN */
	const struct table_column *columns;
	size_t column_count;
};

struct container_again {
	uint32_t number;
	struct recording_container row;
};

struct frame_again {
	uint32_t number;
	struct recording_frame row;
};

/* Any ARRAY(), seen without its type. */
struct any_array {
	void *items;
	size_t count;
	size_t capacity;
};

extern const struct table_shape recording_shapes[TABLES];

/* Whether rows of a table are wanted by whoever asks for @wants (enum recording_wants). */
bool recording_table_is_wanted(enum table_id table, unsigned int wants);

/* Likewise, whether buckets of a kind (enum histogram_kind) are. One that is not known is wanted. */
bool recording_buckets_are_wanted(uint8_t kind, unsigned int wants);

uint64_t chunk_checksum(const struct chunk_header *header, const void *stored);

/* @out has room for 10 bytes; returns the bytes written. */
size_t varint_write(uint8_t *out, uint64_t value);

/* Moves *@at on; false at @end or where the number is longer than 64 bits. */
bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *ret);

static inline uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* One field of a row as a number, and back; writing cuts to the field's size. */
uint64_t column_get(const struct table_column *column, const void *row);
void column_set(const struct table_column *column, void *row, uint64_t value);

#endif
