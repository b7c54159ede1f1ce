/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recording_writer: rows in, chunks out.
 *
 * Rows are collected in memory and written as chunks at each recording_writer_flush(): what was flushed stays readable
 * whatever happens next. Row numbers are given in the order of adding, per table. A frame may be defined again later
 * (a JIT's name that came after its samples): the later definition wins for the whole recording. Memory is what was
 * not flushed yet, the string table, and an index over stacks and frames: equal rows get the same number, but for those that
 * are forgotten at a flush, when there are a quarter of a million stacks or 65,536 frames.
 */
#ifndef STOKER_RECORDING_WRITER_H
#define STOKER_RECORDING_WRITER_H

#include "profiler/recording/recording.h"

struct recording_writer;

/**
 * recording_writer_new() - create a recording
 * @path: an older file of that name becomes PATH.old; "-" writes to standard output
 * @ret_writer: to be given to recording_writer_free()
 * Writes the header at once, so that an unwritable place is known before anything is recorded.
 * Errors: what open(2), rename(2) or write(2) gave.
 */
int recording_writer_new(const char *path, struct recording_writer **ret_writer);

/* Writes nothing more; recording_writer_finish() comes first where the recording ended as it should. */
void recording_writer_free(struct recording_writer *writer);

/*
 * The number of a string; 0 or -ENOMEM. Text over 64 KiB is cut. One that passes, of which a long recording has ever more (of
 * processes and containers), is forgotten when it has not been asked for in a while: equal text may then have another number.
 */
int recording_writer_string(struct recording_writer *writer, const char *text, size_t length, string_id *ret_id);
int recording_writer_passing(struct recording_writer *writer, const char *text, size_t length, string_id *ret_id);

/*
 * Adding rows: 0 with the new row's number, or -ENOMEM. recording_writer_frame() and _stack() give the number of an
 * equal row where there is one.
 */
int recording_writer_fact(struct recording_writer *writer, const char *key, const char *value);
int recording_writer_container(struct recording_writer *writer, const struct recording_container *row,
			       uint32_t *ret_row);
int recording_writer_process(struct recording_writer *writer, const struct recording_process *row, uint32_t *ret_row);
int recording_writer_thread(struct recording_writer *writer, const struct recording_thread *row, uint32_t *ret_row);
int recording_writer_frame(struct recording_writer *writer, const struct recording_frame *row, uint32_t *ret_row);
int recording_writer_stack(struct recording_writer *writer, const struct recording_stack *row, uint32_t *ret_row);
int recording_writer_sample(struct recording_writer *writer, const struct recording_sample *row);
/* The call that the sample added last was taken in. */
int recording_writer_sample_call(struct recording_writer *writer, string_id name);
int recording_writer_accounting(struct recording_writer *writer, const struct recording_accounting *row);
int recording_writer_call(struct recording_writer *writer, const struct recording_call *row, uint32_t *ret_row);
int recording_writer_wait(struct recording_writer *writer, const struct recording_wait *row);
int recording_writer_times(struct recording_writer *writer, const struct recording_times *row, uint32_t *ret_row);
int recording_writer_queue(struct recording_writer *writer, const struct recording_queue *row);
int recording_writer_lock(struct recording_writer *writer, const struct recording_lock *row, uint32_t *ret_row);
int recording_writer_hold(struct recording_writer *writer, const struct recording_hold *row);
int recording_writer_series(struct recording_writer *writer, const struct recording_series *row);
int recording_writer_bucket(struct recording_writer *writer, const struct recording_bucket *row);

/* A frame row of its own, never shared with an equal one, so that it can be redefined without touching others. */
int recording_writer_frame_alone(struct recording_writer *writer, const struct recording_frame *row, uint32_t *ret_row);
/* Containers (renamed, name found late) and frames may be defined again. 0 or -ENOMEM. */
int recording_writer_redefine_frame(struct recording_writer *writer, uint32_t number,
				    const struct recording_frame *row);
int recording_writer_redefine_container(struct recording_writer *writer, uint32_t number,
					const struct recording_container *row);

/**
 * recording_writer_flush() - write what was added since the last flush as chunks
 * Errors: what write(2) gave (-ENOSPC …), -ENOMEM. After an error the file is cut back to its last whole chunk,
 * every later flush gives the same error and writes nothing: what is on disk stays readable.
 */
int recording_writer_flush(struct recording_writer *writer);

/* Flush, then the end mark that tells a whole recording from a cut one, then close with its errors. */
int recording_writer_finish(struct recording_writer *writer);

/* A stack row that was given since the last flush. */
const struct recording_stack *recording_writer_stack_at(const struct recording_writer *writer, uint32_t number);

/* What a frame row was first called; "" for one that was forgotten. */
const char *recording_writer_frame_name(const struct recording_writer *writer, uint32_t number);

/*
 * How often frames and the strings that do not pass were forgotten, as they were too many: at a flush. Rows and strings that were
 * given before are still theirs in the file; whoever remembers them to save asking asks anew, so that their names are known here.
 */
uint64_t recording_writer_names_forgotten(const struct recording_writer *writer);

/* What the rows so far take in the memory of a reader that wants these (enum recording_wants), but for what it merges. */
uint64_t recording_writer_rows_bytes(const struct recording_writer *writer, unsigned int wants);

/* Bytes on disk so far. */
uint64_t recording_writer_bytes(const struct recording_writer *writer);

#endif
