/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_driver FILE…: how long it takes from a file's first mapping until walks can use its table, and what it holds.
 *
 * All that a recording does, but for its tables, which are plain memory: the file is named, read by the worker, and its rows are
 * stored. A line for each FILE: milliseconds of time and of CPU (the worker's with it), rows, kilobytes of rows, rules and
 * pages. The last line is the sum.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/collect/unwind_tables.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/silent_devices.h"

struct cost {
	double ms, cpu_ms;
	uint64_t bytes;
};

static double cpu_ms(const struct unwind_parser *parser)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3 +
	       (double)unwind_parser_costs(parser).cpu_ns / 1e6;
}

/* What the tables hold of all files so far. */
static uint64_t bytes_held(const struct walk_maps *maps)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < WALK_FILES_MAX; i++)
		bytes += maps->files->at[i].page_count * sizeof(struct walk_page);
	for (uint32_t i = 0; i < WALK_PAGES_MAX; i++)
		bytes += maps->pages->at[i].count * sizeof(struct walk_row);
	return bytes;
}

static int load(struct unwind_tables *tables, const struct unwind_parser *parser, const char *path,
		struct cost *ret_cost)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct unwind_identity identity;
	double cpu = cpu_ms(parser);
	uint64_t start_ns;
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		return -1;
	start_ns = clock_now_ns();
	identity = (struct unwind_identity){status.st_dev, status.st_ino, status.st_size, status.st_mtim};
	if (unwind_tables_file(tables, &identity, fd, (struct unwind_mapper){.pid = getpid()}) == UNWIND_NO_FILE ||
	    !unwind_tables_load_one(tables))
		return -1;
	ret_cost->ms = (double)(clock_now_ns() - start_ns) / 1e6;
	ret_cost->cpu_ms = cpu_ms(parser) - cpu;
	return 0;
}

int main(int argc, char **argv)
{
	static struct silent_devices silent;
	struct unwind_parser *parser;
	struct unwind_tables *tables;
	static struct walk_maps maps;
	struct cost sum = {0};

	if (unwind_parser_new(&silent, &parser) || walk_maps_init(&maps, NULL) ||
	    unwind_tables_new(&maps, parser, UNWIND_MEMORY_DEFAULT, UNWIND_PARSING_LIMIT, &tables))
		return 1;
	unwind_tables_load_one(tables); /* the vdso */
	for (int i = 1; i < argc; i++) {
		uint64_t before = bytes_held(&maps);
		struct cost cost;

		if (load(tables, parser, argv[i], &cost)) {
			fprintf(stderr, "unwind_driver: %s cannot be loaded\n", argv[i]);
			return 1;
		}
		cost.bytes = bytes_held(&maps) - before;
		printf("%8.1f ms %8.1f ms CPU %8.1f kB  %s\n", cost.ms, cost.cpu_ms, (double)cost.bytes / 1e3, argv[i]);
		sum.ms += cost.ms;
		sum.cpu_ms += cost.cpu_ms;
		sum.bytes += cost.bytes;
	}
	printf("%8.1f ms %8.1f ms CPU %8.1f kB  in %" PRIu64 " MiB of segments\n", sum.ms, sum.cpu_ms,
	       (double)sum.bytes / 1e3, unwind_tables_counts(tables).row_bytes >> 20);
	unwind_tables_free(tables);
	unwind_parser_free(parser);
	walk_maps_deinit(&maps);
	return 0;
}
