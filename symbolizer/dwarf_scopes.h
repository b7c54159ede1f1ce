/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwarf_scopes: the namespaces and classes that a unit's functions are declared in, for those without a linkage name.
 *
 * gcc gives none to what is local to a file, and a plain name ("run") says too little of it.
 */
#ifndef SYMBOLIZER_DWARF_SCOPES_H
#define SYMBOLIZER_DWARF_SCOPES_H

#include "symbolizer/dwarf_unit.h"

#define DWARF_NO_SCOPE UINT32_MAX
#define DWARF_SCOPES_MAX (1u << 20)
#define DWARF_SCOPE_DEPTH_MAX 64
#define DWARF_QUALIFIED_BYTES_MAX 4096	    /* a longer name stays plain */
#define DWARF_QUALIFIED_TEXT_MAX (8u << 20) /* of a unit; further names stay plain */

struct dwarf_scope {
	uint32_t parent; /* or DWARF_NO_SCOPE */
	bool is_namespace;
	bool named;
	struct dwarf_text_place name;
};

/* A function's entry, and what it is declared in. */
struct dwarf_scope_member {
	uint64_t offset;
	uint32_t scope;
};

/* All zero is empty. */
struct dwarf_scopes {
	ARRAY(struct dwarf_scope) list;
	ARRAY(struct dwarf_scope_member) members; /* sorted by offset, as they are found */
};

typedef ARRAY(char) dwarf_text_array;

void dwarf_scopes_deinit(struct dwarf_scopes *scopes);

/* Does the unit's language have scopes at all? */
bool dwarf_scopes_wanted(const struct dwarf_unit *unit);

/* A namespace's or class's entry. @ret_scope: also where it is left out: then its parent. Returns 0 or -ENOMEM. */
int dwarf_scopes_add(struct dwarf_scopes *scopes, const struct dwarf_unit *unit, const struct dwarf_entry *entry,
		     uint32_t parent, uint32_t *ret_scope);

/* A function's entry; each later in the unit than the one before. Returns 0 or -ENOMEM. */
int dwarf_scopes_add_member(struct dwarf_scopes *scopes, uint64_t offset, uint32_t scope);

/**
 * dwarf_scopes_qualify() - append "scope::name" and its NUL to a text
 * @offset: of the function's entry
 * @name:   plain, in the unit's file
 * @ret_at: where the name starts in @text
 * False, nothing appended, where the entry is in no scope, or the name gets too long, or memory is out.
 */
bool dwarf_scopes_qualify(const struct dwarf_scopes *scopes, const struct dwarf_unit *unit, uint64_t offset,
			  struct dwarf_text_place name, dwarf_text_array *text, uint64_t *ret_at);

#endif
