/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_files: from a process's mappings to the rows of the files behind them.
 *
 * The face of unwind_rows.h towards the profiler: what is mapped where, which file that is, to be parsed by
 * unwind_parser.h. Files are opened as process_files.h has it, by a thread that can be left behind. No function keeps
 * anything, and each may be called from any thread.
 */
#ifndef STOKER_UNWIND_FILES_H
#define STOKER_UNWIND_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "symbolizer/base/array.h"
#include "symbolizer/memory_reader.h"

enum unwind_mapping_kind {
	UNWIND_MAPPING_FILE,
	UNWIND_MAPPING_JIT, /* code made at run time */
	UNWIND_MAPPING_VDSO,
	UNWIND_MAPPING_OTHER, /* [vsyscall], [uprobes]: no frames lie there */
};

struct unwind_mapping {
	uint64_t start, end; /* [start, end) */
	uint64_t offset;     /* in the file */
	enum unwind_mapping_kind kind;
	bool same_file; /* as the one before it in the array */
};

struct unwind_mapping_array {
	ARRAY(struct unwind_mapping) list;
};

/* What tells one file from another, of any process, as long as it is not written to. */
struct unwind_identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

/**
 * unwind_files_mappings() - the executable mappings of a process now
 * @reader:   the calling thread's
 * @tenant:   whose the process is, for the reader
 * @mappings: appended to, sorted by address; at most 65,536
 * Returns 0, -ESRCH, -EHOSTDOWN or -EAGAIN (memory_reader.h), what open(2) or read(2) gave, or -ENOMEM.
 */
int unwind_files_mappings(struct memory_reader *reader, uint64_t tenant, pid_t pid,
			  struct unwind_mapping_array *mappings);

/* Has it used more than a hundredth of a CPU since it started? Then its files are worth parsing first. */
bool unwind_files_is_busy(pid_t pid);

/**
 * unwind_files_kind() - what a mapping is by the name that the kernel gives it
 * @path: as in /proc/PID/maps, and in perf's records, where "//anon" is anonymous memory
 */
enum unwind_mapping_kind unwind_files_kind(const char *path);

/**
 * unwind_files_open() - the file behind a mapping, also when it was deleted or replaced
 * @reader, @tenant: as above
 * @ret_path_fd: an O_PATH descriptor, to be closed by the caller
 * Returns 0, -ENOENT (no such mapping any more), -EINVAL (no regular file), -EPERM, -EHOSTDOWN, -EAGAIN, or
 * what open(2) gave.
 */
int unwind_files_open(struct memory_reader *reader, uint64_t tenant, pid_t pid, uint64_t start, uint64_t end,
		      int *ret_path_fd, struct unwind_identity *ret_identity);

/* What a process sees as "/"; by its device and inode it is told from others. */
struct unwind_root {
	pid_t pid; /* of one that sees it; 0: not known */
	dev_t device;
	ino_t inode;
};

/**
 * unwind_files_root() - the root of a process
 * @ret_fd: an O_PATH descriptor, to be closed by the caller; NULL: not wanted
 * Returns 0 or what open(2) gave.
 */
int unwind_files_root(pid_t pid, int *ret_fd, struct unwind_root *ret_root);

/**
 * unwind_files_reopen() - a descriptor of its own, for unwind_parser.h
 * @path_fd: from unwind_files_open(); -1: a copy of the vdso that all 64-bit processes share
 * Returns the descriptor, or what fcntl(2) or memfd_create(2) gave.
 */
int unwind_files_reopen(int path_fd);

#endif
