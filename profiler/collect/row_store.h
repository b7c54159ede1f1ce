/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * row_store: unwind rows in the kernel's tables, within a budget.
 *
 * What it shows of a file is whole or not there: a program that walks meanwhile sees one of the two.
 */
#ifndef STOKER_ROW_STORE_H
#define STOKER_ROW_STORE_H

#include "profiler/collect/number_ranges.h"
#include "profiler/collect/walk_maps.h"
#include "symbolizer/unwind_rows.h"

struct row_store {
	struct walk_maps *maps;
	struct number_ranges rows, pages, rules;
	uint32_t segments_made, segments_max;
};

/* Where a file's rows are; all zero: nowhere. */
struct stored_rows {
	struct number_range rows, pages, rules;
};

/* @segments_max: of 256 KiB. 0 or -ENOMEM; the caller deinits also after an error. */
int row_store_init(struct row_store *store, struct walk_maps *maps, uint32_t segments_max);
void row_store_deinit(struct row_store *store);

/*
 * Making a segment takes the kernel some 10 ms: it can be done before row_store_put(), and without a lock that guards the
 * store, as long as one thread alone does it.
 */
bool row_store_lacks_segment(const struct row_store *store, const struct unwind_rows *rows);
int row_store_make_segment(struct row_store *store);
/* What was made is used from now on; under the lock. 0 or -ENOMEM. */
int row_store_use_segment(struct row_store *store);

/**
 * row_store_put() - store and show a file's rows
 * @file: its number; nothing of it is stored
 * @rows: may be empty: then it is shown as a file without unwind data
 * Returns 0, -ENOSPC (take something out first), -E2BIG (larger than the tables), -ENOMEM, or what the kernel gave.
 */
int row_store_put(struct row_store *store, uint32_t file, const struct unwind_rows *rows, struct stored_rows *ret);

/* Hides a file, waits for the programs that may still walk by it, and frees its place. */
void row_store_take_out(struct row_store *store, uint32_t file, struct stored_rows *stored);

#endif
