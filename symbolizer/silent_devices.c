/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/silent_devices.h"

#include <poll.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/process_files.h"

static void remove_device(struct silent_devices *devices, size_t place)
{
	if (devices->list[place].pidfd >= 0)
		close(devices->list[place].pidfd);
	devices->list[place] = devices->list[--devices->count];
}

void silent_devices_deinit(struct silent_devices *devices)
{
	while (devices->count)
		remove_device(devices, devices->count - 1);
}

/* Locked. */
static void forget_answered(struct silent_devices *devices)
{
	struct pollfd polled[SILENT_DEVICES_MAX];

	for (size_t i = 0; i < devices->count; i++)
		polled[i] = (struct pollfd){.fd = devices->list[i].pidfd, .events = POLLIN};
	if (!devices->count || poll(polled, devices->count, 0) <= 0)
		return;
	/* From the end: what takes a place there was looked at before. */
	for (size_t i = devices->count; i-- > 0;)
		if (polled[i].revents)
			remove_device(devices, i);
}

bool silent_devices_has(struct silent_devices *devices, int fd)
{
	struct stat status;
	bool found = false;

	if (fd < 0 || process_files_stat(fd, &status))
		return false;
	pthread_mutex_lock(&devices->lock);
	forget_answered(devices);
	for (size_t i = 0; i < devices->count; i++)
		found |= devices->list[i].device == status.st_dev;
	pthread_mutex_unlock(&devices->lock);
	return found;
}

bool silent_devices_full(struct silent_devices *devices, const struct worker *worker, uint64_t tenant)
{
	size_t left = 0;

	pthread_mutex_lock(&devices->lock);
	forget_answered(devices);
	for (size_t i = 0; i < devices->count; i++)
		left += devices->list[i].worker == worker && devices->list[i].tenant == tenant;
	pthread_mutex_unlock(&devices->lock);
	return left >= SILENT_TENANT_MAX;
}

bool silent_devices_note(struct silent_devices *devices, int fd, struct worker *worker, uint64_t tenant,
			 uint64_t stuck_before)
{
	_cleanup_close_ int left = -1;
	struct stat status;
	dev_t device = 0;

	worker_generation(worker);
	if (worker_counts(worker).stuck == stuck_before)
		return false;
	left = worker_take_left(worker);
	if (fd >= 0 && !process_files_stat(fd, &status))
		device = status.st_dev;
	pthread_mutex_lock(&devices->lock);
	forget_answered(devices);
	if (devices->count < SILENT_DEVICES_MAX)
		devices->list[devices->count++] = (struct silent_device){device, take_fd(&left), worker, tenant};
	pthread_mutex_unlock(&devices->lock);
	return true;
}
