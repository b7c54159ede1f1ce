/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parser: asks the child that parses (worker.h) about files and JIT maps.
 *
 * A source is a file that was opened and checked here and is parsed there. It keeps its descriptors, so that a new child
 * can be told again. A source of which two children in a row die, the second of which knew no other, is in quarantine: it
 * is asked nothing more. One that has taken PARSER_REQUESTS_MAX times as long as one request may is asked again when the
 * time that passes has paid for some of that: a map that its runtime writes anew is read anew, for ever, and that a new
 * child has to be told again is not the file's fault. What files do that are only offered to a source (parser_add()) is
 * counted apart, and ends with offers. One for which the child has only waited, as the disk has much to do, is to blame
 * for nothing: it is asked again after 2 s, then 4 and so on up to 64. Answers are checked as a whole before anybody sees
 * them: a child that has read a hostile file may say anything, and one that makes no sense counts as dead. Names that do
 * make sense are believed, those of other files too: until it dies, a child that was taken over can call things as it
 * likes, and what it called so by then stays.
 */
#ifndef SYMBOLIZER_PARSER_H
#define SYMBOLIZER_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/base/time_share.h"
#include "symbolizer/parse_protocol.h"
#include "symbolizer/parse_records.h"

#define PARSER_DEATHS_MAX 2
#define PARSER_TIMEOUT_MS 3000
#define PARSER_LINES_TIMEOUT_MS 20000 /* the DWARF of a browser takes its time */
#define PARSER_REQUESTS_MAX 2
#define PARSER_SOURCE_PART 20	/* of the time that passes 1 / this pays off; a container's files have twice that */
#define PARSER_SOURCES_MAX 1024 /* that one child knows: it has room for four descriptors of each */
#define PARSER_STALLED_MS 2000	/* after the first time */
#define PARSER_STALLS_MAX 6	/* that make it longer */

struct parser;
struct silent_devices;

enum parser_source_kind {
	PARSER_FILE,
	PARSER_PERF_MAP,
	PARSER_JITDUMP,
};

/* How often in a row there was nothing but waiting, and until when nothing is asked. */
struct parser_stalls {
	uint8_t count;
	int64_t until_ms; /* clock.h */
};

/* Another time. All zero before the first. */
void parser_stalls_note(struct parser_stalls *stalls);

/* Fields are the parser's; made by parser_source_init(). */
struct parser_source {
	enum parser_source_kind kind;
	int fd, debug_fd, alternate_fd, package_fd; /* owned; -1: none */
	bool splits;				    /* it was brought files that are not held here */
	uint32_t object;			    /* its number in the child of generation @numbered */
	uint32_t numbered;			    /* 0: it has none */
	uint32_t generation;			    /* of the child that knows it */
	uint64_t tenant;			    /* for whom it was asked about last */
	uint8_t deaths;				    /* children in a row that died of it */
	struct time_share busy;			    /* time that it has taken */
	bool told_slow;				    /* the caller's: it has used that up, and was counted for it */
	struct parser_stalls stalls;
	uint8_t offer_deaths; /* the three, of what was offered to it */
	struct time_share offer_busy;
	struct parser_stalls offer_stalls;
	int error;		  /* why it cannot be parsed at all: -ENOEXEC; 0: it can, or was not tried */
	struct parse_facts facts; /* of a file, once told */
};

/**
 * parser_new() - before any thread, and before privileged files are open
 * @silent: must live as long
 * Returns 0, -ENOMEM or -EAGAIN (no process can be started).
 */
int parser_new(struct silent_devices *silent, struct parser **ret_parser);
void parser_free(struct parser *parser);
struct worker *parser_worker(struct parser *parser);

/* Whose the files are that are asked about from now on: a tenant of which too many children wait for ever gets -EHOSTDOWN. */
void parser_ask_for(struct parser *parser, uint64_t tenant);

/* @fd is owned from here on. */
void parser_source_init(struct parser_source *source, enum parser_source_kind kind, int fd);
/* The same for one whose descriptors were closed: what it has cost stays. */
void parser_source_reopen(struct parser_source *source, int fd);
/* Closes the descriptors and tells the child to forget. */
void parser_source_deinit(struct parser *parser, struct parser_source *source);

/* No child gets it any more. */
static inline bool parser_source_quarantined(const struct parser_source *source)
{
	return source->deaths >= PARSER_DEATHS_MAX;
}

/* How long it may take parser_find() with these flags. */
struct time_share_limit parser_source_limit(uint32_t flags);

/* It will not answer parser_find() with these flags for now: it has taken too long. */
bool parser_source_slow(const struct parser_source *source, uint32_t flags);

/* What it has taken, without what is paid off. */
uint64_t parser_source_debt_ns(const struct parser_source *source);

/**
 * parser_open() - have a source parsed as far as its facts
 * Returns 0, -ENOEXEC (not ELF), -ENOTRECOVERABLE (in quarantine), -EHOSTDOWN (its file system did not answer), -ETIME
 * (it has taken too long), -EBUSY (it was not read in time; both are asked again later), -EFBIG, -EIO (reading it failed),
 * -EAGAIN (no child), -ENOMEM.
 */
int parser_open(struct parser *parser, struct parser_source *source);

enum parser_addition {
	PARSER_DEBUG_FILE,
	PARSER_ALTERNATE, /* the file that dwz makes */
	PARSER_PACKAGE,	  /* the .dwp */
};

/**
 * parser_add() - offer a file that completes a source
 * @fd: owned from here on
 * Returns 0 where it belongs to the source, -ENOENT where not, or as parser_open(); -ENOTRECOVERABLE and -ETIME also where
 * offers have cost too much.
 */
int parser_add(struct parser *parser, struct parser_source *source, enum parser_addition addition, int fd);

/* Takes the debug file away again, and what came with it: another child state, as if it had never been. */
void parser_drop_debug(struct parser *parser, struct parser_source *source);

/**
 * parser_split - bring a .dwo file
 * @name, @directory: as the skeleton has them
 * Returns a descriptor, the parser's from then on, or -1 where there is none.
 */
typedef int (*parser_split)(void *data, const char *name, const char *directory);

/**
 * parser_bring_splits() - bring what the last parser_find() on a source missed
 * Returns how many files were answered for: not 0 means that the question is worth asking again; or as parser_open().
 */
int parser_bring_splits(struct parser *parser, struct parser_source *source, parser_split split, void *data);

/* The answer to one question, read record by record. All zero before its first use. */
struct parser_answer {
	struct worker_bytes bytes;
	struct parse_reader reader;
};
void parser_answer_deinit(struct parser_answer *answer);

/**
 * parser_find() - ask about addresses of a source
 * @addresses: [count], at most PARSE_ADDRESSES_MAX; sorted is faster. File offsets (or PARSE_VIRTUAL ones) for a file,
 *             addresses in the process for a JIT map
 * @ret_answer: one record for each address, in order (parse_records_next() on its reader); more than one name only with
 *             PARSE_INLINES, and a range holds its address
 * Returns 0, -EFBIG (a JIT map past its limit: the answer holds what is known of it; a file that takes too much
 * memory), or as parser_open().
 */
int parser_find(struct parser *parser, struct parser_source *source, const uint64_t *addresses, size_t count,
		uint32_t flags, struct parser_answer *ret_answer);

/**
 * parser_unwind() - have a copied stack walked, with sources that the child that runs now has been told (parser_open())
 * @words: [count], a struct copied_stack and what follows it
 * @ret_answer: its reader is at a struct copied_frames that makes sense
 * Returns 0, -EIO (the child died of it), -EBUSY (it waited for its files), -EHOSTDOWN (it did, and is left behind), -EINVAL
 * (too long), -EFBIG, -EAGAIN, -ENOMEM.
 */
int parser_unwind(struct parser *parser, const uint64_t *words, size_t count, struct parser_answer *ret_answer);

/* Ends the child, which may take its time for every request: the next one starts another. */
void parser_stop(struct parser *parser);

/* What the child has cost so far; zero where it does not answer. */
struct parse_cost parser_cost(struct parser *parser);

#endif
