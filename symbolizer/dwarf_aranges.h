/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_aranges: which addresses are whose, for units that do not say so themselves.
 *
 * Compilers may leave .debug_aranges out (clang does), or out of date (strip, dwz and some linkers do), while a unit's
 * own ranges are there nearly always and cost one entry to read. So it is asked only about units without ranges.
 * Format: DWARF 5, section 6.1.2.
 */
#ifndef SYMBOLIZER_DWARF_ARANGES_H
#define SYMBOLIZER_DWARF_ARANGES_H

#include "symbolizer/dwarf_unit.h"

/**
 * dwarf_aranges_read() - what the section knows of units that do not say it themselves
 * @own:    what units say themselves; values are numbers in file.units
 * @others: to which the rest is appended
 * Sets that are broken, or about what is no unit, are left out. Returns 0 or -ENOMEM.
 */
int dwarf_aranges_read(struct dwarf_file *file, const dwarf_range_array *own, dwarf_range_array *others);

#endif
