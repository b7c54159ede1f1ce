/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_frames: from a frame to its caller by a file's call frame information, whatever it says.
 *
 * What the rows of unwind_rows.h have no room for is here: expressions, all registers. By libdw, which works each
 * place's rules out anew, and shares no code with unwind_rows.h: so one can be held against the other. (libunwind does not
 * fit where this runs: it opens and maps files by itself, needs .eh_frame_hdr, which static programs lack, runs
 * expressions without a limit, and guesses by frame pointers without a word.)
 *
 * Runs where strangers' files are parsed (worker.h): libdw may take long over a hostile file, or die of it.
 */
#ifndef SYMBOLIZER_CALL_FRAMES_H
#define SYMBOLIZER_CALL_FRAMES_H

#include "symbolizer/dwarf_expression.h"

struct call_frames;

/**
 * call_frames_new() - the information of a file: .eh_frame, and .debug_frame where that says nothing
 * @fd: open for reading; stays the caller's, and must live longer
 * @debug_fd: its debug file, which has .debug_frame where the file has none; or -1. Needed for this call alone.
 * Returns 0 (also where the file has none), -ENOEXEC, -EOPNOTSUPP (another machine's code), -EIO or -ENOMEM. A
 * .debug_frame for which there is no memory is left out where the file has .eh_frame.
 */
int call_frames_new(int fd, int debug_fd, struct call_frames **ret_frames);
void call_frames_free(struct call_frames *frames);

/* About how much memory it takes. */
size_t call_frames_bytes(const struct call_frames *frames);

/* Go: code without information keeps frame pointers. */
bool call_frames_keep_pointers(const struct call_frames *frames);

enum call_step {
	CALL_STEPPED,	 /* the registers are the caller's */
	CALL_SIGNAL,	 /* the same; they are what a signal interrupted */
	CALL_FIRST,	 /* nobody called */
	CALL_UNKNOWN,	 /* the file says nothing of this place */
	CALL_UNREADABLE, /* by memory or registers that are not there */
	CALL_SENSELESS,	 /* the caller's stack would not be above */
};

/**
 * call_frames_step() - to the caller
 * @offset: in the file, of the place that runs (of a caller: of its call)
 * @registers: the frame's; replaced by its caller's where that is found
 */
enum call_step call_frames_step(struct call_frames *frames, uint64_t offset, struct call_registers *registers,
				const struct call_memory *memory);

#endif
