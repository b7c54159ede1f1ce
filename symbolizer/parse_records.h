/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse_records: the records of parse_protocol.h, written by the child and read, with suspicion, by its caller.
 */
#ifndef SYMBOLIZER_PARSE_RECORDS_H
#define SYMBOLIZER_PARSE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/parse_protocol.h"

/* One function of an answer. */
struct parse_name {
	const char *text; /* [bytes], not NUL-terminated when read */
	size_t bytes;
	const char *file; /* [file_bytes]; NULL or empty where not known */
	size_t file_bytes;
	uint32_t line; /* 0: not known */
	bool inlined;
};

/**
 * parse_records_add() - append a record
 * @names: [count], innermost first; at most PARSE_FRAMES_MAX are taken
 * Returns 0 or -ENOMEM, the answer then as it was.
 */
int parse_records_add(struct worker_bytes *answer, uint64_t start, uint64_t end, const struct parse_name *names,
		      size_t count);

struct parse_reader {
	const char *at, *end;
};

/**
 * parse_records_next() - the next record
 * @names: [PARSE_FRAMES_MAX], filled; texts point into the answer
 * Returns the names' number, -ENODATA after the last record, or -EBADMSG where the bytes are no record.
 */
int parse_records_next(struct parse_reader *reader, uint64_t *ret_start, uint64_t *ret_end, struct parse_name *names);

/**
 * parse_records_make_sense() - is this the answer to a question, from its first byte to its last?
 * @reader: at the first record; a copy, so that the caller's stays where it is
 * @addresses: [count], as they were asked
 * @frames_max: names that one record may have
 * One record for each address; a range that is not empty holds its address.
 */
bool parse_records_make_sense(struct parse_reader reader, const uint64_t *addresses, size_t count, size_t frames_max);

/**
 * parse_splits_next() - the next record of an answer to PARSE_SPLITS
 * @name, @directory: [PATH_MAX], filled
 * False after the last, and where the bytes are no record.
 */
bool parse_splits_next(struct parse_reader *reader, struct parse_split *record, char *name, char *directory);

#endif
