/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/function_table.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/partition_point.h"

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)
#define NESTED_MAX 16 /* functions that are looked back over for one around them */

static bool is_sorted(const struct function_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (entries[i].address < entries[i - 1].address)
			return false;
	return true;
}

/* One pass of a least-significant-digit radix sort: stable, so that equal addresses keep the order of their sources. */
static void sort_digit(const struct function_entry *from, struct function_entry *to, size_t count, uint64_t lowest,
		       unsigned int shift)
{
	size_t starts[DIGITS] = {0}, sum = 0;

	for (size_t i = 0; i < count; i++)
		starts[((from[i].address - lowest) >> shift) & (DIGITS - 1)]++;
	for (size_t digit = 0; digit < DIGITS; digit++) {
		size_t these = starts[digit];

		starts[digit] = sum;
		sum += these;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[((from[i].address - lowest) >> shift) & (DIGITS - 1)]++] = from[i];
}

static int sort_by_address(struct function_table *table)
{
	size_t count = table->entries.count;
	_cleanup_free_ struct function_entry *other = NULL;
	uint64_t lowest = UINT64_MAX, highest = 0;

	if (is_sorted(table->entries.items, count))
		return 0;
	other = malloc(count * sizeof(*other));
	if (!other)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint64_t address = table->entries.items[i].address;

		lowest = address < lowest ? address : lowest;
		highest = address > highest ? address : highest;
	}
	for (unsigned int shift = 0; shift < FUNCTION_ADDRESS_BITS && (highest - lowest) >> shift;
	     shift += DIGIT_BITS) {
		struct function_entry *sorted = other;

		sort_digit(table->entries.items, sorted, count, lowest, shift);
		other = table->entries.items;
		table->entries.items = sorted;
		table->entries.capacity = count;
	}
	return 0;
}

/* Is the later of two the better one? */
static bool is_better(const struct function_entry *later, const struct function_entry *best,
		      const struct function_choice *choice)
{
	if (later->rank != best->rank)
		return later->rank < best->rank;
	if (later->source != best->source)
		return later->source < best->source;
	if (later->bytes != best->bytes)
		return later->bytes > best->bytes;
	return !choice || !choice->prefers(choice->data, best, later);
}

/* Keeps the best of each address that is code, sizes cut at the end of their range. */
static void keep_best(struct function_table *table, const struct code_range *ranges, size_t range_count, bool sizeless,
		      const struct function_choice *choice)
{
	struct function_entry *entries = table->entries.items;
	uint64_t covered = 0; /* up to here the functions seen so far reach */
	size_t kept = 0, range = 0;

	for (size_t i = 0, next; i < table->entries.count; i = next) {
		struct function_entry best = entries[i];

		for (next = i + 1; next < table->entries.count && entries[next].address == best.address; next++)
			if (is_better(&entries[next], &best, choice))
				best = entries[next];
		while (range < range_count && ranges[range].end <= best.address)
			range++;
		if (range == range_count)
			break;
		if (best.address < ranges[range].start || (!sizeless && best.rank & FUNCTION_SIZELESS) ||
		    (best.rank & FUNCTION_LABEL && best.address < covered))
			continue;
		if (best.rank & FUNCTION_SIZELESS)
			best.bytes = 0;
		if (best.bytes > ranges[range].end - best.address)
			best.bytes = (uint32_t)(ranges[range].end - best.address);
		if (function_entry_end(&best) > covered)
			covered = function_entry_end(&best);
		entries[kept++] = best;
	}
	table->entries.count = kept;
}

/* A function without a size ends with the one around it, where the next one starts, or with its range. */
static void end_sizeless(struct function_table *table, const struct code_range *ranges, size_t range_count)
{
	struct function_entry *entries = table->entries.items;
	uint64_t covered = 0;
	size_t range = 0;

	for (size_t i = 0; i < table->entries.count; i++) {
		uint64_t start = entries[i].address, end;

		while (range < range_count && ranges[range].end <= start)
			range++;
		end = range < range_count ? ranges[range].end : start + 1;
		if (entries[i].bytes) {
			if (function_entry_end(&entries[i]) > covered)
				covered = function_entry_end(&entries[i]);
			continue;
		}
		if (i + 1 < table->entries.count && entries[i + 1].address < end)
			end = entries[i + 1].address;
		if (start < covered && covered < end)
			end = covered;
		entries[i].bytes = end - start > UINT32_MAX ? UINT32_MAX : (uint32_t)(end - start);
	}
}

/* Tables are kept for long: what was reserved for growing goes back. */
static void shrink(struct function_table *table)
{
	void *smaller;

	if (!table->entries.count) {
		array_deinit(&table->entries);
		return;
	}
	smaller = realloc(table->entries.items, table->entries.count * sizeof(*table->entries.items));
	if (smaller) {
		table->entries.items = smaller;
		table->entries.capacity = table->entries.count;
	}
}

int function_table_finish(struct function_table *table, const struct code_range *ranges, size_t range_count,
			  bool sizeless, const struct function_choice *choice)
{
	int err = sort_by_address(table);

	if (err)
		return err;
	keep_best(table, ranges, range_count, sizeless, choice);
	end_sizeless(table, ranges, range_count);
	shrink(table);
	return 0;
}

void function_table_find(const struct function_table *table, uint64_t address, struct function_place *place)
{
	const struct function_entry *entries = table->entries.items;
	size_t count = table->entries.count, low = 0, high = count, step = 1, hint = place->hint, at;

	if (hint && hint < count && entries[hint].address <= address) {
		/* The next address of a sorted batch is near: steps that double until one is too far. */
		for (low = hint; low + step < count && entries[low + step].address <= address; step *= 2)
			low += step;
		high = low + step < count ? low + step : count;
	}
	at = low + partition_point(i, high - low, entries[low + i].address <= address);
	*place = (struct function_place){FUNCTION_NONE, 0, at < count ? entries[at].address : UINT64_MAX,
					 at ? at - 1 : 0};
	for (size_t looked_at = 0; at-- && looked_at < NESTED_MAX; looked_at++) {
		uint64_t end = function_entry_end(&entries[at]);

		if (address < end) {
			place->number = at;
			place->from = place->from > entries[at].address ? place->from : entries[at].address;
			place->to = place->to < end ? place->to : end;
			return;
		}
		place->from = place->from > end ? place->from : end;
	}
}
