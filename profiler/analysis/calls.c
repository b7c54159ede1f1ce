/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/calls.h"

#include <stdlib.h>
#include <string.h>

/*
 * A lock is none (flock): whoever waits for one would rather go on. futex is, as it has the idle workers of a pool, too.
 * read and accept block for as long as nothing comes; what a read from a disk waits is uninterruptible, and counts.
 */
static const char *const sleepers[] = {
	"accept",	   "accept4",	      "clock_nanosleep",
	"connect",	   "epoll_pwait",     "epoll_pwait2",
	"epoll_wait",	   "futex",	      "futex_wait",
	"futex_waitv",	   "io_getevents",    "io_pgetevents",
	"io_uring_enter",  "mq_timedreceive", "msgrcv",
	"nanosleep",	   "pause",	      "poll",
	"ppoll",	   "pselect6",	      "read",
	"readv",	   "recvfrom",	      "recvmmsg",
	"recvmsg",	   "restart_syscall", "rt_sigsuspend",
	"rt_sigtimedwait", "select",	      "semop",
	"semtimedop",	   "wait4",	      "waitid",
};

bool call_sleeps_by_design(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(sleepers); i++)
		if (!strcmp(name, sleepers[i]))
			return true;
	return false;
}

struct sorting {
	const struct profile *profile;
	enum calls_order order;
};

static uint64_t cost(const struct sorting *sorting, const struct call_sums *sums)
{
	uint64_t cost = sums->oncpu_ns + sums->queued_ns;

	if (call_sleeps_by_design(string_table_text(&sorting->profile->rows.strings, sums->name)))
		return cost + sums->uninterruptible_ns;
	return cost + sums->blocked_ns;
}

static uint64_t rank(const struct sorting *sorting, const struct call_sums *sums)
{
	switch (sorting->order) {
	case CALLS_BY_COST:
		return cost(sorting, sums);
	case CALLS_BY_TIME:
		return sums->wall_ns;
	case CALLS_BY_COUNT:
		return sums->count;
	case CALLS_BY_ERRORS:
		return sums->errors;
	case CALLS_BY_LOCK:
		return sums->lock_ns;
	}
	return 0;
}

static int compare(const void *left, const void *right, void *data)
{
	const struct sorting *sorting = data;
	const struct call_sums *a = left, *b = right;
	uint64_t rank_a = rank(sorting, a), rank_b = rank(sorting, b);

	if (rank_a != rank_b)
		return rank_a < rank_b ? 1 : -1;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	return strcmp(string_table_text(&sorting->profile->rows.strings, a->name),
		      string_table_text(&sorting->profile->rows.strings, b->name));
}

void calls_sort(struct profile_calls *calls, const struct profile *profile, enum calls_order order)
{
	struct sorting sorting = {profile, order};

	if (calls->rows.count)
		qsort_r(calls->rows.items, calls->rows.count, sizeof(*calls->rows.items), compare, &sorting);
}
