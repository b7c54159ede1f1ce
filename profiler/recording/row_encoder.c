/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/row_encoder.h"

#include <errno.h>
#include <string.h>

void row_encoder_deinit(struct row_encoder *encoder)
{
	array_deinit(&encoder->chunk);
	array_deinit(&encoder->body);
}

static int put_bytes(struct row_encoder *encoder, const void *bytes, size_t count)
{
	if (array_reserve(&encoder->chunk, count))
		return -ENOMEM;
	memcpy(encoder->chunk.items + encoder->chunk.count, bytes, count);
	encoder->chunk.count += count;
	return 0;
}

static int put_varint(struct row_encoder *encoder, uint64_t value)
{
	if (array_reserve(&encoder->chunk, ROW_ENCODER_NUMBER_BYTES))
		return -ENOMEM;
	encoder->chunk.count += varint_write(encoder->chunk.items + encoder->chunk.count, value);
	return 0;
}

int row_encoder_strings(struct row_encoder *encoder, const struct string_table_entry *entries, size_t count)
{
	int err = put_varint(encoder, TABLE_STRINGS);

	if (!err)
		err = put_varint(encoder, count);
	for (size_t i = 0; i < count && !err; i++) {
		err = put_varint(encoder, entries[i].length);
		if (!err)
			err = put_bytes(encoder, entries[i].text, entries[i].length);
	}
	return err;
}

/* Column by column: like next to like is what the compressor needs. */
static int encode_columns(struct row_encoder *encoder, enum table_id table, const char *rows, size_t count)
{
	const struct table_shape *shape = &recording_shapes[table];
	int err = 0;

	for (size_t c = 0; c < shape->column_count && !err; c++) {
		const struct table_column *column = &shape->columns[c];
		uint64_t before = 0;

		for (size_t i = 0; i < count && !err; i++) {
			uint64_t value = column_get(column, rows + i * shape->row_bytes);

			err = put_varint(encoder, column->differences ? zigzag((int64_t)(value - before)) : value);
			before = value;
		}
	}
	return err;
}

static int encode_rows(struct row_encoder *encoder, enum table_id table, const char *rows, size_t count)
{
	int err = put_varint(encoder, table);

	if (!err)
		err = put_varint(encoder, count);
	return err ? err : encode_columns(encoder, table, rows, count);
}

/* As encode_rows(), with the number of columns and the size of all of them in front. */
static int encode_later(struct row_encoder *encoder, enum table_id table, const char *rows, size_t count)
{
	size_t start = encoder->chunk.count, bytes;
	int err = encode_columns(encoder, table, rows, count);

	if (err)
		return err;
	bytes = encoder->chunk.count - start;
	encoder->body.count = 0;
	if (array_reserve(&encoder->body, bytes))
		return -ENOMEM;
	memcpy(encoder->body.items, encoder->chunk.items + start, bytes);
	encoder->chunk.count = start;
	err = put_varint(encoder, table);
	if (!err)
		err = put_varint(encoder, count);
	if (!err)
		err = put_varint(encoder, recording_shapes[table].column_count);
	if (!err)
		err = put_varint(encoder, bytes);
	return err ? err : put_bytes(encoder, encoder->body.items, bytes);
}

int row_encoder_rows(struct row_encoder *encoder, enum table_id table, const void *rows, size_t count)
{
	return table < TABLE_FIRST_LATER ? encode_rows(encoder, table, rows, count)
					 : encode_later(encoder, table, rows, count);
}
