/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/walk_programs.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "symbolizer/base/log.h"

#include "stoker.skel.h"

#define LEARNING_TRIES 100

/* Before 5.15 the place of a task's user registers is to be learned. */
static bool must_learn(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_task_pt_regs, NULL) != 1;
}

void walk_programs_configure(struct stoker_bpf *skeleton, bool by_tables)
{
	skeleton->rodata->walk_by_tables = by_tables;
	bpf_program__set_autoload(skeleton->progs.walk_process_forked, by_tables);
	bpf_program__set_autoload(skeleton->progs.walk_process_exited, by_tables);
	bpf_program__set_autoload(skeleton->progs.learn_user_registers, must_learn());
}

/* Any system call tells: ours do. */
static int learn(struct stoker_bpf *skeleton)
{
	struct bpf_link *link = bpf_program__attach(skeleton->progs.learn_user_registers);

	if (!link)
		return -errno;
	for (int i = 0; i < LEARNING_TRIES && !skeleton->bss->user_registers_offset; i++)
		syscall(SYS_getppid);
	log_debug("user registers %#llx bytes into a kernel stack",
		  (unsigned long long)skeleton->bss->user_registers_offset);
	bpf_link__destroy(link);
	return 0;
}

int walk_programs_attach(struct walk_programs *programs, struct stoker_bpf *skeleton, bool by_tables)
{
	int err = bpf_program__fd(skeleton->progs.learn_user_registers) >= 0 ? learn(skeleton) : 0;

	if (err || !by_tables)
		return err;
	programs->forked = bpf_program__attach(skeleton->progs.walk_process_forked);
	if (!programs->forked)
		return -errno;
	programs->exited = bpf_program__attach(skeleton->progs.walk_process_exited);
	return programs->exited ? 0 : -errno;
}

void walk_programs_detach(struct walk_programs *programs)
{
	bpf_link__destroy(programs->forked);
	bpf_link__destroy(programs->exited);
	*programs = (struct walk_programs){0};
}

struct walk_map_fds walk_programs_maps(const struct stoker_bpf *skeleton)
{
	return (struct walk_map_fds){
		.processes = bpf_map__fd(skeleton->maps.walk_processes),
		.mappings = bpf_map__fd(skeleton->maps.walk_mappings),
		.files = bpf_map__fd(skeleton->maps.walk_files),
		.pages = bpf_map__fd(skeleton->maps.walk_pages),
		.rules = bpf_map__fd(skeleton->maps.walk_rules),
		.segments = bpf_map__fd(skeleton->maps.walk_segments),
	};
}
