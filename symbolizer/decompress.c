/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/decompress.h"

#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "symbolizer/base/cleanup.h"

#define ZSTD_WINDOW_LOG_MAX 27
#define XZ_MEMORY_MAX (96u << 20) /* xz -9 needs 65 MB */
#define XZ_FIRST_BYTES (256u << 10)

size_t decompress_limit(size_t input_bytes, size_t max)
{
	size_t limit = DECOMPRESS_FREE_BYTES;

	if (input_bytes > (SIZE_MAX - limit) / DECOMPRESS_RATIO_MAX)
		return max;
	limit += input_bytes * DECOMPRESS_RATIO_MAX;
	return limit < max ? limit : max;
}

static void cleanup_inflate(z_stream *stream)
{
	inflateEnd(stream);
}

int decompress_zlib(const void *input, size_t input_bytes, void *output, size_t output_bytes)
{
	_cleanup_(cleanup_inflate) z_stream stream = {0};
	size_t in = 0, out = 0;
	int status = Z_OK;

	if (inflateInit(&stream) != Z_OK)
		return -ENOMEM;
	/* zlib counts in unsigned int: larger sections go through in pieces. */
	while (status == Z_OK) {
		uInt in_now = input_bytes - in < INT_MAX ? (uInt)(input_bytes - in) : INT_MAX;
		uInt out_now = output_bytes - out < INT_MAX ? (uInt)(output_bytes - out) : INT_MAX;

		stream.next_in = (Bytef *)((uintptr_t)input + in);
		stream.avail_in = in_now;
		stream.next_out = (Bytef *)output + out;
		stream.avail_out = out_now;
		status = inflate(&stream, Z_NO_FLUSH);
		in += in_now - stream.avail_in;
		out += out_now - stream.avail_out;
		if (status == Z_OK && in_now == stream.avail_in && out_now == stream.avail_out)
			break;
	}
	if (status == Z_MEM_ERROR)
		return -ENOMEM;
	return status == Z_STREAM_END && out == output_bytes ? 0 : -ENOEXEC;
}

static void cleanup_zstd(ZSTD_DCtx **context)
{
	ZSTD_freeDCtx(*context);
}

int decompress_zstd(const void *input, size_t input_bytes, void *output, size_t output_bytes)
{
	_cleanup_(cleanup_zstd) ZSTD_DCtx *context = ZSTD_createDCtx();
	size_t got;

	if (!context)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	got = ZSTD_decompressDCtx(context, output, output_bytes, input, input_bytes);
	return !ZSTD_isError(got) && got == output_bytes ? 0 : -ENOEXEC;
}

static void cleanup_lzma(lzma_stream *stream)
{
	lzma_end(stream);
}

/* Runs until the stream ends or the buffer is full. */
static int run_xz(lzma_stream *stream, size_t limit, char **output, size_t *capacity)
{
	for (;;) {
		lzma_ret status = lzma_code(stream, LZMA_FINISH);
		size_t used = *capacity - stream->avail_out, wanted;
		char *grown;

		if (status == LZMA_STREAM_END)
			return 0;
		if (status == LZMA_MEM_ERROR)
			return -ENOMEM;
		if (status == LZMA_MEMLIMIT_ERROR)
			return -E2BIG;
		if (status != LZMA_OK || stream->avail_out)
			return -ENOEXEC;
		if (*capacity == limit)
			return -E2BIG;
		wanted = *capacity > limit / 2 ? limit : *capacity * 2;
		grown = realloc(*output, wanted);
		if (!grown)
			return -ENOMEM;
		*output = grown;
		*capacity = wanted;
		stream->next_out = (uint8_t *)grown + used;
		stream->avail_out = wanted - used;
	}
}

int decompress_xz(const void *input, size_t input_bytes, size_t max, void **ret_output, size_t *ret_bytes)
{
	_cleanup_(cleanup_lzma) lzma_stream stream = LZMA_STREAM_INIT;
	size_t limit = decompress_limit(input_bytes, max);
	size_t capacity = limit < XZ_FIRST_BYTES ? limit : XZ_FIRST_BYTES;
	_cleanup_free_ char *output = NULL;
	int err;

	if (!limit)
		return -E2BIG;
	output = malloc(capacity);
	if (!output || lzma_stream_decoder(&stream, XZ_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = input;
	stream.avail_in = input_bytes;
	stream.next_out = (uint8_t *)output;
	stream.avail_out = capacity;
	err = run_xz(&stream, limit, &output, &capacity);
	if (err)
		return err;
	*ret_bytes = capacity - stream.avail_out;
	*ret_output = take_ptr(output);
	return 0;
}
