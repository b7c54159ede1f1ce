/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/copy_programs.h"

#include <bpf/libbpf.h>

#include "profiler/collect/cpu_counters.h"

#include "stoker.skel.h"

#define RING_BYTES (4u << 20)	     /* half a second of the most that the limits let through */
#define RING_BYTES_EVERY (64u << 20) /* of every sample, for as long as names are being found */
#define RING_BYTES_NONE 4096u

void copy_programs_configure(struct stoker_bpf *skeleton, enum copy_choice choice)
{
	uint32_t bytes = choice == COPY_NONE ? RING_BYTES_NONE : choice == COPY_CUT ? RING_BYTES : RING_BYTES_EVERY;

	skeleton->rodata->copy_stacks = choice;
	bpf_map__set_max_entries(skeleton->maps.copies, bytes);
}

int copy_programs_ring(const struct stoker_bpf *skeleton)
{
	return bpf_map__fd(skeleton->maps.copies);
}

int copy_programs_counters(const struct stoker_bpf *skeleton, struct copy_counters *ret_counters)
{
	return cpu_counters_sum(skeleton->maps.copy_counts, sizeof(*ret_counters), ret_counters);
}
