/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/columns.h"

#include <stdarg.h>
#include <string.h>

#include "symbolizer/base/text.h"

#define ELLIPSIS "…"

void text_cut(char *text, size_t size, size_t max)
{
	size_t at = 0, characters = 0;

	if (text_columns(text) <= max)
		return;
	while (text[at]) {
		if (((unsigned char)text[at] & 0xc0) != 0x80 && ++characters == max)
			break;
		at++;
	}
	while (at && (at + sizeof(ELLIPSIS) > size || ((unsigned char)text[at] & 0xc0) == 0x80))
		at--;
	memcpy(text + at, ELLIPSIS, sizeof(ELLIPSIS));
}

int column_table_add(struct column_table *table, char cells[][COLUMN_CELL_BYTES], const char *note, ...)
{
	struct column_row *row = array_add(&table->rows);
	va_list arguments;

	if (!row)
		return -ENOMEM;
	for (size_t i = 0; i < table->column_count; i++) {
		memcpy(row->cells[i], cells[i], COLUMN_CELL_BYTES);
		text_cut(row->cells[i], COLUMN_CELL_BYTES, table->columns[i].max);
	}
	if (note) {
		va_start(arguments, note);
		vsnprintf(row->note, sizeof(row->note), note, arguments);
		va_end(arguments);
	}
	return 0;
}

void column_table_deinit(struct column_table *table)
{
	array_deinit(&table->rows);
}

static void put_spaces(size_t *pending, FILE *out)
{
	fprintf(out, "%*s", (int)*pending, "");
	*pending = 0;
}

/* Spaces are only written when something follows them. */
static void put_cell(const char *text, bool right, size_t width, size_t *pending, FILE *out)
{
	size_t columns = text_columns(text), gap = width > columns ? width - columns : 0;

	if (right)
		*pending += gap;
	if (*text) {
		put_spaces(pending, out);
		fputs(text, out);
	}
	if (!right)
		*pending += gap;
}

void column_table_print(const struct column_table *table, FILE *out)
{
	size_t widths[COLUMNS_MAX] = {0}, pending = 0;

	for (size_t c = 0; c < table->column_count; c++) {
		widths[c] = text_columns(table->columns[c].title);
		for (size_t i = 0; i < table->rows.count; i++) {
			size_t columns = text_columns(table->rows.items[i].cells[c]);

			widths[c] = columns > widths[c] ? columns : widths[c];
		}
	}
	for (size_t c = 0; c < table->column_count; c++) {
		put_cell(table->columns[c].title, table->columns[c].right, widths[c], &pending, out);
		pending += 2;
	}
	fputc('\n', out);
	for (size_t i = 0; i < table->rows.count; i++) {
		const struct column_row *row = &table->rows.items[i];

		pending = 0;
		for (size_t c = 0; c < table->column_count; c++) {
			put_cell(row->cells[c], table->columns[c].right, widths[c], &pending, out);
			pending += 2;
		}
		put_cell(row->note, false, 0, &pending, out);
		fputc('\n', out);
	}
}
