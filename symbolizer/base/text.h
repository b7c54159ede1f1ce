/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: strings from strangers, made safe to print; strings put together; numbers as people read them.
 */
#ifndef STOKER_BASE_TEXT_H
#define STOKER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * text_decode() - the next character of UTF-8 text
 * @text: [length], length > 0
 * @ret_code: its code point, or U+FFFD where the bytes are not valid UTF-8 (RFC 3629: no surrogates, shortest form)
 * Returns the bytes taken, 1 where they were invalid.
 */
size_t text_decode(const char *text, size_t length, uint32_t *ret_code);

/**
 * text_printable() - text that a terminal, a log or a table can take
 * @out: [size], size > 0; closed with a NUL. Control characters become '?', invalid bytes U+FFFD; what does not
 *       fit is cut at a character's end.
 * Returns @out.
 */
char *text_printable(const char *text, char *out, size_t size);

/* Adds to @text, a string in [size] bytes, what fits: printf(3) at its end. */
void text_append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The columns of a terminal that valid UTF-8 text takes, counting one for each code point. */
size_t text_columns(const char *text);

/* "1,234,567" in @out[size]; 27 bytes hold any number. Returns @out. */
char *text_grouped(uint64_t number, char *out, size_t size);

/**
 * text_to_u64() - a whole string as one unsigned number
 * @base: 10 or 16 (a leading 0x is fine for 16)
 * Returns false, @ret untouched, where there is anything else in it or the number does not fit.
 */
bool text_to_u64(const char *text, int base, uint64_t *ret);

#endif
