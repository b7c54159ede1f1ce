/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * shared: the one header that the BPF programs and user space both see.
 *
 * A sample is aggregated in the kernel. Its key is a 128-bit hash over who ran (task, exec generation, cgroup, comm)
 * and both stacks, seeded anew for each recording. The first sample of a key travels through the ring buffer as a
 * struct stack_event with everything that the hash stands for, and counts as one; every further one is an increment
 * of the key's value in the counts map. So nothing is lost when the counts map is full (samples then travel one by
 * one), and kernel memory holds no stacks.
 */
#ifndef STOKER_SHARED_H
#define STOKER_SHARED_H

#ifndef __VMLINUX_H__
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif

/* Frames of one kind in one sample; the kernel's own limit (kernel.perf_event_max_stack) is 127. */
#define STACK_FRAMES_MAX 127

#define COMM_BYTES 16 /* TASK_COMM_LEN */

/*
 * A cgroup's id: the inode number of its directory, and in the top byte the hierarchy that the number belongs to, as
 * each hierarchy counts for itself.
 */
enum cgroup_hierarchy {
	CGROUP_V2 = 0,
	CGROUP_V1_CPU = 1,
	CGROUP_V1_MEMORY = 2,
	CGROUP_V1_PIDS = 3,
	CGROUP_HIERARCHIES,
};
#define CGROUP_HIERARCHY_SHIFT 56

#define CGROUP_PATH_MAX 512 /* bytes with the NUL; a longer path arrives cut */

enum event_type {
	EVENT_STACK = 1,
	EVENT_CGROUP_MADE = 2,
	EVENT_CGROUP_REMOVED = 3,
	EVENT_CGROUP_RENAMED = 4,
};

struct count_key {
	u64 hash[2];
};

/* Bits of stack_event.flags. */
#define STACK_KERNEL_THREAD 1u

/*
 * The first sample of a key. Identity of a process: tgid, start and exec generation together; address_space tells
 * whether what /proc shows is still the image that was sampled.
 */
struct stack_event {
	u32 type; /* EVENT_STACK; first in every event */
	u32 set;  /* which of the two counts maps the key lives in */
	struct count_key key;
	u64 cgroup_id;	      /* with its hierarchy in the top byte */
	u64 process_start_ns; /* group leader's start_boottime */
	u64 address_space;    /* mm->start_stack, random for each exec; 0 for kernel threads */
	u32 tgid;	      /* initial pid namespace */
	u32 tid;
	u32 ns_tgid; /* innermost pid namespace */
	u32 pid_namespace;
	u32 exec_generation; /* task->self_exec_id */
	u16 flags;
	u8 kernel_count;
	u8 user_count;
	char comm[COMM_BYTES];		  /* the thread's */
	u64 frames[2 * STACK_FRAMES_MAX]; /* kernel leaf first, then user leaf first; sent up to the last one used */
};

struct cgroup_event {
	u32 type;
	u32 path_bytes; /* with the NUL */
	u64 cgroup_id;
	u64 parent_id;
	char path[CGROUP_PATH_MAX]; /* below its hierarchy's root */
};

/* Every timer tick ends in one of these. taken = hits + sent + filtered + lost_ring, exactly. */
struct tick_counters {
	u64 idle;      /* no task on the CPU */
	u64 taken;     /* a task was there */
	u64 filtered;  /* not a wanted process or container */
	u64 hits;      /* key known: counted in the kernel */
	u64 sent;      /* key new, or counts map full: travelled whole */
	u64 lost_ring; /* ring buffer full */
	u64 unstored;  /* of sent: the counts map took no new key */
};

#endif
