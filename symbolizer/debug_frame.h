/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug_frame: a file's .debug_frame for libdw, and nothing else of it.
 *
 * libdw reads and decompresses all debug sections of a file that it opens for this one: hundreds of megabytes of a Go
 * program. So it is given a file in memory that has no other.
 *
 * Runs where strangers' files are parsed (worker.h).
 */
#ifndef SYMBOLIZER_DEBUG_FRAME_H
#define SYMBOLIZER_DEBUG_FRAME_H

#include <elfutils/libdw.h>
#include <stddef.h>

#include "symbolizer/elf_image.h"

#define DEBUG_FRAME_BYTES_MAX (32u << 20)

struct debug_frame;

/**
 * debug_frame_new() - of a 64-bit file's own section, compressed or not
 * @image: needed for this call alone
 * Returns 0, -ENOENT (none), -E2BIG (over DEBUG_FRAME_BYTES_MAX), -ENOEXEC (broken), -EOPNOTSUPP, -EIO or -ENOMEM.
 */
int debug_frame_new(const struct elf_image *image, struct debug_frame **ret_frame);
void debug_frame_free(struct debug_frame *frame);

/* Lives as long as the frame. */
Dwarf_CFI *debug_frame_cfi(const struct debug_frame *frame);

/* About how much memory it takes: as call_frames_bytes() counts. */
size_t debug_frame_bytes(const struct debug_frame *frame);

#endif
