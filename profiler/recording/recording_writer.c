/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/recording_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "profiler/recording/recording_format.h"
#include "profiler/recording/writer_strings.h"
#include "symbolizer/base/cleanup.h"

#define ZSTD_LEVEL 6
#define STACKS_MAX (1u << 18) /* held, with their index some 8 MB */
#define FRAMES_MAX (1u << 16) /* held, with their index and names some 8 MB */

struct recording_writer {
	int fd;
	bool can_cut; /* a regular file of our own: back to the last whole chunk after an error */
	int error;    /* the first one; nothing is written after it */
	uint64_t bytes;
	struct recording_tables tables; /* without its strings: */
	struct writer_strings strings;
	/* Rows of a table: @dropped were written and forgotten, of those still held the first @written are on disk. */
	size_t dropped[TABLES], written[TABLES];
	ARRAY(struct container_again) containers_again;
	ARRAY(struct frame_again) frames_again;
	struct hash_index frame_index, stack_index;
	uint64_t names_forgotten; /* times */
	ARRAY(uint8_t) raw;	  /* the chunk that is being made */
	ARRAY(uint8_t) body;	  /* rows of one later table, before their size is known */
};

static int write_all(struct recording_writer *writer, const void *bytes, size_t count)
{
	const char *at = bytes;

	while (count) {
		ssize_t put = write(writer->fd, at, count);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		at += put;
		count -= (size_t)put;
	}
	return 0;
}

/*
 * The file is always a new one, and made by us: in a folder that others may write to, nobody can have us write through
 * a link of theirs. What is no regular file (a pipe, /dev/null) is written to as it is.
 */
static int open_file(const char *path, int *ret_fd, bool *ret_can_cut)
{
	_cleanup_free_ char *target = NULL;
	char older[4096];
	struct stat status;
	int fd;

	if (!strcmp(path, "-")) {
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	} else if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	} else {
		target = realpath(path, NULL);
		if (target && (size_t)snprintf(older, sizeof(older), "%s.old", target) >= sizeof(older))
			return -ENAMETOOLONG;
		if (target && rename(target, older))
			return -errno;
		fd = open(target ? target : path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		*ret_can_cut = true;
	}
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int recording_writer_new(const char *path, struct recording_writer **ret_writer)
{
	struct recording_file_header header = {.version = RECORDING_VERSION};
	struct recording_writer *writer = calloc(1, sizeof(*writer));
	int err;

	if (!writer)
		return -ENOMEM;
	writer->fd = -1;
	err = writer_strings_init(&writer->strings);
	if (!err)
		err = open_file(path, &writer->fd, &writer->can_cut);
	if (!err) {
		memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
		err = write_all(writer, &header, sizeof(header));
	}
	if (err) {
		recording_writer_free(writer);
		return err;
	}
	writer->bytes = sizeof(header);
	*ret_writer = writer;
	return 0;
}

void recording_writer_free(struct recording_writer *writer)
{
	if (!writer)
		return;
	if (writer->fd >= 0)
		close(writer->fd);
	recording_tables_deinit(&writer->tables);
	writer_strings_deinit(&writer->strings);
	array_deinit(&writer->containers_again);
	array_deinit(&writer->frames_again);
	hash_index_deinit(&writer->frame_index);
	hash_index_deinit(&writer->stack_index);
	array_deinit(&writer->raw);
	array_deinit(&writer->body);
	free(writer);
}

uint64_t recording_writer_bytes(const struct recording_writer *writer)
{
	return writer->bytes;
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

int recording_writer_series(struct recording_writer *writer, const struct recording_series *row)
{
	return add_row(writer, TABLE_SERIES, row, NULL);
}

int recording_writer_bucket(struct recording_writer *writer, const struct recording_bucket *row)
{
	return add_row(writer, TABLE_BUCKETS, row, NULL);
}

int recording_writer_frame_alone(struct recording_writer *writer, const struct recording_frame *row, uint32_t *ret_row)
{
	return add_row(writer, TABLE_FRAMES, row, ret_row);
}

int recording_writer_frame(struct recording_writer *writer, const struct recording_frame *row, uint32_t *ret_row)
{
	uint64_t hash =
		hash_words(hash_words((uint64_t)row->name << 32 | row->module, (uint64_t)row->file << 32 | row->line),
			   (uint64_t)row->kind << 1 | row->named);
	uint32_t number;
	int err;

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
	err = add_row(writer, TABLE_FRAMES, row, &number);
	if (!err)
		err = hash_index_insert(&writer->frame_index, hash, number);
	if (!err)
		*ret_row = number;
	return err;
}

int recording_writer_stack(struct recording_writer *writer, const struct recording_stack *row, uint32_t *ret_row)
{
	uint64_t hash = hash_words(row->parent, row->frame);
	uint32_t number;
	int err;

	for (size_t at = hash_index_first(&writer->stack_index, hash);
	     hash_index_next(&writer->stack_index, hash, &at, &number);) {
		const struct recording_stack *known = recording_writer_stack_at(writer, number);

		if (known->parent == row->parent && known->frame == row->frame) {
			*ret_row = number;
			return 0;
		}
	}
	err = add_row(writer, TABLE_STACKS, row, &number);
	if (!err)
		err = hash_index_insert(&writer->stack_index, hash, number);
	if (!err)
		*ret_row = number;
	return err;
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

static int put_bytes(struct recording_writer *writer, const void *bytes, size_t count)
{
	if (array_reserve(&writer->raw, count))
		return -ENOMEM;
	memcpy(writer->raw.items + writer->raw.count, bytes, count);
	writer->raw.count += count;
	return 0;
}

static int put_varint(struct recording_writer *writer, uint64_t value)
{
	if (array_reserve(&writer->raw, 10))
		return -ENOMEM;
	writer->raw.count += varint_write(writer->raw.items + writer->raw.count, value);
	return 0;
}

static int encode_strings(struct recording_writer *writer, size_t first, size_t count)
{
	const struct string_table_entry *entries = writer->strings.unwritten.items + first;
	int err = put_varint(writer, TABLE_STRINGS);

	if (!err)
		err = put_varint(writer, count);
	for (size_t i = 0; i < count && !err; i++) {
		err = put_varint(writer, entries[i].length);
		if (!err)
			err = put_bytes(writer, entries[i].text, entries[i].length);
	}
	return err;
}

/* Column by column: like next to like is what the compressor needs. */
static int encode_columns(struct recording_writer *writer, enum table_id table, const char *rows, size_t count)
{
	const struct table_shape *shape = &recording_shapes[table];
	int err = 0;

	for (size_t c = 0; c < shape->column_count && !err; c++) {
		const struct table_column *column = &shape->columns[c];
		uint64_t before = 0;

		for (size_t i = 0; i < count && !err; i++) {
			uint64_t value = column_get(column, rows + i * shape->row_bytes);

			err = put_varint(writer, column->differences ? zigzag((int64_t)(value - before)) : value);
			before = value;
		}
	}
	return err;
}

static int encode_rows(struct recording_writer *writer, enum table_id table, const char *rows, size_t count)
{
	int err = put_varint(writer, table);

	if (!err)
		err = put_varint(writer, count);
	return err ? err : encode_columns(writer, table, rows, count);
}

/* As encode_rows(), with the number of columns and the size of all of them in front. */
static int encode_later(struct recording_writer *writer, enum table_id table, const char *rows, size_t count)
{
	size_t start = writer->raw.count, bytes;
	int err = encode_columns(writer, table, rows, count);

	if (err)
		return err;
	bytes = writer->raw.count - start;
	writer->body.count = 0;
	if (array_reserve(&writer->body, bytes))
		return -ENOMEM;
	memcpy(writer->body.items, writer->raw.items + start, bytes);
	writer->raw.count = start;
	err = put_varint(writer, table);
	if (!err)
		err = put_varint(writer, count);
	if (!err)
		err = put_varint(writer, recording_shapes[table].column_count);
	if (!err)
		err = put_varint(writer, bytes);
	return err ? err : put_bytes(writer, writer->body.items, bytes);
}

static int write_chunk(struct recording_writer *writer, enum chunk_type type)
{
	size_t room = ZSTD_compressBound(writer->raw.count);
	struct chunk_header header = {.type = type, .raw_bytes = (uint32_t)writer->raw.count};
	_cleanup_free_ char *stored = malloc(sizeof(header) + room);
	size_t bytes;
	int err;

	if (!stored)
		return -ENOMEM;
	if (writer->raw.count > CHUNK_RAW_BYTES_MAX)
		return -EFBIG;
	bytes = ZSTD_compress(stored + sizeof(header), room, writer->raw.items, writer->raw.count, ZSTD_LEVEL);
	if (ZSTD_isError(bytes))
		return -ENOMEM;
	header.stored_bytes = (uint32_t)bytes;
	header.checksum = chunk_checksum(&header, stored + sizeof(header));
	memcpy(stored, &header, sizeof(header));
	err = write_all(writer, stored, sizeof(header) + bytes);
	if (!err) {
		writer->bytes += sizeof(header) + bytes;
		writer->raw.count = 0;
	} else if (writer->can_cut && ftruncate(writer->fd, (off_t)writer->bytes)) {
		/* The reader ignores half a chunk at the end: the first error is the one to tell. */
		return err;
	}
	return err;
}

/* How many more of the strings fit into the chunk: one at least. */
static size_t strings_that_fit(const struct recording_writer *writer, size_t first)
{
	const struct writer_strings *strings = &writer->strings;
	size_t bytes = writer->raw.count, count = 0;

	while (first + count < strings->unwritten.count && (!count || bytes < CHUNK_RAW_BYTES_AIM))
		bytes += strings->unwritten.items[first + count++].length + 10;
	return count;
}

static int flush_strings(struct recording_writer *writer)
{
	size_t first = 0;
	int err = 0;

	while (first < writer->strings.unwritten.count && !err) {
		size_t count = strings_that_fit(writer, first);

		err = encode_strings(writer, first, count);
		first += count;
		if (!err && first < writer->strings.unwritten.count)
			err = write_chunk(writer, CHUNK_ROWS);
	}
	return err;
}

static int flush_rows(struct recording_writer *writer, enum table_id table, const struct any_array *rows, size_t skip)
{
	const struct table_shape *shape = &recording_shapes[table];
	int err = 0;

	while (skip < rows->count && !err) {
		size_t left = rows->count - skip, fit = 1;

		/* No row takes more than 10 bytes a column. */
		if (writer->raw.count < CHUNK_RAW_BYTES_AIM)
			fit += (CHUNK_RAW_BYTES_AIM - writer->raw.count) / (10 * shape->column_count);
		if (fit > left)
			fit = left;
		err = table < TABLE_FIRST_LATER
			      ? encode_rows(writer, table, (char *)rows->items + skip * shape->row_bytes, fit)
			      : encode_later(writer, table, (char *)rows->items + skip * shape->row_bytes, fit);
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

	writer->raw.count = 0;
	err = flush_strings(writer);
	for (enum table_id table = TABLE_FACTS; table <= TABLE_ACCOUNTING && !err; table++)
		err = flush_rows(writer, table, rows_of(writer, table), writer->written[table]);
	if (!err)
		err = flush_rows(writer, TABLE_CONTAINERS_AGAIN, (struct any_array *)&writer->containers_again, 0);
	if (!err)
		err = flush_rows(writer, TABLE_FRAMES_AGAIN, (struct any_array *)&writer->frames_again, 0);
	if (!err && writer->raw.count)
		err = write_chunk(writer, CHUNK_ROWS);
	for (enum table_id table = TABLE_FIRST_LATER; table < TABLES && !err; table++)
		err = flush_rows(writer, table, rows_of(writer, table), writer->written[table]);
	if (!err && writer->raw.count)
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
	int err = recording_writer_flush(writer);

	writer->raw.count = 0;
	if (!err)
		err = write_chunk(writer, CHUNK_END);
	if (writer->fd >= 0 && close(take_fd(&writer->fd)) && !err)
		err = -errno;
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
