/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_tree: stacks merged from the root, with counts. What folded output and flame graphs are made of.
 *
 * Node 0 is the root ("all") and has no frame. A frame is a name with a kind, stored once. Build with
 * call_tree_frame(), call_tree_child() and call_tree_count() in any order, then call_tree_finish() once: only then
 * are totals, children and their order (by name, as in every flame graph) there.
 *
 * 4 million nodes take 128 MB: nothing in a node may grow without need. Most nodes have one child or a few: those are
 * found by walking the list of siblings, and only the further children of a wide node (a dispatcher, an event loop)
 * are in the hash index.
 */
#ifndef STOKER_CALL_TREE_H
#define STOKER_CALL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/recording/recording.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/base/string_table.h"

#define CALL_TREE_NONE UINT32_MAX

struct call_tree_frame {
	string_id name;	  /* in call_tree.strings, raw text */
	string_id module; /* 0 where there is none */
	uint8_t kind;	  /* enum frame_kind */
	bool named;	  /* false: the name is a reason */
};

struct call_tree_node {
	uint32_t frame;	       /* index in frames; CALL_TREE_NONE for the root */
	uint32_t parent;       /* node; CALL_TREE_NONE for the root */
	uint32_t first_child;  /* node or CALL_TREE_NONE; in order from call_tree_finish() on */
	uint32_t next_sibling; /* likewise */
	uint64_t self;	       /* counts of stacks that end here; sums stop at UINT64_MAX */
	uint64_t total;	       /* self and all below; from call_tree_finish() on */
};

struct call_tree {
	struct string_table strings;
	ARRAY(struct call_tree_frame) frames;
	ARRAY(struct call_tree_node) nodes; /* a parent's number is smaller than its children's */
	struct hash_index frame_index;
	struct hash_index child_index; /* children beyond a node's first few */
};

/* Returns 0 or -ENOMEM. */
int call_tree_init(struct call_tree *tree);
void call_tree_deinit(struct call_tree *tree);

/**
 * call_tree_frame() - the number of a frame, new or known
 * @name: [length] raw text; frames are the same when name and kind are. A new one is named and has no module.
 * Returns 0, -ENOMEM or -E2BIG (name of 1 MiB or more).
 */
int call_tree_frame(struct call_tree *tree, const char *name, size_t length, enum frame_kind kind, uint32_t *ret_frame);

/**
 * call_tree_child() - the node of @frame under @parent, new or known
 * Returns 0 or -ENOMEM.
 */
int call_tree_child(struct call_tree *tree, uint32_t parent, uint32_t frame, uint32_t *ret_node);

/* A stack that ends at @node was seen @count times more. */
void call_tree_count(struct call_tree *tree, uint32_t node, uint64_t count);

/**
 * call_tree_finish() - compute totals, link and sort the children
 * Returns 0 or -ENOMEM.
 */
int call_tree_finish(struct call_tree *tree);

/**
 * call_tree_next() - the node after @node, parents before children, siblings in order
 * @depth: of @node (the root's is 0); of the returned node afterwards
 * @descend: false skips everything below @node
 * Returns CALL_TREE_NONE after the last one. Needs no memory however deep the stacks are.
 */
uint32_t call_tree_next(const struct call_tree *tree, uint32_t node, bool descend, uint32_t *depth);

/* The name of a node's frame, raw; "all" for the root. */
const char *call_tree_name(const struct call_tree *tree, uint32_t node);

#endif
