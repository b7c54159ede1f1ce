/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/user_reads.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"

#define CODE_BYTES_MAX 4096u
#define X86_CALL 0xe8 /* its target follows, as four bytes of distance from the next instruction */
#define X86_CALL_BYTES 5u

/* Functions that matter; of the first two the code. */
enum function {
	COPY_FROM_USER,
	CHECK_BUFFER,
	NMI_CHECK,
	FIND_AREA, /* both take the lock of vmalloc()'s areas: one is called by 5.18, the other one since 5.19 */
	FIND_VM_AREA,
	FUNCTIONS,
};
static const char *const names[FUNCTIONS] = {"copy_from_user_nofault", "__check_object_size", "nmi_uaccess_okay",
					     "find_vmap_area", "find_vm_area"};

struct functions {
	uint64_t start[FUNCTIONS]; /* 0: there is none */
	uint64_t end[FUNCTIONS];   /* 0: not known yet */
	bool hidden;
};

static void take_symbol(struct functions *functions, uint64_t address, const char *name)
{
	functions->hidden &= !address;
	for (int i = 0; i < FUNCTIONS; i++) {
		if (functions->start[i] && !functions->end[i] && address > functions->start[i])
			functions->end[i] = address;
		if (!functions->start[i] && !strcmp(name, names[i]))
			functions->start[i] = address;
	}
}

static bool all_known(const struct functions *functions)
{
	for (int i = 0; i < FUNCTIONS; i++)
		if (!functions->end[i])
			return false;
	return true;
}

/* The kernel's own symbols come first, by address. */
static void find_functions(FILE *kallsyms, struct functions *functions)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	*functions = (struct functions){.hidden = true};
	while (!all_known(functions) && getline(&line, &room, kallsyms) > 0) {
		char *at;
		uint64_t address = strtoull(line, &at, 16);

		if (at == line || at[0] != ' ' || !at[1] || at[2] != ' ')
			continue;
		at += 3;
		at[strcspn(at, "\t\n")] = '\0';
		take_symbol(functions, address, at);
	}
}

static bool calls(const uint8_t *code, size_t bytes, uint64_t address, uint64_t target)
{
	int32_t distance;

	for (size_t i = 0; target && i + X86_CALL_BYTES <= bytes; i++) {
		if (code[i] != X86_CALL)
			continue;
		memcpy(&distance, &code[i + 1], sizeof(distance));
		if (address + i + X86_CALL_BYTES + (uint64_t)(int64_t)distance == target)
			return true;
	}
	return false;
}

enum user_reads user_reads_judge(FILE *kallsyms, kernel_code_reader read_code)
{
	uint8_t copy[CODE_BYTES_MAX] = {0}, check[CODE_BYTES_MAX] = {0};
	struct functions functions;
	const uint64_t *start = functions.start;
	size_t bytes[2];

	find_functions(kallsyms, &functions);
	if (functions.hidden)
		return USER_READS_UNKNOWN;
	/* Buffers are not checked at all. */
	if (!start[CHECK_BUFFER])
		return USER_READS_SAFE;
	for (int i = COPY_FROM_USER; i <= CHECK_BUFFER; i++) {
		bytes[i] = functions.end[i] - start[i] < CODE_BYTES_MAX ? functions.end[i] - start[i] : CODE_BYTES_MAX;
		if (!start[i] || !functions.end[i] || read_code(start[i], i == CHECK_BUFFER ? check : copy, bytes[i]))
			return USER_READS_UNKNOWN;
	}
	if (calls(copy, bytes[COPY_FROM_USER], start[COPY_FROM_USER], start[NMI_CHECK]))
		return USER_READS_SAFE;
	return calls(check, bytes[CHECK_BUFFER], start[CHECK_BUFFER], start[FIND_AREA]) ||
			       calls(check, bytes[CHECK_BUFFER], start[CHECK_BUFFER], start[FIND_VM_AREA])
		       ? USER_READS_FREEZE
		       : USER_READS_SAFE;
}

/* bpf_probe_read_kernel(code, bytes, address), run once. */
static int read_kernel(uint64_t address, void *code, size_t bytes)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	LIBBPF_OPTS(bpf_test_run_opts, run);
	_cleanup_close_ int map =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "kernel_code", sizeof(uint32_t), CODE_BYTES_MAX, 1, &options);
	struct bpf_insn program[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = (int32_t)bytes},
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_3, .imm = (int32_t)address},
		{.imm = (int32_t)(address >> 32)},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_cleanup_close_ int fd = -1;
	_cleanup_free_ uint8_t *value = malloc(CODE_BYTES_MAX);
	uint32_t zero = 0;

	if (!value)
		return -ENOMEM;
	if (map < 0)
		return -errno;
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", program, ARRAY_LENGTH(program), NULL);
	if (fd < 0 || bpf_prog_test_run_opts(fd, &run) || bpf_map_lookup_elem(map, &zero, value))
		return -errno;
	if (run.retval)
		return -EFAULT;
	memcpy(code, value, bytes);
	return 0;
}

enum user_reads user_reads_probe(void)
{
	_cleanup_fclose_ FILE *kallsyms = fopen("/proc/kallsyms", "re");
	enum user_reads reads = kallsyms ? user_reads_judge(kallsyms, read_kernel) : USER_READS_UNKNOWN;

	log_debug("reading user memory from BPF: %s",
		  (const char *const[]){"safe", "may freeze this kernel", "not known"}[reads]);
	return reads;
}
