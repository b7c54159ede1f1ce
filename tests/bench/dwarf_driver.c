/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_driver FILE [DEBUG-FILE [ALTERNATE-FILE [PACKAGE]]]: hexadecimal addresses on stdin, frames on stdout in the
 * form of llvm-symbolizer: name and file:line of each frame, innermost first, and an empty line. "-" for no file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "symbolizer/dwarf_index.h"

/* Beside the linked file, and where the compiler said. */
static int open_split(void *data, const char *name, const char *directory)
{
	char path[8192];
	int fd;

	snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : directory, name[0] == '/' ? "" : "/", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -ENOENT : fd;
}

static int open_argument(int argc, char **argv, int at)
{
	int fd;

	if (at >= argc || !strcmp(argv[at], "-"))
		return -1;
	fd = open(argv[at], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[at]);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct dwarf_files files = {open_argument(argc, argv, 1), open_argument(argc, argv, 2),
				    open_argument(argc, argv, 3), open_argument(argc, argv, 4), open_split};
	unsigned int flags = DWARF_LINES | DWARF_INLINES;
	struct dwarf_frame frames[DWARF_FRAMES_MAX];
	struct dwarf_index *index;
	struct rusage used;
	char line[64];
	size_t count;
	int err;

	if (getenv("BYTES_MAX"))
		files.bytes_max = strtoull(getenv("BYTES_MAX"), NULL, 0);
	err = dwarf_index_new(&files, &index);
	if (err) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		if (dwarf_index_find(index, strtoull(line, NULL, 16), flags, frames, &count))
			return 1;
		for (size_t i = 0; i < count; i++)
			printf("%s\n%s:%" PRIu32 "\n", frames[i].function ? frames[i].function : "??",
			       frames[i].file ? frames[i].file : "??", frames[i].line);
		puts(count ? "" : "??\n??:0\n");
	}
	getrusage(RUSAGE_SELF, &used);
	fprintf(stderr, "%ld KiB at most, %zu KiB in the index\n", used.ru_maxrss, dwarf_index_bytes(index) >> 10);
	dwarf_index_free(index);
	return 0;
}
