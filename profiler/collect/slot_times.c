/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/slot_times.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/map_pair.h"

#include "stoker.skel.h"

struct fetched_pair {
	uint64_t key; /* QUEUE_KEY() */
	uint64_t ns;
};

struct slot_time_counter {
	struct slots *slots;
	struct recording_writer *writer;
	int rows_fd;
	int cpus;
	struct slot_times *by_cpu;	   /* [cpus], one row as read */
	struct slot_times told[SLOTS_MAX]; /* what is in the recording */
	bool queue;
	struct map_pair pairs; /* of struct fetched_pair */
};

int slot_times_new(struct stoker_bpf *skeleton, struct slots *slots, struct recording_writer *writer, bool queue,
		   struct slot_time_counter **ret_counter)
{
	struct slot_time_counter *counter = calloc(1, sizeof(*counter));

	if (!counter)
		return -ENOMEM;
	counter->slots = slots;
	counter->writer = writer;
	counter->rows_fd = bpf_map__fd(skeleton->maps.slot_rows);
	counter->queue = queue;
	map_pair_init(&counter->pairs, skeleton->maps.queue_0, skeleton->maps.queue_1, &skeleton->bss->active_queue);
	counter->cpus = libbpf_num_possible_cpus();
	counter->by_cpu = calloc((size_t)counter->cpus, sizeof(*counter->by_cpu));
	if (!counter->by_cpu) {
		free(counter);
		return -ENOMEM;
	}
	*ret_counter = counter;
	return 0;
}

void slot_times_free(struct slot_time_counter *counter)
{
	if (!counter)
		return;
	free(counter->by_cpu);
	map_pair_deinit(&counter->pairs);
	free(counter);
}

static void add_times(struct slot_times *sum, const struct slot_times *one)
{
	sum->oncpu_ns += one->oncpu_ns;
	for (size_t i = 0; i < OFF_STATES; i++) {
		sum->blocked_ns[i] += one->blocked_ns[i];
		sum->blocks[i] += one->blocks[i];
	}
	sum->short_ns += one->short_ns;
	sum->shorts += one->shorts;
	sum->woken_ns += one->woken_ns;
	sum->preempted_ns += one->preempted_ns;
	sum->throttled_ns += one->throttled_ns;
	sum->throttles += one->throttles;
	sum->behind_own_ns += one->behind_own_ns;
	sum->behind_idle_ns += one->behind_idle_ns;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum->woken[i] += one->woken[i];
		sum->preempted[i] += one->preempted[i];
	}
}

static int write_buckets(struct slot_time_counter *counter, enum histogram_kind kind, const uint32_t *now,
			 const uint32_t *told, uint32_t number)
{
	int err = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && !err; i++) {
		struct recording_bucket bucket = {
			.kind = (uint8_t)kind, .row = number, .bucket = (uint8_t)i, .count = now[i] - told[i]};

		if (bucket.count)
			err = recording_writer_bucket(counter->writer, &bucket);
	}
	return err;
}

static int write_row(struct slot_time_counter *counter, uint32_t slot, const struct slot_times *now, uint64_t time_ns)
{
	const struct slot_times *told = &counter->told[SLOT_PLACE(slot)];
	struct recording_times row = {
		.time_ns = time_ns,
		.oncpu_ns = now->oncpu_ns - told->oncpu_ns,
		.short_ns = now->short_ns - told->short_ns,
		.shorts = now->shorts - told->shorts,
		.woken_ns = now->woken_ns - told->woken_ns,
		.preempted_ns = now->preempted_ns - told->preempted_ns,
		.throttled_ns = now->throttled_ns - told->throttled_ns,
		.throttles = now->throttles - told->throttles,
		.pid_namespace = slots_pid_namespace(counter->slots, slot),
	};
	uint32_t number;
	int err;

	for (size_t i = 0; i < OFF_STATES; i++) {
		row.blocked_ns[i] = now->blocked_ns[i] - told->blocked_ns[i];
		row.blocks[i] = now->blocks[i] - told->blocks[i];
	}
	err = slots_row(counter->slots, slot, &row.container);
	if (!err)
		err = recording_writer_times(counter->writer, &row, &number);
	if (!err)
		err = write_buckets(counter, HISTOGRAM_WOKEN, now->woken, told->woken, number);
	return err ? err : write_buckets(counter, HISTOGRAM_PREEMPTED, now->preempted, told->preempted, number);
}

/* The two commonest reasons to wait are not in the programs' matrix. */
static int write_own(struct slot_time_counter *counter, uint32_t slot, const struct slot_times *now, uint64_t time_ns)
{
	const struct slot_times *told = &counter->told[SLOT_PLACE(slot)];
	struct recording_queue row = {.time_ns = time_ns, .ns = now->behind_own_ns - told->behind_own_ns};
	int err = slots_row(counter->slots, slot, &row.container);

	row.culprit = row.container;
	if (!err && row.ns)
		err = recording_writer_queue(counter->writer, &row);
	row.ns = now->behind_idle_ns - told->behind_idle_ns;
	row.culprit = RECORDING_NONE;
	row.reason = QUEUE_IDLE;
	return err || !row.ns ? err : recording_writer_queue(counter->writer, &row);
}

static int take_slot(struct slot_time_counter *counter, uint32_t slot, uint64_t time_ns)
{
	struct slot_times now = {0}, *told = &counter->told[SLOT_PLACE(slot)];
	uint32_t place = SLOT_PLACE(slot);
	int err;

	if (bpf_map_lookup_elem(counter->rows_fd, &place, counter->by_cpu))
		return -errno;
	for (int i = 0; i < counter->cpus; i++)
		add_times(&now, &counter->by_cpu[i]);
	if (!memcmp(&now, told, sizeof(now)))
		return 0;
	err = write_row(counter, slot, &now, time_ns);
	if (!err)
		err = write_own(counter, slot, &now, time_ns);
	if (!err)
		*told = now;
	return err;
}

static int write_pair(struct slot_time_counter *counter, const struct fetched_pair *pair, uint64_t time_ns)
{
	uint32_t victim = QUEUE_VICTIM(pair->key), culprit = QUEUE_CULPRIT(pair->key);
	struct recording_queue row = {.culprit = RECORDING_NONE, .time_ns = time_ns, .ns = pair->ns};
	int err = slots_row(counter->slots, victim, &row.container);

	if (culprit == CULPRIT_MOVED)
		row.reason = QUEUE_MOVED;
	else if (culprit == CULPRIT_EARLIER)
		row.reason = QUEUE_EARLIER;
	else if (SLOT_IS_UNWANTED(culprit))
		row.reason = QUEUE_UNWANTED;
	else if (culprit == SLOT_IDLE)
		row.reason = QUEUE_IDLE;
	else if (!err)
		err = slots_row(counter->slots, culprit, &row.culprit);
	return err ? err : recording_writer_queue(counter->writer, &row);
}

int slot_times_fetch(struct slot_time_counter *counter)
{
	return counter->queue ? map_pair_fetch(&counter->pairs) : 0;
}

int slot_times_write(struct slot_time_counter *counter, uint64_t time_ns)
{
	int err = 0;

	for (uint32_t place = SLOT_OTHERS; place < SLOTS_MAX && !err; place++) {
		uint32_t slot = slots_counted(counter->slots, place);

		if (slot)
			err = take_slot(counter, slot, time_ns);
	}
	for (size_t i = 0; i < counter->pairs.count && !err; i++)
		err = write_pair(counter, map_pair_entry(&counter->pairs, i), time_ns);
	map_pair_clear(&counter->pairs);
	return err;
}

int slot_times_drop(struct slot_time_counter *counter, uint64_t time_ns)
{
	int err = 0;

	for (uint32_t place = SLOT_FIRST; place < SLOTS_MAX && !err; place++) {
		if (!counter->slots->due[place])
			continue;
		err = take_slot(counter, slots_counted(counter->slots, place), time_ns);
		memset(counter->by_cpu, 0, (size_t)counter->cpus * sizeof(*counter->by_cpu));
		memset(&counter->told[place], 0, sizeof(counter->told[place]));
		if (!err && bpf_map_update_elem(counter->rows_fd, &place, counter->by_cpu, BPF_ANY))
			err = -errno;
	}
	return err;
}
