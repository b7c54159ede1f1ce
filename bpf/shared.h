/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * shared: the one header that the BPF programs and user space both see.
 *
 * A sample is aggregated in the kernel. Its key is a 128-bit hash over who ran (task, exec generation, cgroup, comm)
 * and both stacks, seeded anew for each recording. The first sample of a key travels through the ring buffer as a
 * struct stack_event with everything that the hash stands for, and counts as one; every further one is an increment
 * of the key's value in the counts map. So nothing is lost when the counts map is full (samples then travel one by
 * one), and kernel memory holds no stacks.
 */
#ifndef STOKER_SHARED_H
#define STOKER_SHARED_H

#ifndef __VMLINUX_H__
#include <stdint.h>
typedef int16_t s16;
typedef int32_t s32;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif

/* Frames of one kind in one sample; the kernel's own limit (kernel.perf_event_max_stack) is 127. */
#define STACK_FRAMES_MAX 127

#define COMM_BYTES 16 /* TASK_COMM_LEN */

/*
 * A cgroup's id: the inode number of its directory, and in the top byte the hierarchy that the number belongs to, as
 * each hierarchy counts for itself.
 */
enum cgroup_hierarchy {
	CGROUP_V2 = 0,
	CGROUP_V1_CPU = 1,
	CGROUP_V1_MEMORY = 2,
	CGROUP_V1_PIDS = 3,
	CGROUP_HIERARCHIES,
};
#define CGROUP_HIERARCHY_SHIFT 56

#define CGROUP_PATH_MAX 512 /* bytes with the NUL; a longer path arrives cut */

enum event_type {
	EVENT_STACK = 1,
	EVENT_CGROUP_MADE = 2,
	EVENT_CGROUP_REMOVED = 3,
	EVENT_CGROUP_RENAMED = 4,
	EVENT_PYTHON_FUNCTION = 6,
};

struct count_key {
	u64 hash[2];
};

/* Calls by number. A number that no kernel has, and those of 32-bit programs, have a place of their own. */
#define CALLS_MAX 512u
#define CALL_32_BIT 511u /* int 0x80, x32 and the like: their numbers mean other calls */
#define CALL_UNKNOWN 510u

/* In place of a cgroup's id: kernel threads, wherever they are; and all those that are too many to be told apart. */
#define CGROUP_KERNEL_THREADS (~0ull)
#define CGROUP_OTHERS (~1ull)

/* Bits of stack_event.flags. From STACK_END_SHIFT on: enum user_end. */
#define STACK_KERNEL_THREAD 1u
#define STACK_GUESSED_BY_FP 2u	/* a step was a guess: by frame pointer where none may be kept, or of that kind */
#define STACK_UNMAPPED 4u	/* the user stack goes through what the process was not known to map */
#define STACK_WALKED_IN_COPY 8u /* walked in user space, and set there */
#define STACK_END_SHIFT 8

/* How the walk of a user stack ended. */
enum user_end {
	USER_END_UNSAID = 0, /* frame pointers alone: they do not say */
	USER_END_COMPLETE,   /* at a function that nobody called */
	USER_END_ASSUMED,    /* without a fault, but not at a known first frame */
	USER_END_DEPTH,	     /* STACK_FRAMES_MAX */
	USER_END_UNREADABLE, /* stack memory that could not be read */
	USER_END_NO_TABLE,   /* at code whose table is not loaded */
	USER_END_LOST,	     /* at a place that cannot be a frame */
	USER_END_RULE,	     /* at a rule that tables do not hold */
	USER_END_UNCOPIED,   /* at its leaf: it was to be walked in user space, and did not get there */
};

/* How the walk of a thread's Python frames ended. */
enum python_end {
	PYTHON_END_NONE = 0,   /* the thread runs no Python, or no version that we know */
	PYTHON_END_COMPLETE,   /* at a frame that no other one called */
	PYTHON_END_DEPTH,      /* STACK_FRAMES_MAX */
	PYTHON_END_UNREADABLE, /* memory of the interpreter that could not be read */
	PYTHON_END_FOREIGN, /* what lies where the thread's state should be is not it (musl's libc, another layout) */
	PYTHON_END_VERSION, /* an interpreter whose layout is not known */
};

/*
 * A Python frame in stack_event.frames: in the low 48 bits what stands for its function, which was told before by a struct
 * python_event. A frame with PYTHON_FRAME_EVALUATED is the innermost of those that one native call of
 * _PyEval_EvalFrameDefault evaluates, unless it is the first of all: then one more call has no Python frame yet.
 */
#define PYTHON_FRAME_EVALUATED (1ull << 63)
#define PYTHON_FUNCTION_BITS 48
#define PYTHON_FUNCTION(word) ((word) & ((1ull << PYTHON_FUNCTION_BITS) - 1))

/*
 * The first sample of a key. Identity of a process: tgid, start and exec generation together; address_space tells
 * whether what /proc shows is still the image that was sampled.
 */
struct stack_event {
	u32 type; /* EVENT_STACK; first in every event */
	u32 set;  /* which of the two counts maps the key lives in */
	struct count_key key;
	u64 cgroup_id;	      /* with its hierarchy in the top byte */
	u64 process_start_ns; /* group leader's start_boottime */
	u64 address_space;    /* mm->start_stack, random for each exec; 0 for kernel threads */
	u32 tgid;	      /* initial pid namespace */
	u32 tid;
	u32 ns_tgid; /* innermost pid namespace */
	u32 pid_namespace;
	u32 exec_generation; /* task->self_exec_id */
	u16 flags;
	u8 kernel_count;
	u8 user_count;
	char comm[COMM_BYTES]; /* the thread's */
	u8 python_count;
	u8 python_end; /* enum python_end */
	u16 pad;
	u32 call; /* the system call that it is in, plus 1 (see CALLS_MAX); 0: in none, or not known */
	/*
	 * Kernel leaf first, then user leaf first, then Python leaf first; sent up to the last one used. All but leaves are return addresses: one
	 * less is the place that called. (Of what a signal interrupted, one more than the place.)
	 */
	u64 frames[3 * STACK_FRAMES_MAX];
};

static inline u32 stack_event_frames(const struct stack_event *event)
{
	return (u32)event->kernel_count + event->user_count + event->python_count;
}

/* Where the structures of one version of CPython have what python.bpf.h reads: offsets in bytes. */
struct python_layout {
	u16 tss_key; /* in _PyRuntime: autoTSSkey */
	/* In PyThreadState: where the innermost frame is, or, before 3.13, the C frame that has it at cframe_frame. */
	u16 thread_frame, thread_id;
	u16 cframe_frame;
	u16 by_cframe; /* 0 or 1 */
	/* In _PyInterpreterFrame. */
	u16 code, previous;
	u16 owner;    /* FRAME_OWNED_BY_CSTACK marks a frame that stands for a native call; 0: there are none … */
	u16 is_entry; /* … and the outermost frame of a native call says so itself */
	u16 first_line, file, name; /* in PyCodeObject: co_firstlineno, co_filename, co_qualname */
	u16 ascii, not_ascii;	    /* where a str's characters begin */
};

/* To be added to PYTHON_FUNCTION() for a number that tells a function from those of other processes. */
static inline u64 python_process_number(u32 tgid, u32 exec_generation, u64 process_start_ns)
{
	u64 process = ((u64)tgid << 32 | exec_generation) * 0x9e3779b97f4a7c15ull ^ process_start_ns;

	return (process ^ process >> 29) * 0xd6e8feb86659fd93ull;
}

#define PYTHON_FUNCTIONS_MAX 16384u /* whose names programs remember to have sent */
#define PYTHON_TEXT_BYTES 256u

/* A str object's characters, or some of them: of a name the first, of a path the last. */
struct python_text {
	u16 bytes;
	u8 width; /* of a character, in bytes: 1 (Latin-1), 2 or 4; 0: it was no text */
	u8 pad[5];
	u8 at[PYTHON_TEXT_BYTES];
};

/* What a Python function is called. As the interpreter's memory has it: it may say anything. */
struct python_event {
	u32 type;		 /* EVENT_PYTHON_FUNCTION */
	u32 line;		 /* its first */
	u64 number;		 /* python_process_number() + PYTHON_FUNCTION() */
	struct python_text name; /* co_qualname */
	struct python_text file; /* co_filename */
};

/* What a process is while neither its start nor its stack's place changes: within execve(2) the latter does. */
static inline u64 process_image(u64 start_ns, u64 address_space)
{
	return start_ns ^ address_space;
}

struct cgroup_event {
	u32 type;
	u32 path_bytes; /* with the NUL */
	u64 cgroup_id;
	u64 parent_id;
	char path[CGROUP_PATH_MAX]; /* below its hierarchy's root */
};

/*
 * Tables for walking user stacks without frame pointers. From an address to the rule that leads to its caller:
 * process, mapping, file, page, row, rule. User space writes them while programs read: what is in use is first made
 * unreachable, and used again once all programs that may have seen it have ended.
 *
 * Numbers are bounded by masks: sizes are powers of two.
 */
#define WALK_MAPPINGS_MAX 65536u /* of all processes */
#define WALK_FILES_MAX 4096u
#define WALK_PAGES_MAX 262144u /* 1 GiB of code */
#define WALK_PAGE_SHIFT 12
#define WALK_PAGE_BYTES (1u << WALK_PAGE_SHIFT)
#define WALK_RULES_MAX 262144u	 /* of all files */
#define WALK_SEGMENT_ROWS 65536u /* rows lie in segments, a page's rows in one of them */
#define WALK_SEGMENTS_MAX 4096u	 /* 1 GiB of rows; as many as fit the budget are made */
#define WALK_PROCESSES_MAX 16384u
#define WALK_PROCESS_MAPPINGS_SHIFT 11
#define WALK_PROCESS_MAPPINGS_MAX (1u << WALK_PROCESS_MAPPINGS_SHIFT)

/*
 * A process's mappings are numbered first + 1 … first + count, sorted and not overlapping. Forks share them. What stands at
 * number first itself is empty and starts at the generation: so it shows whether the others are still those that were meant.
 */
struct walk_process {
	u32 first;
	u16 count;
	u16 python; /* which of them is code of an interpreter of CPython, from 1 on; 0: none is known */
	u64 generation;
};

enum walk_mapping_kind {
	WALK_FILE = 0,
	WALK_JIT = 1, /* anonymous memory */
};

struct walk_mapping {
	u64 start, end;
	u64 bias; /* of addresses in memory over offsets in the file */
	u32 file;
	u32 kind; /* enum walk_mapping_kind */
};

enum walk_file_state {
	WALK_FILE_UNREAD = 0,
	WALK_FILE_READY = 1,
	WALK_FILE_FRAME_POINTERS = 2, /* ready; code without rows keeps frame pointers (Go) */
};

struct walk_file {
	u32 state;	/* enum walk_file_state; written last */
	u32 first_rule; /* rules of its rows count from here */
	u64 base;	/* offset in the file of its first page of code, in pages */
	u32 first_page; /* the same in the table of pages */
	u32 page_count;
	u32 used; /* walk_files.epoch when a walk last asked; set by programs */
	/* Of an interpreter, as struct python_runtime of symbolizer/python_runtime.h has them; the version is written last. */
	u32 python_version;
	u64 python_place;
};

struct walk_page {
	u32 first; /* row; its segment is first / WALK_SEGMENT_ROWS */
	u32 count; /* 0: nothing is known of the page */
};

/* As struct unwind_row and struct unwind_rule of symbolizer/unwind_rows.h, whose values these are too. */
struct walk_row {
	u16 low;
	u16 rule;
};

enum walk_cfa {
	WALK_GAP = 0,
	WALK_SP,
	WALK_FP,
	WALK_SP_DEREF,
	WALK_FP_DEREF,
	WALK_PLT,
	WALK_REGISTER,
	WALK_SIGNAL,
	WALK_END,
	WALK_UNSUPPORTED,
	WALK_SP_INDEXED,
	WALK_GOROUTINE,
	WALK_FP_ELSEWHERE,
};

/* As UNWIND_GO_…. */
#define WALK_GO_TLS_SHIFT 16
#define WALK_GO_G_M 0x30
#define WALK_GO_G_SP 0x38

/* Beside enum walk_cfa, where a file has no rule. */
enum walk_no_rule {
	WALK_NO_TABLE = 0x80,
	WALK_FRAME_POINTER = 0x81, /* there is none, and frame pointers are kept */
	WALK_JIT_FRAME = 0x82,	   /* the same in code made at run time */
	WALK_UNMAPPED = 0x83,	   /* no code is known to lie there */
};

enum walk_fp {
	WALK_FP_SAME = 0,
	WALK_FP_AT_CFA,
	WALK_FP_AT_FP,
	WALK_FP_LOST,
};

struct walk_rule {
	u8 cfa; /* enum walk_cfa */
	u8 fp;	/* enum walk_fp in the low four bits, a register's number in the high ones */
	s16 fp_offset;
	s32 cfa_offset;
};

struct walk_mappings {
	struct walk_mapping at[WALK_MAPPINGS_MAX];
};
struct walk_files {
	struct walk_file at[WALK_FILES_MAX];
	u32 epoch; /* counts up every now and then */
};
struct walk_pages {
	struct walk_page at[WALK_PAGES_MAX];
};
struct walk_rules {
	struct walk_rule at[WALK_RULES_MAX];
};
struct walk_segment {
	struct walk_row at[WALK_SEGMENT_ROWS];
};

/* Every timer tick ends in one of these. taken = hits + sent + filtered + lost_ring, exactly. */
struct tick_counters {
	u64 idle;      /* no task on the CPU */
	u64 taken;     /* a task was there */
	u64 filtered;  /* not a wanted process or container */
	u64 hits;      /* key known: counted in the kernel */
	u64 sent;      /* key new, or counts map full: travelled whole */
	u64 lost_ring; /* ring buffer full */
	u64 unstored;  /* of sent: the counts map took no new key */
};

#endif
