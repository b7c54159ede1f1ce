/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * silent_devices: file systems that did not answer when a file of theirs was opened or read (FUSE). Whoever is sent
 * there again may be lost as well, so nobody is, as long as who was sent there (worker_counts.stuck) is not back: a
 * disk may have had too much to do. All who read files share one list: of two who read the same page the second waits
 * for the first, which can be ended, and so looks like a busy disk.
 *
 * All zero is empty. Any thread may ask and add.
 */
#ifndef SYMBOLIZER_SILENT_DEVICES_H
#define SYMBOLIZER_SILENT_DEVICES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/worker.h"
#include "symbolizer/worker_nursery.h"

#define SILENT_DEVICES_MAX \
	(2 * NURSERY_CHILDREN_MAX) /* whom the nurseries of names and of unwind rows can leave behind */

struct silent_device {
	dev_t device;
	int pidfd; /* owned: of who was sent there; -1: nobody can say when that one is back */
};

struct silent_devices {
	pthread_mutex_t lock; /* of the others */
	struct silent_device list[SILENT_DEVICES_MAX];
	size_t count;
};

/* No thread asks any more. Empty again. */
void silent_devices_deinit(struct silent_devices *devices);

/* Is @fd, any descriptor or -1, of one of them? The file system is not asked. */
bool silent_devices_has(struct silent_devices *devices, int fd);

/**
 * silent_devices_note() - after a request about @fd that was not answered in time
 * @stuck_before: worker_counts.stuck before it
 * Adds the file's device where the worker could not be killed, which it learns from the start of the next one. Returns
 * whether that was so.
 */
bool silent_devices_note(struct silent_devices *devices, int fd, struct worker *worker, uint64_t stuck_before);

#endif
