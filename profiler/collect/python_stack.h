/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * python_stack: native and Python frames of one moment, made one stack.
 *
 * One native call of the evaluation loop (_PyEval_EvalFrameDefault) evaluates a run of Python frames: those stand in its
 * place. Walks tell where runs begin; the n-th run from the root is that of the n-th evaluation from the root, where both
 * stacks have one, else both are counted from the leaf. At the leaf an evaluation may not have its frames yet, or
 * have them no more: then it stays as it is.
 *
 * A pure function of its arguments.
 */
#ifndef STOKER_PYTHON_STACK_H
#define STOKER_PYTHON_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared.h"

struct python_stack {
	const uint32_t *native; /* [native_count] frame rows, leaf first */
	const bool *evaluates;	/* [native_count] whether it is the evaluation loop */
	size_t native_count;
	bool from_root;		/* both have their roots: they are matched from there */
	const uint64_t *words;	/* [python_count] as in stack_event.frames, leaf first */
	const uint32_t *python; /* [python_count] their frame rows */
	size_t python_count;
};

/* Is a native frame of this name the evaluation loop, or a part of it that the compiler moved away? */
bool python_stack_evaluates(const char *name);

/**
 * python_stack_merge() - one stack of both
 * @rows: [capacity], leaf first; what does not fit is left out at the root
 * Runs without an evaluation of their own stand at the leaf, or the root where there is none.
 * Returns how many rows there are.
 */
size_t python_stack_merge(const struct python_stack *stack, uint32_t *rows, size_t capacity);

#endif
