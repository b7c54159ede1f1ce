/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * victim DIRECTORY FILES SECONDS: makes FILES files, then asks for their sizes in random order as a web server or a
 * build tool does; prints the time of a look-up, "LOOKUPS look-ups, NANOSECONDS ns each", once a second.
 *
 * Its own work never changes. What changes is how long the kernel's hash chains are on which its names are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void name_of(unsigned int number, char *name, size_t size)
{
	snprintf(name, size, "file-%u", number);
}

static int make_files(unsigned int files)
{
	char name[24];

	for (unsigned int i = 0; i < files; i++) {
		int fd;

		name_of(i, name, sizeof(name));
		fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0)
			return -1;
		close(fd);
	}
	return 0;
}

static unsigned int look_up(unsigned int files, unsigned int lookups, uint64_t *random)
{
	unsigned int found = 0;
	struct stat status;
	char name[24];

	for (unsigned int i = 0; i < lookups; i++) {
		*random = *random * 6364136223846793005ull + 1442695040888963407ull;
		name_of((unsigned int)(*random >> 33) % files, name, sizeof(name));
		found += stat(name, &status) == 0;
	}
	return found;
}

int main(int argc, char **argv)
{
	unsigned int files = argc == 4 ? (unsigned int)atoi(argv[2]) : 0;
	uint64_t random = (uint64_t)getpid();
	double end;

	if (!files) {
		fprintf(stderr, "usage: victim DIRECTORY FILES SECONDS\n");
		return 2;
	}
	if ((mkdir(argv[1], 0700) && errno != EEXIST) || chdir(argv[1]) || make_files(files)) {
		perror(argv[1]);
		return 1;
	}
	end = now() + atof(argv[3]);
	while (now() < end) {
		double begin = now(), took;
		unsigned int lookups = 0;

		do {
			if (look_up(files, 1000, &random) != 1000) {
				fprintf(stderr, "victim: a file is gone\n");
				return 1;
			}
			lookups += 1000;
			took = now() - begin;
		} while (took < 1);
		printf("%u look-ups, %.0f ns each\n", lookups, took * 1e9 / lookups);
		fflush(stdout);
	}
	return 0;
}
