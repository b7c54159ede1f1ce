/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/parsed_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/call_frames.h"
#include "symbolizer/demangle.h"
#include "symbolizer/elf_image.h"
#include "symbolizer/elf_symbols.h"
#include "symbolizer/parse_records.h"
#include "symbolizer/parsed_dwarf.h"

struct parsed_file {
	int fd;
	int debug_fd, alternate_fd; /* or -1 */
	struct parsed_dwarf dwarf;
	struct elf_symbols *symbols; /* the debug file's too; NULL until asked for, and after a trim */
	bool no_symbols;	     /* the file is broken: not tried again for every address */
	bool starved, too_large; /* there was no memory for them: once, and once more after others had given it back */
	struct call_frames *frames; /* NULL until asked for, and after a trim */
	bool no_frames;		    /* as no_symbols */
};

static void cleanup_file(struct parsed_file **file)
{
	parsed_file_free(*file);
}

int parsed_file_new(int fd, struct parsed_file **ret_file)
{
	_cleanup_(cleanup_file) struct parsed_file *file = calloc(1, sizeof(*file));
	struct elf_source source = elf_source_file(fd);
	struct elf_image image;
	int err;

	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	file->fd = fd;
	file->debug_fd = file->alternate_fd = file->dwarf.package_fd = -1;
	err = elf_image_init(&image, &source);
	if (err)
		return err;
	elf_image_deinit(&image);
	*ret_file = take_ptr(file);
	return 0;
}

void parsed_file_trim(struct parsed_file *file)
{
	elf_symbols_free(file->symbols);
	file->symbols = NULL;
	file->no_symbols = file->too_large = false;
	call_frames_free(file->frames);
	file->frames = NULL;
	file->no_frames = false;
	parsed_dwarf_trim(&file->dwarf);
}

void parsed_file_free(struct parsed_file *file)
{
	if (!file)
		return;
	parsed_file_trim(file);
	parsed_dwarf_deinit(&file->dwarf);
	close(file->fd);
	if (file->debug_fd >= 0)
		close(file->debug_fd);
	if (file->alternate_fd >= 0)
		close(file->alternate_fd);
	free(file);
}

/* Links of the file itself first; the alternate file's is in the debug file where the DWARF is there. */
static void add_facts(int fd, struct parse_facts *facts)
{
	struct elf_source source = elf_source_file(fd);
	struct elf_build_id build_id;
	struct elf_debug_link link;
	struct elf_alt_link alternate;
	struct elf_image image;

	if (elf_image_init(&image, &source))
		return;
	if (!facts->build_id_bytes && elf_image_build_id(&image, &build_id)) {
		memcpy(facts->build_id, build_id.id, build_id.bytes);
		facts->build_id_bytes = (uint8_t)build_id.bytes;
	}
	if (!facts->debug_link[0] && elf_image_debug_link(&image, &link)) {
		memcpy(facts->debug_link, link.name, sizeof(facts->debug_link));
		facts->debug_link_crc = link.crc;
	}
	if (!facts->alternate_link[0] && elf_image_alt_link(&image, &alternate)) {
		memcpy(facts->alternate_link, alternate.name, sizeof(facts->alternate_link));
		memcpy(facts->alternate_id, alternate.build_id.id, alternate.build_id.bytes);
		facts->alternate_id_bytes = (uint8_t)alternate.build_id.bytes;
	}
	facts->has_symbols |= elf_image_section(&image, ".symtab") || elf_image_section(&image, ".gnu_debugdata");
	facts->has_lines |= elf_image_section(&image, ".debug_info") != NULL;
	elf_image_deinit(&image);
}

void parsed_file_facts(struct parsed_file *file, struct parse_facts *ret_facts)
{
	memset(ret_facts, 0, sizeof(*ret_facts));
	add_facts(file->fd, ret_facts);
	if (file->debug_fd >= 0)
		add_facts(file->debug_fd, ret_facts);
}

static bool has_build_id(int fd, const unsigned char *id, size_t bytes)
{
	struct parse_facts facts = {0};

	add_facts(fd, &facts);
	return bytes && facts.build_id_bytes == bytes && !memcmp(facts.build_id, id, bytes);
}

/* A build-id is easily forged, and then a stranger's names come out. A debug file has the headers of all sections. */
static bool has_same_text(const struct elf_image *image, int fd)
{
	struct elf_source source = elf_source_file(fd);
	const struct elf_section *text = elf_image_section(image, ".text"), *other;
	struct elf_image candidate;
	bool same;

	if (elf_image_init(&candidate, &source))
		return false;
	other = elf_image_section(&candidate, ".text");
	same = !text || !other || (text->address == other->address && text->bytes == other->bytes);
	elf_image_deinit(&candidate);
	return same;
}

static bool belongs(const struct parsed_file *file, int fd)
{
	struct elf_source source = elf_source_file(file->fd);
	struct elf_build_id build_id = {0};
	struct elf_debug_link link = {0};
	struct elf_image image;
	bool same;

	if (elf_image_init(&image, &source))
		return false;
	elf_image_build_id(&image, &build_id);
	elf_image_debug_link(&image, &link);
	same = has_same_text(&image, fd);
	elf_image_deinit(&image);
	return same && !elf_debug_file_check(&build_id, &link, fd);
}

int parsed_file_add_debug(struct parsed_file *file, int fd)
{
	if (file->debug_fd >= 0 || !belongs(file, fd)) {
		close(fd);
		return -ENOENT;
	}
	file->debug_fd = fd;
	parsed_file_trim(file);
	return 0;
}

int parsed_file_add_alternate(struct parsed_file *file, int fd)
{
	struct parse_facts facts;

	parsed_file_facts(file, &facts);
	if (file->alternate_fd >= 0 || !has_build_id(fd, facts.alternate_id, facts.alternate_id_bytes)) {
		close(fd);
		return -ENOENT;
	}
	file->alternate_fd = fd;
	parsed_file_trim(file);
	return 0;
}

/* Is that the file's fault, so that it will be no other next time? */
static bool is_final(int err)
{
	return err && err != -ENOMEM && err != -EIO;
}

static int add_debug_symbols(struct parsed_file *file)
{
	int copy = file->debug_fd >= 0 ? dup(file->debug_fd) : -1, err;

	if (copy < 0)
		return file->debug_fd >= 0 ? -ENOMEM : 0;
	err = elf_symbols_add_debug_file(file->symbols, copy);
	if (err)
		close(copy);
	return err;
}

static int make_symbols(struct parsed_file *file)
{
	int copy = dup(file->fd), err = copy < 0 ? -ENOMEM : elf_symbols_new(copy, &file->symbols);

	if (err && copy >= 0)
		close(copy);
	/* The debug file's table is a gain, not a condition. */
	if (!err && add_debug_symbols(file) == -ENOMEM) {
		elf_symbols_free(take_ptr(file->symbols));
		err = -ENOMEM;
	}
	file->no_symbols = is_final(err);
	file->too_large = err == -ENOMEM && file->starved;
	file->starved = err == -ENOMEM;
	return err;
}

/* Made when first needed; NULL where the file is broken. */
static int symbols_of(struct parsed_file *file, const struct elf_symbols **ret_symbols)
{
	int err = file->symbols || file->no_symbols || file->too_large ? 0 : make_symbols(file);

	*ret_symbols = file->symbols;
	return file->too_large ? -EFBIG : file->no_symbols ? 0 : err;
}

/* From a function's addresses to those of the request: the part of them that is in one segment with @address. */
static void answer_range(const struct elf_symbols *symbols, const struct elf_function *function, uint64_t address,
			 uint32_t flags, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start, last, here;

	*ret_start = *ret_end = 0;
	if (flags & PARSE_VIRTUAL) {
		*ret_start = function->from;
		*ret_end = function->to;
	} else if (elf_symbols_file_offset(symbols, address, &here) &&
		   elf_symbols_file_offset(symbols, function->from, &start) &&
		   elf_symbols_file_offset(symbols, function->to - 1, &last) &&
		   here - start == address - function->from && last - here == function->to - 1 - address) {
		*ret_start = start;
		*ret_end = last + 1;
	}
}

/* The function of the symbol tables; false where none holds @address. */
static bool find_symbol(const struct elf_symbols *symbols, uint64_t address, uint32_t flags, char *name, size_t size,
			uint64_t *ret_start, uint64_t *ret_end)
{
	struct elf_function function;

	elf_symbols_functions(symbols, &address, 1, &function);
	if (!function.end || elf_symbols_name(symbols, &function, name, size))
		return false;
	answer_range(symbols, &function, address, flags, ret_start, ret_end);
	return true;
}

/*
 * Lines and inlined functions from DWARF; the function itself is called as the symbol tables call it, where they do:
 * a report with lines then has the names of one without.
 */
static int add_frames(struct worker_bytes *answer, const char *symbol, const struct dwarf_frame *frames, size_t count)
{
	char *readable[DWARF_FRAMES_MAX] = {0};
	struct parse_name names[DWARF_FRAMES_MAX];
	size_t used = 0;
	int err;

	for (size_t i = 0; i < count; i++) {
		const char *name = frames[i].inlined || !symbol ? frames[i].function : symbol;

		if (!name)
			continue;
		readable[i] = demangle(name);
		names[used++] = (struct parse_name){
			.text = readable[i] ? readable[i] : name,
			.bytes = strlen(readable[i] ? readable[i] : name),
			.file = frames[i].file,
			.file_bytes = frames[i].file ? strlen(frames[i].file) : 0,
			.line = frames[i].line,
			.inlined = frames[i].inlined,
		};
	}
	err = parse_records_add(answer, 0, 0, names, used);
	for (size_t i = 0; i < count; i++)
		free(readable[i]);
	return err;
}

static int find_frames(struct parsed_file *file, uint64_t address, uint32_t flags, struct dwarf_frame *frames,
		       size_t *ret_count)
{
	unsigned int wanted = (flags & PARSE_LINES ? DWARF_LINES : 0) | (flags & PARSE_INLINES ? DWARF_INLINES : 0);

	*ret_count = 0;
	if (!wanted)
		return 0;
	return parsed_dwarf_find(&file->dwarf, file->fd, file->debug_fd, file->alternate_fd, address, wanted, frames,
				 ret_count);
}

int parsed_file_find(struct parsed_file *file, uint64_t address, uint32_t flags, struct worker_bytes *answer)
{
	const struct elf_symbols *symbols;
	struct dwarf_frame frames[DWARF_FRAMES_MAX];
	_cleanup_free_ char *readable = NULL;
	char raw[PARSE_NAME_BYTES_MAX];
	struct parse_name name = {0};
	uint64_t start = 0, end = 0;
	size_t count;
	bool found;
	int err = symbols_of(file, &symbols);

	if (err)
		return err;
	if (!symbols || (!(flags & PARSE_VIRTUAL) && !elf_symbols_address(symbols, address, &address)))
		return parse_records_add(answer, 0, 0, NULL, 0);
	found = find_symbol(symbols, address, flags, raw, sizeof(raw), &start, &end);
	err = find_frames(file, address, flags, frames, &count);
	if (err)
		return err;
	if (count)
		return add_frames(answer, found ? raw : NULL, frames, count);
	if (!found)
		return parse_records_add(answer, 0, 0, NULL, 0);
	readable = demangle(raw);
	name.text = readable ? readable : raw;
	name.bytes = strlen(name.text);
	return parse_records_add(answer, start, end, &name, 1);
}

int parsed_file_add_package(struct parsed_file *file, int fd)
{
	if (file->dwarf.package_fd >= 0) {
		close(fd);
		return -ENOENT;
	}
	parsed_dwarf_trim(&file->dwarf);
	file->dwarf.package_fd = fd;
	return 0;
}

struct call_frames *parsed_file_call_frames(struct parsed_file *file)
{
	if (!file->frames && !file->no_frames)
		file->no_frames = is_final(call_frames_new(file->fd, file->debug_fd, &file->frames));
	return file->frames;
}

size_t parsed_file_call_frames_bytes(const struct parsed_file *file)
{
	return file->frames ? call_frames_bytes(file->frames) : 0;
}

void parsed_file_drop_call_frames(struct parsed_file *file)
{
	if (!file->frames)
		return;
	call_frames_free(take_ptr(file->frames));
	file->no_frames = true;
}

struct parsed_dwarf *parsed_file_dwarf(struct parsed_file *file)
{
	return &file->dwarf;
}

size_t parsed_file_bytes(const struct parsed_file *file)
{
	return (file->symbols ? elf_symbols_bytes(file->symbols) : 0) + parsed_file_call_frames_bytes(file) +
	       parsed_dwarf_bytes(&file->dwarf);
}

size_t parsed_file_descriptors(const struct parsed_file *file, size_t *ret_spare)
{
	size_t own = 1 + (file->debug_fd >= 0), others = (file->alternate_fd >= 0) + (file->dwarf.package_fd >= 0);

	/* The table has copies of both. */
	*ret_spare = (file->symbols ? own : 0) + parsed_dwarf_split_descriptors(&file->dwarf);
	return own + others + *ret_spare;
}
