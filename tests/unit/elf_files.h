/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests on ELF files: a folder of their own, and the compiler and binutils run in it. */
#ifndef TESTS_UNIT_ELF_FILES_H
#define TESTS_UNIT_ELF_FILES_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "symbolizer/elf_symbols.h"

struct place {
	char folder[64];
	char path[256]; /* in_place()'s answer */
};

/* A shell command that must succeed. */
__attribute__((format(printf, 1, 2))) static inline void run(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

static inline int place_set_up(void **state)
{
	static struct place place;

	snprintf(place.folder, sizeof(place.folder), "/tmp/elf_files.XXXXXX");
	*state = &place;
	return mkdtemp(place.folder) ? 0 : -1;
}

static inline int place_tear_down(void **state)
{
	struct place *place = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	return system(command);
}

/* The path of a file there, good until the next call. */
static inline const char *in_place(struct place *place, const char *name)
{
	snprintf(place->path, sizeof(place->path), "%s/%s", place->folder, name);
	return place->path;
}

/* The raw name at an address, as elf_symbols_name() gives it; -ENOENT where there is no function. */
static inline int find_name(const struct elf_symbols *symbols, uint64_t address, char *name, size_t size)
{
	struct elf_function function;

	elf_symbols_functions(symbols, &address, 1, &function);
	return function.end ? elf_symbols_name(symbols, &function, name, size) : -ENOENT;
}

/* A small C program with functions of several kinds, compiled with @flags. */
static inline void compile(struct place *place, const char *name, const char *flags)
{
	FILE *file = fopen(in_place(place, "program.c"), "w");

	assert_non_null(file);
	fputs("#include <stdio.h>\n"
	      "#include <stdlib.h>\n"
	      "static int __attribute__((noinline)) local_one(int n) { return n * 3 + getpagesize(); }\n"
	      "int __attribute__((noinline)) exported_two(int n) { return local_one(n) ^ rand(); }\n"
	      "extern int __exported_two(int n) __attribute__((weak, alias(\"exported_two\")));\n"
	      "int main(int argc, char **argv) { printf(\"%d\\n\", exported_two(argc)); return 0; }\n"
	      "__asm__(\".text\\n.globl bare_three\\nbare_three: nop\\nnop\\nnop\\n\"\n"
	      "        \".globl bare_four\\nbare_four: nop\\nnop\\nret\\n\"\n"
	      "        \".type sizeless_five, @function\\n.globl sizeless_five\\nsizeless_five: nop\\nret\\n\");\n",
	      file);
	assert_int_equal(fclose(file), 0);
	run("cd %s && gcc -w -std=gnu11 -D_GNU_SOURCE -include unistd.h -O1 %s -o %s program.c", place->folder, flags,
	    name);
}

#endif
