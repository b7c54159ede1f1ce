/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crawler DIRECTORY NAMES [SECONDS]: asks for NAMES files that do not exist, each name another one, and then goes on
 * doing so slowly until the SECONDS are over; prints "NAMES names asked for in SECONDS s".
 *
 * The kernel remembers for each name that there is no such file (a negative dentry, 192 bytes), in the hash table that
 * every path look-up of the host goes through. Disk file systems do so, tmpfs does not. What is remembered stays
 * until memory is short, `echo 2 >/proc/sys/vm/drop_caches`, or the directory is removed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_EVERY 100
#define PAUSE_NS 10000000

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int ask(unsigned long number)
{
	struct stat found;
	char name[24];

	snprintf(name, sizeof(name), "n%lx", number);
	return stat(name, &found) == 0 || errno != ENOENT;
}

int main(int argc, char **argv)
{
	unsigned long names = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, number;
	double begin = now(), end = begin + (argc > 3 ? atof(argv[3]) : 0);

	if (!names) {
		fprintf(stderr, "usage: crawler DIRECTORY NAMES [SECONDS]\n");
		return 2;
	}
	if ((mkdir(argv[1], 0700) && errno != EEXIST) || chdir(argv[1])) {
		perror(argv[1]);
		return 1;
	}
	for (number = 0; number < names; number++)
		if (ask(number)) {
			perror("crawler: stat");
			return 1;
		}
	printf("%lu names asked for in %.1f s\n", names, now() - begin);
	fflush(stdout);
	for (; now() < end; number++) {
		ask(number);
		if (number % PAUSE_EVERY == 0)
			nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
	}
	return 0;
}
