/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/hot_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/profile/kernel_stacks.h"
#include "symbolizer/base/cleanup.h"

struct finding {
	const struct profile *profile;
	struct hot_calls *hot;
	enum calls_grouping by;
	const bool *wanted;	 /* [containers]; NULL: all */
	struct hash_index index; /* of hot->rows */
	struct kernel_stacks stacks;
};

static void finding_deinit(struct finding *finding)
{
	hash_index_deinit(&finding->index);
	kernel_stacks_deinit(&finding->stacks);
}

void hot_calls_deinit(struct hot_calls *hot)
{
	array_deinit(&hot->rows);
	string_table_deinit(&hot->strings);
}

bool hot_calls_known(const struct profile *profile)
{
	return profile->rows.sample_calls.count;
}

static bool is_in_kernel(const struct profile *profile, uint32_t stack)
{
	const struct recording_tables *rows = &profile->rows;

	return stack != RECORDING_STACK_ROOT &&
	       rows->frames.items[rows->stacks.items[stack].frame].kind == FRAME_KERNEL;
}

static int function_of(struct finding *finding, uint32_t stack, string_id *ret_function)
{
	const char *name = "[kernel stack not recorded]";
	const struct kernel_stack *kernel;
	int err = kernel_stacks_find(&finding->stacks, stack, &kernel);

	if (err)
		return err;
	if (kernel->kind != KERNEL_ENTRY_NONE) {
		*ret_function = kernel->function;
		return 0;
	}
	if (is_in_kernel(finding->profile, stack))
		kernel_entry_names(finding->profile, stack, &name, 1);
	return string_table_add(&finding->hot->strings, name, strlen(name), ret_function);
}

static int find_or_add(struct finding *finding, const struct hot_call *wanted)
{
	uint64_t hash = hash_words((uint64_t)wanted->container << 32 | wanted->call, wanted->function);
	struct hot_calls *hot = finding->hot;
	uint32_t number;

	for (size_t at = hash_index_first(&finding->index, hash);
	     hash_index_next(&finding->index, hash, &at, &number);) {
		struct hot_call *row = &hot->rows.items[number];

		if (row->container == wanted->container && row->call == wanted->call &&
		    row->function == wanted->function) {
			row->samples += wanted->samples;
			return 0;
		}
	}
	number = (uint32_t)hot->rows.count;
	if (array_reserve(&hot->rows, 1) || hash_index_insert(&finding->index, hash, number))
		return -ENOMEM;
	*array_add(&hot->rows) = *wanted;
	return 0;
}

static int add_sample(struct finding *finding, size_t number)
{
	const struct recording_sample *sample = &finding->profile->rows.samples.items[number];
	string_id call = finding->profile->calls.items[number];
	struct hot_call row = {
		.container = finding->by == CALLS_BY_CALL ? CALLS_ALL : sample->container,
		.call = finding->by == CALLS_BY_CONTAINER ? 0 : call,
		.samples = sample->count,
	};
	int err;

	if (sample->kind != SAMPLE_ONCPU)
		return 0;
	if (!call) {
		if (!is_in_kernel(finding->profile, sample->stack))
			return 0;
		if (profile_call_is_told(finding->profile, number))
			finding->hot->in_none += sample->count;
		else
			finding->hot->untold += sample->count;
		return 0;
	}
	finding->hot->in_calls += sample->count;
	if (finding->wanted && !finding->wanted[sample->container])
		return 0;
	err = function_of(finding, sample->stack, &row.function);
	return err ? err : find_or_add(finding, &row);
}

static int compare_calls(const struct hot_call *a, const struct hot_call *b)
{
	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	return a->call == b->call ? 0 : a->call < b->call ? -1 : 1;
}

static int by_call(const void *left, const void *right)
{
	return compare_calls(left, right);
}

static int by_samples(const void *left, const void *right, void *data)
{
	const struct hot_call *a = left, *b = right;
	const struct hot_calls *hot = data;

	if (a->of_call != b->of_call)
		return a->of_call < b->of_call ? 1 : -1;
	if (compare_calls(a, b))
		return compare_calls(a, b);
	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return strcmp(string_table_text(&hot->strings, a->function), string_table_text(&hot->strings, b->function));
}

static void sort(struct hot_calls *hot)
{
	struct hot_call *rows = hot->rows.items;
	uint64_t sum;

	if (!hot->rows.count)
		return;
	qsort(rows, hot->rows.count, sizeof(*rows), by_call);
	for (size_t first = 0, end; first < hot->rows.count; first = end) {
		sum = 0;
		for (end = first; end < hot->rows.count && !compare_calls(&rows[first], &rows[end]); end++)
			sum += rows[end].samples;
		for (size_t i = first; i < end; i++)
			rows[i].of_call = sum;
	}
	qsort_r(rows, hot->rows.count, sizeof(*rows), by_samples, hot);
}

int hot_calls_init(struct hot_calls *hot, const struct profile *profile, enum calls_grouping by, const bool *wanted)
{
	_cleanup_(finding_deinit) struct finding finding = {.profile = profile, .hot = hot, .by = by, .wanted = wanted};
	int err;

	memset(hot, 0, sizeof(*hot));
	err = string_table_init(&hot->strings);
	if (!err)
		err = kernel_stacks_init(&finding.stacks, profile, &hot->strings);
	for (size_t i = 0; i < profile->rows.samples.count && !err; i++)
		err = add_sample(&finding, i);
	sort(hot);
	return err;
}
