/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"

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
	/* CALLS_BY_COST of a container: a row of all of its calls does not say which of them slept by design. */
	uint64_t *container_costs; /* [containers] */
};

static uint64_t cost_of(const char *name, uint64_t awake_ns, uint64_t blocked_ns, uint64_t uninterruptible_ns)
{
	return sum_of(awake_ns, call_sleeps_by_design(name) ? uninterruptible_ns : blocked_ns);
}

static void add_costs(const struct profile *profile, uint64_t *costs)
{
	for (size_t i = 0; i < profile->rows.calls.count; i++) {
		const struct recording_call *row = &profile->rows.calls.items[i];

		sum_add(&costs[row->container],
			cost_of(string_table_text(&profile->rows.strings, row->name),
				sum_of(row->oncpu_ns, row->queued_ns), row->blocked_ns, row->uninterruptible_ns));
	}
}

static uint64_t cost(const struct sorting *sorting, const struct call_sums *sums)
{
	if (!sums->name && sums->container != CALLS_ALL)
		return sorting->container_costs[sums->container];
	return cost_of(string_table_text(&sorting->profile->rows.strings, sums->name),
		       sum_of(sums->oncpu_ns, sums->queued_ns), sums->blocked_ns, sums->uninterruptible_ns);
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

int calls_sort(struct profile_calls *calls, const struct profile *profile, enum calls_order order)
{
	_cleanup_free_ uint64_t *costs = calloc(profile->rows.containers.count + 1, sizeof(*costs));
	struct sorting sorting = {profile, order, costs};

	if (!costs)
		return -ENOMEM;
	if (order == CALLS_BY_COST)
		add_costs(profile, costs);
	if (calls->rows.count)
		qsort_r(calls->rows.items, calls->rows.count, sizeof(*calls->rows.items), compare, &sorting);
	return 0;
}
