/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/xml.h"

#include <stdbool.h>

#include "symbolizer/base/text.h"

/* XML 1.0 has no way to write most of these, not even as a reference (https://www.w3.org/TR/xml/#charsets). */
static bool is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static bool is_missing(uint32_t code)
{
	return code == 0xfffd || code == 0xfffe || code == 0xffff;
}

static void plain(const char *text, size_t bytes, uint32_t code, FILE *out)
{
	if (is_unsafe(code))
		fputc('?', out);
	else if (is_missing(code))
		fputs("\xef\xbf\xbd", out);
	else
		fwrite(text, 1, bytes, out);
}

void xml_text(const char *text, size_t length, FILE *out)
{
	for (size_t at = 0, taken; at < length; at += taken) {
		uint32_t code;

		taken = text_decode(text + at, length - at, &code);
		if (code == '<')
			fputs("&lt;", out);
		else if (code == '>')
			fputs("&gt;", out);
		else if (code == '&')
			fputs("&amp;", out);
		else if (code == '"' || code == '\'')
			fprintf(out, "&#%u;", code);
		else
			plain(text + at, taken, code, out);
	}
}

void xml_json_string(const char *text, size_t length, size_t bytes_max, FILE *out)
{
	fputc('"', out);
	for (size_t at = 0, taken; at < length; at += taken) {
		uint32_t code;

		taken = text_decode(text + at, length - at, &code);
		if (at + taken > bytes_max) {
			fputs("…", out);
			break;
		}
		if (code == '<' || code == '>' || code == '&' || code == '"' || code == '\'' || code == '\\')
			fprintf(out, "\\u%04x", code);
		else
			plain(text + at, taken, code, out);
	}
	fputc('"', out);
}
