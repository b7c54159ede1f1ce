/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_reports: every report of a hostile recording (recording_input.h), for people and for programs.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/analysis/calls.h"
#include "profiler/render/blocked.h"
#include "profiler/render/calls.h"
#include "profiler/render/folded.h"
#include "profiler/render/hot_calls.h"
#include "profiler/render/hotspots.h"
#include "profiler/render/info.h"
#include "profiler/render/locks.h"
#include "profiler/render/run_queue.h"
#include "profiler/render/series.h"
#include "profiler/render/svg.h"
#include "profiler/render/table.h"
#include "tests/fuzz/recording_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct profile *load(const uint8_t *data, size_t size)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	struct profile *profile = NULL;
	char path[64], error[512];

	if (!file)
		abort();
	recording_input_write(file, data, size);
	fflush(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	profile_load(path, RECORDING_ALL, &profile, error, sizeof(error));
	fclose(file);
	return profile;
}

static void draw(const struct profile *profile, enum profile_kind kind, enum profile_grouping by, FILE *out)
{
	struct profile_query query = {.kind = kind, .by = by, .reverse = by == PROFILE_BY_NONE};
	struct call_tree tree;
	char error[512];

	if (call_tree_init(&tree))
		abort();
	if (!profile_call_tree(profile, &query, &tree, error, sizeof(error))) {
		render_folded(&tree, NULL, out);
		render_svg(&tree, NULL, out);
	}
	call_tree_deinit(&tree);
}

static void show_waits(const struct profile *profile, FILE *out)
{
	const struct blocked_options blocked = {.wakers = true};
	struct run_queue_options queue = {.histograms = true};
	struct blocked_places places = {0};
	struct profile_times times = {0};

	if (!profile_times_init(&times, profile) && !blocked_places_init(&places, profile, 0)) {
		render_blocked_text(&places, &times, profile, &blocked, out);
		render_blocked_json(&places, &times, profile, &blocked, out);
		render_run_queue_text(&times, profile, &queue, out);
		render_run_queue_json(&times, profile, &queue, out);
		queue.by_namespace = true;
		render_run_queue_text(&times, profile, &queue, out);
	}
	blocked_places_deinit(&places);
	profile_times_deinit(&times);
}

static void show_calls(const struct profile *profile, enum calls_grouping by, FILE *out)
{
	const struct calls_options options = {.by = by};
	struct profile_calls calls = {0};
	struct hot_calls hot = {0};

	if (!profile_calls_init(&calls, profile, by, NULL)) {
		calls_sort(&calls, profile, CALLS_BY_COST);
		render_calls_text(&calls, profile, &options, out);
		render_calls_json(&calls, profile, &options, out);
	}
	if (!hot_calls_init(&hot, profile, by, NULL)) {
		render_hot_calls_text(&hot, profile, &options, out);
		render_hot_calls_json(&hot, profile, &options, out);
	}
	profile_calls_deinit(&calls);
	hot_calls_deinit(&hot);
}

static void show_locks(const struct profile *profile, enum locks_grouping by, FILE *out)
{
	const struct locks_options options = {.by = by};
	struct lock_sites sites = {0};

	if (!lock_sites_init(&sites, profile, by, NULL)) {
		render_locks_text(&sites, profile, &options, out);
		render_locks_json(&sites, profile, &options, out);
	}
	lock_sites_deinit(&sites);
}

static void show_series(const struct profile *profile, FILE *out)
{
	const struct series_options options = {.all = true};
	struct profile_series series = {0};

	if (!profile_series_init(&series, profile)) {
		render_series_text(&series, profile, &options, out);
		render_series_json(&series, profile, &options, out);
		render_series_csv(&series, profile, &options, out);
	}
	profile_series_deinit(&series);
}

static void show(const struct profile *profile, FILE *out)
{
	const struct hotspots_options most = {.max = 1000};
	const struct table_options table = {0};
	struct hotspots hotspots = {0};

	render_info_text(profile, &(struct info_options){0}, out);
	render_info_json(profile, out);
	render_table(profile, &table, out);
	for (enum profile_kind kind = PROFILE_ONCPU; kind <= PROFILE_LOCKS; kind++)
		draw(profile, kind, PROFILE_BY_POD, out);
	draw(profile, PROFILE_ONCPU, PROFILE_BY_THREAD, out);
	draw(profile, PROFILE_ONCPU, PROFILE_BY_NONE, out);
	draw(profile, PROFILE_ONCPU, PROFILE_BY_CALL, out);
	if (!hotspots_init(&hotspots, profile)) {
		render_hotspots_text(&hotspots, profile, &most, out);
		render_hotspots_json(&hotspots, profile, &most, out);
	}
	hotspots_deinit(&hotspots);
	show_waits(profile, out);
	show_calls(profile, CALLS_BY_BOTH, out);
	for (enum locks_grouping by = 0; by <= LOCKS_BY_OWNER; by++)
		show_locks(profile, by, out);
	show_series(profile, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile *profile = load(data, size);
	char *shown = NULL;
	size_t bytes = 0;
	FILE *out;

	if (!profile)
		return 0;
	out = open_memstream(&shown, &bytes);
	show(profile, out);
	fclose(out);
	/* Names are strangers': no report hands a terminal its escapes. */
	for (size_t i = 0; i < bytes; i++)
		if (shown[i] == '\033')
			abort();
	free(shown);
	profile_free(profile);
	return 0;
}
