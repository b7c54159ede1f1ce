/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT 0xfffdu

size_t text_decode(const char *text, size_t length, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *byte = (const unsigned char *)text;
	uint32_t code;
	size_t wanted;

	*ret_code = REPLACEMENT;
	if (byte[0] < 0x80) {
		*ret_code = byte[0];
		return 1;
	}
	if ((byte[0] & 0xe0) == 0xc0) {
		wanted = 2;
		code = byte[0] & 0x1fu;
	} else if ((byte[0] & 0xf0) == 0xe0) {
		wanted = 3;
		code = byte[0] & 0x0fu;
	} else if ((byte[0] & 0xf8) == 0xf0) {
		wanted = 4;
		code = byte[0] & 0x07u;
	} else {
		return 1;
	}
	if (wanted > length)
		return 1;
	for (size_t i = 1; i < wanted; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (byte[i] & 0x3fu);
	}
	if (code < smallest[wanted] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 1;
	*ret_code = code;
	return wanted;
}

/* C0, DEL, C1, and the characters that reorder or break lines on a terminal. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e ||
	       code == 0x200f;
}

char *text_printable(const char *text, char *out, size_t size)
{
	size_t length = strlen(text), used = 0;

	for (size_t at = 0, taken; at < length; at += taken) {
		const char *from = text + at;
		uint32_t code;
		size_t bytes;

		taken = text_decode(from, length - at, &code);
		bytes = taken;
		if (is_control(code)) {
			from = "?";
			bytes = 1;
		} else if (code == REPLACEMENT) {
			from = "\xef\xbf\xbd";
			bytes = 3;
		}
		if (used + bytes + 1 > size)
			break;
		memcpy(out + used, from, bytes);
		used += bytes;
	}
	out[used] = '\0';
	return out;
}

void text_append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

size_t text_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}

char *text_grouped(uint64_t number, char *out, size_t size)
{
	char digits[24];
	int count = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	size_t used = 0;

	for (int i = 0; i < count; i++) {
		bool comma = i && (count - i) % 3 == 0;

		if (used + comma + 1 >= size)
			break;
		if (comma)
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = '\0';
	return out;
}

bool text_to_u64(const char *text, int base, uint64_t *ret)
{
	char *end;
	unsigned long long number;

	if (!isxdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, base);
	if (errno || *end)
		return false;
	*ret = number;
	return true;
}
