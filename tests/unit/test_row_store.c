/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's tables as user space fills them, in plain memory: what a program would find there is what the rows say.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/collect/number_ranges.h"
#include "profiler/collect/row_store.h"
#include "symbolizer/base/array.h"
#include "tests/unit/unwind_rules.h"

static void test_number_ranges__gives_numbers_once_until_they_come_back(void **state)
{
	struct number_ranges ranges;
	uint32_t a, b, c;

	assert_int_equal(number_ranges_init(&ranges, 100), 0);
	assert_int_equal(number_ranges_take(&ranges, 40, &a), 0);
	assert_int_equal(number_ranges_take(&ranges, 40, &b), 0);
	assert_true(a + 40 <= b || b + 40 <= a);
	assert_int_equal(number_ranges_take(&ranges, 40, &c), -ENOSPC);
	number_ranges_give(&ranges, a, 40);
	assert_int_equal(number_ranges_take(&ranges, 40, &c), 0);
	assert_int_equal(c, a);
	assert_int_equal(ranges.free_count, 20);
	number_ranges_deinit(&ranges);
}

static void test_number_ranges__joins_what_lies_side_by_side(void **state)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct number_ranges ranges;
	uint32_t first[3], all;

	for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
		assert_int_equal(number_ranges_init(&ranges, 30), 0);
		for (int j = 0; j < 3; j++)
			assert_int_equal(number_ranges_take(&ranges, 10, &first[j]), 0);
		for (int j = 0; j < 3; j++)
			number_ranges_give(&ranges, first[orders[i][j]], 10);
		assert_int_equal(ranges.free.count, 1);
		assert_int_equal(number_ranges_take(&ranges, 30, &all), 0);
		number_ranges_deinit(&ranges);
	}
}

static void test_number_ranges__a_trimmed_end_is_free_again(void **state)
{
	struct number_ranges ranges;
	uint32_t first, rest;

	assert_int_equal(number_ranges_init(&ranges, 30), 0);
	assert_int_equal(number_ranges_take(&ranges, 30, &first), 0);
	number_ranges_trim(&ranges, first, 30, 12);
	assert_int_equal(number_ranges_take(&ranges, 18, &rest), 0);
	assert_int_equal(rest, 12);
	number_ranges_give(&ranges, first, 12);
	number_ranges_give(&ranges, rest, 18);
	assert_int_equal(ranges.free_count, 30);
	number_ranges_deinit(&ranges);
}

/* As walk_rule_at() in bpf/walk.bpf.h looks. */
static struct walk_rule find(const struct walk_maps *maps, uint32_t number, uint64_t offset)
{
	const struct walk_file *file = &maps->files->at[number];
	uint64_t page_number = (offset >> WALK_PAGE_SHIFT) - file->base;
	const struct walk_page *page;
	uint32_t at;

	if (page_number >= file->page_count)
		return (struct walk_rule){0};
	page = &maps->pages->at[file->first_page + page_number];
	if (!page->count)
		return (struct walk_rule){0};
	assert_int_equal(page->first / WALK_SEGMENT_ROWS, (page->first + page->count - 1) / WALK_SEGMENT_ROWS);
	for (at = page->count - 1; at > 0; at--)
		if (walk_maps_row(maps, page->first + at)->low <= (offset & (WALK_PAGE_BYTES - 1)))
			break;
	return maps->rules->at[file->first_rule + walk_maps_row(maps, page->first + at)->rule];
}

static void assert_same_rules(const struct walk_maps *maps, uint32_t number, const struct unwind_rows *rows)
{
	const struct unwind_segment *segment = &rows->segments[0];

	for (uint64_t at = 0; at < segment->bytes; at += 7) {
		struct unwind_rule wanted = find_rule(rows, segment->address + at);
		struct walk_rule got = find(maps, number, segment->offset + at);

		assert_memory_equal(&got, &wanted, sizeof(got));
	}
}

static void read_libc(struct unwind_rows *rows)
{
	int fd = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unwind_rows_read(fd, -1, rows), 0);
	assert_true(rows->rows.count > 1000 && rows->segment_count == 1);
	close(fd);
}

static void test_row_store__shows_every_rule_of_a_library_by_file_offset(void **state)
{
	struct unwind_rows rows = {0};
	struct stored_rows stored;
	struct row_store store;
	struct walk_maps maps;

	read_libc(&rows);
	assert_int_equal(walk_maps_init(&maps, NULL), 0);
	assert_int_equal(row_store_init(&store, &maps, 8), 0);
	assert_int_equal(row_store_put(&store, 5, &rows, &stored), 0);
	assert_int_equal(maps.files->at[5].state, WALK_FILE_READY);
	assert_same_rules(&maps, 5, &rows);
	row_store_deinit(&store);
	walk_maps_deinit(&maps);
	unwind_rows_deinit(&rows);
}

static void test_row_store__is_full_at_its_budget_and_has_room_again_when_something_is_taken_out(void **state)
{
	struct unwind_rows rows = {0};
	struct stored_rows stored[16], again;
	struct row_store store;
	struct walk_maps maps;
	uint32_t count = 0;
	int err = 0;

	read_libc(&rows);
	assert_int_equal(walk_maps_init(&maps, NULL), 0);
	assert_int_equal(row_store_init(&store, &maps, 3), 0);
	while (count < ARRAY_LENGTH(stored) && !(err = row_store_put(&store, count, &rows, &stored[count])))
		count++;
	assert_int_equal(err, -ENOSPC);
	/* Three segments, of which a library takes a third, and a little is lost at their ends. */
	assert_in_range(count, 6, 3 * WALK_SEGMENT_ROWS / rows.rows.count);
	assert_int_equal(maps.files->at[count].state, WALK_FILE_UNREAD);
	/* Room is asked for with some to spare: what one library has left is a little too small for the same one. */
	row_store_take_out(&store, 1, &stored[1]);
	row_store_take_out(&store, 2, &stored[2]);
	assert_int_equal(maps.files->at[1].state, WALK_FILE_UNREAD);
	assert_int_equal(maps.files->at[2].state, WALK_FILE_UNREAD);
	assert_int_equal(row_store_put(&store, 2, &rows, &again), 0);
	for (uint32_t i = 0; i < count; i++)
		if (i != 1)
			assert_same_rules(&maps, i, &rows);
	row_store_deinit(&store);
	walk_maps_deinit(&maps);
	unwind_rows_deinit(&rows);
}

/* One page of rows, which @segments many segments of the file claim to be. */
static void add_hostile_rows(struct unwind_rows *rows, size_t segments)
{
	struct unwind_page *page = array_add(&rows->pages);

	assert_non_null(page);
	assert_non_null(array_add(&rows->rules));
	for (uint16_t i = 0; i < 4096; i++)
		((struct unwind_row *)array_add(&rows->rows))->low = i;
	*page = (struct unwind_page){0, 4096};
	for (size_t i = 0; i < segments; i++)
		rows->segments[i] = (struct unwind_segment){.offset = i << WALK_PAGE_SHIFT, .bytes = 4096};
	rows->segment_count = segments;
}

static void test_row_store__segments_over_each_other_take_no_more_room_than_their_rows(void **state)
{
	struct unwind_rows rows = {0};
	struct stored_rows stored;
	struct row_store store;
	struct walk_maps maps;

	add_hostile_rows(&rows, UNWIND_SEGMENTS_MAX);
	assert_int_equal(walk_maps_init(&maps, NULL), 0);
	assert_int_equal(row_store_init(&store, &maps, 2), 0);
	assert_int_equal(row_store_put(&store, 0, &rows, &stored), 0);
	assert_true(stored.rows.count <= 4 * 4096);
	row_store_deinit(&store);
	walk_maps_deinit(&maps);
	unwind_rows_deinit(&rows);
}

static void test_row_store__refuses_a_file_whose_code_is_larger_than_its_tables(void **state)
{
	struct unwind_rows rows = {0};
	struct stored_rows stored;
	struct row_store store;
	struct walk_maps maps;

	add_hostile_rows(&rows, 2);
	rows.segments[1].offset = 1ull << 40;
	assert_int_equal(walk_maps_init(&maps, NULL), 0);
	assert_int_equal(row_store_init(&store, &maps, 2), 0);
	assert_int_equal(row_store_put(&store, 0, &rows, &stored), -E2BIG);
	/* Sizes that wrap around are no segment at all. */
	rows.segments[1].bytes = UINT64_MAX;
	assert_int_equal(row_store_put(&store, 0, &rows, &stored), 0);
	row_store_deinit(&store);
	walk_maps_deinit(&maps);
	unwind_rows_deinit(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_ranges__gives_numbers_once_until_they_come_back),
		cmocka_unit_test(test_number_ranges__joins_what_lies_side_by_side),
		cmocka_unit_test(test_number_ranges__a_trimmed_end_is_free_again),
		cmocka_unit_test(test_row_store__shows_every_rule_of_a_library_by_file_offset),
		cmocka_unit_test(test_row_store__is_full_at_its_budget_and_has_room_again_when_something_is_taken_out),
		cmocka_unit_test(test_row_store__segments_over_each_other_take_no_more_room_than_their_rows),
		cmocka_unit_test(test_row_store__refuses_a_file_whose_code_is_larger_than_its_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
