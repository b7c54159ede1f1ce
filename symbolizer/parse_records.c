/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/parse_records.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static int add_name(struct worker_bytes *answer, const struct parse_name *name)
{
	size_t bytes = name->bytes < PARSE_NAME_BYTES_MAX ? name->bytes : PARSE_NAME_BYTES_MAX;
	size_t file_bytes = name->file_bytes < PARSE_NAME_BYTES_MAX ? name->file_bytes : PARSE_NAME_BYTES_MAX;
	struct parse_frame frame = {
		.flags = name->inlined ? PARSE_FRAME_INLINED : 0,
		.name_bytes = (uint16_t)bytes,
		.file_bytes = (uint16_t)file_bytes,
		.line = name->line,
	};

	if (worker_bytes_add(answer, &frame, sizeof(frame)) || worker_bytes_add(answer, name->text, bytes))
		return -ENOMEM;
	return file_bytes ? worker_bytes_add(answer, name->file, file_bytes) : 0;
}

int parse_records_add(struct worker_bytes *answer, uint64_t start, uint64_t end, const struct parse_name *names,
		      size_t count)
{
	struct parse_record record = {start, end, (uint32_t)(count < PARSE_FRAMES_MAX ? count : PARSE_FRAMES_MAX), 0};
	size_t before = answer->list.count;
	int err = worker_bytes_add(answer, &record, sizeof(record));

	for (size_t i = 0; i < record.frames && !err; i++)
		err = add_name(answer, &names[i]);
	if (err)
		answer->list.count = before;
	return err;
}

static bool take(struct parse_reader *reader, void *data, size_t size)
{
	if ((size_t)(reader->end - reader->at) < size)
		return false;
	memcpy(data, reader->at, size);
	reader->at += size;
	return true;
}

static bool take_text(struct parse_reader *reader, size_t size, const char **ret_text)
{
	if ((size_t)(reader->end - reader->at) < size || memchr(reader->at, '\0', size))
		return false;
	*ret_text = reader->at;
	reader->at += size;
	return true;
}

static bool take_name(struct parse_reader *reader, struct parse_name *name)
{
	struct parse_frame frame;

	if (!take(reader, &frame, sizeof(frame)) || frame.name_bytes > PARSE_NAME_BYTES_MAX || !frame.name_bytes ||
	    frame.file_bytes > PARSE_NAME_BYTES_MAX)
		return false;
	*name = (struct parse_name){
		.bytes = frame.name_bytes,
		.file_bytes = frame.file_bytes,
		.line = frame.line,
		.inlined = frame.flags & PARSE_FRAME_INLINED,
	};
	return take_text(reader, name->bytes, &name->text) && take_text(reader, name->file_bytes, &name->file);
}

int parse_records_next(struct parse_reader *reader, uint64_t *ret_start, uint64_t *ret_end, struct parse_name *names)
{
	struct parse_record record;

	if (reader->at == reader->end)
		return -ENODATA;
	if (!take(reader, &record, sizeof(record)) || record.frames > PARSE_FRAMES_MAX || record.start > record.end)
		return -EBADMSG;
	for (uint32_t i = 0; i < record.frames; i++)
		if (!take_name(reader, &names[i]))
			return -EBADMSG;
	*ret_start = record.start;
	*ret_end = record.end;
	return (int)record.frames;
}

bool parse_records_make_sense(struct parse_reader reader, const uint64_t *addresses, size_t count, size_t frames_max)
{
	struct parse_name names[PARSE_FRAMES_MAX];
	uint64_t start, end;

	for (size_t i = 0; i < count; i++) {
		int frames = parse_records_next(&reader, &start, &end, names);

		if (frames < 0 || (size_t)frames > frames_max ||
		    (start < end && (addresses[i] < start || addresses[i] >= end)))
			return false;
	}
	return reader.at == reader.end;
}

static bool take_path(struct parse_reader *reader, size_t bytes, char *path)
{
	if (bytes >= PATH_MAX || !take(reader, path, bytes))
		return false;
	path[bytes] = '\0';
	return true;
}

bool parse_splits_next(struct parse_reader *reader, struct parse_split *record, char *name, char *directory)
{
	return take(reader, record, sizeof(*record)) && take_path(reader, record->name_bytes, name) &&
	       take_path(reader, record->directory_bytes, directory);
}
