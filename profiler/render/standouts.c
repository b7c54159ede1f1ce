/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "profiler/render/duration.h"
#include "profiler/render/json.h"
#include "profiler/render/series.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/real.h"
#include "symbolizer/base/text.h"

static void put_one(const struct standout *one, bool host, FILE *out)
{
	static const char *const waited_for[] = {
		[STANDOUT_CPU_PRESSURE] = "a CPU",
		[STANDOUT_MEMORY_PRESSURE] = "memory",
		[STANDOUT_IO_PRESSURE] = "block I/O",
	};
	char text[32];

	switch (one->kind) {
	case STANDOUT_THROTTLED:
		fprintf(out, "throttled in %.0f%% of its periods", 100 * one->part);
		if (!isnan(one->total))
			fprintf(out, ", %s in all", duration_text(real_to_u64(one->total), text, sizeof(text)));
		if (one->limit > 0)
			fprintf(out, "; its limit is %.2f CPUs", one->limit / 1000);
		break;
	case STANDOUT_MEMORY_LIMIT:
		if (one->limit > 0)
			fprintf(out, "reached its memory limit of %.1f MB", one->limit / 1e6);
		else
			fputs("reached a memory limit", out);
		fprintf(out, " %s times", text_grouped(real_to_u64(one->total), text, sizeof(text)));
		break;
	case STANDOUT_OOM_KILLS:
		fprintf(out, "%s of its processes were killed: out of memory",
			text_grouped(real_to_u64(one->total), text, sizeof(text)));
		break;
	case STANDOUT_CPU_PRESSURE:
	case STANDOUT_MEMORY_PRESSURE:
	case STANDOUT_IO_PRESSURE:
		fprintf(out, "some of its tasks waited for %s %.0f%% of the time", waited_for[one->kind],
			100 * one->part);
		break;
	case STANDOUT_STEAL:
		fprintf(out, "the hypervisor took %.2f CPUs away", one->part);
		break;
	}
}

int render_standouts_text(const struct profile *profile, size_t max, FILE *out)
{
	_cleanup_(profile_series_deinit) struct profile_series series = {0};
	_cleanup_(standouts_deinit) struct standouts standouts = {0};
	int err = profile_series_init(&series, profile);
	size_t left_out = 0;
	char label[128];

	if (!err)
		err = standouts_init(&standouts, &series);
	for (size_t i = 0; i < standouts.list.count && !err; i++) {
		const struct standout *one = &standouts.list.items[i];
		bool host = one->container == SERIES_HOST;

		/* The host's come last, and are few. */
		if (i >= max && !host) {
			left_out++;
			continue;
		}
		fprintf(out, "%s: ",
			host ? "the host"
			     : text_printable(profile_container_label(profile, one->container), label, sizeof(label)));
		put_one(one, host, out);
		fputs(".\n", out);
	}
	if (left_out)
		fprintf(out, "(%zu more: -n shows them)\n", left_out);
	if (!err && standouts.list.count)
		fputc('\n', out);
	return err;
}

/* What its numbers are called, with their units; NULL: it has none. */
struct standout_keys {
	const char *kind, *total, *limit;
	bool part;
};

static struct json_object *standout_json(const struct profile *profile, const struct standout *one)
{
	static const struct standout_keys all[] = {
		[STANDOUT_THROTTLED] = {"throttled", "total_ns", "limit_millicpus", .part = true},
		[STANDOUT_MEMORY_LIMIT] = {"memory limit", "times", "limit_bytes"},
		[STANDOUT_OOM_KILLS] = {"oom kills", "processes"},
		[STANDOUT_CPU_PRESSURE] = {"cpu pressure", "total_ns", .part = true},
		[STANDOUT_MEMORY_PRESSURE] = {"memory pressure", "total_ns", .part = true},
		[STANDOUT_IO_PRESSURE] = {"io pressure", "total_ns", .part = true},
		[STANDOUT_STEAL] = {"steal", "total_ns", .part = true},
	};
	const struct standout_keys *keys = &all[one->kind];
	const struct json_number total = {keys->total, real_to_u64(one->total), isnan(one->total)};
	const struct json_number limit = {keys->limit, real_to_u64(one->limit), one->limit <= 0};
	_cleanup_json_ struct json_object *object = json_object_new_object();
	int err = object ? json_add_text(object, "kind", keys->kind) : -ENOMEM;

	if (!err && one->container != SERIES_HOST)
		err = json_add(object, "container", json_container(profile, one->container));
	if (!err && keys->part)
		err = json_add_real(object, "part", one->part);
	if (!err)
		err = json_add_numbers(object, &total, 1);
	if (!err && keys->limit)
		err = json_add_numbers(object, &limit, 1);
	return err ? NULL : take_ptr(object);
}

int json_add_standouts(struct json_object *object, const struct profile *profile, const bool *wanted)
{
	_cleanup_(profile_series_deinit) struct profile_series series = {0};
	_cleanup_(standouts_deinit) struct standouts standouts = {0};
	_cleanup_json_ struct json_object *list = json_object_new_array();
	int err = list ? profile_series_init(&series, profile) : -ENOMEM;

	if (!err)
		err = standouts_init(&standouts, &series);
	for (size_t i = 0; i < standouts.list.count && !err; i++)
		if (is_of_series(standouts.list.items[i].container, wanted))
			err = json_append(list, standout_json(profile, &standouts.list.items[i]));
	return err ? err : json_add(object, "standouts", take_ptr(list));
}
