/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waits_account: where blocked and queued time went, as the last lines of `stoker offcpu` and `stoker runqlat`.
 */
#ifndef STOKER_RENDER_WAITS_ACCOUNT_H
#define STOKER_RENDER_WAITS_ACCOUNT_H

#include <stdio.h>

#include "profiler/profile/profile_times.h"
#include "profiler/render/json.h"

/* "12.3 s blocked = 12.1 s with stacks + 0.2 s in blocks shorter than 1 ms + 0 lost", and each cause of loss. */
void render_blocked_account(const struct profile_times *times, const struct profile *profile, FILE *out);

/* "1.20 s queued = 1.19 s while others ran, or for a reason told + 10.0 ms not known.", likewise. */
void render_queue_account(const struct profile_times *times, const struct profile *profile, FILE *out);

/* The numbers of both. 0 or -ENOMEM. */
int json_add_waits_account(struct json_object *object, const struct profile_times *times,
			   const struct profile *profile);

#endif
