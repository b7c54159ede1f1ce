/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_input: hostile recordings out of a fuzzer's bytes. The first byte chooses: a file as it is, or chunk payloads
 * that are packed and given a good checksum here, so that the fuzzer gets behind it.
 */
#ifndef TESTS_FUZZ_RECORDING_INPUT_H
#define TESTS_FUZZ_RECORDING_INPUT_H

#include <stdio.h>

#include <zstd.h>

#include "profiler/recording/recording_format.h"

static inline void recording_input_chunk(FILE *out, enum chunk_type type, const uint8_t *raw, size_t size)
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

/* Payloads stand one after the other, each behind its length in 15 bits; the 16th says that it is of later tables. */
static inline void recording_input_pack(FILE *out, const uint8_t *data, size_t size)
{
	struct recording_file_header header = {.magic = RECORDING_MAGIC, .version = RECORDING_VERSION};

	fwrite(&header, sizeof(header), 1, out);
	while (size >= 2) {
		size_t length = data[0] | (data[1] & 0x7fu) << 8;
		enum chunk_type type = data[1] & 0x80 ? CHUNK_MORE : CHUNK_ROWS;

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		recording_input_chunk(out, type, data, length);
		data += length;
		size -= length;
	}
	recording_input_chunk(out, CHUNK_END, NULL, 0);
}

static inline void recording_input_write(FILE *out, const uint8_t *data, size_t size)
{
	if (size && data[0] & 1)
		recording_input_pack(out, data + 1, size - 1);
	else if (size)
		fwrite(data + 1, size - 1, 1, out);
}

#endif
