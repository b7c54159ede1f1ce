/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_cursor: numbers out of a stretch of bytes that may end anywhere.
 *
 * A read past the end gives 0 and sets `failed`, which stays set: a reader checks once, at the end of what belongs
 * together, and always before a loop goes on. Little-endian.
 */
#ifndef SYMBOLIZER_DWARF_CURSOR_H
#define SYMBOLIZER_DWARF_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dwarf_span {
	const unsigned char *bytes; /* [size]; NULL where size is 0 */
	size_t size;
};

struct dwarf_cursor {
	const unsigned char *at, *end;
	bool failed;
};

/* At @offset of @span; one past its end is a failed cursor. */
static inline struct dwarf_cursor dwarf_cursor_at(struct dwarf_span span, uint64_t offset)
{
	struct dwarf_cursor cursor = {.failed = offset >= span.size};

	if (!cursor.failed) {
		cursor.at = span.bytes + offset;
		cursor.end = span.bytes + span.size;
	}
	return cursor;
}

static inline size_t dwarf_cursor_left(const struct dwarf_cursor *cursor)
{
	return cursor->failed ? 0 : (size_t)(cursor->end - cursor->at);
}

static inline void dwarf_skip(struct dwarf_cursor *cursor, uint64_t bytes)
{
	if (bytes > dwarf_cursor_left(cursor))
		cursor->failed = true;
	else
		cursor->at += bytes;
}

/* An unsigned number of 1 to 8 bytes. */
static inline uint64_t dwarf_number(struct dwarf_cursor *cursor, size_t bytes)
{
	uint64_t number = 0;

	if (bytes > sizeof(number) || bytes > dwarf_cursor_left(cursor)) {
		cursor->failed = true;
		return 0;
	}
	memcpy(&number, cursor->at, bytes);
	cursor->at += bytes;
	return number;
}

/* LEB128; bits above the 64th are dropped. */
static inline uint64_t dwarf_leb(struct dwarf_cursor *cursor, bool is_signed)
{
	uint64_t number = 0;
	unsigned char byte = 0x80;
	unsigned int shift = 0;

	for (; byte & 0x80; shift += 7) {
		if (!dwarf_cursor_left(cursor)) {
			cursor->failed = true;
			return 0;
		}
		byte = *cursor->at++;
		if (shift < 64)
			number |= (uint64_t)(byte & 0x7f) << shift;
	}
	if (is_signed && shift < 64 && byte & 0x40)
		number |= ~0ull << shift;
	return number;
}

static inline uint64_t dwarf_uleb(struct dwarf_cursor *cursor)
{
	return dwarf_leb(cursor, false);
}

static inline int64_t dwarf_sleb(struct dwarf_cursor *cursor)
{
	return (int64_t)dwarf_leb(cursor, true);
}

/* NUL-terminated text, in place; NULL (and failed) where the NUL is missing. */
static inline const char *dwarf_text(struct dwarf_cursor *cursor)
{
	const char *text = (const char *)cursor->at;
	const unsigned char *nul = dwarf_cursor_left(cursor) ? memchr(text, '\0', dwarf_cursor_left(cursor)) : NULL;

	if (!nul) {
		cursor->failed = true;
		return NULL;
	}
	cursor->at = nul + 1;
	return text;
}

#endif
