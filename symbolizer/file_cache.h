/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file_cache: every mapped file once, however many processes and containers map it.
 *
 * A file is known by what process_files_stat() says of it (device, inode, size, modification time), never by the device that
 * /proc/PID/maps shows: overlayfs and btrfs disagree there. It is pinned by an open descriptor from the moment that it
 * is first seen, and parsed, in the child, when its first name is asked for. Names once found outlive the descriptor.
 */
#ifndef SYMBOLIZER_FILE_CACHE_H
#define SYMBOLIZER_FILE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "symbolizer/parser.h"
#include "symbolizer/range_cache.h"

struct file_cache;

enum pinned_state {
	PINNED_OPEN,	/* descriptor held */
	PINNED_TRIMMED, /* closed again: too many files */
	PINNED_FAILED,	/* could not be opened */
};

/* The root directory of a process: what tells containers apart here. */
struct root_identity {
	dev_t device;
	ino_t inode; /* 0: not known */
};

struct pinned_file {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	enum pinned_state state;
	size_t *opened_for; /* while open: the count of who had it opened */
	struct parser_source source;
	struct range_cache names;  /* by file offset */
	struct root_identity root; /* of the first process that mapped it */
	bool shared;		   /* processes with other roots map it too */
	/* Separate debug files (debug_search.h): */
	bool sought, sought_inside; /* looked for at all; inside the container too */
	bool debug_inside;	    /* one was found there */
	bool debug_silent;	    /* a file system on the way to one did not answer */
	bool debug_late;	    /* one was not read in time, and is offered again */
	uint64_t used;		    /* the cache's clock at the last use */
	uint64_t hash;
	bool marked; /* not to be forgotten */
};

/* @parser must live longer. Returns 0 or -ENOMEM. */
int file_cache_new(struct parser *parser, struct file_cache **ret_cache);
void file_cache_free(struct file_cache *cache);

/**
 * file_cache_pin() - the entry of a file
 * @path_fd: O_PATH descriptor of it; duplicated, and opened for reading only in the child
 * @open_count: of files that are open for whoever asks: this one, where it is opened now, adds to it until it is closed. NULL:
 *              nobody counts
 * One that was trimmed is opened again. It keeps the deaths and the time of its source, and the names that came from itself or the
 * host.
 * @ret_file: lives as long as the cache, or until it is forgotten
 * Returns 0, -EINVAL (no regular file) or -ENOMEM.
 */
int file_cache_pin(struct file_cache *cache, int path_fd, const struct stat *status, size_t *open_count,
		   struct pinned_file **ret_file);

/*
 * Takes a descriptor of a file that belongs to no process (the vdso's copy), and so is shared from the start.
 * 0 or -ENOMEM; @fd is owned at once.
 */
int file_cache_adopt(struct file_cache *cache, int fd, struct pinned_file **ret_file);

/* How many there are, and of these: all lose their mark; all without one, that never did harm, are forgotten; names of all are. */
size_t file_cache_count(const struct file_cache *cache);
void file_cache_unmark(struct file_cache *cache);
void file_cache_forget_unmarked(struct file_cache *cache);
void file_cache_forget_names(struct file_cache *cache);

/* Says that a process with this root maps the file. */
void file_cache_note_root(struct pinned_file *file, struct root_identity root);

/* Says that a file is in use: others are trimmed before it. */
void file_cache_touch(struct file_cache *cache, struct pinned_file *file);

/* Closes the files unused for longest until at most @count are open. */
void file_cache_trim(struct file_cache *cache, size_t count);

#endif
