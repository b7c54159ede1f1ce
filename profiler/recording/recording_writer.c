/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/recording_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/recording/chunk_file.h"
#include "profiler/recording/row_encoder.h"
#include "profiler/recording/writer_strings.h"

#define STACKS_MAX (1u << 18) /* held, with their index some 8 MB */
#define FRAMES_MAX (1u << 16) /* held, with their index and names some 8 MB */

struct recording_writer {
	struct chunk_file file;
	struct row_encoder encoder;
	int error;			/* the first one; nothing is written after it */
	struct recording_tables tables; /* without its strings: */
	struct writer_strings strings;
	/* Rows of a table: @dropped were written and forgotten, of those still held the first @written are on disk. */
	size_t dropped[TABLES], written[TABLES];
	size_t buckets[UINT8_MAX + 1]; /* rows by kind: readers keep those of some kinds */
	ARRAY(struct container_again) containers_again;
	ARRAY(struct frame_again) frames_again;
	struct hash_index frame_index, stack_index;
	uint64_t names_forgotten; /* times */
};

int recording_writer_new(const char *path, struct recording_writer **ret_writer)
{
	struct recording_writer *writer = calloc(1, sizeof(*writer));
	int err;

	if (!writer)
		return -ENOMEM;
	writer->file.fd = -1;
	err = writer_strings_init(&writer->strings);
	if (!err)
		err = chunk_file_open(path, &writer->file);
	if (err) {
		recording_writer_free(writer);
		return err;
	}
	*ret_writer = writer;
	return 0;
}

void recording_writer_free(struct recording_writer *writer)
{
	if (!writer)
		return;
	chunk_file_close(&writer->file);
	row_encoder_deinit(&writer->encoder);
	recording_tables_deinit(&writer->tables);
	writer_strings_deinit(&writer->strings);
	array_deinit(&writer->containers_again);
	array_deinit(&writer->frames_again);
	hash_index_deinit(&writer->frame_index);
	hash_index_deinit(&writer->stack_index);
	free(writer);
}

uint64_t recording_writer_bytes(const struct recording_writer *writer)
{
	return writer->file.bytes;
}

static size_t cut_length(size_t length)
{
	return length < RECORDING_STRING_BYTES_MAX ? length : RECORDING_STRING_BYTES_MAX;
}

int recording_writer_string(struct recording_writer *writer, const char *text, size_t length, string_id *ret_id)
{
	return writer_strings_keep(&writer->strings, text, cut_length(length), ret_id);
}

int recording_writer_passing(struct recording_writer *writer, const char *text, size_t length, string_id *ret_id)
{
	return writer_strings_pass(&writer->strings, text, cut_length(length), ret_id);
}

static struct any_array *rows_of(struct recording_writer *writer, enum table_id table)
{
	return (struct any_array *)((char *)&writer->tables + recording_shapes[table].rows);
}

static int add_row(struct recording_writer *writer, enum table_id table, const void *row, uint32_t *ret_number)
{
	struct any_array *rows = rows_of(writer, table);
	size_t bytes = recording_shapes[table].row_bytes;

	if (array_reserve_bytes(&rows->items, rows->count, &rows->capacity, 1, bytes))
		return -ENOMEM;
	memcpy((char *)rows->items + rows->count * bytes, row, bytes);
	if (ret_number)
		*ret_number = (uint32_t)(writer->dropped[table] + rows->count);
	rows->count++;
	return 0;
}

/* Rows of a table so far that a reader keeps. */
static size_t kept_rows(const struct recording_writer *writer, enum table_id table, unsigned int wants)
{
	const struct any_array *rows =
		(const struct any_array *)((const char *)&writer->tables + recording_shapes[table].rows);
	size_t buckets = 0;

	if (!recording_table_is_wanted(table, wants))
		return 0;
	if (table != TABLE_BUCKETS)
		return writer->dropped[table] + rows->count;
	for (size_t kind = 0; kind < ARRAY_LENGTH(writer->buckets); kind++)
		if (recording_buckets_are_wanted((uint8_t)kind, wants))
			buckets += writer->buckets[kind];
	return buckets;
}

uint64_t recording_writer_rows_bytes(const struct recording_writer *writer, unsigned int wants)
{
	uint64_t bytes = 0;

	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table)) {
		bool merged =
			table == TABLE_ACCOUNTING || (table == TABLE_SAMPLES && !(wants & RECORDING_SAMPLE_CALLS));

		if (!merged)
			bytes += kept_rows(writer, table, wants) * recording_shapes[table].row_bytes;
	}
	return bytes;
}

int recording_writer_fact(struct recording_writer *writer, const char *key, const char *value)
{
	struct recording_fact row;

	if (recording_writer_string(writer, key, strlen(key), &row.key) ||
	    recording_writer_string(writer, value, strlen(value), &row.value))
		return -ENOMEM;
	return add_row(writer, TABLE_FACTS, &row, NULL);
}

int recording_writer_container(struct recording_writer *writer, const struct recording_container *row,
			       uint32_t *ret_row)
{
	return add_row(writer, TABLE_CONTAINERS, row, ret_row);
}

int recording_writer_process(struct recording_writer *writer, const struct recording_process *row, uint32_t *ret_row)
{
	return add_row(writer, TABLE_PROCESSES, row, ret_row);
}

int recording_writer_thread(struct recording_writer *writer, const struct recording_thread *row, uint32_t *ret_row)
{
	return add_row(writer, TABLE_THREADS, row, ret_row);
}

int recording_writer_sample(struct recording_writer *writer, const struct recording_sample *row)
{
	return add_row(writer, TABLE_SAMPLES, row, NULL);
}

int recording_writer_sample_call(struct recording_writer *writer, string_id name)
{
	size_t samples = writer->dropped[TABLE_SAMPLES] + writer->tables.samples.count;
	struct recording_sample_call row = {.sample = (uint32_t)samples - 1, .name = name};

	return add_row(writer, TABLE_SAMPLE_CALLS, &row, NULL);
}

int recording_writer_accounting(struct recording_writer *writer, const struct recording_accounting *row)
{
	return add_row(writer, TABLE_ACCOUNTING, row, NULL);
}

int recording_writer_call(struct recording_writer *writer, const struct recording_call *row, uint32_t *ret_row)
{
	return add_row(writer, TABLE_CALLS, row, ret_row);
}

int recording_writer_wait(struct recording_writer *writer, const struct recording_wait *row)
{
	return add_row(writer, TABLE_WAITS, row, NULL);
}

int recording_writer_times(struct recording_writer *writer, const struct recording_times *row, uint32_t *ret_row)
{
	return add_row(writer, TABLE_TIMES, row, ret_row);
}

int recording_writer_queue(struct recording_writer *writer, const struct recording_queue *row)
{
	return add_row(writer, TABLE_QUEUES, row, NULL);
}

int recording_writer_lock(struct recording_writer *writer, const struct recording_lock *row, uint32_t *ret_row)
{
	return add_row(writer, TABLE_LOCKS, row, ret_row);
}

int recording_writer_hold(struct recording_writer *writer, const struct recording_hold *row)
{
	return add_row(writer, TABLE_HOLDS, row, NULL);
}

int recording_writer_series(struct recording_writer *writer, const struct recording_series *row)
{
	return add_row(writer, TABLE_SERIES, row, NULL);
}

int recording_writer_bucket(struct recording_writer *writer, const struct recording_bucket *row)
{
	int err = add_row(writer, TABLE_BUCKETS, row, NULL);

	writer->buckets[row->kind] += !err;
	return err;
}

int recording_writer_frame_alone(struct recording_writer *writer, const struct recording_frame *row, uint32_t *ret_row)
{
	return add_row(writer, TABLE_FRAMES, row, ret_row);
}

static int add_indexed(struct recording_writer *writer, enum table_id table, const void *row, struct hash_index *index,
		       uint64_t hash, uint32_t *ret_row)
{
	uint32_t number;
	int err = add_row(writer, table, row, &number);

	if (!err)
		err = hash_index_insert(index, hash, number);
	if (!err)
		*ret_row = number;
	return err;
}

int recording_writer_frame(struct recording_writer *writer, const struct recording_frame *row, uint32_t *ret_row)
{
	uint64_t hash =
		hash_words(hash_words((uint64_t)row->name << 32 | row->module, (uint64_t)row->file << 32 | row->line),
			   (uint64_t)row->kind << 1 | row->named);
	uint32_t number;

	for (size_t at = hash_index_first(&writer->frame_index, hash);
	     hash_index_next(&writer->frame_index, hash, &at, &number);) {
		const struct recording_frame *known =
			&writer->tables.frames.items[number - writer->dropped[TABLE_FRAMES]];

		if (known->name == row->name && known->module == row->module && known->kind == row->kind &&
		    known->named == row->named && known->file == row->file && known->line == row->line) {
			*ret_row = number;
			return 0;
		}
	}
	return add_indexed(writer, TABLE_FRAMES, row, &writer->frame_index, hash, ret_row);
}

int recording_writer_stack(struct recording_writer *writer, const struct recording_stack *row, uint32_t *ret_row)
{
	uint64_t hash = hash_words(row->parent, row->frame);
	uint32_t number;

	for (size_t at = hash_index_first(&writer->stack_index, hash);
	     hash_index_next(&writer->stack_index, hash, &at, &number);) {
		const struct recording_stack *known = recording_writer_stack_at(writer, number);

		if (known->parent == row->parent && known->frame == row->frame) {
			*ret_row = number;
			return 0;
		}
	}
	return add_indexed(writer, TABLE_STACKS, row, &writer->stack_index, hash, ret_row);
}

int recording_writer_redefine_frame(struct recording_writer *writer, uint32_t number, const struct recording_frame *row)
{
	struct frame_again *again = array_add(&writer->frames_again);

	if (!again)
		return -ENOMEM;
	again->number = number;
	again->row = *row;
	return 0;
}

int recording_writer_redefine_container(struct recording_writer *writer, uint32_t number,
					const struct recording_container *row)
{
	struct container_again *again = array_add(&writer->containers_again);

	if (!again)
		return -ENOMEM;
	again->number = number;
	again->row = *row;
	return 0;
}

static int write_chunk(struct recording_writer *writer, enum chunk_type type)
{
	int err = chunk_file_put(&writer->file, type, writer->encoder.chunk.items, writer->encoder.chunk.count);

	if (!err)
		writer->encoder.chunk.count = 0;
	return err;
}

/* How many more of the strings fit into the chunk: one at least. */
static size_t strings_that_fit(const struct recording_writer *writer, size_t first)
{
	const struct writer_strings *strings = &writer->strings;
	size_t bytes = writer->encoder.chunk.count, count = 0;

	while (first + count < strings->unwritten.count && (!count || bytes < CHUNK_RAW_BYTES_AIM))
		bytes += strings->unwritten.items[first + count++].length + ROW_ENCODER_NUMBER_BYTES;
	return count;
}

static int flush_strings(struct recording_writer *writer)
{
	size_t first = 0;
	int err = 0;

	while (first < writer->strings.unwritten.count && !err) {
		size_t count = strings_that_fit(writer, first);

		err = row_encoder_strings(&writer->encoder, writer->strings.unwritten.items + first, count);
		first += count;
		if (!err && first < writer->strings.unwritten.count)
			err = write_chunk(writer, CHUNK_ROWS);
	}
	return err;
}

static int flush_rows(struct recording_writer *writer, enum table_id table, const struct any_array *rows, size_t skip)
{
	const struct table_shape *shape = &recording_shapes[table];
	const size_t *used = &writer->encoder.chunk.count;
	int err = 0;

	while (skip < rows->count && !err) {
		size_t left = rows->count - skip, fit = 1;

		if (*used < CHUNK_RAW_BYTES_AIM)
			fit += (CHUNK_RAW_BYTES_AIM - *used) / (ROW_ENCODER_NUMBER_BYTES * shape->column_count);
		if (fit > left)
			fit = left;
		err = row_encoder_rows(&writer->encoder, table, (char *)rows->items + skip * shape->row_bytes, fit);
		skip += fit;
		if (!err && fit < left)
			err = write_chunk(writer, table < TABLE_FIRST_LATER ? CHUNK_ROWS : CHUNK_MORE);
	}
	return err;
}

/* One chunk nearly always; where much has come together, a row of them, each readable with those before it. */
static int flush_all(struct recording_writer *writer)
{
	int err;

	writer->encoder.chunk.count = 0;
	err = flush_strings(writer);
	for (enum table_id table = TABLE_FACTS; table <= TABLE_ACCOUNTING && !err; table++)
		err = flush_rows(writer, table, rows_of(writer, table), writer->written[table]);
	if (!err)
		err = flush_rows(writer, TABLE_CONTAINERS_AGAIN, (struct any_array *)&writer->containers_again, 0);
	if (!err)
		err = flush_rows(writer, TABLE_FRAMES_AGAIN, (struct any_array *)&writer->frames_again, 0);
	if (!err && writer->encoder.chunk.count)
		err = write_chunk(writer, CHUNK_ROWS);
	for (enum table_id table = TABLE_FIRST_LATER; table < TABLES && !err; table++)
		err = flush_rows(writer, table, rows_of(writer, table), writer->written[table]);
	if (!err && writer->encoder.chunk.count)
		err = write_chunk(writer, CHUNK_MORE);
	return err;
}

/*
 * Frames and stacks stay in memory, as their indexes need them; the rest is forgotten once it is on disk. So are they, when
 * they are too many: those that come again become rows anew. Stacks are found by their frames, and frames by their names.
 */
static void forget_written(struct recording_writer *writer)
{
	bool names_full = writer->tables.frames.count > FRAMES_MAX;
	bool full = names_full || writer->tables.stacks.count > STACKS_MAX;

	if (names_full) {
		hash_index_clear(&writer->frame_index);
		writer_strings_forget_kept(&writer->strings);
		writer->names_forgotten++;
	}
	if (full)
		hash_index_clear(&writer->stack_index);
	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table)) {
		struct any_array *rows = rows_of(writer, table);

		if ((table == TABLE_FRAMES && !names_full) || (table == TABLE_STACKS && !full)) {
			writer->written[table] = rows->count;
		} else {
			writer->dropped[table] += rows->count;
			writer->written[table] = 0;
			rows->count = 0;
		}
	}
	writer_strings_written(&writer->strings);
	writer->containers_again.count = 0;
	writer->frames_again.count = 0;
}

int recording_writer_flush(struct recording_writer *writer)
{
	int err = writer->error;

	if (!err)
		err = flush_all(writer);
	writer->error = err;
	if (!err)
		forget_written(writer);
	return err;
}

int recording_writer_finish(struct recording_writer *writer)
{
	int err = recording_writer_flush(writer), closed;

	writer->encoder.chunk.count = 0;
	if (!err)
		err = write_chunk(writer, CHUNK_END);
	closed = chunk_file_close(&writer->file);
	if (!err)
		err = closed;
	writer->error = err ? err : -EBADF;
	return err;
}

const struct recording_stack *recording_writer_stack_at(const struct recording_writer *writer, uint32_t number)
{
	return &writer->tables.stacks.items[number - writer->dropped[TABLE_STACKS]];
}

const char *recording_writer_frame_name(const struct recording_writer *writer, uint32_t number)
{
	size_t dropped = writer->dropped[TABLE_FRAMES];

	return number < dropped
		       ? ""
		       : writer_strings_text(&writer->strings, writer->tables.frames.items[number - dropped].name);
}

uint64_t recording_writer_names_forgotten(const struct recording_writer *writer)
{
	return writer->names_forgotten;
}
