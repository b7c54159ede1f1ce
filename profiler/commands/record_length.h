/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_length: when a recording becomes longer than its reports can hold.
 */
#ifndef STOKER_RECORD_LENGTH_H
#define STOKER_RECORD_LENGTH_H

#include "profiler/collect/wait_programs.h"
#include "profiler/recording/recording_writer.h"

/**
 * record_length_beyond() - a report that cannot hold the rows so far
 * @recorded: reports of what is not recorded are not asked for
 * @memory_bytes_max: RECORDING_MEMORY_BYTES_MAX, but for tests
 * Returns the command's name, or NULL where each can hold them all.
 */
const char *record_length_beyond(const struct recording_writer *writer, const struct wait_settings *recorded,
				 uint64_t memory_bytes_max);

#endif
