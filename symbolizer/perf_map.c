/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/perf_map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

#define BLOCK_BYTES (256u << 10)

struct entry {
	uint64_t start, end;
	uint32_t name;	/* offset in text */
	uint32_t order; /* of its line: the later wins */
};

/* Entries as they are, by start; and the address space cut up so that each piece has its one winner. */
struct perf_map {
	int fd;
	off_t offset; /* of the first byte not taken yet */
	size_t skipped;
	ARRAY(struct entry) entries;
	ARRAY(struct entry) pieces; /* sorted, not overlapping */
	ARRAY(char) text;
};

int perf_map_new(int fd, struct perf_map **ret_map)
{
	struct perf_map *map = calloc(1, sizeof(*map));

	if (!map) {
		close(fd);
		return -ENOMEM;
	}
	map->fd = fd;
	*ret_map = map;
	return 0;
}

void perf_map_free(struct perf_map *map)
{
	if (!map)
		return;
	close(map->fd);
	array_deinit(&map->entries);
	array_deinit(&map->pieces);
	array_deinit(&map->text);
	free(map);
}

size_t perf_map_entries(const struct perf_map *map)
{
	return map->entries.count;
}

size_t perf_map_skipped(const struct perf_map *map)
{
	return map->skipped;
}

/* @line is NUL-terminated. False where it is no entry. */
static bool parse(const char *line, uint64_t *ret_start, uint64_t *ret_size, const char **ret_name)
{
	char *at;

	errno = 0;
	*ret_start = strtoull(line, &at, 16);
	if (at == line || *at != ' ')
		return false;
	line = at + 1;
	*ret_size = strtoull(line, &at, 16);
	if (at == line || *at != ' ' || !at[1] || errno)
		return false;
	*ret_name = at + 1;
	return *ret_size && *ret_start + *ret_size > *ret_start;
}

static int take_line(struct perf_map *map, const char *line)
{
	struct entry *entry;
	uint64_t start, size;
	const char *name;
	size_t length;

	if (!parse(line, &start, &size, &name) || map->entries.count >= PERF_MAP_ENTRIES_MAX) {
		map->skipped++;
		return 0;
	}
	length = strnlen(name, PERF_MAP_NAME_BYTES_MAX);
	if (map->text.count + length + 1 > UINT32_MAX || array_reserve(&map->text, length + 1))
		return -ENOMEM;
	entry = array_add(&map->entries);
	if (!entry)
		return -ENOMEM;
	*entry = (struct entry){start, start + size, (uint32_t)map->text.count, (uint32_t)map->entries.count};
	memcpy(map->text.items + map->text.count, name, length);
	map->text.items[map->text.count + length] = '\0';
	map->text.count += length + 1;
	return 0;
}

/* Takes the whole lines of a block; the bytes taken are left in @ret_taken. */
static int take_block(struct perf_map *map, char *block, size_t bytes, size_t *ret_taken)
{
	char *line = block, *end;
	int err;

	while ((end = memchr(line, '\n', bytes - (size_t)(line - block)))) {
		*end = '\0';
		err = take_line(map, line);
		if (err)
			return err;
		line = end + 1;
	}
	*ret_taken = (size_t)(line - block);
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

/* Max-heap by order of the entries that are open at the sweep's place. */
static void heap_down(struct entry *heap, size_t count)
{
	for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
		struct entry moved = heap[at];

		if (child + 1 < count && heap[child + 1].order > heap[child].order)
			child++;
		if (heap[child].order <= moved.order)
			return;
		heap[at] = heap[child];
		heap[child] = moved;
	}
}

static void heap_push(struct entry *heap, size_t *count, struct entry entry)
{
	size_t at = (*count)++;

	for (; at && heap[(at - 1) / 2].order < entry.order; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = entry;
}

static void heap_pop(struct entry *heap, size_t *count)
{
	heap[0] = heap[--*count];
	heap_down(heap, *count);
}

static int emit(struct perf_map *map, const struct entry *winner, uint64_t start, uint64_t end)
{
	struct entry *piece;

	if (start >= end)
		return 0;
	piece = array_add(&map->pieces);
	if (!piece)
		return -ENOMEM;
	*piece = *winner;
	piece->start = start;
	piece->end = end;
	return 0;
}

/* Sweeps the sorted entries from low to high; at each place the latest line of those open wins. */
static int cut_into_pieces(struct perf_map *map)
{
	_cleanup_free_ struct entry *heap = malloc((map->entries.count + 1) * sizeof(*heap));
	size_t next = 0, open = 0;
	uint64_t at = 0;

	if (!heap)
		return -ENOMEM;
	qsort(map->entries.items, map->entries.count, sizeof(*heap), by_start);
	map->pieces.count = 0;
	while (next < map->entries.count || open) {
		uint64_t until = next < map->entries.count ? map->entries.items[next].start : UINT64_MAX;

		while (open && at < until) {
			uint64_t end = heap[0].end < until ? heap[0].end : until;

			if (emit(map, &heap[0], at, end))
				return -ENOMEM;
			at = end > at ? end : at;
			while (open && heap[0].end <= at)
				heap_pop(heap, &open);
		}
		if (next < map->entries.count) {
			at = until;
			heap_push(heap, &open, map->entries.items[next++]);
		}
	}
	return 0;
}

static void forget(struct perf_map *map)
{
	map->offset = 0;
	map->entries.count = 0;
	map->text.count = 0;
}

int perf_map_read(struct perf_map *map)
{
	_cleanup_free_ char *block = NULL;
	size_t before, total = 0, taken;
	struct stat status;
	ssize_t got;
	int err;

	if (fstat(map->fd, &status))
		return -EIO;
	if ((uint64_t)status.st_size > PERF_MAP_FILE_BYTES_MAX)
		return -EFBIG;
	if (status.st_size == map->offset)
		return 0;
	if (status.st_size < map->offset)
		forget(map);
	block = malloc(BLOCK_BYTES);
	if (!block)
		return -ENOMEM;
	before = map->entries.count;
	while (total < PERF_MAP_READ_BYTES_MAX && (got = pread(map->fd, block, BLOCK_BYTES, map->offset)) > 0) {
		err = take_block(map, block, (size_t)got, &taken);
		if (err)
			return err;
		/* A last line that is still being written is read again next time; an endless one is skipped. */
		if (!taken && got < (ssize_t)BLOCK_BYTES)
			break;
		if (!taken) {
			map->skipped++;
			taken = (size_t)got;
		}
		map->offset += (off_t)taken;
		total += taken;
	}
	return map->entries.count != before || !before ? cut_into_pieces(map) : 0;
}

const char *perf_map_find(const struct perf_map *map, uint64_t address)
{
	size_t low = 0, high = map->pieces.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->pieces.items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address >= map->pieces.items[low - 1].end)
		return NULL;
	return map->text.items + map->pieces.items[low - 1].name;
}
