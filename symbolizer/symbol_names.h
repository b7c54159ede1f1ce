/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbol_names: a string table of an ELF file, in which symbols have their names by number.
 *
 * Small ones are held in memory; of large ones a name is read when it is asked for, so that they cost nothing.
 */
#ifndef SYMBOLIZER_SYMBOL_NAMES_H
#define SYMBOLIZER_SYMBOL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_image.h"

struct symbol_names {
	struct elf_source source; /* the file, or what is held */
	uint64_t offset, bytes;	  /* in the source */
	char *held;		  /* [bytes], or NULL */
};

/* A table as it is while several names for one thing are weighed against each other: whole, in memory. */
struct symbol_texts {
	const char *text; /* [bytes], NULL where it could not be had */
	size_t bytes;
	char *owned; /* NULL where the text is somebody else's */
};

/**
 * symbol_names_init() - a table that is a range of an image's source
 * A range that is not all there is an empty table. Returns 0, -EIO or -ENOMEM.
 */
int symbol_names_init(struct symbol_names *names, const struct elf_image *image, uint64_t offset, uint64_t bytes);
void symbol_names_deinit(struct symbol_names *names);

/**
 * symbol_names_read() - a name as it is in the table
 * @name: [size], NUL-terminated; a longer one is cut
 * Returns 0, -ENOENT (empty, or outside of the table) or -EIO.
 */
int symbol_names_read(const struct symbol_names *names, uint64_t number, char *name, size_t size);

/* Takes the whole table into memory for symbol_texts_prefers(), up to a limit. */
void symbol_texts_init(struct symbol_texts *texts, const struct symbol_names *names);
void symbol_texts_deinit(struct symbol_texts *texts);

/**
 * symbol_texts_prefers() - of two names for one function, does the first one tell more?
 * What people call a function has fewer underscores in front, then fewer letters: "free", not "cfree" or "__libc_free".
 * Of mangled names neither is better, and false is the answer; so it is where the texts are not there.
 */
bool symbol_texts_prefers(const struct symbol_texts *texts, uint32_t number, uint32_t other);

#endif
