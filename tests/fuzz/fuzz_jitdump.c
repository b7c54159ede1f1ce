/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_jitdump: hostile jitdump files, in two pieces as a runtime writes them: the first byte says where the first one
 * ends. Every eight bytes of the file are looked up as an address.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/jitdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct jitdump *dump, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 4) {
		struct jitdump_place place;
		uint64_t address;

		memcpy(&address, data + i, sizeof(address));
		if (!jitdump_find(dump, address, &place))
			continue;
		if (!place.function[0] || strlen(place.function) > JITDUMP_NAME_BYTES_MAX || address < place.start ||
		    address >= place.end || (place.file && !place.file[0]))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	struct jitdump *dump;
	size_t first;
	char path[48];

	if (!size) {
		close(fd);
		return 0;
	}
	first = data[0] * (size - 1) / 255;
	data++;
	size--;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || jitdump_new(open(path, O_RDONLY | O_CLOEXEC), &dump))
		abort();
	if (write(fd, data, first) != (ssize_t)first)
		abort();
	jitdump_read(dump);
	look_up(dump, data, first);
	if (write(fd, data + first, size - first) != (ssize_t)(size - first))
		abort();
	jitdump_read(dump);
	look_up(dump, data, size);
	jitdump_free(dump);
	close(fd);
	return 0;
}
