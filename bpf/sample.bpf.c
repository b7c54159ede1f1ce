/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * sample: the timer tick. Filter, capture, hash, count; only what is new leaves the kernel.
 */
#include "bpf/call_number.bpf.h"
#include "bpf/identity.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/stack_copy.bpf.h"
#include "bpf/stack_hash.bpf.h"
#include "bpf/unwind.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by user space. */
const volatile bool filter_tgids = false;
const volatile bool filter_cgroups = false;

/* Which of the two counts maps takes new keys; flipped by user space while it empties the other. */
u32 active_set = 0;

u64 events_woken_for = 0; /* see wakeup_flag() */

struct counts_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* set by user space */
	__type(key, struct count_key);
	__type(value, u64);
} counts_0 SEC(".maps"), counts_1 SEC(".maps");

/* What a CPU needs for one tick, and what it remembers until the next. */
struct cpu_state {
	struct stack_event event;
	u64 last_process; /* of the last event that it sent, as in seen_processes: what read_process() says is in event */
	u64 last_image;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

static __always_inline bool wanted(u32 tgid, u64 cgroup_id)
{
	if (!filter_tgids && !filter_cgroups)
		return true;
	if (filter_tgids && bpf_map_lookup_elem(&wanted_tgids, &tgid))
		return true;
	return filter_cgroups && bpf_map_lookup_elem(&wanted_cgroups, &cgroup_id);
}

/*
 * Fills in the process, and says whether the reader has to come at once, for its mappings. Both are done once while a
 * CPU stays with a process, as they cost as much as a stack, and the reader may need a while to come.
 */
static __always_inline bool meet_process(struct task_struct *task, struct cpu_state *state)
{
	struct stack_event *event = &state->event;
	u64 process = (u64)event->tgid << 32 | event->exec_generation, *seen_image;
	u64 image = process_image(process_start_ns(task), event->address_space);

	if (state->last_process == process && state->last_image == image)
		return false;
	read_process(task, event);
	state->last_process = process;
	state->last_image = image;
	if (event->flags & STACK_KERNEL_THREAD)
		return false;
	seen_image = bpf_map_lookup_elem(&seen_processes, &process);
	return !seen_image || *seen_image != image;
}

static __always_inline void lose(struct tick_counters *tick, const struct stack_event *event)
{
	u64 cgroup_id = event->flags & STACK_KERNEL_THREAD ? CGROUP_KERNEL_THREADS : event->cgroup_id;
	u64 *lost = bpf_map_lookup_elem(&lost_by_cgroup, &cgroup_id), one = 1;

	tick->lost_ring++;
	if (lost)
		__sync_fetch_and_add(lost, 1);
	else
		bpf_map_update_elem(&lost_by_cgroup, &cgroup_id, &one, BPF_NOEXIST);
}

static __always_inline void send_new(struct task_struct *task, struct cpu_state *state, struct tick_counters *tick)
{
	struct stack_event *event = &state->event;
	u32 count = stack_event_frames(event);
	u64 bytes = __builtin_offsetof(struct stack_event, frames) + count * sizeof(u64), zero = 0;
	bool new_process;
	long err;

	event->address_space = address_space(task);
	new_process = meet_process(task, state);
	if (event->python_count)
		send_python_functions(0, event);
	if (bytes > sizeof(*event) ||
	    bpf_ringbuf_output(&events, event, bytes, wakeup_flag(&events, &events_woken_for, new_process))) {
		lose(tick, event);
		return;
	}
	tick->sent++;
	/* This sample travelled itself; the map counts those that follow. Another CPU may have been first: no matter. */
	if (event->set)
		err = bpf_map_update_elem(&counts_1, &event->key, &zero, BPF_NOEXIST);
	else
		err = bpf_map_update_elem(&counts_0, &event->key, &zero, BPF_NOEXIST);
	if (err && err != -17 /* EEXIST */)
		tick->unstored++;
}

/*
 * The current sample with a copy of its stack, where that is worth it. A global function: the verifier follows what comes
 * after it once, and not for each way through it. Returns 1 where it has left.
 */
__weak __noinline int send_with_copy(void)
{
	struct task_struct *task = current_task();
	struct cpu_state *state;
	u32 zero = 0;
	bool new_process;

	state = bpf_map_lookup_elem(&cpu_states, &zero);
	if (!state || !may_copy(&state->event))
		return 0;
	state->event.address_space = address_space(task);
	new_process = meet_process(task, state);
	if (state->event.python_count)
		send_python_functions(0, &state->event);
	return send_copy(&state->event, new_process);
}

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = current_task();
	u64 pid_tgid = bpf_get_current_pid_tgid(), *counted;
	struct tick_counters *tick;
	struct stack_event *event;
	struct cpu_state *state;
	u32 zero = 0;

	tick = bpf_map_lookup_elem(&ticks, &zero);
	state = bpf_map_lookup_elem(&cpu_states, &zero);
	if (!tick || !state)
		return 0;
	event = &state->event;
	if (!(u32)pid_tgid) {
		tick->idle++;
		return 0;
	}
	tick->taken++;
	event->cgroup_id = current_cgroup_id(task);
	if (!wanted(pid_tgid >> 32, event->cgroup_id)) {
		tick->filtered++;
		return 0;
	}

	event->type = EVENT_STACK;
	event->set = *(volatile u32 *)&active_set;
	event->tgid = pid_tgid >> 32;
	event->tid = (u32)pid_tgid;
	event->exec_generation = LOAD(task, self_exec_id);
	event->flags = LOAD(task, flags) & PF_KTHREAD ? STACK_KERNEL_THREAD : 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->call = in_user_mode(ctx) || event->flags & STACK_KERNEL_THREAD ? 0 : interrupted_call();
	capture_stacks(ctx, event);
	hash_sample(event, LOAD(task, start_boottime));
	/* Only here: in front of its loop it costs the verifier a million steps. */
	if (copy_stacks != COPY_NONE && send_with_copy()) {
		tick->sent++;
		return 0;
	}

	if (event->set)
		counted = bpf_map_lookup_elem(&counts_1, &event->key);
	else
		counted = bpf_map_lookup_elem(&counts_0, &event->key);
	if (counted) {
		__sync_fetch_and_add(counted, 1);
		tick->hits++;
		return 0;
	}
	send_new(task, state, tick);
	return 0;
}
