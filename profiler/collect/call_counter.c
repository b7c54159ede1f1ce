/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/call_counter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/call_names.h"

#include "stoker.skel.h"

_Static_assert(HISTOGRAM_BUCKETS == RECORDING_BUCKETS, "the recording's buckets are the programs'");
_Static_assert(CALL_32_BIT == RECORDING_CALL_32_BIT && CALL_UNKNOWN == CALL_NUMBERS, "so are the numbers of calls");

struct call_counter {
	struct slots *slots;
	struct recording_writer *writer;
	struct stoker_bpf *skeleton;
	uint64_t *keys; /* the programs', of each row; 0: nobody's */
	uint32_t rows;
	int rows_fd, free_fd;
	bool timed; /* rows are struct call_counts, else struct call_tally */
	int cpus;
	void *by_cpu;		  /* [cpus], one row as read */
	struct call_counts *told; /* [rows], what is in the recording. Buckets count modulo 2³². */
};

static int free_row(struct call_counter *counter, uint32_t row)
{
	return bpf_map_update_elem(counter->free_fd, NULL, &row, BPF_ANY) ? -errno : 0;
}

int call_counter_new(struct stoker_bpf *skeleton, struct slots *slots, struct recording_writer *writer,
		     struct call_counter **ret_counter)
{
	struct call_counter *counter = calloc(1, sizeof(*counter));
	const struct bpf_map *rows;
	int err;

	if (!counter)
		return -ENOMEM;
	counter->slots = slots;
	counter->writer = writer;
	counter->skeleton = skeleton;
	counter->keys = skeleton->bss->call_row_keys;
	counter->timed = bpf_program__autoload(skeleton->progs.call_returned);
	rows = counter->timed ? skeleton->maps.call_rows : skeleton->maps.call_tallies;
	counter->rows_fd = bpf_map__fd(rows);
	counter->rows = bpf_map__max_entries(rows);
	counter->cpus = libbpf_num_possible_cpus();
	counter->by_cpu = calloc((size_t)counter->cpus, sizeof(struct call_counts));
	counter->told = calloc(counter->rows, sizeof(*counter->told));
	counter->free_fd = bpf_map__fd(skeleton->maps.free_call_rows);
	err = counter->by_cpu && counter->told ? 0 : -ENOMEM;
	for (uint32_t row = CALL_ROW_OTHERS + 1; row < counter->rows && !err; row++)
		err = free_row(counter, row);
	if (err) {
		call_counter_free(counter);
		return err;
	}
	*ret_counter = counter;
	return 0;
}

void call_counter_free(struct call_counter *counter)
{
	if (!counter)
		return;
	free(counter->by_cpu);
	free(counter->told);
	free(counter);
}

static void add_counts(struct call_counts *sum, const struct call_counts *one)
{
	sum->count += one->count;
	sum->errors += one->errors;
	sum->timed += one->timed;
	sum->wall_ns += one->wall_ns;
	if (one->wall_max_ns > sum->wall_max_ns)
		sum->wall_max_ns = one->wall_max_ns;
	sum->oncpu_ns += one->oncpu_ns;
	sum->blocked_ns += one->blocked_ns;
	sum->uninterruptible_ns += one->uninterruptible_ns;
	sum->queued_ns += one->queued_ns;
	sum->lock_ns += one->lock_ns;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->histogram[i] += one->histogram[i];
}

static int read_row(struct call_counter *counter, uint32_t row, struct call_counts *ret_sum)
{
	struct call_counts sum = {0};

	if (bpf_map_lookup_elem(counter->rows_fd, &row, counter->by_cpu))
		return -errno;
	for (int i = 0; i < counter->cpus; i++) {
		if (counter->timed) {
			add_counts(&sum, &((const struct call_counts *)counter->by_cpu)[i]);
		} else {
			sum.count += ((const struct call_tally *)counter->by_cpu)[i].count;
			sum.errors += ((const struct call_tally *)counter->by_cpu)[i].errors;
		}
	}
	*ret_sum = sum;
	return 0;
}

static int write_buckets(struct call_counter *counter, const struct call_counts *now, const struct call_counts *told,
			 uint32_t number)
{
	int err = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && !err; i++) {
		struct recording_bucket bucket = {
			.kind = HISTOGRAM_CALL,
			.row = number,
			.bucket = (uint8_t)i,
			.count = (uint32_t)(now->histogram[i] - told->histogram[i]),
		};

		if (bucket.count)
			err = recording_writer_bucket(counter->writer, &bucket);
	}
	return err;
}

static int write_row(struct call_counter *counter, uint32_t slot, uint32_t call, const struct call_counts *now,
		     const struct call_counts *told, uint64_t time_ns)
{
	struct recording_call row = {
		.number = (uint16_t)call,
		.time_ns = time_ns,
		.count = now->count - told->count,
		.errors = now->errors - told->errors,
		.timed = now->timed - told->timed,
		.wall_ns = now->wall_ns - told->wall_ns,
		.wall_max_ns = now->wall_max_ns,
		.oncpu_ns = now->oncpu_ns - told->oncpu_ns,
		.blocked_ns = now->blocked_ns - told->blocked_ns,
		.uninterruptible_ns = now->uninterruptible_ns - told->uninterruptible_ns,
		.queued_ns = now->queued_ns - told->queued_ns,
		.lock_ns = now->lock_ns - told->lock_ns,
	};
	char name[CALL_NAME_BYTES];
	uint32_t number;
	int err;

	call_name(call, name, sizeof(name));
	err = slots_row(counter->slots, slot, &row.container);
	if (!err)
		err = recording_writer_string(counter->writer, name, strlen(name), &row.name);
	if (!err)
		err = recording_writer_call(counter->writer, &row, &number);
	return err ? err : write_buckets(counter, now, told, number);
}

static int take_row(struct call_counter *counter, uint32_t row, uint32_t slot, uint32_t call, uint64_t time_ns)
{
	struct call_counts now, *told = &counter->told[row];
	int err = read_row(counter, row, &now);

	if (err || now.count == told->count)
		return err;
	err = write_row(counter, slot, call, &now, told, time_ns);
	if (!err)
		*told = now;
	return err;
}

int call_counter_write(struct call_counter *counter, uint64_t time_ns)
{
	int err = 0;

	for (uint32_t row = CALL_ROW_OTHERS + 1; row < counter->rows && !err; row++) {
		uint64_t key = __atomic_load_n(&counter->keys[row], __ATOMIC_ACQUIRE);

		if (key && slots_known(counter->slots, CALL_ROW_SLOT(key)))
			err = take_row(counter, row, CALL_ROW_SLOT(key), CALL_ROW_CALL(key), time_ns);
	}
	return err ? err : take_row(counter, CALL_ROW_OTHERS, SLOT_OTHERS, CALL_UNKNOWN, time_ns);
}

static int drop_row(struct call_counter *counter, uint32_t row, uint64_t time_ns)
{
	uint64_t key = counter->keys[row];
	int err = take_row(counter, row, CALL_ROW_SLOT(key), CALL_ROW_CALL(key), time_ns);

	if (err)
		return err;
	memset(counter->by_cpu, 0, (size_t)counter->cpus * sizeof(struct call_counts));
	if (bpf_map_update_elem(counter->rows_fd, &row, counter->by_cpu, BPF_ANY))
		return -errno;
	memset(&counter->told[row], 0, sizeof(counter->told[row]));
	counter->keys[row] = 0;
	return free_row(counter, row);
}

int call_counter_drop(struct call_counter *counter, uint64_t time_ns)
{
	static const uint32_t none[CALLS_MAX];
	int err = 0;

	for (uint32_t row = CALL_ROW_OTHERS + 1; row < counter->rows && !err; row++)
		if (counter->keys[row] && slots_over(counter->slots, CALL_ROW_SLOT(counter->keys[row])))
			err = drop_row(counter, row, time_ns);
	for (uint32_t place = SLOT_FIRST; place < SLOTS_MAX && !err; place++)
		if (counter->slots->due[place] &&
		    bpf_map_update_elem(bpf_map__fd(counter->skeleton->maps.call_row_of), &place, none, BPF_ANY))
			err = -errno;
	__atomic_store_n(&counter->skeleton->bss->call_rows_used_up, 0, __ATOMIC_SEQ_CST);
	return err;
}

uint64_t call_counter_others(const struct call_counter *counter)
{
	return counter->told[CALL_ROW_OTHERS].count;
}
