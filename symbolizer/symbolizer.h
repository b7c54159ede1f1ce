/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbolizer: addresses in, names or reasons out.
 *
 * A process is known to it as a snapshot: its executable mappings as they were when it was first seen (and after each
 * refresh), with the files behind them pinned open, so that names are found after the process and its container are
 * gone. Files are shared: two containers that map the same file cost one table. Kernel symbols are read once, and
 * again when an address is in none of them.
 *
 * "No symbol" is an answer: symbol.named is false and the name is a reason in brackets. Names are raw text from
 * strangers. All parsing of what a container wrote is behind this face, in batches, so that it can live in a process
 * of its own. Not thread-safe.
 */
#ifndef STOKER_SYMBOLIZER_H
#define STOKER_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/base/string_table.h"

struct symbolizer;
struct symbolizer_process;

enum symbol_kind {
	SYMBOL_USER,
	SYMBOL_KERNEL,
	SYMBOL_JIT,
};

struct symbol {
	string_id name;	  /* in symbolizer_strings(); demangled; never empty */
	string_id module; /* base name of the mapped file, "vmlinux", a kernel module; 0 where there is none */
	enum symbol_kind kind;
	bool named;   /* false: name is a reason */
	bool pending; /* JIT code whose map may still name it, or a mapping that is not known yet: ask again */
};

/* Which process, and how to know that /proc still shows the one that was sampled. */
struct process_identity {
	pid_t pid;		/* in our pid namespace */
	uint32_t ns_pid;	/* in its own, innermost one: the PID in perf-PID.map */
	uint64_t start_ns;	/* boot-time clock; /proc/PID/stat knows it to 10 ms */
	uint64_t address_space; /* mm->start_stack: tells one exec from the next; 0: not checked */
};

/* Returns 0 or -ENOMEM. */
int symbolizer_new(struct symbolizer **ret_symbolizer);
void symbolizer_free(struct symbolizer *symbolizer);

/* Where the names of every struct symbol live, as long as the symbolizer does. */
const struct string_table *symbolizer_strings(const struct symbolizer *symbolizer);

/**
 * symbolizer_process_new() - take a snapshot of a process
 * @ret_process: given also where the process has ended or is another by now: its frames then read "[exited]"
 * Returns 0 or -ENOMEM.
 */
int symbolizer_process_new(struct symbolizer *symbolizer, const struct process_identity *identity,
			   struct symbolizer_process **ret_process);
void symbolizer_process_free(struct symbolizer_process *process);

/* Is @address in a mapping of the snapshot? One that is not asks for a refresh. */
bool symbolizer_process_maps(const struct symbolizer_process *process, uint64_t address);

/**
 * symbolizer_process_refresh() - read the mappings again
 * New mappings replace those that they overlap; the rest stays. Returns 0, -ESRCH (ended, or another image by now: the
 * snapshot stays as it was) or -ENOMEM.
 */
int symbolizer_process_refresh(struct symbolizer_process *process);

/**
 * symbolizer_user() - name user addresses of a process
 * @addresses: [count]
 * @symbols: [count], filled
 * Returns 0 or -ENOMEM. Return addresses are to be given less one by the caller.
 */
int symbolizer_user(struct symbolizer_process *process, const uint64_t *addresses, size_t count,
		    struct symbol *symbols);

/* The same for kernel addresses. */
int symbolizer_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, size_t count, struct symbol *symbols);

/* True where /proc/kallsyms hides its addresses: set kernel.kptr_restrict=0 or run as root. Known after a look-up. */
bool symbolizer_kernel_hidden(const struct symbolizer *symbolizer);

/* Closes what no process has used for longest, down to @files open files. */
void symbolizer_trim(struct symbolizer *symbolizer, size_t files);

#endif
