/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug_search: brings a pinned file what its names and lines need and it does not hold itself.
 *
 * That is the separate debug file (debug_files.h), the file that dwz made, the .dwp and .dwo files of split DWARF: on
 * the host, then inside the container that maps the file, looked for by children that can be left behind
 * (path_lookup.h). What was found inside is that container's word: a file that
 * another root maps as well gets nothing from there, and loses what it got (debug_search_check_shared()).
 */
#ifndef SYMBOLIZER_DEBUG_SEARCH_H
#define SYMBOLIZER_DEBUG_SEARCH_H

#include "symbolizer/symbolizer_private.h"

/* Where to look: made once for the files of one process. */
struct debug_search {
	struct symbolizer *symbolizer;
	const struct symbolizer_process *process; /* NULL: files of the host */
	bool opened;				  /* inside_root was tried */
	int inside_root;			  /* O_PATH, owned; -1: a file of the host, or a process that is gone */
	struct tenant *tenant;			  /* for whom paths are looked up */
	bool lines;				  /* not names alone */
	bool host;				  /* paths are the host's */
	bool silent;				  /* the last look-up, or one before it, was not answered */
	bool late;				  /* what was found was not read in time */
	/* The file in work, for the callback that opens its split files. */
	struct pinned_file *file;
	const char *path;
};

/* @process: NULL for files of the host */
void debug_search_init(struct debug_search *search, struct symbolizer *symbolizer,
		       const struct symbolizer_process *process);
void debug_search_deinit(struct debug_search *search);

/**
 * debug_search_complete() - once for each file, before its questions
 * @path: of the file, as the process sees it
 * What is not found is not missed: there is no error. Where a file system did not answer, or a disk was busy,
 * pinned_file.debug_silent or .debug_late says so, and it is looked for again before the next question.
 */
void debug_search_complete(struct debug_search *search, struct pinned_file *file, const char *path);

/* Brings the .dwo files that the last question missed. True where it is worth asking again. */
bool debug_search_bring_splits(struct debug_search *search, struct pinned_file *file, const char *path);

/* Forgets what a file got from inside a container, once another root maps it too. */
void debug_search_check_shared(struct symbolizer *symbolizer, struct pinned_file *file);

#endif
