/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * task_times: what is remembered of each task between two events.
 *
 * The memory is the task's own storage where the kernel makes it without its general allocator: the scheduler's
 * tracepoints hold a run-queue lock, which that allocator may want. Elsewhere it is a preallocated hash by where the task lies, as a
 * thread that execs takes its leader's id and start. A task leaves it as the kernel frees it.
 */
#ifndef STOKER_TASK_TIMES_BPF_H
#define STOKER_TASK_TIMES_BPF_H

#include "bpf/slots.bpf.h"

/* What is rare is placed away from what each switch runs through: that much code is in no fast cache by then. */
#define RARELY(condition) __builtin_expect(!!(condition), 0)

/* Set by user space. */
const volatile bool times_in_storage __weak = false;
const volatile bool split_calls __weak = false;

/* How it left its CPU. */
enum task_state {
	TASK_UNSEEN = 0,
	TASK_READY,   /* ready to run */
	TASK_ENDED,   /* for ever, or all of its time is told */
	TASK_BLOCKED, /* and from here on: less this, an enum off_state */
};

enum woken {
	WOKEN_NOT = 0,
	WOKEN,
	WOKEN_LEAVING, /* while it was on its way out */
};

/* A place in user code from which the task blocks, as far as its registers tell without a walk of the stack. */
struct block_site {
	u64 registers;		/* a mix of them; 0: none yet */
	struct count_key stack; /* the last one taken here */
	u32 shorts;		/* blocks in a row that were too short to be recorded */
	u32 pad;
};
#define BLOCK_SITES 4

enum stack_taken {
	STACK_NONE = 0,
	STACK_TAKEN,
	STACK_OF_SITE, /* the last one that was taken at its site */
};

/* What a system call was doing, as far as it was not on a CPU; and its waits for locks, of all of it. */
struct call_parts {
	u64 blocked_ns;
	u64 uninterruptible_ns;
	u64 queued_ns;
	u64 lock_ns;
};

/* First what each switch wants, in as few cache lines as there can be. */
struct task_times {
	u64 left_ns; /* when it left its CPU, by the run queue's clock; see task_cycle.bpf.h, also for the next three */
	u64 woken_ns;	  /* likewise: the first waking since, as far as somebody asks; 0: none */
	u64 run_delay_ns; /* until then, all that it ever waited for a CPU, */
	u64 ran_ns;	  /* … and all that it ever ran */
	u64 arrivals;	  /* … and how often it came to a CPU */
	u64 cgroups;	  /* task->cgroups when the slot was looked up */
	u32 slot;
	u32 cpu;	/* that it left */
	u8 state;	/* enum task_state, and beyond */
	u8 woken;	/* enum woken: since it left */
	u8 stack_taken; /* enum stack_taken: with which it blocked */
	u8 waker_taken; /* who woke it is known */
	u8 site;	/* of sites, plus 1; 0: none */
	u8 throttled;	/* of a ready one: its cgroup has a quota; where the kernel does not count it, had used it up */
	u16 call;
	u64 call_ns; /* begin of the system call with which it left, not yet looked at since; 0: none */
	u64 cfs_rq;  /* of a ready one: its cgroup's queue as it left or was woken, or CFS_RQ_DONE; 0: none; and … */
	u64 throttled_ns; /* … how long that one had been throttled until then; once it has come: it, meanwhile */
	struct call_parts parts;
	u64 group_throttled_ns; /* of a ready one: its cgroup on all CPUs together */
	struct count_key stack;
	struct count_key waker;
	u32 waker_slot;
	/* The wait for a sleeping lock that it is in; lock 0: none. */
	u32 lock_flags;
	u64 lock;
	u64 lock_ns;
	u64 lock_woken_ns;
	u64 lock_waker_ns; /* of the wait: what the last waker held it for; 0: not known */
	u64 lock_got;	   /* the last one that it waited for and got, and when */
	u64 lock_got_ns;
	u64 lock_switches; /* task->nvcsw as it began: has it slept since? */
	struct count_key lock_waker;
	struct count_key lock_owner;
	u32 lock_owner_slot;
	u16 lock_owner_state; /* enum lock_owner_state */
	u8 lock_owner_slept;  /* it was looked at as the wait went to sleep */
	u8 lock_listed;	      /* the wait counts in hot_locks */
	u32 lock_waker_slot;
	struct block_site sites[BLOCK_SITES];
};

/*
 * The call that a CPU's current task is in: its begin and end touch nothing else, unless the task was off its CPU or waited
 * for a lock meanwhile. As the task leaves its CPU this goes to its memory, from where its next begin or end fetches it.
 */
struct cpu_call {
	u64 task;	/* whose; 0: not known */
	u64 cgroups;	/* as task_times.cgroups */
	u64 call_ns;	/* begin; 0: in none */
	u64 registers;	/* where the task's lie, by which it is known; 0: it has to be asked for */
	u64 tasks_made; /* as calls are counted alone, as many as there were then */
	u32 slot;
	u16 call;
	u8 parted; /* there are parts of it; else all of it was on this CPU */
	u8 pad;
	struct call_parts parts;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_call);
} cpu_calls __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_times);
} task_storage __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768); /* set by user space */
	__type(key, u64);
	__type(value, struct task_times);
} task_hash __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct wait_losses);
} wait_losses __weak SEC(".maps");

static __always_inline void begin_parts(struct cpu_call *current)
{
	if (current->parted)
		return;
	current->parts = (struct call_parts){};
	current->parted = 1;
}

/*
 * A task that was moved into another cgroup has another set of them, which may lie where that of one lay that is gone. Who
 * found no free slot asks again where there may be one.
 */
static __always_inline u32 slot_of(struct task_struct *task, struct task_times *times)
{
	u64 cgroups = (u64)LOAD(task, cgroups);

	if (RARELY(times->cgroups != cgroups || !slot_is_valid(times->slot))) {
		times->slot = find_slot(task);
		times->cgroups = cgroups;
	}
	return times->slot;
}

/* Too large for a program's stack. */
u64 no_times[sizeof(struct task_times) / sizeof(u64)] __weak = {};

static __noinline struct task_times *times_in_hash(u64 task)
{
	struct task_times *times = bpf_map_lookup_elem(&task_hash, &task);

	if (times)
		return times;
	bpf_map_update_elem(&task_hash, &task, &no_times, BPF_NOEXIST);
	return bpf_map_lookup_elem(&task_hash, &task);
}

/* What there is already: takes no memory. */
static __always_inline struct task_times *known_times_of(struct task_struct *task)
{
	u64 address = (u64)task;

	if (times_in_storage)
		return bpf_task_storage_get(&task_storage, task, NULL, 0);
	return bpf_map_lookup_elem(&task_hash, &address);
}

/* NULL where there is no memory. */
static __always_inline struct task_times *times_of(struct task_struct *task)
{
	if (times_in_storage)
		return bpf_task_storage_get(&task_storage, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return times_in_hash((u64)task);
}

static __always_inline void forget_times(struct task_struct *task)
{
	u64 address = (u64)task;

	if (!times_in_storage)
		bpf_map_delete_elem(&task_hash, &address);
}

/* The bucket of a histogram; see HISTOGRAM_BUCKETS. */
static __always_inline u32 bucket_of(u64 ns)
{
	u64 value = ns >> HISTOGRAM_UNIT_BITS, rest = value;
	u32 octave = 0, bucket;

	if (value < 4)
		return value;
	if (rest >> 32) {
		rest >>= 32;
		octave += 32;
	}
	if (rest >> 16) {
		rest >>= 16;
		octave += 16;
	}
	if (rest >> 8) {
		rest >>= 8;
		octave += 8;
	}
	if (rest >> 4) {
		rest >>= 4;
		octave += 4;
	}
	if (rest >> 2) {
		rest >>= 2;
		octave += 2;
	}
	octave += rest >> 1;
	bucket = octave * 4 + (value >> (octave - 2) & 3) - 4;
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static __always_inline void count_in(u32 *histogram, u64 ns)
{
	u32 bucket = bucket_of(ns);

	/* For the verifier, which does not see it through what the compiler makes of the line above. */
	barrier_var(bucket);
	if (bucket < HISTOGRAM_BUCKETS)
		histogram[bucket]++;
}

#endif
