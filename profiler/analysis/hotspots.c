/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/analysis/hotspots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"

#define SHARE_MIN 0.01
#define PART_MIN 0.02
#define FUNCTION_FIRST 0.20
#define DEPTH_MAX 512

/* One kernel sample, from both points of view. */
struct kernel_sample {
	string_id entry;
	uint32_t container, leaf;
	uint64_t count;
};

typedef ARRAY(struct kernel_sample) sample_array;

void hotspots_deinit(struct hotspots *hotspots)
{
	string_table_deinit(&hotspots->names);
	array_deinit(&hotspots->list);
}

static const char *frame_name(const struct profile *profile, uint32_t frame)
{
	return string_table_text(&profile->rows.strings, profile->rows.frames.items[frame].name);
}

/* "__x64_sys_fadvise64" is called fadvise64; arch/x86/include/asm/syscall_wrapper.h and its kin. */
static const char *system_call_of(const char *function)
{
	static const char *const prefixes[] = {"__x64_sys_",	     "__ia32_sys_", "__arm64_sys_",
					       "__ia32_compat_sys_", "__se_sys_",   "__do_sys_"};

	for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++)
		if (!strncmp(function, prefixes[i], strlen(prefixes[i])))
			return function + strlen(prefixes[i]);
	return NULL;
}

static const char *other_entry_of(const char *function)
{
	static const struct {
		const char *prefix, *entry;
	} known[] = {
		{"asm_exc_page_fault", "page fault"},
		{"asm_sysvec_", "interrupt"},
		{"asm_common_interrupt", "interrupt"},
		{"asm_exc_", "exception"},
		{"ret_from_fork", "kernel thread"},
		{"kthread", "kernel thread"},
		{"irqentry_exit_to_user", "interrupt"},
		{"do_syscall_64", "system call entry and exit"},
		{"entry_SYSCALL", "system call entry and exit"},
		{"syscall_return", "system call entry and exit"},
		{"el0_svc", "system call entry and exit"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		if (!strncmp(function, known[i].prefix, strlen(known[i].prefix)))
			return known[i].entry;
	return NULL;
}

/* The outermost system call decides; without one the outermost entry of another kind. */
static const char *entry_of(const struct profile *profile, uint32_t stack)
{
	const struct recording_tables *rows = &profile->rows;
	const char *call = NULL, *other = NULL;

	for (int depth = 0; stack != RECORDING_STACK_ROOT && depth < DEPTH_MAX; depth++) {
		uint32_t frame = rows->stacks.items[stack].frame;
		const char *name, *found;

		if (rows->frames.items[frame].kind != FRAME_KERNEL)
			break;
		name = frame_name(profile, frame);
		found = system_call_of(name);
		call = found ? found : call;
		found = other_entry_of(name);
		other = found ? found : other;
		stack = rows->stacks.items[stack].parent;
	}
	return call ? call : other ? other : "other kernel work";
}

static int collect(const struct profile *profile, struct hotspots *hotspots, sample_array *samples)
{
	const struct recording_tables *rows = &profile->rows;

	for (size_t i = 0; i < rows->samples.count; i++) {
		const struct recording_sample *sample = &rows->samples.items[i];
		struct kernel_sample *added;
		const char *entry;
		uint32_t leaf;

		if (sample->stack == RECORDING_STACK_ROOT)
			continue;
		leaf = rows->stacks.items[sample->stack].frame;
		if (rows->frames.items[leaf].kind != FRAME_KERNEL)
			continue;
		added = array_add(samples);
		if (!added)
			return -ENOMEM;
		entry = entry_of(profile, sample->stack);
		if (string_table_add(&hotspots->names, entry, strlen(entry), &added->entry))
			return -ENOMEM;
		added->container = sample->container;
		added->leaf = leaf;
		added->count = sample->count;
		hotspots->kernel_samples += sample->count;
	}
	return 0;
}

static int by_entry(const void *left, const void *right)
{
	const struct kernel_sample *a = left, *b = right;

	return (a->entry > b->entry) - (a->entry < b->entry);
}

static int by_leaf(const void *left, const void *right)
{
	const struct kernel_sample *a = left, *b = right;

	return (a->leaf > b->leaf) - (a->leaf < b->leaf);
}

static int by_part(const void *left, const void *right)
{
	const struct hotspot_part *a = left, *b = right;

	if (a->samples != b->samples)
		return a->samples > b->samples ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

/* Keeps the @room largest of @counts[count] that have at least @least samples. */
static size_t keep_largest(const uint64_t *counts, size_t count, uint64_t least, struct hotspot_part *parts,
			   size_t room)
{
	size_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct hotspot_part part = {i, counts[i]};

		if (!counts[i] || counts[i] < least || (kept == room && by_part(&part, &parts[room - 1]) > 0))
			continue;
		parts[kept < room ? kept++ : room - 1] = part;
		qsort(parts, kept, sizeof(*parts), by_part);
	}
	return kept;
}

static int add_hotspot(const struct profile *profile, struct hotspots *hotspots, enum hotspot_kind kind,
		       const struct kernel_sample *samples, size_t count)
{
	size_t containers = profile->rows.containers.count, frames = profile->rows.frames.count;
	_cleanup_free_ uint64_t *by_container = calloc(containers + 1, sizeof(*by_container));
	_cleanup_free_ uint64_t *by_frame = calloc(frames + 1, sizeof(*by_frame));
	struct hotspot spot = {.kind = kind, .name = samples[0].entry};
	const char *name = frame_name(profile, samples[0].leaf);
	double squares = 0;
	struct hotspot *added;

	if (!by_container || !by_frame)
		return -ENOMEM;
	if (kind == HOTSPOT_FUNCTION && string_table_add(&hotspots->names, name, strlen(name), &spot.name))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		spot.samples += samples[i].count;
		by_container[samples[i].container] += samples[i].count;
		by_frame[samples[i].leaf] += samples[i].count;
	}
	spot.share = (double)spot.samples / (double)hotspots->kernel_samples;
	if (spot.share < SHARE_MIN)
		return 0;
	for (size_t i = 0; i < containers; i++)
		squares += (double)by_container[i] * (double)by_container[i];
	spot.effective = (double)spot.samples * (double)spot.samples / squares;
	spot.part_count = keep_largest(by_container, containers, (uint64_t)(PART_MIN * (double)spot.samples),
				       spot.parts, HOTSPOT_PARTS_MAX);
	if (kind == HOTSPOT_ENTRY)
		spot.below_count = keep_largest(by_frame, frames, 1, spot.below, HOTSPOT_BELOW_MAX);
	added = array_add(&hotspots->list);
	if (!added)
		return -ENOMEM;
	*added = spot;
	return 0;
}

static int add_all(const struct profile *profile, struct hotspots *hotspots, enum hotspot_kind kind,
		   sample_array *samples)
{
	int (*compare)(const void *, const void *) = kind == HOTSPOT_ENTRY ? by_entry : by_leaf;

	qsort(samples->items, samples->count, sizeof(*samples->items), compare);
	for (size_t i = 0, next; i < samples->count; i = next) {
		int err;

		for (next = i + 1; next < samples->count && !compare(&samples->items[i], &samples->items[next]);)
			next++;
		err = add_hotspot(profile, hotspots, kind, &samples->items[i], next - i);
		if (err)
			return err;
	}
	return 0;
}

static bool goes_first(const struct hotspot *spot)
{
	return spot->kind == HOTSPOT_FUNCTION && spot->share >= FUNCTION_FIRST;
}

static int by_rank(const void *left, const void *right)
{
	const struct hotspot *a = left, *b = right;

	if (goes_first(a) != goes_first(b))
		return goes_first(a) ? -1 : 1;
	if (a->samples != b->samples)
		return a->samples > b->samples ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return (a->name > b->name) - (a->name < b->name);
}

int hotspots_find(const struct profile *profile, struct hotspots *hotspots)
{
	sample_array samples = {0};
	int err;

	memset(hotspots, 0, sizeof(*hotspots));
	err = string_table_init(&hotspots->names);
	if (!err)
		err = collect(profile, hotspots, &samples);
	if (!err && hotspots->kernel_samples >= HOTSPOTS_SAMPLES_MIN) {
		err = add_all(profile, hotspots, HOTSPOT_ENTRY, &samples);
		if (!err)
			err = add_all(profile, hotspots, HOTSPOT_FUNCTION, &samples);
		if (!err)
			qsort(hotspots->list.items, hotspots->list.count, sizeof(struct hotspot), by_rank);
	}
	array_deinit(&samples);
	return err;
}
