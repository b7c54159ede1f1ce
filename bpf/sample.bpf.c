/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * sample: the timer tick. Filter, capture, hash, count; only what is new leaves the kernel.
 */
#include "bpf/identity.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/unwind.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by user space. */
const volatile u64 hash_seed[2] = {1, 2};
const volatile bool filter_tgids = false;
const volatile bool filter_cgroups = false;
const volatile u32 wakeup_bytes = 1 << 18; /* of unread events, from which the reader is woken at once */

/* Which of the two counts maps takes new keys; flipped by user space while it empties the other. */
u32 active_set = 0;

struct counts_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* set by user space */
	__type(key, struct count_key);
	__type(value, u64);
} counts_0 SEC(".maps"), counts_1 SEC(".maps");

/* Processes whose mappings user space has read: a sample of any other one wakes it at once. Filled by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);   /* tgid << 32 | exec generation */
	__type(value, u64); /* process_start_ns */
} seen_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stack_event);
} scratch SEC(".maps");

#define MIX_1 0x9e3779b97f4a7c15ull
#define MIX_2 0xd6e8feb86659fd93ull

static __always_inline void mix(struct count_key *key, u64 word)
{
	key->hash[0] = (key->hash[0] ^ word) * MIX_1;
	key->hash[0] ^= key->hash[0] >> 32;
	key->hash[1] = (key->hash[1] + word) * MIX_2;
	key->hash[1] ^= key->hash[1] >> 29;
}

static __always_inline void hash_sample(struct stack_event *event, u64 task_start_ns)
{
	struct count_key key = {.hash = {hash_seed[0], hash_seed[1]}};
	u32 count = event->kernel_count + event->user_count;

	mix(&key, (u64)event->tid << 32 | event->exec_generation);
	mix(&key, task_start_ns);
	mix(&key, event->cgroup_id);
	mix(&key, *(u64 *)&event->comm[0]);
	mix(&key, *(u64 *)&event->comm[8]);
	mix(&key, (u64)event->kernel_count << 32 | event->user_count);
	for (u32 i = 0; i < 2 * STACK_FRAMES_MAX && i < count; i++)
		mix(&key, event->frames[i]);
	event->key = key;
}

static __always_inline bool wanted(u32 tgid, u64 cgroup_id)
{
	if (!filter_tgids && !filter_cgroups)
		return true;
	if (filter_tgids && bpf_map_lookup_elem(&wanted_tgids, &tgid))
		return true;
	return filter_cgroups && bpf_map_lookup_elem(&wanted_cgroups, &cgroup_id);
}

static __always_inline u64 wakeup_flag(const struct stack_event *event)
{
	u64 process = (u64)event->tgid << 32 | event->exec_generation;
	u64 *start_ns = bpf_map_lookup_elem(&seen_processes, &process);

	if (event->flags & STACK_KERNEL_THREAD || (start_ns && *start_ns == event->process_start_ns))
		return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > wakeup_bytes ? BPF_RB_FORCE_WAKEUP
										    : BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void lose(struct tick_counters *tick, u64 cgroup_id)
{
	u64 *lost = bpf_map_lookup_elem(&lost_by_cgroup, &cgroup_id), one = 1;

	tick->lost_ring++;
	if (lost)
		__sync_fetch_and_add(lost, 1);
	else
		bpf_map_update_elem(&lost_by_cgroup, &cgroup_id, &one, BPF_NOEXIST);
}

static __always_inline void send_new(struct task_struct *task, struct stack_event *event, struct tick_counters *tick)
{
	u32 count = event->kernel_count + event->user_count;
	u64 bytes = __builtin_offsetof(struct stack_event, frames) + count * sizeof(u64), zero = 0;
	long err;

	read_process(task, event);
	if (bytes > sizeof(*event) || bpf_ringbuf_output(&events, event, bytes, wakeup_flag(event))) {
		lose(tick, event->cgroup_id);
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

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = current_task();
	u64 pid_tgid = bpf_get_current_pid_tgid(), *counted;
	struct tick_counters *tick;
	struct stack_event *event;
	u32 zero = 0;

	tick = bpf_map_lookup_elem(&ticks, &zero);
	event = bpf_map_lookup_elem(&scratch, &zero);
	if (!tick || !event)
		return 0;
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
	capture_stacks(ctx, event);
	hash_sample(event, LOAD(task, start_boottime));

	if (event->set)
		counted = bpf_map_lookup_elem(&counts_1, &event->key);
	else
		counted = bpf_map_lookup_elem(&counts_0, &event->key);
	if (counted) {
		__sync_fetch_and_add(counted, 1);
		tick->hits++;
		return 0;
	}
	send_new(task, event, tick);
	return 0;
}
