/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * sched: every task's time as on a CPU, blocked, and queued for a CPU; with stacks and wakers where it was blocked long,
 * and with who ran meanwhile where it was queued.
 *
 * A task leaves its CPU blocked or still ready to run (preempted), is woken where it was blocked, and comes back. The
 * way from waking to coming back is queued time. As it leaves the next time, all of that is told. A waking counts where the
 * task is off its CPU, or is past the point where it can stay: one that comes before only makes it not sleep at all. Of
 * several the first one counts.
 *
 * All of that is told of the container in which it is as it leaves.
 *
 * What was before the first event of a task is told by that event: who is woken was blocked, who leaves was queued before it
 * came, and running since, since tracing began or the task did. Who has no event until the end has been blocked all
 * along.
 */
#include "bpf/blocked.bpf.h"
#include "bpf/lock_waker.bpf.h"
#include "bpf/run_queue.bpf.h"

/* Set by user space. */
const volatile bool switch_has_state = true; /* the tracepoint gives the state that the task left with (5.18) */
const volatile bool count_times = false;     /* by container */
const volatile bool want_lock_wakers = false;
const volatile bool follow_tasks = false; /* task_switched is attached, too */

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

static __always_inline struct slot_times *times_of_slot(u32 slot)
{
	u32 place = SLOT_PLACE(slot);

	return count_times && !SLOT_IS_UNWANTED(slot) ? bpf_map_lookup_elem(&slot_rows, &place) : NULL;
}

static __always_inline struct cpu_call *call_here(void)
{
	u32 zero = 0;

	return split_calls ? bpf_map_lookup_elem(&cpu_calls, &zero) : NULL;
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

static __noinline int count_unseen(u64 switches)
{
	struct wait_losses *lost = losses();

	if (lost)
		lost->switches += switches;
	return 0;
}

/* It has come, and the switch to it may have been left out by the kernel, which then has told how long it was throttled. */
static __always_inline void came_untraced(struct task_struct *task, const struct task_times *times,
					  const struct cycle *cycle)
{
	if (count_times && RARELY(cycle->unseen || times->throttled))
		comes(task);
}

/* What it was at since it left its CPU the last time, until it came to this one. */
static __always_inline void tell(struct task_times *times, struct slot_times *row, struct cpu_stretches *stretches,
				 const struct cycle *cycle)
{
	bool was_blocked = times->state >= TASK_BLOCKED;
	bool was_long = was_blocked && cycle->blocked_ns >= min_block_ns;

	if (row && was_blocked)
		count_blocked(row, times->state - TASK_BLOCKED, cycle->blocked_ns, was_long);
	else if (RARELY(row && cycle->blocked_ns)) /* between switches that were not traced */
		count_blocked(row, OFF_SLEEPING, cycle->blocked_ns, false);
	if (want_blocked && was_blocked && !SLOT_IS_UNWANTED(times->slot)) {
		if (RARELY(was_long))
			note_blocked(times, cycle->blocked_ns, 0);
		learn(times, was_long);
	}
	if (row)
		count_queued(row, times, stretches, cycle->queued_ns, cycle->arrival_ns);
}

/* Off its CPU at the end: what it was at until then, since it left. */
static __always_inline void tell_absence(struct task_struct *task, struct task_times *times, struct slot_times *row,
					 u64 end, u32 scratch)
{
	u64 absent = end - times->left_ns, queued = 0, blocked;

	if (times->state == TASK_READY)
		queued = absent;
	else if (times->woken_ns && times->woken_ns < end)
		queued = end - times->woken_ns < absent ? end - times->woken_ns : absent;
	if (was_preempted(times))
		row->preempted_ns += queued;
	else
		row->woken_ns += queued;
	charge(times->slot, CULPRIT_EARLIER, queued);
	if (times->state < TASK_BLOCKED)
		return;
	blocked = absent - queued;
	count_blocked(row, times->state - TASK_BLOCKED, blocked, blocked >= min_block_ns);
	if (want_blocked && blocked >= min_block_ns) {
		take_sleepers_stack(task, times, scratch);
		note_blocked(times, blocked, queued ? 0 : WAIT_UNFINISHED);
	}
}

/* As all is to be told, once for each task. */
static __noinline int tell_until_end(struct task_struct *task, struct task_times *times, u64 end, u32 scratch)
{
	struct slot_times *row;
	struct cycle cycle;

	if (!task || !times || times->state == TASK_ENDED || times->left_ns >= end)
		return 0;
	row = times_of_slot(slot_of(task, times));
	if (!row)
		return 0;
	if (task->sched_info.pcount != times->arrivals && task->sched_info.last_arrival < end) {
		cycle_of(task, times, 0, end, &cycle);
		came_untraced(task, times, &cycle);
		tell(times, row, NULL, &cycle);
		row->oncpu_ns += cycle.oncpu_ns;
	} else {
		tell_absence(task, times, row, end, scratch);
	}
	times->state = TASK_ENDED;
	return 0;
}

static __always_inline u64 end_of_tracing(void)
{
	u64 end = *(volatile u64 *)&tracing_end_ns;

	return end ? queue_time(end) : ~0ull;
}

/* A task leaves this CPU. */
struct leaving {
	struct cpu_call *call;		 /* NULL: calls are not split */
	struct cpu_stretches *stretches; /* NULL: nobody asks who ran */
	u64 came;
	u64 now;
	u32 state; /* its own; 0: ready to run */
	bool preempted;
};

static __always_inline u32 leave_untold(struct task_struct *task, struct cpu_call *call)
{
	struct wait_losses *lost = losses();

	if (lost)
		lost->tasks++;
	if (call)
		put_call(call, task, NULL, NULL);
	return SLOT_OTHERS;
}

/* What is to be known of it when it leaves the next time. */
static __always_inline void begin_absence(void *ctx, struct task_struct *task, struct task_times *times,
					  const struct leaving *leaving)
{
	bool was_woken = times->woken == WOKEN_LEAVING;

	begin_cycle(task, times, leaving->now);
	times->stack_taken = STACK_NONE;
	times->waker_taken = 0;
	times->cfs_rq = 0;
	times->woken_ns = 0;
	times->woken = WOKEN_NOT;
	if (leaving->preempted || !leaving->state) {
		times->state = TASK_READY;
		times->cpu = bpf_get_smp_processor_id();
		if (count_times)
			ready_from_now(task, times);
		return;
	}
	times->state = blocked_state(task, leaving->state);
	if (RARELY(was_woken)) {
		times->woken = WOKEN;
		times->woken_ns = leaving->now;
		if (count_times)
			ready_from_now(task, times);
	}
	if (want_blocked && !SLOT_IS_UNWANTED(times->slot) && times->state != TASK_ENDED)
		take_blocked_stack(ctx, task, times);
}

/* Returns its slot. */
static __always_inline u32 leave(void *ctx, struct task_struct *task, const struct leaving *leaving)
{
	struct task_times *times = times_of(task);
	u64 end = end_of_tracing();
	struct slot_times *row;
	struct cycle cycle;
	u32 slot;

	if (RARELY(!times))
		return leave_untold(task, leaving->call);
	first_seen(task, times, TASK_READY);
	slot = slot_of(task, times);
	if (RARELY(leaving->now > end || times->state == TASK_ENDED)) {
		tell_until_end(task, times, end, SCRATCH_SCHED);
		if (leaving->call)
			put_call(leaving->call, task, NULL, NULL);
		times->call_ns = 0;
		return slot;
	}
	cycle_of(task, times, leaving->came, leaving->now, &cycle);
	if (RARELY(cycle.unseen))
		count_unseen(cycle.unseen);
	came_untraced(task, times, &cycle);
	if (leaving->call)
		put_call(leaving->call, task, times, &cycle);
	row = times_of_slot(slot);
	tell(times, row, leaving->stretches, &cycle);
	if (row)
		row->oncpu_ns += cycle.oncpu_ns;
	begin_absence(ctx, task, times, leaving);
	return slot;
}

SEC("tp_btf/sched_switch")
int task_switched(u64 *ctx)
{
	struct task_struct *prev = (struct task_struct *)ctx[1], *next = (struct task_struct *)ctx[2];
	struct leaving leaving = {.preempted = ctx[0], .call = call_here(), .stretches = stretches_here()};
	u64 *last = last_switch_here();
	u32 slot = SLOT_IDLE;

	if (!last)
		return 0;
	leaving.state = switch_has_state ? (u32)ctx[3] : state_of(prev);
	leaving.came = *last;
	leaving.now = switch_time(prev, next, leaving.came);
	*last = leaving.now;
	if (prev->pid)
		slot = leave(ctx, prev, &leaving);
	if (leaving.stretches)
		has_run(leaving.stretches, slot, leaving.came);
	if (count_times && next->pid)
		comes(next);
	return 0;
}

/* Still on its CPU and not taken off its queue: it will find that it need not sleep. */
static __always_inline bool stays_awake(struct task_struct *task)
{
	if (!task->on_cpu || !task->on_rq)
		return false;
	return !bpf_core_field_exists(task->se.sched_delayed) || !task->se.sched_delayed;
}

static __always_inline bool is_blocked_long(const struct task_times *times)
{
	return times->woken_ns - times->left_ns + CLOCK_ERROR_NS >= min_block_ns;
}

SEC("tp_btf/sched_waking")
int task_woken(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct task_times *times;

	if (stays_awake(task))
		return 0;
	times = follow_tasks ? times_of(task) : known_times_of(task);
	if (!times)
		return 0;
	if (want_lock_wakers && times->lock)
		note_lock_waker(ctx, times, bpf_ktime_get_ns());
	if (!follow_tasks || times->woken || !*(volatile u64 *)&clock_ahead_ns)
		return 0;
	if (task->on_cpu && times->arrivals != task->sched_info.pcount) {
		/* It has not left yet: what is known of it is of the time before it came. */
		times->woken = WOKEN_LEAVING;
		return 0;
	}
	first_seen(task, times, blocked_state(task, state_of(task)));
	times->woken = WOKEN;
	if (count_times) {
		times->woken_ns = queue_time(bpf_ktime_get_ns());
		ready_from_now(task, times);
	}
	if (want_blocked && times->state >= TASK_BLOCKED && !SLOT_IS_UNWANTED(slot_of(task, times)) &&
	    is_blocked_long(times)) {
		take_sleepers_stack(task, times, SCRATCH_SCHED);
		take_waker(ctx, times);
	}
	return 0;
}

/* A new task: it was not there before, and waits for its first turn. */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(task_begun, struct task_struct *task)
{
	struct task_times *times;

	/* Of another one that lay here, should that have gone unseen. */
	forget_times(task);
	times = times_of(task);
	if (!times || times->state != TASK_UNSEEN)
		return 0;
	begin_cycle(task, times, task->sched_info.last_queued);
	times->state = TASK_READY;
	times->cpu = CPU_NONE_YET;
	/* It may leave its CPU only as it ends, when it has no pid namespace any more. */
	slot_of(task, times);
	if (count_times)
		ready_from_now(task, times);
	return 0;
}

/* Its memory is a row of a table, and goes to the next one. */
SEC("tp_btf/sched_process_free")
int task_freed(u64 *ctx)
{
	forget_times((struct task_struct *)ctx[0]);
	return 0;
}

/* User space forgets the keys of stacks that it has not seen for long, but for those that a task may tell yet. */
SEC("iter/task")
int tell_stacks_in_use(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct count_key keys[STACKS_IN_USE];
	struct task_times *times;

	if (!task)
		return 0;
	times = known_times_of(task);
	if (!times)
		return 0;
	keys[0] = times->stack;
	keys[1] = times->waker;
	keys[2] = times->lock_waker;
	keys[3] = times->lock_owner;
	for (u32 i = 0; i < BLOCK_SITES; i++)
		keys[4 + i] = times->sites[i].stack;
	bpf_seq_write(ctx->meta->seq, keys, sizeof(keys));
	return 0;
}

/* At the end, for every task. */
SEC("iter/task")
int task_until_end(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_times *times;
	u32 state;

	if (!task || !task->pid || !*(volatile u64 *)&clock_ahead_ns)
		return 0;
	times = times_of(task);
	if (!times)
		return 0;
	state = state_of(task);
	first_seen(task, times, task->on_cpu || !state ? TASK_READY : blocked_state(task, state));
	tell_until_end(task, times, end_of_tracing(), SCRATCH_ENDING);
	return 0;
}
