/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/copy_programs.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "symbolizer/base/cleanup.h"

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
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct copy_counters *by_cpu = calloc((size_t)cpus, sizeof(*by_cpu));
	struct copy_counters sum = {0};
	uint32_t zero = 0;

	if (!by_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.copy_counts), &zero, by_cpu))
		return -errno;
	for (int i = 0; i < cpus; i++) {
		sum.taken += by_cpu[i].taken;
		sum.refused += by_cpu[i].refused;
		sum.unread += by_cpu[i].unread;
		sum.no_room += by_cpu[i].no_room;
	}
	*ret_counters = sum;
	return 0;
}
