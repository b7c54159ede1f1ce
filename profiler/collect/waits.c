/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/call_counter.h"
#include "profiler/collect/slots.h"

#include "stoker.skel.h"

struct waits {
	struct waits_parts parts;
	struct wait_settings settings;
	struct slots slots;
	struct call_counter *calls; /* NULL: not asked for */
};

int waits_new(const struct waits_parts *parts, struct waits **ret_waits)
{
	struct stoker_bpf *skeleton = sampler_skeleton(parts->sampler);
	struct waits *waits = calloc(1, sizeof(*waits));
	int err = 0;

	if (!waits)
		return -ENOMEM;
	waits->parts = *parts;
	waits->settings = *sampler_wait_settings(parts->sampler);
	slots_init(&waits->slots, bpf_map__fd(skeleton->maps.cgroup_slots), parts->owners);
	if (waits->settings.syscalls || waits->settings.syscall_counts)
		err = call_counter_new(skeleton, &waits->slots, parts->writer, &waits->calls);
	if (err) {
		waits_free(waits);
		return err;
	}
	*ret_waits = waits;
	return 0;
}

void waits_free(struct waits *waits)
{
	if (!waits)
		return;
	call_counter_free(waits->calls);
	free(waits);
}

int waits_flush(struct waits *waits, uint64_t time_ns)
{
	int err = slots_refresh(&waits->slots);

	if (!err && waits->calls)
		err = call_counter_write(waits->calls, time_ns);
	return err;
}

static int fact_number(struct waits *waits, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return recording_writer_fact(waits->parts.writer, key, text);
}

/* Runs of our programs that the kernel left out, as the same program was running on that CPU already. */
static uint64_t runs_missed(const struct waits *waits)
{
	struct bpf_program *programs[WAIT_PROGRAMS_MAX];
	size_t count = wait_programs_list(sampler_skeleton(waits->parts.sampler), &waits->settings, programs);
	uint64_t missed = 0;

	for (size_t i = 0; i < count; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(programs[i]), &info, &size))
			missed += info.recursion_misses;
	}
	return missed;
}

int waits_finish(struct waits *waits, uint64_t time_ns)
{
	int err = waits_flush(waits, time_ns);

	if (!err)
		err = fact_number(waits, "waits.missed", runs_missed(waits));
	if (!err && waits->calls)
		err = fact_number(waits, "calls.others", call_counter_others(waits->calls));
	return err;
}
