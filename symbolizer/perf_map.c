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
#include "symbolizer/range_layers.h"
#include "symbolizer/read_share.h"

#define BLOCK_BYTES (256u << 10)
#define TAIL_BYTES 64

struct perf_map {
	int fd;
	off_t offset;	       /* of the first byte not taken yet */
	off_t trimmed;	       /* what that was before a trim, or 0 */
	char tail[TAIL_BYTES]; /* what stood before it */
	size_t tail_bytes;
	bool in_long_line; /* the offset lies in a line that is being skipped */
	off_t seen_size;   /* as fstat(2) said when all there was had been read */
	struct timespec seen_modified;
	size_t entries;		    /* lines taken since the file's start */
	struct range_layers layers; /* values: offsets in text */
	ARRAY(struct range) fresh;  /* of the read that goes on */
	ARRAY(char) text;
	struct read_share share;
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
	range_layers_deinit(&map->layers);
	array_deinit(&map->fresh);
	array_deinit(&map->text);
	free(map);
}

static void forget(struct perf_map *map)
{
	range_layers_deinit(&map->layers);
	map->offset = 0;
	map->tail_bytes = 0;
	map->in_long_line = false;
	map->entries = 0;
	map->fresh.count = map->text.count = 0;
}

size_t perf_map_bytes(const struct perf_map *map)
{
	return range_layers_bytes(&map->layers) + map->fresh.capacity * sizeof(*map->fresh.items) + map->text.capacity;
}

void perf_map_trim(struct perf_map *map)
{
	off_t trimmed = map->offset > map->trimmed ? map->offset : map->trimmed;

	forget(map);
	array_deinit(&map->fresh);
	array_deinit(&map->text);
	map->trimmed = trimmed;
	map->seen_size = -1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number and the space behind it. strtoull(3) would take signs and spaces before it, too. */
static bool take_number(const char **at, uint64_t *ret_number)
{
	const char *digit = *at + ((*at)[0] == '0' && (*at)[1] == 'x' ? 2 : 0), *first = digit;
	uint64_t number = 0;

	for (; hex_digit(*digit) >= 0; digit++) {
		if (number >> 60)
			return false;
		number = number << 4 | (uint64_t)hex_digit(*digit);
	}
	if (digit == first || *digit != ' ')
		return false;
	*at = digit + 1;
	*ret_number = number;
	return true;
}

/* @line is NUL-terminated. False where it is no entry. */
static bool parse(const char *line, struct range *ret_range, const char **ret_name)
{
	uint64_t start, size;

	if (!take_number(&line, &start) || !take_number(&line, &size) || !line[0])
		return false;
	if (!size || size > PERF_MAP_FUNCTION_BYTES_MAX || size > UINT64_MAX - start)
		return false;
	*ret_range = (struct range){start, start + size, 0};
	*ret_name = line;
	return true;
}

/* @line: [length], and a NUL behind it. */
static int take_line(struct perf_map *map, const char *line, size_t length)
{
	struct range range, *added;
	const char *name;

	if (map->in_long_line || strlen(line) != length || length > PERF_MAP_LINE_BYTES_MAX ||
	    map->entries >= PERF_MAP_ENTRIES_MAX || !parse(line, &range, &name)) {
		map->in_long_line = false;
		return 0;
	}
	length = strnlen(name, PERF_MAP_NAME_BYTES_MAX);
	if (map->text.count + length + 1 > UINT32_MAX || array_reserve(&map->text, length + 1))
		return -ENOMEM;
	added = array_add(&map->fresh);
	if (!added)
		return -ENOMEM;
	range.value = (uint32_t)map->text.count;
	*added = range;
	memcpy(map->text.items + map->text.count, name, length);
	map->text.items[map->text.count + length] = '\0';
	map->text.count += length + 1;
	map->entries++;
	return 0;
}

/* Takes the whole lines of a block, and a part of one that is too long in any case. */
static int take_block(struct perf_map *map, char *block, size_t bytes, size_t *ret_taken)
{
	char *line = block, *end;
	size_t left;

	while ((end = memchr(line, '\n', bytes - (size_t)(line - block)))) {
		int err;

		*end = '\0';
		err = take_line(map, line, (size_t)(end - line));
		if (err)
			return err;
		line = end + 1;
	}
	left = bytes - (size_t)(line - block);
	if (map->in_long_line || left > PERF_MAP_LINE_BYTES_MAX) {
		map->in_long_line = true;
		line += left;
	}
	*ret_taken = (size_t)(line - block);
	return 0;
}

/* A runtime may write its map anew, and longer than it was. */
static bool was_rewritten(const struct perf_map *map, off_t size)
{
	char now[TAIL_BYTES];

	if (size < map->offset)
		return true;
	return pread(map->fd, now, map->tail_bytes, map->offset - (off_t)map->tail_bytes) != (ssize_t)map->tail_bytes ||
	       memcmp(now, map->tail, map->tail_bytes) != 0;
}

static void remember_tail(struct perf_map *map)
{
	size_t bytes = map->offset < TAIL_BYTES ? (size_t)map->offset : TAIL_BYTES;
	ssize_t got = pread(map->fd, map->tail, bytes, map->offset - (off_t)bytes);

	map->tail_bytes = got == (ssize_t)bytes ? bytes : 0;
}

static int read_on(struct perf_map *map, off_t size)
{
	_cleanup_free_ char *block = malloc(BLOCK_BYTES);
	size_t total = 0, taken;
	int err;

	if (!block)
		return -ENOMEM;
	while (map->offset < size) {
		ssize_t got;

		if (total >= (map->offset < map->trimmed ? PERF_MAP_AGAIN_BYTES_MAX : PERF_MAP_READ_BYTES_MAX))
			return -EAGAIN;
		got = pread(map->fd, block, BLOCK_BYTES, map->offset);
		if (got <= 0)
			return got ? -EIO : 0;
		err = take_block(map, block, (size_t)got, &taken);
		/* The last line is still being written: it is read again next time. */
		if (err || !taken)
			return err;
		map->offset += (off_t)taken;
		total += taken;
	}
	return 0;
}

static bool is_unchanged(const struct perf_map *map, const struct stat *status)
{
	return status->st_size == map->seen_size && status->st_mtim.tv_sec == map->seen_modified.tv_sec &&
	       status->st_mtim.tv_nsec == map->seen_modified.tv_nsec;
}

int perf_map_read(struct perf_map *map)
{
	struct stat status;
	int err, laid;

	if (fstat(map->fd, &status))
		return -EIO;
	if (status.st_size > (off_t)PERF_MAP_FILE_BYTES_MAX)
		return -EFBIG;
	if (is_unchanged(map, &status))
		return 0;
	/* What was read before has had its time. */
	if (map->offset < map->trimmed)
		map->share = (struct read_share){0};
	if (!read_share_begin(&map->share))
		return -EAGAIN;
	if (was_rewritten(map, status.st_size))
		forget(map);
	err = read_on(map, status.st_size);
	remember_tail(map);
	laid = range_layers_add(&map->layers, map->fresh.items, map->fresh.count);
	array_deinit(&map->fresh);
	if (err != -EAGAIN)
		map->trimmed = 0;
	if (laid || err == -ENOMEM)
		perf_map_trim(map);
	if (!err && !laid) {
		map->seen_size = status.st_size;
		map->seen_modified = status.st_mtim;
	}
	read_share_end(&map->share);
	return err ? err : laid;
}

const char *perf_map_find(const struct perf_map *map, uint64_t address)
{
	uint32_t name;

	return range_layers_find(&map->layers, address, &name) ? map->text.items + name : NULL;
}
