/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/call_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/sums.h"

/* Children of a node that are found by walking; what comes after them is in the hash index. */
#define WALKED_MAX 4

static int add_node(struct call_tree *tree, uint32_t parent, uint32_t frame, uint32_t *ret_node)
{
	struct call_tree_node *node;

	if (tree->nodes.count >= CALL_TREE_NONE - 1 || array_reserve(&tree->nodes, 1))
		return -ENOMEM;
	node = &tree->nodes.items[tree->nodes.count];
	*node = (struct call_tree_node){
		.frame = frame,
		.parent = parent,
		.first_child = CALL_TREE_NONE,
		.next_sibling = CALL_TREE_NONE,
	};
	*ret_node = (uint32_t)tree->nodes.count++;
	return 0;
}

int call_tree_init(struct call_tree *tree)
{
	uint32_t root;
	int err;

	memset(tree, 0, sizeof(*tree));
	err = string_table_init(&tree->strings);
	if (err)
		return err;
	err = add_node(tree, CALL_TREE_NONE, CALL_TREE_NONE, &root);
	if (err)
		call_tree_deinit(tree);
	return err;
}

void call_tree_deinit(struct call_tree *tree)
{
	string_table_deinit(&tree->strings);
	array_deinit(&tree->frames);
	array_deinit(&tree->nodes);
	hash_index_deinit(&tree->frame_index);
	hash_index_deinit(&tree->child_index);
}

int call_tree_frame(struct call_tree *tree, const char *name, size_t length, enum frame_kind kind, uint32_t *ret_frame)
{
	uint64_t hash;
	struct call_tree_frame *frame;
	string_id id;
	uint32_t found;
	int err;

	length = length ? strnlen(name, length) : 0;
	hash = hash_words(hash_bytes(name, length), kind);
	for (size_t at = hash_index_first(&tree->frame_index, hash);
	     hash_index_next(&tree->frame_index, hash, &at, &found);) {
		const struct string_table_entry *entry;

		frame = &tree->frames.items[found];
		entry = &tree->strings.entries.items[frame->name];
		if (frame->kind == kind && entry->length == length && !memcmp(entry->text, name, length)) {
			*ret_frame = found;
			return 0;
		}
	}
	if (tree->frames.count >= CALL_TREE_NONE - 1)
		return -ENOMEM;
	err = string_table_add(&tree->strings, name, length, &id);
	if (err)
		return err;
	if (array_reserve(&tree->frames, 1) ||
	    hash_index_insert(&tree->frame_index, hash, (uint32_t)tree->frames.count))
		return -ENOMEM;
	frame = array_add(&tree->frames);
	frame->name = id;
	frame->kind = (uint8_t)kind;
	frame->named = true;
	*ret_frame = (uint32_t)(tree->frames.count - 1);
	return 0;
}

/* A further child goes behind the walked ones, so that these stay the same ones for as long as the tree grows. */
static int add_further_child(struct call_tree *tree, uint32_t parent, uint32_t frame, uint32_t last_walked,
			     uint32_t *ret_node)
{
	uint64_t hash = hash_words(parent, frame);
	uint32_t node;
	int err;

	for (size_t at = hash_index_first(&tree->child_index, hash);
	     hash_index_next(&tree->child_index, hash, &at, &node);) {
		if (tree->nodes.items[node].parent == parent && tree->nodes.items[node].frame == frame) {
			*ret_node = node;
			return 0;
		}
	}
	if (array_reserve(&tree->nodes, 1))
		return -ENOMEM;
	err = hash_index_insert(&tree->child_index, hash, (uint32_t)tree->nodes.count);
	if (err)
		return err;
	err = add_node(tree, parent, frame, &node);
	if (err)
		return err;
	tree->nodes.items[node].next_sibling = tree->nodes.items[last_walked].next_sibling;
	tree->nodes.items[last_walked].next_sibling = node;
	*ret_node = node;
	return 0;
}

int call_tree_child(struct call_tree *tree, uint32_t parent, uint32_t frame, uint32_t *ret_node)
{
	uint32_t last = CALL_TREE_NONE, node = tree->nodes.items[parent].first_child;
	int err;

	for (int walked = 1; node != CALL_TREE_NONE; walked++) {
		if (tree->nodes.items[node].frame == frame) {
			*ret_node = node;
			return 0;
		}
		if (walked == WALKED_MAX)
			return add_further_child(tree, parent, frame, node, ret_node);
		last = node;
		node = tree->nodes.items[node].next_sibling;
	}
	err = add_node(tree, parent, frame, &node);
	if (err)
		return err;
	if (last == CALL_TREE_NONE)
		tree->nodes.items[parent].first_child = node;
	else
		tree->nodes.items[last].next_sibling = node;
	*ret_node = node;
	return 0;
}

void call_tree_count(struct call_tree *tree, uint32_t node, uint64_t count)
{
	sum_add(&tree->nodes.items[node].self, count);
}

static void sum_totals(struct call_tree *tree)
{
	struct call_tree_node *nodes = tree->nodes.items;

	for (size_t i = tree->nodes.count; i-- > 0;) {
		sum_add(&nodes[i].total, nodes[i].self);
		if (nodes[i].parent != CALL_TREE_NONE)
			sum_add(&nodes[nodes[i].parent].total, nodes[i].total);
	}
}

static int by_name(const void *a, const void *b, void *context)
{
	const struct call_tree *tree = context;
	const struct call_tree_frame *left = &tree->frames.items[*(const uint32_t *)a];
	const struct call_tree_frame *right = &tree->frames.items[*(const uint32_t *)b];
	int order =
		strcmp(string_table_text(&tree->strings, left->name), string_table_text(&tree->strings, right->name));

	return order ? order : (int)left->kind - (int)right->kind;
}

/* Each frame's place in the order of names: siblings are then sorted by comparing numbers. */
static int rank_frames(struct call_tree *tree, uint32_t **ret_ranks)
{
	_cleanup_free_ uint32_t *order = calloc(tree->frames.count + 1, sizeof(*order));
	_cleanup_free_ uint32_t *ranks = calloc(tree->frames.count + 1, sizeof(*ranks));

	if (!order || !ranks)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		order[i] = i;
	qsort_r(order, tree->frames.count, sizeof(*order), by_name, tree);
	for (uint32_t i = 0; i < tree->frames.count; i++)
		ranks[order[i]] = i;
	*ret_ranks = take_ptr(ranks);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

struct sort_keys {
	ARRAY(uint64_t) ranked; /* rank in the upper half, node in the lower */
};

static int sort_children(struct call_tree *tree, struct call_tree_node *parent, const uint32_t *ranks,
			 struct sort_keys *keys)
{
	struct call_tree_node *nodes = tree->nodes.items;
	uint32_t *link = &parent->first_child;

	keys->ranked.count = 0;
	for (uint32_t child = parent->first_child; child != CALL_TREE_NONE; child = nodes[child].next_sibling) {
		if (array_reserve(&keys->ranked, 1))
			return -ENOMEM;
		keys->ranked.items[keys->ranked.count++] = (uint64_t)ranks[nodes[child].frame] << 32 | child;
	}
	qsort(keys->ranked.items, keys->ranked.count, sizeof(*keys->ranked.items), by_number);
	for (size_t i = 0; i < keys->ranked.count; i++) {
		*link = (uint32_t)keys->ranked.items[i];
		link = &nodes[*link].next_sibling;
	}
	*link = CALL_TREE_NONE;
	return 0;
}

int call_tree_finish(struct call_tree *tree)
{
	_cleanup_free_ uint32_t *ranks = NULL;
	struct sort_keys keys = {0};
	int err;

	err = rank_frames(tree, &ranks);
	for (size_t i = 0; !err && i < tree->nodes.count; i++) {
		uint32_t child = tree->nodes.items[i].first_child;

		if (child != CALL_TREE_NONE && tree->nodes.items[child].next_sibling != CALL_TREE_NONE)
			err = sort_children(tree, &tree->nodes.items[i], ranks, &keys);
	}
	array_deinit(&keys.ranked);
	if (err)
		return err;
	sum_totals(tree);
	return 0;
}

uint32_t call_tree_next(const struct call_tree *tree, uint32_t node, bool descend, uint32_t *depth)
{
	const struct call_tree_node *nodes = tree->nodes.items;

	if (descend && nodes[node].first_child != CALL_TREE_NONE) {
		++*depth;
		return nodes[node].first_child;
	}
	while (node != CALL_TREE_NONE && nodes[node].next_sibling == CALL_TREE_NONE) {
		node = nodes[node].parent;
		--*depth;
	}
	return node == CALL_TREE_NONE ? CALL_TREE_NONE : nodes[node].next_sibling;
}

const char *call_tree_name(const struct call_tree *tree, uint32_t node)
{
	uint32_t frame = tree->nodes.items[node].frame;

	return frame == CALL_TREE_NONE ? "all" : string_table_text(&tree->strings, tree->frames.items[frame].name);
}
