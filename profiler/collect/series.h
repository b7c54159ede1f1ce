/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * series: once a second, what each container and the host used and waited for since the last time.
 *
 * At most SERIES_READS_MAX containers are read at a tick; of more, each has its turn after some ticks, and its row spans that
 * time. A container that is made while recording counts from zero; what one used between its last reading and its end is not
 * known.
 */
#ifndef STOKER_SERIES_H
#define STOKER_SERIES_H

#include "profiler/collect/owners.h"

#define SERIES_READS_MAX 100
#define SERIES_CONTAINERS_MAX 2048

struct series;

struct series_parts {
	const char *root; /* prefix of /proc and of the mount points: "" for the host */
	struct cgroup_tree *tree;
	struct container_resolver *resolver;
	struct owners *owners;
	struct recording_writer *writer;
	bool filtered;	   /* only containers that the recording knows for other reasons */
	uint64_t start_ns; /* monotonic clock: times count from here */
};

struct series_counts {
	uint64_t containers; /* that were read */
	uint64_t readings;
	uint64_t put_off;  /* readings that had to wait for a later tick */
	uint64_t missed;   /* readings for which there was no descriptor or no memory */
	uint64_t left_out; /* containers beyond SERIES_CONTAINERS_MAX */
	uint64_t cpu_ns;   /* what all that took */
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int series_new(const struct series_parts *parts, struct series **ret_series);
void series_free(struct series *series);

/*
 * Each: 0 or -ENOMEM. series_start() once, as soon as the tree holds all cgroups: their first reading; series_cgroup() when
 * one came, went or changed its name.
 */
int series_start(struct series *series);
int series_cgroup(struct series *series, const struct cgroup_event *event);
int series_tick(struct series *series);
int series_flush(struct series *series);

/* The last one of each container that has been quiet; a flush is to follow. */
int series_end(struct series *series);

const struct series_counts *series_counts(const struct series *series);

#endif
