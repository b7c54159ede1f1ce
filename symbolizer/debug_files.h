/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug_files: the places where a file's separate debug file may be, opened one after another.
 *
 * It runs where files are opened, not where they are parsed: what it gives was seen to be a regular file and no more.
 * Whoever parses it decides by build-id or CRC whether it is the right one (parsed_file_add_debug()), and asks for the
 * next place if not. Links are resolved inside the root that a path belongs to; link names and paths come from
 * strangers. Below the host's root a stranger's text leads to nothing outside of /usr/lib/debug and, for a file of the host,
 * of the file's own folder.
 *
 * A debug file from inside a container is that container's word for what its functions are called: debug_file.inside
 * says so, and a file that another container maps too must not get its names from there.
 *
 * The places, in this order, "host" being left out where host_root is -1, "inside" where inside_root is:
 *
 *	debug file	host	/usr/lib/debug/.build-id/ab/cdef.debug
 *			host	/usr/lib/debug/DIR/LINK, the same without DIR's leading /usr
 *			inside	both
 *			inside	DIR/LINK, DIR/.debug/LINK (on the host where there is no inside)
 *	alternate file	host	/usr/lib/debug/.build-id/ab/cdef.debug, LINK
 *			inside	both
 *
 * https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html
 */
#ifndef SYMBOLIZER_DEBUG_FILES_H
#define SYMBOLIZER_DEBUG_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* A search. All fields but the last are the caller's, who keeps what they point to for as long. */
struct debug_files {
	int host_root;	 /* O_PATH descriptor of "/", or of a folder that stands for it; not closed */
	int inside_root; /* of the process's root; -1: there is no process, and @path is the host's */
	bool alternate;	 /* look for the file that .gnu_debugaltlink names (dwz), not for the debug file */
	const unsigned char *build_id; /* [build_id_bytes], the wanted file's */
	size_t build_id_bytes;	       /* 0: not known */
	const char *link;	       /* .gnu_debuglink's name, or .gnu_debugaltlink's path; "" where there is none */
	const char *path;  /* where the file is that has the link, as /proc/PID/maps shows it; "" where not known */
	unsigned int next; /* 0 at first */
};

struct debug_file {
	int fd;	     /* O_PATH; the caller's from now on */
	bool inside; /* found below inside_root */
	struct stat status;
	char path[PATH_MAX]; /* in its root */
};

/**
 * debug_files_next() - open the next candidate that exists
 * Returns 0, or -ENOENT where no place is left; @ret_file is then undefined.
 */
int debug_files_next(struct debug_files *search, struct debug_file *ret_file);

#endif
