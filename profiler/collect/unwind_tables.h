/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_tables: which mapped files there are, and their unwind rows in the kernel's tables.
 *
 * A file is known once, whoever maps it: by what fstat(2) says of it. It is parsed when it is first seen, on another
 * thread than those that name it. Rows cost memory, of which there is a budget: what no walk has used for longest goes
 * first, and comes back when it is used again. Every function may be called from any thread.
 *
 * No container's files keep the others' waiting: who has cost less comes first, and whose files have taken too long waits for
 * more time (file_tenants.h).
 */
#ifndef STOKER_UNWIND_TABLES_H
#define STOKER_UNWIND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/collect/unwind_file_list.h"
#include "profiler/collect/walk_maps.h"
#include "symbolizer/base/time_share.h"
#include "symbolizer/unwind_files.h"
#include "symbolizer/unwind_parser.h"

#define UNWIND_MEMORY_DEFAULT (128ull << 20)
#define UNWIND_MEMORY_MIN (1ull << 20)

/* For the files of one container: two that take as long as one may (unwind_parser.h), and then a tenth of the time. */
#define UNWIND_PARSING_LIMIT ((struct time_share_limit){.debt_ns = 10000000000ull, .part = 10})

struct unwind_tables;

struct unwind_tables_counts {
	uint32_t files;	       /* known now */
	uint32_t loaded;       /* with rows in the tables now */
	uint32_t waiting;      /* to be parsed */
	uint32_t failed;       /* that could not be parsed: frame pointers there */
	uint32_t evictions;    /* so far */
	uint32_t no_room;      /* tables that did not fit, so far */
	uint32_t interpreters; /* of CPython, found so far */
	uint64_t row_bytes;    /* of segments made */
	uint64_t parse_ns;     /* spent on parsing and loading */
	uint32_t tenants_over; /* containers whose files have used up their time at least once */
	uint32_t held;	       /* of the waiting: their containers' time is used up */
	uint32_t refused; /* files that got no number, so far: there are too many, or too many of their container */
};

/**
 * unwind_tables_new() - with no files but the vdso
 * @maps, @parser: stay the caller's, and must live longer
 * @memory_bytes: for rows, at least UNWIND_MEMORY_MIN
 * @limit: on parsing, of each tenant: UNWIND_PARSING_LIMIT
 * Returns 0 or -ENOMEM.
 */
int unwind_tables_new(struct walk_maps *maps, struct unwind_parser *parser, uint64_t memory_bytes,
		      struct time_share_limit limit, struct unwind_tables **ret_tables);
void unwind_tables_free(struct unwind_tables *tables);

struct unwind_mapper {
	pid_t pid;	 /* a debug file may be looked for there (unwind_debug.h); 0: nobody */
	uint64_t tenant; /* by file_tenants_number() */
};

/**
 * unwind_tables_file() - the number of a file for struct walk_mapping
 * @path_fd: O_PATH descriptor, owned from here on; or -1 with no @identity for the vdso
 * @mapper: who maps it
 * Returns UNWIND_NO_FILE where there are too many, of all or of the tenant.
 */
uint32_t unwind_tables_file(struct unwind_tables *tables, const struct unwind_identity *identity, int path_fd,
			    struct unwind_mapper mapper);

/* As if a walk had missed it: it is parsed before others, and unwind_tables_wanted() counts it. */
void unwind_tables_want(struct unwind_tables *tables, uint32_t file);

/* Files that are not loaded and were missed by a walk or asked for. */
uint32_t unwind_tables_wanted(struct unwind_tables *tables);

/*
 * Parses one of the files that wait and loads its rows: one that walks have missed, of
 * who has cost least, else the smallest. False where none waits that may be. Takes up to seconds.
 */
bool unwind_tables_load_one(struct unwind_tables *tables);

/**
 * unwind_tables_sweep() - now and then: what is used and not loaded is wanted, what nobody maps may be forgotten
 * @mapped: [WALK_FILES_MAX] by file number
 * By the thread that asks for the numbers of files, so that none that it is about to use is forgotten.
 */
void unwind_tables_sweep(struct unwind_tables *tables, const bool *mapped);

struct unwind_tables_counts unwind_tables_counts(struct unwind_tables *tables);

#endif
