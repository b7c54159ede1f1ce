/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_split: the other half of a skeleton unit: in the package, or in a .dwo that the caller opens.
 */
#ifndef SYMBOLIZER_DWARF_SPLIT_H
#define SYMBOLIZER_DWARF_SPLIT_H

#include "symbolizer/dwarf_index.h"
#include "symbolizer/dwarf_unit.h"

struct dwarf_split {
	struct dwarf_file *file; /* the package, or own; NULL: the unit is not split, or its other half is not there */
	struct dwarf_file own;
	int fd; /* of own; owned */
	struct dwarf_unit_header header;
	const struct dwarf_package_row *row; /* of the package, or NULL */
	struct dwarf_package_row own_row;
};

/**
 * dwarf_split_open() - find the other half
 * @split: all zero; not to be moved afterwards
 * @package: may have no image
 * Returns 0 (also where there is no other half), -EAGAIN (open_split() says so) or -ENOMEM: @split is all zero then.
 */
int dwarf_split_open(struct dwarf_split *split, const struct dwarf_files *files, struct dwarf_file *package,
		     const struct dwarf_unit *skeleton);
void dwarf_split_deinit(struct dwarf_split *split);

/* Memory that an open .dwo takes. */
size_t dwarf_split_bytes(const struct dwarf_split *split);

#endif
