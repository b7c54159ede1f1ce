/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/name_text.h"

#include <stdio.h>
#include <string.h>

#include "symbolizer/base/text.h"

#define NAME_BYTES_MAX 2048
#define HEAD_MIN 4 /* characters, before an id that stays whole */

/* The bytes of the first @columns characters, or of all. */
static size_t bytes_of(const char *text, size_t columns)
{
	size_t at = 0;

	for (; text[at]; at++)
		if (((unsigned char)text[at] & 0xc0) != 0x80 && !columns--)
			break;
	return at;
}

/* The characters of a " (19df9aa081c3)" at the end; 0: there is none. */
static size_t id_columns(const char *text)
{
	const char *bracket = strrchr(text, '(');
	size_t length = strlen(text);

	if (!bracket || bracket == text || bracket[-1] != ' ' || text[length - 1] != ')')
		return 0;
	return text_columns(bracket - 1);
}

char *name_text(const char *name, size_t max, char *out, size_t size)
{
	char whole[NAME_BYTES_MAX];
	size_t columns = text_columns(text_printable(name, whole, sizeof(whole))), tail = (max - 1) / 2;
	size_t id = id_columns(whole);

	if (columns <= max) {
		snprintf(out, size, "%s", whole);
		return out;
	}
	if (id && HEAD_MIN + 1 + id <= max)
		tail = id;
	snprintf(out, size, "%.*s…%s", (int)bytes_of(whole, max - 1 - tail), whole,
		 whole + bytes_of(whole, columns - tail));
	return out;
}
