/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock_shares: the cells of `stoker locks` that say who had a lock: "log-1 27%, log-2 26%, log-3 26%", the largest first.
 */
#ifndef STOKER_RENDER_LOCK_SHARES_H
#define STOKER_RENDER_LOCK_SHARES_H

#include <stddef.h>

#include "profiler/analysis/lock_sites.h"

#define LOCK_NAME_COLUMNS 24
#define LOCK_NAME_BYTES (4 * LOCK_NAME_COLUMNS + 1)

/* A container's name in [LOCK_NAME_BYTES] as this report has it, "unknown" for RECORDING_NONE. */
void lock_container_name(const struct profile *profile, uint32_t container, char *text, size_t size);

/* WAITED FOR: shares of the waiting, by looks where there were enough, else of single waits. @text is "-" where none is known. */
void lock_waited_for_text(const struct profile *profile, const struct lock_site *site, char *text, size_t size);

/* HELD BY: shares of the time; likewise. */
void lock_held_by_text(const struct profile *profile, const struct lock_site *site, char *text, size_t size);

#endif
