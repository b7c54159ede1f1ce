/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decompress: zlib, zstd and xz with limits, for what strangers compressed.
 *
 * Every function writes at most what its caller allows, whatever the input claims of itself, and needs memory in
 * proportion to that limit only (a zstd window is capped, xz gets a memory limit). A whole stream or nothing: input
 * that ends early, or that would give more than was allowed, is an error.
 */
#ifndef SYMBOLIZER_DECOMPRESS_H
#define SYMBOLIZER_DECOMPRESS_H

#include <stddef.h>

/*
 * Expansion above this is a bomb, not a section: deflate ends at 1,032, debug sections of compilers stay under 50.
 * The first DECOMPRESS_FREE_BYTES are allowed at any ratio.
 */
#define DECOMPRESS_RATIO_MAX 1100
#define DECOMPRESS_FREE_BYTES (64u << 10)

/* The most that @input_bytes may become, with @max as a limit above that. */
size_t decompress_limit(size_t input_bytes, size_t max);

/**
 * decompress_zlib(), decompress_zstd() - one stream of known size
 * @output: [output_bytes]; must be filled exactly
 * Returns 0, -ENOEXEC (broken, or of another size), or -ENOMEM; @output's bytes are undefined on failure.
 */
int decompress_zlib(const void *input, size_t input_bytes, void *output, size_t output_bytes);
int decompress_zstd(const void *input, size_t input_bytes, void *output, size_t output_bytes);

/**
 * decompress_xz() - one .xz stream of unknown size
 * @max: at most so many bytes come out; decompress_limit() holds too
 * @ret_output: [*ret_bytes], to be freed by the caller; untouched on failure
 * Returns 0, -ENOEXEC (broken), -E2BIG (more than allowed), or -ENOMEM.
 */
int decompress_xz(const void *input, size_t input_bytes, size_t max, void **ret_output, size_t *ret_bytes);

#endif
