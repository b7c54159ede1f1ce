/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process_maps: the executable mappings of a process, as /proc/PID/maps tells them.
 */
#ifndef SYMBOLIZER_PROCESS_MAPS_H
#define SYMBOLIZER_PROCESS_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/string_table.h"

#define PROCESS_MAPS_CUT "cut" /* a line of ours: the kernel's begin with an address */

struct pinned_file;

enum mapping_kind {
	MAPPING_FILE,
	MAPPING_JIT, /* anonymous, named-anonymous or memfd memory: code that was made here */
	MAPPING_VDSO,
	MAPPING_OTHER, /* [vsyscall], [uprobes] */
};

struct mapping {
	uint64_t start, end; /* [start, end) */
	uint64_t offset;     /* in the file */
	uint64_t file_start,
		file_end; /* the line that shows the file: this one, or a neighbour where its code was moved */
	uint64_t inode;	  /* with the device as the line shows it: to know the line again, not the file */
	uint32_t device;
	enum mapping_kind kind : 8;
	bool gone;	/* it was unmapped since. Not touched here */
	bool crowded;	/* its file was not opened, as too many are. As the file, not touched here */
	string_id name; /* base name of the file, or what stands in brackets */
	string_id path; /* as the process sees it, without " (deleted)"; as @name where it is longer than 1 KB */
	struct pinned_file *file; /* file_cache.h; NULL where there is none. Not touched here. */
};

struct mapping_array {
	ARRAY(struct mapping) list;
	size_t bytes;	  /* that they take, with their names */
	size_t bytes_max; /* 0: no limit */
	bool cut;	  /* there were more */
};

/* What a mapping takes, with its names where they are others than those of the one @before (or NULL). */
size_t process_maps_bytes(const struct string_table *strings, const struct mapping *mapping,
			  const struct mapping *before);

/**
 * process_maps_parse() - take the executable mappings out of the text
 * @text:    NUL-terminated, changed while parsing
 * @strings: where names go
 * @mappings: appended to, in the order of the text; at most 65,536, and what its limit has room for
 * Lines that do not parse are skipped. Memory without a name between two parts of a file, just where the part between
 * them would be, is that part: code that was moved to huge pages. Returns 0 or -ENOMEM.
 */
int process_maps_parse(char *text, struct string_table *strings, struct mapping_array *mappings);

/**
 * process_maps_read() - the text of /proc/PID/maps
 * @ret_text: to be freed by the caller; empty for a process without memory (kernel thread, zombie)
 * At most 64 MiB, and what comes in half a second: a process that maps and unmaps makes each piece wait. Then PROCESS_MAPS_CUT
 * stands in place of the rest. Errors: -ESRCH, what open(2) or read(2) gave, -ENOMEM.
 */
int process_maps_read(pid_t pid, char **ret_text);

/* Whose files below /proc show the process's memory: its own, or those of a thread that lives where the first has ended. */
pid_t process_maps_reader(pid_t pid);

/* Do two lines of one reading show the same file? */
static inline bool process_maps_same_file(const struct mapping *a, const struct mapping *b)
{
	return a->kind == b->kind && a->inode == b->inode && a->device == b->device && a->path == b->path && a->inode;
}

/* When a process started, on the boot-time clock, to 10 ms. False where there is none. */
bool process_maps_start(pid_t pid, uint64_t *ret_start_ns);

/**
 * process_maps_check() - is this still the process and the image that was meant?
 * @start_ns: boot-time clock; compared to the 10 ms that /proc/PID/stat knows
 * @address_space: mm->start_stack, or 0 not to compare
 * @ret_pid: the pid to read from: a live thread's where the main thread is gone
 * Returns 0, -ESRCH (it has ended, or is another one), or why that cannot be told now: what open(2) or read(2) gave, as
 * -EMFILE, or -EIO.
 */
int process_maps_check(pid_t pid, uint64_t start_ns, uint64_t address_space, pid_t *ret_pid);

#endif
