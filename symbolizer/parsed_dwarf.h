/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parsed_dwarf: a file's DWARF in the child, and the .dwo files that it asks for.
 *
 * The child opens nothing: a split file that a look-up misses is noted, the caller asks which ones were missed
 * (PARSE_SPLITS), brings what there is and asks its question again.
 */
#ifndef SYMBOLIZER_PARSED_DWARF_H
#define SYMBOLIZER_PARSED_DWARF_H

#include <stdbool.h>

#include "symbolizer/base/array.h"
#include "symbolizer/dwarf_index.h"
#include "symbolizer/parse_protocol.h"

struct parsed_split {
	char *name, *directory;
	int fd; /* -1: there is none, or it was not brought yet */
	bool answered;
};

/* All-zero but for @package_fd of -1 at first. */
struct parsed_dwarf {
	struct dwarf_index *index; /* NULL until asked for, and after a trim */
	bool none;		   /* the file has no DWARF that can be read */
	bool starved;		   /* there was no memory for its index: once more, and there is none */
	int package_fd;		   /* or -1; owned */
	ARRAY(struct parsed_split) splits;
	size_t brought; /* of them */
};

void parsed_dwarf_deinit(struct parsed_dwarf *dwarf);

/**
 * parsed_dwarf_find() - dwarf_index_find() on an index that is made when first needed
 * @elf, @debug, @alternate: descriptors, the last two may be -1; they stay open until the next trim
 * -ENOMEM is worth asking again once others have given memory back: where that did not help there is no DWARF.
 */
int parsed_dwarf_find(struct parsed_dwarf *dwarf, int elf, int debug, int alternate, uint64_t address,
		      unsigned int flags, struct dwarf_frame *frames, size_t *ret_count);

/* Appends the first PARSE_SPLITS_MAX files that were missed and not answered. 0 or -ENOMEM. */
int parsed_dwarf_splits(const struct parsed_dwarf *dwarf, struct worker_bytes *answer);

/* @fd: owned from here on; -1 says that there is no such file. 0, or -ENOENT where nobody asked for it. */
int parsed_dwarf_add_split(struct parsed_dwarf *dwarf, uint32_t number, int fd);

/* Descriptors that parsed_dwarf_drop_splits() closes: then .dwo files are missed, and can be brought, again. */
size_t parsed_dwarf_split_descriptors(const struct parsed_dwarf *dwarf);
void parsed_dwarf_drop_splits(struct parsed_dwarf *dwarf);

size_t parsed_dwarf_bytes(const struct parsed_dwarf *dwarf);
void parsed_dwarf_trim(struct parsed_dwarf *dwarf);

#endif
