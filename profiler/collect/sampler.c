/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/sampler.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/shared_waits.h"
#include "profiler/collect/copy_programs.h"
#include "profiler/collect/count_set.h"
#include "profiler/collect/cpu_counters.h"
#include "profiler/collect/event_rings.h"
#include "profiler/collect/tick_events.h"
#include "profiler/collect/walk_programs.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

#include "stoker.skel.h"

#define RING_BYTES_PER_CPU (256u << 10)
#define RING_BYTES_MAX (16u << 20)
#define KEYS_PER_CPU 4096u
#define KEYS_MIN 16384u
#define KEYS_MAX 262144u
#define LOG_TAIL_BYTES 1800

struct sampler {
	struct stoker_bpf *skeleton;
	struct event_rings rings;
	struct sampler_settings settings;
	struct count_set sets[2];
	bool turn; /* the next reading lets them change places */
	struct tick_events ticks;
	struct tick_events looks;	/* at holders of locks */
	ARRAY(struct bpf_link *) links; /* to tracepoints */
	struct walk_programs walk_programs;
	const struct sampler_callbacks *reading; /* while sampler_read_*() runs */
};

static int say(char *error, size_t error_size, int err, const char *format, ...) __attribute__((format(printf, 4, 5)));

static int say(char *error, size_t error_size, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return err;
}

/*
 * libbpf speaks of every attempt; what matters is said once by the command. Of the verifier's log, which may be long, the
 * end says what it did not like.
 */
static int print_at_debug(enum libbpf_print_level level, const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;
	size_t length, line;

	if (level == LIBBPF_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	length = strlen(text);
	line = strcspn(text, "\n");
	log_debug("%.*s", (int)line, text);
	if (length > line + 1)
		log_debug("%s", text + (length > line + LOG_TAIL_BYTES ? length - LOG_TAIL_BYTES : line + 1));
	return 0;
}

static uint32_t power_of_two(uint64_t wanted, uint32_t most)
{
	uint32_t size = 4096;

	while (size < wanted && size < most)
		size *= 2;
	return size;
}

/*
 * Before 5.11 whoever writes to a hash holds a plain lock, and the sampling interrupt may come upon it: there it must not write
 * to one that others write to.
 */
static bool hashes_stand_interrupts(void)
{
	struct utsname host;
	unsigned int major, minor;

	return !uname(&host) && sscanf(host.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 11));
}

static void configure(struct stoker_bpf *skeleton, const struct sampler_settings *settings)
{
	unsigned int cpus = (unsigned int)libbpf_num_possible_cpus();
	uint32_t ring = power_of_two((uint64_t)cpus * RING_BYTES_PER_CPU, RING_BYTES_MAX);
	uint32_t keys = cpus * KEYS_PER_CPU < KEYS_MIN ? KEYS_MIN : cpus * KEYS_PER_CPU;

	keys = keys > KEYS_MAX ? KEYS_MAX : keys;
	bpf_map__set_max_entries(skeleton->maps.events, ring);
	bpf_map__set_max_entries(skeleton->maps.counts_0, keys);
	bpf_map__set_max_entries(skeleton->maps.counts_1, keys);
	skeleton->rodata->want_kernel_stacks = settings->kernel_stacks;
	skeleton->rodata->want_user_stacks = settings->user_stacks;
	skeleton->rodata->may_read_user = settings->may_read_user;
	walk_programs_configure(skeleton, settings->walk_by_tables);
	copy_programs_configure(skeleton, settings->copies);
	skeleton->rodata->filter_tgids = settings->filter_tgids;
	skeleton->rodata->filter_cgroups = settings->filter_cgroups;
	/* Who is wanted is not asked without a filter: each of these maps is more than a megabyte. */
	if (!settings->filter_tgids)
		bpf_map__set_max_entries(skeleton->maps.wanted_tgids, 1);
	if (!settings->filter_cgroups)
		bpf_map__set_max_entries(skeleton->maps.wanted_cgroups, 1);
	skeleton->rodata->note_python_functions = hashes_stand_interrupts();
	skeleton->rodata->cgroup_use_v2 = settings->cgroup_v2;
	skeleton->rodata->cgroup_v2_root = settings->cgroup_v2_root;
	skeleton->rodata->cgroup_v1_mask = settings->cgroup_v1_mask;
	/* A container must not be able to choose stacks that collide. */
	if (getrandom((void *)skeleton->rodata->hash_seed, sizeof(skeleton->rodata->hash_seed), 0) < 0)
		log_debug("getrandom: %s", strerror(errno));
	bpf_program__set_autoload(skeleton->progs.process_forked, settings->filter_tgids);
	bpf_program__set_autoload(skeleton->progs.process_exited, settings->filter_tgids);
	wait_programs_configure(skeleton, &settings->waits);
}

static int take_event(void *data, void *bytes, size_t size);

int sampler_new(const struct sampler_settings *settings, struct sampler **ret_sampler, char *error, size_t error_size)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct sampler *sampler;
	uint32_t keys;
	int err;

	libbpf_set_print(print_at_debug);
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return say(error, error_size, -EOPNOTSUPP,
			   "this kernel has no BTF (/sys/kernel/btf/vmlinux): a kernel with CONFIG_DEBUG_INFO_BTF is "
			   "needed");
	/* Counts against memlock before 5.11; where it cannot be raised and is not needed, loading goes on. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	sampler = calloc(1, sizeof(*sampler));
	if (!sampler)
		return -ENOMEM;
	sampler->settings = *settings;
	sampler->skeleton = stoker_bpf__open();
	err = sampler->skeleton ? 0 : -errno;
	if (!err) {
		configure(sampler->skeleton, settings);
		err = stoker_bpf__load(sampler->skeleton);
	}
	if (!err)
		err = walk_programs_attach(&sampler->walk_programs, sampler->skeleton, settings->walk_by_tables);
	if (err) {
		sampler_free(sampler);
		if (err == -EPERM)
			return say(error, error_size, -EPERM,
				   "the kernel does not let us load BPF programs: run as root");
		return say(error, error_size, err,
			   "the kernel refused the BPF programs: %s (STOKER_DEBUG=1 tells more)", strerror(-err));
	}
	keys = bpf_map__max_entries(sampler->skeleton->maps.counts_0);
	err = count_set_init(&sampler->sets[0], bpf_map__fd(sampler->skeleton->maps.counts_0), keys);
	if (!err)
		err = count_set_init(&sampler->sets[1], bpf_map__fd(sampler->skeleton->maps.counts_1), keys);
	if (!err)
		err = event_rings_add(&sampler->rings, bpf_map__fd(sampler->skeleton->maps.events), take_event,
				      sampler);
	if (err) {
		sampler_free(sampler);
		return say(error, error_size, -ENOMEM, "no memory for the ring buffer");
	}
	*ret_sampler = sampler;
	return 0;
}

void sampler_stop(struct sampler *sampler)
{
	if (sampler->links.count)
		wait_programs_stop(sampler->skeleton);
	tick_events_stop(&sampler->ticks);
	tick_events_stop(&sampler->looks);
	for (size_t i = 0; i < sampler->links.count; i++)
		bpf_link__destroy(sampler->links.items[i]);
	array_deinit(&sampler->links);
}

void sampler_free(struct sampler *sampler)
{
	if (!sampler)
		return;
	sampler_stop(sampler);
	walk_programs_detach(&sampler->walk_programs);
	event_rings_deinit(&sampler->rings);
	count_set_deinit(&sampler->sets[0]);
	count_set_deinit(&sampler->sets[1]);
	stoker_bpf__destroy(sampler->skeleton);
	free(sampler);
}

static int attach_tracepoint(struct sampler *sampler, struct bpf_program *program)
{
	struct bpf_link **link = array_add(&sampler->links);

	if (!link)
		return -ENOMEM;
	*link = bpf_program__attach(program);
	if (*link)
		return 0;
	sampler->links.count--;
	return -errno;
}

static int attach_waits(struct sampler *sampler)
{
	struct bpf_program *programs[WAIT_PROGRAMS_MAX];
	size_t count = wait_programs_list(sampler->skeleton, &sampler->settings.waits, programs);
	int err = 0;

	wait_programs_start(sampler->skeleton);
	for (size_t i = 0; i < count && !err; i++)
		err = attach_tracepoint(sampler, programs[i]);
	return err;
}

static int attach_tracepoints(struct sampler *sampler)
{
	int err = attach_tracepoint(sampler, sampler->skeleton->progs.cgroup_made);

	if (!err)
		err = attach_tracepoint(sampler, sampler->skeleton->progs.cgroup_removed);
	if (!err)
		err = attach_tracepoint(sampler, sampler->skeleton->progs.cgroup_renamed);
	if (!err && sampler->settings.filter_tgids)
		err = attach_tracepoint(sampler, sampler->skeleton->progs.process_forked);
	if (!err && sampler->settings.filter_tgids)
		err = attach_tracepoint(sampler, sampler->skeleton->progs.process_exited);
	return err ? err : attach_waits(sampler);
}

int sampler_start(struct sampler *sampler, char *error, size_t error_size)
{
	int err = attach_tracepoints(sampler);

	if (err)
		return say(error, error_size, err, "cannot attach to the kernel's tracepoints: %s", strerror(-err));
	err = tick_events_open(&sampler->ticks, sampler->skeleton->progs.sample, sampler->settings.hz);
	if (!err && sampler->settings.waits.locks)
		err = tick_events_open_one(&sampler->looks, sampler->skeleton->progs.look_at_holders, HOLDER_HZ);
	if (err == -EACCES || err == -EPERM)
		return say(error, error_size, -EPERM,
			   "perf_event_open is not permitted: run as root (kernel.perf_event_paranoid forbids it to "
			   "others)");
	if (err == -EINVAL)
		return say(error, error_size, err,
			   "the kernel takes no %llu samples a second: see kernel.perf_event_max_sample_rate",
			   (unsigned long long)sampler->settings.hz);
	if (err)
		return say(error, error_size, err, "cannot sample: perf_event_open: %s", strerror(-err));
	return 0;
}

void sampler_look_at_cpus(struct sampler *sampler)
{
	tick_events_look(&sampler->ticks);
	tick_events_look(&sampler->looks);
}

const struct tick_events_counts *sampler_cpu_counts(const struct sampler *sampler)
{
	return &sampler->ticks.counts;
}

const char *sampler_event_name(const struct sampler *sampler)
{
	return sampler->ticks.name;
}

uint64_t sampler_period_ns(const struct sampler *sampler)
{
	return sampler->ticks.period_ns;
}

int sampler_cpus(const struct sampler *sampler)
{
	return (int)sampler->ticks.cpus;
}

int sampler_fd(const struct sampler *sampler)
{
	return event_rings_fd(&sampler->rings);
}

struct walk_map_fds sampler_walk_maps(const struct sampler *sampler)
{
	return walk_programs_maps(sampler->skeleton);
}

int sampler_python_functions_fd(const struct sampler *sampler)
{
	return bpf_map__fd(sampler->skeleton->maps.python_functions);
}

/* Who was not wanted may be by now: what was found of them is not valid any more (bpf/shared_waits.h). */
static void ask_again(struct sampler *sampler)
{
	uint32_t *unwanted = &sampler->skeleton->bss->slots_valid[SLOT_UNWANTED];

	__atomic_store_n(unwanted, *unwanted + SLOTS_MAX, __ATOMIC_SEQ_CST);
}

int sampler_want_tgid(struct sampler *sampler, uint32_t tgid)
{
	uint8_t yes = 1;
	int err = bpf_map_update_elem(bpf_map__fd(sampler->skeleton->maps.wanted_tgids), &tgid, &yes, BPF_ANY);

	ask_again(sampler);
	return err;
}

int sampler_want_cgroup(struct sampler *sampler, uint64_t cgroup_id)
{
	uint8_t yes = 1;
	int err = bpf_map_update_elem(bpf_map__fd(sampler->skeleton->maps.wanted_cgroups), &cgroup_id, &yes, BPF_ANY);

	ask_again(sampler);
	return err;
}

void sampler_seen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation, uint64_t image)
{
	uint64_t process = (uint64_t)tgid << 32 | exec_generation;

	/* Full: samples of this one go on waking the reader, no more. */
	bpf_map_update_elem(bpf_map__fd(sampler->skeleton->maps.seen_processes), &process, &image, BPF_ANY);
}

void sampler_unseen(struct sampler *sampler, uint32_t tgid, uint32_t exec_generation)
{
	uint64_t process = (uint64_t)tgid << 32 | exec_generation;

	bpf_map_delete_elem(bpf_map__fd(sampler->skeleton->maps.seen_processes), &process);
}

static int take_stack(struct sampler *sampler, const struct stack_event *event, size_t size)
{
	uint32_t number;
	int err;

	if (size < offsetof(struct stack_event, frames) + stack_event_frames(event) * sizeof(uint64_t))
		return -EPROTO;
	err = count_set_add(&sampler->sets[event->set & 1], &event->key, &number);
	if (err)
		return err;
	return sampler->reading->stack(sampler->reading->data, event, (uint64_t)(event->set & 1) << 31 | number);
}

static int take_event(void *data, void *bytes, size_t size)
{
	struct sampler *sampler = data;
	const struct stack_event *event = bytes;

	if (event->type == EVENT_STACK)
		return take_stack(sampler, event, size);
	if (event->type == EVENT_PYTHON_FUNCTION)
		return sampler->reading->python(sampler->reading->data, bytes, size);
	return sampler->reading->cgroup(sampler->reading->data, bytes);
}

int sampler_read_events(struct sampler *sampler, const struct sampler_callbacks *callbacks)
{
	int err;

	sampler->reading = callbacks;
	err = event_rings_read(&sampler->rings);
	sampler->reading = NULL;
	return err;
}

/* Counts are read first and events after them: each counted key's first sample was sent before it could be counted. */
static int read_set(struct sampler *sampler, const struct sampler_callbacks *callbacks, uint32_t set, bool clear)
{
	int err = count_set_fetch(&sampler->sets[set], clear);

	if (!err)
		err = sampler_read_events(sampler, callbacks);
	if (err)
		return err;
	return count_set_deliver(&sampler->sets[set], (uint64_t)set << 31, callbacks->count, callbacks->data);
}

int sampler_read_counts(struct sampler *sampler, const struct sampler_callbacks *callbacks)
{
	uint32_t active = sampler->skeleton->bss->active_set;
	int err = read_set(sampler, callbacks, active, false);

	if (err || (!sampler->turn && !count_set_is_half_full(&sampler->sets[active])))
		return err;
	sampler->turn = false;
	__atomic_store_n(&sampler->skeleton->bss->active_set, !active, __ATOMIC_SEQ_CST);
	count_set_wait_for_programs();
	err = read_set(sampler, callbacks, active, true);
	if (err)
		return err;
	count_set_clear(&sampler->sets[active]);
	callbacks->cleared(callbacks->data, active);
	return 0;
}

void sampler_turn(struct sampler *sampler)
{
	sampler->turn = true;
}

int sampler_ticks(struct sampler *sampler, struct tick_counters *ret_ticks)
{
	return cpu_counters_sum(sampler->skeleton->maps.ticks, sizeof(*ret_ticks), ret_ticks);
}

size_t sampler_lost(struct sampler *sampler, uint64_t *ids, uint64_t *counts, size_t capacity)
{
	int fd = bpf_map__fd(sampler->skeleton->maps.lost_by_cgroup);
	size_t count = 0;

	for (void *previous = NULL; count < capacity && !bpf_map_get_next_key(fd, previous, &ids[count]);) {
		previous = &ids[count];
		if (!bpf_map_lookup_elem(fd, &ids[count], &counts[count]))
			count++;
	}
	return count;
}

int sampler_add_ring(struct sampler *sampler, int map_fd, event_taker take, void *data)
{
	return event_rings_add(&sampler->rings, map_fd, take, data);
}

struct stoker_bpf *sampler_skeleton(struct sampler *sampler)
{
	return sampler->skeleton;
}

enum copy_choice sampler_copies(const struct sampler *sampler)
{
	return sampler->settings.copies;
}

const struct wait_settings *sampler_wait_settings(const struct sampler *sampler)
{
	return &sampler->settings.waits;
}

uint64_t sampler_run_ns(struct sampler *sampler, uint64_t *ret_runs)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(sampler->skeleton->progs.sample), &info, &size))
		return 0;
	*ret_runs = info.run_cnt;
	return info.run_time_ns;
}

static uint64_t memlock_of(int fd)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[48], line[128];
	unsigned long long bytes;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			return bytes;
	return 0;
}

uint64_t sampler_map_bytes(struct sampler *sampler)
{
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, sampler->skeleton->obj) sum += memlock_of(bpf_map__fd(map));
	return sum;
}
