/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols_driver: the symbol tables of a file from a command line, for tests/bench/symbols and symbols_compare.
 *
 *	symbols_driver names FILE [DEBUG_FILE]   hexadecimal addresses on stdin, one demangled name each on stdout, "??"
 *	                                         where there is none
 *	symbols_driver raw FILE [DEBUG_FILE]     the same, with the source ("symtab", ...) and the mangled name
 *	symbols_driver index FILE                how long a table takes to be made, the best of five; its size
 *	symbols_driver search FILE COUNT         how long a look-up in a sorted batch takes, over all code of the file
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/demangle.h"
#include "symbolizer/elf_symbols.h"

#define NAME_BYTES 65536

static const char *const sources[] = {"symtab", "debug_file", "dynsym", "debugdata", "go", "plt"};

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void fail(const char *what, int err)
{
	fprintf(stderr, "symbols_driver: %s: %s\n", what, strerror(-err));
	exit(1);
}

static struct elf_symbols *load(const char *path, const char *debug_path)
{
	struct elf_symbols *symbols;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	err = fd < 0 ? -errno : elf_symbols_new(fd, &symbols);
	if (err)
		fail(path, err);
	if (!debug_path)
		return symbols;
	fd = open(debug_path, O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? -errno : elf_symbols_add_debug_file(symbols, fd);
	if (err)
		fail(debug_path, err);
	return symbols;
}

struct question {
	uint64_t address;
	size_t line;
};

static int by_address(const void *left, const void *right)
{
	const struct question *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

/* As the symbolizer does it: sort, search all, name each function once, answer in the order of the questions. */
static void names(const struct elf_symbols *symbols, bool raw)
{
	ARRAY(struct question) questions = {0};
	char line[64], *name = malloc(NAME_BYTES), **answers, *last = NULL;
	struct elf_function *functions;
	uint64_t *addresses;

	while (fgets(line, sizeof(line), stdin)) {
		struct question *question = array_add(&questions);

		*question = (struct question){strtoull(line, NULL, 16), questions.count - 1};
	}
	qsort(questions.items, questions.count, sizeof(*questions.items), by_address);
	addresses = calloc(questions.count + 1, sizeof(*addresses));
	functions = calloc(questions.count + 1, sizeof(*functions));
	answers = calloc(questions.count + 1, sizeof(*answers));
	for (size_t i = 0; i < questions.count; i++)
		addresses[i] = questions.items[i].address;
	elf_symbols_functions(symbols, addresses, questions.count, functions);
	for (size_t i = 0; i < questions.count; i++) {
		if (!functions[i].end) {
			last = "??";
		} else if (!i || functions[i].start != functions[i - 1].start || !functions[i - 1].end) {
			last = elf_symbols_name(symbols, &functions[i], name, NAME_BYTES) ? NULL : demangle(name);
			last = last && !raw ? last : strdup(name);
		}
		answers[questions.items[i].line] = last;
		addresses[questions.items[i].line] = functions[i].end ? functions[i].source : UINT64_MAX;
	}
	for (size_t i = 0; i < questions.count; i++)
		printf("%s%s%s\n", raw ? (addresses[i] == UINT64_MAX ? "none" : sources[addresses[i]]) : "",
		       raw ? " " : "", answers[i]);
}

static void index_time(const char *path)
{
	double best = 1e9;
	size_t bytes = 0;

	for (int i = 0; i < 5; i++) {
		double start = now_s();
		struct elf_symbols *symbols = load(path, NULL);
		double took = now_s() - start;

		best = took < best ? took : best;
		bytes = elf_symbols_bytes(symbols);
		elf_symbols_free(symbols);
	}
	printf("index: %.1f ms, %.1f MB held\n", best * 1e3, (double)bytes / 1e6);
}

static void search_time(const char *path, size_t count)
{
	struct elf_symbols *symbols = load(path, NULL);
	struct elf_function *functions = calloc(count, sizeof(*functions));
	uint64_t *addresses = calloc(count, sizeof(*addresses)), first, last = 0, step;
	double best = 1e9;
	size_t found = 0;

	/* The first and the last function, then evenly between. */
	addresses[0] = 0;
	elf_symbols_functions(symbols, addresses, 1, functions);
	first = functions[0].to;
	for (step = 1ull << 55; step; step /= 2) {
		addresses[0] = last + step;
		elf_symbols_functions(symbols, addresses, 1, functions);
		if (functions[0].to != UINT64_MAX)
			last += step;
	}
	for (size_t i = 0; i < count; i++)
		addresses[i] = first + (uint64_t)((double)(last - first) * (double)i / (double)count);
	for (int i = 0; i < 5; i++) {
		double start = now_s();

		elf_symbols_functions(symbols, addresses, count, functions);
		best = now_s() - start < best ? now_s() - start : best;
	}
	for (size_t i = 0; i < count; i++)
		found += functions[i].end != 0;
	printf("search: %.1f ns each, %zu of %zu in a function\n", best * 1e9 / (double)count, found, count);
	elf_symbols_free(symbols);
}

int main(int argc, char **argv)
{
	if (argc >= 3 && (!strcmp(argv[1], "names") || !strcmp(argv[1], "raw")))
		names(load(argv[2], argc > 3 ? argv[3] : NULL), argv[1][0] == 'r');
	else if (argc == 3 && !strcmp(argv[1], "index"))
		index_time(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "search"))
		search_time(argv[2], strtoull(argv[3], NULL, 10));
	else
		fail("usage", -EINVAL);
	return 0;
}
