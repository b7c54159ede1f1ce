/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/dwarf_scopes.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#ifndef DW_LANG_C_plus_plus_17
#define DW_LANG_C_plus_plus_17 0x2a
#define DW_LANG_C_plus_plus_20 0x2b
#endif

void dwarf_scopes_deinit(struct dwarf_scopes *scopes)
{
	array_deinit(&scopes->list);
	array_deinit(&scopes->members);
}

bool dwarf_scopes_wanted(const struct dwarf_unit *unit)
{
	uint64_t language = 0;

	dwarf_unit_number(&unit->root, DWARF_LANGUAGE, &language);
	switch (language) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case DW_LANG_C_plus_plus_17:
	case DW_LANG_C_plus_plus_20:
	case DW_LANG_ObjC_plus_plus:
	case DW_LANG_D:
	case DW_LANG_Rust:
		return true;
	default:
		return false;
	}
}

int dwarf_scopes_add(struct dwarf_scopes *scopes, const struct dwarf_unit *unit, const struct dwarf_entry *entry,
		     uint32_t parent, uint32_t *ret_scope)
{
	struct dwarf_scope *scope;
	bool alternate;

	*ret_scope = parent;
	if (scopes->list.count >= DWARF_SCOPES_MAX)
		return 0;
	scope = array_add(&scopes->list);
	if (!scope)
		return -ENOMEM;
	scope->parent = parent;
	scope->is_namespace = entry->abbrev->tag == DW_TAG_namespace;
	scope->named = dwarf_unit_text(unit, entry, DWARF_NAME, &alternate, &scope->name) && !alternate;
	*ret_scope = (uint32_t)scopes->list.count - 1;
	return 0;
}

int dwarf_scopes_add_member(struct dwarf_scopes *scopes, uint64_t offset, uint32_t scope)
{
	struct dwarf_scope_member *member;

	if (scope == DWARF_NO_SCOPE)
		return 0;
	member = array_add(&scopes->members);
	if (!member)
		return -ENOMEM;
	*member = (struct dwarf_scope_member){offset, scope};
	return 0;
}

static int by_offset(const void *left, const void *right)
{
	const struct dwarf_scope_member *a = left, *b = right;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

static const char *name_of(const struct dwarf_unit *unit, const struct dwarf_scope *scope)
{
	const char *name = scope->named ? dwarf_image_text(unit->file->image, scope->name) : NULL;

	if (name && *name)
		return name;
	return scope->is_namespace ? "(anonymous namespace)" : "(anonymous class)";
}

/* @parts: outermost last; @length: of all, with what goes between them and the NUL. */
static bool append_parts(const char *const *parts, size_t count, size_t length, dwarf_text_array *text,
			 uint64_t *ret_at)
{
	if (text->count + length > DWARF_QUALIFIED_TEXT_MAX || array_reserve(text, length))
		return false;
	*ret_at = text->count;
	for (size_t i = count; i > 0; i--) {
		length = strlen(parts[i - 1]);
		memcpy(text->items + text->count, parts[i - 1], length);
		text->count += length;
		if (i > 1) {
			memcpy(text->items + text->count, "::", 2);
			text->count += 2;
		}
	}
	text->items[text->count++] = '\0';
	return true;
}

bool dwarf_scopes_qualify(const struct dwarf_scopes *scopes, const struct dwarf_unit *unit, uint64_t offset,
			  struct dwarf_text_place name, dwarf_text_array *text, uint64_t *ret_at)
{
	const struct dwarf_scope_member wanted = {.offset = offset}, *member;
	const char *parts[DWARF_SCOPE_DEPTH_MAX + 1];
	size_t count = 1, length;

	member = scopes->members.count
			 ? bsearch(&wanted, scopes->members.items, scopes->members.count, sizeof(wanted), by_offset)
			 : NULL;
	parts[0] = member ? dwarf_image_text(unit->file->image, name) : NULL;
	if (!parts[0] || !*parts[0])
		return false;
	length = strlen(parts[0]) + 1;
	/* Parents come before their children, so that this comes to its end. */
	for (uint32_t at = member->scope; at != DWARF_NO_SCOPE; at = scopes->list.items[at].parent) {
		if (count > DWARF_SCOPE_DEPTH_MAX || length > DWARF_QUALIFIED_BYTES_MAX)
			return false;
		parts[count] = name_of(unit, &scopes->list.items[at]);
		length += strlen(parts[count++]) + 2;
	}
	return length <= DWARF_QUALIFIED_BYTES_MAX && append_parts(parts, count, length, text, ret_at);
}
