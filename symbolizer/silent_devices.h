/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * silent_devices: file systems that did not answer when a file of theirs was opened or read (FUSE). Whoever is sent
 * there again may be lost as well, so nobody is. All who read files share one list: of two who read the same page the
 * second waits for the first, which can be ended, and so looks like a busy disk.
 *
 * All zero is empty. The oldest is forgotten where there are too many. Any thread may ask and add.
 */
#ifndef SYMBOLIZER_SILENT_DEVICES_H
#define SYMBOLIZER_SILENT_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer/worker.h"

#define SILENT_DEVICES_MAX 64

struct silent_devices {
	dev_t list[SILENT_DEVICES_MAX]; /* 0, which is no file system's: none */
	size_t added;
};

/* Is @fd, any descriptor or -1, of one of them? The file system is not asked. */
bool silent_devices_has(const struct silent_devices *devices, int fd);

/**
 * silent_devices_note() - after a request about @fd that was not answered in time
 * @stuck_before: worker_counts.stuck before it
 * Adds the file's device where the worker could not be killed, which it learns from the start of the next one.
 */
void silent_devices_note(struct silent_devices *devices, int fd, struct worker *worker, uint64_t stuck_before);

#endif
