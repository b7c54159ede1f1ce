/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/stack_compare.h"

#include <inttypes.h>

#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

/* Why the walk was cut; NULL where it was not. */
static const char *walk_cut(uint16_t flags)
{
	switch ((enum user_end)(flags >> STACK_END_SHIFT)) {
	case USER_END_COMPLETE:
	case USER_END_ASSUMED:
		return NULL;
	case USER_END_UNSAID:
		return "frame pointers";
	case USER_END_DEPTH:
		return "depth";
	case USER_END_UNREADABLE:
		return "unreadable";
	case USER_END_NO_TABLE:
		return "no table";
	case USER_END_LOST:
		return "lost";
	case USER_END_RULE:
		return "rule";
	case USER_END_UNCOPIED:
		break;
	}
	return "uncopied";
}

static const char *copy_cut(const struct unwound *unwound)
{
	static const char *const why[UNWOUND_ENDS] = {
		[UNWOUND_OUT] = "end of copy",
		[UNWOUND_UNREADABLE] = "unreadable",
		[UNWOUND_LOST] = "lost",
	};

	return unwound->described < unwound->count ? "no rule" : why[unwound->end];
}

/* @same: frames; the one before is where the two went different ways. */
static int say(const struct stack_copy *copy, const struct unwound *unwound, size_t same, const char *what,
	       struct symbolizer *symbolizer, struct symbolizer_process *process)
{
	const uint64_t *walked = copy->event.frames + copy->event.kernel_count;
	const char *cut_walk = walk_cut(copy->event.flags), *cut_copy = copy_cut(unwound);
	uint64_t address = same ? walked[same - 1] - (same > 1) : walked[0];
	struct symbols symbols = {0};
	int err = symbolizer_user(process, &address, 1, &symbols);
	char name[128] = "", comm[COMM_BYTES + 1];

	if (!err)
		text_printable(string_table_text(symbolizer_strings(symbolizer),
						 symbols.list.items[symbols.spans.items[0].first].name),
			       name, sizeof(name));
	log_debug("compare: %s; after %zu frames, in %s; walk %u, %s; copy %zu, %s; guessed %d %d; %s", what, same,
		  name, copy->event.user_count, cut_walk ? cut_walk : "whole", unwound->count,
		  cut_copy ? cut_copy : "whole", (copy->event.flags & STACK_GUESSED_BY_FP) != 0,
		  (unwound->flags & UNWOUND_GUESSED) != 0, text_printable(copy->event.comm, comm, sizeof(comm)));
	symbols_deinit(&symbols);
	return err;
}

int stack_compare(const struct stack_copy *copy, const struct unwound *unwound, struct symbolizer *symbolizer,
		  struct symbolizer_process *process, struct stack_compare_counts *counts)
{
	const uint64_t *walked = copy->event.frames + copy->event.kernel_count;
	size_t described = unwound->described < unwound->count ? unwound->described + 1 : unwound->count;
	size_t count = copy->event.user_count, same = 0;
	const char *what;

	while (same < count && same < described && walked[same] == unwound->frames[same])
		same++;
	counts->samples++;
	counts->frames += same;
	if (same == count && same == unwound->count && unwound->described == unwound->count) {
		counts->equal++;
		return 0;
	}
	if (same == count && walk_cut(copy->event.flags)) {
		counts->walk_shorter++;
		what = "walk shorter";
	} else if (same == described && copy_cut(unwound)) {
		counts->copy_shorter++;
		what = "copy shorter";
	} else {
		counts->differ++;
		what = "differ";
	}
	if (counts->samples - counts->equal > STACK_COMPARE_SAID_MAX)
		return 0;
	return say(copy, unwound, same, what, symbolizer, process);
}
