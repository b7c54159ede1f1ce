/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/parsed_dwarf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPLITS_MAX 512 /* descriptors that one file may hold here */

void parsed_dwarf_trim(struct parsed_dwarf *dwarf)
{
	dwarf_index_free(dwarf->index);
	dwarf->index = NULL;
	dwarf->none = false;
}

void parsed_dwarf_drop_splits(struct parsed_dwarf *dwarf)
{
	parsed_dwarf_trim(dwarf);
	for (size_t i = 0; i < dwarf->splits.count; i++) {
		free(dwarf->splits.items[i].name);
		free(dwarf->splits.items[i].directory);
		if (dwarf->splits.items[i].fd >= 0)
			close(dwarf->splits.items[i].fd);
	}
	array_deinit(&dwarf->splits);
	dwarf->brought = 0;
}

/* The index has a copy of each that it uses. */
size_t parsed_dwarf_split_descriptors(const struct parsed_dwarf *dwarf)
{
	return dwarf->index ? 2 * dwarf->brought : dwarf->brought;
}

void parsed_dwarf_deinit(struct parsed_dwarf *dwarf)
{
	parsed_dwarf_drop_splits(dwarf);
	if (dwarf->package_fd >= 0)
		close(dwarf->package_fd);
}

static int want(struct parsed_dwarf *dwarf, const char *name, const char *directory)
{
	struct parsed_split split = {.fd = -1};

	if (dwarf->splits.count >= SPLITS_MAX || strlen(name) >= PATH_MAX || strlen(directory) >= PATH_MAX)
		return -ENOENT;
	split.name = strdup(name);
	split.directory = strdup(directory);
	if (!split.name || !split.directory || array_reserve(&dwarf->splits, 1)) {
		free(split.name);
		free(split.directory);
		return -ENOENT;
	}
	*array_add(&dwarf->splits) = split;
	return -EAGAIN;
}

/* The index owns what it gets and may ask again after a trim: it gets a copy. */
static int open_split(void *data, const char *name, const char *directory)
{
	struct parsed_dwarf *dwarf = data;

	for (size_t i = 0; i < dwarf->splits.count; i++) {
		const struct parsed_split *split = &dwarf->splits.items[i];
		int fd;

		if (strcmp(split->name, name) != 0 || strcmp(split->directory, directory) != 0)
			continue;
		if (!split->answered)
			return -EAGAIN;
		if (split->fd < 0)
			return -ENOENT;
		fd = dup(split->fd);
		return fd >= 0 ? fd : -ENOMEM;
	}
	return want(dwarf, name, directory);
}

/* Only what the file says is remembered, not what was missing here. */
static int make_index(struct parsed_dwarf *dwarf, const struct dwarf_files *files)
{
	int err = dwarf_index_new(files, &dwarf->index);
	bool starved = err == -ENOMEM && !dwarf->starved;

	dwarf->starved = starved;
	dwarf->none = err && err != -EIO && !starved;
	return starved ? err : 0;
}

int parsed_dwarf_find(struct parsed_dwarf *dwarf, int elf, int debug, int alternate, uint64_t address,
		      unsigned int flags, struct dwarf_frame *frames, size_t *ret_count)
{
	struct dwarf_files files = {
		.elf = elf,
		.debug = debug,
		.alternate = alternate,
		.package = dwarf->package_fd,
		.open_split = open_split,
		.data = dwarf,
	};

	int err = dwarf->index || dwarf->none ? 0 : make_index(dwarf, &files);

	*ret_count = 0;
	if (err || !dwarf->index)
		return err;
	return dwarf_index_find(dwarf->index, address, flags, frames, ret_count);
}

int parsed_dwarf_splits(const struct parsed_dwarf *dwarf, struct worker_bytes *answer)
{
	size_t told = 0;

	for (size_t i = 0; i < dwarf->splits.count && told < PARSE_SPLITS_MAX; i++) {
		const struct parsed_split *split = &dwarf->splits.items[i];
		struct parse_split record = {
			.number = (uint32_t)i,
			.name_bytes = (uint16_t)strlen(split->name),
			.directory_bytes = (uint16_t)strlen(split->directory),
		};

		if (split->answered)
			continue;
		if (worker_bytes_add(answer, &record, sizeof(record)) ||
		    worker_bytes_add(answer, split->name, record.name_bytes) ||
		    worker_bytes_add(answer, split->directory, record.directory_bytes))
			return -ENOMEM;
		told++;
	}
	return 0;
}

int parsed_dwarf_add_split(struct parsed_dwarf *dwarf, uint32_t number, int fd)
{
	if (number >= dwarf->splits.count || dwarf->splits.items[number].answered) {
		if (fd >= 0)
			close(fd);
		return -ENOENT;
	}
	dwarf->splits.items[number].answered = true;
	dwarf->splits.items[number].fd = fd;
	dwarf->brought += fd >= 0;
	return 0;
}

size_t parsed_dwarf_bytes(const struct parsed_dwarf *dwarf)
{
	return dwarf->index ? dwarf_index_bytes(dwarf->index) : 0;
}
