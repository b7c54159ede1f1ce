/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iterator: BPF programs that the kernel runs once for each of its objects (https://docs.kernel.org/bpf/bpf_iterators.html).
 */
#ifndef STOKER_ITERATOR_H
#define STOKER_ITERATOR_H

#include <stdio.h>

struct bpf_program;

/* What a loaded iterator tells; it runs as it is read. The file is the caller's to close. 0 or a negative errno. */
int iterator_open(struct bpf_program *program, FILE **ret_file);

#endif
