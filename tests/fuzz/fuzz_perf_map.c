/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_perf_map: hostile perf maps, in pieces as a runtime writes them. A piece ends at a byte 0xff; behind it the file
 * may be cut first (0xfe). Every address that the text names is looked up.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolizer/perf_map.h"

#define PIECE_ENDS 0xff
#define CUT 0xfe

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct perf_map *map, const uint8_t *data, size_t size)
{

	for (size_t i = 0; i + 16 < size; i += 7) {
		char text[17];
		const char *name;

		memcpy(text, data + i, 16);
		text[16] = '\0';
		name = perf_map_find(map, strtoull(text, NULL, 16));
		if (!name)
			continue;
		if (!name[0] || strlen(name) > PERF_MAP_NAME_BYTES_MAX)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("map", MFD_CLOEXEC);
	struct perf_map *map;
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || perf_map_new(open(path, O_RDONLY | O_CLOEXEC), &map))
		abort();
	while (size) {
		const uint8_t *end = memchr(data, PIECE_ENDS, size);
		size_t piece = end ? (size_t)(end - data) : size;

		if (piece && data[0] == CUT) {
			if (ftruncate(fd, piece > 1 ? data[1] : 0) || lseek(fd, 0, SEEK_END) < 0)
				abort();
		} else if (write(fd, data, piece) != (ssize_t)piece) {
			abort();
		}
		perf_map_read(map);
		look_up(map, data, piece);
		data += piece + (end != NULL);
		size -= piece + (end != NULL);
	}
	perf_map_free(map);
	close(fd);
	return 0;
}
