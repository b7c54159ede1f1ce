/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_keeper: which of the rows that were read stay in memory.
 *
 * Rows that nobody wants are counted and forgotten, chunk by chunk, waits summed up. Where the recorder had written all that it had, its rows
 * add up: there is a mark, samples of one place become one row, and of a container's accounts the last one stays. Whoever cannot
 * hold what comes behind a mark goes back to it.
 */
#ifndef STOKER_RECORDING_KEEPER_H
#define STOKER_RECORDING_KEEPER_H

#include "profiler/recording/recording_format.h"

struct recording_keeper {
	struct recording_tables *tables;
	unsigned int wants;	  /* enum recording_wants */
	size_t forgotten[TABLES]; /* rows */
	size_t buckets;		  /* looked at: the first so many are wanted */
	size_t places;		  /* samples: the first so many are each of another place … */
	struct hash_index index;  /* … and found by it */
	size_t accounts;	  /* rows when they were last made fewer */
	bool marked;
	size_t mark[TABLES]; /* rows */
	size_t mark_calls_told;
	struct recording_waits_sums mark_waits_left_out;
};

/* @tables stay the caller's; their rows are counted from now on. */
void recording_keeper_init(struct recording_keeper *keeper, struct recording_tables *tables, unsigned int wants);
void recording_keeper_deinit(struct recording_keeper *keeper);

/* The array of a table's rows. */
struct any_array *recording_keeper_rows(const struct recording_keeper *keeper, enum table_id table);

/* Rows of a table by now, those included that are forgotten. */
size_t recording_keeper_count(const struct recording_keeper *keeper, enum table_id table);

/* What all rows take that are kept. */
uint64_t recording_keeper_bytes(const struct recording_keeper *keeper);

/* Whether rows of calls, waits or locks were forgotten. */
bool recording_keeper_has_left_out(const struct recording_keeper *keeper);

/* A chunk was read, and is good. */
void recording_keeper_take_chunk(struct recording_keeper *keeper);

/* Whether the rows add up here, before a rows chunk: accounts have come since the last mark, or there are none at all. */
bool recording_keeper_adds_up(const struct recording_keeper *keeper);

/* Returns 0 or -ENOMEM. */
int recording_keeper_mark(struct recording_keeper *keeper);

/* Returns 0, or -EFBIG where there is no mark. */
int recording_keeper_back(struct recording_keeper *keeper);

#endif
