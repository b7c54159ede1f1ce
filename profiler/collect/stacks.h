/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks: from addresses to stack rows of the recording.
 *
 * Addresses become frame rows (address_frames.h); frames of Python stand where the interpreter's own would; the user part
 * says how it ended. A stack is at most STACK_FRAMES_MAX addresses and 1024 rows a part: what is more is left out at the
 * root.
 */
#ifndef STOKER_STACKS_H
#define STOKER_STACKS_H

#include "profiler/collect/processes.h"
#include "profiler/collect/python_names.h"
#include "profiler/recording/recording_writer.h"
#include "symbolizer/symbolizer.h"

struct stacks;

/* The Python frames of a stack_event. */
struct python_frames {
	const uint64_t *words; /* [count], leaf first */
	size_t count;
	enum python_end end;
};

/* @names: of Python functions; NULL: stacks have none. All three stay the caller's and must live longer. 0 or -ENOMEM. */
int stacks_new(struct symbolizer *symbolizer, struct recording_writer *writer, struct python_names *names,
	       struct stacks **ret_stacks);
void stacks_free(struct stacks *stacks);

/**
 * stacks_want() - say that a stack will be asked for
 * Asking the symbolizer costs a round trip: so all that is wanted is named at once, by stacks_name_wanted().
 * @process, @kernel, @user, @flags: as for stacks_row(); @process must live until then
 * Both return 0 or -ENOMEM.
 */
int stacks_want(struct stacks *stacks, const struct process *process, const uint64_t *kernel, size_t kernel_count,
		const uint64_t *user, size_t user_count, uint16_t flags);
int stacks_name_wanted(struct stacks *stacks);

/**
 * stacks_row() - the stack row of a sample
 * @process: whose it is; may be NULL where there is no @user
 * @kernel, @user: leaf first, as captured: leaves exact, callers as return addresses
 * @flags: stack_event.flags, which tell how the user part ended
 * @python: what the interpreter evaluates; NULL: nothing
 * @ret_row: RECORDING_STACK_ROOT for an empty stack
 * @ret_end: how the user part ended; STACK_NO_USER where there is none, or nothing is known of the process
 * Returns 0 or -ENOMEM.
 */
int stacks_row(struct stacks *stacks, const struct process *process, const uint64_t *kernel, size_t kernel_count,
	       const uint64_t *user, size_t user_count, uint16_t flags, const struct python_frames *python,
	       uint32_t *ret_row, enum stack_end *ret_end);

/* After each flush of the writer and symbolizer_trim(): what they have forgotten is asked for again. */
void stacks_forget(struct stacks *stacks);

/* What address_frames.h says of the functions of these names. */
bool stacks_has_pending(const struct stacks *stacks, const struct process *process);
void stacks_expect_names(struct stacks *stacks, const struct process *process);
int stacks_name_pending(struct stacks *stacks, struct processes *processes, bool last);
uint64_t stacks_names_given_up(const struct stacks *stacks);

#endif
