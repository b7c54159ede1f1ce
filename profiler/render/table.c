/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/table.h"

#include <errno.h>
#include <string.h>

#include "profiler/profile/profile_summary.h"
#include "profiler/render/columns.h"
#include "profiler/render/name_text.h"
#include "profiler/render/share.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define NAME_COLUMNS_MAX 32
#define FUNCTION_COLUMNS_MAX 44
#define NAMED_WELL 0.99

enum { CONTAINER, CPU, KERNEL, SAMPLES, WHOLE, NAMED, FUNCTION, COLUMNS };

static const struct column columns[COLUMNS] = {
	[CONTAINER] = {"CONTAINER", false, NAME_COLUMNS_MAX},
	[CPU] = {"CPU", true, 12},
	[KERNEL] = {"KERNEL", true, 8},
	[SAMPLES] = {"SAMPLES", true, 27},
	[WHOLE] = {"WHOLE", true, 8},
	[NAMED] = {"NAMED", true, 8},
	[FUNCTION] = {"TOP FUNCTION", false, FUNCTION_COLUMNS_MAX},
};

static int put_container(struct column_table *table, const struct profile_summary *summary,
			 const struct container_summary *container, const char *label)
{
	char cells[COLUMNS][COLUMN_CELL_BYTES] = {"", "-"}, reason[64];
	double cpus = profile_summary_cpus(summary, container->samples);
	uint64_t unnamed = container->frames - container->named;

	name_text(label, columns[CONTAINER].max, cells[CONTAINER], sizeof(cells[CONTAINER]));
	if (cpus >= 0)
		snprintf(cells[CPU], sizeof(cells[CPU]), "%.2f", cpus);
	share_text(container->kernel_samples, container->samples, 0, cells[KERNEL], sizeof(cells[KERNEL]));
	text_grouped(container->samples, cells[SAMPLES], sizeof(cells[SAMPLES]));
	share_text(container->user_complete, container->user_samples, 1, cells[WHOLE], sizeof(cells[WHOLE]));
	share_text(container->named, container->frames, 1, cells[NAMED], sizeof(cells[NAMED]));
	text_printable(string_table_text(&summary->strings, container->top_function), cells[FUNCTION],
		       sizeof(cells[FUNCTION]));
	if ((double)unnamed > (1 - NAMED_WELL) * (double)container->frames) {
		char share[16];

		share_text(container->reason_frames, container->frames, 1, share, sizeof(share));
		text_printable(string_table_text(&summary->strings, container->top_reason), reason, sizeof(reason));
		return column_table_add(table, cells, "%s of its frames: %s", share, reason);
	}
	return column_table_add(table, cells, NULL);
}

static int put_rest(struct column_table *table, const struct profile_summary *summary, size_t first)
{
	struct container_summary rest = {0};
	char label[64], share[16];

	for (size_t i = first; i < summary->by_samples.count; i++) {
		const struct container_summary *one = &summary->containers.items[summary->by_samples.items[i]];

		rest.samples += one->samples;
		rest.kernel_samples += one->kernel_samples;
		rest.user_samples += one->user_samples;
		rest.user_complete += one->user_complete;
		rest.frames += one->frames;
		rest.named += one->named;
	}
	/* Whose reason would it be? */
	rest.reason_frames = rest.frames - rest.named;
	share_text(rest.samples, summary->samples, 1, share, sizeof(share));
	snprintf(label, sizeof(label), "(%zu more, %s of samples)", summary->by_samples.count - first, share);
	return put_container(table, summary, &rest, label);
}

int render_table(const struct profile *profile, const struct table_options *options, FILE *out)
{
	_cleanup_(column_table_deinit) struct column_table table = {.columns = columns, .column_count = COLUMNS};
	_cleanup_(profile_summary_deinit) struct profile_summary summary;
	size_t rows_max = options->rows_max ? options->rows_max : TABLE_ROWS;
	int err = profile_summary_init(&summary, profile);

	for (size_t i = 0; i < summary.by_samples.count && i < rows_max && !err; i++) {
		uint32_t row = summary.by_samples.items[i];

		err = put_container(&table, &summary, &summary.containers.items[row],
				    profile_container_label(profile, row));
	}
	if (!err && summary.by_samples.count > rows_max)
		err = put_rest(&table, &summary, rows_max);
	if (err)
		return err;
	if (summary.by_samples.count)
		column_table_print(&table, out);
	else
		fputs("no samples\n", out);
	fputc('\n', out);
	return render_accounting(profile, out);
}
