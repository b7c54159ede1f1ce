/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * silent_devices: file systems that did not answer when a file of theirs was opened or read (FUSE). Whoever is sent
 * there again may be lost as well, so nobody is, as long as who was sent there (worker_counts.stuck) is not back: a
 * disk may have had too much to do. All who read files share one list: of two who read the same page the second waits
 * for the first, which can be ended, and so looks like a busy disk.
 *
 * A container can mount as many such file systems as it likes, and a worker has room for NURSERY_CHILDREN_MAX. So of each
 * tenant's it leaves SILENT_TENANT_MAX behind, and then asks about none of its files until one is back.
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
#define SILENT_TENANT_MAX 4

struct silent_device {
	dev_t device;		     /* 0, which is no file system's: not known */
	bool own;		     /* that tenant's alone: it may have been another one */
	int pidfd;		     /* owned: of who was sent there; -1: nobody can say when that one is back */
	const struct worker *worker; /* whose that one is */
	uint64_t tenant;	     /* for whom; a number of the worker's caller */
};

struct silent_devices {
	pthread_mutex_t lock; /* of the others */
	struct silent_device list[SILENT_DEVICES_MAX];
	size_t count;
};

/* No thread asks any more. Empty again. */
void silent_devices_deinit(struct silent_devices *devices);

/* Whose files are to be read, and by whom. */
struct silent_request {
	struct worker *worker;
	uint64_t tenant;
	const int *fds; /* all that it may read, or -1; the first one is what it is about */
	size_t count;
	bool more; /* it may read others, too */
};

/* Is a file of it on one of them? The file systems are not asked. */
bool silent_devices_has(struct silent_devices *devices, const struct silent_request *request);

/* Has @worker left as many behind as it may for @tenant? */
bool silent_devices_full(struct silent_devices *devices, const struct worker *worker, uint64_t tenant);

/**
 * silent_devices_note() - after a request that was not answered in time
 * @stuck_before: worker_counts.stuck before it
 * Adds a device where the worker's child could not be killed, which it learns from the start of the next one. Where files of two
 * devices were read, nobody can say which one it was: then it is the second, and for this worker's tenant alone.
 * Returns whether the child could not be killed.
 */
bool silent_devices_note(struct silent_devices *devices, const struct silent_request *request, uint64_t stuck_before);

#endif
