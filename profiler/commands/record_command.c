/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/record_command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

static int cannot_run(const char *name, int err)
{
	char shown[256];

	log_error("cannot run %s: %s", text_printable(name, shown, sizeof(shown)), strerror(err));
	return err == ENOENT ? 127 : 126;
}

/* In that folder; an empty one is this one. Returns 0 or -errno. */
static int look_in(const char *folder, int folder_bytes, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%.*s%s%s", folder_bytes, folder, folder_bytes ? "/" : "", name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return access(path, X_OK) ? -errno : 0;
}

int record_command_check(const char *name)
{
	const char *at = getenv("PATH"), *end;
	int err, reason = ENOENT;

	if (strchr(name, '/'))
		return access(name, X_OK) ? cannot_run(name, errno) : 0;
	/* Without one, that is where glibc looks. */
	for (at = at ? at : "/bin:/usr/bin";; at = end + 1) {
		end = strchrnul(at, ':');
		err = look_in(at, (int)(end - at), name);
		if (!err)
			return 0;
		if (err == -EACCES)
			reason = EACCES;
		if (!*end)
			return cannot_run(name, reason);
	}
}

void record_command_exec(char **command)
{
	execvp(command[0], command);
	_exit(cannot_run(command[0], errno));
}
