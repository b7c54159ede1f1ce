/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/slot_times.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"

#include "stoker.skel.h"

struct told_pair {
	uint32_t key; /* QUEUE_KEY() */
	uint64_t ns;
};

struct slot_time_counter {
	struct slots *slots;
	struct recording_writer *writer;
	int rows_fd, matrix_fd; /* matrix_fd: -1 where it was not asked for */
	int cpus;
	struct slot_times *by_cpu;	   /* [cpus], one row as read */
	struct slot_times told[SLOTS_MAX]; /* what is in the recording */
	ARRAY(struct told_pair) pairs;
	struct hash_index pair_index;
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
	counter->matrix_fd = queue ? bpf_map__fd(skeleton->maps.queue_matrix) : -1;
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
	array_deinit(&counter->pairs);
	hash_index_deinit(&counter->pair_index);
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
	const struct slot_times *told = &counter->told[slot];
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
	const struct slot_times *told = &counter->told[slot];
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
	struct slot_times now = {0};
	int err;

	if (bpf_map_lookup_elem(counter->rows_fd, &slot, counter->by_cpu))
		return -errno;
	for (int i = 0; i < counter->cpus; i++)
		add_times(&now, &counter->by_cpu[i]);
	if (!memcmp(&now, &counter->told[slot], sizeof(now)))
		return 0;
	err = write_row(counter, slot, &now, time_ns);
	if (!err)
		err = write_own(counter, slot, &now, time_ns);
	if (!err)
		counter->told[slot] = now;
	return err;
}

/* What was told of a pair. NULL where memory is out. */
static uint64_t *told_of(struct slot_time_counter *counter, uint32_t key)
{
	uint64_t hash = hash_words(key, 0);
	struct told_pair *added;
	uint32_t number;

	for (size_t at = hash_index_first(&counter->pair_index, hash);
	     hash_index_next(&counter->pair_index, hash, &at, &number);)
		if (counter->pairs.items[number].key == key)
			return &counter->pairs.items[number].ns;
	if (array_reserve(&counter->pairs, 1) ||
	    hash_index_insert(&counter->pair_index, hash, (uint32_t)counter->pairs.count))
		return NULL;
	added = array_add(&counter->pairs);
	added->key = key;
	return &added->ns;
}

static int write_pair(struct slot_time_counter *counter, uint32_t key, uint64_t ns, uint64_t time_ns)
{
	static const uint8_t reasons[] = {[SLOT_UNWANTED] = QUEUE_UNWANTED, [SLOT_IDLE] = QUEUE_IDLE};
	uint32_t victim = QUEUE_VICTIM(key), culprit = QUEUE_CULPRIT(key);
	struct recording_queue row = {.culprit = RECORDING_NONE, .time_ns = time_ns, .ns = ns};
	int err = slots_row(counter->slots, victim, &row.container);

	if (culprit == CULPRIT_MOVED)
		row.reason = QUEUE_MOVED;
	else if (culprit == CULPRIT_EARLIER)
		row.reason = QUEUE_EARLIER;
	else if (culprit == SLOT_UNWANTED || culprit == SLOT_IDLE)
		row.reason = reasons[culprit];
	else if (!err)
		err = slots_row(counter->slots, culprit, &row.culprit);
	return err ? err : recording_writer_queue(counter->writer, &row);
}

static bool culprit_known(const struct slot_time_counter *counter, uint32_t culprit)
{
	return culprit == CULPRIT_MOVED || culprit == CULPRIT_EARLIER || slots_known(counter->slots, culprit);
}

static int write_matrix(struct slot_time_counter *counter, uint64_t time_ns)
{
	uint32_t key, *previous = NULL;
	int err = 0;

	/* Keys are never taken out, so the walk ends. */
	for (uint32_t i = 0; i < QUEUE_PAIRS_MAX && !err && !bpf_map_get_next_key(counter->matrix_fd, previous, &key);
	     i++) {
		uint64_t now, *told;

		previous = &key;
		if (!slots_known(counter->slots, QUEUE_VICTIM(key)) || !culprit_known(counter, QUEUE_CULPRIT(key)))
			continue;
		told = told_of(counter, key);
		if (!told)
			return -ENOMEM;
		if (bpf_map_lookup_elem(counter->matrix_fd, &key, &now) || now == *told)
			continue;
		err = write_pair(counter, key, now - *told, time_ns);
		if (!err)
			*told = now;
	}
	return err;
}

int slot_times_write(struct slot_time_counter *counter, uint64_t time_ns)
{
	int err = 0;

	for (uint32_t slot = SLOT_OTHERS; slot < SLOTS_MAX && !err; slot++)
		if (slots_known(counter->slots, slot))
			err = take_slot(counter, slot, time_ns);
	if (!err && counter->matrix_fd >= 0)
		err = write_matrix(counter, time_ns);
	return err;
}
