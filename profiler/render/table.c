/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define NAME_COLUMNS_MAX 40
#define NAMED_WELL 0.99

struct table_row {
	uint32_t container;
	uint64_t samples, kernel;
	const struct recording_accounting *account;
	uint32_t top;	 /* frame, or UINT32_MAX */
	uint32_t reason; /* the most frequent frame without a name, or UINT32_MAX */
};

struct leaf_count {
	uint32_t container, frame;
	uint64_t count;
};

static const char *text_of(const struct profile *profile, string_id id)
{
	return string_table_text(&profile->rows.strings, id);
}

static int by_container_and_frame(const void *left, const void *right)
{
	const struct leaf_count *a = left, *b = right;

	if (a->container != b->container)
		return a->container < b->container ? -1 : 1;
	return (a->frame > b->frame) - (a->frame < b->frame);
}

/* One entry for each sample's leaf, merged: the most frequent of each container is its top function. */
static int find_tops(const struct profile *profile, struct table_row *rows)
{
	const struct recording_tables *tables = &profile->rows;
	_cleanup_free_ struct leaf_count *leaves = calloc(tables->samples.count + 1, sizeof(*leaves));
	_cleanup_free_ uint64_t *best = calloc(tables->containers.count + 1, sizeof(*best));
	_cleanup_free_ uint64_t *worst = calloc(tables->containers.count + 1, sizeof(*worst));
	size_t count = 0;

	if (!leaves || !best || !worst)
		return -ENOMEM;
	for (size_t i = 0; i < tables->samples.count; i++) {
		const struct recording_sample *sample = &tables->samples.items[i];

		if (sample->stack != RECORDING_STACK_ROOT)
			leaves[count++] = (struct leaf_count){sample->container,
							      tables->stacks.items[sample->stack].frame, sample->count};
	}
	qsort(leaves, count, sizeof(*leaves), by_container_and_frame);
	for (size_t i = 0, next; i < count; i = next) {
		uint32_t container = leaves[i].container, frame = leaves[i].frame;
		uint64_t sum = 0;

		for (next = i; next < count && leaves[next].container == container && leaves[next].frame == frame;)
			sum += leaves[next++].count;
		rows[container].kernel += tables->frames.items[frame].kind == FRAME_KERNEL ? sum : 0;
		if (sum > best[container]) {
			best[container] = sum;
			rows[container].top = frame;
		}
		if (!tables->frames.items[frame].named && sum > worst[container]) {
			worst[container] = sum;
			rows[container].reason = frame;
		}
	}
	return 0;
}

static int by_samples(const void *left, const void *right)
{
	const struct table_row *a = left, *b = right;

	if (a->samples != b->samples)
		return a->samples > b->samples ? -1 : 1;
	return (a->container > b->container) - (a->container < b->container);
}

static struct table_row *make_rows(const struct profile *profile)
{
	size_t count = profile->rows.containers.count;
	struct table_row *rows = calloc(count + 1, sizeof(*rows));

	for (uint32_t i = 0; rows && i < count; i++) {
		rows[i] = (struct table_row){.container = i, .top = UINT32_MAX, .reason = UINT32_MAX};
		rows[i].account = profile_accounting(profile, i);
	}
	for (size_t i = 0; rows && i < profile->rows.samples.count; i++)
		rows[profile->rows.samples.items[i].container].samples += profile->rows.samples.items[i].count;
	return rows;
}

/* @text in @columns, cut with an ellipsis or filled up. */
static void print_padded(FILE *out, const char *text, size_t columns)
{
	size_t wide = text_columns(text), kept = 0;

	for (; *text; text++) {
		kept += ((unsigned char)*text & 0xc0) != 0x80;
		if (wide > columns && kept == columns) {
			fputs("…", out);
			return;
		}
		fputc(*text, out);
	}
	for (; wide < columns; wide++)
		fputc(' ', out);
}

static void percent(uint64_t part, uint64_t whole, char *out, size_t size)
{
	if (whole)
		snprintf(out, size, "%.1f%%", 100.0 * (double)part / (double)whole);
	else
		snprintf(out, size, "-");
}

/* CPUs busy on average: by the clock's period, or by the frequency that the kernel aimed at. */
static double cpus_of(const struct profile *profile, uint64_t samples)
{
	double duration = (double)profile_fact_number(profile, "duration_ns") / 1e9;
	uint64_t hz = profile_fact_number(profile, "event.hz");

	return duration > 0 && hz ? (double)samples / (double)hz / duration : 0;
}

static void print_row(const struct profile *profile, const struct table_row *row, size_t columns, FILE *out)
{
	char name[512], top[256], samples[32], whole[16], named[16], kernel[16];
	const struct recording_accounting *account = row->account;
	uint64_t frames = account->user_frames + account->kernel_frames;
	uint64_t with_name = account->user_named + account->kernel_named;

	text_printable(profile_container_label(profile, row->container), name, sizeof(name));
	text_printable(row->top == UINT32_MAX ? "-" : text_of(profile, profile->rows.frames.items[row->top].name), top,
		       sizeof(top));
	percent(account->user_complete, account->user_samples, whole, sizeof(whole));
	percent(with_name, frames, named, sizeof(named));
	snprintf(kernel, sizeof(kernel), "%.0f%%", 100.0 * (double)row->kernel / (double)row->samples);
	print_padded(out, name, columns);
	fprintf(out, "  %5.2f  %6s  %9s  %6s  %6s  %s", cpus_of(profile, row->samples), kernel,
		text_grouped(row->samples, samples, sizeof(samples)), whole, named, top);
	if (frames && (double)with_name < NAMED_WELL * (double)frames && row->reason != UINT32_MAX &&
	    row->reason != row->top)
		fprintf(out, "   e.g. %s",
			text_printable(text_of(profile, profile->rows.frames.items[row->reason].name), top,
				       sizeof(top)));
	fputc('\n', out);
}

static void print_causes(const struct recording_accounting *total, FILE *out)
{
	char count[32];

	if (total->lost_ring)
		fprintf(out, "%s lost: the ring buffer was full, the recorder too slow.\n",
			text_grouped(total->lost_ring, count, sizeof(count)));
	if (total->lost_read)
		fprintf(out, "%s lost: counted in the kernel, but not read in time.\n",
			text_grouped(total->lost_read, count, sizeof(count)));
	if (total->idle)
		fprintf(out, "%s ticks found an idle CPU and are no samples.\n",
			text_grouped(total->idle, count, sizeof(count)));
}

int render_account(const struct profile *profile, FILE *out)
{
	const struct recording_accounting *total = profile_accounting(profile, RECORDING_TOTAL);
	uint64_t duration = profile_fact_number(profile, "duration_ns");
	char taken[32], kept[32], filtered[32], lost[32];

	fprintf(out, "%s samples taken = %s kept + %s filtered + %s lost.",
		text_grouped(total->taken, taken, sizeof(taken)), text_grouped(total->kept, kept, sizeof(kept)),
		text_grouped(total->filtered, filtered, sizeof(filtered)),
		text_grouped(total->lost_ring + total->lost_read, lost, sizeof(lost)));
	if (duration)
		fprintf(out, "  stoker itself: %.1f%% of one CPU, %.0f MB.",
			100.0 * (double)profile_fact_number(profile, "self.cpu_ns") / (double)duration,
			(double)profile_fact_number(profile, "self.memory_bytes") / 1e6);
	fputc('\n', out);
	print_causes(total, out);
	if (!profile->whole)
		fprintf(out,
			"The recording was cut: this is what came before; %" PRIu64 " bytes at its end were ignored.\n",
			profile->bytes_ignored);
	return ferror(out) ? -EIO : 0;
}

int render_table(const struct profile *profile, const struct table_options *options, FILE *out)
{
	_cleanup_free_ struct table_row *rows = make_rows(profile);
	size_t columns = strlen("CONTAINER"), count = profile->rows.containers.count;
	char name[512];
	int err = rows ? find_tops(profile, rows) : -ENOMEM;

	if (err)
		return err;
	qsort(rows, count, sizeof(*rows), by_samples);
	while (count && !rows[count - 1].samples)
		count--;
	if (options->rows_max && count > options->rows_max)
		count = options->rows_max;
	for (size_t i = 0; i < count; i++) {
		size_t wide = text_columns(
			text_printable(profile_container_label(profile, rows[i].container), name, sizeof(name)));

		columns = wide > columns ? wide : columns;
	}
	columns = columns > NAME_COLUMNS_MAX ? NAME_COLUMNS_MAX : columns;
	print_padded(out, "CONTAINER", columns);
	fprintf(out, "  %5s  %6s  %9s  %6s  %6s  %s\n", "CPU", "KERNEL", "SAMPLES", "WHOLE", "NAMED", "TOP FUNCTION");
	for (size_t i = 0; i < count; i++)
		print_row(profile, &rows[i], columns, out);
	fputc('\n', out);
	return render_account(profile, out);
}
