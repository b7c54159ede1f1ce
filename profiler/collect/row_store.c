/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/row_store.h"

#include <errno.h>
#include <string.h>

#include "profiler/collect/count_set.h"
#include "symbolizer/base/cleanup.h"

/* What the BPF programs take from shared.h, the symbolizer says in words of its own. */
_Static_assert(sizeof(struct walk_row) == sizeof(struct unwind_row), "rows are copied as they are");
_Static_assert(sizeof(struct walk_rule) == sizeof(struct unwind_rule), "rules are copied as they are");
_Static_assert(WALK_PAGE_SHIFT == UNWIND_PAGE_SHIFT, "pages");
_Static_assert((int)WALK_SP == UNWIND_SP && (int)WALK_FP == UNWIND_FP && (int)WALK_SP_DEREF == UNWIND_SP_DEREF &&
		       (int)WALK_FP_DEREF == UNWIND_FP_DEREF && (int)WALK_PLT == UNWIND_PLT &&
		       (int)WALK_REGISTER == UNWIND_REGISTER && (int)WALK_SIGNAL == UNWIND_SIGNAL &&
		       (int)WALK_END == UNWIND_END && (int)WALK_UNSUPPORTED == UNWIND_UNSUPPORTED &&
		       (int)WALK_SP_INDEXED == UNWIND_SP_INDEXED && (int)WALK_GOROUTINE == UNWIND_GOROUTINE &&
		       (int)WALK_FP_ELSEWHERE == UNWIND_FP_ELSEWHERE,
	       "kinds of rules");
_Static_assert(WALK_GO_TLS_SHIFT == UNWIND_GO_TLS_SHIFT && WALK_GO_G_M == UNWIND_GO_G_M &&
		       WALK_GO_G_SP == UNWIND_GO_G_SP,
	       "Go's runtime");
_Static_assert((int)WALK_FP_AT_CFA == UNWIND_FP_AT_CFA && (int)WALK_FP_AT_FP == UNWIND_FP_AT_FP &&
		       (int)WALK_FP_LOST == UNWIND_FP_LOST,
	       "where the frame pointer is");

/* Pages of a file's code, by offset in the file as mappings are; addresses are only what its rows are written for. */
struct page_span {
	uint64_t base, count;
};

int row_store_init(struct row_store *store, struct walk_maps *maps, uint32_t segments_max)
{
	*store = (struct row_store){
		.maps = maps,
		.segments_max = segments_max < WALK_SEGMENTS_MAX ? segments_max : WALK_SEGMENTS_MAX,
	};
	return number_ranges_init(&store->pages, WALK_PAGES_MAX) || number_ranges_init(&store->rules, WALK_RULES_MAX)
		       ? -ENOMEM
		       : 0;
}

void row_store_deinit(struct row_store *store)
{
	number_ranges_deinit(&store->rows);
	number_ranges_deinit(&store->pages);
	number_ranges_deinit(&store->rules);
}

/* Others the loader could not map either. */
static bool is_usable(const struct unwind_segment *segment)
{
	return segment->bytes && segment->offset + segment->bytes > segment->offset &&
	       !((segment->offset ^ segment->address) & (WALK_PAGE_BYTES - 1));
}

static uint64_t first_page(const struct unwind_segment *segment)
{
	return segment->offset >> WALK_PAGE_SHIFT;
}

static uint64_t last_page(const struct unwind_segment *segment)
{
	return (segment->offset + segment->bytes - 1) >> WALK_PAGE_SHIFT;
}

static struct page_span page_span(const struct unwind_rows *rows)
{
	uint64_t base = UINT64_MAX, end = 0;

	for (size_t i = 0; i < rows->segment_count && rows->pages.count; i++) {
		const struct unwind_segment *segment = &rows->segments[i];

		if (!is_usable(segment))
			continue;
		base = first_page(segment) < base ? first_page(segment) : base;
		end = last_page(segment) + 1 > end ? last_page(segment) + 1 : end;
	}
	return (struct page_span){base, end > base ? end - base : 0};
}

/* A page's rows lie in one segment: at the end of each, up to a page's rows less one may stay unused. */
static uint64_t rows_needed(const struct unwind_rows *rows)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < rows->pages.count; i++)
		largest = rows->pages.items[i].count > largest ? rows->pages.items[i].count : largest;
	if (largest > WALK_SEGMENT_ROWS / 2)
		return UINT64_MAX;
	return (rows->rows.count + 2 * largest) * WALK_SEGMENT_ROWS / (WALK_SEGMENT_ROWS - largest) + 1;
}

bool row_store_lacks_segment(const struct row_store *store, const struct unwind_rows *rows)
{
	return rows->pages.count && store->rows.free_count < rows_needed(rows) &&
	       store->segments_made < store->segments_max;
}

int row_store_make_segment(struct row_store *store)
{
	if (store->segments_made >= store->segments_max)
		return -ENOSPC;
	return walk_maps_add_segment(store->maps, store->segments_made);
}

int row_store_use_segment(struct row_store *store)
{
	int err = number_ranges_grow(&store->rows, store->segments_made * WALK_SEGMENT_ROWS, WALK_SEGMENT_ROWS);

	if (!err)
		store->segments_made++;
	return err;
}

static int take(struct number_ranges *ranges, uint64_t count, struct number_range *ret)
{
	uint32_t first;
	int err = number_ranges_take(ranges, (uint32_t)count, &first);

	if (!err)
		*ret = (struct number_range){first, (uint32_t)count};
	return err;
}

static int take_rows(struct row_store *store, uint64_t count, struct number_range *ret)
{
	int err;

	while ((err = take(&store->rows, count, ret)) == -ENOSPC) {
		err = row_store_make_segment(store);
		if (!err)
			err = row_store_use_segment(store);
		if (err)
			return err;
	}
	return err;
}

static void give_all(struct row_store *store, struct stored_rows *stored)
{
	if (stored->rows.count)
		number_ranges_give(&store->rows, stored->rows.first, stored->rows.count);
	if (stored->pages.count)
		number_ranges_give(&store->pages, stored->pages.first, stored->pages.count);
	if (stored->rules.count)
		number_ranges_give(&store->rules, stored->rules.first, stored->rules.count);
	*stored = (struct stored_rows){0};
}

static int take_all(struct row_store *store, const struct unwind_rows *rows, uint64_t page_count,
		    struct stored_rows *stored)
{
	uint64_t row_count = rows_needed(rows);
	int err;

	if (page_count > WALK_PAGES_MAX || row_count > (uint64_t)store->segments_max * WALK_SEGMENT_ROWS)
		return -E2BIG;
	err = take(&store->pages, page_count, &stored->pages);
	if (!err)
		err = take(&store->rules, rows->rules.count, &stored->rules);
	if (!err)
		err = take_rows(store, row_count, &stored->rows);
	return err;
}

/* False where there is no room left: segments of a file that lie over each other would copy its rows again and again. */
static bool write_page(struct row_store *store, const struct stored_rows *stored, const struct unwind_rows *rows,
		       const struct unwind_page *from, struct walk_page *page, uint32_t *next_row)
{
	uint32_t first = *next_row;

	if (first % WALK_SEGMENT_ROWS + from->count > WALK_SEGMENT_ROWS)
		first += WALK_SEGMENT_ROWS - first % WALK_SEGMENT_ROWS;
	if (first + from->count > stored->rows.first + stored->rows.count)
		return false;
	memcpy(walk_maps_row(store->maps, first), &rows->rows.items[from->first],
	       from->count * sizeof(struct walk_row));
	*page = (struct walk_page){first, from->count};
	*next_row = first + from->count;
	return true;
}

static void write_segment(struct row_store *store, const struct stored_rows *stored, const struct unwind_rows *rows,
			  const struct unwind_segment *segment, uint64_t base, uint32_t *next_row)
{
	struct walk_page *pages = &store->maps->pages->at[stored->pages.first + (first_page(segment) - base)];
	uint64_t in_rows = (segment->address >> WALK_PAGE_SHIFT) - rows->first_page;
	uint64_t count = last_page(segment) - first_page(segment) + 1;

	for (uint64_t i = 0; i < count; i++, in_rows++)
		/* Written before: two segments share a page of the file. */
		if (in_rows < rows->pages.count && !pages[i].count &&
		    !write_page(store, stored, rows, &rows->pages.items[in_rows], &pages[i], next_row))
			return;
}

static void write_all(struct row_store *store, struct stored_rows *stored, const struct unwind_rows *rows,
		      uint64_t base)
{
	uint32_t next_row = stored->rows.first;

	memset(&store->maps->pages->at[stored->pages.first], 0, stored->pages.count * sizeof(struct walk_page));
	memcpy(&store->maps->rules->at[stored->rules.first], rows->rules.items,
	       rows->rules.count * sizeof(struct walk_rule));
	for (size_t i = 0; i < rows->segment_count; i++)
		if (is_usable(&rows->segments[i]))
			write_segment(store, stored, rows, &rows->segments[i], base, &next_row);
	number_ranges_trim(&store->rows, stored->rows.first, stored->rows.count, next_row - stored->rows.first);
	stored->rows.count = next_row - stored->rows.first;
}

int row_store_put(struct row_store *store, uint32_t file, const struct unwind_rows *rows, struct stored_rows *ret)
{
	struct walk_file *shown = &store->maps->files->at[file];
	struct page_span span = page_span(rows);
	struct stored_rows stored = {0};
	int err;

	if (span.count) {
		err = take_all(store, rows, span.count, &stored);
		if (err) {
			give_all(store, &stored);
			return err;
		}
		write_all(store, &stored, rows, span.base);
	}
	shown->base = span.base;
	shown->first_page = stored.pages.first;
	shown->page_count = stored.pages.count;
	shown->first_rule = stored.rules.first;
	__atomic_store_n(&shown->state, rows->frame_pointers ? WALK_FILE_FRAME_POINTERS : WALK_FILE_READY,
			 __ATOMIC_RELEASE);
	*ret = stored;
	return 0;
}

void row_store_take_out(struct row_store *store, uint32_t file, struct stored_rows *stored)
{
	__atomic_store_n(&store->maps->files->at[file].state, WALK_FILE_UNREAD, __ATOMIC_SEQ_CST);
	count_set_wait_for_programs();
	give_all(store, stored);
}
