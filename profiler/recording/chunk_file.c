/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/recording/chunk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "symbolizer/base/cleanup.h"

#define ZSTD_LEVEL 6

static int write_all(int fd, const void *bytes, size_t count)
{
	const char *at = bytes;

	while (count) {
		ssize_t put = write(fd, at, count);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		at += put;
		count -= (size_t)put;
	}
	return 0;
}

/*
 * The file is always a new one, and made by us: in a folder that others may write to, nobody can have us write through
 * a link of theirs. What is no regular file (a pipe, /dev/null) is written to as it is.
 */
static int make_file(const char *path, int *ret_fd, bool *ret_can_cut)
{
	_cleanup_free_ char *target = NULL;
	char older[4096];
	struct stat status;
	int fd;

	if (!strcmp(path, "-")) {
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	} else if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	} else {
		target = realpath(path, NULL);
		if (target && (size_t)snprintf(older, sizeof(older), "%s.old", target) >= sizeof(older))
			return -ENAMETOOLONG;
		if (target && rename(target, older))
			return -errno;
		fd = open(target ? target : path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		*ret_can_cut = true;
	}
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int chunk_file_open(const char *path, struct chunk_file *ret_file)
{
	struct recording_file_header header = {.version = RECORDING_VERSION};
	_cleanup_close_ int fd = -1;
	bool can_cut = false;
	int err = make_file(path, &fd, &can_cut);

	if (err)
		return err;
	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	err = write_all(fd, &header, sizeof(header));
	if (err)
		return err;
	*ret_file = (struct chunk_file){.fd = take_fd(&fd), .can_cut = can_cut, .bytes = sizeof(header)};
	return 0;
}

int chunk_file_put(struct chunk_file *file, enum chunk_type type, const void *raw, size_t raw_bytes)
{
	size_t room = ZSTD_compressBound(raw_bytes);
	struct chunk_header header = {.type = type, .raw_bytes = (uint32_t)raw_bytes};
	_cleanup_free_ char *stored = malloc(sizeof(header) + room);
	size_t bytes;
	int err;

	if (!stored)
		return -ENOMEM;
	if (raw_bytes > CHUNK_RAW_BYTES_MAX)
		return -EFBIG;
	bytes = ZSTD_compress(stored + sizeof(header), room, raw, raw_bytes, ZSTD_LEVEL);
	if (ZSTD_isError(bytes))
		return -ENOMEM;
	header.stored_bytes = (uint32_t)bytes;
	header.checksum = chunk_checksum(&header, stored + sizeof(header));
	memcpy(stored, &header, sizeof(header));
	err = write_all(file->fd, stored, sizeof(header) + bytes);
	if (!err) {
		file->bytes += sizeof(header) + bytes;
	} else if (file->can_cut && ftruncate(file->fd, (off_t)file->bytes)) {
		/* The reader ignores half a chunk at the end: the first error is the one to tell. */
		return err;
	}
	return err;
}

int chunk_file_close(struct chunk_file *file)
{
	return file->fd >= 0 && close(take_fd(&file->fd)) ? -errno : 0;
}
