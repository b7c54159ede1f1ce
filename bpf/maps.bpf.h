/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * maps: what the programs share with user space, and the settings that it fixes before loading.
 *
 * Everything here is weak: each object that includes it brings a copy, and the linker keeps one.
 *
 * Hashes are preallocated: on-demand elements are refused in perf_event programs before 6.1. Sizes marked "set by
 * user space" are scaled to the host there.
 */
#ifndef STOKER_MAPS_BPF_H
#define STOKER_MAPS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/shared.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* set by user space */
} events __weak SEC(".maps");

/* Lost samples by cgroup; full or unlucky: only the total knows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u64);
} lost_by_cgroup __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct tick_counters);
} ticks __weak SEC(".maps");

/* Filters: presence is all that counts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u8);
} wanted_tgids __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u8);
} wanted_cgroups __weak SEC(".maps");

/* Processes whose mappings user space has read: a sample of any other one wakes it at once. Filled by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);   /* tgid << 32 | exec generation */
	__type(value, u64); /* process_image() */
} seen_processes __weak SEC(".maps");

/*
 * The reader comes by itself a few times a second; it is woken at once for what is @urgent, and where a quarter of the ring is
 * unread. A reader that was woken for something and has not come to it yet reads this as well; in the rare case that it just
 * turns away, it comes some time later.
 * @woken_for: of this ring: a position just inside the event for which its reader was last woken
 */
static __always_inline u64 wakeup_flag(void *ring, u64 *woken_for, bool urgent)
{
	if (!urgent && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) <= bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4)
		return BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_query(ring, BPF_RB_CONS_POS) < *woken_for)
		return BPF_RB_NO_WAKEUP;
	*woken_for = bpf_ringbuf_query(ring, BPF_RB_PROD_POS) + 1;
	return BPF_RB_FORCE_WAKEUP;
}

#endif
