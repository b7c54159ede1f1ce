/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * new_mappings: what processes have mapped since they were read, from the thread that follows records to the recorder.
 *
 * Only processes that are followed are noted, and of each only so much at a time: of one that maps and maps it is noted that
 * it may have mapped anything. Adding and taking are for one thread each.
 */
#ifndef STOKER_NEW_MAPPINGS_H
#define STOKER_NEW_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEW_MAPPINGS_MAX 4096u	     /* between two calls of new_mappings_take() */
#define NEW_MAPPINGS_OF_ONE_MAX 256u /* of one process */

struct new_mapping {
	uint64_t start, end; /* [start, end) */
	uint64_t time_ns;    /* monotonic clock */
	uint32_t tgid;
	bool anonymous; /* no file's */
};

struct new_mappings;

/* Returns 0 or -ENOMEM. */
int new_mappings_new(struct new_mappings **ret_mappings);
void new_mappings_free(struct new_mappings *mappings);

/* From now on, for good; and with it others of the same tgid modulo 65,536. */
void new_mappings_follow(struct new_mappings *mappings, uint32_t tgid);

void new_mappings_add(struct new_mappings *mappings, const struct new_mapping *mapping);

/**
 * new_mappings_take() - what was added since the last call
 * @ret_list: [count] by tgid; valid until the next call
 * @ret_lost: there was more, of anybody
 * Returns the count.
 */
size_t new_mappings_take(struct new_mappings *mappings, const struct new_mapping **ret_list, bool *ret_lost);

#endif
