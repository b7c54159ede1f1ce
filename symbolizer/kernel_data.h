/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel_data: names of places in the data of the kernel and its modules, from kallsyms.
 *
 * A kernel has symbols of its data where it was built with CONFIG_KALLSYMS_ALL. They are many and asked for seldom, so
 * they are looked for in the file and not kept.
 */
#ifndef SYMBOLIZER_KERNEL_DATA_H
#define SYMBOLIZER_KERNEL_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_DATUM_BYTES 128

struct kernel_datum {
	uint64_t address;
	uint64_t offset;	       /* of the address in what has the name */
	char name[KERNEL_DATUM_BYTES]; /* "" where there is none */
};

/**
 * kernel_data_find() - name some addresses, in one pass over the file
 * @path: "/proc/kallsyms"
 * @data: [count] with their addresses; the rest is filled in
 * @ret_any: the kernel has symbols of its data at all, and shows them; else none has a name
 * Errors: what open(2) or read(2) gave, -ENOMEM.
 */
int kernel_data_find(const char *path, struct kernel_datum *data, size_t count, bool *ret_any);

#endif
