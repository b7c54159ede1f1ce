/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * wait_stacks: stacks of who blocks, who wakes and who waits for a lock, each sent to user space once.
 *
 * What stays in the kernel is the 128-bit key of a stack. User space empties the set of known keys when it is half full:
 * then stacks come again.
 */
#ifndef STOKER_WAIT_STACKS_BPF_H
#define STOKER_WAIT_STACKS_BPF_H

#include "bpf/stack_hash.bpf.h"
#include "bpf/task_times.bpf.h"
#include "bpf/unwind.bpf.h"

#define KNOWN_STACKS_MAX 32768

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 21);
} wait_events __weak SEC(".maps");

u64 waits_woken_for __weak = 0; /* see wakeup_flag() */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KNOWN_STACKS_MAX);
	__type(key, struct count_key);
	__type(value, u8);
} known_stacks __weak SEC(".maps");

/* The scheduler's programs, with interrupts off, may come upon those for locks: each has its own. */
enum scratch {
	SCRATCH_SCHED = 0,
	SCRATCH_LOCKS = 1,
	SCRATCH_ENDING = 2, /* the iterator over all tasks: both may come upon it */
	SCRATCHES,
	SCRATCH_OTHERS, /* not one: of another task than the current one, without a user stack */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, u32);
	__type(value, struct stack_event);
} wait_scratch __weak SEC(".maps");

/* Which of walks and python_walks is a program's own: the sampling interrupt, which has the first, may come upon it. */
static __always_inline u32 walk_level(u32 scratch)
{
	return scratch ? 2 : 1;
}

__weak __noinline int send_wait_functions(u32 scratch)
{
	struct stack_event *event = bpf_map_lookup_elem(&wait_scratch, &scratch);

	if (event)
		send_python_functions(walk_level(scratch), event);
	return 0;
}

/* A global function, as its loop is worth following once only. */
__weak __noinline int hash_wait_stack(u32 scratch, u64 task_start_ns)
{
	struct stack_event *event = bpf_map_lookup_elem(&wait_scratch, &scratch);

	if (event)
		hash_sample(event, task_start_ns);
	return 0;
}

/* What gets lost has no key any more. */
static __always_inline void send_wait_stack(struct task_struct *task, struct stack_event *event, u32 scratch)
{
	u64 process = (u64)event->tgid << 32 | event->exec_generation, *image, flag, bytes;
	struct wait_losses *losses;
	bool new_process;
	u32 zero = 0;
	u8 yes = 1;

	if (bpf_map_lookup_elem(&known_stacks, &event->key))
		return;
	event->address_space = address_space(task);
	read_process(task, event);
	/* Whose mappings have not been read, and which may end soon. */
	image = bpf_map_lookup_elem(&seen_processes, &process);
	new_process = !(event->flags & STACK_KERNEL_THREAD) &&
		      (!image || *image != process_image(event->process_start_ns, event->address_space));
	if (scratch != SCRATCH_OTHERS && event->python_count)
		send_wait_functions(scratch);
	flag = wakeup_flag(&wait_events, &waits_woken_for, new_process);
	/* Bounded where it is used: else the verifier (6.1) has lost the bound by then. */
	bytes = __builtin_offsetof(struct stack_event, frames) + stack_event_frames(event) * sizeof(u64);
	barrier_var(bytes);
	if (bytes <= sizeof(*event) && !bpf_ringbuf_output(&wait_events, event, bytes, flag)) {
		bpf_map_update_elem(&known_stacks, &event->key, &yes, BPF_ANY);
		return;
	}
	event->key = (struct count_key){};
	losses = bpf_map_lookup_elem(&wait_losses, &zero);
	if (losses)
		losses->stacks++;
}

static __always_inline void describe_task(struct task_struct *task, struct stack_event *event)
{
	event->type = EVENT_WAIT_STACK;
	event->set = 0;
	event->cgroup_id = cgroup_id_of(task);
	event->tgid = LOAD(task, tgid);
	event->tid = LOAD(task, pid);
	event->exec_generation = LOAD(task, self_exec_id);
	event->flags = LOAD(task, flags) & PF_KTHREAD ? STACK_KERNEL_THREAD : 0;
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	event->kernel_count = 0;
	event->user_count = 0;
	event->python_count = 0;
	event->python_end = PYTHON_END_NONE;
	event->call = 0;
}

static __always_inline u32 frames_of(long bytes)
{
	return bytes > 0 ? (u32)bytes / sizeof(u64) & STACK_FRAMES_MAX : 0;
}

/*
 * As capture_user_stack(), on a walk of our own, as the sampling interrupt may come upon it; into wait_scratch, behind the
 * kernel's frames. A global function, which the verifier follows once and not for each place that calls it.
 */
__weak __noinline int take_user_stack(u32 scratch)
{
	struct user_registers registers;
	struct stack_event *event;
	u32 count = 0, kernel_count;
	u16 flags = 0;

	event = bpf_map_lookup_elem(&wait_scratch, &scratch);
	if (!event || !read_user_registers(&registers))
		return 0;
	kernel_count = event->kernel_count & STACK_FRAMES_MAX;
	if (walk_by_tables)
		count = walk_user_stack(walk_level(scratch), &registers, event->tgid, &event->frames[kernel_count],
					&flags);
	if (!count) {
		flags = walk_by_tables ? STACK_UNMAPPED : 0;
		count = follow_frame_pointers(&registers, &event->frames[kernel_count]);
	}
	event->flags |= flags;
	*(volatile u8 *)&event->user_count = count & STACK_FRAMES_MAX;
	return 0;
}

/* The Python frames behind it. */
__weak __noinline int take_python_stack(u32 scratch)
{
	struct stack_event *event = bpf_map_lookup_elem(&wait_scratch, &scratch);
	u32 first;

	if (!event || !event->user_count)
		return 0;
	first = (event->kernel_count & STACK_FRAMES_MAX) + (event->user_count & STACK_FRAMES_MAX);
	capture_python_stack(walk_level(scratch), event, first);
	return 0;
}

/* The current task's stacks, kernel and user, and its identity, into wait_scratch and to user space. */
static __noinline int take_own_stack(void *ctx, struct stack_event *event, u32 scratch)
{
	struct task_struct *task = current_task();
	u32 kernel_count = 0;

	if (!event)
		return 0;
	describe_task(task, event);
	if (want_kernel_stacks)
		kernel_count = frames_of(bpf_get_stack(ctx, event->frames, STACK_FRAMES_MAX * sizeof(u64), 0));
	event->kernel_count = kernel_count;
	if (want_user_stacks && !(event->flags & STACK_KERNEL_THREAD)) {
		if (may_read_user) {
			take_user_stack(scratch);
			if (walk_by_tables)
				take_python_stack(scratch);
		} else
			event->user_count = ask_kernel_for_user_stack(ctx, &event->frames[kernel_count]);
	}
	hash_wait_stack(scratch, LOAD(task, start_boottime));
	send_wait_stack(task, event, scratch);
	return 0;
}

/*
 * A task that is off its CPU: the kernel's part alone, without the scheduler's and the locks' own functions. With
 * @of_process one stack stands for all of its threads.
 */
static __noinline int take_others_stack(struct task_struct *task, struct stack_event *event, u32 scratch,
					bool of_process)
{
	struct task_struct *leader = task->group_leader;

	if (!event)
		return 0;
	describe_task(task, event);
	if (of_process)
		event->tid = event->tgid;
	if (want_kernel_stacks)
		event->kernel_count =
			frames_of(bpf_get_task_stack(task, event->frames, STACK_FRAMES_MAX * sizeof(u64), 0));
	hash_wait_stack(scratch, of_process ? leader->start_boottime : task->start_boottime);
	send_wait_stack(task, event, SCRATCH_OTHERS);
	return 0;
}

#endif
