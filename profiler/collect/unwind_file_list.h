/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_file_list: the mapped files that have a number, by which programs and unwind tables know them.
 *
 * A file is known once, whoever maps it: by what fstat(2) says of it. Number 0 is the vdso's, which has no identity and is added
 * first. Numbers are given again once their files were removed. Each file counts as one of its tenant's (file_tenants.h).
 */
#ifndef STOKER_UNWIND_FILE_LIST_H
#define STOKER_UNWIND_FILE_LIST_H

#include "bpf/shared.h"
#include "profiler/collect/file_tenants.h"
#include "profiler/collect/row_store.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/unwind_files.h"

#define UNWIND_NO_FILE UINT32_MAX

enum unwind_file_state {
	FILE_FREE,    /* no file has this number */
	FILE_WAITING, /* to be parsed */
	FILE_PARSING,
	FILE_LOADED,  /* also with no rows, where there is no unwind data */
	FILE_EVICTED, /* without rows for now: for want of room, or of time to parse it */
};

/* From @stored on it is the loader's (unwind_tables.c), who also moves a file from state to state while it has its number. */
struct unwind_file {
	enum unwind_file_state state;
	bool vdso;
	struct unwind_identity identity;
	int path_fd;	 /* owned; -1: closed, as nobody maps it any more */
	uint32_t tenant; /* FILE_TENANTS_NONE: our own */
	struct stored_rows stored;
	bool lacks_rows;	 /* but for those that a debug file may have */
	bool rows_inside;	 /* has such that came from inside of root */
	bool shared;		 /* more than one root maps it */
	bool unanswered;	 /* it was not read, as its tenant's file systems do not answer */
	bool has_other;		 /* somebody else has mapped it, too: */
	uint64_t other;		 /* his number; who has time stays before who has none */
	bool passed_on;		 /* to him, once at least */
	struct unwind_root root; /* of who mapped it first, as long as that matters */
	uint32_t retry_at;	 /* epoch before which it is not tried again */
	uint32_t retry_wait;	 /* doubled by each time that it found no room */
};

/* All but the tenants' limit zero: none. */
struct unwind_file_list {
	struct unwind_file files[WALK_FILES_MAX];
	uint32_t count;	  /* numbers ever given: those below may be free */
	uint32_t known;	  /* files now */
	uint32_t refused; /* that got no number, so far */
	struct hash_index index;
	struct file_tenants tenants;
};

void unwind_file_list_deinit(struct unwind_file_list *list);

/* The number of a file, by its identity (NULL: the vdso); UNWIND_NO_FILE where it has none. */
uint32_t unwind_file_list_find(const struct unwind_file_list *list, const struct unwind_identity *identity);

/**
 * unwind_file_list_add() - a number for a file that has none, which is FILE_WAITING then
 * @path_fd: owned by the list from here on, unless this fails
 * Returns UNWIND_NO_FILE where there are too many, of all or of the tenant, or memory is out.
 */
uint32_t unwind_file_list_add(struct unwind_file_list *list, const struct unwind_identity *identity, int path_fd,
			      uint32_t tenant);

/* Whose file it is from now on; FILE_TENANTS_NONE: nobody's. */
void unwind_file_list_give(struct unwind_file_list *list, struct unwind_file *file, uint32_t tenant);

/* Frees the number. Its rows were taken out before; unwind_file_list_index() is to follow when all are removed that are to be. */
void unwind_file_list_remove(struct unwind_file_list *list, uint32_t number);

/* Makes the index anew, which forgets nothing by itself. 0, or -ENOMEM: some files will not be found, and added twice. */
int unwind_file_list_index(struct unwind_file_list *list);

#endif
