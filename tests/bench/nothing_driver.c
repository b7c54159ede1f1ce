/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nothing_driver [-c] TRACEPOINT…: a BPF program that does nothing at each of these (sys_exit, sched_switch …), until a signal.
 * With -c it reads the clock, and does nothing with it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

int main(int argc, char **argv)
{
	const struct bpf_insn clock_then_nothing[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int first = argc > 1 && !strcmp(argv[1], "-c") ? 0 : 1;
	int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "nothing", "GPL", clock_then_nothing + first,
				    (size_t)(3 - first), NULL);

	for (int i = 2 - first; i < argc; i++) {
		if (program < 0 || bpf_raw_tracepoint_open(argv[i], program) < 0) {
			perror(argv[i]);
			return 1;
		}
	}
	pause();
	return 0;
}
