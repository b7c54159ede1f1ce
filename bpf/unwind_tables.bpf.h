/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * unwind_tables: the maps that hold what is known about stepping from a user frame to its caller.
 *
 * Each table is one element of one array: a program looks it up once, and user space writes it through mmap(2). Rows alone
 * are too many for that, and come in segments.
 */
#ifndef STOKER_UNWIND_TABLES_BPF_H
#define STOKER_UNWIND_TABLES_BPF_H

#include "bpf/maps.bpf.h"

/* Set by user space: walk user stacks with tables. */
const volatile bool walk_by_tables __weak = false;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WALK_PROCESSES_MAX);
	__type(key, u32); /* tgid */
	__type(value, struct walk_process);
} walk_processes __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct walk_mappings);
} walk_mappings __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct walk_files);
} walk_files __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct walk_pages);
} walk_pages __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct walk_rules);
} walk_rules __weak SEC(".maps");

/* By size, not by type: libbpf 1.1 cannot tell the size of an inner map's value. */
struct walk_segment_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct walk_segment));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, WALK_SEGMENTS_MAX);
	__type(key, u32);
	__array(values, struct walk_segment_map);
} walk_segments __weak SEC(".maps");

#endif
