/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * syscalls: system calls by container: how many, how many failed, how long they took.
 *
 * Two ways: call_tallied alone counts at the return; call_entered and call_returned time them too, and the scheduler's
 * programs (sched.bpf.c) split that time while they run.
 *
 * Those programs and these are one object: libbpf's linker takes no function of the kernel's that two objects name (before
 * 1.5), and both cast.
 */
#ifndef STOKER_SYSCALLS_BPF_H
#define STOKER_SYSCALLS_BPF_H

#include "bpf/call_number.bpf.h"
#include "bpf/task_cycle.bpf.h"

#define CALL_RT_SIGRETURN 15
#define CALL_CLONE 56
#define CALL_FORK 57
#define CALL_VFORK 58
#define CALL_EXIT 60
#define CALL_EXIT_GROUP 231
#define CALL_CLONE3 435

/* Set by user space: the kernel has bpf_rdonly_cast(). */
const volatile bool can_cast = false;
extern void *bpf_rdonly_cast(const void *object, u32 btf_id) __ksym __weak;

/* Counts up with each task that is made. */
u64 tasks_made = 0;

/* Of each slot, by place: the row of each call, 0 where it has none yet. */
struct calls_of_slot {
	u32 of[CALLS_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS_MAX);
	__type(key, u32);
	__type(value, struct calls_of_slot);
} call_row_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, CALL_ROWS_MAX);
	__type(value, u32);
} free_call_rows SEC(".maps");

/* Set where there was none in the queue: it is left alone until user space has put one in, and clears this. */
u32 call_rows_used_up = 0;

/* Of each row: whose it is; 0: nobody's. */
u64 call_row_keys[CALL_ROWS_MAX] = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CALL_ROWS_MAX); /* set by user space */
	__type(key, u32);
	__type(value, struct call_counts);
} call_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CALL_ROWS_MAX); /* set by user space */
	__type(key, u32);
	__type(value, struct call_tally);
} call_tallies SEC(".maps");

/* Two CPUs may each give a row to the same call: both count, as each has its key. */
static __noinline u32 new_call_row(u32 *place, u32 slot, u32 call)
{
	u32 row;

	if (!place || *(volatile u32 *)&call_rows_used_up)
		return CALL_ROW_OTHERS;
	if (bpf_map_pop_elem(&free_call_rows, &row)) {
		call_rows_used_up = 1;
		return CALL_ROW_OTHERS;
	}
	row &= CALL_ROWS_MAX - 1;
	call_row_keys[row] = CALL_ROW_KEY(slot, call);
	*place = row;
	return row;
}

static __always_inline u32 call_row(u32 slot, u32 call)
{
	u32 at = SLOT_PLACE(slot);
	struct calls_of_slot *numbers = bpf_map_lookup_elem(&call_row_of, &at);
	u32 *place;

	if (!numbers)
		return CALL_ROW_OTHERS;
	place = &numbers->of[call & (CALLS_MAX - 1)];
	return *place ? *place : new_call_row(place, slot, call);
}

static __always_inline bool is_error(long result)
{
	return result < 0 && result >= -4095;
}

/* What never returns is counted as it begins. */
static __always_inline bool never_returns(u32 call)
{
	return call == CALL_EXIT || call == CALL_EXIT_GROUP;
}

static __always_inline void count_begun(u32 slot, u32 call)
{
	u32 row = call_row(slot, call);
	struct call_counts *counts = bpf_map_lookup_elem(&call_rows, &row);

	if (counts)
		counts->count++;
}

/*
 * The current task without a call of the kernel, which costs as much as half of what counting does otherwise: by its
 * address, where that is known still to be its. (6.2; elsewhere the kernel is asked each time.)
 */
static __always_inline struct task_struct *task_at(u64 address)
{
	if (can_cast)
		return bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct task_struct));
	return current_task();
}

static __always_inline u32 status_of(struct task_struct *task)
{
	return LOAD(task, thread_info.status);
}

static __always_inline void refresh_slot(struct cpu_call *current, struct task_struct *task)
{
	u64 cgroups = (u64)LOAD(task, cgroups);

	if (current->cgroups != cgroups || !slot_is_valid(current->slot)) {
		current->slot = find_slot(current_task());
		current->cgroups = cgroups;
	}
}

/*
 * Without the scheduler's programs a CPU's last task is known by its registers' place, at the end of its own stack. When it
 * is gone another one may take its place in memory: no task has been made since. Nor would a set of cgroups alone do.
 */
static __always_inline struct cpu_call *last_call(struct pt_regs *registers)
{
	u64 made = *(volatile u64 *)&tasks_made;
	u32 zero = 0;
	struct cpu_call *last = bpf_map_lookup_elem(&cpu_calls, &zero);

	if (!last)
		return NULL;
	if (last->registers != (u64)registers || last->tasks_made != made) {
		last->task = (u64)current_task();
		last->registers = (u64)registers;
		last->tasks_made = made;
		last->cgroups = 0;
	}
	refresh_slot(last, task_at(last->task));
	return last;
}

static __always_inline void add_cycle(struct call_parts *parts, const struct task_times *times,
				      const struct cycle *cycle)
{
	parts->blocked_ns += cycle->blocked_ns;
	if (times->state == TASK_BLOCKED + OFF_UNINTERRUPTIBLE || times->state == TASK_BLOCKED + OFF_IO)
		parts->uninterruptible_ns += cycle->blocked_ns;
	parts->queued_ns += cycle->queued_ns;
}

/* As its task leaves its CPU, with what that was at since it left the last one. @times may be NULL. */
static __always_inline void put_call(struct cpu_call *current, struct task_struct *task, struct task_times *times,
				     const struct cycle *cycle)
{
	bool own = current->task == (u64)task;

	current->registers = 0;
	current->task = 0;
	if (!own) {
		/* No call has begun or ended since: the one with which it came goes on. */
		if (times && times->call_ns)
			add_cycle(&times->parts, times, cycle);
		return;
	}
	if (!times)
		return;
	times->call_ns = current->call_ns;
	if (!times->call_ns)
		return;
	times->call = current->call;
	times->parts = current->parted ? current->parts : (struct call_parts){};
}

/* The call with which it left its CPU, and what it was at since. */
static __always_inline void fetch_call(struct cpu_call *current, struct task_struct *task, struct task_times *times)
{
	u64 *last = last_switch_here();
	struct cycle cycle;

	current->cgroups = times->cgroups;
	current->slot = times->slot;
	current->call_ns = times->call_ns;
	if (!times->call_ns)
		return;
	cycle_of(task, times, last ? *last : 0, queue_clock(task), &cycle);
	add_cycle(&times->parts, times, &cycle);
	current->call = times->call;
	current->parts = times->parts;
	current->parted = 1;
	/* Should it leave unseen, this call is not found again. */
	times->call_ns = 0;
}

static __noinline int ask_who_calls(struct cpu_call *current, u64 registers)
{
	struct task_struct *task = current_task();
	struct task_times *times;

	if (!current)
		return 0;
	current->registers = registers;
	if (current->task == (u64)task)
		return 0;
	current->task = (u64)task;
	current->cgroups = 0;
	current->call_ns = 0;
	current->parted = 0;
	times = known_times_of(task);
	if (times && times->state != TASK_UNSEEN)
		fetch_call(current, task, times);
	return 0;
}

/*
 * A task is asked for at its first call, and known by its registers' place from then on: whoever came to the CPU by a switch that
 * was not traced has other ones.
 */
static __always_inline struct cpu_call *current_call(struct pt_regs *registers)
{
	u32 zero = 0;
	struct cpu_call *current = bpf_map_lookup_elem(&cpu_calls, &zero);

	if (!current)
		return NULL;
	if (current->registers != (u64)registers)
		ask_who_calls(current, (u64)registers);
	refresh_slot(current, task_at(current->task));
	return current;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_entered, struct pt_regs *regs, long number)
{
	struct cpu_call *current = current_call(regs);

	if (!current || SLOT_IS_UNWANTED(current->slot))
		return 0;
	current->call = call_number(status_of(task_at(current->task)), number);
	if (never_returns(current->call))
		count_begun(current->slot, current->call);
	current->parted = 0;
	current->call_ns = bpf_ktime_get_ns();
	return 0;
}

/* The two clocks go at slightly different paces: a call that slept for an hour may have slept for longer than it took. */
static __always_inline void add_parts(struct call_counts *counts, const struct call_parts *parts, u64 wall)
{
	u64 queued = parts->queued_ns < wall ? parts->queued_ns : wall;
	u64 blocked = parts->blocked_ns < wall - queued ? parts->blocked_ns : wall - queued;

	counts->oncpu_ns += wall - queued - blocked;
	counts->blocked_ns += blocked;
	counts->uninterruptible_ns += parts->uninterruptible_ns < blocked ? parts->uninterruptible_ns : blocked;
	counts->queued_ns += queued;
	counts->lock_ns += parts->lock_ns;
}

static __always_inline void add_times(struct call_counts *counts, const struct cpu_call *current, u64 now)
{
	u64 wall = now - current->call_ns;

	counts->timed++;
	counts->wall_ns += wall;
	if (wall > counts->wall_max_ns)
		counts->wall_max_ns = wall;
	count_in(counts->histogram, wall);
	if (current->parted)
		add_parts(counts, &current->parts, wall);
	else
		counts->oncpu_ns += wall;
}

/* A child comes out of a call that its parent made. */
static __always_inline bool is_childs(u32 call, long result)
{
	return !result && (call == CALL_CLONE || call == CALL_FORK || call == CALL_VFORK || call == CALL_CLONE3);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_returned, struct pt_regs *regs, long result)
{
	struct cpu_call *current = current_call(regs);
	u64 now = bpf_ktime_get_ns();
	struct call_counts *counts;
	u32 call, row;

	if (!current || SLOT_IS_UNWANTED(current->slot))
		return 0;
	call = current->call_ns ? current->call : call_number(status_of(task_at(current->task)), regs->orig_ax);
	if (!current->call_ns && is_childs(call, result))
		return 0;
	row = call_row(current->slot, call);
	counts = bpf_map_lookup_elem(&call_rows, &row);
	if (counts) {
		counts->count++;
		counts->errors += is_error(result);
		if (current->call_ns)
			add_times(counts, current, now);
	}
	current->call_ns = 0;
	current->parted = 0;
	return 0;
}

SEC("raw_tp/sched_process_fork")
int task_made(void *ctx)
{
	__sync_fetch_and_add(&tasks_made, 1);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_tallied, struct pt_regs *regs, long result)
{
	struct cpu_call *last = last_call(regs);
	u64 number = regs->orig_ax;
	struct call_tally *tally;
	u32 call, row;

	if (!last || SLOT_IS_UNWANTED(last->slot))
		return 0;
	/* The frame that it restores has no number any more. */
	call = number == (u64)-1 ? CALL_RT_SIGRETURN : call_number(status_of(task_at(last->task)), number);
	if (is_childs(call, result))
		return 0;
	row = call_row(last->slot, call);
	tally = bpf_map_lookup_elem(&call_tallies, &row);
	if (tally) {
		tally->count++;
		tally->errors += is_error(result);
	}
	return 0;
}

#endif
