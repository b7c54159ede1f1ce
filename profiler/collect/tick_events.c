/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/tick_events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

static int open_event(bool hardware, int cpu, uint64_t hz, uint64_t period_ns)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = hardware ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
		.config = hardware ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1,
	};

	if (hardware) {
		attr.freq = 1;
		attr.sample_freq = hz;
	} else {
		attr.sample_period = period_ns;
	}
	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* @fd is taken. */
static int attach(struct tick_events *events, struct bpf_program *program, int fd)
{
	struct bpf_link **link = NULL;
	int *event = array_add(&events->fds);

	if (event) {
		*event = fd;
		link = array_add(&events->links);
	} else {
		close(fd);
	}
	if (!link)
		return -ENOMEM;
	*link = bpf_program__attach_perf_event(program, fd);
	return *link ? 0 : -errno;
}

/* CPUs that are possible but not online refuse with ENODEV. */
static int open_all(struct tick_events *events, struct bpf_program *program, bool hardware, uint64_t hz)
{
	int cpus = libbpf_num_possible_cpus(), err;

	events->name = hardware ? "cycles" : "cpu-clock";
	events->period_ns = hardware ? 0 : 1000000000ull / hz;
	for (int cpu = 0; cpu < cpus; cpu++) {
		int fd = open_event(hardware, cpu, hz, events->period_ns);

		if (fd < 0 && errno == ENODEV && !(hardware && !cpu))
			continue;
		err = fd < 0 ? -errno : attach(events, program, fd);
		if (err)
			return err;
	}
	return events->fds.count ? 0 : -ENODEV;
}

int tick_events_open(struct tick_events *events, struct bpf_program *program, uint64_t hz)
{
	int err = open_all(events, program, true, hz);

	if (!err)
		return 0;
	tick_events_deinit(events);
	return open_all(events, program, false, hz);
}

int tick_events_open_one(struct tick_events *events, struct bpf_program *program, uint64_t hz)
{
	int cpus = libbpf_num_possible_cpus(), fd = -1;

	events->name = "cpu-clock";
	events->period_ns = 1000000000ull / hz;
	for (int cpu = 0; cpu < cpus && fd < 0; cpu++) {
		fd = open_event(false, cpu, hz, events->period_ns);
		if (fd < 0 && errno != ENODEV)
			return -errno;
	}
	return fd < 0 ? -ENODEV : attach(events, program, fd);
}

void tick_events_start(struct tick_events *events)
{
	for (size_t i = 0; i < events->fds.count; i++)
		ioctl(events->fds.items[i], PERF_EVENT_IOC_ENABLE, 0);
}

void tick_events_stop(struct tick_events *events)
{
	for (size_t i = 0; i < events->fds.count; i++)
		ioctl(events->fds.items[i], PERF_EVENT_IOC_DISABLE, 0);
	for (size_t i = 0; i < events->links.count; i++)
		bpf_link__destroy(events->links.items[i]);
	array_deinit(&events->links);
}

void tick_events_deinit(struct tick_events *events)
{
	tick_events_stop(events);
	for (size_t i = 0; i < events->fds.count; i++)
		close(events->fds.items[i]);
	array_deinit(&events->fds);
}
