/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer_strings: the strings of a recording that is being written, each by its number in the file.
 *
 * A string that is kept has one number until writer_strings_forget_kept(). A passing one, of which there are ever more
 * (names of processes and containers that come and go), is forgotten some flushes after it was last asked for, and has another
 * number when it comes again. The empty string is number 0.
 */
#ifndef STOKER_WRITER_STRINGS_H
#define STOKER_WRITER_STRINGS_H

#include "symbolizer/base/string_table.h"

/* Strings, and the number in the file of each. */
struct numbered_strings {
	struct string_table table;
	ARRAY(string_id) numbers;
	size_t bytes;
};

struct writer_strings {
	struct numbered_strings kept, young, old;
	ARRAY(struct string_table_entry) unwritten; /* numbered from @next - unwritten.count on */
	string_id next;
};

/* Returns 0 or -ENOMEM; the caller deinits also after an error. */
int writer_strings_init(struct writer_strings *strings);
void writer_strings_deinit(struct writer_strings *strings);

/* The number of a string; @text: [length], read up to its first NUL. 0, -ENOMEM or -E2BIG (more than a megabyte). */
int writer_strings_keep(struct writer_strings *strings, const char *text, size_t length, string_id *ret_number);
int writer_strings_pass(struct writer_strings *strings, const char *text, size_t length, string_id *ret_number);

/* The text of one that is kept; "" for any other number. */
const char *writer_strings_text(const struct writer_strings *strings, string_id number);

/*
 * Forgets those that are kept: nobody asks for the text of their numbers any more, and equal text gets a new one. What is
 * unwritten is on disk.
 */
void writer_strings_forget_kept(struct writer_strings *strings);

/* What is unwritten is on disk now; of those that pass, the ones that have not come for long are forgotten. */
void writer_strings_written(struct writer_strings *strings);

#endif
