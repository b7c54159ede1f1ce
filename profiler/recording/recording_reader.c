/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/recording_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "profiler/recording/recording_keeper.h"
#include "symbolizer/base/cleanup.h"

/* Beside its bytes: an entry, and its slots in a table that is half full. */
#define STRING_COST_BYTES 48

/* The string of each number in the file: a writer that has forgotten one gives it a second number. */
struct numbered_strings {
	ARRAY(string_id) of;
};

/* A file being read. */
struct reading {
	struct recording_tables *tables;
	struct recording_keeper keeper;
	struct numbered_strings strings;
	uint64_t string_bytes;
	uint64_t memory,
		memory_max;  /* bytes of strings and rows by now, those included that a chunk has brought so far */
	uint32_t last;	     /* enum chunk_type, of the chunk before */
	uint64_t since_mark; /* bytes in the file */
};

/* A chunk being decoded. Its rows count only when all of it is good. */
struct part {
	const uint8_t *at, *end;
	struct reading *reading;
	size_t before[TABLES];
	ARRAY(struct container_again) containers_again;
	ARRAY(struct frame_again) frames_again;
};

static void reading_deinit(struct reading *reading)
{
	array_deinit(&reading->strings.of);
	recording_keeper_deinit(&reading->keeper);
}

static void part_deinit(struct part *part)
{
	array_deinit(&part->containers_again);
	array_deinit(&part->frames_again);
}

/* Where a decoded row goes: those that define an older row anew wait for the chunk's end. */
static struct any_array *goes_to(struct part *part, enum table_id table)
{
	if (table == TABLE_CONTAINERS_AGAIN)
		return (struct any_array *)&part->containers_again;
	if (table == TABLE_FRAMES_AGAIN)
		return (struct any_array *)&part->frames_again;
	return recording_keeper_rows(&part->reading->keeper, table);
}

static bool fits(struct reading *reading, uint64_t bytes)
{
	reading->memory += bytes;
	return reading->memory <= reading->memory_max;
}

static int decode_string(struct reading *reading, const uint8_t *text, size_t length)
{
	struct string_table *strings = &reading->tables->strings;
	size_t known = strings->entries.count;
	string_id *id = array_add(&reading->strings.of);
	int err = id ? string_table_add(strings, (const char *)text, length, id) : -ENOMEM;
	uint64_t bytes = sizeof(*id) + (strings->entries.count > known ? length + STRING_COST_BYTES : 0);

	if (err)
		return err;
	reading->string_bytes += bytes;
	return fits(reading, bytes) ? 0 : -EFBIG;
}

static int decode_strings(struct part *part, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t length;
		int err;

		if (!varint_read(&part->at, part->end, &length) || length > RECORDING_STRING_BYTES_MAX ||
		    length > (uint64_t)(part->end - part->at))
			return -EBADMSG;
		err = decode_string(part->reading, part->at, length);
		if (err)
			return err;
		part->at += length;
	}
	return 0;
}

static bool refers_well(const struct part *part, const struct table_column *column, enum table_id table, uint64_t value,
			uint64_t own_number)
{
	uint64_t rows;

	if (column->refers_to == REFERS_TO_NOTHING || (column->or_none && value == UINT32_MAX))
		return true;
	if (column->refers_to == table)
		return value < own_number;
	rows = column->refers_to == TABLE_STRINGS ? part->reading->strings.of.count
						  : recording_keeper_count(&part->reading->keeper, column->refers_to);
	return value < rows;
}

static int decode_columns(struct part *part, enum table_id table, size_t columns, char *rows, uint64_t count,
			  uint64_t first)
{
	const struct table_shape *shape = &recording_shapes[table];

	for (size_t c = 0; c < columns; c++) {
		const struct table_column *column = &shape->columns[c];
		uint64_t before = 0, value;

		for (uint64_t i = 0; i < count; i++) {
			if (!varint_read(&part->at, part->end, &value))
				return -EBADMSG;
			if (column->differences)
				value = before + (uint64_t)unzigzag(value);
			before = value;
			if (column->is_flag && value > 1)
				return -EBADMSG;
			if (column->bytes < 8 && value >> (8 * column->bytes))
				return -EBADMSG;
			if (!refers_well(part, column, table, value, first + i))
				return -EBADMSG;
			if (column->refers_to == TABLE_STRINGS)
				value = part->reading->strings.of.items[value];
			column_set(column, rows + i * shape->row_bytes, value);
		}
	}
	return 0;
}

static void refer_to_none(const struct table_shape *shape, size_t first_column, char *rows, uint64_t count)
{
	for (size_t c = first_column; c < shape->column_count; c++)
		for (uint64_t i = 0; i < count && shape->columns[c].or_none; i++)
			column_set(&shape->columns[c], rows + i * shape->row_bytes, UINT32_MAX);
}

static bool goes_on(enum table_id table)
{
	return table != TABLE_CONTAINERS_AGAIN && table != TABLE_FRAMES_AGAIN;
}

static int decode_rows(struct part *part, enum table_id table, size_t columns, uint64_t count)
{
	const struct table_shape *shape = &recording_shapes[table];
	struct any_array *array = goes_to(part, table);
	uint64_t first = goes_on(table) ? recording_keeper_count(&part->reading->keeper, table) : array->count;
	int err;

	if (!count)
		return 0;
	/* A row takes at least one byte for each column: a count that lies costs nothing. */
	if (!columns || count > (uint64_t)(part->end - part->at) / columns || first + count >= UINT32_MAX)
		return -EBADMSG;
	if (!fits(part->reading, count * shape->row_bytes))
		return -EFBIG;
	if (array_reserve_bytes(&array->items, array->count, &array->capacity, count, shape->row_bytes))
		return -ENOMEM;
	/* Padding too: rows may be compared and hashed as bytes. */
	memset((char *)array->items + array->count * shape->row_bytes, 0, count * shape->row_bytes);
	refer_to_none(shape, columns, (char *)array->items + array->count * shape->row_bytes, count);
	err = decode_columns(part, table, columns, (char *)array->items + array->count * shape->row_bytes, count,
			     first);
	if (!err)
		array->count += count;
	return err;
}

static int decode_tables(struct part *part)
{
	uint64_t table, count, next = 0;
	int err = 0;

	while (part->at < part->end && !err) {
		if (!varint_read(&part->at, part->end, &table) || !varint_read(&part->at, part->end, &count) ||
		    table >= TABLE_FIRST_LATER || table < next)
			return -EBADMSG;
		next = table + 1;
		err = table == TABLE_STRINGS
			      ? decode_strings(part, count)
			      : decode_rows(part, (enum table_id)table, recording_shapes[table].column_count, count);
	}
	return err;
}

/* Columns that an older stoker did not write are 0, which must not name a row: a reference is to none, if it may be. */
static bool may_lack(const struct table_shape *shape, size_t columns)
{
	for (size_t c = columns; c < shape->column_count; c++)
		if (shape->columns[c].refers_to != REFERS_TO_NOTHING && shape->columns[c].refers_to != TABLE_STRINGS &&
		    !shape->columns[c].or_none)
			return false;
	return true;
}

static int decode_later_rows(struct part *part, enum table_id table, uint64_t columns, uint64_t count)
{
	const struct table_shape *shape = &recording_shapes[table];

	if (columns > shape->column_count)
		columns = shape->column_count;
	return may_lack(shape, columns) ? decode_rows(part, table, columns, count) : -EBADMSG;
}

/* A table that is not known is skipped, and so are columns beyond the known ones; columns that are missing are 0. */
static int decode_later_tables(struct part *part)
{
	const uint8_t *end = part->end;
	uint64_t table, count, columns, bytes;
	int err = 0;

	while (part->at < end && !err) {
		part->end = end;
		if (!varint_read(&part->at, end, &table) || !varint_read(&part->at, end, &count) ||
		    !varint_read(&part->at, end, &columns) || !varint_read(&part->at, end, &bytes) ||
		    bytes > (uint64_t)(end - part->at) || table < TABLE_FIRST_LATER)
			return -EBADMSG;
		part->end = part->at + bytes;
		if (table < TABLES)
			err = decode_later_rows(part, (enum table_id)table, columns, count);
		part->at = part->end;
	}
	return err;
}

/* All of a chunk or nothing of it (but its strings, which do no harm). */
static int decode_chunk(struct part *part, enum chunk_type type)
{
	struct recording_keeper *keeper = &part->reading->keeper;
	struct recording_tables *tables = part->reading->tables;
	int err;

	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table))
		part->before[table] = recording_keeper_rows(keeper, table)->count;
	err = type == CHUNK_MORE ? decode_later_tables(part) : decode_tables(part);
	for (enum table_id table = TABLE_FACTS; table < TABLES && err; table = next_kept_table(table))
		recording_keeper_rows(keeper, table)->count = part->before[table];
	if (err)
		return err;
	for (size_t i = 0; i < part->containers_again.count; i++)
		tables->containers.items[part->containers_again.items[i].number] = part->containers_again.items[i].row;
	for (size_t i = 0; i < part->frames_again.count; i++)
		tables->frames.items[part->frames_again.items[i].number] = part->frames_again.items[i].row;
	recording_keeper_take_chunk(keeper);
	return 0;
}

/* What was only needed to read the chunk, and what is of no use any more, is given back. */
static void count_memory(struct reading *reading)
{
	reading->memory = reading->string_bytes + recording_keeper_bytes(&reading->keeper);
}

static int take_chunk(struct reading *reading, const struct chunk_header *header, const uint8_t *raw)
{
	_cleanup_(part_deinit) struct part part = {.at = raw, .end = raw + header->raw_bytes, .reading = reading};
	bool rows = header->type == CHUNK_ROWS;
	int err = 0;

	/* Of a later stoker: what is in it nothing else refers to. */
	if (header->type > CHUNK_MORE)
		return 0;
	if (rows && reading->last == CHUNK_MORE)
		reading->tables->calls_told = reading->tables->samples.count;
	reading->last = header->type;
	if (rows && recording_keeper_adds_up(&reading->keeper)) {
		err = recording_keeper_mark(&reading->keeper);
		reading->since_mark = 0;
		count_memory(reading);
	}
	if (!err)
		err = header->type ? decode_chunk(&part, (enum chunk_type)header->type) : -EBADMSG;
	if (!err)
		count_memory(reading);
	return err;
}

/* -EBADMSG: no whole, good chunk here. */
static int read_chunk(FILE *file, struct chunk_header *ret_header, uint8_t **ret_raw, uint64_t *ignored)
{
	_cleanup_free_ char *stored = NULL;
	_cleanup_free_ uint8_t *raw = NULL;
	struct chunk_header header;
	size_t got = fread(&header, 1, sizeof(header), file), bytes;

	*ignored += got;
	if (ferror(file))
		return -EIO;
	if (got < sizeof(header) || header.raw_bytes > CHUNK_RAW_BYTES_MAX ||
	    header.stored_bytes > CHUNK_STORED_BYTES_MAX)
		return -EBADMSG;
	stored = malloc(header.stored_bytes + 1u);
	if (!stored)
		return -ENOMEM;
	got = fread(stored, 1, header.stored_bytes, file);
	*ignored += got;
	if (ferror(file))
		return -EIO;
	if (got < header.stored_bytes || chunk_checksum(&header, stored) != header.checksum)
		return -EBADMSG;
	raw = malloc(header.raw_bytes + 1u);
	if (!raw)
		return -ENOMEM;
	bytes = ZSTD_decompress(raw, header.raw_bytes, stored, header.stored_bytes);
	if (ZSTD_isError(bytes) || bytes != header.raw_bytes)
		return -EBADMSG;
	*ignored = 0;
	*ret_header = header;
	*ret_raw = take_ptr(raw);
	return 0;
}

static uint64_t rest_of(FILE *file)
{
	char block[16384];
	uint64_t rest = 0;
	size_t got;

	while ((got = fread(block, 1, sizeof(block), file)) > 0)
		rest += got;
	return rest;
}

/* The calls of samples come in a later chunk than these, or in a row of them. They ascend: before the last one all are there. */
static void look_at_last_call(struct recording_tables *tables)
{
	size_t count = tables->sample_calls.count;

	if (count && tables->sample_calls.items[count - 1].sample >= tables->calls_told)
		tables->calls_told = (size_t)tables->sample_calls.items[count - 1].sample + 1;
}

/* As much as there is room for: what is beyond it is as one that was cut. */
static int end_at_mark(struct reading *reading, struct recording_end *end)
{
	end->beyond_memory = true;
	end->ignored += reading->since_mark;
	return recording_keeper_back(&reading->keeper);
}

/* A chunk with a good checksum and bad rows was not made by a stoker: what came before it is all that is believed. */
static int read_chunks(FILE *file, struct reading *reading, struct recording_end *end)
{
	int err = array_add(&reading->strings.of) ? 0 : -ENOMEM;

	while (!err) {
		_cleanup_free_ uint8_t *raw = NULL;
		struct chunk_header header;
		uint64_t bytes;

		err = read_chunk(file, &header, &raw, &end->ignored);
		end->whole = !err && header.type == CHUNK_END;
		if (err || end->whole)
			break;
		bytes = sizeof(header) + header.stored_bytes;
		err = take_chunk(reading, &header, raw);
		if (err)
			end->ignored += bytes;
		else
			reading->since_mark += bytes;
	}
	if (err == -EFBIG)
		err = end_at_mark(reading, end);
	else if (!err || err == -EBADMSG)
		err = recording_keeper_mark(&reading->keeper);
	if (err)
		return err;
	if (end->whole)
		reading->tables->calls_told = reading->tables->samples.count;
	else
		look_at_last_call(reading->tables);
	end->ignored += rest_of(file);
	end->left_out = recording_keeper_has_left_out(&reading->keeper);
	return 0;
}

int recording_read(FILE *file, unsigned int wants, uint64_t memory_bytes_max, struct recording_tables *tables,
		   struct recording_end *ret_end)
{
	_cleanup_(reading_deinit) struct reading reading = {
		.tables = tables, .memory_max = memory_bytes_max, .last = CHUNK_MORE};
	struct recording_file_header header;
	struct recording_end end = {0};
	size_t got = fread(&header, 1, sizeof(header), file);
	int err;

	if (ferror(file))
		return -EIO;
	if (!got)
		return -ENODATA;
	if (got < RECORDING_MAGIC_BYTES || memcmp(header.magic, RECORDING_MAGIC, RECORDING_MAGIC_BYTES))
		return -EBADMSG;
	if (got < sizeof(header)) {
		*ret_end = (struct recording_end){.ignored = got};
		return 0;
	}
	if (header.version != RECORDING_VERSION || header.flags)
		return -EPROTO;
	recording_keeper_init(&reading.keeper, tables, wants);
	err = read_chunks(file, &reading, &end);
	if (!err)
		*ret_end = end;
	return err;
}
