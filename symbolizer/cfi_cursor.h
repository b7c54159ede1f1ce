/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi_cursor: the numbers of which call frame information is made.
 *
 * Reading past the end gives 0 and sets @bad, once and for all: whoever reads looks at it when it matters. Little-endian
 * only, and eight-byte addresses.
 */
#ifndef SYMBOLIZER_CFI_CURSOR_H
#define SYMBOLIZER_CFI_CURSOR_H

#include <dwarf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_cursor {
	const uint8_t *at, *end;
	bool bad;
};

static inline uint64_t cfi_take(struct cfi_cursor *cursor, size_t bytes)
{
	uint64_t value = 0;

	if (cursor->bad || (size_t)(cursor->end - cursor->at) < bytes) {
		cursor->bad = true;
		return 0;
	}
	memcpy(&value, cursor->at, bytes); /* little-endian: checked with the file */
	cursor->at += bytes;
	return value;
}

static inline uint64_t cfi_take_leb(struct cfi_cursor *cursor, bool is_signed)
{
	uint64_t value = 0;
	unsigned int shift = 0;

	while (!cursor->bad) {
		uint8_t byte = (uint8_t)cfi_take(cursor, 1);

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if (is_signed && byte & 0x40 && shift < 64)
			value |= ~0ull << shift;
		return value;
	}
	return 0;
}

static inline uint64_t cfi_take_uleb(struct cfi_cursor *cursor)
{
	return cfi_take_leb(cursor, false);
}

static inline int64_t cfi_take_sleb(struct cfi_cursor *cursor)
{
	return (int64_t)cfi_take_leb(cursor, true);
}

static inline void cfi_skip(struct cfi_cursor *cursor, uint64_t bytes)
{
	if (cursor->bad || (uint64_t)(cursor->end - cursor->at) < bytes)
		cursor->bad = true;
	else
		cursor->at += bytes;
}

/* A value in the size and sign that an encoding's low four bits say. */
static inline uint64_t cfi_take_encoded(struct cfi_cursor *cursor, uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return cfi_take(cursor, 8);
	case DW_EH_PE_udata2:
		return cfi_take(cursor, 2);
	case DW_EH_PE_sdata2:
		return (uint64_t)(int64_t)(int16_t)cfi_take(cursor, 2);
	case DW_EH_PE_udata4:
		return cfi_take(cursor, 4);
	case DW_EH_PE_sdata4:
		return (uint64_t)(int64_t)(int32_t)cfi_take(cursor, 4);
	case DW_EH_PE_uleb128:
		return cfi_take_uleb(cursor);
	case DW_EH_PE_sleb128:
		return (uint64_t)cfi_take_sleb(cursor);
	}
	cursor->bad = true;
	return 0;
}

#endif
