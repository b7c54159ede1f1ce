/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * stack_hash: the 128 bits that stand for who it was and where: task, exec generation, cgroup, comm and both stacks.
 *
 * Seeded anew for each recording: a container must not be able to choose stacks that collide.
 */
#ifndef STOKER_STACK_HASH_BPF_H
#define STOKER_STACK_HASH_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/shared.h"

const volatile u64 hash_seed[2] __weak = {1, 2}; /* set by user space */

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
	u32 count = stack_event_frames(event);

	mix(&key, (u64)event->tid << 32 | event->exec_generation);
	mix(&key, task_start_ns);
	mix(&key, event->cgroup_id);
	mix(&key, *(u64 *)&event->comm[0]);
	mix(&key, *(u64 *)&event->comm[8]);
	mix(&key, (u64)event->flags << 48 | (u64)event->kernel_count << 40 | (u64)event->call << 24 |
			  (u64)event->python_end << 16 | (u64)event->python_count << 8 | event->user_count);
	for (u32 i = 0; i < 3 * STACK_FRAMES_MAX && i < count; i++)
		mix(&key, event->frames[i]);
	event->key = key;
}

#endif
