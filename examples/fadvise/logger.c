/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger FILE [SECONDS]: appends 200 bytes to FILE and asks the kernel to drop its pages, again and again, as logging
 * libraries do after each line; prints "LINES lines" at the end. Seconds 0, the default, is for ever.
 *
 * The partly filled last page is dirty and cannot be dropped, which is what takes the slow way in the kernel
 * (lru_add_drain_all). FILE has to be on a disk's file system: tmpfs does nothing of the kind.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 200
#define FILE_BYTES_MAX (16 << 20)

int main(int argc, char **argv)
{
	time_t end = argc > 2 && atoi(argv[2]) > 0 ? time(NULL) + atoi(argv[2]) : 0;
	unsigned long long lines = 0;
	char line[LINE_BYTES];
	off_t size = 0;
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: logger FILE [SECONDS]\n");
		return 2;
	}
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	do {
		if (write(fd, line, sizeof(line)) != sizeof(line) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) {
			perror(argv[1]);
			return 1;
		}
		size += LINE_BYTES;
		/* "Rotated": the disk must not fill up however long it runs. */
		if (size > FILE_BYTES_MAX) {
			if (ftruncate(fd, 0)) {
				perror(argv[1]);
				return 1;
			}
			size = 0;
		}
		lines++;
	} while (!end || lines % 64 || time(NULL) < end);
	printf("%llu lines\n", lines);
	return 0;
}
