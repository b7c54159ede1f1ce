/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * short_ids: containers' ids as people write them: twelve characters, and more where these do not tell two apart.
 *
 * Ids of Docker and its like are random; those of runc and crun are names that somebody chose, and often begin alike.
 */
#ifndef STOKER_PROFILE_SHORT_IDS_H
#define STOKER_PROFILE_SHORT_IDS_H

#include <stddef.h>

#define SHORT_ID 12

/**
 * short_id_lengths() - how much of each id to show
 * @ids: [count]; one may be there more than once
 * @ret_lengths: [count] bytes: SHORT_ID, or up to the first that tells it from every other id; may be more than it has
 * Returns 0 or -ENOMEM.
 */
int short_id_lengths(const char *const *ids, size_t count, size_t *ret_lengths);

#endif
