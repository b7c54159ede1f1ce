/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * naming_private: what the files behind naming.h share: naming.c asks files, naming_maps.c the maps of JIT code.
 */
#ifndef SYMBOLIZER_NAMING_PRIVATE_H
#define SYMBOLIZER_NAMING_PRIVATE_H

#include "symbolizer/debug_search.h"
#include "symbolizer/symbolizer_private.h"

/* One address whose file has to be asked. */
struct question {
	struct pinned_file *file;
	uint64_t address; /* as parser_find() takes it */
	uint64_t offset;  /* as a reason shows it */
	string_id module, path;
	uint32_t number; /* of the span that waits for it */
};
typedef ARRAY(struct question) question_array;

struct naming {
	struct symbolizer *symbolizer;
	struct symbols *symbols;
	struct debug_search search;
	uint32_t flags; /* for parser_find() */
	question_array questions;
	question_array jit;  /* their file is NULL */
	uint64_t *addresses; /* [PARSE_ADDRESSES_MAX], for one batch */
	struct parser_answer answer;
	/* naming_begin() to naming_end(): */
	bool quarantined;
	uint64_t busy_ns; /* of the child, before */
};

/* The symbol that says why, where there is no name: each span starts as one of these. */
static inline struct symbol *naming_symbol(struct naming *naming, uint32_t number)
{
	return &naming->symbols->list.items[naming->symbols->spans.items[number].first];
}

/* A function and what was inlined into it, [count], take the place of the one symbol that the span had. 0 or -ENOMEM. */
int naming_set(struct naming *naming, const struct question *question, const struct parse_name *names, size_t count);

/**
 * naming_next() - the next record of the answer
 * @names: [PARSE_FRAMES_MAX]
 * @ret_count: of them; 0: no name
 * Returns 0, a negative errno where the answer makes no sense, or -ENOMEM.
 */
int naming_next(struct naming *naming, const struct question *question, struct parse_name *names, int *ret_count);

/**
 * naming_begin() - before a source is asked about @count addresses
 * What the child does for a tenant is counted, and past its share nothing is asked: -EDQUOT, else 0.
 */
int naming_begin(struct naming *naming, const struct parser_source *source, size_t count);

/* After it. @name: as it is called where it is given up. */
void naming_end(struct naming *naming, struct parser_source *source, string_id name);

/* Asks the process's maps of JIT code about naming.jit. 0 or -ENOMEM. */
int naming_ask_maps(struct naming *naming, struct symbolizer_process *process);

#endif
