/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sampler: the BPF programs, loaded and ticking.
 *
 * The order is: sampler_new() loads, filters are set, sampler_start() attaches, sampler_read_events() whenever the
 * descriptor is readable and sampler_read_counts() once a second, sampler_stop(), a last sampler_read_counts(),
 * sampler_free(). Programs, maps and links live by descriptors alone: when this process dies, the kernel removes them all.
 */
#ifndef STOKER_SAMPLER_H
#define STOKER_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared.h"
#include "bpf/shared_copy.h"
#include "profiler/collect/event_rings.h"
#include "profiler/collect/wait_programs.h"
#include "profiler/collect/walk_maps.h"

struct sampler;
struct tick_events_counts;

struct sampler_settings {
	uint64_t hz; /* 1 … 100,000 */
	bool kernel_stacks;
	bool user_stacks;
	bool walk_by_tables;	    /* user stacks by unwinder.h's tables, where a process has any */
	bool may_read_user;	    /* user_reads.h; else the kernel's own walk by frame pointers is asked for */
	enum copy_choice copies;    /* user stacks that travel as copies */
	bool filter_tgids;	    /* keep samples of sampler_want_tgid() */
	bool filter_cgroups;	    /* keep samples of sampler_want_cgroup(); with both, either will do */
	bool cgroup_v2;		    /* ask the unified hierarchy … */
	uint64_t cgroup_v2_root;    /* … whose root has this id */
	uint32_t cgroup_v1_mask;    /* and these, bit per enum cgroup_hierarchy */
	struct wait_settings waits; /* what is loaded beside it */
};

/**
 * sampler_new() - load programs and maps
 * @error: [error_size] one line on failure: what the kernel refused, and what to do
 * Returns 0, -EPERM (not root, or without CAP_BPF and CAP_PERFMON), -EOPNOTSUPP (no BTF, no BPF), -ENOMEM …
 */
int sampler_new(const struct sampler_settings *settings, struct sampler **ret_sampler, char *error, size_t error_size);
void sampler_free(struct sampler *sampler);

/* With walk_by_tables: the tables, which programs already keep up with forks and exits. */
struct walk_map_fds sampler_walk_maps(const struct sampler *sampler);

/* The map python_functions. */
int sampler_python_functions_fd(const struct sampler *sampler);

/* Filters; may be added to while sampling. 0, or -E2BIG past 16,384 entries. */
int sampler_want_tgid(struct sampler *sampler, uint32_t tgid);
int sampler_want_cgroup(struct sampler *sampler, uint64_t cgroup_id);

/* A process whose mappings were read: its further samples wake nobody at once. And forgotten again. @image: process_image() */
void sampler_seen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation, uint64_t image);
void sampler_unseen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation);

/* Attaches and ticks on every online CPU (tick_events.h). Errors as sampler_new(), -EINVAL (too many samples a second). */
int sampler_start(struct sampler *sampler, char *error, size_t error_size);
void sampler_stop(struct sampler *sampler);

/* Once a second: CPUs that came online since tick, too; and what became of that (tick_events.h). */
void sampler_look_at_cpus(struct sampler *sampler);
const struct tick_events_counts *sampler_cpu_counts(const struct sampler *sampler);

/* "cycles" or "cpu-clock"; and for the latter the time between two ticks, else 0. Known once started. */
const char *sampler_event_name(const struct sampler *sampler);
uint64_t sampler_period_ns(const struct sampler *sampler);
/* That ticked at the start. */
int sampler_cpus(const struct sampler *sampler);

/* Becomes readable when there is an event that should not wait. */
int sampler_fd(const struct sampler *sampler);

/* What a reader gets. Each returns 0 or a negative errno that ends the reading. */
struct sampler_callbacks {
	/* The first sample of a key, to be counted as one. @token is a number for the key, used again for later keys
	 * once the set that it was of is cleared (sets alternate). */
	int (*stack)(void *data, const struct stack_event *event, uint64_t token);
	int (*cgroup)(void *data, const struct cgroup_event *event);
	/* What a Python function is called; before the first stack that has it. */
	int (*python)(void *data, const struct python_event *event, size_t size);
	/* Further samples of a key since the last call. */
	int (*count)(void *data, uint64_t token, uint64_t count);
	/* The keys of set @set are gone: their tokens will be given anew. */
	void (*cleared)(void *data, uint32_t set);
	void *data;
};

/* Tokens: the set in bit 31, and a number that counts up from 0 in each set. */
#define SAMPLER_TOKEN_SET(token) ((uint32_t)((token) >> 31) & 1)
#define SAMPLER_TOKEN_NUMBER(token) ((uint32_t)(token)&0x7fffffff)

/* Reads waiting events only: cheap, for when the descriptor is readable. 0, or a negative errno of a callback. */
int sampler_read_events(struct sampler *sampler, const struct sampler_callbacks *callbacks);

/*
 * Reads what the counts maps have counted, and the events, which come to the callbacks before the counts; empties a map
 * that is more than half full. 0, -ENOMEM, or a negative errno of the kernel or a callback.
 */
int sampler_read_counts(struct sampler *sampler, const struct sampler_callbacks *callbacks);

/* The next sampler_read_counts() empties its map, however full: each stack comes again with its next sample. */
void sampler_turn(struct sampler *sampler);

/* The kernel's own account, summed over CPUs. 0 or a negative errno. */
int sampler_ticks(struct sampler *sampler, struct tick_counters *ret_ticks);

/**
 * sampler_lost() - samples lost by cgroup
 * @ids, @counts: [capacity]; filled with at most that many; CGROUP_KERNEL_THREADS among them
 * Returns how many.
 */
size_t sampler_lost(struct sampler *sampler, uint64_t *ids, uint64_t *counts, size_t capacity);

/*
 * Another ring buffer to be read with the events; @take is called for each piece in it, and must not read events; see
 * event_rings_read(). Its errors end the reading. Returns 0 or a negative errno.
 */
int sampler_add_ring(struct sampler *sampler, int map_fd, event_taker take, void *data);

/* What was loaded, for those that read the other programs' maps. */
struct stoker_bpf *sampler_skeleton(struct sampler *sampler);
enum copy_choice sampler_copies(const struct sampler *sampler);
const struct wait_settings *sampler_wait_settings(const struct sampler *sampler);

/* CPU time that the sampling program took so far, and in how many runs, where the kernel's BPF statistics are on; else 0. */
uint64_t sampler_run_ns(struct sampler *sampler, uint64_t *ret_runs);

/* Kernel memory of all maps, in bytes, as the kernel reports it in fdinfo. */
uint64_t sampler_map_bytes(struct sampler *sampler);

#endif
