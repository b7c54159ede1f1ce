/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/render/folded.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"

#define STACK_BYTES_MAX 65000
#define NAME_BYTES_MAX 4096
#define MARKER_BYTES_MAX 40

struct step {
	uint32_t frame;
	uint64_t bytes; /* of the stack's text up to here, with a ';' after each frame */
};

struct folded {
	ARRAY(char) names;  /* of all frames, one behind the other, safe to write */
	ARRAY(size_t) ends; /* [frame]: where its name ends */
	ARRAY(struct step) path;
	ARRAY(char) line;
	struct folded_report report;
};

static void folded_deinit(struct folded *folded)
{
	array_deinit(&folded->names);
	array_deinit(&folded->ends);
	array_deinit(&folded->path);
	array_deinit(&folded->line);
}

/* What \s matches in Perl, Python or JavaScript, whichever is the widest. */
static bool is_space(uint32_t code)
{
	return code == ' ' || (code >= 0x09 && code <= 0x0d) || code == 0x85 || code == 0xa0 || code == 0x1680 ||
	       (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
	       code == 0x205f || code == 0x3000 || code == 0xfeff;
}

static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* One character of a name, made safe; returns its bytes in @out[4] and the bytes taken in @ret_taken. */
static size_t safe_character(const char *text, size_t length, char *out, size_t *ret_taken)
{
	uint32_t code;

	*ret_taken = text_decode(text, length, &code);
	if (code == ';')
		*out = ':';
	else if (is_space(code))
		*out = '_';
	else if (is_control(code))
		*out = '?';
	else if (code == 0xfffd)
		return (size_t)(stpcpy(out, "\xef\xbf\xbd") - out);
	else {
		memcpy(out, text, *ret_taken);
		return *ret_taken;
	}
	return 1;
}

static size_t safe_name(const char *name, size_t length, char *out, size_t size, uint64_t *cut)
{
	size_t used = 0;

	for (size_t at = 0, taken; at < length; at += taken) {
		char character[5];
		size_t bytes = safe_character(name + at, length - at, character, &taken);

		if (used + bytes + 3 > size) {
			memcpy(out + used, "...", 3);
			++*cut;
			return used + 3;
		}
		if (character[0] == '>' && used && out[used - 1] == '-')
			out[used - 1] = '=';
		memcpy(out + used, character, bytes);
		used += bytes;
	}
	/* A user's function called "x_[k]" is not the kernel's. */
	if (used > 4 && out[used - 1] == ']' && out[used - 3] == '[' && out[used - 4] == '_') {
		out[used - 3] = '(';
		out[used - 1] = ')';
	}
	return used;
}

static const char *suffix_of(uint8_t kind)
{
	switch (kind) {
	case FRAME_KERNEL:
		return "_[k]";
	case FRAME_JIT:
		return "_[j]";
	case FRAME_INLINED:
		return "_[i]";
	case FRAME_PYTHON:
		return "_[p]";
	}
	return "";
}

static int prepare_names(struct folded *folded, const struct call_tree *tree, bool annotate)
{
	for (size_t i = 0; i < tree->frames.count; i++) {
		const struct call_tree_frame *frame = &tree->frames.items[i];
		size_t length = string_table_length(&tree->strings, frame->name), used;
		const char *suffix = annotate ? suffix_of(frame->kind) : "";
		char *out;

		if (array_reserve(&folded->names, NAME_BYTES_MAX + 8) || array_reserve(&folded->ends, 1))
			return -ENOMEM;
		out = folded->names.items + folded->names.count;
		used = length ? safe_name(string_table_text(&tree->strings, frame->name), length, out, NAME_BYTES_MAX,
					  &folded->report.names_cut)
			      : (size_t)(stpcpy(out, "[empty]") - out);
		used += (size_t)(stpcpy(out + used, suffix) - (out + used));
		folded->names.count += used;
		folded->ends.items[folded->ends.count++] = folded->names.count;
	}
	return 0;
}

static size_t name_start(const struct folded *folded, uint32_t frame)
{
	return frame ? folded->ends.items[frame - 1] : 0;
}

static void add_frames(struct folded *folded, size_t from, size_t to)
{
	for (; from < to; from++) {
		uint32_t frame = folded->path.items[from].frame;
		size_t start = name_start(folded, frame), length = folded->ends.items[frame] - start;

		memcpy(folded->line.items + folded->line.count, folded->names.items + start, length);
		folded->line.count += length;
		folded->line.items[folded->line.count++] = ';';
	}
}

/* The root says whose stack it is and the leaf what it did: what has to go goes in between. */
static void add_stack(struct folded *folded)
{
	const struct step *path = folded->path.items;
	size_t depth = folded->path.count, head = 0, tail = depth;
	uint64_t total = depth ? path[depth - 1].bytes : 0;

	folded->line.count = 0;
	if (total <= STACK_BYTES_MAX) {
		add_frames(folded, 0, depth);
		return;
	}
	while (path[head].bytes <= STACK_BYTES_MAX / 2 - MARKER_BYTES_MAX)
		head++;
	while (total - path[tail - 2].bytes <= STACK_BYTES_MAX / 2)
		tail--;
	add_frames(folded, 0, head);
	folded->line.count += (size_t)snprintf(folded->line.items + folded->line.count, MARKER_BYTES_MAX,
					       "[%zu_frames_cut];", tail - head);
	add_frames(folded, tail, depth);
	folded->report.stacks_cut++;
}

static int write_line(struct folded *folded, uint64_t count, FILE *out)
{
	add_stack(folded);
	/* The count takes the place of the last ';'; a count on the root itself has no frame at all. */
	if (folded->line.count)
		folded->line.count--;
	else
		folded->line.count += (size_t)(stpcpy(folded->line.items, "[no_stack]") - folded->line.items);
	folded->line.count += (size_t)snprintf(folded->line.items + folded->line.count, 32, " %" PRIu64 "\n", count);
	folded->report.lines++;
	if (fwrite(folded->line.items, 1, folded->line.count, out) != folded->line.count)
		return errno ? -errno : -EIO;
	return 0;
}

static int write_tree(struct folded *folded, const struct call_tree *tree, FILE *out)
{
	uint32_t depth = 0;

	if (array_reserve(&folded->line, STACK_BYTES_MAX + 64))
		return -ENOMEM;
	for (uint32_t node = 0; node != CALL_TREE_NONE; node = call_tree_next(tree, node, true, &depth)) {
		const struct call_tree_node *at = &tree->nodes.items[node];
		int err;

		if (node) {
			size_t length = folded->ends.items[at->frame] - name_start(folded, at->frame);
			struct step *step;

			folded->path.count = depth - 1;
			if (array_reserve(&folded->path, 1))
				return -ENOMEM;
			step = &folded->path.items[folded->path.count++];
			step->frame = at->frame;
			step->bytes = (depth > 1 ? step[-1].bytes : 0) + length + 1;
		}
		err = at->self ? write_line(folded, at->self, out) : 0;
		if (err)
			return err;
	}
	return 0;
}

int render_folded(const struct call_tree *tree, const struct folded_options *options, FILE *out)
{
	_cleanup_(folded_deinit) struct folded folded = {0};
	int err;

	errno = 0;
	err = prepare_names(&folded, tree, !options || !options->no_annotations);
	if (!err)
		err = write_tree(&folded, tree, out);
	if (!err)
		err = stream_end(out);
	if (options && options->report)
		*options->report = folded.report;
	return err;
}
