/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waits_account: the last lines of the reports of waits and calls: where the time went, and what was lost.
 */
#ifndef STOKER_RENDER_WAITS_ACCOUNT_H
#define STOKER_RENDER_WAITS_ACCOUNT_H

#include <stdio.h>

#include "profiler/profile/profile_times.h"
#include "profiler/render/json.h"

/* A fact that counts what was lost or guessed, and what to say of it behind the number. */
struct loss {
	const char *fact, *text;
};

#define LOSS_UNSEEN                                                                                                \
	{                                                                                                          \
		"waits.unseen", "switches were not traced by the kernel: sums are right, single waits are joined." \
	}
#define LOSS_MISSED                                                                                       \
	{                                                                                                 \
		"waits.missed", "events were lost: the program for them was running on that CPU already." \
	}

/* A line for each of @losses, [@count], that is not 0. */
void render_losses(const struct loss *losses, size_t count, const struct profile *profile, FILE *out);

/*
 * "12.3 s blocked = 12.1 s with stacks + 0.2 s in blocks shorter than 1 ms + 0 lost", and each cause of loss; of a recording
 * that was cut, what has no stacks, too.
 */
void render_blocked_account(const struct profile_times *times, const struct profile *profile, FILE *out);

/* "1.20 s queued = 1.19 s while others ran, or for a reason told + 10.0 ms not known.", likewise. */
void render_queue_account(const struct profile_times *times, const struct profile *profile, FILE *out);

/* The numbers of both. 0 or -ENOMEM. */
int json_add_waits_account(struct json_object *object, const struct profile_times *times,
			   const struct profile *profile);

#endif
