/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * row_encoder: the rows of a chunk as bytes, column by column (docs/recording-format.md).
 *
 * Rows are appended to @chunk, which the caller writes and empties (chunk.count = 0). An all-zero encoder is an empty
 * one.
 */
#ifndef STOKER_ROW_ENCODER_H
#define STOKER_ROW_ENCODER_H

#include "profiler/recording/recording_format.h"

struct row_encoder {
	ARRAY(uint8_t) chunk; /* that is being made */
	ARRAY(uint8_t) body;  /* rows of one later table, before their size is known */
};

void row_encoder_deinit(struct row_encoder *encoder);

/* No string takes more than its bytes and these; no number of a row takes more. */
#define ROW_ENCODER_NUMBER_BYTES 10

/**
 * row_encoder_strings(), row_encoder_rows() - append a table's next rows
 * @entries, @rows: [count]; @rows as recording_shapes[table] describes them
 * Returns 0 or -ENOMEM, after which the chunk may hold half of the rows and is of no use.
 */
int row_encoder_strings(struct row_encoder *encoder, const struct string_table_entry *entries, size_t count);
int row_encoder_rows(struct row_encoder *encoder, enum table_id table, const void *rows, size_t count);

#endif
