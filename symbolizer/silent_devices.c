/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/silent_devices.h"

#include "symbolizer/process_files.h"

bool silent_devices_has(const struct silent_devices *devices, int fd)
{
	struct stat status;

	if (!__atomic_load_n(&devices->added, __ATOMIC_RELAXED) || fd < 0 || process_files_stat(fd, &status))
		return false;
	for (size_t i = 0; i < SILENT_DEVICES_MAX; i++)
		if (__atomic_load_n(&devices->list[i], __ATOMIC_RELAXED) == status.st_dev)
			return true;
	return false;
}

void silent_devices_note(struct silent_devices *devices, int fd, struct worker *worker, uint64_t stuck_before)
{
	struct stat status;
	size_t place;

	worker_generation(worker);
	if (worker_counts(worker).stuck == stuck_before || process_files_stat(fd, &status))
		return;
	place = __atomic_fetch_add(&devices->added, 1, __ATOMIC_RELAXED) % SILENT_DEVICES_MAX;
	__atomic_store_n(&devices->list[place], status.st_dev, __ATOMIC_RELAXED);
}
