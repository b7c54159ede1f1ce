/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/jitdump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/partition_point.h"
#include "symbolizer/range_layers.h"
#include "symbolizer/read_share.h"

#define MAGIC 0x4a695444u
#define VERSION 1
#define WINDOW_BYTES (64u << 10)
#define ELF_HEADER_BYTES 0x40
#define SAME_NAME "\xff"
#define TEXT_VIEW_BYTES (2 * JITDUMP_NAME_BYTES_MAX)

enum record_type {
	CODE_LOAD,
	CODE_MOVE,
	CODE_DEBUG_INFO,
	CODE_CLOSE,
};

struct file_header {
	uint32_t magic, version, bytes, machine, pad, pid;
	uint64_t time, flags;
};

struct record_header {
	uint32_t type, bytes; /* bytes: with this header */
	uint64_t time;
};

struct load_record {
	uint32_t pid, tid;
	uint64_t address, code_address, code_bytes, code_index;
	/* then the name with its NUL, and the code */
};

struct move_record {
	uint32_t pid, tid;
	uint64_t address, old_address, new_address, code_bytes, code_index;
};

struct debug_record {
	uint64_t code_address, entries;
	/* then entries, each with its file's name and a NUL */
};

struct debug_entry {
	uint64_t address;
	int32_t line, discriminator;
};

/* Texts are offsets into jitdump.text; 0 is none. */
struct line {
	uint32_t offset; /* in the code */
	uint32_t line, file;
};

struct function {
	uint64_t start, bytes;
	uint32_t name;
	uint32_t first_line, lines;
};

struct jitdump {
	int fd;
	uint64_t offset;  /* of the first record not taken yet; 0: the header was not read */
	uint64_t trimmed; /* what that was before a trim, or 0 */
	struct file_header header;
	bool broken;
	size_t steps; /* of the read that goes on */
	ARRAY(struct function) functions;
	ARRAY(struct line) lines;
	ARRAY(char) text;
	struct range_layers layers; /* values: numbers of functions */
	ARRAY(struct range) fresh;  /* not laid yet */
	uint64_t lines_of;	    /* the code that lines from first_line on belong to: its load record follows */
	size_t first_line;
	struct read_share share;
	uint64_t window_offset; /* what was read last of the file */
	size_t window_bytes;
	unsigned char window[WINDOW_BYTES];
};

int jitdump_new(int fd, struct jitdump **ret_dump)
{
	struct jitdump *dump = calloc(1, sizeof(*dump));

	if (!dump) {
		close(fd);
		return -ENOMEM;
	}
	dump->fd = fd;
	*ret_dump = dump;
	return 0;
}

void jitdump_free(struct jitdump *dump)
{
	if (!dump)
		return;
	close(dump->fd);
	range_layers_deinit(&dump->layers);
	array_deinit(&dump->fresh);
	array_deinit(&dump->functions);
	array_deinit(&dump->lines);
	array_deinit(&dump->text);
	free(dump);
}

static void forget(struct jitdump *dump)
{
	range_layers_deinit(&dump->layers);
	dump->offset = dump->lines_of = 0;
	dump->broken = false;
	dump->first_line = 0;
	dump->functions.count = dump->lines.count = dump->text.count = dump->fresh.count = 0;
}

size_t jitdump_bytes(const struct jitdump *dump)
{
	return range_layers_bytes(&dump->layers) + dump->fresh.capacity * sizeof(*dump->fresh.items) +
	       dump->functions.capacity * sizeof(*dump->functions.items) +
	       dump->lines.capacity * sizeof(*dump->lines.items) + dump->text.capacity;
}

void jitdump_trim(struct jitdump *dump)
{
	uint64_t trimmed = dump->offset > dump->trimmed ? dump->offset : dump->trimmed;

	forget(dump);
	array_deinit(&dump->fresh);
	array_deinit(&dump->functions);
	array_deinit(&dump->lines);
	array_deinit(&dump->text);
	dump->trimmed = trimmed;
}

/* Up to @size bytes of the file, through the window. Returns how many there are, or -EIO. */
static ssize_t view(struct jitdump *dump, uint64_t offset, size_t size, const unsigned char **ret_bytes)
{
	if (offset < dump->window_offset || offset - dump->window_offset > dump->window_bytes ||
	    dump->window_bytes - (offset - dump->window_offset) < size) {
		ssize_t got = pread(dump->fd, dump->window, WINDOW_BYTES, (off_t)offset);

		dump->window_offset = offset;
		dump->window_bytes = got > 0 ? (size_t)got : 0;
		if (got < 0)
			return -EIO;
	}
	*ret_bytes = dump->window + (offset - dump->window_offset);
	offset = dump->window_bytes - (offset - dump->window_offset);
	return (ssize_t)(offset < size ? offset : size);
}

/* All of a struct, or false. */
static bool view_struct(struct jitdump *dump, uint64_t offset, uint64_t end, void *ret, size_t size)
{
	const unsigned char *bytes;

	if (offset > end || size > end - offset || view(dump, offset, size, &bytes) != (ssize_t)size)
		return false;
	memcpy(ret, bytes, size);
	return true;
}

/* Text up to its NUL, which lies before @end; false where it does not. */
static bool view_text(struct jitdump *dump, uint64_t offset, uint64_t end, const char **ret_text, uint64_t *ret_next)
{
	size_t size = end - offset < TEXT_VIEW_BYTES ? (size_t)(end - offset) : TEXT_VIEW_BYTES;
	const unsigned char *bytes, *nul;
	ssize_t got = offset < end ? view(dump, offset, size, &bytes) : 0;

	nul = got > 0 ? memchr(bytes, '\0', (size_t)got) : NULL;
	if (!nul)
		return false;
	*ret_text = (const char *)bytes;
	*ret_next = offset + (uint64_t)(nul - bytes) + 1;
	return true;
}

/* -E2BIG where there is too much of it already. */
static int add_text(struct jitdump *dump, const char *text, uint32_t *ret_text)
{
	size_t length = strnlen(text, JITDUMP_NAME_BYTES_MAX), pad = dump->text.count ? 0 : 1;

	if (dump->text.count + length + 2 > JITDUMP_TEXT_BYTES_MAX)
		return -E2BIG;
	if (array_reserve(&dump->text, length + 1 + pad))
		return -ENOMEM;
	if (pad)
		dump->text.items[dump->text.count++] = '\0';
	*ret_text = (uint32_t)dump->text.count;
	memcpy(dump->text.items + dump->text.count, text, length);
	dump->text.items[dump->text.count + length] = '\0';
	dump->text.count += length + 1;
	return 0;
}

static bool is_code(uint64_t address, uint64_t bytes)
{
	return bytes && bytes <= JITDUMP_CODE_BYTES_MAX && bytes <= UINT64_MAX - address;
}

static int add_function(struct jitdump *dump, const struct function *function)
{
	struct range *range;

	if (array_reserve(&dump->functions, 1))
		return -ENOMEM;
	range = array_add(&dump->fresh);
	if (!range)
		return -ENOMEM;
	*range = (struct range){function->start, function->start + function->bytes, (uint32_t)dump->functions.count};
	dump->functions.items[dump->functions.count++] = *function;
	return 0;
}

static int by_offset(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Gives the lines that were read just before to the function that they are for. */
static void take_lines(struct jitdump *dump, struct function *function)
{
	size_t count = dump->lines.count - dump->first_line;
	struct line *lines;

	if (!count || dump->lines_of != function->start)
		return;
	lines = dump->lines.items + dump->first_line;
	qsort(lines, count, sizeof(*lines), by_offset);
	if (lines[0].offset >= ELF_HEADER_BYTES)
		for (size_t i = 0; i < count; i++)
			lines[i].offset -= ELF_HEADER_BYTES;
	function->first_line = (uint32_t)dump->first_line;
	function->lines = (uint32_t)count;
	dump->first_line = dump->lines.count;
}

static int take_load(struct jitdump *dump, uint64_t at, uint64_t end)
{
	struct function function = {0};
	struct load_record record;
	const char *name;
	uint64_t next;
	int err;

	if (!view_struct(dump, at, end, &record, sizeof(record)) ||
	    !view_text(dump, at + sizeof(record), end, &name, &next) || !name[0] ||
	    !is_code(record.code_address, record.code_bytes) || dump->functions.count >= JITDUMP_FUNCTIONS_MAX)
		return -E2BIG;
	err = add_text(dump, name, &function.name);
	if (err)
		return err;
	function.start = record.code_address;
	function.bytes = record.code_bytes;
	take_lines(dump, &function);
	return add_function(dump, &function);
}

static int lay(struct jitdump *dump)
{
	int err = range_layers_add(&dump->layers, dump->fresh.items, dump->fresh.count);

	if (!err)
		dump->fresh.count = 0;
	return err;
}

static int take_move(struct jitdump *dump, uint64_t at, uint64_t end)
{
	struct move_record record;
	struct function function;
	uint32_t number;
	int err;

	if (!view_struct(dump, at, end, &record, sizeof(record)) || !is_code(record.new_address, record.code_bytes) ||
	    dump->functions.count >= JITDUMP_FUNCTIONS_MAX)
		return -E2BIG;
	/* What was loaded may still wait to be laid. */
	err = lay(dump);
	if (err)
		return err;
	if (!range_layers_find(&dump->layers, record.old_address, &number))
		return -E2BIG;
	function = dump->functions.items[number];
	function.start = record.new_address;
	function.bytes = record.code_bytes;
	return add_function(dump, &function);
}

/* The entry at @at. -E2BIG where it makes no sense, or there are too many. */
static int take_line(struct jitdump *dump, uint64_t *at, uint64_t end, uint64_t code, uint32_t *file)
{
	struct debug_entry entry;
	const char *name;
	struct line *line;
	int err;

	if (dump->lines.count >= JITDUMP_LINES_MAX || !view_struct(dump, *at, end, &entry, sizeof(entry)) ||
	    !view_text(dump, *at + sizeof(entry), end, &name, at) || entry.address < code ||
	    entry.address - code > JITDUMP_CODE_BYTES_MAX || entry.line < 0)
		return -E2BIG;
	if (strcmp(name, SAME_NAME) && (!*file || strcmp(dump->text.items + *file, name))) {
		err = add_text(dump, name, file);
		if (err)
			return err;
	}
	line = array_add(&dump->lines);
	if (!line)
		return -ENOMEM;
	*line = (struct line){(uint32_t)(entry.address - code), (uint32_t)entry.line, *file};
	return 0;
}

static int take_debug_info(struct jitdump *dump, uint64_t at, uint64_t end)
{
	struct debug_record record;
	uint32_t file = 0;
	int err = 0;

	/* Lines of code that was never loaded make room. */
	dump->lines.count = dump->first_line;
	if (!view_struct(dump, at, end, &record, sizeof(record)))
		return -E2BIG;
	at += sizeof(record);
	dump->lines_of = record.code_address;
	for (uint64_t i = 0; i < record.entries && !err; i++, dump->steps++)
		err = take_line(dump, &at, end, record.code_address, &file);
	/* Where one entry is nonsense, the ones before it may be, too. */
	if (err)
		dump->lines.count = dump->first_line;
	return err;
}

static int take_record(struct jitdump *dump, uint32_t type, uint64_t at, uint64_t end)
{
	int err = 0;

	if (type == CODE_LOAD)
		err = take_load(dump, at, end);
	else if (type == CODE_MOVE)
		err = take_move(dump, at, end);
	else if (type == CODE_DEBUG_INFO)
		err = take_debug_info(dump, at, end);
	/* Past a limit, or without sense: as if it were not there. */
	return err == -E2BIG ? 0 : err;
}

/* Whole records only: the last one may still be being written. */
static int read_records(struct jitdump *dump, uint64_t size)
{
	struct record_header header;
	int err = 0;

	for (dump->steps = 0; view_struct(dump, dump->offset, size, &header, sizeof(header)) && !err; dump->steps++) {
		if (header.bytes < sizeof(header)) {
			dump->broken = true;
			return -EBADMSG;
		}
		if (header.bytes > size - dump->offset || header.type == CODE_CLOSE)
			break;
		if (dump->steps >= (dump->offset < dump->trimmed ? JITDUMP_AGAIN_STEPS_MAX : JITDUMP_READ_STEPS_MAX))
			return -EAGAIN;
		err = take_record(dump, header.type, dump->offset + sizeof(header), dump->offset + header.bytes);
		if (!err)
			dump->offset += header.bytes;
	}
	return err;
}

/* Reads the header, and forgets everything where it is another one. */
static int read_header(struct jitdump *dump, uint64_t size)
{
	struct file_header header;

	dump->window_bytes = 0;
	if (size < dump->offset)
		forget(dump);
	if (!view_struct(dump, 0, size, &header, sizeof(header)))
		return 0;
	if (dump->offset && memcmp(&header, &dump->header, sizeof(header)))
		forget(dump);
	if (dump->offset)
		return 0;
	if (header.magic != MAGIC || header.version != VERSION || header.bytes < sizeof(header) ||
	    header.bytes > WINDOW_BYTES)
		return -EBADMSG;
	dump->header = header;
	dump->offset = header.bytes;
	return 0;
}

int jitdump_read(struct jitdump *dump)
{
	struct stat status;
	int err, laid;

	if (fstat(dump->fd, &status))
		return -EIO;
	if ((uint64_t)status.st_size > JITDUMP_FILE_BYTES_MAX)
		return -EFBIG;
	/* What was read before has had its time. */
	if (dump->offset < dump->trimmed)
		dump->share = (struct read_share){0};
	if (!read_share_begin(&dump->share))
		return -EAGAIN;
	err = read_header(dump, (uint64_t)status.st_size);
	if (!err && dump->broken)
		err = -EBADMSG;
	/* A runtime may not have written its header yet. */
	if (!err && dump->offset)
		err = read_records(dump, (uint64_t)status.st_size);
	if (err != -EAGAIN)
		dump->trimmed = 0;
	laid = lay(dump);
	read_share_end(&dump->share);
	return err ? err : laid;
}

static void find_line(const struct jitdump *dump, const struct function *function, uint64_t address,
		      struct jitdump_place *place)
{
	const struct line *lines;
	size_t at;

	if (!function->lines)
		return;
	lines = dump->lines.items + function->first_line;
	at = partition_point(i, function->lines, lines[i].offset <= address - function->start);
	if (!at)
		return;
	place->line = lines[at - 1].line;
	if (lines[at - 1].file && dump->text.items[lines[at - 1].file])
		place->file = dump->text.items + lines[at - 1].file;
}

bool jitdump_find(const struct jitdump *dump, uint64_t address, struct jitdump_place *ret_place)
{
	const struct function *function;
	struct jitdump_place place;
	uint32_t number;

	if (!range_layers_find(&dump->layers, address, &number))
		return false;
	function = &dump->functions.items[number];
	place = (struct jitdump_place){.function = dump->text.items + function->name,
				       .start = function->start,
				       .end = function->start + function->bytes};
	find_line(dump, function, address, &place);
	*ret_place = place;
	return true;
}
