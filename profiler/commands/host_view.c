/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/host_view.h"

#include <sys/stat.h>

#include "symbolizer/base/log.h"

/* include/linux/proc_ns.h: PROC_PID_INIT_INO, PROC_CGROUP_INIT_INO. /proc/1's may not be looked at from everywhere. */
#define INITIAL_PID_NAMESPACE 0xeffffffcu
#define INITIAL_CGROUP_NAMESPACE 0xeffffffbu

/*
 * From inside a pid namespace the kernel's pids mean nothing: names would be those of other processes. From inside a cgroup
 * namespace only the cgroups below its root are there: all others would be unknown, and taken for gone.
 */
enum exit_status host_view_check(void)
{
	struct stat status;

	if (stat("/proc/self/ns/pid", &status)) {
		log_error("/proc is not mounted here: mount it, or run on the host");
	} else if (status.st_ino != INITIAL_PID_NAMESPACE) {
		log_error("running inside a pid namespace: run on the host, or with --pid=host and --cgroupns=host in "
			  "a container");
	} else if (!stat("/proc/self/ns/cgroup", &status) && status.st_ino != INITIAL_CGROUP_NAMESPACE) {
		/* A kernel without cgroup namespaces has no such file. */
		log_error("running inside a cgroup namespace, from where other containers cannot be seen: run on the "
			  "host, or with --cgroupns=host in a container");
	} else {
		return EXIT_OK;
	}
	return EXIT_UNSUPPORTED;
}
