/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/silent_devices.h"

#include <poll.h>
#include <unistd.h>

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

static bool is_silent(const struct silent_devices *devices, const struct silent_request *request, dev_t device)
{
	for (size_t i = 0; i < devices->count; i++) {
		const struct silent_device *silent = &devices->list[i];

		if (silent->device == device &&
		    (!silent->own || (silent->worker == request->worker && silent->tenant == request->tenant)))
			return true;
	}
	return false;
}

bool silent_devices_has(struct silent_devices *devices, const struct silent_request *request)
{
	bool found = false;
	struct stat status;

	pthread_mutex_lock(&devices->lock);
	forget_answered(devices);
	for (size_t i = 0; i < request->count && devices->count && !found; i++)
		found = request->fds[i] >= 0 && !process_files_stat(request->fds[i], &status) &&
			is_silent(devices, request, status.st_dev);
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

/* A file of the host's is not to be nobody's because one of a container's own file system was read beside it. */
static struct silent_device to_blame(const struct silent_request *request)
{
	struct silent_device blamed = {.worker = request->worker, .tenant = request->tenant, .own = request->more};
	struct stat status;

	for (size_t i = 0; i < request->count; i++) {
		if (request->fds[i] < 0 || process_files_stat(request->fds[i], &status))
			continue;
		blamed.own |= blamed.device && blamed.device != status.st_dev;
		blamed.device = status.st_dev;
		if (blamed.own && i)
			break;
	}
	return blamed;
}

bool silent_devices_note(struct silent_devices *devices, const struct silent_request *request, uint64_t stuck_before)
{
	struct silent_device blamed;

	worker_generation(request->worker);
	if (worker_counts(request->worker).stuck == stuck_before)
		return false;
	blamed = to_blame(request);
	blamed.pidfd = worker_take_left(request->worker);
	pthread_mutex_lock(&devices->lock);
	forget_answered(devices);
	if (devices->count < SILENT_DEVICES_MAX)
		devices->list[devices->count++] = blamed;
	else if (blamed.pidfd >= 0)
		close(blamed.pidfd);
	pthread_mutex_unlock(&devices->lock);
	return true;
}
