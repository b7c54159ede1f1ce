/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/profile/kernel_entry.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "symbolizer/base/array.h"

/* Lists end with NULL; a name that ends in '*' stands for all that begin so. */
static bool is_listed(const char *name, const char *const *list)
{
	for (; *list; list++) {
		size_t length = strlen(*list);

		if ((*list)[length - 1] == '*' ? !strncmp(name, *list, length - 1) : !strcmp(name, *list))
			return true;
	}
	return false;
}

/* A softirq that runs at a system call's end is that call's work; one on an interrupt's end has these above it. */
static const char *const interrupts[] = {
	"asm_sysvec_*",
	"asm_common_interrupt",
	"asm_exc_nmi",
	"common_interrupt",
	"sysvec_*",
	"exc_nmi",
	"el1h_64_irq*",
	"el0t_64_irq*",
	"el1_interrupt",
	"el0_interrupt",
	"el1_irq",
	"el0_irq",
	"ret_from_intr",
	"gic_handle_irq",
	NULL,
};

static const char *const sampling[] = {
	"perf_swevent_*", "perf_event_*", "__perf_event_*", "bpf_overflow_handler", "bpf_prog_*",
	"bpf_get_stack*", NULL,
};

/* net/core/filter.c and others have functions that begin with bpf_prog_ as well: a program has its tag behind that. */
#define PROGRAM_PREFIX "bpf_prog_"
#define PROGRAM_TAG_CHARACTERS 16

static const char *const tracing[] = {
	"bpf_trace_run*",
	"__bpf_trace_*",
	"__traceiter_*",
	"bpf_trampoline_*",
	"__bpf_prog_enter*",
	"__bpf_prog_exit*",
	NULL,
};

static const char *const page_faults[] = {
	"asm_exc_page_fault",
	"exc_page_fault",
	"do_user_addr_fault",
	"do_page_fault",
	"do_translation_fault",
	"do_mem_abort",
	"el0_da",
	"el0_ia",
	"handle_mm_fault",
	NULL,
};

/* On the way to a system call's own function. */
static const char *const gates[] = {
	"entry_SYSCALL_64*",
	"entry_SYSENTER_*",
	"entry_INT80_*",
	"entry_SYSCALL_compat*",
	"do_syscall_64",
	"x64_sys_call",
	"ia32_sys_call",
	"x32_sys_call",
	"do_int80_*",
	"do_fast_syscall_32",
	"__do_fast_syscall_32",
	"do_SYSENTER_32",
	"el0t_64_sync*",
	"el0_svc*",
	"do_el0_svc*",
	"invoke_syscall",
	"el0t_32_sync*",
	"ret_from_fork*",
	NULL,
};

/* What stands for returns and calls by pointer, for the sake of processors that guess too much. */
static const char *const thunks[] = {
	"srso_*", "__x86_return_thunk", "__x86_indirect_thunk*", "retbleed_return_thunk", "its_return_thunk", NULL,
};

static const char *const threads[] = {"kthread", NULL};
static const char *const exceptions[] = {"asm_exc_*", "exc_*", NULL};

static const char *const leaving[] = {
	"syscall_exit_to_user_mode*", "exit_to_user_mode_*", "syscall_trace_*", "syscall_enter_*", "syscall_exit_*",
	"__syscall_exit_*",	      "irqentry_*",	     "trace_sys_*",	"arch_exit_*",	   NULL,
};

/* What a leaf may be without saying anything of what is done. */
static const char *const quiet[] = {
	"_raw_spin_unlock*", "_raw_read_unlock*", "_raw_write_unlock*",	 "finish_task_switch*",
	"__cond_resched",    "_cond_resched",	  "rcu_read_unlock*",	 "__rcu_read_*",
	"preempt_count_*",   "preempt_schedule*", "__x64_sys_*",	 "__ia32_sys_*",
	"__arm64_sys_*",     "__se_sys_*",	  "__do_sys_*",		 "__fentry__",
	"ftrace_*",	     "irq_exit_rcu",	  "__irq_exit_rcu",	 "handle_softirqs",
	"__do_softirq",	     "do_softirq*",	  "__local_bh_enable_*", NULL,
};

static const char *const call_prefixes[] = {
	"__x64_sys_",
	"__ia32_sys_",
	"__ia32_compat_sys_",
	"__x32_compat_sys_",
	"__arm64_sys_",
	"__arm64_compat_sys_",
	"__riscv_sys_",
	"__se_sys_",
	"__se_compat_sys_",
	"__do_sys_",
	"__do_compat_sys_",
	"ksys_",
	"compat_ksys_",
	"do_sys_",
	"__sys_",
	"sys_",
};

/*
 * Where the call's own function was left out (it ends in a jump to these), their names are not the call's. Some calls' own functions
 * have others than people, strace(1) and `stoker syscalls` know them by.
 */
static const struct {
	const char *function, *call;
} known_calls[] = {
	{"do_arch_prctl_64", "arch_prctl"},
	{"do_epoll_ctl", "epoll_ctl"},
	{"do_epoll_wait", "epoll_wait"},
	{"do_exit", "exit"},
	{"do_faccessat", "faccessat"},
	{"do_fsync", "fsync"},
	{"do_futex", "futex"},
	{"do_group_exit", "exit_group"},
	{"do_mkdirat", "mkdirat"},
	{"do_poll", "poll"},
	{"do_readlinkat", "readlinkat"},
	{"do_readv", "readv"},
	{"do_renameat2", "renameat2"},
	{"do_rmdir", "rmdir"},
	{"do_seccomp", "seccomp"},
	{"do_sendfile", "sendfile"},
	{"do_unlinkat", "unlinkat"},
	{"do_writev", "writev"},
	{"fadvise64_64", "fadvise64"},
	{"kernel_clone", "clone"},
	{"kernel_wait4", "wait4"},
	{"mmap_pgoff", "mmap"},
	{"newfstat", "fstat"},
	{"newlstat", "lstat"},
	{"newstat", "stat"},
	{"newuname", "uname"},
	{"openat2", "openat"},
	{"sendfile64", "sendfile"},
	{"umount", "umount2"},
	{"vfs_fstatat", "newfstatat"},
	{"vfs_statx", "newfstatat"},
	{"vm_mmap_pgoff", "mmap"},
};

static void copy_name(char *to, const char *from, size_t length)
{
	if (length >= KERNEL_NAME_BYTES)
		length = KERNEL_NAME_BYTES - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

/* "find_lock_entries.isra.0" is find_lock_entries to whoever reads its source. Reasons keep their dots. */
static void copy_function(char *to, const char *from)
{
	copy_name(to, from, *from == '[' || *from == '.' ? strlen(from) : strcspn(from, "."));
}

static void name_call(struct kernel_entry *entry, const char *function)
{
	char bare[KERNEL_NAME_BYTES];
	const char *name = bare;

	entry->kind = KERNEL_ENTRY_SYSTEM_CALL;
	if (is_listed(function, leaving)) {
		snprintf(entry->name, sizeof(entry->name), "system call entry and exit");
		return;
	}
	copy_function(bare, function);
	for (size_t i = 0; i < ARRAY_LENGTH(call_prefixes); i++) {
		size_t length = strlen(call_prefixes[i]);

		if (!strncmp(bare, call_prefixes[i], length) && bare[length]) {
			name = bare + length;
			break;
		}
	}
	for (size_t i = 0; i < ARRAY_LENGTH(known_calls); i++)
		if (!strcmp(name, known_calls[i].function))
			name = known_calls[i].call;
	copy_name(entry->name, name, strlen(name));
}

static void set(struct kernel_entry *entry, enum kernel_entry_kind kind, const char *name)
{
	entry->kind = kind;
	copy_name(entry->name, name, strlen(name));
}

/* From the root towards the leaf: the first frame that says why. */
static void find_entry(const char *const *names, size_t count, struct kernel_entry *entry)
{
	bool in_call = false;

	for (size_t i = count; i-- > 0;) {
		const char *name = names[i];

		if (is_listed(name, thunks))
			continue;
		if (is_listed(name, gates)) {
			in_call = in_call || strncmp(name, "ret_from_fork", 13) != 0;
		} else if (is_listed(name, page_faults)) {
			set(entry, KERNEL_ENTRY_PAGE_FAULT, "page faults");
			return;
		} else if (is_listed(name, threads)) {
			set(entry, KERNEL_ENTRY_THREAD, "kernel threads");
			return;
		} else if (is_listed(name, exceptions)) {
			set(entry, KERNEL_ENTRY_OTHER, "exceptions");
			return;
		} else if (in_call || !strncmp(name, "__x64_sys_", 10) || !strncmp(name, "__ia32_", 7) ||
			   !strncmp(name, "__arm64_", 8)) {
			name_call(entry, name);
			return;
		}
	}
	if (in_call)
		name_call(entry, "syscall_exit_to_user_mode");
	else
		set(entry, KERNEL_ENTRY_OTHER, "other");
}

static bool says_nothing(const char *name)
{
	return is_listed(name, quiet) || is_listed(name, gates) || is_listed(name, leaving) ||
	       is_listed(name, interrupts) || is_listed(name, thunks);
}

/*
 * Where the sampled code begins, and whether it is an interrupt's. Frames of an interrupt that samples are ours, and
 * those of one that has not begun its work, or has ended it, are a tick that came late: what it came upon is the sample.
 */
static size_t skip_ticks(const char *const *names, size_t count, bool *ret_interrupt)
{
	size_t first = 0;
	bool own = false, works = false;

	*ret_interrupt = false;
	for (size_t at = 0; at < count; at++) {
		own = own || is_listed(names[at], sampling);
		works = works || !says_nothing(names[at]);
		if (!is_listed(names[at], interrupts))
			continue;
		if (works && !own) {
			*ret_interrupt = true;
			return first;
		}
		first = at + 1;
		/* sysvec_x is called by asm_sysvec_x: one interrupt. */
		works = works && at + 1 < count && is_listed(names[at + 1], interrupts);
		own = works;
	}
	return first;
}

/* The first frame that counts, and whether it is an interrupt's. */
static size_t find_first(const char *const *names, size_t count, bool *ret_interrupt)
{
	size_t first = skip_ticks(names, count, ret_interrupt);

	/* Interrupted in user space: the little that there is was the interrupt's, but for the sampling itself. */
	if (first && first == count && !is_listed(names[0], sampling)) {
		*ret_interrupt = true;
		first = 0;
	}
	return first;
}

size_t kernel_entry_interrupt_frames(const char *const *names, size_t count)
{
	bool interrupt;
	size_t at = find_first(names, count, &interrupt);

	if (!interrupt)
		return 0;
	while (at < count && !is_listed(names[at], interrupts))
		at++;
	/* sysvec_x is called by asm_sysvec_x. */
	while (at < count && is_listed(names[at], interrupts))
		at++;
	return at;
}

const char *kernel_entry_program_name(const char *name)
{
	const char *tag = name + strlen(PROGRAM_PREFIX);

	if (strncmp(name, PROGRAM_PREFIX, strlen(PROGRAM_PREFIX)) != 0 ||
	    strspn(tag, "0123456789abcdef") != PROGRAM_TAG_CHARACTERS || tag[PROGRAM_TAG_CHARACTERS] != '_' ||
	    !tag[PROGRAM_TAG_CHARACTERS + 1])
		return name;
	return tag + PROGRAM_TAG_CHARACTERS + 1;
}

bool kernel_entry_is_tracing(const char *const *names, size_t count)
{
	bool interrupt;
	size_t first = find_first(names, count, &interrupt);

	for (size_t i = first; i < count; i++)
		if (is_listed(names[i], tracing) || kernel_entry_program_name(names[i]) != names[i])
			return true;
	return false;
}

void kernel_entry_find(const char *const *names, size_t count, struct kernel_entry *ret_entry)
{
	struct kernel_entry entry = {.kind = KERNEL_ENTRY_NONE};
	bool interrupt;
	size_t first = find_first(names, count, &interrupt), at;

	if (first < count) {
		if (interrupt)
			set(&entry, KERNEL_ENTRY_INTERRUPT, "interrupts");
		else
			find_entry(names + first, count - first, &entry);
		for (at = first; at + 1 < count && says_nothing(names[at]);)
			at++;
		/* Nothing but such frames: then the leaf, as it is. */
		copy_function(entry.function, says_nothing(names[at]) ? names[first] : names[at]);
	}
	*ret_entry = entry;
}

size_t kernel_entry_names(const struct profile *profile, uint32_t stack, const char **ret_names, size_t max)
{
	const struct recording_tables *rows = &profile->rows;
	size_t count = 0;

	for (; stack != RECORDING_STACK_ROOT && count < max; stack = rows->stacks.items[stack].parent) {
		const struct recording_frame *frame = &rows->frames.items[rows->stacks.items[stack].frame];

		if (frame->kind != FRAME_KERNEL)
			break;
		ret_names[count++] = string_table_text(&rows->strings, frame->name);
	}
	return count;
}
