/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/tick_event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "symbolizer/base/cleanup.h"

static int open_on(const struct tick_rate *rate, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = rate->hardware ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
		.config = rate->hardware ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_CPU_CLOCK,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED,
		.disabled = 1,
	};

	if (rate->hardware) {
		attr.freq = 1;
		attr.sample_freq = rate->hz;
	} else {
		attr.sample_period = 1000000000ull / rate->hz;
	}
	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

int tick_event_open(struct tick_event *event, struct bpf_program *program, const struct tick_rate *rate, int cpu)
{
	_cleanup_close_ int fd = open_on(rate, cpu);
	struct bpf_link *link;

	if (fd < 0)
		return -errno;
	/* It is enabled with that, and the link's from there on. */
	link = bpf_program__attach_perf_event(program, fd);
	if (!link)
		return -errno;
	*event = (struct tick_event){.cpu = cpu, .fd = take_fd(&fd), .link = link};
	return 0;
}

void tick_event_close(struct tick_event *event)
{
	bpf_link__destroy(event->link);
}

bool tick_event_runs(struct tick_event *event)
{
	struct {
		uint64_t count, enabled_ns;
	} now;
	bool runs;

	if (read(event->fd, &now, sizeof(now)) != sizeof(now))
		return false;
	runs = now.enabled_ns != event->ran_ns;
	event->ran_ns = now.enabled_ns;
	return runs;
}

int tick_event_cpus(void)
{
	return libbpf_num_possible_cpus();
}

bool tick_event_online(char *list, size_t size)
{
	_cleanup_close_ int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, list, size - 1);

	if (got <= 0)
		return false;
	list[got] = '\0';
	return true;
}
