/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_parser_answers: what a child that was taken over may answer. The first byte says what it was asked.
 */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/parse_records.h"
#include "symbolizer/unwind_parser.h"
#include "tests/unit/unwind_rules.h"

#define ADDRESSES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_records(struct parse_reader reader)
{
	static const uint64_t addresses[ADDRESSES] = {0, 0x1000, 0x1001, UINT64_MAX};
	bool whole = parse_records_make_sense(reader, addresses, ADDRESSES, PARSE_FRAMES_MAX);
	struct parse_name names[PARSE_FRAMES_MAX];
	int count, records = 0;
	uint64_t start, end;

	while ((count = parse_records_next(&reader, &start, &end, names)) >= 0) {
		if (count > PARSE_FRAMES_MAX || start > end)
			abort();
		for (int i = 0; i < count; i++)
			if (!names[i].bytes || strnlen(names[i].text, names[i].bytes) != names[i].bytes ||
			    strnlen(names[i].file, names[i].file_bytes) != names[i].file_bytes)
				abort();
		if (whole && start < end && (addresses[records] < start || addresses[records] >= end))
			abort();
		records++;
	}
	if (whole && records != ADDRESSES)
		abort();
}

static void read_splits(struct parse_reader reader)
{
	char name[PATH_MAX], directory[PATH_MAX];
	struct parse_split record;

	while (parse_splits_next(&reader, &record, name, directory))
		if (strlen(name) > record.name_bytes || strlen(directory) > record.directory_bytes)
			abort();
}

/* Rows that are taken can be looked up, wherever. */
static void read_rows(const uint8_t *data, size_t size)
{
	struct worker_bytes answer = {0};
	struct unwind_rows rows = {0};

	if (worker_bytes_add(&answer, data, size))
		abort();
	if (!unwind_parser_read(&answer, &rows))
		for (uint64_t i = 0; i < rows.pages.count && i < 64; i++) {
			find_rule(&rows, (rows.first_page + i) << UNWIND_PAGE_SHIFT);
			find_rule(&rows, ((rows.first_page + i) << UNWIND_PAGE_SHIFT) + 0xfff);
		}
	unwind_rows_deinit(&rows);
	array_deinit(&answer.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parse_reader reader = {(const char *)data + 1, (const char *)data + size};

	if (!size)
		return 0;
	switch (data[0] % 3) {
	case 0:
		read_records(reader);
		break;
	case 1:
		read_splits(reader);
		break;
	default:
		read_rows(data + 1, size - 1);
	}
	return 0;
}
