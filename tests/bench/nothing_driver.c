/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nothing_driver TRACEPOINT…: a BPF program that does nothing at each of these (sys_exit, sched_switch …), until a signal.
 */
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

int main(int argc, char **argv)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "nothing", "GPL", nothing, 2, NULL);

	for (int i = 1; i < argc; i++) {
		if (program < 0 || bpf_raw_tracepoint_open(argv[i], program) < 0) {
			perror(argv[i]);
			return 1;
		}
	}
	pause();
	return 0;
}
