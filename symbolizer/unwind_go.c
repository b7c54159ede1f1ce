/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbolizer/unwind_go.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/base/cleanup.h"
#include "symbolizer/dwarf_cursor.h"
#include "symbolizer/go_table.h"

#define TABLE_BYTES_MAX (256ull << 20)
#define WORK_PER_BYTE 4 /* steps of all lists of depths: functions share lists */
#define WORK_FREE (1u << 20)
#define RANGES_MAX 16
#define DEPTHS_AT 12 /* in a record, behind the name's place: the list's place */
#define NAME_BYTES 32
#define SPECIALS_MAX 64
#define CODE_BYTES_MAX 1024

enum special {
	FIRST,	   /* nobody called it */
	LEAVES,	   /* nobody called what runs once it has changed stacks */
	CALLS,	   /* changes stacks; the saved SP is where its return address is */
	GROWS,	   /* the same, right behind it */
	ASKS_VDSO, /* changes stacks, and keeps its frame pointer */
	SIGNAL,
};

static const struct {
	char name[NAME_BYTES];
	enum special special;
} special_names[] = {
	{"runtime.goexit", FIRST},	  {"runtime.mstart", FIRST},
	{"runtime.rt0_go", FIRST},	  {"_rt0_amd64", FIRST},
	{"_rt0_amd64_linux", FIRST},	  {"runtime.mcall", LEAVES},
	{"runtime.clone", LEAVES},	  {"runtime.systemstack", CALLS},
	{"runtime.asmcgocall", CALLS},	  {"runtime.morestack", GROWS},
	{"runtime.nanotime1", ASKS_VDSO}, {"runtime.walltime", ASKS_VDSO},
	{"runtime.walltime1", ASKS_VDSO}, {"time.now", ASKS_VDSO},
	{"runtime.sigreturn", SIGNAL},	  {"runtime.sigreturn__sigaction", SIGNAL},
};

/* One of them in the file, to be corrected once all rows are there. */
struct found {
	enum special special;
	uint64_t start, end;
	size_t first_row, row_count;
};

struct run {
	const struct elf_image *image;
	struct go_table table;
	unsigned char *bytes; /* [size], the table */
	size_t size;
	struct unwind_cfi_rows *rows;
	uint64_t work_left;
	bool has_entry;
	struct unwind_rule goroutine; /* where the runtime has the caller; a gap where that is not known */
	struct found found[SPECIALS_MAX];
	size_t found_count;
};

/* Code that the compiler made saves the frame pointer right below the return address, where it has a frame at all. */
static struct unwind_rule rule_of_depth(int64_t depth)
{
	struct unwind_rule rule = {.cfa = UNWIND_SP, .cfa_offset = (int32_t)depth + 8};

	if (depth < 0 || depth > INT32_MAX - 8)
		return (struct unwind_rule){0};
	if (depth >= 8) {
		rule.fp = UNWIND_FP_AT_CFA;
		rule.fp_offset = -16;
	}
	return rule;
}

/* Pairs of how much the depth changes (zigzag) and for how many places it holds; it starts at -1. */
static int run_depths(struct run *run, uint64_t start, uint64_t end, uint64_t list)
{
	struct dwarf_cursor cursor = {run->bytes + list, run->bytes + run->size, false};
	int64_t depth = -1;

	for (uint64_t pc = start; pc < end;) {
		uint64_t change = dwarf_uleb(&cursor), places = dwarf_uleb(&cursor);
		int err;

		if (cursor.failed || (!change && pc != start) || !places || places > end - pc)
			break;
		if (!run->work_left)
			return -EFBIG;
		run->work_left--;
		if (change > UINT32_MAX)
			break;
		depth += (int64_t)(change >> 1) ^ -(int64_t)(change & 1);
		err = unwind_cfi_add_row(run->rows, pc, rule_of_depth(depth));
		if (err)
			return err;
		pc += places * run->table.quantum;
	}
	return unwind_cfi_add_row(run->rows, end, (struct unwind_rule){0});
}

static bool is_special(const struct run *run, uint64_t name, enum special *ret_special)
{
	size_t left = name < run->size ? run->size - (size_t)name : 0;

	for (size_t i = 0; i < ARRAY_LENGTH(special_names); i++) {
		size_t bytes = strlen(special_names[i].name) + 1;

		if (left < bytes || memcmp(run->bytes + name, special_names[i].name, bytes) != 0)
			continue;
		*ret_special = special_names[i].special;
		return true;
	}
	return false;
}

static int run_function(struct run *run, uint64_t start, uint64_t end, uint64_t record)
{
	uint64_t place = run->table.records + record + go_table_name_at(&run->table), name, list;
	size_t first_row = run->rows->list.count;
	enum special special;
	int err;

	if (place > run->size || run->size - place < DEPTHS_AT + 4 || start >= end) {
		run->rows->broken++;
		return 0;
	}
	name = run->table.texts + go_number_at(run->bytes, (size_t)place, 4);
	list = run->table.depths + go_number_at(run->bytes, (size_t)place + DEPTHS_AT, 4);
	/* 0: it has none. */
	if (list == run->table.depths || list >= run->size)
		return 0;
	err = run_depths(run, start, end, list);
	run->rows->functions++;
	if (!err && run->found_count < SPECIALS_MAX && is_special(run, name, &special))
		run->found[run->found_count++] =
			(struct found){special, start, end, first_row, run->rows->list.count - first_row};
	return err;
}

static int run_list(struct run *run)
{
	const struct go_table *table = &run->table;
	int err = 0;

	for (uint64_t i = 0; i < table->count && !err; i++) {
		size_t at = (size_t)(table->list + 2 * i * table->field);
		uint64_t start = go_number_at(run->bytes, at, table->field);
		uint64_t record = go_number_at(run->bytes, at + table->field, table->field);
		uint64_t end = go_number_at(run->bytes, at + 2 * table->field, table->field);

		run->has_entry |= start + table->base == run->image->entry;
		if (record <= UINT32_MAX)
			err = run_function(run, table->base + start, table->base + end, record);
	}
	return err == -EFBIG ? 0 : err;
}

static size_t read_code(const struct run *run, const struct found *found, unsigned char *code)
{
	size_t wanted =
		found->end - found->start < CODE_BYTES_MAX ? (size_t)(found->end - found->start) : CODE_BYTES_MAX;

	for (size_t i = 0; i < run->image->segments.count; i++) {
		const struct elf_segment *segment = &run->image->segments.items[i];
		uint64_t in = found->start - segment->address;
		ssize_t got;

		if (segment->type != PT_LOAD || in >= segment->file_bytes)
			continue;
		got = elf_source_read(&run->image->source, segment->offset + in, code, wanted);
		return got > 0 ? (size_t)got : 0;
	}
	return 0;
}

/* Bytes of an instruction that loads the stack pointer from another register or from memory; 0: it is none. */
static size_t loads_sp(const unsigned char *code)
{
	/* mov %reg,%rsp */
	if ((code[0] & 0xfb) == 0x48 && code[1] == 0x89 && (code[2] & 0xc7) == 0xc4)
		return 3;
	/* mov disp8(%reg),%rsp; with %rsp and %r12 one byte more */
	if ((code[0] & 0xfe) == 0x48 && code[1] == 0x8b && (code[2] & 0xf8) == 0x60)
		return (code[2] & 7) == 4 ? 5 : 4;
	return 0;
}

/* From where to where a function is on another stack; to its end where it does not come back. */
static bool find_change(const struct found *found, const unsigned char *code, size_t bytes, uint64_t *ret_from,
			uint64_t *ret_to)
{
	uint64_t places[2] = {0, found->end};
	size_t count = 0;

	for (size_t i = 0; i + 3 <= bytes && count < 2; i++) {
		size_t size = loads_sp(code + i);

		if (size)
			places[count++] = found->start + i + size;
	}
	if (!count || places[0] >= places[1])
		return false;
	*ret_from = places[0];
	*ret_to = places[1];
	return true;
}

static bool has(const unsigned char *code, size_t bytes, const char *instruction, size_t length, size_t *ret_at)
{
	const unsigned char *at = memmem(code, bytes, instruction, length);

	if (at)
		*ret_at = (size_t)(at - code);
	return at;
}

/*
 * Where the runtime of this version has what is needed, from systemstack's own code: mov %fs:tls,%rax; mov m(%rax),%rbx;
 * cmp curg(%rbx),%rax; and the saved stack pointer's place in a g.
 */
static void learn_goroutine(struct run *run, const unsigned char *code, size_t bytes)
{
	size_t tls_at, m_at, curg_at;
	int32_t tls, curg;

	/* In position-independent code: mov $tls,%rcx; mov %fs:(%rcx),%rax */
	if (has(code, bytes, "\x64\x48\x8b\x01", 4, &tls_at) && tls_at >= 7 &&
	    !memcmp(code + tls_at - 7, "\x48\xc7\xc1", 3))
		tls_at -= 4;
	else if (has(code, bytes, "\x64\x48\x8b\x04\x25", 5, &tls_at))
		tls_at += 5;
	else
		return;
	if (!has(code, bytes, "\x48\x8b\x58\x30", 4, &m_at) || !has(code, bytes, "\x48\x3b\x83", 3, &curg_at) ||
	    tls_at + sizeof(tls) > bytes || curg_at + 3 + sizeof(curg) > bytes)
		return;
	if (!has(code, bytes, "\x48\x8b\x5a\x38", 4, &m_at) && !has(code, bytes, "\x48\x8b\x62\x38", 4, &m_at))
		return;
	memcpy(&tls, code + tls_at, sizeof(tls));
	memcpy(&curg, code + curg_at + 3, sizeof(curg));
	if (tls < INT16_MIN || tls > INT16_MAX || curg < 0 || curg > UINT16_MAX)
		return;
	run->goroutine =
		(struct unwind_rule){.cfa = UNWIND_GOROUTINE, .cfa_offset = tls * (1 << UNWIND_GO_TLS_SHIFT) + curg};
}

/* A function's rows between two places are this one instead. */
static int replace(struct run *run, const struct found *found, uint64_t from, uint64_t to, struct unwind_rule rule)
{
	struct unwind_rule after = {0};
	int err;

	for (size_t i = found->first_row; i < found->first_row + found->row_count; i++) {
		struct unwind_cfi_row *row = &run->rows->list.items[i];

		if (row->pc <= to)
			after = row->rule;
		if (row->pc >= from && row->pc < to)
			row->rule = rule;
	}
	err = unwind_cfi_add_row(run->rows, from, rule);
	return err || to >= found->end ? err : unwind_cfi_add_row(run->rows, to, after);
}

static int correct(struct run *run, const struct found *found)
{
	static const struct unwind_rule end = {.cfa = UNWIND_END}, signal = {.cfa = UNWIND_SIGNAL},
					by_fp = {.cfa = UNWIND_FP_ELSEWHERE};
	unsigned char code[CODE_BYTES_MAX];
	struct unwind_rule rule = run->goroutine;
	uint64_t from = found->start, to = found->end;

	if (found->special == FIRST)
		return replace(run, found, from, to, end);
	/* The kernel's "return address" is its first instruction, and one less is looked for. */
	if (found->special == SIGNAL)
		return replace(run, found, from - 1, to, signal);
	if (!find_change(found, code, read_code(run, found, code), &from, &to))
		return 0;
	if (found->special == LEAVES)
		return replace(run, found, from, found->end, end);
	if (found->special == ASKS_VDSO)
		return replace(run, found, from, to, by_fp);
	if (found->special == GROWS)
		rule.fp_offset = rule.cfa == UNWIND_GOROUTINE ? -8 : 0;
	return replace(run, found, from, found->special == GROWS ? found->end : to, rule);
}

static int correct_all(struct run *run)
{
	unsigned char code[CODE_BYTES_MAX];
	int err = 0;

	for (size_t i = 0; i < run->found_count; i++)
		if (run->found[i].special == CALLS && run->goroutine.cfa == UNWIND_GAP)
			learn_goroutine(run, code, read_code(run, &run->found[i], code));
	for (size_t i = 0; i < run->found_count && !err; i++)
		err = correct(run, &run->found[i]);
	return err == -EFBIG ? 0 : err;
}

static int read_table(struct run *run, unsigned char **ret_bytes)
{
	_cleanup_free_ unsigned char *bytes = NULL;
	const struct go_table *table = &run->table;
	uint64_t size = table->bytes < TABLE_BYTES_MAX ? table->bytes : TABLE_BYTES_MAX;
	ssize_t got;

	/* A table that lies about its size is as long as its file. */
	while (size && !elf_source_holds(&run->image->source, table->offset, size))
		size /= 2;
	bytes = malloc(size ? size : 1);
	if (!bytes)
		return -ENOMEM;
	got = elf_source_read(&run->image->source, table->offset, bytes, size);
	if (got < 0)
		return (int)got;
	if ((uint64_t)got < size || table->list + (2 * table->count + 1) * table->field > size)
		return -ENOEXEC;
	run->bytes = bytes;
	run->size = size;
	*ret_bytes = take_ptr(bytes);
	return 0;
}

int unwind_go_run(const struct elf_image *image, struct unwind_cfi_rows *rows)
{
	_cleanup_free_ unsigned char *bytes = NULL;
	struct run run = {.image = image, .rows = rows};
	struct code_range ranges[RANGES_MAX];
	size_t range_count = 0, before = rows->list.count;
	int err;

	for (size_t i = 0; i < image->segments.count && range_count < RANGES_MAX; i++) {
		const struct elf_segment *segment = &image->segments.items[i];

		if (segment->type == PT_LOAD && segment->flags & PF_X)
			ranges[range_count++] =
				(struct code_range){segment->address, segment->address + segment->file_bytes};
	}
	err = go_table_find(image, ranges, range_count, &run.table);
	if (!err)
		err = read_table(&run, &bytes);
	if (err)
		return err;
	run.work_left = (uint64_t)run.size * WORK_PER_BYTE + WORK_FREE;
	err = run_list(&run);
	if (!err)
		err = correct_all(&run);
	/* As go_symbols_read() has it. */
	if (!err && run.table.base_guessed && !run.has_entry) {
		rows->list.count = before;
		rows->functions = 0;
		return -ENOEXEC;
	}
	return err;
}
