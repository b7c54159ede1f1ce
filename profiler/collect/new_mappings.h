/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * new_mappings: what processes have mapped since they were read, from the thread that follows records to the recorder.
 *
 * Only processes that are followed are noted. Of each one's mappings only so many ranges are, of files and of anonymous memory
 * apart: what lies nearest to each other becomes one range, with what is between. So nothing that was heard is missed, whoever
 * maps and maps takes no room from others, and code that a runtime makes hides no library. Where records were lost, anybody's
 * may have been, and all are told to have mapped anything. Adding is for one thread, all else for another.
 */
#ifndef STOKER_NEW_MAPPINGS_H
#define STOKER_NEW_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEW_MAPPINGS_RANGES_MAX 8u /* of one process, of each of both kinds, between two calls of new_mappings_take() */

struct new_mapping {
	uint64_t start, end; /* [start, end) */
	uint64_t time_ns;    /* of the last of it; monotonic clock */
	uint32_t tgid;
	bool anonymous; /* no file's */
};

struct new_mappings;

/* Returns 0 or -ENOMEM. */
int new_mappings_new(struct new_mappings **ret_mappings);
void new_mappings_free(struct new_mappings *mappings);

/* From now on, until it was unfollowed as often as it was followed. Returns 0 or -ENOMEM. */
int new_mappings_follow(struct new_mappings *mappings, uint32_t tgid);
void new_mappings_unfollow(struct new_mappings *mappings, uint32_t tgid);

void new_mappings_add(struct new_mappings *mappings, const struct new_mapping *mapping);

/* Nobody knows who mapped what until @time_ns: the next call of new_mappings_take() tells all that are followed. */
void new_mappings_lost(struct new_mappings *mappings, uint64_t time_ns);

/**
 * new_mappings_take() - what was added since the last call
 * @ret_list: [ret_count] by tgid; valid until the next call
 * Returns 0, or -ENOMEM: then the next call tells it.
 */
int new_mappings_take(struct new_mappings *mappings, const struct new_mapping **ret_list, size_t *ret_count);

#endif
