/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbolizer_private: what the files behind symbolizer.h share.
 *
 * symbolizer.c makes and ends things and names the kernel's addresses; process_snapshot.c knows what a process maps;
 * naming.c turns user addresses into questions and answers into symbols.
 */
#ifndef SYMBOLIZER_PRIVATE_H
#define SYMBOLIZER_PRIVATE_H

#include "symbolizer/file_cache.h"
#include "symbolizer/memory_reader.h"
#include "symbolizer/parser.h"
#include "symbolizer/process_maps.h"
#include "symbolizer/path_lookup.h"
#include "symbolizer/silent_devices.h"
#include "symbolizer/symbolizer.h"
#include "symbolizer/tenants.h"

struct symbolizer {
	struct symbolizer_options options;
	struct string_table strings;
	uint64_t strings_forgotten;		/* times */
	size_t strings_kept, string_bytes_kept; /* what was left the last time */
	size_t files_kept;			/* likewise */
	size_t mapping_bytes;			/* of all processes */
	struct symbolizer_process *processes;
	uint32_t generations;	      /* given so far */
	uint64_t replacements;	      /* times that a snapshot's mappings were found replaced */
	struct silent_devices silent; /* unless the options have one */
	struct parser *parser;
	struct file_cache *files;
	struct memory_reader *memory;
	struct tenants tenants;
	struct tenant *own;	       /* the caller itself, who asks about files of the host */
	struct pinned_file *vdso;      /* our own; NULL where we have none */
	struct kernel_symbols *kernel; /* NULL until the first look-up */
	uint64_t kernel_read_ns;       /* when that was, on the monotonic clock */
	int host_root;		       /* O_PATH of "/" */
	struct root_identity root;     /* of the same */
	struct worker_waiting waiting; /* in force while user addresses are named */
	size_t quarantined, slow;      /* as struct symbolizer_costs has them */
	string_id quarantined_last, slow_last;
};

struct symbolizer_process {
	struct symbolizer *symbolizer;
	struct symbolizer_process *next, **back; /* among its processes; @back: what points to it */
	struct process_identity identity;
	struct tenant *tenant;
	struct mapping_array mappings; /* sorted by start, not overlapping */
	uint64_t read_ns;	       /* when they were last read, on the monotonic clock */
	uint32_t generation;	       /* symbolizer_process_generation() */
	struct root_identity root;     /* as last seen */
	int error;		       /* why what it maps could not be read when that was last tried; 0: it could */
	bool exited; /* it is not tried any more: /proc did not show this image any more when last asked */
	struct parser_source perf_map, jitdump; /* their fd is -1 while there is none */
	int perf_map_error;			/* why: a negative errno */
	struct path_lookup perf_map_lookup;	/* begun with the snapshot: the process may soon be gone */
	uint64_t perf_map_after_ns;		/* monotonic clock: what was not there is not looked for before */
	uint32_t copy_deaths;			/* of the child, by copies of its stacks */
};

/* The mapping that holds an address, or NULL. */
const struct mapping *process_snapshot_mapping(const struct symbolizer_process *process, uint64_t address);

/* Has the perf map been found by now? Waits for it where it is being looked for; where it is not there, may look again. */
void process_snapshot_find_perf_map(struct symbolizer_process *process);

/* Replaces symbol->name by a reason and says that it is one. 0 or -ENOMEM. */
int symbol_set_reason(struct symbolizer *symbolizer, struct symbol *symbol, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
