/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_index: from an address to source lines, and to the functions that were inlined there.
 *
 * The file's units are listed when the index is made. A unit's own tables (dwarf_functions.h, dwarf_lines.h) are made
 * when an address in it is first asked for, and dropped, least recently used first, when all of them take more than
 * the index may. Everything is read by descriptor, with pread(2), and nothing is opened: DWARF 4 and 5, sections
 * compressed or not, split units (.dwo, .dwp), and the alternate file that dwz makes. A file may lie about everything;
 * what is broken is left out, and an address without an answer is an answer.
 */
#ifndef SYMBOLIZER_DWARF_INDEX_H
#define SYMBOLIZER_DWARF_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DWARF_FRAMES_MAX 64
#define DWARF_INDEX_BYTES_DEFAULT ((size_t)24 << 20)

/* Bits of dwarf_index_find()'s flags. */
#define DWARF_LINES 1u
#define DWARF_INLINES 2u

/* What a file's debug information is read from. Descriptors stay the caller's, and open as long as the index lives. */
struct dwarf_files {
	int elf;       /* the linked file */
	int debug;     /* its separate debug file, or -1 */
	int alternate; /* the file that dwz moved shared parts to, or -1 */
	int package;   /* its .dwp, or -1; for split DWARF the .dwp is asked first, then open_split() */

	/**
	 * open_split() - a .dwo file
	 * @name, @directory: as the skeleton has them (DW_AT_dwo_name, DW_AT_comp_dir); @directory may be ""
	 * Returns a descriptor that is the index's from then on, -ENOENT (not to be asked for again), or -EAGAIN (not
	 * now: the unit's functions stay unknown until it is asked for again by a later look-up) or -ENOMEM. NULL: there are
	 * none.
	 */
	int (*open_split)(void *data, const char *name, const char *directory);
	void *data;
	size_t bytes_max; /* limit of memory; 0: DWARF_INDEX_BYTES_DEFAULT */
};

struct dwarf_frame {
	const char *function; /* the linkage name (to be demangled), else "scope::name", else the plain one, or NULL */
	const char *file;     /* whole path, or NULL */
	uint32_t line;	      /* 0: not known */
	bool inlined;	      /* into the next frame */
};

struct dwarf_index;

/**
 * dwarf_index_new() - list a file's units
 * Returns 0, -ENODATA (no DWARF), -ENOEXEC (broken), -EIO, -ENOMEM.
 */
int dwarf_index_new(const struct dwarf_files *files, struct dwarf_index **ret_index);
void dwarf_index_free(struct dwarf_index *index);

/**
 * dwarf_index_find() - what is at an address
 * @address: virtual, as in the file's symbols
 * @flags:   DWARF_INLINES: all functions there, innermost first, else the one that they were inlined into;
 *           DWARF_LINES: files and lines, of the address for the first frame, of the calls for the others
 * @frames:  [DWARF_FRAMES_MAX]; names are good until the next call
 * Of a longer chain the innermost ones and the outermost are given. A frame may lack a function's name: then only the
 * line is known. Returns 0 with @ret_count 0 where the file says nothing, or -ENOMEM.
 */
int dwarf_index_find(struct dwarf_index *index, uint64_t address, unsigned int flags, struct dwarf_frame *frames,
		     size_t *ret_count);

/*
 * Memory in use, but for the list of units. dwarf_index_trim() gives back what can be made again while the index lives:
 * all but sections that were compressed, which the limit does not count either.
 */
size_t dwarf_index_bytes(const struct dwarf_index *index);
void dwarf_index_trim(struct dwarf_index *index);

#endif
