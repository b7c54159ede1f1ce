/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording: what happened, on disk.
 *
 * A recording is a header and a row of chunks, each compressed and checksummed on its own (docs/recording-format.md).
 * Chunks hold rows of the tables below. A row is known by its number: the first container row of a file is container
 * 0, and so on; rows refer to rows that came before them. Strings are numbered the same way, 0 is "". All names are
 * inside: a reader needs neither root nor the machine that recorded.
 *
 * Everything that a container chose (names, paths, comms, function names) stands here as it came: raw bytes without
 * NUL. Whoever prints it makes it safe (text_printable(), the folded rules, JSON escapes).
 */
#ifndef STOKER_RECORDING_H
#define STOKER_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/recording/recording_series.h"
#include "profiler/recording/recording_waits.h"
#include "symbolizer/base/string_table.h"

#define RECORDING_MAGIC "STOKER\r\n" /* the first 8 bytes of a file */
#define RECORDING_MAGIC_BYTES 8
#define RECORDING_VERSION 1

/* Whose a cgroup is. Values are on disk: append only. */
enum container_kind {
	CONTAINER_UNKNOWN = 0,	 /* the cgroup was never found: its samples are printed as unknown */
	CONTAINER_CONTAINER = 1, /* a container, whatever runs it */
	CONTAINER_HOST_UNIT = 2, /* a systemd unit or session of the host */
	CONTAINER_HOST = 3,	 /* a host process in no unit (root cgroup, or a plain directory) */
	CONTAINER_KERNEL = 4,	 /* kernel threads and interrupts without a process */
	CONTAINER_OVERHEAD = 5,	 /* conmon, shims, monitors: the runtime's own cost for a container */
};

struct recording_container {
	uint64_t cgroup_id;  /* inode of the cgroup's directory, with the hierarchy in its top byte (bpf/shared.h) */
	uint8_t kind;	     /* enum container_kind */
	string_id name;	     /* as people know it: never empty, "host" and "kernel" included */
	string_id id;	     /* the runtime's id, full length; 0 where there is none */
	string_id runtime;   /* "docker", "containerd", "runc" …; 0 where unknown */
	string_id image;     /* 0 where unknown */
	string_id pod;	     /* Kubernetes pod name, else pod uid; 0 where there is none */
	string_id namespace; /* Kubernetes or containerd namespace; 0 where there is none */
	string_id cgroup;    /* path of the cgroup below its hierarchy, "/" first */
};

struct recording_process {
	uint32_t tgid;		  /* in the host's pid namespace */
	uint32_t ns_tgid;	  /* innermost pid namespace; 0 where unknown */
	uint64_t pid_namespace;	  /* inode number; 0 where unknown */
	uint64_t start_ns;	  /* boot-time clock */
	uint32_t exec_generation; /* task->self_exec_id */
	string_id comm;		  /* of the main thread when first seen */
	string_id exe;		  /* path as the process sees it; 0 where unknown */
};

struct recording_thread {
	uint32_t process; /* row */
	uint32_t tid;	  /* in the host's pid namespace */
	string_id comm;	  /* a thread that renames itself is a new row */
};

/* What a frame is. Values are on disk: append only. */
enum frame_kind {
	FRAME_USER = 0,
	FRAME_KERNEL = 1,
	FRAME_JIT = 2,
	FRAME_INLINED = 3,   /* inlined into the frame below it (towards the root) */
	FRAME_DELIMITER = 4, /* a label or a divider, not code: container, process, "--" */
	FRAME_PYTHON = 5,    /* a function that CPython interprets */
	FRAME_KINDS,
};

struct recording_frame {
	uint8_t kind;	  /* enum frame_kind */
	bool named;	  /* false: name is a reason in brackets, "[stripped libfoo.so+0x1234]" */
	string_id name;	  /* never empty */
	string_id module; /* base name of the mapped file, "vmlinux", a module's name; 0 where there is none */
	string_id file;	  /* path of the source file; 0 where not asked for (--lines) or not known */
	uint32_t line;	  /* in @file; 0 where not known */
};

/* One step of a stack: a stack is the number of its leaf's row, and the way up to RECORDING_STACK_ROOT. */
struct recording_stack {
	uint32_t parent; /* row, or RECORDING_STACK_ROOT */
	uint32_t frame;	 /* row */
};
#define RECORDING_STACK_ROOT UINT32_MAX

/* How a user stack ended. Values are on disk: append only. */
enum stack_end {
	STACK_NO_USER = 0,   /* no user part asked for or none there (kernel thread) */
	STACK_COMPLETE = 1,  /* the walk reached the thread's first frame */
	STACK_ASSUMED = 2,   /* the walk ended without a fault, but not at a known first frame */
	STACK_TRUNCATED = 3, /* a read fault or the depth limit */
	/* As STACK_COMPLETE, but a step was taken by frame pointer through code that may keep none. */
	STACK_GUESSED = 4,
	/* As STACK_TRUNCATED, and why. */
	STACK_CUT_DEPTH = 5,	  /* more frames than a sample holds */
	STACK_CUT_UNREADABLE = 6, /* stack memory that could not be read */
	STACK_CUT_NO_TABLE = 7,	  /* code whose unwind table was not loaded yet */
	STACK_CUT_LOST = 8,	  /* at what cannot be a frame */
	STACK_CUT_RULE = 9,	  /* at a rule that tables do not hold */
	STACK_COPIED = 10,	  /* as STACK_COMPLETE, walked after the fact in a copy of the stack */
	STACK_CUT_UNCOPIED = 11,  /* at its leaf: a copy was to be made, and was not */
	STACK_ENDS,
};

static inline bool stack_end_is_complete(uint8_t end)
{
	return end == STACK_COMPLETE || end == STACK_GUESSED || end == STACK_COPIED;
}

static inline bool stack_end_is_truncated(uint8_t end)
{
	return end == STACK_TRUNCATED || (end >= STACK_CUT_DEPTH && end < STACK_ENDS && end != STACK_COPIED);
}

/* What is counted. Values are on disk: append only. */
enum sample_kind {
	SAMPLE_ONCPU = 0,
};

struct recording_sample {
	uint8_t kind;	    /* enum sample_kind */
	uint8_t stack_end;  /* enum stack_end */
	uint32_t container; /* row */
	uint32_t thread;    /* row */
	uint32_t stack;	    /* row, or RECORDING_STACK_ROOT for an empty stack */
	uint64_t time_ns;   /* start of the drain that counted it, from the start of the recording */
	uint64_t count;
};

/*
 * Where every sample went: taken = kept + filtered + the lost_*, exactly; for the whole recording and (kept and what
 * follows) for each container. A later row for the same container replaces the earlier one.
 */
struct recording_accounting {
	uint32_t container;	 /* row, or RECORDING_TOTAL */
	uint64_t idle;		 /* timer ticks that found an idle CPU: not samples. Only in the total. */
	uint64_t taken;		 /* timer ticks that found a task. By container: kept + lost. */
	uint64_t kept;		 /* in the samples */
	uint64_t filtered;	 /* not of a wanted process or container; only in the total */
	uint64_t lost_ring;	 /* ring buffer full: the reader was too slow */
	uint64_t lost_read;	 /* counted by the kernel, but not stored (out of memory in the recorder) */
	uint64_t user_samples;	 /* kept samples with a user stack */
	uint64_t user_complete;	 /* … that reached the first frame */
	uint64_t user_assumed;	 /* … that ended without a fault elsewhere */
	uint64_t user_truncated; /* … cut by a fault or by the depth limit */
	uint64_t user_frames;	 /* user frames in kept samples, by count */
	uint64_t user_named;	 /* … with a function's name */
	uint64_t kernel_frames;
	uint64_t kernel_named;
	/* Not on disk: counted from the samples. */
	uint64_t user_ends[STACK_ENDS]; /* kept samples by enum stack_end */
	uint64_t python_samples;	/* kept samples with a Python frame, or with the reason why there is none */
	uint64_t python_whole;		/* … of which all Python frames are there and named */
};
#define RECORDING_TOTAL UINT32_MAX

/* Facts about the recording: key and value strings, e.g. "host.name", "kernel.release", "event.name", "event.hz". */
struct recording_fact {
	string_id key;
	string_id value;
};

/* All rows of a recording, or those of a part of one. */
struct recording_tables {
	struct string_table strings;
	ARRAY(struct recording_fact) facts;
	ARRAY(struct recording_container) containers;
	ARRAY(struct recording_process) processes;
	ARRAY(struct recording_thread) threads;
	ARRAY(struct recording_frame) frames;
	ARRAY(struct recording_stack) stacks;
	ARRAY(struct recording_sample) samples;
	ARRAY(struct recording_accounting) accounting; /* in the order written: the last row of a container counts */
	ARRAY(struct recording_call) calls;
	ARRAY(struct recording_bucket) buckets;
	ARRAY(struct recording_wait) waits;
	struct recording_waits_sums waits_left_out; /* read: of those that are not among the rows */
	ARRAY(struct recording_times) times;
	ARRAY(struct recording_queue) queues;
	ARRAY(struct recording_lock) locks;
	ARRAY(struct recording_hold) holds;
	ARRAY(struct recording_sample_call) sample_calls;
	size_t calls_told; /* read: of so many samples, from the first one on, all rows of sample_calls are there */
	ARRAY(struct recording_series) series;
};

/*
 * What is read of a recording beside facts, containers, frames, stacks, samples and accounts, for lists of bits. Buckets come
 * with what they are of, and threads with the rows that refer to them.
 */
enum recording_wants {
	RECORDING_THREADS = 1, /* and processes; without them samples are of no thread */
	RECORDING_SAMPLE_CALLS =
		2, /* and each sample as it was written; without them, those of one place are one row */
	RECORDING_CALLS = 4,
	RECORDING_WAITS = 8,
	RECORDING_TIMES = 16, /* and queues */
	RECORDING_LOCKS = 32, /* and holds */
	RECORDING_SERIES = 64,
	RECORDING_ALL = 127,
};

/* Returns 0 or -ENOMEM. */
int recording_tables_init(struct recording_tables *tables);
void recording_tables_deinit(struct recording_tables *tables);

#endif
