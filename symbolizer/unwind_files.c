/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/unwind_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/process_files.h"
#include "symbolizer/process_maps.h"

#define VDSO_BYTES 8192 /* two pages hold it on x86-64 */

static void cleanup_mappings(struct mapping_array *mappings)
{
	array_deinit(&mappings->list);
}

static enum unwind_mapping_kind kind_of(enum mapping_kind kind)
{
	switch (kind) {
	case MAPPING_FILE:
		return UNWIND_MAPPING_FILE;
	case MAPPING_JIT:
		return UNWIND_MAPPING_JIT;
	case MAPPING_VDSO:
		return UNWIND_MAPPING_VDSO;
	case MAPPING_OTHER:
		break;
	}
	return UNWIND_MAPPING_OTHER;
}

static int parse(char *text, struct unwind_mapping_array *ret)
{
	_cleanup_(string_table_deinit) struct string_table strings = {0};
	_cleanup_(cleanup_mappings) struct mapping_array parsed = {0};
	int err = string_table_init(&strings);

	if (!err)
		err = process_maps_parse(text, &strings, &parsed);
	if (err || array_reserve(&ret->list, parsed.list.count))
		return -ENOMEM;
	for (size_t i = 0; i < parsed.list.count; i++) {
		const struct mapping *mapping = &parsed.list.items[i];

		/* Its file cannot be opened by the bounds of code that was moved. */
		bool moved = mapping->file_start != mapping->start;

		*array_add(&ret->list) = (struct unwind_mapping){
			mapping->start, mapping->end, mapping->offset, kind_of(moved ? MAPPING_JIT : mapping->kind),
			i && !moved && process_maps_same_file(&mapping[-1], mapping)};
	}
	return 0;
}

int unwind_files_mappings(struct memory_reader *reader, uint64_t tenant, pid_t pid,
			  struct unwind_mapping_array *mappings)
{
	_cleanup_free_ char *text = NULL;
	int err = memory_reader_maps(reader, tenant, pid, &text);

	if (!err && !*text) {
		free(take_ptr(text));
		err = memory_reader_maps(reader, tenant, process_maps_reader(pid), &text);
	}
	return err ? err : parse(text, mappings);
}

bool unwind_files_is_busy(pid_t pid)
{
	uint64_t user, system, start, ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec now;
	char text[2048], *at;

	/* Fields 14, 15 and 22 of proc(5)'s stat; the comm before them may hold anything. */
	if (process_files_read(pid, "stat", text, sizeof(text)) || clock_gettime(CLOCK_BOOTTIME, &now))
		return false;
	at = strrchr(text, ')');
	if (!at || sscanf(at,
			  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
			  " %*d %*d %*d %*d %*d %*d %" SCNu64,
			  &user, &system, &start) != 3)
		return false;
	return (user + system) * 100 > (uint64_t)now.tv_sec * ticks - start;
}

enum unwind_mapping_kind unwind_files_kind(const char *path)
{
	struct unwind_mapping_array parsed = {0};
	enum unwind_mapping_kind kind = UNWIND_MAPPING_OTHER;
	char line[4352];

	/* One set of rules for both: a line as /proc shows it. An inode number is one whose path is a file's. */
	snprintf(line, sizeof(line), "1000-2000 r-xp 00000000 00:00 %d %s", path[0] == '/' && path[1] != '/', path);
	if (!parse(line, &parsed) && parsed.list.count)
		kind = parsed.list.items[0].kind;
	array_deinit(&parsed.list);
	return kind;
}

int unwind_files_open(struct memory_reader *reader, uint64_t tenant, pid_t pid, uint64_t start, uint64_t end,
		      int *ret_path_fd, struct unwind_identity *ret_identity)
{
	struct memory_file file = {.start = start, .end = end};
	int err = memory_reader_files(reader, tenant, pid, &file, 1);

	if (!err && (file.error == -ENOENT || file.error == -ESRCH))
		err = memory_reader_files(reader, tenant, process_maps_reader(pid), &file, 1);
	if (err || file.error)
		return err ? err : file.error;
	if (!S_ISREG(file.status.st_mode)) {
		close(file.path_fd);
		return -EINVAL;
	}
	*ret_identity = (struct unwind_identity){file.status.st_dev, file.status.st_ino, file.status.st_size,
						 file.status.st_mtim};
	*ret_path_fd = file.path_fd;
	return 0;
}

int unwind_files_root(pid_t pid, int *ret_fd, struct unwind_root *ret_root)
{
	_cleanup_close_ int fd = -1;
	struct stat status;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || process_files_stat(fd, &status))
		return -errno;
	*ret_root = (struct unwind_root){pid, status.st_dev, status.st_ino};
	if (ret_fd)
		*ret_fd = take_fd(&fd);
	return 0;
}

static int open_vdso(void)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	_cleanup_close_ int fd = -1;

	if (!image)
		return -ENOENT;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0 || write(fd, image, VDSO_BYTES) < 0)
		return -errno;
	return take_fd(&fd);
}

int unwind_files_reopen(int path_fd)
{
	return path_fd < 0 ? open_vdso() : fcntl(path_fd, F_DUPFD_CLOEXEC, 0);
}
