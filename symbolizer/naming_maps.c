/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "symbolizer/naming_private.h"

static const char *jit_reason(int map_error, bool has_map)
{
	switch (map_error) {
	case -EPERM:
		return "[jit: map of another owner]";
	case -EINVAL:
		return "[jit: map is no regular file]";
	case -EFBIG:
		return "[jit: map too large]";
	case -ENOTRECOVERABLE:
		return "[jit: map in quarantine]";
	case -EHOSTDOWN:
		return "[jit: map's file system does not answer]";
	case -EAGAIN:
		return "[jit: no parser for its map]";
	case -ETIME:
		return "[jit: map takes too long]";
	case -EBUSY:
		return "[jit: map not read in time]";
	case -EDQUOT:
		return "[jit: container's parsing time is used up]";
	default:
		return has_map ? "[jit: not in its map]" : "[jit: no map]";
	}
}

static int set_jit_missing(struct symbolizer_process *process, struct symbol *symbol)
{
	/* Runtimes write their maps as they compile: what is not there yet may come. */
	symbol->pending = process->perf_map_error != -ENOTRECOVERABLE;
	return symbol_set_reason(
		process->symbolizer, symbol, "%s",
		jit_reason(process->perf_map_error, process->perf_map.fd >= 0 || process->jitdump.fd >= 0));
}

/*
 * One batch of questions about JIT code; those without an answer are kept, from naming.jit.items[*kept] on, for the
 * next source.
 */
static int ask_map(struct naming *naming, struct parser_source *source, size_t first, size_t count, size_t *kept,
		   int *ret_error)
{
	struct parse_name names[PARSE_FRAMES_MAX];
	struct question *questions = naming->jit.items + first;
	int found, answered = naming_begin(naming, source, count), err = 0;
	string_id name;

	if (string_table_add(&naming->symbolizer->strings, "perf-PID.map", strlen("perf-PID.map"), &name))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		naming->addresses[i] = questions[i].address;
	if (!answered) {
		answered = parser_find(naming->symbolizer->parser, source, naming->addresses, count, naming->flags,
				       &naming->answer);
		naming_end(naming, source, name);
	}
	if (answered == -ENOMEM)
		return answered;
	*ret_error = answered;
	/* A map that is too large still answers from what was read of it. */
	if (answered == -EFBIG)
		answered = 0;
	for (size_t i = 0; i < count && !err; i++) {
		found = 0;
		if (!answered)
			answered = naming_next(naming, &questions[i], names, &found);
		if (answered == -ENOMEM)
			err = answered;
		else if (found)
			err = naming_set(naming, &questions[i], names, 1);
		else
			naming->jit.items[(*kept)++] = questions[i];
	}
	return err;
}

static int ask_source(struct naming *naming, struct parser_source *source, int *error)
{
	size_t count = naming->jit.count, kept = 0;
	int err = 0;

	if (source->fd < 0)
		return 0;
	for (size_t i = 0, length; i < count && !err; i += length) {
		length = count - i < PARSE_ADDRESSES_MAX ? count - i : PARSE_ADDRESSES_MAX;
		err = ask_map(naming, source, i, length, &kept, error);
	}
	naming->jit.count = kept;
	return err;
}

/* The dump has lines; without them the map is asked first, which is smaller. */
int naming_ask_maps(struct naming *naming, struct symbolizer_process *process)
{
	bool lines = naming->flags & PARSE_LINES;
	int ignored, err = 0;

	if (naming->jit.count)
		process_snapshot_find_perf_map(process);
	if (lines)
		err = ask_source(naming, &process->jitdump, &ignored);
	if (!err)
		err = ask_source(naming, &process->perf_map, &process->perf_map_error);
	if (!err && !lines)
		err = ask_source(naming, &process->jitdump, &ignored);
	for (size_t i = 0; i < naming->jit.count && !err; i++)
		err = set_jit_missing(process, naming_symbol(naming, naming->jit.items[i].number));
	return err;
}
