/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/unwind_rows.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/hash_index.h"
#include "symbolizer/elf_image.h"
#include "symbolizer/unwind_cfi.h"
#include "symbolizer/unwind_go.h"
#include "symbolizer/unwind_layers.h"

#define SECTION_BYTES_MAX (256u << 20)
#define ENTRY_BYTES 64 /* of an entry point without unwind data */
#define PAGE_BYTES (1ull << UNWIND_PAGE_SHIFT)

struct build {
	struct elf_image image;
	const struct unwind_machine *machine;
	unsigned char identity[EI_NIDENT];
	struct unwind_cfi_rows cfi;   /* sorted */
	struct unwind_cfi_rows layer; /* of one source: to be put below those of cfi */
	struct hash_index rule_index;
};

static void cleanup_image(struct elf_image *image)
{
	elf_image_deinit(image);
}

static void cleanup_build(struct build *build)
{
	elf_image_deinit(&build->image);
	array_deinit(&build->cfi.list);
	array_deinit(&build->layer.list);
	hash_index_deinit(&build->rule_index);
}

void unwind_rows_deinit(struct unwind_rows *rows)
{
	array_deinit(&rows->pages);
	array_deinit(&rows->rows);
	array_deinit(&rows->rules);
	memset(rows, 0, sizeof(*rows));
}

static int run_section(struct build *build, const struct elf_image *image, const struct elf_section *section,
		       bool eh_frame)
{
	_cleanup_(elf_data_deinit) struct elf_data data = {0};
	struct unwind_cfi_section cfi = {
		.machine = build->machine,
		.identity = build->identity,
		.address = eh_frame ? section->address : 0,
		.eh_frame = eh_frame,
	};
	int err = elf_image_data(image, section, SECTION_BYTES_MAX, &data);

	if (err)
		return err == -ENOMEM || err == -EIO ? err : 0;
	cfi.bytes = data.bytes;
	cfi.size = data.size;
	err = unwind_cfi_run(&cfi, &build->layer);
	/* Past a limit: what was taken is right, the rest of the file is a gap. */
	return err == -EFBIG ? 0 : err;
}

static int run_debug_frame(struct build *build, const struct elf_image *image)
{
	const struct elf_section *section = elf_image_section(image, ".debug_frame");

	return section ? run_section(build, image, section, false) : 0;
}

static int run_debug_file(struct build *build, int fd)
{
	_cleanup_(cleanup_image) struct elf_image image = {0};
	struct elf_source source = elf_source_file(fd);
	int err = elf_image_init(&image, &source);

	if (err)
		return err == -ENOMEM || err == -EIO ? err : 0;
	return image.is_64 && image.machine == build->image.machine ? run_debug_frame(build, &image) : 0;
}

/* A stripped file may have lost its section headers: the loader's .eh_frame_hdr then knows where .eh_frame begins. */
static int run_eh_frame_of_segments(struct build *build)
{
	for (size_t i = 0; i < build->image.segments.count; i++) {
		const struct elf_segment *segment = &build->image.segments.items[i];
		struct elf_section section = {.name = ".eh_frame", .type = SHT_PROGBITS};
		uint8_t header[8];
		int32_t relative;

		if (segment->type != PT_GNU_EH_FRAME)
			continue;
		/* version 1, and the pointer to .eh_frame as every linker writes it: relative, four bytes. */
		if (elf_source_read(&build->image.source, segment->offset, header, sizeof(header)) != sizeof(header) ||
		    header[0] != 1 || header[1] != 0x1b)
			return 0;
		memcpy(&relative, header + 4, sizeof(relative));
		section.address = segment->address + 4 + (uint64_t)(int64_t)relative;
		for (size_t j = 0; j < build->image.segments.count; j++) {
			const struct elf_segment *load = &build->image.segments.items[j];
			uint64_t in = section.address - load->address;

			if (load->type != PT_LOAD || in >= load->file_bytes)
				continue;
			section.offset = load->offset + in;
			section.bytes = load->file_bytes - in;
			return run_section(build, &build->image, &section, true);
		}
		return 0;
	}
	return 0;
}

static int add_layer(struct build *build)
{
	int err;

	unwind_layer_sort(&build->layer);
	err = unwind_layer_put_below(&build->cfi, &build->layer);
	build->layer.list.count = 0;
	return err;
}

/*
 * Better ones first; what comes later counts where those before say nothing. C libraries are built with .debug_frame alone for
 * most of their functions (musl), and a Go program's C code has what C has.
 */
static int run_all(struct build *build, int debug_fd)
{
	const struct elf_section *section = elf_image_section(&build->image, ".eh_frame");
	int err = unwind_go_run(&build->image, &build->layer);

	if (err == -ENOENT || err == -ENOEXEC)
		err = 0;
	if (!err)
		err = add_layer(build);
	if (!err)
		err = section ? run_section(build, &build->image, section, true) : run_eh_frame_of_segments(build);
	if (!err)
		err = add_layer(build);
	if (!err)
		err = run_debug_frame(build, &build->image);
	if (!err && debug_fd >= 0)
		err = run_debug_file(build, debug_fd);
	return err ? err : add_layer(build);
}

static bool is_covered(const struct build *build, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < build->cfi.list.count; i++) {
		const struct unwind_cfi_row *row = &build->cfi.list.items[i];

		if (row->pc >= start && row->pc < end && row->rule.cfa != UNWIND_GAP)
			return true;
	}
	return false;
}

static int add_rule_between(struct build *build, uint64_t start, uint64_t end, struct unwind_rule rule)
{
	struct unwind_cfi_row *rows;

	if (array_reserve(&build->layer.list, 2))
		return -ENOMEM;
	rows = build->layer.list.items + build->layer.list.count;
	rows[0] = (struct unwind_cfi_row){start, rule};
	rows[1] = (struct unwind_cfi_row){end, {0}};
	build->layer.list.count += 2;
	return 0;
}

/*
 * What linkers and start-up code leave without unwind data: the IRELATIVE .plt of static files, whose entries only jump, and
 * an entry point, which nobody called.
 */
static int add_special(struct build *build)
{
	static const struct unwind_rule jump = {.cfa = UNWIND_SP, .cfa_offset = 8}, end = {.cfa = UNWIND_END};
	uint64_t entry = build->image.entry;

	for (size_t i = 0; i < build->image.sections.count; i++) {
		const struct elf_section *section = &build->image.sections.items[i];
		uint64_t stop = section->address + section->bytes;

		if (strncmp(section->name, ".plt", 4) != 0 || !(section->flags & SHF_EXECINSTR) ||
		    stop <= section->address || section->bytes > SECTION_BYTES_MAX ||
		    is_covered(build, section->address, stop))
			continue;
		if (add_rule_between(build, section->address, stop, jump))
			return -ENOMEM;
	}
	if (entry && !is_covered(build, entry, entry + 1) && build->cfi.functions &&
	    add_rule_between(build, entry, entry + ENTRY_BYTES, end))
		return -ENOMEM;
	return add_layer(build);
}

static int rule_number(struct build *build, struct unwind_rows *rows, struct unwind_rule rule, uint16_t *ret_number)
{
	struct unwind_rule *added;
	uint64_t words;
	uint32_t number;

	memcpy(&words, &rule, sizeof(words));
	words = hash_words(words, 1);
	for (size_t at = hash_index_first(&build->rule_index, words);
	     hash_index_next(&build->rule_index, words, &at, &number);) {
		if (!memcmp(&rows->rules.items[number], &rule, sizeof(rule))) {
			*ret_number = (uint16_t)number;
			return 0;
		}
	}
	if (rows->rules.count == UNWIND_RULES_MAX) {
		*ret_number = 1;
		return 0;
	}
	if (array_reserve(&rows->rules, 1) || hash_index_insert(&build->rule_index, words, (uint32_t)rows->rules.count))
		return -ENOMEM;
	added = array_add(&rows->rules);
	*added = rule;
	*ret_number = (uint16_t)(rows->rules.count - 1);
	return 0;
}

static int add_row(struct build *build, struct unwind_rows *rows, uint64_t pc, struct unwind_rule rule)
{
	struct unwind_row row = {.low = (uint16_t)(pc & (PAGE_BYTES - 1))};
	int err = rule_number(build, rows, rule, &row.rule);

	if (err || array_reserve(&rows->rows, 1))
		return -ENOMEM;
	*array_add(&rows->rows) = row;
	rows->pages.items[rows->pages.count - 1].count++;
	return 0;
}

/* Opens pages up to that of @pc; each starts with the rule that is carried in. */
static int open_pages(struct build *build, struct unwind_rows *rows, uint64_t pc, struct unwind_rule carried)
{
	uint64_t page = pc >> UNWIND_PAGE_SHIFT;

	while (rows->first_page + rows->pages.count <= page) {
		struct unwind_page *added;

		if (rows->pages.count == UNWIND_PAGES_MAX)
			return -EFBIG;
		added = array_add(&rows->pages);
		if (!added)
			return -ENOMEM;
		added->first = (uint32_t)rows->rows.count;
		/* A first row at the page's very start makes the carried rule unneeded. */
		if (rows->first_page + rows->pages.count - 1 == page && !(pc & (PAGE_BYTES - 1)))
			return 0;
		if (add_row(build, rows, 0, carried))
			return -ENOMEM;
	}
	return 0;
}

static int make_pages(struct build *build, struct unwind_rows *rows)
{
	static const struct unwind_rule gap = {0}, unsupported = {.cfa = UNWIND_UNSUPPORTED};
	struct unwind_rule carried = gap;
	uint16_t number;
	int err = 0;

	/* The first two are in every file: 0 stands for what is not known, 1 for what does not fit. */
	if (rule_number(build, rows, gap, &number) || rule_number(build, rows, unsupported, &number))
		return -ENOMEM;
	if (build->cfi.list.count)
		rows->first_page = build->cfi.list.items[0].pc >> UNWIND_PAGE_SHIFT;
	for (size_t i = 0; i < build->cfi.list.count && !err; i++) {
		const struct unwind_cfi_row *row = &build->cfi.list.items[i];

		err = open_pages(build, rows, row->pc, carried);
		if (!err)
			err = add_row(build, rows, row->pc, row->rule);
		carried = row->rule;
	}
	/* Addresses spread over more than a program can have: the rest is a gap. */
	return err == -EFBIG ? 0 : err;
}

static void take_segments(const struct elf_image *image, struct unwind_rows *rows)
{
	for (size_t i = 0; i < image->segments.count && rows->segment_count < UNWIND_SEGMENTS_MAX; i++) {
		const struct elf_segment *segment = &image->segments.items[i];

		if (segment->type == PT_LOAD && segment->flags & PF_X)
			rows->segments[rows->segment_count++] =
				(struct unwind_segment){segment->offset, segment->address, segment->file_bytes};
	}
}

static int open_image(struct build *build, int fd)
{
	struct elf_source source = elf_source_file(fd);
	int err = elf_image_init(&build->image, &source);

	if (err)
		return err;
	if (elf_source_read(&source, 0, build->identity, sizeof(build->identity)) != sizeof(build->identity))
		return -EIO;
	build->machine = unwind_machine(build->image.machine);
	return build->image.is_64 && build->machine ? 0 : -EOPNOTSUPP;
}

/* Where sections do not tell, all of a segment counts: asking for a debug file in vain costs little. */
static uint64_t code_bytes(const struct elf_image *image)
{
	uint64_t sections = 0, segments = 0;

	for (size_t i = 0; i < image->sections.count; i++)
		if (image->sections.items[i].flags & SHF_EXECINSTR)
			sections += image->sections.items[i].bytes;
	for (size_t i = 0; i < image->segments.count; i++)
		if (image->segments.items[i].type == PT_LOAD && image->segments.items[i].flags & PF_X)
			segments += image->segments.items[i].file_bytes;
	return sections ? sections : segments;
}

static void note_lack(const struct build *build, struct unwind_rows *rows)
{
	uint64_t covered = 0;

	for (size_t i = 0; i + 1 < build->cfi.list.count; i++)
		if (build->cfi.list.items[i].rule.cfa != UNWIND_GAP)
			covered += build->cfi.list.items[i + 1].pc - build->cfi.list.items[i].pc;
	if (covered >= code_bytes(&build->image) / 2)
		return;
	rows->lacks_rows = elf_image_build_id(&build->image, &rows->build_id);
	rows->lacks_rows |= elf_image_debug_link(&build->image, &rows->debug_link);
}

int unwind_rows_check_debug(int fd, int debug_fd)
{
	_cleanup_(cleanup_image) struct elf_image image = {0};
	struct elf_source source = elf_source_file(fd);
	struct elf_build_id build_id = {0};
	struct elf_debug_link link = {0};
	int err = elf_image_init(&image, &source);

	if (err)
		return err;
	elf_image_build_id(&image, &build_id);
	elf_image_debug_link(&image, &link);
	return elf_debug_file_check(&build_id, &link, debug_fd);
}

int unwind_rows_read(int fd, int debug_fd, struct unwind_rows *rows)
{
	_cleanup_(cleanup_build) struct build build = {0};
	int err = open_image(&build, fd);

	if (err)
		return err;
	take_segments(&build.image, rows);
	rows->frame_pointers =
		elf_image_section(&build.image, ".gopclntab") || elf_image_section(&build.image, ".note.go.buildid");
	err = python_runtime_find(&build.image, &rows->python);
	if (!err)
		err = run_all(&build, debug_fd);
	if (!err)
		err = add_special(&build);
	if (err)
		return err;
	note_lack(&build, rows);
	rows->functions = build.cfi.functions;
	rows->broken = build.cfi.broken;
	return make_pages(&build, rows);
}
