/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/render/table.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"

#define NUMBER_BYTES 32

static uint64_t samples_in(const struct profile *profile)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < profile->rows.samples.count; i++)
		if (profile->rows.samples.items[i].kind == SAMPLE_ONCPU)
			sum += profile->rows.samples.items[i].count;
	return sum;
}

static void put_own_cost(const struct profile *profile, FILE *out)
{
	uint64_t cpu_ns = profile_fact_number(profile, "self.cpu_ns");
	uint64_t bytes = profile_fact_number(profile, "self.memory_bytes");
	uint64_t duration_ns = profile_fact_number(profile, "duration_ns");

	if (!profile_fact(profile, "self.cpu_ns") || !duration_ns)
		return;
	fprintf(out, "  stoker itself: %.1f%% of one CPU", 100.0 * (double)cpu_ns / (double)duration_ns);
	if (bytes)
		fprintf(out, ", %" PRIu64 " MB", (bytes + 500000) / 1000000);
	fputc('.', out);
}

static void put_sum(const struct profile *profile, const struct recording_accounting *total, FILE *out)
{
	char taken[NUMBER_BYTES], kept[NUMBER_BYTES], filtered[NUMBER_BYTES], lost[NUMBER_BYTES], number[NUMBER_BYTES];
	uint64_t unnamed = profile_fact_number(profile, "samples.unnamed");
	uint64_t all_lost = total->lost_ring + total->lost_read, sum = total->kept + total->filtered + all_lost;

	fprintf(out, "%s samples taken = %s kept + %s filtered + %s lost.",
		text_grouped(total->taken, taken, sizeof(taken)), text_grouped(total->kept, kept, sizeof(kept)),
		text_grouped(total->filtered, filtered, sizeof(filtered)), text_grouped(all_lost, lost, sizeof(lost)));
	put_own_cost(profile, out);
	fputc('\n', out);
	if (sum != total->taken)
		fprintf(out, "This does not add up: %s samples are unaccounted for.\n",
			text_grouped(sum < total->taken ? total->taken - sum : sum - total->taken, number,
				     sizeof(number)));
	if (total->idle)
		fprintf(out, "%s more ticks found an idle CPU.\n", text_grouped(total->idle, number, sizeof(number)));
	if (total->lost_ring)
		fprintf(out, "%s lost: the ring buffer was full, stoker did not get to read it in time.\n",
			text_grouped(total->lost_ring, number, sizeof(number)));
	if (total->lost_read)
		fprintf(out, "%s lost: counted in the kernel, but there was no memory to store them.\n",
			text_grouped(total->lost_read, number, sizeof(number)));
	if (unnamed)
		fprintf(out, "%s kept without their stack: too many stacks waited for their names.\n",
			text_grouped(unnamed, number, sizeof(number)));
}

int render_accounting(const struct profile *profile, FILE *out)
{
	const struct recording_accounting *total = profile_accounting(profile, RECORDING_TOTAL);
	uint64_t samples = samples_in(profile);
	char number[NUMBER_BYTES];
	bool accounted = profile_is_accounted(profile);

	if (accounted)
		put_sum(profile, total, out);
	else
		fprintf(out, "%s samples. The recording has no account of what was lost.\n",
			text_grouped(samples, number, sizeof(number)));
	if (accounted && total->kept != samples)
		fprintf(out, "The recording holds %s samples, which is not what was kept.\n",
			text_grouped(samples, number, sizeof(number)));
	if (profile->beyond_memory)
		fputs("This is the beginning of the recording, which is larger than is read at once.\n", out);
	else if (!profile->whole)
		fprintf(out,
			"The recording was cut: this is what came before (%s bytes at its end were not readable).\n",
			text_grouped(profile->bytes_ignored, number, sizeof(number)));
	return stream_end(out);
}
