/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * python: the Python frames of the current thread, read from CPython's own structures (3.11 to 3.13).
 *
 * From the runtime's key of thread-local storage to the thread's state, from there along the chain of frames. Not by
 * tstate_current: while the GIL is released that is another thread's. All of it is the process's memory, which may say
 * anything: each read may fail, and no chain is longer than STACK_FRAMES_MAX.
 *
 * A function is known by its code object: its address, and because that is used again what lies in it. Names are read only
 * for stacks that were not seen before.
 *
 * Layouts: Include/internal/pycore_frame.h, pycore_runtime.h, Include/cpython/code.h, pystate.h and unicodeobject.h of each
 * version; from 3.13 on the same numbers lie at the start of _PyRuntime. What is particular to glibc on x86-64: where
 * pthread_getspecific(3) looks (nptl/descr.h).
 */
#ifndef STOKER_PYTHON_BPF_H
#define STOKER_PYTHON_BPF_H

#include "bpf/stack_hash.bpf.h"
#include "bpf/walk.bpf.h"

#define PYTHON_FIRST 0x030b /* struct python_runtime's versions */
#define PYTHON_VERSIONS 3
#define PYTHON_LAYOUTS 4 /* a power of two: the verifier follows a mask where it loses a comparison */

#define TSS_FIRST_BLOCK 0x310 /* struct pthread.specific_1stblock; pairs of sequence number and value */
#define TSS_BLOCKS 0x510      /* struct pthread.specific */
#define TSS_BLOCK_KEYS 32

/* PyThreadState from PYTHON_THREAD_FROM on, _PyInterpreterFrame from its start, PyCodeObject from PYTHON_CODE_FROM on. */
#define PYTHON_THREAD_FROM 56
#define PYTHON_CODE_FROM 64
#define PYTHON_WORDS 16 /* a power of two */
#define PYTHON_THREAD_BYTES 104
#define PYTHON_FRAME_BYTES 72
#define PYTHON_CODE_BYTES 80

#define FRAME_OWNED_BY_CSTACK 3

/* Of all objects one copy, as libbpf 1.1 links static ones wrongly: so user space sees it too. */
const volatile struct python_layout python_layouts[PYTHON_LAYOUTS] __weak = {
	{.tss_key = 592,
	 .thread_frame = 56,
	 .thread_id = 152,
	 .by_cframe = 1,
	 .cframe_frame = 8,
	 .code = 32,
	 .previous = 48,
	 .is_entry = 68,
	 .first_line = 72,
	 .file = 112,
	 .name = 128,
	 .ascii = 48,
	 .not_ascii = 72},
	{.tss_key = 1544,
	 .thread_frame = 56,
	 .thread_id = 136,
	 .by_cframe = 1,
	 .cframe_frame = 0,
	 .code = 0,
	 .previous = 8,
	 .owner = 70,
	 .first_line = 68,
	 .file = 112,
	 .name = 128,
	 .ascii = 40,
	 .not_ascii = 56},
	{.tss_key = 2160,
	 .thread_frame = 72,
	 .thread_id = 152,
	 .code = 0,
	 .previous = 8,
	 .owner = 70,
	 .first_line = 68,
	 .file = 112,
	 .name = 128,
	 .ascii = 40,
	 .not_ascii = 56},
};

struct python_walk {
	u32 version;   /* index of python_layouts */
	u32 count;     /* of frames, for the verifier's sake */
	u32 end;       /* enum python_end */
	u64 evaluated; /* PYTHON_FRAME_EVALUATED where the next frame is the innermost of a native call */
	u64 frame;     /* user address of the next frame; 0: there is none */
	u64 words[PYTHON_WORDS];
	struct {
		u64 code;		   /* user address of the code object */
		u64 function;		   /* PYTHON_FUNCTION() */
	} functions[STACK_FRAMES_MAX + 1]; /* of the frames that were walked last */
};

/* Beside walks. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALKS_NESTED_MAX);
	__type(key, u32);
	__type(value, struct python_walk);
} python_walks __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALKS_NESTED_MAX);
	__type(key, u32);
	__type(value, struct python_event);
} python_events __weak SEC(".maps");

/* Functions whose names were sent. Emptied by user space: then they come again. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PYTHON_FUNCTIONS_MAX);
	__type(key, u64); /* struct python_event.number */
	__type(value, u8);
} python_functions __weak SEC(".maps");

/* Set by user space: else it alone does, as it has got them (sampler.c: hashes_stand_interrupts()). */
const volatile bool note_python_functions __weak = false;

static __always_inline const volatile struct python_layout *python_layout_of(u32 version)
{
	return &python_layouts[version & (PYTHON_LAYOUTS - 1)];
}

/* A word or a byte of what was read into words. */
static __always_inline u64 python_word(const struct python_walk *python, u32 offset)
{
	return python->words[offset / sizeof(u64) % PYTHON_WORDS];
}

static __always_inline u32 python_half(const struct python_walk *python, u32 offset)
{
	return python_word(python, offset) >> (offset % sizeof(u64) * 8);
}

/* What pthread_getspecific(3) gives the current thread for a key. */
static __always_inline bool read_tss(u64 thread, u32 key, u64 *ret)
{
	u64 block = thread + TSS_FIRST_BLOCK;

	if (key >= TSS_BLOCK_KEYS &&
	    bpf_probe_read_user(&block, sizeof(block),
				(void *)(thread + TSS_BLOCKS + key / TSS_BLOCK_KEYS * sizeof(u64))))
		return false;
	return !bpf_probe_read_user(ret, sizeof(*ret), (void *)(block + key % TSS_BLOCK_KEYS * 16 + sizeof(u64)));
}

/* Where the process has _PyRuntime; 0: not known any more. */
static __always_inline u64 find_runtime(const struct walk_process *process, u32 *ret_version)
{
	const struct walk_mapping *mapping;
	struct walk_mappings *mappings;
	const struct walk_file *file;
	struct walk_files *files;
	u32 zero = 0;

	mappings = bpf_map_lookup_elem(&walk_mappings, &zero);
	files = bpf_map_lookup_elem(&walk_files, &zero);
	if (!mappings || !files)
		return 0;
	if (mappings->at[process->first & (WALK_MAPPINGS_MAX - 1)].start != process->generation)
		return 0;
	mapping = &mappings->at[(process->first + process->python) & (WALK_MAPPINGS_MAX - 1)];
	file = &files->at[mapping->file & (WALK_FILES_MAX - 1)];
	*ret_version = file->python_version - PYTHON_FIRST;
	return mapping->bias + file->python_place;
}

/* Has the thread's innermost frame; its state says that it is this thread's. */
static __always_inline enum python_end find_frame(struct python_walk *python, u64 runtime)
{
	const volatile struct python_layout *layout = python_layout_of(python->version);
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u64 thread = BPF_CORE_READ(task, thread.fsbase), state = 0;
	struct {
		s32 made;
		u32 key;
	} tss;

	if (python->version >= PYTHON_VERSIONS)
		return PYTHON_END_VERSION;
	if (bpf_probe_read_user(&tss, sizeof(tss), (void *)(runtime + layout->tss_key)))
		return PYTHON_END_UNREADABLE;
	/* An interpreter that has not begun yet, or a thread that it does not know. */
	if (!tss.made || !read_tss(thread, tss.key, &state) || !state)
		return PYTHON_END_NONE;
	if (bpf_probe_read_user(python->words, PYTHON_THREAD_BYTES, (void *)(state + PYTHON_THREAD_FROM)) ||
	    python_word(python, layout->thread_id - PYTHON_THREAD_FROM) != thread)
		return PYTHON_END_FOREIGN;
	python->frame = python_word(python, layout->thread_frame - PYTHON_THREAD_FROM);
	if (layout->by_cframe &&
	    bpf_probe_read_user(&python->frame, sizeof(python->frame), (void *)(python->frame + layout->cframe_frame)))
		return PYTHON_END_UNREADABLE;
	return python->frame ? PYTHON_END_COMPLETE : PYTHON_END_NONE;
}

/* Returns enum python_end: PYTHON_END_COMPLETE where there is a frame. */
__weak __noinline u32 python_begin(u32 level)
{
	struct python_walk *python = bpf_map_lookup_elem(&python_walks, &level);
	struct walk *walk = bpf_map_lookup_elem(&walks, &level);
	u64 runtime;

	if (!python || !walk)
		return PYTHON_END_NONE;
	python->evaluated = 0;
	python->count = 0;
	runtime = find_runtime(&walk->process, &python->version);
	return runtime ? find_frame(python, runtime) : PYTHON_END_NONE;
}

/* The code object of the next frame that has one, past the one frame that stands for a native call; 0 at an end. */
static __always_inline u64 next_code(struct python_walk *python, const volatile struct python_layout *layout)
{
	u64 at;

	for (int i = 0; i < 2; i++) {
		at = python->frame;
		if (!at) {
			python->end = PYTHON_END_COMPLETE;
			return 0;
		}
		if (bpf_probe_read_user(python->words, PYTHON_FRAME_BYTES, (void *)at))
			break;
		python->frame = python_word(python, layout->previous);
		if (!layout->owner || (u8)python_half(python, layout->owner) != FRAME_OWNED_BY_CSTACK)
			return python_word(python, layout->code);
		python->evaluated = PYTHON_FRAME_EVALUATED;
	}
	python->end = PYTHON_END_UNREADABLE;
	return 0;
}

/* From frame to frame: what stands for the next one in stack_event.frames; 0 at an end. */
__weak __noinline u64 python_step(u32 level)
{
	struct python_walk *python = bpf_map_lookup_elem(&python_walks, &level);
	const volatile struct python_layout *layout;
	struct count_key key = {.hash = {hash_seed[0], hash_seed[1]}};
	u64 code, evaluated, word;
	bool is_entry;
	u32 at;

	if (!python)
		return 0;
	layout = python_layout_of(python->version);
	code = next_code(python, layout);
	if (!code)
		return 0;
	evaluated = python->evaluated;
	is_entry = layout->is_entry && (u8)python_half(python, layout->is_entry);
	python->evaluated = is_entry ? PYTHON_FRAME_EVALUATED : 0;
	if (bpf_probe_read_user(python->words, PYTHON_CODE_BYTES, (void *)(code + PYTHON_CODE_FROM))) {
		python->end = PYTHON_END_UNREADABLE;
		return 0;
	}
	mix(&key, code);
	mix(&key, python_word(python, layout->file - PYTHON_CODE_FROM));
	mix(&key, python_word(python, layout->name - PYTHON_CODE_FROM));
	mix(&key, python_half(python, layout->first_line - PYTHON_CODE_FROM));
	word = PYTHON_FUNCTION(key.hash[0]) | 1; /* never 0 */
	at = python->count++ & STACK_FRAMES_MAX;
	python->functions[at].code = code;
	python->functions[at].function = word;
	return evaluated | word;
}

/**
 * walk_python_stack() - the current thread's Python frames
 * @level: of a walk_user_stack() that went by tables
 * @frames: [STACK_FRAMES_MAX], leaf first
 * @ret_end: enum python_end
 * Returns how many frames were stored.
 */
static __always_inline u32 walk_python_stack(u32 level, u64 *frames, u8 *ret_end)
{
	struct python_walk *python = bpf_map_lookup_elem(&python_walks, &level);
	u32 count, end = python_begin(level);
	u64 word;

	*ret_end = end;
	if (!python || end != PYTHON_END_COMPLETE)
		return 0;
	python->end = PYTHON_END_DEPTH;
	for (count = 0; count < STACK_FRAMES_MAX; count++) {
		word = python_step(level);
		if (!word)
			break;
		frames[count] = word;
	}
	*ret_end = python->end;
	/* Whether there is one more was not looked at. */
	if (count == STACK_FRAMES_MAX && !python->frame)
		*ret_end = PYTHON_END_COMPLETE;
	return *(volatile u32 *)&python->count & STACK_FRAMES_MAX;
}

/* @from_end: of a text that is too long the last characters, else the first. */
static __always_inline void read_python_text(u64 object, const volatile struct python_layout *layout, bool from_end,
					     struct python_text *text)
{
	struct {
		u64 length;
		s64 hash;
		u32 state; /* interned: 2 bits, kind: 3, compact: 1, ascii: 1 */
	} head;
	u64 characters, from;
	u32 shift, bytes;

	text->width = 0;
	text->bytes = 0;
	if (bpf_probe_read_user(&head, sizeof(head), (void *)(object + 16)) || !(head.state & 1 << 5))
		return;
	text->width = head.state >> 2 & 7;
	shift = text->width >> 1;
	if (shift > 2 || text->width != 1 << shift) {
		text->width = 0;
		return;
	}
	characters = head.length < PYTHON_TEXT_BYTES >> shift ? head.length : PYTHON_TEXT_BYTES >> shift;
	from = object + (head.state & 1 << 6 ? layout->ascii : layout->not_ascii);
	from += from_end ? (head.length - characters) << shift : 0;
	bytes = (u32)(characters << shift) & (2 * PYTHON_TEXT_BYTES - 1);
	if (bytes > PYTHON_TEXT_BYTES || bpf_probe_read_user(text->at, bytes, (void *)from)) {
		text->width = 0;
		return;
	}
	text->bytes = bytes;
}

/* Fills in a python_event. False where the code object is not there any more. */
static __always_inline bool describe_function(struct python_walk *python, u64 code, struct python_event *event)
{
	const volatile struct python_layout *layout = python_layout_of(python->version);

	if (bpf_probe_read_user(python->words, PYTHON_CODE_BYTES, (void *)(code + PYTHON_CODE_FROM)))
		return false;
	event->type = EVENT_PYTHON_FUNCTION;
	event->line = python_half(python, layout->first_line - PYTHON_CODE_FROM);
	read_python_text(python_word(python, layout->name - PYTHON_CODE_FROM), layout, false, &event->name);
	read_python_text(python_word(python, layout->file - PYTHON_CODE_FROM), layout, true, &event->file);
	return true;
}

/* The name of one frame's function, where it was not sent yet. Of the frames that were walked last. */
__weak __noinline int python_send_function(u32 level, u32 frame, u64 process_number)
{
	struct python_walk *python = bpf_map_lookup_elem(&python_walks, &level);
	struct python_event *event = bpf_map_lookup_elem(&python_events, &level);
	u64 number;
	u8 yes = 1;

	if (!python || !event)
		return 0;
	frame &= STACK_FRAMES_MAX;
	number = process_number + python->functions[frame].function;
	if (bpf_map_lookup_elem(&python_functions, &number) ||
	    !describe_function(python, python->functions[frame].code, event))
		return 0;
	event->number = number;
	/* Lost, or the map is full: it is sent again with the next stack that has it. */
	if (!bpf_ringbuf_output(&events, event, sizeof(*event), BPF_RB_NO_WAKEUP) && note_python_functions)
		bpf_map_update_elem(&python_functions, &number, &yes, BPF_ANY);
	return 0;
}

/* Before a stack with Python frames is sent: the names that it needs. */
static __always_inline void send_python_functions(u32 level, const struct stack_event *event)
{
	u64 process = python_process_number(event->tgid, event->exec_generation, event->process_start_ns);

	for (u32 i = 0; i < STACK_FRAMES_MAX && i < event->python_count; i++)
		python_send_function(level, i, process);
}

#endif
