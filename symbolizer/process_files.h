/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process_files: opens what a process names, without trusting it.
 *
 * Every file is looked at through an O_PATH descriptor: only regular files are opened for reading, so a FIFO, a device
 * or a directory cannot hang or surprise the reader. Symbolic links are resolved inside the process's root.
 *
 * A file system may be a process of the container (FUSE), which need not answer; who waits for it cannot be killed. An
 * O_PATH descriptor holds a file, and asks its file system nothing, not even when it is closed. So nobody but a child
 * that can be done without calls process_files_reopen(): worker.h does it for its caller.
 */
#ifndef SYMBOLIZER_PROCESS_FILES_H
#define SYMBOLIZER_PROCESS_FILES_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/**
 * process_files_stat() - fstat(2), from what the kernel knows: a file system elsewhere is not asked
 * @ret_stat: device, inode, mode, links, owner, size and modification time only
 */
int process_files_stat(int path_fd, struct stat *ret_stat);

/**
 * process_files_mapped() - the file behind a mapping, also when it was deleted or replaced
 * @start, @end: bounds of the mapping as /proc/PID/maps shows them
 * @ret_path_fd: an O_PATH descriptor, to be closed by the caller
 * Returns 0, -ENOENT (no such mapping any more), -EPERM, or what open(2) gave.
 */
int process_files_mapped(pid_t pid, uint64_t start, uint64_t end, int *ret_path_fd, struct stat *ret_stat);

/**
 * process_files_below() - a file by its path below a directory, as if that were the root
 * @path: links in it, absolute ones too, stay below; those of /proc that lead to other files' descriptors are refused
 * Returns 0, -ELOOP, or what openat2(2) gave.
 */
int process_files_below(int root_fd, const char *path, int *ret_path_fd, struct stat *ret_stat);

/**
 * process_files_inside() - a file by its path in the process's mount namespace and root
 * The rules of process_files_below() hold.
 */
int process_files_inside(pid_t pid, const char *path, int *ret_path_fd, struct stat *ret_stat);

/**
 * process_files_reopen() - a readable descriptor from an O_PATH one
 * Returns the descriptor, -EINVAL where it is no regular file or one of /proc, /sys and the like, or what open(2) gave.
 */
int process_files_reopen(int path_fd);

/**
 * process_files_perf_map() - the perf-PID.map of a process
 * @ns_pid: the PID inside; looked for as /tmp/perf-NS_PID.map inside, /tmp/perf-PID.map on the host, and a descriptor
 *          of that name that the process itself holds
 * @start_ns: when the process began, on the boot-time clock
 * A file that was last changed before the process began is of an earlier one with its PID, unless the process holds it
 * open. It counts as soon as it is written again. Where the clock was set forward since, and the process has closed its map,
 * that one is not told from an earlier one's until then.
 * The file must belong to the process's own user or to root, of the host or of its user namespace. A symbolic link in
 * its place is no regular file: with root's rights it may lead to what its maker cannot read.
 * Returns an O_PATH descriptor, -ENOENT, -EPERM (another owner), -EINVAL (no regular file), or what open(2) gave.
 */
int process_files_perf_map(pid_t pid, uint32_t ns_pid, uint64_t start_ns);

/* The letter of proc(5)'s state: R has a CPU or waits for one. 0: there is no such process. */
char process_files_state(pid_t pid);

/* CPU time of a process and of those of its children that it has waited for, to 10 ms; 0 where there is none. */
uint64_t process_files_cpu_ns(pid_t pid);

/* Reads at most @size - 1 bytes of /proc/PID/NAME; 0 with a NUL-terminated @text, or a negative errno. */
int process_files_read(pid_t pid, const char *name, char *text, size_t size);

#endif
