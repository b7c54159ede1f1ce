/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/worker_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"

#define KEPT_FD 3

static void cleanup_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int close_all_but(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (fd != KEPT_FD && dup2(fd, KEPT_FD) < 0)
		return -errno;
	for (int standard = 0; standard < KEPT_FD; standard++)
		if (null < 0 ? close(standard) && errno != EBADF : dup2(null, standard) < 0)
			return -errno;
	return close_range(KEPT_FD + 1, ~0u, 0) ? -errno : 0;
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
		err = limit(RLIMIT_NOFILE, WORKER_DESCRIPTORS);
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory alone is terabytes of address space */
	if (!err)
		err = limit(RLIMIT_AS, WORKER_MEMORY_BYTES_MAX);
#endif
	return err;
}

void worker_sandbox_limit_cpu(unsigned int seconds)
{
	struct rusage used;
	struct rlimit limits;

	if (getrusage(RUSAGE_SELF, &used) || getrlimit(RLIMIT_CPU, &limits))
		return;
	limits.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + seconds;
	if (limits.rlim_cur <= limits.rlim_max)
		setrlimit(RLIMIT_CPU, &limits);
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
		SCMP_SYS(read),	       SCMP_SYS(pread64),      SCMP_SYS(lseek),	  SCMP_SYS(fstat),
		SCMP_SYS(close),       SCMP_SYS(recvmsg),      SCMP_SYS(sendmsg), SCMP_SYS(munmap),
		SCMP_SYS(mremap),      SCMP_SYS(madvise),      SCMP_SYS(brk),	  SCMP_SYS(futex),
		SCMP_SYS(getrusage),   SCMP_SYS(rt_sigreturn), SCMP_SYS(exit),	  SCMP_SYS(exit_group),
		SCMP_SYS(sched_yield), SCMP_SYS(dup),
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(calls) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	/* glibc's fstat(). With a path it could look at a file, though not open it: as a user who owns nothing. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				       SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	/* Memory, never a file: a file that shrinks under a mapping kills its reader. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
				       SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFL));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFD));
	/* Itself only: its own CPU limit. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0));
	return err;
}

static int filter_calls(void)
{
	_cleanup_(cleanup_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? allow(filter) : -ENOMEM;

	return err ? err : seccomp_load(filter);
}

int worker_sandbox_enter(int fd)
{
	int err = close_all_but(fd);

	if (!err)
		err = set_limits();
	if (!err)
		err = drop_user();
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err)
		err = drop_capabilities();
	if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = -errno;
	return err ? err : filter_calls();
}
