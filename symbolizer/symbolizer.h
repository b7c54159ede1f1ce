/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbolizer: addresses in, names or reasons out.
 *
 * A process is known to it as a snapshot: its executable mappings as they were when it was first seen (and after each
 * refresh), with the files behind them pinned open, so that names are found after the process and its container are
 * gone. Files are shared: two containers that map the same file cost one table. Kernel symbols are read once, and
 * again when an address is in none of them and they are two seconds old.
 *
 * "No symbol" is an answer: symbol.named is false and the name is a reason in brackets. Names are raw text from
 * strangers. Everything that a container wrote is parsed in a child process without rights (worker.h): what it names
 * comes back in batches, so ask for many addresses at once. Not thread-safe.
 */
#ifndef STOKER_SYMBOLIZER_H
#define STOKER_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/base/string_table.h"

struct silent_devices;
struct symbolizer;
struct symbolizer_process;

enum symbol_kind {
	SYMBOL_USER,
	SYMBOL_KERNEL,
	SYMBOL_JIT,
	SYMBOL_INLINED, /* into the next one of its span */
};

struct symbol {
	string_id name;	  /* in symbolizer_strings(); demangled; never empty */
	string_id module; /* base name of the mapped file, "vmlinux", a kernel module; 0 where there is none */
	string_id file;	  /* source file as the debug information has it; 0: not asked for, or not known */
	uint32_t line;	  /* in @file; 0: not known */
	enum symbol_kind kind;
	bool named; /* false: name is a reason */
	/*
	 * Ask again: JIT code whose map may still name it, a mapping that is not known yet, a file on a busy disk, or one that is not
	 * open as too many are, which symbolizer_process_refresh() opens where there is room by then.
	 */
	bool pending;
};

/* What stands for one address: @count symbols from @first on, innermost first. More than one only with inlines. */
struct symbol_span {
	uint32_t first, count;
};

/* The answer for [n] addresses: spans[n], in their order. All zero before its first use; used again, it is replaced. */
struct symbols {
	ARRAY(struct symbol) list;
	ARRAY(struct symbol_span) spans;
};
void symbols_deinit(struct symbols *symbols);

struct symbolizer_options {
	bool lines;		       /* source files and lines, from DWARF */
	bool inlines;		       /* functions that were inlined, from DWARF */
	const char *kallsyms;	       /* NULL: /proc/kallsyms; not copied */
	struct silent_devices *silent; /* NULL: its own; else shared, and must live as long */
};

/* Which process, and how to know that /proc still shows the one that was sampled. */
struct process_identity {
	pid_t pid;		/* in our pid namespace */
	uint32_t ns_pid;	/* in its own, innermost one: the PID in perf-PID.map */
	uint64_t start_ns;	/* boot-time clock; /proc/PID/stat knows it to 10 ms */
	uint64_t address_space; /* mm->start_stack: tells one exec from the next; 0: not checked */
	uint64_t tenant;	/* whose it is, a number of the caller's: what its files cost, no other one pays */
};

/**
 * symbolizer_new() - call it before any thread is started, and early: its children are copies of the caller
 * Returns 0, -ENOMEM, or -EAGAIN where no process can be started.
 */
int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret_symbolizer);
void symbolizer_free(struct symbolizer *symbolizer);

/*
 * What to do, every few ms, while symbolizer_user() or copy_unwinder_run() waits for the child. Of the symbolizer it may use
 * symbolizer_process_new(), _maps() and _refresh() only.
 */
void symbolizer_set_waiting(struct symbolizer *symbolizer, void (*call)(void *data), void *data);

/*
 * Where the names of every struct symbol live, until symbolizer_trim() forgets them as they have become too many, and how often
 * it has: numbers that were given before are other strings' then.
 */
const struct string_table *symbolizer_strings(const struct symbolizer *symbolizer);
uint64_t symbolizer_strings_forgotten(const struct symbolizer *symbolizer);

/**
 * symbolizer_process_new() - take a snapshot of a process
 * @ret_process: given also where the process has ended or is another by now: its frames then read "[exited]"; and where
 *               it cannot be read now
 * Returns 0 or -ENOMEM.
 */
int symbolizer_process_new(struct symbolizer *symbolizer, const struct process_identity *identity,
			   struct symbolizer_process **ret_process);
void symbolizer_process_free(struct symbolizer_process *process);

/* The identity of a running process, from /proc. 0 or -ESRCH. */
int symbolizer_identify(pid_t pid, struct process_identity *ret_identity);

/* How many executable mappings the snapshot has; none where /proc does not show them to us. */
size_t symbolizer_process_mappings(const struct symbolizer_process *process);

/* Is @address in a mapping of the snapshot? One that is not asks for a refresh. */
bool symbolizer_process_maps(const struct symbolizer_process *process, uint64_t address);

/*
 * Does what was mapped at [@start, @end) at @time_ns (monotonic clock) take the place of what the snapshot has there, so that
 * it is worth a refresh? @anonymous: it is memory without a file. That has no names of its own: over other such memory
 * it does not matter.
 */
bool symbolizer_process_replaced_by(const struct symbolizer_process *process, uint64_t start, uint64_t end,
				    uint64_t time_ns, bool anonymous);

/*
 * Under which number the addresses of a process are named: no other process's, and another one after each refresh that has
 * found something else where the snapshot had a mapping. What an address was called under the number before may not be so
 * any more. And how often that was, of all processes.
 */
uint32_t symbolizer_process_generation(const struct symbolizer_process *process);
uint64_t symbolizer_replacements(const struct symbolizer *symbolizer);

/* Is a file of this name, a library's for one, among the snapshot's executable mappings? */
bool symbolizer_process_maps_file(const struct symbolizer_process *process, const char *name);

/* Which process it is, as it was given. */
const struct process_identity *symbolizer_process_identity(const struct symbolizer_process *process);

/**
 * symbolizer_process_refresh() - read the mappings again
 * New mappings replace those that they overlap; the rest stays. Where that fails the snapshot stays as it was.
 * Returns 0, -ESRCH (ended, or another image by now: so it stays), -ENOMEM, or why they cannot be read now: -EHOSTDOWN (the
 * lock of its memory is held), -EDQUOT (its tenant's have taken too long), -EAGAIN, or what open(2) or read(2) gave.
 */
int symbolizer_process_refresh(struct symbolizer_process *process);

/**
 * symbolizer_user() - name user addresses of a process
 * @addresses: [count]. Return addresses are to be given less one by the caller.
 * Returns 0 or -ENOMEM.
 */
int symbolizer_user(struct symbolizer_process *process, const uint64_t *addresses, size_t count,
		    struct symbols *ret_symbols);

/* The same for kernel addresses. */
int symbolizer_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, size_t count,
		      struct symbols *ret_symbols);

/**
 * symbolizer_file() - name addresses of a file that no process maps
 * @path: a regular file of the host; also the module's name in reasons
 * @addresses: [count], as the file's own symbols have them
 * Returns 0, -ENOMEM, -EINVAL (no regular file), or what open(2) gave.
 */
int symbolizer_file(struct symbolizer *symbolizer, const char *path, const uint64_t *addresses, size_t count,
		    struct symbols *ret_symbols);

/* True where /proc/kallsyms hides its addresses: set kernel.kptr_restrict=0 or run as root. Known after a look-up. */
bool symbolizer_kernel_hidden(const struct symbolizer *symbolizer);

/* What its processes have cost, and what went wrong in them. */
struct symbolizer_costs {
	uint64_t cpu_ns;       /* of all of them */
	uint64_t memory_bytes; /* the most that it had resident */
	uint64_t requests, crashes, timeouts;
	size_t quarantined;	    /* files that killed it twice and are asked nothing more */
	string_id quarantined_last; /* mapped name of one of them */
	size_t slow;		    /* files that took too long at least once, and were asked later again */
	string_id slow_last;
	size_t tenants_over;   /* that have used up the time for their files at least once */
	uint64_t skipped;      /* addresses of theirs that were not asked for */
	uint64_t lookups_lost; /* that waited for a file system which did not answer */
};
struct symbolizer_costs symbolizer_costs(struct symbolizer *symbolizer);

/*
 * Closes what no process has used for longest, down to @files open files, and forgets names, files that no process maps and
 * tenants without processes, where there are many. Not while something is being named.
 */
void symbolizer_trim(struct symbolizer *symbolizer, size_t files);

#endif
