/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_plt: the stubs through which a program calls other libraries, named after what they call.
 *
 * A stub has no symbol of its own. On x86-64 each ends in an indirect jump through a slot, and the relocation of that
 * slot names the symbol: so it is the instruction that tells, not the order of stubs, which linkers differ in. Other
 * machines have no stubs here yet.
 */
#ifndef SYMBOLIZER_ELF_PLT_H
#define SYMBOLIZER_ELF_PLT_H

#include "symbolizer/elf_image.h"
#include "symbolizer/function_table.h"

/**
 * elf_plt_read() - add a file's stubs to a table
 * @source: for the entries; their name is an offset in .dynsym's string section
 * Returns 0, also where there are none or they are broken, -EIO or -ENOMEM.
 */
int elf_plt_read(const struct elf_image *image, struct function_table *table, unsigned int source);

#endif
