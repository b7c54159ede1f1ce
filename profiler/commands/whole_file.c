/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/stream.h"

#define MODE 0666 /* less the umask */

static int open_directly(struct whole_file *file, const char *path)
{
	file->out = fopen(path, "we");
	return file->out ? 0 : -errno;
}

static int open_stdout(struct whole_file *file)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	file->out = fd < 0 ? NULL : fdopen(fd, "w");
	return file->out ? 0 : -errno;
}

/* The folder of a path, "." where it has none. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static int open_named(struct whole_file *file, int *ret_fd)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	if (asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) {
		file->temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(file->temporary, O_CLOEXEC);
	if (fd < 0) {
		int err = -errno;

		free(take_ptr(file->temporary));
		return err;
	}
	fchmod(fd, MODE & ~mask);
	*ret_fd = fd;
	return 0;
}

static int open_beside(struct whole_file *file)
{
	_cleanup_free_ char *folder = folder_of(file->path);
	_cleanup_close_ int fd = -1;
	int err;

	if (!folder)
		return -ENOMEM;
	fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, MODE);
	if (fd < 0) {
		err = open_named(file, &fd);
		if (err)
			return err;
	}
	file->out = fdopen(fd, "w");
	if (!file->out)
		return -errno;
	take_fd(&fd);
	return 0;
}

int whole_file_open(struct whole_file *file, const char *path)
{
	struct stat status;
	int err;

	memset(file, 0, sizeof(*file));
	if (!strcmp(path, "-"))
		return open_stdout(file);
	if (!stat(path, &status)) {
		if (S_ISDIR(status.st_mode))
			return -EISDIR;
		if (!S_ISREG(status.st_mode))
			return open_directly(file, path);
		if (access(path, W_OK))
			return -errno;
		/* A link stays a link: what it points to is replaced. */
		file->path = realpath(path, NULL);
	} else {
		file->path = strdup(path);
	}
	if (!file->path)
		return -ENOMEM;
	err = open_beside(file);
	if (err)
		whole_file_deinit(file);
	return err;
}

/* linkat(2) does not replace: the file without a name gets a temporary one first. */
static int name_it(struct whole_file *file)
{
	char self[64];

	if (file->temporary)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fileno(file->out));
	for (unsigned int tries = 0; tries < 100; tries++) {
		char *name;

		if (asprintf(&name, "%s.%d-%u", file->path, (int)getpid(), tries) < 0)
			return -ENOMEM;
		if (!linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW)) {
			file->temporary = name;
			return 0;
		}
		free(name);
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int whole_file_commit(struct whole_file *file)
{
	int err = stream_end(file->out);

	if (!err && file->path)
		err = name_it(file);
	if (err)
		return err;
	if (fclose(take_ptr(file->out)))
		return -errno;
	if (!file->path)
		return 0;
	if (rename(file->temporary, file->path))
		return -errno;
	free(take_ptr(file->temporary));
	return 0;
}

void whole_file_deinit(struct whole_file *file)
{
	if (file->out)
		fclose(take_ptr(file->out));
	if (file->temporary)
		unlink(file->temporary);
	free(take_ptr(file->temporary));
	free(take_ptr(file->path));
}
