/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_recording: hostile recordings. The first byte of the input chooses: a file as it is, or chunk payloads that are
 * packed and given a good checksum here, so that the fuzzer gets behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "profiler/recording/recording_format.h"
#include "profiler/recording/recording_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_chunk(FILE *out, enum chunk_type type, const uint8_t *raw, size_t size)
{
	char stored[1 << 16];
	struct chunk_header header = {.type = type, .raw_bytes = (uint32_t)size};
	size_t bytes = ZSTD_compress(stored, sizeof(stored), raw, size, 1);

	if (ZSTD_isError(bytes))
		return;
	header.stored_bytes = (uint32_t)bytes;
	header.checksum = chunk_checksum(&header, stored);
	fwrite(&header, sizeof(header), 1, out);
	fwrite(stored, bytes, 1, out);
}

/* Payloads stand one after the other, each behind its length in two bytes. */
static void pack(FILE *out, const uint8_t *data, size_t size)
{
	struct recording_file_header header = {.magic = RECORDING_MAGIC, .version = RECORDING_VERSION};

	fwrite(&header, sizeof(header), 1, out);
	while (size >= 2) {
		size_t length = data[0] | (size_t)data[1] << 8;

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		put_chunk(out, CHUNK_ROWS, data, length);
		data += length;
		size -= length;
	}
	put_chunk(out, CHUNK_END, NULL, 0);
}

/* Everything that a reader may rely on. */
static void use(const struct recording_tables *tables)
{
	volatile uint64_t sum = 0;

	for (size_t i = 0; i < tables->containers.count; i++)
		sum += string_table_text(&tables->strings, tables->containers.items[i].name)[0];
	for (size_t i = 0; i < tables->threads.count; i++)
		sum += tables->processes.items[tables->threads.items[i].process].tgid;
	for (size_t i = 0; i < tables->stacks.count; i++) {
		if (tables->stacks.items[i].parent != RECORDING_STACK_ROOT && tables->stacks.items[i].parent >= i)
			abort();
		sum += tables->frames.items[tables->stacks.items[i].frame].named;
	}
	for (size_t i = 0; i < tables->samples.count; i++) {
		const struct recording_sample *sample = &tables->samples.items[i];

		sum += tables->containers.items[sample->container].kind + tables->threads.items[sample->thread].tid;
		if (sample->stack != RECORDING_STACK_ROOT)
			sum += tables->stacks.items[sample->stack].frame;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recording_tables tables;
	uint64_t ignored = 0;
	char *bytes = NULL;
	size_t length = 0;
	bool whole;
	FILE *file;

	if (!size)
		return 0;
	file = open_memstream(&bytes, &length);
	if (data[0] & 1)
		pack(file, data + 1, size - 1);
	else
		fwrite(data + 1, size - 1, 1, file);
	fclose(file);
	if (length && !recording_tables_init(&tables)) {
		file = fmemopen(bytes, length, "r");
		if (!recording_read(file, &tables, &whole, &ignored) && ignored > length)
			abort();
		use(&tables);
		fclose(file);
		recording_tables_deinit(&tables);
	}
	free(bytes);
	return 0;
}
