/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/waits_account.h"

#include "profiler/render/duration.h"
#include "symbolizer/base/sums.h"
#include "symbolizer/base/text.h"

/* Of the blocks that were recorded, in memory or not. */
static struct recording_waits_sums blocks_of(const struct profile *profile)
{
	struct recording_waits_sums sums = profile->rows.waits_left_out;

	for (size_t i = 0; i < profile->rows.waits.count; i++)
		recording_waits_add(&sums, &profile->rows.waits.items[i]);
	return sums;
}

static uint64_t known_queue_ns(const struct profile_times *times)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < times->queues.count; i++)
		if (times->queues.items[i].reason != QUEUE_EARLIER)
			sum_add(&ns, times->queues.items[i].ns);
	return ns;
}

void render_losses(const struct loss *losses, size_t count, const struct profile *profile, FILE *out)
{
	char number[32];

	for (size_t i = 0; i < count; i++) {
		uint64_t lost = profile_fact_number(profile, losses[i].fact);

		if (lost)
			fprintf(out, "%s %s\n", text_grouped(lost, number, sizeof(number)), losses[i].text);
	}
}

static void put_losses(const struct profile *profile, FILE *out)
{
	static const struct loss losses[] = {
		{"waits.lost", "blocks had no room: too many different ones in a second."},
		{"waits.stacks_lost", "stacks were lost: too many at once. Their time is there, without a stack."},
		{"waits.tasks_lost", "events were lost: no memory for a task's times."},
		LOSS_UNSEEN,
		LOSS_MISSED,
	};

	render_losses(losses, ARRAY_LENGTH(losses), profile, out);
}

/* The account's parts of the blocked time, as far as they are known. */
static uint64_t parts_ns(const struct recording_waits_sums *blocks, const struct profile_times *times,
			 const struct profile *profile)
{
	return sum_of(sum_of(sum_of(blocks->stacked_ns, blocks->stackless_ns), times->total.short_ns),
		      profile_fact_number(profile, "waits.lost_ns"));
}

/* Sums are written before the stacks of the same blocks: what was cut has the first without the second. */
static uint64_t unwritten_ns(const struct recording_waits_sums *blocks, const struct profile_times *times,
			     const struct profile *profile)
{
	uint64_t all = time_sums_blocked(&times->total), parts = parts_ns(blocks, times, profile);

	return !profile->whole && all > parts ? all - parts : 0;
}

static void put_part(uint64_t ns, const char *text, FILE *out)
{
	char number[16];

	if (ns)
		fprintf(out, " + %s %s", duration_text(ns, number, sizeof(number)), text);
}

void render_blocked_account(const struct profile_times *times, const struct profile *profile, FILE *out)
{
	bool least_is_known = profile_fact(profile, "waits.min_block_ns");
	bool loss_is_known = profile->whole || profile_fact(profile, "waits.lost_ns");
	struct recording_waits_sums blocks = blocks_of(profile);
	uint64_t all = time_sums_blocked(&times->total);
	uint64_t parts = parts_ns(&blocks, times, profile), gap = all > parts ? all - parts : parts - all;
	char text[3][16];

	fprintf(out, "%s blocked = %s with stacks + %s in ", duration_text(all, text[0], sizeof(text[0])),
		duration_text(blocks.stacked_ns, text[1], sizeof(text[1])),
		duration_text(times->total.short_ns, text[2], sizeof(text[2])));
	if (least_is_known)
		fprintf(out, "blocks shorter than %s",
			duration_text(profile_fact_number(profile, "waits.min_block_ns"), text[0], sizeof(text[0])));
	else
		fputs("short blocks", out);
	if (loss_is_known)
		fprintf(out, " + %s lost",
			duration_text(profile_fact_number(profile, "waits.lost_ns"), text[0], sizeof(text[0])));
	put_part(blocks.stackless_ns, "of which the stacks were lost", out);
	put_part(unwritten_ns(&blocks, times, profile), "of which the stacks were not written", out);
	fputs(".\n", out);
	if (!loss_is_known)
		fputs("What was lost is not known: that is told at the end.\n", out);
	if (profile->whole && gap > all / 1000)
		fprintf(out, "This does not add up: %s are unaccounted for.\n",
			duration_text(gap, text[0], sizeof(text[0])));
	put_losses(profile, out);
}

void render_queue_account(const struct profile_times *times, const struct profile *profile, FILE *out)
{
	uint64_t all = time_sums_queued(&times->total), known = known_queue_ns(times);
	char text[3][16];

	fprintf(out, "%s queued = %s while others ran, or for a reason told + %s not known.\n",
		duration_text(all, text[0], sizeof(text[0])), duration_text(known, text[1], sizeof(text[1])),
		duration_text(all > known ? all - known : 0, text[2], sizeof(text[2])));
	put_losses(profile, out);
}

int json_add_waits_account(struct json_object *object, const struct profile_times *times, const struct profile *profile)
{
	static const struct {
		const char *key, *fact;
	} facts[] = {
		{"min_block_ns", "waits.min_block_ns"},
		{"lost_ns", "waits.lost_ns"},
		{"lost", "waits.lost"},
		{"stacks_lost", "waits.stacks_lost"},
		{"tasks_lost", "waits.tasks_lost"},
		{"unseen", "waits.unseen"},
		{"missed", "waits.missed"},
		{"queue_lost_ns", "queue.lost_ns"},
	};
	bool no_blocks = !profile_times_have_blocks(times, profile);
	struct recording_waits_sums blocks = blocks_of(profile);
	const struct json_number numbers[] = {
		{"blocked_ns", time_sums_blocked(&times->total)},
		{"with_stacks_ns", blocks.stacked_ns, no_blocks},
		{"without_stacks_ns", blocks.stackless_ns, no_blocks},
		{"short_ns", times->total.short_ns},
		{"unwritten_ns", unwritten_ns(&blocks, times, profile), no_blocks},
		{"queued_ns", time_sums_queued(&times->total)},
		{"queued_known_ns", known_queue_ns(times), !times->queues.count},
	};
	int err = json_add_numbers(object, numbers, ARRAY_LENGTH(numbers));

	for (size_t i = 0; i < ARRAY_LENGTH(facts) && !err; i++)
		err = json_add_fact(object, facts[i].key, profile, facts[i].fact);
	return err;
}
