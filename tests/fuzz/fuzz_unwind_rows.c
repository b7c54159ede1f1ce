/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_unwind_rows: hostile call frame information, of files with and without a separate debug file: the first byte
 * says where the one ends and the other begins. What comes out must be as unwind_parser.h hands it to the kernel's tables.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/unwind_rows.h"
#include "tests/unit/unwind_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct unwind_rows *rows)
{
	if (rows->segment_count > UNWIND_SEGMENTS_MAX || rows->pages.count > UNWIND_PAGES_MAX ||
	    rows->rows.count > UNWIND_ROWS_MAX || rows->rules.count > UNWIND_RULES_MAX)
		abort();
	for (size_t i = 0; i < rows->pages.count; i++) {
		const struct unwind_page *page = &rows->pages.items[i];

		if (!page->count || page->first > rows->rows.count || page->count > rows->rows.count - page->first)
			abort();
		for (uint32_t j = page->first + 1; j < page->first + page->count; j++)
			if (rows->rows.items[j].low <= rows->rows.items[j - 1].low)
				abort();
	}
	for (size_t i = 0; i < rows->rows.count; i++)
		if (rows->rows.items[i].rule >= rows->rules.count || rows->rows.items[i].low >> UNWIND_PAGE_SHIFT)
			abort();
}

static void look_up(const struct unwind_rows *rows)
{
	uint64_t first = rows->first_page << UNWIND_PAGE_SHIFT,
		 bytes = (uint64_t)rows->pages.count << UNWIND_PAGE_SHIFT;

	for (uint64_t at = 0; at < bytes; at += bytes / 256 + 1)
		find_rule(rows, first + at);
	find_rule(rows, first - 1);
	find_rule(rows, first + bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC), debug_fd = -1;
	struct unwind_rows rows = {0};
	size_t first;

	if (fd < 0)
		abort();
	if (!size) {
		close(fd);
		return 0;
	}
	/* 255: no debug file. */
	first = data[0] == 255 ? size - 1 : data[0] * (size - 1) / 255;
	if (data[0] != 255) {
		debug_fd = memfd_create("debug", MFD_CLOEXEC);
		if (write(debug_fd, data + 1 + first, size - 1 - first) < 0)
			abort();
	}
	if (write(fd, data + 1, first) < 0)
		abort();
	if (!unwind_rows_read(fd, debug_fd, &rows)) {
		check(&rows);
		look_up(&rows);
	}
	unwind_rows_deinit(&rows);
	close(fd);
	if (debug_fd >= 0)
		close(debug_fd);
	return 0;
}
