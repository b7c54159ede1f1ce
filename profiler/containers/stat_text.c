/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/containers/stat_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int stat_text_read(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got = 1;
	char *line;

	while (got > 0 && used + 1 < size) {
		got = pread(fd, text + used, size - 1 - used, (off_t)used);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got < 0)
			return -errno;
		else
			used += (size_t)got;
	}
	text[used] = '\0';
	line = used + 1 == size ? strrchr(text, '\n') : NULL;
	if (line)
		line[1] = '\0';
	return 0;
}

const char *stat_text_next(const char *line)
{
	const char *end = strchr(line, '\n');

	return end && end[1] ? end + 1 : NULL;
}

bool stat_text_value(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = stat_text_next(line)) {
		const char *number = line + length;

		if (strncmp(line, key, length) != 0)
			continue;
		number += *number == ':';
		if (*number != ' ')
			continue;
		*ret = strtoull(number, NULL, 10);
		return true;
	}
	return false;
}

bool stat_text_field(const char *line, const char *key, uint64_t *ret)
{
	size_t length = strlen(key), rest = strcspn(line, "\n");

	for (const char *at = line; rest > length; at++, rest--) {
		if ((at != line && at[-1] != ' ') || strncmp(at, key, length) != 0 || at[length] != '=')
			continue;
		*ret = strtoull(at + length + 1, NULL, 10);
		return true;
	}
	return false;
}
