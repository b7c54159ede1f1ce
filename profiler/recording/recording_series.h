/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_series: rows for what containers, and the host as a whole, used and waited for over time. Part of recording.h.
 *
 * A row says what came in the @span_ns before @time_ns, and how things stood at its end. Between the spans of two rows of
 * one container nothing happened: rows that would say so are left out.
 */
#ifndef STOKER_RECORDING_SERIES_H
#define STOKER_RECORDING_SERIES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What is measured. Values are columns on disk: append only. Those marked "now" are as things stood when they were read; all
 * others say how much more it became. Times are in ns, memory and block I/O in bytes.
 */
enum series_measure {
	SERIES_CPU_USAGE = 0,
	SERIES_CPU_USER = 1,
	SERIES_CPU_SYSTEM = 2,
	SERIES_CPU_LIMIT = 3,	/* now, in thousandths of a CPU; 0: none. The tightest one that binds it, and of … */
	SERIES_CPU_PERIODS = 4, /* … this: periods in which anything wanted to run */
	SERIES_CPU_THROTTLED_PERIODS = 5, /* of these: the limit was reached */
	SERIES_CPU_THROTTLED = 6,	  /* time, of its run queues on all CPUs together */
	SERIES_CPU_SOME = 7,		  /* pressure: time in which some task waited for a CPU … */
	SERIES_CPU_FULL = 8,		  /* … and none ran */
	SERIES_MEMORY_SOME = 9,
	SERIES_MEMORY_FULL = 10,
	SERIES_IO_SOME = 11,
	SERIES_IO_FULL = 12,
	SERIES_MEMORY_USAGE = 13,      /* now, with the page cache. The host's: what is not available */
	SERIES_MEMORY_LIMIT = 14,      /* now, the tightest one that binds it; 0: none. The host's: all that there is */
	SERIES_MEMORY_ANONYMOUS = 15,  /* now, of the usage: what cannot be dropped, but only swapped out */
	SERIES_MEMORY_KERNEL = 16,     /* now, of the usage: the kernel's own, on its behalf */
	SERIES_MEMORY_SLAB = 17,       /* now, of that: slab */
	SERIES_MEMORY_LIMIT_HITS = 18, /* times that its own limit stood in the way of an allocation */
	SERIES_MEMORY_OOM_KILLS = 19,  /* processes */
	SERIES_MEMORY_MAJOR_FAULTS = 20,
	SERIES_IO_READ = 21,
	SERIES_IO_WRITTEN = 22,
	SERIES_IO_READS = 23, /* operations */
	SERIES_IO_WRITES = 24,
	/* Of the host alone: */
	SERIES_CPU_STEAL = 25,
	SERIES_CPU_IOWAIT = 26,
	SERIES_TASKS_RUNNABLE = 27, /* now, those that run and those in run queues */
	SERIES_TASKS_BLOCKED = 28,  /* now, waiting for a disk */
	SERIES_LOAD = 29,	    /* now, of one minute, in thousandths */
	SERIES_DENTRIES = 30,	    /* now */
	SERIES_DENTRIES_UNUSED = 31,
	SERIES_DENTRIES_NEGATIVE = 32,
};
#define SERIES_MEASURES 33

#define SERIES_BIT(measure) (1ull << (measure))

/* Those marked "now". */
#define SERIES_NOW                                                                                                 \
	(SERIES_BIT(SERIES_CPU_LIMIT) | SERIES_BIT(SERIES_MEMORY_USAGE) | SERIES_BIT(SERIES_MEMORY_LIMIT) |        \
	 SERIES_BIT(SERIES_MEMORY_ANONYMOUS) | SERIES_BIT(SERIES_MEMORY_KERNEL) | SERIES_BIT(SERIES_MEMORY_SLAB) | \
	 SERIES_BIT(SERIES_TASKS_RUNNABLE) | SERIES_BIT(SERIES_TASKS_BLOCKED) | SERIES_BIT(SERIES_LOAD) |          \
	 SERIES_BIT(SERIES_DENTRIES) | SERIES_BIT(SERIES_DENTRIES_UNUSED) | SERIES_BIT(SERIES_DENTRIES_NEGATIVE))

/* One reading; those that count up as the kernel has them, since the cgroup was made or the host was started. */
struct series_values {
	uint64_t known;			  /* SERIES_BIT() of each that could be read */
	uint64_t values[SERIES_MEASURES]; /* 0 where not known */
};

static inline void series_put(struct series_values *values, enum series_measure measure, uint64_t value)
{
	values->values[measure] = value;
	values->known |= SERIES_BIT(measure);
}

#define SERIES_HOST UINT32_MAX

struct recording_series {
	uint32_t container; /* row, or SERIES_HOST */
	uint64_t time_ns;
	uint64_t span_ns; /* 0: the first row of a container that was there before; only what is "now" is known */
	struct series_values values; /* what came within the span, and what is now */
};

#endif
