/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/hotspots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/analysis/hotspot_lore.h"
#include "profiler/profile/kernel_stacks.h"
#include "symbolizer/base/cleanup.h"

#define ENTRY_SHARE_MIN 0.02   /* of all kernel time: smaller entries choose no function */
#define FUNCTION_SHARE 0.5     /* of an entry's time, for any function */
#define SHARED_WALK_SHARE 0.2  /* … for one that is known to walk what all share */
#define SECOND_ENTRY_SHARE 0.1 /* of a function's time: from here on, it is not one call's alone */
#define NONE UINT32_MAX

/* What a sample's stack is. */
struct stack_class {
	string_id entry, function; /* 0: no kernel sample */
	uint8_t kind;		   /* enum kernel_entry_kind */
};

/* So many samples of one container, under one entry, in one function. */
struct cell {
	uint32_t container;
	string_id entry, function;
	uint8_t kind;
	uint64_t samples;
};

/* The same without the container. */
struct pair {
	string_id entry, function, group;
	uint8_t kind;
	uint64_t samples;
};

/* Where a container, a function or an entry stands in its hotspot's list. */
enum part_kind { PART_CONTAINER, PART_FUNCTION, PART_ENTRY };

struct part {
	uint32_t hotspot, kind, key, at;
};

struct finding {
	const struct profile *profile;
	struct hotspots *hotspots;
	struct kernel_stacks stacks;
	uint64_t *own; /* [containers] */
	ARRAY(struct cell) cells;
	struct hash_index cell_index;
	/* All by string: how much time, what is chosen as a hotspot. */
	uint64_t *entry_samples, *function_samples; /* [strings] */
	bool *chosen;
	uint32_t *hotspot_of; /* number in the list, or NONE */
	ARRAY(struct part) parts;
	struct hash_index part_index;
};

static void finding_deinit(struct finding *finding)
{
	kernel_stacks_deinit(&finding->stacks);
	free(finding->own);
	array_deinit(&finding->cells);
	hash_index_deinit(&finding->cell_index);
	free(finding->entry_samples);
	free(finding->function_samples);
	free(finding->chosen);
	free(finding->hotspot_of);
	array_deinit(&finding->parts);
	hash_index_deinit(&finding->part_index);
}

void hotspots_deinit(struct hotspots *hotspots)
{
	for (size_t i = 0; i < hotspots->list.count; i++) {
		array_deinit(&hotspots->list.items[i].containers);
		array_deinit(&hotspots->list.items[i].functions);
		array_deinit(&hotspots->list.items[i].entries);
		array_deinit(&hotspots->list.items[i].without);
	}
	array_deinit(&hotspots->list);
	string_table_deinit(&hotspots->strings);
}

static const char *text_of(const struct finding *finding, string_id id)
{
	return string_table_text(&finding->hotspots->strings, id);
}

/* What a recording costs is none of the call's that came to a tracepoint. */
static int tell_tracing(struct finding *finding, struct stack_class *class)
{
	struct string_table *strings = &finding->hotspots->strings;
	const char *function = kernel_entry_program_name(string_table_text(strings, class->function));
	int err = string_table_add(strings, HOTSPOT_TRACING, strlen(HOTSPOT_TRACING), &class->entry);

	class->kind = KERNEL_ENTRY_TRACING;
	return err ? err : string_table_add(strings, function, strlen(function), &class->function);
}

static int classify(struct finding *finding, uint32_t stack, struct stack_class *ret_class)
{
	const struct kernel_stack *kernel;
	int err = kernel_stacks_find(&finding->stacks, stack, &kernel);

	if (err)
		return err;
	*ret_class = (struct stack_class){kernel->entry, kernel->function, kernel->kind};
	return kernel->kind != KERNEL_ENTRY_NONE && kernel->is_tracing ? tell_tracing(finding, ret_class) : 0;
}

static int add_cell(struct finding *finding, const struct recording_sample *sample, const struct stack_class *class)
{
	uint64_t hash = hash_words((uint64_t) class->entry << 32 | class->function, sample->container);
	struct cell *cell;
	uint32_t number;

	for (size_t at = hash_index_first(&finding->cell_index, hash);
	     hash_index_next(&finding->cell_index, hash, &at, &number);) {
		cell = &finding->cells.items[number];
		if (cell->container == sample->container && cell->entry == class->entry &&
		    cell->function == class->function) {
			cell->samples += sample->count;
			return 0;
		}
	}
	if (hash_index_insert(&finding->cell_index, hash, (uint32_t)finding->cells.count))
		return -ENOMEM;
	cell = array_add(&finding->cells);
	if (!cell)
		return -ENOMEM;
	*cell = (struct cell){sample->container, class->entry, class->function, class->kind, sample->count};
	return 0;
}

static int count_samples(struct finding *finding)
{
	const struct recording_tables *rows = &finding->profile->rows;

	for (size_t i = 0; i < rows->samples.count; i++) {
		const struct recording_sample *sample = &rows->samples.items[i];
		struct stack_class class;
		int err;

		if (sample->kind != SAMPLE_ONCPU)
			continue;
		finding->hotspots->samples += sample->count;
		finding->own[sample->container] += sample->count;
		if (sample->stack == RECORDING_STACK_ROOT)
			continue;
		err = classify(finding, sample->stack, &class);
		if (err)
			return err;
		if (class.kind == KERNEL_ENTRY_NONE)
			continue;
		finding->hotspots->kernel_samples += sample->count;
		err = add_cell(finding, sample, &class);
		if (err)
			return err;
	}
	return 0;
}

/* Functions that walk the same structure are one: by the name of the first of them. */
static int group_functions(struct finding *finding)
{
	for (size_t i = 0; i < finding->cells.count; i++) {
		const char *group = hotspot_lore_group(text_of(finding, finding->cells.items[i].function));
		string_id id;

		if (group && string_table_add(&finding->hotspots->strings, group, strlen(group), &id))
			return -ENOMEM;
	}
	return 0;
}

static string_id group_of(const struct finding *finding, string_id function)
{
	const char *group = hotspot_lore_group(text_of(finding, function));
	string_id id = function;

	if (group)
		string_table_find(&finding->hotspots->strings, group, strlen(group), &id);
	return id;
}

static int by_pair(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* Entry and function group, each pair once, in the order of the groups. */
static int make_pairs(const struct finding *finding, struct pair **ret_pairs, size_t *ret_count)
{
	struct pair *pairs = calloc(finding->cells.count + 1, sizeof(*pairs));
	size_t count = 0;

	if (!pairs)
		return -ENOMEM;
	for (size_t i = 0; i < finding->cells.count; i++) {
		const struct cell *cell = &finding->cells.items[i];

		pairs[i] = (struct pair){cell->entry, cell->function, group_of(finding, cell->function), cell->kind,
					 cell->samples};
	}
	qsort(pairs, finding->cells.count, sizeof(*pairs), by_pair);
	for (size_t i = 0; i < finding->cells.count; i++) {
		if (count && !by_pair(&pairs[count - 1], &pairs[i]))
			pairs[count - 1].samples += pairs[i].samples;
		else
			pairs[count++] = pairs[i];
	}
	*ret_pairs = pairs;
	*ret_count = count;
	return 0;
}

static bool explains(const struct finding *finding, const struct pair *pair)
{
	uint64_t entry = finding->entry_samples[pair->entry];
	bool walks = hotspot_lore_group(text_of(finding, pair->group)) != NULL;

	if (pair->kind != KERNEL_ENTRY_SYSTEM_CALL && pair->kind != KERNEL_ENTRY_PAGE_FAULT)
		return false;
	if ((double)entry < ENTRY_SHARE_MIN * (double)finding->hotspots->kernel_samples)
		return false;
	return (double)pair->samples >= (walks ? SHARED_WALK_SHARE : FUNCTION_SHARE) * (double)entry;
}

/* A function that is reached by one system call alone says no more than that call does: it is listed below it. */
static void choose_function(struct finding *finding, const struct pair *pairs, size_t count)
{
	bool walks = hotspot_lore_group(text_of(finding, pairs[0].group)) != NULL, explaining = false;
	uint64_t all = finding->function_samples[pairs[0].group];
	size_t entries = 0;

	if (!walks && hotspot_lore_is_generic(text_of(finding, pairs[0].group)))
		return;
	for (size_t i = 0; i < count; i++) {
		entries += (double)pairs[i].samples >= SECOND_ENTRY_SHARE * (double)all;
		explaining = explaining || explains(finding, &pairs[i]);
	}
	finding->chosen[pairs[0].group] = explaining && (walks || entries > 1);
}

static void choose_functions(struct finding *finding, const struct pair *pairs, size_t count)
{
	for (size_t first = 0, next; first < count; first = next) {
		for (next = first; next < count && pairs[next].group == pairs[first].group;)
			next++;
		choose_function(finding, pairs + first, next - first);
	}
}

static int sum_names(struct finding *finding)
{
	size_t strings;
	int err = group_functions(finding);

	if (err)
		return err;
	strings = finding->hotspots->strings.entries.count;
	finding->entry_samples = calloc(strings, sizeof(*finding->entry_samples));
	finding->function_samples = calloc(strings, sizeof(*finding->function_samples));
	finding->chosen = calloc(strings, sizeof(*finding->chosen));
	finding->hotspot_of = malloc(2 * strings * sizeof(*finding->hotspot_of));
	if (!finding->entry_samples || !finding->function_samples || !finding->chosen || !finding->hotspot_of)
		return -ENOMEM;
	memset(finding->hotspot_of, 0xff, 2 * strings * sizeof(*finding->hotspot_of));
	for (size_t i = 0; i < finding->cells.count; i++) {
		const struct cell *cell = &finding->cells.items[i];

		finding->entry_samples[cell->entry] += cell->samples;
		finding->function_samples[group_of(finding, cell->function)] += cell->samples;
	}
	return 0;
}

/* The place of a part in its list, or @end for a new one, which the caller then adds there. */
static int find_part(struct finding *finding, const struct part *wanted, size_t end, size_t *ret_at)
{
	uint64_t hash = hash_words((uint64_t)wanted->hotspot << 32 | wanted->key, wanted->kind);
	struct part *part;
	uint32_t number;

	for (size_t at = hash_index_first(&finding->part_index, hash);
	     hash_index_next(&finding->part_index, hash, &at, &number);) {
		part = &finding->parts.items[number];
		if (part->hotspot == wanted->hotspot && part->kind == wanted->kind && part->key == wanted->key) {
			*ret_at = part->at;
			return 0;
		}
	}
	part = array_add(&finding->parts);
	if (!part || hash_index_insert(&finding->part_index, hash, (uint32_t)finding->parts.count - 1))
		return -ENOMEM;
	*part = *wanted;
	part->at = (uint32_t)end;
	*ret_at = end;
	return 0;
}

#define ADD_SAMPLES(finding, of, list, array, field, value, number)                            \
	({                                                                                     \
		const struct part _wanted = {.hotspot = (of), .kind = (list), .key = (value)}; \
		size_t _at = 0;                                                                \
		int _err = find_part((finding), &_wanted, (array)->count, &_at);               \
		if (!_err && _at == (array)->count && !array_add(array))                       \
			_err = -ENOMEM;                                                        \
		if (!_err) {                                                                   \
			(array)->items[_at].field = (value);                                   \
			(array)->items[_at].samples += (number);                               \
		}                                                                              \
		_err;                                                                          \
	})

static int place_cell(struct finding *finding, const struct cell *cell)
{
	string_id group = group_of(finding, cell->function);
	bool is_function = finding->chosen[group];
	uint32_t *number = &finding->hotspot_of[2 * (is_function ? group : cell->entry) + is_function];
	struct hotspot *hotspot;

	if (*number == NONE) {
		hotspot = array_add(&finding->hotspots->list);
		if (!hotspot)
			return -ENOMEM;
		hotspot->is_function = is_function;
		hotspot->kind = (enum kernel_entry_kind)cell->kind;
		hotspot->name = is_function ? group : cell->entry;
		*number = (uint32_t)finding->hotspots->list.count - 1;
	}
	hotspot = &finding->hotspots->list.items[*number];
	hotspot->samples += cell->samples;
	if (ADD_SAMPLES(finding, *number, PART_CONTAINER, &hotspot->containers, container, cell->container,
			cell->samples) ||
	    ADD_SAMPLES(finding, *number, PART_FUNCTION, &hotspot->functions, name, cell->function, cell->samples) ||
	    ADD_SAMPLES(finding, *number, PART_ENTRY, &hotspot->entries, name, cell->entry, cell->samples))
		return -ENOMEM;
	return 0;
}

/* A function comes before the rest of the calls that it explains. */
static int rank(struct finding *finding, const struct pair *pairs, size_t count)
{
	struct hotspots *hotspots = finding->hotspots;
	struct hotspot_name *without;

	for (size_t i = 0; i < hotspots->list.count; i++)
		hotspots->list.items[i].rank = hotspots->list.items[i].samples;
	for (size_t i = 0; i < count; i++) {
		uint32_t function, rest;

		if (!finding->chosen[pairs[i].group])
			continue;
		function = finding->hotspot_of[2 * pairs[i].group + 1];
		rest = finding->hotspot_of[2 * pairs[i].entry];
		if (function == NONE || rest == NONE)
			continue;
		hotspots->list.items[rest].rest = true;
		without = array_add(&hotspots->list.items[rest].without);
		if (!without)
			return -ENOMEM;
		*without = (struct hotspot_name){pairs[i].group, pairs[i].samples};
		if (explains(finding, &pairs[i]))
			hotspots->list.items[function].rank += hotspots->list.items[rest].samples;
	}
	return 0;
}

static int by_rank(const void *left, const void *right)
{
	const struct hotspot *a = left, *b = right;

	if (a->rank != b->rank)
		return a->rank < b->rank ? 1 : -1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static int by_name_samples(const void *left, const void *right)
{
	const struct hotspot_name *a = left, *b = right;

	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static int by_container_samples(const void *left, const void *right)
{
	const struct hotspot_container *a = left, *b = right;

	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return a->container < b->container ? -1 : a->container > b->container;
}

/* Hill's number of order 2: as many equal containers would give the same concentration. */
static double effective_number(const struct finding *finding, const struct hotspot *hotspot)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < hotspot->containers.count; i++) {
		const struct hotspot_container *part = &hotspot->containers.items[i];

		if (finding->profile->rows.containers.items[part->container].kind == CONTAINER_KERNEL)
			continue;
		sum += (double)part->samples;
		squares += (double)part->samples * (double)part->samples;
	}
	return squares > 0 ? sum * sum / squares : 0;
}

/* Those that were taken out of an entry, by the names that they have as hotspots. */
static void complete_without(const struct finding *finding, struct hotspot *hotspot)
{
	for (size_t i = 0; i < hotspot->without.count; i++) {
		struct hotspot_name *function = &hotspot->without.items[i];

		function->name = finding->hotspots->list.items[finding->hotspot_of[2 * function->name + 1]].name;
	}
	if (hotspot->without.count)
		qsort(hotspot->without.items, hotspot->without.count, sizeof(struct hotspot_name), by_name_samples);
}

static void complete(struct finding *finding)
{
	for (size_t i = 0; i < finding->hotspots->list.count; i++) {
		struct hotspot *hotspot = &finding->hotspots->list.items[i];

		qsort(hotspot->containers.items, hotspot->containers.count, sizeof(struct hotspot_container),
		      by_container_samples);
		qsort(hotspot->functions.items, hotspot->functions.count, sizeof(struct hotspot_name), by_name_samples);
		qsort(hotspot->entries.items, hotspot->entries.count, sizeof(struct hotspot_name), by_name_samples);
		for (size_t j = 0; j < hotspot->containers.count; j++)
			hotspot->containers.items[j].own = finding->own[hotspot->containers.items[j].container];
		hotspot->containers_effective = effective_number(finding, hotspot);
		/* Of a group, the member that is hottest here gives the name. */
		if (hotspot->is_function)
			hotspot->name = hotspot->functions.items[0].name;
		hotspot_lore_find(text_of(finding, hotspot->name), hotspot->is_function, &hotspot->what,
				  &hotspot->way_out);
	}
	for (size_t i = 0; i < finding->hotspots->list.count; i++)
		complete_without(finding, &finding->hotspots->list.items[i]);
	qsort(finding->hotspots->list.items, finding->hotspots->list.count, sizeof(struct hotspot), by_rank);
}

int hotspots_init(struct hotspots *hotspots, const struct profile *profile)
{
	_cleanup_(finding_deinit) struct finding finding = {.profile = profile, .hotspots = hotspots};
	_cleanup_free_ struct pair *pairs = NULL;
	size_t pair_count;
	int err;

	memset(hotspots, 0, sizeof(*hotspots));
	err = string_table_init(&hotspots->strings);
	if (err)
		return err;
	err = kernel_stacks_init(&finding.stacks, profile, &hotspots->strings);
	finding.own = calloc(profile->rows.containers.count + 1, sizeof(*finding.own));
	if (err || !finding.own)
		return -ENOMEM;
	err = count_samples(&finding);
	if (err || hotspots->kernel_samples < HOTSPOTS_SAMPLES_MIN)
		return err;
	err = sum_names(&finding);
	if (!err)
		err = make_pairs(&finding, &pairs, &pair_count);
	if (!err)
		choose_functions(&finding, pairs, pair_count);
	for (size_t i = 0; i < finding.cells.count && !err; i++)
		err = place_cell(&finding, &finding.cells.items[i]);
	if (err)
		return err;
	err = rank(&finding, pairs, pair_count);
	if (!err)
		complete(&finding);
	return err;
}
