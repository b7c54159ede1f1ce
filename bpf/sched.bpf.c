/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * sched: every task's time as on a CPU, blocked, and queued for a CPU; with stacks and wakers where it was blocked long,
 * and with who ran meanwhile where it was queued.
 *
 * A task leaves its CPU blocked or still ready to run (preempted), is woken where it was blocked, and comes back. The
 * way from waking to coming back is queued time. A waking counts where the task is off its CPU, or is past the point
 * where it can stay: one that comes before only makes it not sleep at all. Of several the first one counts.
 *
 * What was before the first event of a task is told by that event: who is woken was blocked, who comes was queued, who
 * leaves was running, since tracing began or the task did. Who has no event until the end has been blocked all along.
 */
#include "bpf/run_queue.bpf.h"
#include "bpf/syscalls.bpf.h"
#include "bpf/wait_stacks.bpf.h"

/* Set by user space. */
const volatile bool switch_has_state = true; /* the tracepoint gives the state that the task left with (5.18) */
const volatile bool count_times = false;     /* by container */
const volatile bool want_lock_wakers = false;
const volatile bool follow_tasks = false; /* task_switched is attached, too */
const volatile bool want_blocked = false;
const volatile u64 min_block_ns = 1000000;

/* Set by user space: the monotonic clock, before the programs are attached and as they are detached. */
u64 tracing_start_ns = 0;
u64 tracing_end_ns = 0;
u32 active_waits = 0; /* which of the two maps takes new waits; flipped by user space while it empties the other */

struct waits_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct wait_key);
	__type(value, struct wait_sums);
} waits_0 SEC(".maps"), waits_1 SEC(".maps");

/* include/linux/sched.h */
#define STATE_UNINTERRUPTIBLE 0x2u
#define STATE_STOPPED (0x4u | 0x8u) /* by a signal, or traced */
#define STATE_DEAD 0x80u
#define STATE_NOLOAD 0x400u /* with D: asleep and of no consequence (TASK_IDLE) */

struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

static __always_inline u32 state_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
}

static __always_inline u8 blocked_state(struct task_struct *task, u32 state)
{
	if (state & STATE_DEAD)
		return TASK_ENDED;
	if (state & STATE_UNINTERRUPTIBLE && !(state & STATE_NOLOAD))
		return TASK_BLOCKED + (BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait) ? OFF_IO : OFF_UNINTERRUPTIBLE);
	return TASK_BLOCKED + (state & STATE_STOPPED ? OFF_STOPPED : OFF_SLEEPING);
}

/* The task's first event: what it did since tracing began, or since it was made. */
static __always_inline void first_seen(struct task_struct *task, struct task_times *times, u8 state)
{
	u64 began, tracing;

	if (times->state != TASK_UNSEEN)
		return;
	began = task->start_time;
	tracing = *(volatile u64 *)&tracing_start_ns;
	times->state = state;
	times->switched_ns = began > tracing ? began : tracing;
}

static __always_inline struct slot_times *times_of_slot(u32 slot)
{
	u32 place = SLOT_PLACE(slot);

	return count_times && slot != SLOT_UNWANTED ? bpf_map_lookup_elem(&slot_rows, &place) : NULL;
}

static __always_inline struct wait_losses *losses(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&wait_losses, &zero);
}

static __always_inline struct cpu_call *call_here(void)
{
	u32 zero = 0;

	return split_calls ? bpf_map_lookup_elem(&cpu_calls, &zero) : NULL;
}

/* The call that it is in goes with it. @times may be NULL. */
static __always_inline void put_call(struct cpu_call *current, struct task_struct *task, struct task_times *times,
				     u64 now)
{
	if (times) {
		times->call_ns = current->task == (u64)task ? current->call_ns : 0;
		times->registers = current->task == (u64)task ? current->registers : 0;
		if (times->call_ns) {
			begin_parts(current);
			times->call = current->call;
			times->parts = current->parts;
			times->parts.oncpu_ns += now - current->parts.came_ns;
		}
	}
	current->task = 0;
	current->registers = 0;
}

static __always_inline void take_call(struct cpu_call *current, struct task_struct *task, struct task_times *times,
				      u64 now)
{
	current->task = (u64)task;
	current->cgroups = times->cgroups;
	current->slot = times->slot;
	current->call_ns = times->call_ns;
	if (times->call_ns) {
		current->call = times->call;
		current->parts = times->parts;
		current->parts.came_ns = now;
		current->parted = 1;
		/* Should it leave unseen, this call is not found again. */
		times->call_ns = 0;
	}
	current->registers = times->registers;
}

/* Asking the kernel costs more than all that is done with them: what it says once holds for every task. */
static __always_inline struct pt_regs *registers_place(struct task_struct *task)
{
	struct pt_regs *registers;
	u64 place = 0;

	if (can_cast && user_registers_offset)
		return bpf_rdonly_cast((void *)((u64)task->stack + user_registers_offset),
				       bpf_core_type_id_kernel(struct pt_regs));
	registers = (struct pt_regs *)bpf_task_pt_regs(task);
	if (can_cast) {
		/* By way of memory: the verifier lets nobody count with a pointer. */
		bpf_probe_read_kernel(&place, sizeof(place), &registers);
		user_registers_offset = place - (u64)task->stack;
	}
	return registers;
}

/* Nothing but these changes between two calls from one place; the walk of the stack would tell the rest. */
static __always_inline u64 registers_of(struct task_struct *task)
{
	struct pt_regs *registers;

	if (task->flags & PF_KTHREAD || !bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return 0;
	registers = registers_place(task);
	return ((registers->orig_ax * MIX_1 ^ PT_REGS_IP(registers)) * MIX_1 ^ PT_REGS_SP(registers)) * MIX_1 | 1;
}

#define SHORTS_ENOUGH 4 /* blocks in a row that were too short: the next one will be, too */

/*
 * A stack is only of use where the task turns out to be blocked for long, and is taken where it still runs. From a place
 * where the last blocks were all short none is taken: should this one be long, it has the stack of the last time that one
 * was taken here, which is the same but for what the registers do not show. Once long, the next ones are taken again.
 */
static __always_inline void take_blocked_stack(void *ctx, struct task_struct *task, struct task_times *times)
{
	u64 registers = registers_of(task);
	u32 zero = 0, number = registers >> 60 & (BLOCK_SITES - 1);
	struct block_site *site = &times->sites[number];
	struct stack_event *event;

	times->site = number + 1;
	if (site->registers == registers && site->shorts >= SHORTS_ENOUGH) {
		/* A kernel thread's own stack can be had when it comes back. */
		times->stack_taken = STACK_OF_SITE;
		return;
	}
	if (site->registers != registers) {
		site->registers = registers;
		site->shorts = 0;
	}
	event = bpf_map_lookup_elem(&wait_scratch, &zero);
	take_own_stack(ctx, event, SCRATCH_SCHED);
	if (!event)
		return;
	times->stack = event->key;
	times->stack_taken = STACK_TAKEN;
	site->stack = registers ? event->key : (struct count_key){};
}

static __always_inline void learn(struct task_times *times, bool was_long)
{
	u32 number = times->site - 1;

	if (number >= BLOCK_SITES)
		return;
	if (was_long)
		times->sites[number].shorts = 0;
	else if (times->stack_taken != STACK_OF_SITE)
		times->sites[number].shorts++;
	times->site = 0;
}

static __noinline int note_wait(const struct wait_key *key, u64 ns)
{
	struct wait_sums *sums, first = {.count = 1, .total_ns = ns, .max_ns = ns};
	struct wait_losses *lost;
	bool second = *(volatile u32 *)&active_waits;
	long err;

	sums = second ? bpf_map_lookup_elem(&waits_1, key) : bpf_map_lookup_elem(&waits_0, key);
	if (!sums) {
		err = second ? bpf_map_update_elem(&waits_1, key, &first, BPF_NOEXIST)
			     : bpf_map_update_elem(&waits_0, key, &first, BPF_NOEXIST);
		if (!err)
			return 0;
		/* Another CPU was first, or the map is full. */
		sums = second ? bpf_map_lookup_elem(&waits_1, key) : bpf_map_lookup_elem(&waits_0, key);
	}
	if (sums) {
		__sync_fetch_and_add(&sums->count, 1);
		__sync_fetch_and_add(&sums->total_ns, ns);
		if (ns > sums->max_ns)
			sums->max_ns = ns;
		return 0;
	}
	lost = losses();
	if (lost) {
		lost->waits++;
		lost->waits_ns += ns;
	}
	return 0;
}

static __noinline int note_blocked(struct task_struct *task, struct task_times *times, u64 ns, u32 flags)
{
	struct wait_key key = {.flags = flags};
	struct stack_event *event;
	u32 zero = 0, number;

	if (!times)
		return 0;
	number = times->site - 1;
	if (times->stack_taken == STACK_TAKEN) {
		key.stack = times->stack;
	} else if (times->stack_taken == STACK_OF_SITE && number < BLOCK_SITES) {
		key.stack = times->sites[number].stack;
		key.flags |= WAIT_STACK_GUESSED;
	}
	if (!key.stack.hash[0]) {
		event = bpf_map_lookup_elem(&wait_scratch, &zero);
		take_others_stack(task, event, SCRATCH_SCHED, false);
		if (event)
			key.stack = event->key;
		key.flags = flags;
	}
	if (times->waker_taken) {
		key.waker = times->waker;
		key.waker_slot = times->waker_slot;
	}
	key.slot = times->slot;
	key.state = times->state - TASK_BLOCKED;
	return note_wait(&key, ns);
}

static __always_inline void count_blocked(struct slot_times *row, u32 state, u64 blocked, bool was_long)
{
	if (state < OFF_STATES) {
		row->blocked_ns[state] += blocked;
		row->blocks[state]++;
	}
	if (!was_long) {
		row->short_ns += blocked;
		row->shorts++;
	}
}

/* It is on its CPU from @now on. */
static __always_inline void come(struct task_struct *task, struct task_times *times, struct cpu_switches *switches,
				 u64 now)
{
	struct slot_times *row = times_of_slot(slot_of(task, times));
	u64 blocked = 0, queued = now - times->switched_ns, woken;
	bool was_blocked, was_long = false;

	/* The switch from it was not traced: it slept, if it was woken. */
	if (times->state == TASK_ON_CPU)
		times->state = times->woken_ns ? TASK_BLOCKED + OFF_SLEEPING : TASK_READY;
	was_blocked = times->state >= TASK_BLOCKED;
	if (was_blocked) {
		/* A waking that was not seen: all of it was blocked. */
		woken = times->woken_ns ? times->woken_ns : now;
		blocked = woken > times->switched_ns ? woken - times->switched_ns : 0;
		queued -= blocked;
		was_long = blocked >= min_block_ns;
		if (row)
			count_blocked(row, times->state - TASK_BLOCKED, blocked, was_long);
	}
	if (split_calls && times->call_ns) {
		times->parts.blocked_ns += blocked;
		if (times->state == TASK_BLOCKED + OFF_UNINTERRUPTIBLE || times->state == TASK_BLOCKED + OFF_IO)
			times->parts.uninterruptible_ns += blocked;
		times->parts.queued_ns += queued;
	}
	if (want_blocked && was_blocked && times->slot != SLOT_UNWANTED) {
		if (was_long)
			note_blocked(task, times, blocked, 0);
		learn(times, was_long);
	}
	if (row)
		count_queued(row, task, times, switches, was_blocked, queued, now);
	times->state = TASK_ON_CPU;
	times->switched_ns = now;
	times->woken_ns = 0;
	times->stack_taken = STACK_NONE;
	times->waker_taken = 0;
	times->cfs_rq = 0;
}

/*
 * The switch to it was not traced, as happens on some hosts to some tasks: after the last one that was, and after it was ready,
 * it came to its CPU.
 */
static __noinline int come_unseen(struct task_struct *task, struct task_times *times, u64 now)
{
	struct cpu_switches *switches = switches_here();
	u64 last = switches ? switches->since_ns : 0;
	struct wait_losses *lost = losses();

	if (!times)
		return 0;
	if (lost)
		lost->switches++;
	if (!last || last > now)
		last = now;
	if (last < times->switched_ns)
		last = times->switched_ns;
	if (last < times->woken_ns)
		last = times->woken_ns;
	come(task, times, switches, last);
	return 0;
}

static __always_inline void leave(void *ctx, struct task_struct *task, struct cpu_call *call, bool preempted, u32 state,
				  u64 now)
{
	struct task_times *times = times_of(task);
	struct slot_times *row;

	if (times) {
		first_seen(task, times, TASK_ON_CPU);
		/* Before the call is put there: what was until it came is no part of one that it has begun since. */
		if (times->state != TASK_ON_CPU)
			come_unseen(task, times, now);
	}
	if (call)
		put_call(call, task, times, now);
	if (!times)
		return;
	row = times_of_slot(slot_of(task, times));
	if (row)
		row->oncpu_ns += now - times->switched_ns;
	times->switched_ns = now;
	if (preempted || !state) {
		times->state = TASK_READY;
		times->woken_ns = 0;
		times->cpu = bpf_get_smp_processor_id();
		if (count_times)
			ready_from_now(task, times);
		return;
	}
	/* What woke it as it was on its way out goes on to count. */
	times->state = blocked_state(task, state);
	if (want_blocked && times->slot != SLOT_UNWANTED && times->state != TASK_ENDED)
		take_blocked_stack(ctx, task, times);
}

/* Returns the slot of who comes. */
static __always_inline u32 arrive(struct task_struct *task, struct cpu_call *call, struct cpu_switches *switches,
				  u64 now)
{
	struct task_times *times = times_of(task);
	struct wait_losses *lost;

	if (!times) {
		lost = losses();
		if (lost)
			lost->tasks++;
		return SLOT_OTHERS;
	}
	first_seen(task, times, TASK_READY);
	come(task, times, switches, now);
	if (call)
		take_call(call, task, times, now);
	return times->slot;
}

SEC("tp_btf/sched_switch")
int task_switched(u64 *ctx)
{
	bool preempted = ctx[0];
	struct task_struct *prev = (struct task_struct *)ctx[1], *next = (struct task_struct *)ctx[2];
	u64 now = bpf_ktime_get_ns();
	u32 state = switch_has_state ? (u32)ctx[3] : state_of(prev), slot = SLOT_IDLE;
	struct cpu_switches *switches = switches_here();
	struct cpu_call *call = call_here();

	if (prev->pid)
		leave(ctx, prev, call, preempted, state, now);
	if (next->pid)
		slot = arrive(next, call, switches, now);
	if (switches)
		now_runs(switches, slot, now);
	return 0;
}

/* Still on its CPU and not taken off its queue: it will find that it need not sleep. */
static __always_inline bool stays_awake(struct task_struct *task)
{
	if (!task->on_cpu || !task->on_rq)
		return false;
	return !bpf_core_field_exists(task->se.sched_delayed) || !task->se.sched_delayed;
}

static __always_inline void take_waker(void *ctx, struct task_times *times)
{
	struct task_struct *waker = current_task();
	struct task_times *own = times_of(waker);
	struct stack_event *event;
	u32 zero = 0;

	event = bpf_map_lookup_elem(&wait_scratch, &zero);
	take_own_stack(ctx, event, SCRATCH_SCHED);
	if (!event)
		return;
	times->waker = event->key;
	times->waker_slot = own ? slot_of(waker, own) : SLOT_OTHERS;
	times->waker_taken = 1;
}

/*
 * What the waker held the lock for, of the wait: it had waited for it too, and got it while the other one waited. Else 0: it
 * held it all along, or never waited for it, and cannot be told from who held it as the wait began.
 */
static __always_inline u64 held_by(const struct task_times *waker, const struct task_times *waiter, u64 now)
{
	if (!waker || waker->lock_got != waiter->lock || waker->lock_got_ns <= waiter->lock_ns)
		return 0;
	return now - waker->lock_got_ns;
}

/* Who lets a task go on that waits for a lock has just let go of it. The last one counts: others may have been faster. */
static __always_inline void note_lock_waker(void *ctx, struct task_times *times, u64 now)
{
	struct task_struct *waker = current_task();
	struct stack_event *event;
	u32 zero = 0;

	event = bpf_map_lookup_elem(&wait_scratch, &zero);
	take_own_stack(ctx, event, SCRATCH_SCHED);
	if (event)
		times->lock_waker = event->key;
	times->lock_waker_ns = held_by(known_times_of(waker), times, now);
	times->lock_waker_slot = LOAD(waker, flags) & PF_KTHREAD ? SLOT_KERNEL : slot_in(waker, cgroup_id_of(waker));
	times->lock_woken_ns = now;
}

SEC("tp_btf/sched_waking")
int task_woken(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct task_times *times;
	u64 now;

	if (stays_awake(task))
		return 0;
	times = follow_tasks ? times_of(task) : known_times_of(task);
	if (!times)
		return 0;
	now = bpf_ktime_get_ns();
	if (want_lock_wakers && times->lock)
		note_lock_waker(ctx, times, now);
	if (!follow_tasks || times->woken_ns)
		return 0;
	first_seen(task, times, blocked_state(task, state_of(task)));
	times->woken_ns = now;
	if (count_times)
		ready_from_now(task, times);
	if (want_blocked && times->state >= TASK_BLOCKED && now - times->switched_ns >= min_block_ns &&
	    slot_of(task, times) != SLOT_UNWANTED)
		take_waker(ctx, times);
	return 0;
}

/* A new task: it was not there before, and waits for its first turn. */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(task_begun, struct task_struct *task)
{
	struct task_times *times = times_of(task);

	if (!times || times->state != TASK_UNSEEN)
		return 0;
	times->state = TASK_READY;
	times->switched_ns = bpf_ktime_get_ns();
	times->cpu = CPU_UNKNOWN;
	if (count_times)
		ready_from_now(task, times);
	return 0;
}

/* At the end, for every task: what it is at until now. */
SEC("iter/task")
int task_until_end(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_times *times;
	struct slot_times *row;
	u64 ns;

	if (!task || !task->pid)
		return 0;
	times = times_of(task);
	if (!times)
		return 0;
	first_seen(task, times, task->on_cpu ? TASK_ON_CPU : blocked_state(task, state_of(task)));
	row = times_of_slot(slot_of(task, times));
	if (!row || times->state == TASK_ENDED || times->switched_ns >= tracing_end_ns)
		return 0;
	ns = tracing_end_ns - times->switched_ns;
	if (times->state == TASK_ON_CPU) {
		row->oncpu_ns += ns;
	} else if (times->state == TASK_READY || times->woken_ns) {
		row->woken_ns += ns;
	} else {
		count_blocked(row, times->state - TASK_BLOCKED, ns, ns >= min_block_ns);
		if (want_blocked && ns >= min_block_ns)
			note_blocked(task, times, ns, WAIT_UNFINISHED);
	}
	return 0;
}
