/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_names.h"

void dwarf_names_init(struct dwarf_names *names, struct dwarf_unit *home, struct dwarf_file *alternate)
{
	*names = (struct dwarf_names){.home = home, .alternate = alternate};
}

static void forget(struct dwarf_name_unit *other)
{
	if (other->file)
		dwarf_unit_deinit(&other->unit);
	other->file = NULL;
}

void dwarf_names_deinit(struct dwarf_names *names)
{
	for (size_t i = 0; i < DWARF_NAME_UNITS; i++)
		forget(&names->others[i]);
}

static bool holds(const struct dwarf_unit *unit, uint64_t offset)
{
	return offset >= unit->header.offset && offset < unit->header.end;
}

static struct dwarf_unit *unit_of(struct dwarf_names *names, bool alternate, uint64_t offset)
{
	struct dwarf_file *file = alternate ? names->alternate : names->home->file;
	const struct dwarf_unit_header *header;
	struct dwarf_name_unit *other;

	if (!alternate && holds(names->home, offset))
		return names->home;
	header = file ? dwarf_file_unit(file, offset) : NULL;
	if (!header)
		return NULL;
	other = &names->others[header->offset / 64 % DWARF_NAME_UNITS];
	if (other->file == file && holds(&other->unit, offset))
		return &other->unit;
	forget(other);
	if (dwarf_unit_init(&other->unit, file, header, NULL, NULL, false)) {
		dwarf_unit_deinit(&other->unit);
		return NULL;
	}
	other->file = file;
	return &other->unit;
}

static bool read_entry(struct dwarf_unit *unit, uint64_t offset, struct dwarf_entry *entry)
{
	struct dwarf_cursor cursor = dwarf_unit_cursor(unit, offset);
	uint64_t code = dwarf_uleb(&cursor);

	if (cursor.failed || !code)
		return false;
	entry->offset = offset;
	entry->abbrev = dwarf_abbrevs_find(&unit->abbrevs, code);
	return entry->abbrev && dwarf_values_read(unit, &cursor, entry);
}

/* False where the entry has no such name, or where it is in a file that is not there. */
static bool take_name(const struct dwarf_names *names, const struct dwarf_unit *unit, const struct dwarf_entry *entry,
		      enum dwarf_attribute attribute, struct dwarf_name *name)
{
	bool alternate = names->alternate && unit->file == names->alternate, elsewhere;
	struct dwarf_text_place place;

	if (!dwarf_unit_text(unit, entry, attribute, &elsewhere, &place) ||
	    (elsewhere && (alternate || !names->alternate)))
		return false;
	*name = (struct dwarf_name){place, alternate || elsewhere, attribute == DWARF_LINKAGE_NAME, 0};
	return true;
}

struct dwarf_name dwarf_names_find(struct dwarf_names *names, bool alternate, uint64_t offset)
{
	struct dwarf_name name = {0};
	bool named = false;

	/* References may lead round in a circle. */
	for (int hop = 0; hop < DWARF_NAME_HOPS_MAX; hop++) {
		struct dwarf_unit *unit = unit_of(names, alternate, offset);
		struct dwarf_entry entry;
		bool elsewhere;

		if (!unit || !read_entry(unit, offset, &entry) ||
		    take_name(names, unit, &entry, DWARF_LINKAGE_NAME, &name))
			break;
		if (!named)
			named = take_name(names, unit, &entry, DWARF_NAME, &name);
		name.declared = unit == names->home ? offset : 0;
		if (!dwarf_unit_reference(unit, &entry, DWARF_ORIGIN, &elsewhere, &offset) &&
		    !dwarf_unit_reference(unit, &entry, DWARF_SPECIFICATION, &elsewhere, &offset))
			break;
		if (alternate && elsewhere)
			break;
		alternate |= elsewhere;
	}
	return name;
}
