/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recorder: from what the kernel counted to rows of a recording.
 *
 * recorder_start() once the sampler runs and the tree holds all cgroups.
 * recorder_events() when the sampler's descriptor is readable: new processes are pinned there and then.
 * recorder_tick() once a second: counts are read, stacks named, samples added. recorder_flush() every few seconds:
 * what is there goes to disk. recorder_finish() once, after the sampler was stopped.
 */
#ifndef STOKER_RECORDER_H
#define STOKER_RECORDER_H

#include "profiler/collect/owners.h"
#include "profiler/collect/sampler.h"
#include "profiler/collect/stack_copies.h"
#include "profiler/collect/unwinder.h"
#include "profiler/containers/container_filter.h"
#include "profiler/recording/recording_writer.h"

struct recorder;

struct java_attach;
struct java_maps_counts;
struct series_counts;
struct symbolizer;

struct recorder_parts {
	struct sampler *sampler;
	struct symbolizer *symbolizer; /* what it does while it waits is the recorder's to say */
	struct unwinder *unwinder;     /* NULL: frame pointers alone */
	struct recording_writer *writer;
	struct cgroup_tree *tree;
	struct container_resolver *resolver;
	struct java_attach *java;	 /* JVMs are asked for their maps; NULL: they are not */
	struct container_filter *filter; /* told of new cgroups; NULL: none */
	bool filtered;			 /* not all containers are wanted */
	bool lines;			 /* Python functions get a file and a line, as the symbolizer's do */
	uint64_t start_ns;		 /* monotonic clock: sample times count from here */
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int recorder_new(const struct recorder_parts *parts, struct recorder **ret_recorder);
void recorder_free(struct recorder *recorder);

/* @number: whole seconds since the start, more each time. Each returns 0 or a negative errno: -ENOMEM, or from recorder_flush() and _finish() what writing gave. */
int recorder_start(struct recorder *recorder);
int recorder_events(struct recorder *recorder);
int recorder_tick(struct recorder *recorder, uint64_t number);
int recorder_flush(struct recorder *recorder, uint64_t number);
int recorder_finish(struct recorder *recorder);

/* Samples kept so far, for a progress line. */
uint64_t recorder_samples(const struct recorder *recorder);

/* Of them, those whose stack was left out, as too many waited for their names. */
uint64_t recorder_samples_left(const struct recorder *recorder);

/* Addresses that waited for their name, and got none as there were too many of them, or no time was left to ask. */
uint64_t recorder_names_given_up(const struct recorder *recorder);

/* What became of asking JVMs; NULL where none were to be asked. */
const struct java_maps_counts *recorder_java(const struct recorder *recorder);

/* What was read of containers over time. */
const struct series_counts *recorder_series(const struct recorder *recorder);

/* What became of stacks that came as copies; false where none was to come. */
bool recorder_copies(const struct recorder *recorder, struct stack_copies_counts *ret_counts);

/* True where kernel names are hidden from us (kernel.kptr_restrict). */
bool recorder_kernel_hidden(const struct recorder *recorder);

#endif
