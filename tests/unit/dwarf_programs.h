/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of debug information: programs with spots whose functions and lines are known, and what is at a spot. */
#ifndef TESTS_UNIT_DWARF_PROGRAMS_H
#define TESTS_UNIT_DWARF_PROGRAMS_H

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/dwarf_index.h"
#include "tests/unit/elf_files.h"

/* spot_inner lies in inner(), inlined into middle(), inlined into outer(). */
static const char spots_c[] =
	"#define INLINE static inline __attribute__((always_inline))\n"
	"#define SPOT(name) __asm__ volatile(\".globl spot_\" #name \"\\nspot_\" #name \": nop\")\n"
	"#line 10 \"spots.c\"\n"
	"INLINE int inner(int n)\n"
	"{\n"
	"	SPOT(inner);\n"
	"	return n * 3;\n"
	"}\n"
	"INLINE int middle(int n)\n"
	"{\n"
	"	return inner(n) + 1;\n"
	"}\n"
	"__attribute__((noinline)) int outer(int n)\n"
	"{\n"
	"	SPOT(outer);\n"
	"	return middle(n) ^ 5;\n"
	"}\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	return outer(argc);\n"
	"}\n";

/* The same in C++: methods, and a namespace without a name. */
static const char spots_cc[] =
	"#define INLINE inline __attribute__((always_inline))\n"
	"#define SPOT(name) __asm__ volatile(\".globl spot_\" #name \"\\nspot_\" #name \": nop\")\n"
	"#line 10 \"spots.cc\"\n"
	"namespace { INLINE int inner(int n)\n"
	"{\n"
	"	SPOT(inner);\n"
	"	return n * 3;\n"
	"} }\n"
	"namespace shapes { struct Box { int sides; INLINE int grow(int n); int measure(int n); };\n"
	"int Box::grow(int n)\n"
	"{\n"
	"	return inner(n) + sides;\n"
	"}\n"
	"__attribute__((noinline)) int Box::measure(int n)\n"
	"{\n"
	"	SPOT(outer);\n"
	"	return grow(n) ^ 5;\n"
	"} }\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	shapes::Box box = {argc};\n"
	"	return box.measure(argc);\n"
	"}\n";

static inline void write_text(struct place *place, const char *name, const char *text)
{
	FILE *file = fopen(in_place(place, name), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* Runs @compiler (with its flags) on a source, in the place; the source's name stays out of the line table. */
static inline void build(struct place *place, const char *compiler, const char *source, const char *output)
{
	bool cc = strstr(source, ".cc") != NULL;

	write_text(place, source, cc ? spots_cc : spots_c);
	run("cd %s && %s -O2 -o %s %s", place->folder, compiler, output, source);
}

static inline uint64_t address_of(struct place *place, const char *file, const char *symbol)
{
	char command[512], text[32] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "nm %s/%s | awk '$3 == \"%s\" { print $1 }'", place->folder, file, symbol);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(text, sizeof(text), pipe));
	assert_int_equal(pclose(pipe), 0);
	return strtoull(text, NULL, 16);
}

static inline int open_in(struct place *place, const char *name)
{
	int fd = name ? open(in_place(place, name), O_RDONLY | O_CLOEXEC) : -1;

	assert_true(!name || fd >= 0);
	return fd;
}

/* open_split() for files in the place. */
static inline int open_split_in(void *data, const char *name, const char *directory)
{
	int fd = open(in_place(data, name), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -ENOENT : fd;
}

struct opened {
	struct dwarf_files files;
	struct dwarf_index *index;
};

static inline void close_index(struct opened *opened)
{
	const int fds[] = {opened->files.elf, opened->files.debug, opened->files.alternate, opened->files.package};

	dwarf_index_free(opened->index);
	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Names of files in the place; NULL where there is none. */
static inline struct opened open_index(struct place *place, const char *elf, const char *debug, const char *alternate,
				       const char *package)
{
	struct opened opened = {{open_in(place, elf), open_in(place, debug), open_in(place, alternate),
				 open_in(place, package), open_split_in, place},
				NULL};

	assert_int_equal(dwarf_index_new(&opened.files, &opened.index), 0);
	return opened;
}

/* "inner spots.c:12 < outer spots.c:22", files without their folders. */
static inline const char *frames_at(struct dwarf_index *index, uint64_t address, unsigned int flags)
{
	struct dwarf_frame frames[DWARF_FRAMES_MAX];
	static char text[8192];
	size_t count = 99, at = 0;

	assert_int_equal(dwarf_index_find(index, address, flags, frames, &count), 0);
	assert_true(count <= DWARF_FRAMES_MAX);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *file = frames[i].file ? strrchr(frames[i].file, '/') : NULL;

		file = file ? file + 1 : frames[i].file;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %s:%u", i ? " < " : "",
				       frames[i].function ? frames[i].function : "-", file ? file : "-",
				       frames[i].line);
		assert_true(frames[i].inlined == (i + 1 < count));
	}
	return text;
}

#define EVERYTHING (DWARF_LINES | DWARF_INLINES)

#endif
