/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_functions.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/dwarf_names.h"

#define DEPTH_MAX 512

/* Which entry a function has its name from: many have the same. */
struct named_entry {
	uint64_t offset; /* in .debug_info */
	bool alternate;
	uint32_t function;
};

struct pass {
	struct dwarf_functions *functions;
	struct dwarf_unit *unit;
	dwarf_range_array ranges;
	ARRAY(struct named_entry) entries; /* one for each function */
	uint32_t holders[DEPTH_MAX];	   /* by depth: the function that entries there lie in */
	bool scoped;			   /* the language has scopes */
	struct dwarf_scopes scopes;
	uint32_t scopes_at[DEPTH_MAX]; /* by depth: the scope that entries there are declared in */
	int depth;
};

static void pass_deinit(struct pass *pass)
{
	array_deinit(&pass->ranges);
	array_deinit(&pass->entries);
	dwarf_scopes_deinit(&pass->scopes);
}

void dwarf_functions_deinit(struct dwarf_functions *functions)
{
	array_deinit(&functions->list);
	range_layers_deinit(&functions->ranges);
	array_deinit(&functions->text);
}

size_t dwarf_functions_bytes(const struct dwarf_functions *functions)
{
	size_t bytes = functions->list.capacity * sizeof(*functions->list.items) + functions->text.capacity;

	for (size_t i = 0; i < functions->ranges.layers.count; i++)
		bytes += functions->ranges.layers.items[i].ranges.capacity * sizeof(struct range);
	return bytes;
}

static bool has_code(const struct dwarf_entry *entry)
{
	return entry->present & (1u << DWARF_LOW_PC | 1u << DWARF_RANGE_LIST);
}

static int add_function(struct pass *pass, const struct dwarf_entry *entry, uint32_t *ret_number)
{
	bool inlined = entry->abbrev->tag == DW_TAG_inlined_subroutine;
	struct named_entry *named = array_add(&pass->entries);
	struct dwarf_function *function = array_add(&pass->functions->list);
	uint64_t number;

	if (!named || !function)
		return -ENOMEM;
	*ret_number = (uint32_t)pass->functions->list.count - 1;
	*named = (struct named_entry){.offset = entry->offset, .function = *ret_number};
	*function = (struct dwarf_function){.inlined = inlined, .parent = DWARF_NO_FUNCTION};
	if (inlined) {
		function->parent = pass->holders[pass->depth];
		dwarf_unit_reference(pass->unit, entry, DWARF_ORIGIN, &named->alternate, &named->offset);
		if (dwarf_unit_number(entry, DWARF_CALL_FILE, &number))
			function->call_file = (uint32_t)number;
		if (dwarf_unit_number(entry, DWARF_CALL_LINE, &number))
			function->call_line = (uint32_t)number;
	}
	return dwarf_unit_ranges(pass->unit, entry, *ret_number, &pass->ranges);
}

/* Entries that hold no code, and often many others: over these one can step. */
static bool can_step_over(uint16_t tag)
{
	switch (tag) {
	case DW_TAG_array_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_subroutine_type:
	case DW_TAG_call_site:
	case DW_TAG_GNU_call_site:
	case DW_TAG_formal_parameter:
		return true;
	default:
		return false;
	}
}

/* The next entry after all of @entry's children, where it says so. */
static bool step_over(const struct pass *pass, const struct dwarf_entry *entry, struct dwarf_cursor *cursor)
{
	struct dwarf_cursor next;
	bool alternate;
	uint64_t offset;

	if (!dwarf_unit_reference(pass->unit, entry, DWARF_SIBLING, &alternate, &offset) || alternate)
		return false;
	next = dwarf_unit_cursor(pass->unit, offset);
	if (next.failed || next.at <= cursor->at)
		return false;
	*cursor = next;
	return true;
}

static bool is_scope(const struct pass *pass, uint16_t tag)
{
	return pass->scoped && (tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
				tag == DW_TAG_union_type);
}

/* What an entry means, whose values were read: @holder and @scope are for its children. */
static int use_entry(struct pass *pass, const struct dwarf_entry *entry, uint32_t *holder, uint32_t *scope)
{
	int err = 0;

	if (is_scope(pass, entry->abbrev->tag))
		return dwarf_scopes_add(&pass->scopes, pass->unit, entry, *scope, scope);
	if (entry->abbrev->tag == DW_TAG_subprogram)
		err = dwarf_scopes_add_member(&pass->scopes, entry->offset, *scope);
	if (!err && has_code(entry) && pass->functions->list.count < DWARF_FUNCTIONS_MAX)
		err = add_function(pass, entry, holder);
	return err;
}

/* One entry; false at the unit's end, or where it is broken. */
static bool take_entry(struct pass *pass, struct dwarf_cursor *cursor, int *err)
{
	struct dwarf_entry entry = {.offset = dwarf_image_offset(pass->unit->file->image, DWARF_INFO, cursor)};
	uint32_t holder = pass->holders[pass->depth], scope = pass->scopes_at[pass->depth];
	uint64_t code = dwarf_uleb(cursor);
	bool used, steps;

	if (!code)
		return !cursor->failed && --pass->depth > 0;
	entry.abbrev = dwarf_abbrevs_find(&pass->unit->abbrevs, code);
	if (!entry.abbrev)
		return false;
	used = entry.abbrev->tag == DW_TAG_subprogram || entry.abbrev->tag == DW_TAG_inlined_subroutine ||
	       is_scope(pass, entry.abbrev->tag);
	steps = entry.abbrev->has_children && can_step_over(entry.abbrev->tag);
	if (!used && !steps)
		dwarf_values_skip(pass->unit, cursor, entry.abbrev);
	else if (dwarf_values_read(pass->unit, cursor, &entry) && used)
		*err = use_entry(pass, &entry, &holder, &scope);
	if (*err || cursor->failed)
		return false;
	if (!entry.abbrev->has_children || (steps && step_over(pass, &entry, cursor)))
		return pass->depth > 0;
	if (++pass->depth >= DEPTH_MAX)
		return false;
	pass->holders[pass->depth] = holder;
	pass->scopes_at[pass->depth] = scope;
	return true;
}

static int by_offset(const void *left, const void *right)
{
	const struct named_entry *a = left, *b = right;

	if (a->alternate != b->alternate)
		return a->alternate ? 1 : -1;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

static struct dwarf_name qualified(struct pass *pass, struct dwarf_name name)
{
	if (!name.linkage && !name.alternate && dwarf_text_exists(name.place) && name.declared &&
	    dwarf_scopes_qualify(&pass->scopes, pass->unit, name.declared, name.place, &pass->functions->text,
				 &name.place.offset))
		name.place.section = DWARF_OWN_TEXT;
	return name;
}

static void name_functions(struct pass *pass, struct dwarf_file *alternate)
{
	struct dwarf_names names;
	struct dwarf_name name = {0};

	dwarf_names_init(&names, pass->unit, alternate);
	if (pass->entries.count)
		qsort(pass->entries.items, pass->entries.count, sizeof(*pass->entries.items), by_offset);
	for (size_t i = 0; i < pass->entries.count; i++) {
		const struct named_entry *entry = &pass->entries.items[i];
		struct dwarf_function *function = &pass->functions->list.items[entry->function];

		if (!i || by_offset(entry, entry - 1))
			name = qualified(pass, dwarf_names_find(&names, entry->alternate, entry->offset));
		function->name = name.place;
		function->name_alternate = name.alternate;
	}
	dwarf_names_deinit(&names);
}

int dwarf_functions_init(struct dwarf_functions *functions, struct dwarf_unit *unit, struct dwarf_file *alternate)
{
	_cleanup_(pass_deinit) struct pass pass = {.functions = functions, .unit = unit};
	struct dwarf_cursor cursor = dwarf_unit_cursor(unit, unit->root.offset);
	int err = 0;

	*functions = (struct dwarf_functions){0};
	pass.holders[0] = DWARF_NO_FUNCTION;
	pass.scopes_at[0] = DWARF_NO_SCOPE;
	pass.scoped = dwarf_scopes_wanted(unit);
	while (dwarf_cursor_left(&cursor) && take_entry(&pass, &cursor, &err))
		;
	if (err)
		return err;
	name_functions(&pass, alternate);
	return range_layers_add(&functions->ranges, pass.ranges.items, pass.ranges.count);
}

uint32_t dwarf_functions_find(const struct dwarf_functions *functions, uint64_t address)
{
	uint32_t number = DWARF_NO_FUNCTION;

	range_layers_find(&functions->ranges, address, &number);
	return number;
}
