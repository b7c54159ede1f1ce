/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parser_private: what the files behind parser.h share: parser.c asks the child, parser_source.c knows what that has cost.
 */
#ifndef SYMBOLIZER_PARSER_PRIVATE_H
#define SYMBOLIZER_PARSER_PRIVATE_H

#include "symbolizer/parser.h"

/* Did the child die of it, or is it out of its mind? Both count against the source; the child is told nothing more. */
bool parser_is_death(int err);

/* That a request with these flags of parser_find() may take. */
int parser_timeout_ms(uint32_t flags);

/**
 * parser_source_given_up() - why a source is not asked
 * @offered: the question is whether another file belongs to it
 * Returns 0 (it is), -ENOTRECOVERABLE or, for a while, -ETIME or -EBUSY.
 */
int parser_source_given_up(const struct parser_source *source, uint32_t flags, bool offered);

/* What came of a request, and how long it took: it is the source's, or that of what was offered to it. */
void parser_source_note(struct parser_source *source, bool offered, int err, uint64_t busy_ns);

#endif
