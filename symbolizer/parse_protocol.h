/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse_protocol: what the symbolizer (parser.h) and its child (parse_service.h) say to each other.
 *
 * One request is a struct parse_request with its addresses; one answer is a struct parse_answer with its records. The
 * child is not trusted either, once it has read a hostile file: whoever takes an answer checks every length in it.
 * Both sides are one program, so the layouts need no version.
 */
#ifndef SYMBOLIZER_PARSE_PROTOCOL_H
#define SYMBOLIZER_PARSE_PROTOCOL_H

#include <stdint.h>

#include "symbolizer/worker.h"

/* In one request: what fits beside its header. */
#define PARSE_ADDRESSES_MAX ((WORKER_REQUEST_BYTES_MAX - 64) / sizeof(uint64_t))
#define PARSE_NAME_BYTES_MAX 4096 /* of a function or a file; a longer one is cut */
#define PARSE_FRAMES_MAX 64	  /* for one address: a function and what was inlined into it */

enum parse_type {
	PARSE_OPEN_FILE = 1,  /* one descriptor; the answer's facts follow */
	PARSE_OPEN_PERF_MAP,  /* one descriptor */
	PARSE_OPEN_JITDUMP,   /* one descriptor */
	PARSE_ADD_DEBUG_FILE, /* one descriptor: taken where build-id or CRC say that it belongs to the object */
	PARSE_ADD_ALTERNATE,  /* one descriptor: the dwz file of the object or of its debug file */
	PARSE_ADD_PACKAGE,    /* one descriptor: the .dwp of the object */
	PARSE_SPLITS,	      /* which .dwo files PARSE_FIND missed: records of struct parse_split follow */
	PARSE_ADD_SPLIT,      /* flags: parse_split.number; one descriptor, or none where there is no such file */
	PARSE_FIND,	      /* addresses: file offsets for a file, else addresses in the process */
	PARSE_UNWIND, /* "addresses" are a struct copied_stack and what follows it; the answer's a struct copied_frames */
	PARSE_FORGET,
	PARSE_COST, /* the answer's facts are a struct parse_cost */
};

/* Bits of parse_request.flags. */
#define PARSE_VIRTUAL 1u /* the addresses of a file are those that its symbols have */
#define PARSE_LINES 2u
#define PARSE_INLINES 4u

struct parse_request {
	uint32_t type;
	uint32_t object; /* the caller's number for what the request is about */
	uint32_t flags;
	uint32_t count;
	uint64_t addresses[]; /* [count] */
};

struct parse_answer {
	int32_t error;	/* 0 or a negative errno */
	uint32_t count; /* records that follow, for PARSE_FIND */
};

/* What a file says of itself. Names are raw; "" where there are none. */
struct parse_facts {
	uint8_t has_symbols; /* its own .symtab, or another full table */
	uint8_t has_lines;   /* DWARF */
	uint8_t build_id_bytes;
	unsigned char build_id[64];
	uint32_t debug_link_crc;
	char debug_link[256];
	char alternate_link[256];
	uint8_t alternate_id_bytes;
	unsigned char alternate_id[64];
};

struct parse_cost {
	uint64_t cpu_ns;
	uint64_t memory_bytes; /* most that was resident */
};

/* A .dwo file, as its skeleton names it; the name and then the directory follow, without NUL. */
struct parse_split {
	uint32_t number;
	uint16_t name_bytes, directory_bytes;
};
#define PARSE_SPLITS_MAX 32 /* in one answer */

/*
 * A record of PARSE_FIND: then come its frames, innermost first, each followed by its name and its file's name without
 * NUL. No frames: no name. The range is where this record is the answer, in the addresses of the request; [0, 0) where
 * that is not known, or where lines and inlines make it a matter of the very address.
 */
struct parse_record {
	uint64_t start, end;
	uint32_t frames;
	uint32_t pad;
};

#define PARSE_FRAME_INLINED 1u

struct parse_frame {
	uint16_t flags;
	uint16_t name_bytes, file_bytes;
	uint16_t pad;
	uint32_t line; /* 0: not known */
};

#endif
