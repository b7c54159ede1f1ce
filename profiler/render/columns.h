/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * columns: aligned text. Widths are counted in characters of UTF-8; a cell that is too long is cut and ends in "…".
 */
#ifndef STOKER_RENDER_COLUMNS_H
#define STOKER_RENDER_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "symbolizer/base/array.h"

#define COLUMN_CELL_BYTES 256
#define COLUMNS_MAX 16

struct column {
	const char *title;
	bool right; /* aligned */
	size_t max; /* characters */
};

struct column_row {
	char cells[COLUMNS_MAX][COLUMN_CELL_BYTES];
	char note[COLUMN_CELL_BYTES]; /* behind the last column; "" for none */
};

struct column_table {
	const struct column *columns; /* [column_count] */
	size_t column_count;	      /* at most COLUMNS_MAX */
	ARRAY(struct column_row) rows;
};

/**
 * column_table_add() - one row
 * @cells: [column_count], valid UTF-8 without control characters (text_printable())
 * @note:  a format for what stands behind the last column, or NULL
 * Returns 0 or -ENOMEM.
 */
int column_table_add(struct column_table *table, char cells[][COLUMN_CELL_BYTES], const char *note, ...)
	__attribute__((format(printf, 3, 4)));

void column_table_deinit(struct column_table *table);

/* Titles and rows, without spaces at the ends of lines. */
void column_table_print(const struct column_table *table, FILE *out);

/* Cuts valid UTF-8 text to @max characters in place, the last of them "…" where something was cut. */
void text_cut(char *text, size_t size, size_t max);

#endif
