/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parsed_file: one ELF file in the child, with the separate debug files that belong to it.
 *
 * Its tables are made when they are first needed and can be dropped at any time; the descriptors stay.
 */
#ifndef SYMBOLIZER_PARSED_FILE_H
#define SYMBOLIZER_PARSED_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/parse_protocol.h"

struct call_frames;
struct parsed_dwarf;
struct parsed_file;

/**
 * parsed_file_new() - take a file
 * @fd: owned from here on, also on failure
 * Returns 0, -ENOEXEC (not ELF), -EIO or -ENOMEM.
 */
int parsed_file_new(int fd, struct parsed_file **ret_file);
void parsed_file_free(struct parsed_file *file);

/* What it says of itself and of where its debug files are; of the debug file too, once there is one. */
void parsed_file_facts(struct parsed_file *file, struct parse_facts *ret_facts);

/**
 * parsed_file_add_debug() - offer a separate debug file
 * @fd: owned from here on
 * Returns 0 where its build-id, or failing that its CRC, says that it belongs to the file; -ENOENT where it does not, or there
 * is one.
 */
int parsed_file_add_debug(struct parsed_file *file, int fd);

/* The same for the alternate (dwz) file that .gnu_debugaltlink names: by build-id alone. */
int parsed_file_add_alternate(struct parsed_file *file, int fd);

/* The .dwp file. @fd: owned from here on. 0, or -ENOENT where there is one. */
int parsed_file_add_package(struct parsed_file *file, int fd);

/* For its split files. */
struct parsed_dwarf *parsed_file_dwarf(struct parsed_file *file);

/**
 * parsed_file_find() - append one record for an address
 * @address: file offset, or with PARSE_VIRTUAL the address that symbols have
 * @flags:   PARSE_VIRTUAL, PARSE_LINES, PARSE_INLINES
 * Returns 0, -EIO, -ENOMEM (worth asking again once others have given memory back) or -EFBIG (that did not help). That there
 * is no name is an answer.
 */
int parsed_file_find(struct parsed_file *file, uint64_t address, uint32_t flags, struct worker_bytes *answer);

/* Its call frame information; NULL where it has none that we can read. Until it is trimmed. */
struct call_frames *parsed_file_call_frames(struct parsed_file *file);

/* About what of it is there now takes; 0: nothing. */
size_t parsed_file_call_frames_bytes(const struct parsed_file *file);

/* Frees it, and gives it up: it has taken more memory than an honest one would. */
void parsed_file_drop_call_frames(struct parsed_file *file);

/* Bytes that its tables take now; what can be made again is dropped by parsed_file_trim(). */
size_t parsed_file_bytes(const struct parsed_file *file);
void parsed_file_trim(struct parsed_file *file);

/* Descriptors that it holds, and how many of them parsed_file_trim() and parsed_dwarf_drop_splits() would close. */
size_t parsed_file_descriptors(const struct parsed_file *file, size_t *ret_spare);

#endif
