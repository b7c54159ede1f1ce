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
	source->busy = before.busy;
	source->told_slow = before.told_slow;
	source->offer_deaths = before.offer_deaths;
	source->stalls = before.stalls;
	source->offer_busy = before.offer_busy;
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

struct time_share_limit parser_source_limit(uint32_t flags)
{
	return (struct time_share_limit){PARSER_REQUESTS_MAX * (uint64_t)parser_timeout_ms(flags) * 1000000,
					 PARSER_SOURCE_PART};
}

/* By value: who only asks pays nothing off. */
static bool is_left(struct time_share share, uint32_t flags)
{
	return time_share_left(&share, parser_source_limit(flags), clock_now_ns());
}

bool parser_source_slow(const struct parser_source *source, uint32_t flags)
{
	return !is_left(source->busy, flags);
}

uint64_t parser_source_debt_ns(const struct parser_source *source)
{
	struct time_share share = source->busy;

	time_share_left(&share, parser_source_limit(0), clock_now_ns());
	return share.debt_ns;
}

int parser_source_given_up(const struct parser_source *source, uint32_t flags, bool offered)
{
	if (parser_source_quarantined(source) || (offered && source->offer_deaths >= PARSER_DEATHS_MAX))
		return -ENOTRECOVERABLE;
	if (parser_source_slow(source, flags) || (offered && !is_left(source->offer_busy, 0)))
		return -ETIME;
	if (clock_now_ms() < source->stalls.until_ms || (offered && clock_now_ms() < source->offer_stalls.until_ms))
		return -EBUSY;
	return 0;
}

void parser_stalls_note(struct parser_stalls *stalls)
{
	stalls->count += stalls->count < PARSER_STALLS_MAX;
	stalls->until_ms = clock_now_ms() + (PARSER_STALLED_MS << (stalls->count - 1));
}

/* What has passed until now pays off what was spent before. */
static void spend(struct time_share *share, uint64_t ns)
{
	time_share_left(share, parser_source_limit(0), clock_now_ns());
	time_share_spend(share, ns);
}

void parser_source_note(struct parser_source *source, bool offered, int err, uint64_t busy_ns)
{
	struct parser_stalls *stalls = offered ? &source->offer_stalls : &source->stalls;
	struct time_share *share = offered ? &source->offer_busy : &source->busy;

	*(offered ? &source->offer_deaths : &source->deaths) += parser_is_death(err);
	if (err == -EBUSY)
		parser_stalls_note(stalls);
	else
		spend(share, busy_ns);
	if (!is_answer(err))
		return;
	/* Whatever the answer is: the row has ended. */
	source->deaths = 0;
	source->offer_deaths = offered ? 0 : source->offer_deaths;
	*stalls = (struct parser_stalls){0};
}
