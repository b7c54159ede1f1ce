/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/silent_devices.h"

#include "symbolizer/process_files.h"

bool silent_devices_has(const struct silent_devices *devices, int fd)
{
	struct stat status;

	if (!devices->added || fd < 0 || process_files_stat(fd, &status))
		return false;
	for (size_t i = 0; i < devices->added && i < SILENT_DEVICES_MAX; i++)
		if (devices->list[i] == status.st_dev)
			return true;
	return false;
}

void silent_devices_note(struct silent_devices *devices, int fd, struct worker *worker, uint64_t stuck_before)
{
	struct stat status;

	worker_generation(worker);
	if (worker_counts(worker).stuck != stuck_before && !process_files_stat(fd, &status))
		devices->list[devices->added++ % SILENT_DEVICES_MAX] = status.st_dev;
}
