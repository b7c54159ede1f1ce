/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/recording_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "profiler/recording/recording_format.h"
#include "symbolizer/base/cleanup.h"

/* Beside its bytes: an entry, its slots in a table that is half full, and its number. */
#define STRING_COST_BYTES 52

/* The string of each number in the file: a writer that has forgotten one gives it a second number. */
struct numbered_strings {
	ARRAY(string_id) of;
};

/* What is kept of samples alone: rows of other tables are checked, counted and forgotten, chunk by chunk. */
struct condensed {
	size_t forgotten[TABLES]; /* rows */
	size_t samples;		  /* the first so many are each of another place */
	struct hash_index index;  /* of these */
};

/* A chunk being decoded. Its rows count only when all of it is good. */
struct part {
	const uint8_t *at, *end;
	struct recording_tables *tables;
	struct numbered_strings *strings;
	struct condensed *condensed; /* NULL: all is kept */
	uint64_t *memory;	     /* bytes taken by all rows so far */
	uint64_t passing;	     /* of these, by rows that are forgotten with the chunk */
	size_t before[TABLES];
	ARRAY(struct container_again) containers_again;
	ARRAY(struct frame_again) frames_again;
};

static struct any_array *rows_of(struct recording_tables *tables, enum table_id table)
{
	return (struct any_array *)((char *)tables + recording_shapes[table].rows);
}

static void strings_deinit(struct numbered_strings *strings)
{
	array_deinit(&strings->of);
}

static void condensed_deinit(struct condensed *condensed)
{
	hash_index_deinit(&condensed->index);
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
	return rows_of(part->tables, table);
}

/* Rows of a table by now, those included that are forgotten. */
static size_t count_of(const struct part *part, enum table_id table)
{
	return rows_of(part->tables, table)->count + (part->condensed ? part->condensed->forgotten[table] : 0);
}

static bool is_of_samples(enum table_id table)
{
	return table < TABLE_FIRST_LATER && table != TABLE_PROCESSES && table != TABLE_THREADS;
}

static bool fits(struct part *part, uint64_t bytes)
{
	*part->memory += bytes;
	return *part->memory <= RECORDING_MEMORY_BYTES_MAX;
}

static int decode_strings(struct part *part, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		string_id *id;
		uint64_t length;
		int err;

		if (!varint_read(&part->at, part->end, &length) || length > RECORDING_STRING_BYTES_MAX ||
		    length > (uint64_t)(part->end - part->at))
			return -EBADMSG;
		if (!fits(part, length + STRING_COST_BYTES))
			return -EFBIG;
		id = array_add(&part->strings->of);
		err = id ? string_table_add(&part->tables->strings, (const char *)part->at, length, id) : -ENOMEM;
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
	rows = column->refers_to == TABLE_STRINGS ? part->strings->of.count : count_of(part, column->refers_to);
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
				value = part->strings->of.items[value];
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
	uint64_t first = goes_on(table) ? count_of(part, table) : array->count;
	int err;

	if (!count)
		return 0;
	/* A row takes at least one byte for each column: a count that lies costs nothing. */
	if (!columns || count > (uint64_t)(part->end - part->at) / columns || first + count >= UINT32_MAX)
		return -EBADMSG;
	if (!fits(part, count * shape->row_bytes))
		return -EFBIG;
	part->passing += is_of_samples(table) ? 0 : count * shape->row_bytes;
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
	struct recording_tables *tables = part->tables;
	int err;

	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table))
		part->before[table] = rows_of(tables, table)->count;
	err = type == CHUNK_MORE ? decode_later_tables(part) : decode_tables(part);
	for (enum table_id table = TABLE_FACTS; table < TABLES && err; table = next_kept_table(table))
		rows_of(tables, table)->count = part->before[table];
	if (err)
		return err;
	for (size_t i = 0; i < part->containers_again.count; i++)
		tables->containers.items[part->containers_again.items[i].number] = part->containers_again.items[i].row;
	for (size_t i = 0; i < part->frames_again.count; i++)
		tables->frames.items[part->frames_again.items[i].number] = part->frames_again.items[i].row;
	return 0;
}

/* One of the rows that a sample adds to, where and how it was taken, whenever and by whichever thread. */
static struct recording_sample *place_of(struct condensed *condensed, struct recording_tables *tables,
					 const struct recording_sample *sample, uint64_t hash)
{
	uint32_t number;

	for (size_t at = hash_index_first(&condensed->index, hash);
	     hash_index_next(&condensed->index, hash, &at, &number);) {
		struct recording_sample *known = &tables->samples.items[number];

		if (known->container == sample->container && known->stack == sample->stack &&
		    known->kind == sample->kind && known->stack_end == sample->stack_end)
			return known;
	}
	return NULL;
}

static int condense_samples(struct condensed *condensed, struct recording_tables *tables)
{
	for (size_t i = condensed->samples; i < tables->samples.count; i++) {
		struct recording_sample sample = tables->samples.items[i], *known;
		uint64_t hash = hash_words((uint64_t)sample.container << 32 | sample.stack,
					   (uint64_t)sample.kind << 8 | sample.stack_end);

		known = place_of(condensed, tables, &sample, hash);
		if (!known) {
			if (hash_index_insert(&condensed->index, hash, (uint32_t)condensed->samples))
				return -ENOMEM;
			sample.thread = 0;
			tables->samples.items[condensed->samples++] = sample;
			continue;
		}
		known->count += sample.count;
		known->time_ns = sample.time_ns > known->time_ns ? sample.time_ns : known->time_ns;
	}
	condensed->forgotten[TABLE_SAMPLES] += tables->samples.count - condensed->samples;
	tables->samples.count = condensed->samples;
	return 0;
}

/* The rows that a chunk has brought are checked. */
static int condense(struct part *part)
{
	struct recording_tables *tables = part->tables;

	for (enum table_id table = TABLE_FACTS; table < TABLES; table = next_kept_table(table)) {
		struct any_array *rows = rows_of(tables, table);

		if (is_of_samples(table))
			continue;
		part->condensed->forgotten[table] += rows->count;
		rows->count = 0;
	}
	*part->memory -= part->passing;
	return condense_samples(part->condensed, tables);
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

/* A chunk with a good checksum and bad rows was not made by a stoker: what came before it is all that is believed. */
static int read_chunks(FILE *file, struct recording_tables *tables, struct condensed *condensed, bool *ret_whole,
		       uint64_t *ret_ignored)
{
	_cleanup_(strings_deinit) struct numbered_strings strings = {0};
	uint64_t memory = 0, ignored = 0;
	uint32_t last = CHUNK_MORE;
	bool whole = false;
	int err = array_add(&strings.of) ? 0 : -ENOMEM;

	while (!err && !whole) {
		_cleanup_(part_deinit) struct part part = {
			.tables = tables, .strings = &strings, .condensed = condensed, .memory = &memory};
		_cleanup_free_ uint8_t *raw = NULL;
		struct chunk_header header;

		err = read_chunk(file, &header, &raw, &ignored);
		if (err)
			break;
		whole = header.type == CHUNK_END;
		if (whole)
			break;
		part.at = raw;
		part.end = raw + header.raw_bytes;
		/* Of a later stoker: what is in it nothing else refers to. */
		if (header.type > CHUNK_MORE)
			continue;
		if (header.type == CHUNK_ROWS && last == CHUNK_MORE)
			tables->calls_told = tables->samples.count;
		last = header.type;
		err = header.type ? decode_chunk(&part, (enum chunk_type)header.type) : -EBADMSG;
		if (!err && condensed)
			err = condense(&part);
		if (err)
			ignored += sizeof(header) + header.stored_bytes;
	}
	if (err && err != -EBADMSG)
		return err;
	if (whole)
		tables->calls_told = tables->samples.count;
	else if (!condensed)
		look_at_last_call(tables);
	*ret_whole = whole;
	*ret_ignored = ignored + rest_of(file);
	return 0;
}

static int read_file(FILE *file, struct recording_tables *tables, struct condensed *condensed, bool *ret_whole,
		     uint64_t *ret_ignored)
{
	struct recording_file_header header;
	size_t got = fread(&header, 1, sizeof(header), file);

	if (ferror(file))
		return -EIO;
	if (!got)
		return -ENODATA;
	if (got < RECORDING_MAGIC_BYTES || memcmp(header.magic, RECORDING_MAGIC, RECORDING_MAGIC_BYTES))
		return -EBADMSG;
	if (got < sizeof(header)) {
		*ret_whole = false;
		*ret_ignored = got;
		return 0;
	}
	if (header.version != RECORDING_VERSION || header.flags)
		return -EPROTO;
	return read_chunks(file, tables, condensed, ret_whole, ret_ignored);
}

int recording_read(FILE *file, struct recording_tables *tables, bool *ret_whole, uint64_t *ret_ignored)
{
	return read_file(file, tables, NULL, ret_whole, ret_ignored);
}

int recording_read_samples(FILE *file, struct recording_tables *tables, bool *ret_others, bool *ret_whole,
			   uint64_t *ret_ignored)
{
	_cleanup_(condensed_deinit) struct condensed condensed = {0};
	int err = read_file(file, tables, &condensed, ret_whole, ret_ignored);

	*ret_others = false;
	for (enum table_id table = TABLE_FIRST_LATER; table < TABLES; table = next_kept_table(table))
		*ret_others |= table != TABLE_SERIES && table != TABLE_TIMES && condensed.forgotten[table];
	return err;
}
