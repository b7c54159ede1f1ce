/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jitdump: names and lines of JIT code, from the binary file that a runtime writes as it compiles (jit-PID.dump).
 *
 * A dump belongs to one process and grows while the process runs. Code memory is used again: the later record wins.
 * Machine code in the file is stepped over, and the file may be large for that. It comes from inside a container:
 * nothing in it is trusted, and reading it may not take more than its share of time (read_share.h). A record that
 * makes no sense ends the dump for good; what came before it answers. Little-endian files only.
 *
 * Format: tools/perf/Documentation/jitdump-specification.txt in the kernel tree. perf-inject(1) puts code behind an
 * ELF header of 0x40 bytes, and V8 has moved the addresses of its lines by that much to suit it. V8 11 (Node 20) also
 * writes freed memory, NULs and all, where names of scripts should be: lines with such names are not taken.
 */
#ifndef SYMBOLIZER_JITDUMP_H
#define SYMBOLIZER_JITDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JITDUMP_FILE_BYTES_MAX (64ull << 30) /* a larger file is refused whole */
#define JITDUMP_READ_STEPS_MAX (1u << 20)    /* records and lines for each call; the rest waits for the next */
#define JITDUMP_AGAIN_STEPS_MAX (4u << 20)   /* the same for what was read before and trimmed */
#define JITDUMP_NAME_BYTES_MAX 4096	     /* a longer name is cut, and one of twice that skips its record */
#define JITDUMP_CODE_BYTES_MAX (1ull << 30)  /* a function that claims more is none */
#define JITDUMP_FUNCTIONS_MAX (1u << 20)     /* further ones are skipped */
#define JITDUMP_LINES_MAX (2u << 20)	     /* the same */
#define JITDUMP_TEXT_BYTES_MAX (64u << 20)   /* the same, for names */

struct jitdump;

/* A function, and the line of an address in it where the dump has lines. Texts are good until the next read. */
struct jitdump_place {
	const char *function; /* never empty */
	const char *file;     /* NULL where not known */
	uint32_t line;	      /* 0 where not known */
	uint64_t start, end;  /* of the function, as it was before others took parts of its memory */
};

/**
 * jitdump_new() - an empty dump
 * @fd: the file, opened and checked; owned by the dump from here on, also on failure
 * Returns 0 or -ENOMEM.
 */
int jitdump_new(int fd, struct jitdump **ret_dump);
void jitdump_free(struct jitdump *dump);

/* Memory that jitdump_trim() gives back; the next read then begins at the start, whatever its share of time. */
size_t jitdump_bytes(const struct jitdump *dump);
void jitdump_trim(struct jitdump *dump);

/**
 * jitdump_read() - read what was appended since the last call
 * A file that became shorter, or has another header now, is read from its start. Works on after the process has ended.
 * Errors, the dump answering all the same: -EAGAIN (more is there than may be read now), -EBADMSG (no jitdump, or
 * broken from here on), -EFBIG, -EIO, -ENOMEM.
 */
int jitdump_read(struct jitdump *dump);

/* What holds an address in the process. False, @ret_place untouched, where the dump has nothing. */
bool jitdump_find(const struct jitdump *dump, uint64_t address, struct jitdump_place *ret_place);

#endif
