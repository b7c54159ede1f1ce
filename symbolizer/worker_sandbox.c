/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/worker_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

static void cleanup_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int close_all_but(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (fd != WORKER_SOCKET && dup2(fd, WORKER_SOCKET) < 0)
		return -errno;
	for (int standard = 0; standard < WORKER_SOCKET; standard++)
		if (null < 0 ? close(standard) && errno != EBADF : dup2(null, standard) < 0)
			return -errno;
	return close_range(WORKER_SOCKET + 1, ~0u, 0) ? -errno : 0;
}

static int limit(int resource, rlim_t most)
{
	struct rlimit limits;

	if (getrlimit(resource, &limits))
		return -errno;
	if (most > limits.rlim_max)
		most = limits.rlim_max;
	limits = (struct rlimit){most, most};
	return setrlimit(resource, &limits) ? -errno : 0;
}

static int set_limits(void)
{
	int err = limit(RLIMIT_CORE, 0);

	if (!err)
		err = limit(RLIMIT_NPROC, 0);
	if (!err)
		err = limit(RLIMIT_FSIZE, 0);
	if (!err)
		err = limit(RLIMIT_CPU, WORKER_CPU_SECONDS_MAX);
	if (!err)
		err = limit(RLIMIT_NOFILE, WORKER_DESCRIPTORS);
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory alone is terabytes of address space */
	if (!err)
		err = limit(RLIMIT_AS, WORKER_MEMORY_BYTES_MAX);
#endif
	return err;
}

static int drop_user(void)
{
	if (geteuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(WORKER_UID, WORKER_UID, WORKER_UID) ||
	    setresuid(WORKER_UID, WORKER_UID, WORKER_UID))
		return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static int allow(scmp_filter_ctx filter)
{
	static const int calls[] = {
		SCMP_SYS(read),		 SCMP_SYS(pread64),	 SCMP_SYS(lseek),  SCMP_SYS(fstat),
		SCMP_SYS(close),	 SCMP_SYS(dup),		 SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(madvise),	 SCMP_SYS(brk),		 SCMP_SYS(futex),  SCMP_SYS(getrusage),
		SCMP_SYS(clock_gettime), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit),   SCMP_SYS(exit_group),
		SCMP_SYS(sched_yield),
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(calls) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg), 1,
				       SCMP_A0(SCMP_CMP_EQ, WORKER_SOCKET));
	/* send(2): to no other address, and without descriptors. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2, SCMP_A0(SCMP_CMP_EQ, WORKER_SOCKET),
				       SCMP_A4(SCMP_CMP_EQ, 0));
	/* glibc's fstat(). With a path it could look at a file, though not open it: as a user who owns nothing. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				       SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	/* Memory, never a file: a file that shrinks under a mapping kills its reader. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
				       SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS | MAP_HUGETLB, MAP_ANONYMOUS));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFL));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFD));
	return err;
}

static int filter_calls(void)
{
	_cleanup_(cleanup_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? allow(filter) : -ENOMEM;

	return err ? err : seccomp_load(filter);
}

/* Another user than before has lost what was set, so it comes after drop_user(). */
static int end_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

int worker_sandbox_enter(int fd, pid_t parent)
{
	int err = close_all_but(fd);

	if (!err)
		err = set_limits();
	if (!err)
		err = drop_user();
	if (!err)
		err = end_with_parent(parent);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err)
		err = drop_capabilities();
	if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = -errno;
	return err ? err : filter_calls();
}
