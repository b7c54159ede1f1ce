/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf_map: names of JIT code, from the text file that a runtime writes as it compiles.
 *
 * A map belongs to one process and grows while the process runs. Entries may overlap when code memory is used again:
 * the later line wins. Lines that do not parse are skipped. The text comes from inside a container:
 * nothing in it is trusted, and reading it may not take more than its share of time.
 *
 * Format: "START SIZE NAME" in hexadecimal, tools/perf/Documentation/jit-interface.txt in the kernel tree; HotSpot
 * writes 0x prefixes.
 */
#ifndef SYMBOLIZER_PERF_MAP_H
#define SYMBOLIZER_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>

#define PERF_MAP_FILE_BYTES_MAX (256ull << 20)	 /* a larger file is refused whole */
#define PERF_MAP_READ_BYTES_MAX (32u << 20)	 /* for each call; the rest waits for the next */
#define PERF_MAP_AGAIN_BYTES_MAX (128u << 20)	 /* the same for what was read before and trimmed */
#define PERF_MAP_LINE_BYTES_MAX (64u << 10)	 /* a longer line is skipped */
#define PERF_MAP_NAME_BYTES_MAX 4096		 /* a longer name is cut */
#define PERF_MAP_FUNCTION_BYTES_MAX (4ull << 30) /* an entry that claims more is none */
#define PERF_MAP_ENTRIES_MAX (1u << 20)

struct perf_map;

/**
 * perf_map_new() - an empty map
 * @fd: the file, opened and checked by process_files_perf_map(); owned by the map from here on, also on failure
 * Returns 0 or -ENOMEM.
 */
int perf_map_new(int fd, struct perf_map **ret_map);
void perf_map_free(struct perf_map *map);

/* Memory that perf_map_trim() gives back; the next read then begins at the start, whatever its share of time. */
size_t perf_map_bytes(const struct perf_map *map);
void perf_map_trim(struct perf_map *map);

/**
 * perf_map_read() - read what was appended since the last call
 * A file that became shorter, or whose last bytes read are others now, is read from its start. Works on after the
 * process has ended. Errors, the map answering all the same: -EAGAIN (more is there than may be read now), -EFBIG,
 * -EIO, -ENOMEM (it may lack names, and is read from its start next time).
 */
int perf_map_read(struct perf_map *map);

/**
 * perf_map_find() - the function that holds an address in the process
 * Returns its name, valid until the next perf_map_read(), or NULL where the map has none.
 */
const char *perf_map_find(const struct perf_map *map, uint64_t address);

#endif
