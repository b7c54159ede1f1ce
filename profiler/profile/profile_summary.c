/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/profile_summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define NS_PER_S 1000000000ull

/* A thing of a container (a leaf, a reason) and how often it was seen. */
struct tally {
	uint32_t container, thing;
	uint64_t count;
};

struct tallies {
	ARRAY(struct tally) rows;
	struct hash_index index;
};

struct summing {
	const struct profile *profile;
	struct profile_summary *summary;
	uint32_t *unnamed; /* [stacks]: frames without a name from the leaf to the root */
	string_id *texts;  /* [frames]: name or reason, in the summary's strings */
	struct tallies leaves, whys;
};

static void summing_deinit(struct summing *summing)
{
	free(summing->unnamed);
	free(summing->texts);
	array_deinit(&summing->leaves.rows);
	array_deinit(&summing->whys.rows);
	hash_index_deinit(&summing->leaves.index);
	hash_index_deinit(&summing->whys.index);
}

void profile_summary_deinit(struct profile_summary *summary)
{
	string_table_deinit(&summary->strings);
	array_deinit(&summary->containers);
	array_deinit(&summary->by_samples);
	array_deinit(&summary->missing);
}

static int tally_add(struct tallies *tallies, uint32_t container, uint32_t thing, uint64_t count)
{
	uint64_t hash = hash_words(container, thing);
	struct tally *row;
	uint32_t number;

	for (size_t at = hash_index_first(&tallies->index, hash);
	     hash_index_next(&tallies->index, hash, &at, &number);) {
		row = &tallies->rows.items[number];
		if (row->container == container && row->thing == thing) {
			row->count += count;
			return 0;
		}
	}
	if (hash_index_insert(&tallies->index, hash, (uint32_t)tallies->rows.count))
		return -ENOMEM;
	row = array_add(&tallies->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct tally){container, thing, count};
	return 0;
}

/* "[stripped libfoo.so+0x1234]" is "[stripped libfoo.so]": one reason, however many addresses. */
static int add_text(struct summing *summing, const struct recording_frame *frame, string_id *ret_text)
{
	const char *name = string_table_text(&summing->profile->rows.strings, frame->name);
	const char *plus = frame->named ? NULL : strrchr(name, '+');
	char text[512];

	if (!plus || strncmp(plus, "+0x", 3) != 0)
		return string_table_add(&summing->summary->strings, name, strlen(name), ret_text);
	snprintf(text, sizeof(text), "%.*s]", (int)(plus - name < 500 ? plus - name : 500), name);
	return string_table_add(&summing->summary->strings, text, strlen(text), ret_text);
}

static int prepare(struct summing *summing)
{
	const struct recording_tables *rows = &summing->profile->rows;

	summing->unnamed = calloc(rows->stacks.count + 1, sizeof(*summing->unnamed));
	summing->texts = calloc(rows->frames.count + 1, sizeof(*summing->texts));
	if (!summing->unnamed || !summing->texts)
		return -ENOMEM;
	for (size_t i = 0; i < rows->frames.count; i++)
		if (add_text(summing, &rows->frames.items[i], &summing->texts[i]))
			return -ENOMEM;
	for (size_t i = 0; i < rows->stacks.count; i++) {
		const struct recording_stack *stack = &rows->stacks.items[i];

		if (stack->parent != RECORDING_STACK_ROOT)
			summing->unnamed[i] = summing->unnamed[stack->parent];
		summing->unnamed[i] += !rows->frames.items[stack->frame].named;
	}
	return 0;
}

static int add_whys(struct summing *summing, const struct recording_sample *sample)
{
	const struct recording_tables *rows = &summing->profile->rows;
	uint32_t steps = 0;
	int err = 0;

	for (uint32_t at = sample->stack;
	     at != RECORDING_STACK_ROOT && summing->unnamed[at] && steps < PROFILE_STEPS_MAX && !err;
	     at = rows->stacks.items[at].parent, steps++) {
		uint32_t frame = rows->stacks.items[at].frame;

		if (!rows->frames.items[frame].named)
			err = tally_add(&summing->whys, sample->container, summing->texts[frame], sample->count);
	}
	return err;
}

static int add_sample(struct summing *summing, const struct recording_sample *sample)
{
	struct container_summary *container = &summing->summary->containers.items[sample->container];
	const struct recording_tables *rows = &summing->profile->rows;
	uint32_t leaf;
	int err;

	container->samples += sample->count;
	if (sample->stack == RECORDING_STACK_ROOT)
		return 0;
	leaf = rows->stacks.items[sample->stack].frame;
	if (rows->frames.items[leaf].kind == FRAME_KERNEL)
		container->kernel_samples += sample->count;
	err = tally_add(&summing->leaves, sample->container, summing->texts[leaf], sample->count);
	return err ? err : add_whys(summing, sample);
}

static int add_container(struct summing *summing, uint32_t number)
{
	const struct recording_accounting *account = profile_accounting(summing->profile, number);
	struct container_summary *container = array_add(&summing->summary->containers);

	if (!container)
		return -ENOMEM;
	container->user_samples = account->user_samples;
	container->user_complete = account->user_complete;
	container->frames = account->user_frames + account->kernel_frames;
	container->named = account->user_named + account->kernel_named;
	return 0;
}

static void take_tops(struct summing *summing)
{
	for (size_t i = 0; i < summing->leaves.rows.count; i++) {
		const struct tally *tally = &summing->leaves.rows.items[i];
		struct container_summary *container = &summing->summary->containers.items[tally->container];

		if (tally->count > container->top_samples) {
			container->top_samples = tally->count;
			container->top_function = tally->thing;
		}
	}
	for (size_t i = 0; i < summing->whys.rows.count; i++) {
		const struct tally *tally = &summing->whys.rows.items[i];
		struct container_summary *container = &summing->summary->containers.items[tally->container];

		if (tally->count > container->reason_frames) {
			container->reason_frames = tally->count;
			container->top_reason = tally->thing;
		}
	}
}

static int by_container_and_frames(const void *left, const void *right)
{
	const struct missing_names *a = left, *b = right;

	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	if (a->frames != b->frames)
		return a->frames < b->frames ? 1 : -1;
	return a->reason < b->reason ? -1 : a->reason > b->reason;
}

static int take_missing(struct summing *summing)
{
	struct profile_summary *summary = summing->summary;

	if (array_reserve(&summary->missing, summing->whys.rows.count))
		return -ENOMEM;
	for (size_t i = 0; i < summing->whys.rows.count; i++) {
		const struct tally *tally = &summing->whys.rows.items[i];

		*array_add(&summary->missing) = (struct missing_names){tally->container, tally->thing, tally->count};
	}
	if (summary->missing.count)
		qsort(summary->missing.items, summary->missing.count, sizeof(*summary->missing.items),
		      by_container_and_frames);
	return 0;
}

static int by_samples(const void *left, const void *right, void *context)
{
	const struct profile_summary *summary = context;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	uint64_t samples_a = summary->containers.items[a].samples, samples_b = summary->containers.items[b].samples;

	if (samples_a != samples_b)
		return samples_a < samples_b ? 1 : -1;
	return a < b ? -1 : a > b;
}

static int sum_up(struct profile_summary *summary)
{
	for (uint32_t i = 0; i < summary->containers.count; i++) {
		uint32_t *row;

		if (!summary->containers.items[i].samples)
			continue;
		row = array_add(&summary->by_samples);
		if (!row)
			return -ENOMEM;
		*row = i;
		summary->samples += summary->containers.items[i].samples;
		summary->kernel_samples += summary->containers.items[i].kernel_samples;
	}
	if (summary->by_samples.count)
		qsort_r(summary->by_samples.items, summary->by_samples.count, sizeof(uint32_t), by_samples, summary);
	return 0;
}

static void take_times(struct profile_summary *summary, const struct profile *profile)
{
	summary->period_ns = profile_period_ns(profile);
	summary->duration_ns = profile_fact_number(profile, "duration_ns");
	if (!summary->duration_ns)
		summary->duration_ns = profile_last_sample_ns(profile);
}

int profile_summary_init(struct profile_summary *summary, const struct profile *profile)
{
	_cleanup_(summing_deinit) struct summing summing = {.profile = profile, .summary = summary};
	int err;

	memset(summary, 0, sizeof(*summary));
	err = string_table_init(&summary->strings);
	if (!err)
		err = prepare(&summing);
	for (uint32_t i = 0; i < profile->rows.containers.count && !err; i++)
		err = add_container(&summing, i);
	for (size_t i = 0; i < profile->rows.samples.count && !err; i++)
		if (profile->rows.samples.items[i].kind == SAMPLE_ONCPU)
			err = add_sample(&summing, &profile->rows.samples.items[i]);
	if (err)
		return err;
	take_tops(&summing);
	take_times(summary, profile);
	err = take_missing(&summing);
	return err ? err : sum_up(summary);
}

double profile_summary_cpus(const struct profile_summary *summary, uint64_t samples)
{
	if (!summary->duration_ns || !summary->period_ns)
		return -1;
	return (double)samples * (double)summary->period_ns / (double)summary->duration_ns;
}
