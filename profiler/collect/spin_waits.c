/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/spin_waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "profiler/collect/count_set.h"
#include "profiler/collect/cpu_counters.h"
#include "profiler/collect/wait_stacks.h"
#include "symbolizer/base/cleanup.h"

#include "stoker.skel.h"

void spin_waits_init(struct spin_waits *spins, struct stoker_bpf *skeleton, struct recording_writer *writer,
		     struct owners *owners, struct stacks *stacks)
{
	memset(spins, 0, sizeof(*spins));
	spins->skeleton = skeleton;
	spins->writer = writer;
	spins->owners = owners;
	spins->stacks = stacks;
}

void spin_waits_deinit(struct spin_waits *spins)
{
	array_deinit(&spins->rows);
}

/* @by_cpu: [@cpus], of one place in the table */
static int take_rows(struct spin_waits *spins, const struct spin_row *by_cpu, size_t cpus, uint32_t round)
{
	for (size_t i = 0; i < cpus; i++) {
		if (by_cpu[i].round != round || !by_cpu[i].count || by_cpu[i].kind >= LOCK_KINDS ||
		    by_cpu[i].frame_count > SPIN_FRAMES)
			continue;
		if (array_reserve(&spins->rows, 1))
			return -ENOMEM;
		spins->rows.items[spins->rows.count++] = by_cpu[i];
	}
	return 0;
}

int spin_waits_fetch(struct spin_waits *spins)
{
	int fd = bpf_map__fd(spins->skeleton->maps.spin_rows), err = 0;
	uint32_t round = spins->skeleton->bss->spin_rounds + 1;
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	_cleanup_free_ struct spin_row *by_cpu = calloc(cpus, sizeof(*by_cpu));

	if (!by_cpu)
		return -ENOMEM;
	__atomic_store_n(&spins->skeleton->bss->spin_rounds, round, __ATOMIC_SEQ_CST);
	count_set_wait_for_programs();
	/* Nobody writes to that table now. */
	for (uint32_t place = 0; place < SPIN_TABLE && !err; place++) {
		uint32_t number = SPIN_AT(round, place);

		err = bpf_map_lookup_elem(fd, &number, by_cpu) ? -errno : take_rows(spins, by_cpu, cpus, round);
	}
	return err;
}

int spin_waits_want_names(struct spin_waits *spins, struct lock_names *names)
{
	int err = 0;

	for (size_t i = 0; i < spins->rows.count && !err; i++)
		err = lock_names_want(names, spins->rows.items[i].where, spins->rows.items[i].lock);
	return err;
}

static int write_row(struct spin_waits *spins, const struct lock_names *names, const struct spin_row *spin,
		     uint64_t time_ns)
{
	struct recording_lock row = {
		RECORDING_LOCK_ALONE,
		.flags = RECORDING_LOCK_SPUN,
		.lock_class = (uint8_t)spin->kind,
		.place = (uint8_t)spin->where,
		.name = lock_names_find(names, spin->where, spin->lock),
		.time_ns = time_ns,
		.count = spin->count,
		.total_ns = spin->total_ns,
		.max_ns = spin->max_ns,
	};
	uint32_t number;
	enum stack_end end;
	int err = spin->frame_count ? stacks_row(spins->stacks, NULL, spin->frames, spin->frame_count, NULL, 0, 0, NULL,
						 &row.stack, &end)
				    : 0;

	row.stack = wait_stacks_without_programs(spins->writer, row.stack);
	if (!err)
		err = owners_row(spins->owners, spin->cgroup_id, false, &row.container);
	return err ? err : recording_writer_lock(spins->writer, &row, &number);
}

int spin_waits_write(struct spin_waits *spins, const struct lock_names *names, uint64_t time_ns)
{
	int err = 0;

	for (size_t i = 0; i < spins->rows.count && !err; i++)
		err = write_row(spins, names, &spins->rows.items[i], time_ns);
	spins->rows.count = 0;
	return err;
}

int spin_waits_lost(const struct spin_waits *spins, struct spin_losses *ret_losses)
{
	return cpu_counters_sum(spins->skeleton->maps.spin_losses, sizeof(*ret_losses), ret_losses);
}
