/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/python_account.h"

#include <errno.h>
#include <string.h>

#include "profiler/profile/profile_summary.h"
#include "profiler/render/share.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/text.h"

#define LABEL_BYTES 256

/* By frames: why a walk ended stands once in a stack, but several functions may lack their names. */
static void put_reasons(const struct profile_summary *summary, uint32_t container, FILE *out)
{
	char number[32], reason[LABEL_BYTES];

	for (size_t i = 0; i < summary->missing.count; i++) {
		const struct missing_names *missing = &summary->missing.items[i];
		const char *text = string_table_text(&summary->strings, missing->reason);

		if (missing->container == container && !strncmp(text, "[python: ", strlen("[python: ")))
			fprintf(out, "; %s frames %s", text_grouped(missing->frames, number, sizeof(number)),
				text_printable(text, reason, sizeof(reason)));
	}
}

int render_python_account(const struct profile *profile, size_t max, FILE *out)
{
	_cleanup_(profile_summary_deinit) struct profile_summary summary;
	char label[LABEL_BYTES], samples[32], share[24];
	size_t count = 0;

	if (profile_summary_init(&summary, profile))
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->rows.containers.count; i++) {
		const struct recording_accounting *account = profile_accounting(profile, i);

		if (!account || !account->python_samples)
			continue;
		if (++count > max)
			continue;
		fprintf(out, "Python in %s: %s samples, %s with all frames",
			text_printable(profile_container_label(profile, i), label, sizeof(label)),
			text_grouped(account->python_samples, samples, sizeof(samples)),
			share_text(account->python_whole, account->python_samples, 2, share, sizeof(share)));
		put_reasons(&summary, i, out);
		fputc('\n', out);
	}
	if (count > max)
		fprintf(out, "(Python in %zu more: -n shows them)\n", count - max);
	if (count)
		fputc('\n', out);
	return 0;
}
