/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile: a recording in memory, and the questions that commands ask of it.
 *
 * Rows are those of recording.h, numbers and all. The model is read-only once loaded; filters and groupings make
 * call trees from it and leave it as it was.
 */
#ifndef STOKER_PROFILE_H
#define STOKER_PROFILE_H

#include <regex.h>
#include <stdbool.h>
#include <stdio.h>

#include "profiler/profile/call_tree.h"
#include "profiler/recording/recording.h"

/* From a leaf towards the root, so far; no walk is as deep, but a file can say that it was. */
#define PROFILE_STEPS_MAX 4096

struct profile {
	struct recording_tables rows; /* each fact once; accounting as profile_account() orders it */
	ARRAY(string_id) labels;      /* of the containers */
	ARRAY(size_t) id_lengths;     /* of the containers: how many bytes of the id to show (short_ids.h) */
	ARRAY(string_id) calls; /* of the samples: the system call that each was taken in; 0: none, or not known */
	bool others;		/* it has calls, waits or locks that were not asked for */
	bool whole;		/* false: the recording was cut; this is what came before */
	bool beyond_memory;	/* not whole, as there is more of it than is read at once */
	uint64_t bytes_ignored; /* after the last whole chunk */
};

/**
 * profile_load() - read a recording
 * @path: a file, or "-" for standard input
 * @wants: enum recording_wants: what is not asked for is not there, and takes no memory
 * @ret_profile: to be given to profile_free(); untouched on failure
 * @error: [error_size] one line for people on failure: what is wrong with which file, and what to do
 * Returns 0 (also for a cut recording: see profile.whole), -ENOENT and the like from open(), -EISDIR, -ENODATA (empty),
 * -EBADMSG (not a recording, or garbage from the start), -EPROTO (made by a newer stoker), -ENOMEM.
 */
int profile_load(const char *path, unsigned int wants, struct profile **ret_profile, char *error, size_t error_size);
void profile_free(struct profile *profile);

/*
 * The same from a file that is open at its start, and stays the caller's; @path is what the line on failure calls it.
 * @memory_bytes_max: RECORDING_MEMORY_BYTES_MAX, but for tests
 */
int profile_load_file(FILE *file, const char *path, unsigned int wants, uint64_t memory_bytes_max,
		      struct profile **ret_profile, char *error, size_t error_size);

/* What lines for people call a path that was given: itself, made printable, or "standard input" for "-". Returns @out. */
char *profile_input_name(const char *path, char *out, size_t size);

/* The value of a fact ("kernel.release"), or NULL. */
const char *profile_fact(const struct profile *profile, const char *key);

/* The same as a number; 0 where there is none. */
uint64_t profile_fact_number(const struct profile *profile, const char *key);

/* When the last sample was taken, from the start of the recording; 0 where there is none. */
uint64_t profile_last_sample_ns(const struct profile *profile);

/* One sample is so much CPU time; 0 where unknown. */
uint64_t profile_period_ns(const struct profile *profile);

/* A container's account, or the whole one's (RECORDING_TOTAL); NULL where the recording has no such container. */
const struct recording_accounting *profile_accounting(const struct profile *profile, uint32_t container);

/* Whether it says what became of all samples; a recording that was cut early does not, and its accounts are zeros. */
bool profile_is_accounted(const struct profile *profile);

/* Whether it says of this sample (row) if it was taken in a system call: not in older recordings, nor behind a cut. */
bool profile_call_is_told(const struct profile *profile, size_t sample);

/* Whether there is nothing to report: no sample, and no wait or call either where those were recorded. */
bool profile_is_empty(const struct profile *profile);

/* What people call a container: its name, made unique with a short id where two share one. Shared by every report. */
const char *profile_container_label(const struct profile *profile, uint32_t container);

enum profile_grouping {
	PROFILE_BY_CONTAINER, /* container;process;frames */
	PROFILE_BY_POD,	      /* pod;container;process;frames; what is in no pod: container first. A name of
				  several pods has its namespace before it: "prod/db-0" */
	PROFILE_BY_PROCESS,   /* container;process-pid;frames */
	PROFILE_BY_THREAD,    /* container;process-pid;thread-tid;frames */
	PROFILE_BY_NONE,      /* frames alone */
	PROFILE_BY_CALL,      /* container;process;system call;frames: of samples on a CPU */
};

/* Which of a recording's stacks, and what they count. */
enum profile_kind {
	PROFILE_ONCPU,	/* samples on a CPU */
	PROFILE_OFFCPU, /* microseconds blocked, under the stack that blocked */
	PROFILE_WAKERS, /* likewise, and upon a "--" the stack that woke it, upside down, with its process and container */
	PROFILE_LOCKS, /* microseconds waited for kernel locks, under the stack that waited */
};

struct profile_query {
	enum profile_kind kind;
	uint32_t states; /* of blocked time: bit per enum wait_state; 0: all */
	enum profile_grouping by;
	const char *const *containers; /* [container_count] names or unique id prefixes; NULL: all */
	size_t container_count;
	const regex_t *comm; /* thread's comm must match; NULL: any */
	bool kernel_only;    /* drop user frames, and samples without kernel frames */
	bool user_only;	     /* drop kernel frames */
	bool reverse;	     /* leaf first (the labels stay in front) */
};

/**
 * profile_call_tree() - the samples that match, merged
 * @tree: initialised by the caller; finished here
 * @error: [error_size] one line on failure (unknown container: near names are offered)
 * Returns 0, -ENOENT (no such container), -EEXIST (prefix fits several), -ENOMEM.
 */
int profile_call_tree(const struct profile *profile, const struct profile_query *query, struct call_tree *tree,
		      char *error, size_t error_size);

#endif
