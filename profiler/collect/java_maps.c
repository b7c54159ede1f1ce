/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/java_maps.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/clock.h"

#define LIBRARY "libjvm.so"
#define FAILURES_MAX 2
#define WAIT_MIN_NS 2000000000ull
#define WAIT_MAX_NS 10000000000ull
/* Nothing waits for the answer while the recording goes on: a JVM may be throttled, or collect its garbage. */
#define TIMEOUT_MS 4000
#define LAST_TIMEOUT_MS 1000
#define FINISH_MS 2000

struct java_maps {
	struct java_maps_parts parts;
	struct java_maps_counts counts;
	uint64_t answers;	       /* of processes that were asked */
	ARRAY(struct process *) turns; /* while they are asked */
};

const char *java_failure_text(enum java_failure failure)
{
	static const char *const texts[JAVA_FAILURES] = {
		[JAVA_TIMEOUT] = "no answer in time",
		[JAVA_TOO_OLD] = "older than Java 17",
		[JAVA_NO_ATTACH] = "started with -XX:+DisableAttachMechanism or without a handler for SIGQUIT",
		[JAVA_NOT_ITSELF] = "another's file or socket stands in its place",
		[JAVA_ENDED] = "ended",
		[JAVA_PUT_OFF] = "too many of the container at once",
		[JAVA_OTHER] = "cannot be reached",
	};

	return texts[failure];
}

static enum java_failure failure_of(int error)
{
	switch (error) {
	case -ETIME:
		return JAVA_TIMEOUT;
	case -ENOSYS:
		return JAVA_TOO_OLD;
	case -ENOTSUP:
		return JAVA_NO_ATTACH;
	case -EPERM:
	case -EEXIST:
	case -EBADMSG:
	case -EMSGSIZE:
		return JAVA_NOT_ITSELF;
	case -ESRCH:
	case -ECONNRESET:
		return JAVA_ENDED;
	case -EAGAIN:
		return JAVA_PUT_OFF;
	default:
		return JAVA_OTHER;
	}
}

int java_maps_new(const struct java_maps_parts *parts, struct java_maps **ret_maps)
{
	struct java_maps *maps = calloc(1, sizeof(*maps));

	if (!maps)
		return -ENOMEM;
	maps->parts = *parts;
	*ret_maps = maps;
	return 0;
}

void java_maps_free(struct java_maps *maps)
{
	if (!maps)
		return;
	array_deinit(&maps->turns);
	free(maps);
}

const struct java_maps_counts *java_maps_counts(const struct java_maps *maps)
{
	return &maps->counts;
}

/* Who was put off is asked at the next tick, as if it had not been tried. */
static void settle(struct process *process, int result)
{
	process->java_under_way = false;
	process->java_put_off = result == -EAGAIN;
	if (process->java_put_off)
		return;
	process->java_asked_ns = process->java_tried_ns;
	process->java_wait_ns = process->java_wait_ns ? 2 * process->java_wait_ns : WAIT_MIN_NS;
	if (process->java_wait_ns > WAIT_MAX_NS)
		process->java_wait_ns = WAIT_MAX_NS;
	process->java_ask_after_ns = process->java_tried_ns + process->java_wait_ns;
}

static void ask(struct java_maps *maps, struct process *process, uint32_t timeout_ms)
{
	struct java_question question = {
		.identity = *symbolizer_process_identity(process->snapshot),
		.tag = process->row,
		.timeout_ms = timeout_ms,
	};

	int err = java_attach_ask(maps->parts.attach, &question);

	maps->counts.processes += !process->java_asked;
	process->java_asked = true;
	if (err) {
		settle(process, err);
		maps->counts.failures[failure_of(err)]++;
	} else {
		process->java_under_way = true;
		process->java_put_off = false;
		maps->counts.asked++;
	}
}

static bool wants_map(const struct java_maps *maps, const struct process *process)
{
	return process->snapshot && !process->java_under_way && process->java_failures < FAILURES_MAX &&
	       stacks_has_pending(maps->parts.stacks, process) &&
	       symbolizer_process_maps_file(process->snapshot, LIBRARY);
}

static int take_answer(struct java_maps *maps, const struct java_answer *answer)
{
	struct process *process = processes_find_row(maps->parts.processes, answer->tag);

	maps->answers += answer->result != -EAGAIN;
	if (answer->result)
		maps->counts.failures[failure_of(answer->result)]++;
	else
		maps->counts.written++;
	/* Forgotten meanwhile: it has ended. */
	if (!process)
		return 0;
	settle(process, answer->result);
	if (process->java_put_off)
		return 0;
	process->java_failures = answer->result ? process->java_failures + 1 : 0;
	if (answer->result)
		return 0;
	maps->counts.answered += !process->java_answered;
	process->java_answered = true;
	stacks_expect_names(maps->parts.stacks, process);
	/* Pinned at once: the process and its container may be gone before its frames are named. */
	return symbolizer_process_refresh(process->snapshot) == -ENOMEM ? -ENOMEM : 0;
}

static int take_answers(struct java_maps *maps, int timeout_ms)
{
	struct java_answer answer;
	int err = 0;

	while (!err && java_attach_under_way(maps->parts.attach) &&
	       !java_attach_answer(maps->parts.attach, timeout_ms, &answer)) {
		err = take_answer(maps, &answer);
		timeout_ms = 0;
	}
	return err;
}

/* Whose last turn, or last try, is longest ago: else the first in the list have all places, each time. */
static int by_turn(const void *left, const void *right)
{
	const struct process *a = *(struct process *const *)left, *b = *(struct process *const *)right;

	if (a->java_asked_ns != b->java_asked_ns)
		return a->java_asked_ns < b->java_asked_ns ? -1 : 1;
	if (a->java_tried_ns != b->java_tried_ns)
		return a->java_tried_ns < b->java_tried_ns ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

/* Who is to be asked, if not after @now_ns, or was put off. 0 or -ENOMEM. */
static int find_turns(struct java_maps *maps, uint64_t now_ns, bool put_off)
{
	maps->turns.count = 0;
	for (size_t i = 0; i < processes_count(maps->parts.processes); i++) {
		struct process *process = processes_at(maps->parts.processes, i);

		if (now_ns < process->java_ask_after_ns || (put_off && !process->java_put_off) ||
		    !wants_map(maps, process))
			continue;
		if (array_reserve(&maps->turns, 1))
			return -ENOMEM;
		*array_add(&maps->turns) = process;
	}
	if (maps->turns.count)
		qsort(maps->turns.items, maps->turns.count, sizeof(*maps->turns.items), by_turn);
	return 0;
}

int java_maps_tick(struct java_maps *maps, uint64_t now_ns)
{
	int err = take_answers(maps, 0);

	if (!err)
		err = find_turns(maps, now_ns, false);
	for (size_t i = 0; i < maps->turns.count && !err; i++) {
		maps->turns.items[i]->java_tried_ns = now_ns;
		ask(maps, maps->turns.items[i], TIMEOUT_MS);
	}
	return err;
}

/* All of them, or those that were put off. 0 or -ENOMEM. */
static int ask_last(struct java_maps *maps, bool all, int64_t end_ms)
{
	int64_t left;
	int err = find_turns(maps, UINT64_MAX, !all);

	for (size_t i = 0; i < maps->turns.count && !err; i++)
		ask(maps, maps->turns.items[i], LAST_TIMEOUT_MS);
	while (!err && java_attach_under_way(maps->parts.attach) && (left = end_ms - clock_now_ms()) > 0)
		err = take_answers(maps, (int)left);
	return err;
}

int java_maps_finish(struct java_maps *maps)
{
	int64_t end_ms = clock_now_ms() + FINISH_MS;
	int err = take_answers(maps, 0);
	uint64_t answers;
	bool all = true;

	do {
		answers = maps->answers;
		if (!err)
			err = ask_last(maps, all, end_ms);
		all = false;
	} while (!err && maps->answers > answers && clock_now_ms() < end_ms);
	maps->counts.failures[JAVA_TIMEOUT] += java_attach_under_way(maps->parts.attach);
	return err;
}
