/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/python_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "profiler/collect/map_entries.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/hash_index.h"

#define FUNCTIONS_MAX (1u << 18)		   /* then all are forgotten, and told again */
#define UTF8_BYTES_MAX (PYTHON_TEXT_BYTES * 2 + 4) /* of Latin-1, which grows most */
#define REPLACEMENT 0xfffd

struct function {
	uint64_t number;
	uint32_t frame;
};

struct python_names {
	struct recording_writer *writer;
	int functions_fd;
	bool lines;
	ARRAY(struct function) functions;
	struct hash_index index;
	uint32_t sent; /* since the programs' map was emptied */
};

int python_names_new(struct recording_writer *writer, int functions_fd, bool lines, struct python_names **ret_names)
{
	struct python_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->writer = writer;
	names->functions_fd = functions_fd;
	names->lines = lines;
	*ret_names = names;
	return 0;
}

void python_names_free(struct python_names *names)
{
	if (!names)
		return;
	array_deinit(&names->functions);
	hash_index_deinit(&names->index);
	free(names);
}

static uint32_t character_at(const struct python_text *text, size_t at)
{
	uint32_t code = 0;

	memcpy(&code, text->at + at, text->width);
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return '?';
	return code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? REPLACEMENT : code;
}

static size_t put_utf8(uint32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

size_t python_text_utf8(const struct python_text *text, char *out, size_t size)
{
	size_t bytes = text->bytes < PYTHON_TEXT_BYTES ? text->bytes : PYTHON_TEXT_BYTES, used = 0;
	bool is_text = text->width == 1 || text->width == 2 || text->width == 4;

	for (size_t at = 0; is_text && at + text->width <= bytes; at += text->width) {
		char character[4];
		size_t length = put_utf8(character_at(text, at), character);

		if (used + length >= size)
			break;
		memcpy(out + used, character, length);
		used += length;
	}
	out[used] = '\0';
	return used;
}

static int add_frame(struct python_names *names, const char *name, const char *file, uint32_t line, bool named,
		     uint32_t *ret_frame)
{
	struct recording_frame row = {.kind = FRAME_PYTHON, .named = named, .line = line};

	if (recording_writer_string(names->writer, name, strlen(name), &row.name) ||
	    recording_writer_string(names->writer, file, strlen(file), &row.file))
		return -ENOMEM;
	return recording_writer_frame(names->writer, &row, ret_frame);
}

int python_names_missing(struct python_names *names, const char *reason, uint32_t *ret_frame)
{
	return add_frame(names, reason, "", 0, false, ret_frame);
}

/* "app.py:Class.method" */
static int frame_of(struct python_names *names, const struct python_event *event, uint32_t *ret_frame)
{
	char function[UTF8_BYTES_MAX], path[UTF8_BYTES_MAX], name[2 * UTF8_BYTES_MAX];
	const char *slash;

	python_text_utf8(&event->file, path, sizeof(path));
	if (!python_text_utf8(&event->name, function, sizeof(function)))
		return python_names_missing(names, "[python: function without a name]", ret_frame);
	slash = strrchr(path, '/');
	snprintf(name, sizeof(name), "%s:%s", slash ? slash + 1 : path, function);
	return add_frame(names, name, names->lines ? path : "", names->lines ? event->line : 0, true, ret_frame);
}

static bool find(const struct python_names *names, uint64_t number, uint32_t *ret_frame)
{
	uint32_t at_number;

	for (size_t at = hash_index_first(&names->index, number);
	     hash_index_next(&names->index, number, &at, &at_number);)
		if (names->functions.items[at_number].number == number) {
			*ret_frame = names->functions.items[at_number].frame;
			return true;
		}
	return false;
}

static int forget_one(void *data, const void *key, const void *value)
{
	return 0;
}

/* What is left of it is forgotten the next time. */
static void empty_programs(struct python_names *names)
{
	names->sent = 0;
	if (names->functions_fd >= 0)
		map_entries_each(names->functions_fd, true, forget_one, NULL);
}

int python_names_take(struct python_names *names, const struct python_event *event, size_t size)
{
	struct function function;
	uint8_t yes = 1;
	int err;

	if (size < sizeof(*event))
		return -EPROTO;
	if (++names->sent > PYTHON_FUNCTIONS_MAX / 2)
		empty_programs(names);
	function.number = event->number;
	/* Also for kernels where the programs must not, as they send it (sampler.c). Full: it is sent again. */
	if (names->functions_fd >= 0)
		bpf_map_update_elem(names->functions_fd, &function.number, &yes, BPF_ANY);
	if (find(names, function.number, &function.frame))
		return 0;
	if (names->functions.count >= FUNCTIONS_MAX) {
		names->functions.count = 0;
		hash_index_clear(&names->index);
		empty_programs(names);
	}
	err = frame_of(names, event, &function.frame);
	if (err || array_reserve(&names->functions, 1) ||
	    hash_index_insert(&names->index, function.number, (uint32_t)names->functions.count))
		return -ENOMEM;
	*array_add(&names->functions) = function;
	return 0;
}

int python_names_frame(struct python_names *names, uint64_t number, uint32_t *ret_frame)
{
	if (find(names, number, ret_frame))
		return 0;
	return python_names_missing(names, "[python: name lost]", ret_frame);
}
