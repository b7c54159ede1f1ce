/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "symbolizer/base/clock.h"
#include "symbolizer/parser_private.h"

void parser_source_init(struct parser_source *source, enum parser_source_kind kind, int fd)
{
	*source = (struct parser_source){.kind = kind, .fd = fd, .debug_fd = -1, .alternate_fd = -1, .package_fd = -1};
}

void parser_source_reopen(struct parser_source *source, int fd)
{
	const struct parser_source before = *source;

	parser_source_init(source, before.kind, fd);
	source->deaths = before.deaths;
	source->busy_ns = before.busy_ns;
	source->offer_deaths = before.offer_deaths;
	source->stalls = before.stalls;
	source->offer_ns = before.offer_ns;
	source->offer_stalls = before.offer_stalls;
}

bool parser_is_death(int err)
{
	return err == -EPIPE || err == -ETIME || err == -EBADMSG;
}

/* It came from the child, which so has survived. */
static bool is_answer(int err)
{
	return !err || err == -ENOENT || err == -ENOEXEC || err == -EFBIG || err == -EIO;
}

int parser_timeout_ms(uint32_t flags)
{
	return flags & (PARSE_LINES | PARSE_INLINES) ? PARSER_LINES_TIMEOUT_MS : PARSER_TIMEOUT_MS;
}

static uint64_t busy_ns_max(uint32_t flags)
{
	return PARSER_REQUESTS_MAX * (uint64_t)parser_timeout_ms(flags) * 1000000;
}

bool parser_source_slow(const struct parser_source *source, uint32_t flags)
{
	return source->busy_ns >= busy_ns_max(flags);
}

int parser_source_given_up(const struct parser_source *source, uint32_t flags, bool offered)
{
	if (parser_source_quarantined(source) || (offered && source->offer_deaths >= PARSER_DEATHS_MAX))
		return -ENOTRECOVERABLE;
	if (parser_source_slow(source, flags) || (offered && source->offer_ns >= busy_ns_max(0)))
		return -ETIME;
	if (clock_now_ms() < source->stalls.until_ms || (offered && clock_now_ms() < source->offer_stalls.until_ms))
		return -EBUSY;
	return 0;
}

static void note_stall(struct parser_stalls *stalls)
{
	stalls->count += stalls->count < PARSER_STALLS_MAX;
	stalls->until_ms = clock_now_ms() + (PARSER_STALLED_MS << (stalls->count - 1));
}

void parser_source_note(struct parser_source *source, bool offered, int err, uint64_t busy_ns)
{
	struct parser_stalls *stalls = offered ? &source->offer_stalls : &source->stalls;

	*(offered ? &source->offer_deaths : &source->deaths) += parser_is_death(err);
	if (err == -EBUSY)
		note_stall(stalls);
	else
		*(offered ? &source->offer_ns : &source->busy_ns) += busy_ns;
	if (!is_answer(err))
		return;
	/* Whatever the answer is: the row has ended. */
	source->deaths = 0;
	source->offer_deaths = offered ? 0 : source->offer_deaths;
	*stalls = (struct parser_stalls){0};
}
