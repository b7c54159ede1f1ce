/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_setup: from what the user asked for to a sampler that is ready, with its filters in the kernel.
 */
#ifndef STOKER_RECORD_SETUP_H
#define STOKER_RECORD_SETUP_H

#include "profiler/collect/recorder.h"
#include "profiler/commands/options.h"
#include "symbolizer/silent_devices.h"

/* How user stacks are walked. */
enum unwind_choice {
	UNWIND_AUTO, /* tables where the kernel allows it, and copies for what they cannot do */
	UNWIND_TABLES,
	UNWIND_FRAME_POINTERS,
	UNWIND_COPY,
	UNWIND_COMPARE, /* tables, and each sample as a copy too */
};

struct record_settings {
	uint64_t hz;
	uint64_t seconds; /* 0: until a signal or the command's end */
	char **command;	  /* NULL-terminated; NULL: none */
	struct option_list pids, containers;
	const char *output;
	int unwind;		/* enum unwind_choice */
	uint64_t unwind_memory; /* MiB, for tables */
	bool all, kernel_only, user_only, progress;
	bool picture; /* draw one, too: `stoker SECONDS`, which has no options */
	bool lines, inlines;
	bool java_maps;
	bool wait;	     /* for containers that nobody has started yet */
	bool everything;     /* all of @waits */
	double min_block_ms; /* becomes waits.min_block_ns; less than 0: not given */
	struct wait_settings waits;
};

/* Everything that a running recording holds; all-zero is empty. */
struct record_session {
	struct cgroup_tree *tree;
	struct container_resolver *resolver;
	struct container_filter *filter; /* NULL without -C */
	struct silent_devices silent;	 /* found by the next two */
	struct symbolizer *symbolizer;
	struct unwind_parser *unwind_parser; /* NULL where stacks are walked by frame pointers alone */
	struct java_attach *java;	     /* NULL without --java-maps */
	struct sampler *sampler;
	bool may_read_user;	   /* BPF programs may: profiler/collect/user_reads.h */
	struct unwinder *unwinder; /* NULL: frame pointers alone */
	struct recording_writer *writer;
	struct recorder *recorder;
	uint64_t start_ns; /* monotonic */
};

/**
 * record_setup() - everything but ticking
 * Logs one line on failure. Returns enum exit_status.
 */
int record_setup(const struct record_settings *settings, struct record_session *session);
void record_session_deinit(struct record_session *session);

/**
 * record_catch_up() - once the sampler runs: what began between the first look and its start
 * Cgroups made meanwhile, wanted containers among them, and the children that wanted processes have. 0 or -ENOMEM.
 */
int record_catch_up(const struct record_settings *settings, struct record_session *session);

#endif
