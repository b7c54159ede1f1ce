/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map_changes: which processes change their mappings so much that it is cheaper to read them together.
 *
 * Each change makes a new list of all of a process's mappings, of which there is a limited number. Between two sweeps a process
 * may use MAP_CHANGES_SLOTS of them, which is what a program with 180 libraries takes to start. Further changes are late: at
 * the next sweep its mappings are read as a whole, and while that goes on, ever more rarely.
 *
 * Processes are told apart by tgid modulo MAP_CHANGES_PROCESSES; of two that share a place the later one has it.
 */
#ifndef STOKER_MAP_CHANGES_H
#define STOKER_MAP_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#define MAP_CHANGES_SLOTS 16384u
#define MAP_CHANGES_PROCESSES 1024u
#define MAP_CHANGES_WAIT_MAX 64 /* sweeps between two readings */

struct map_changes {
	struct map_changer {
		uint32_t tgid;
		uint32_t slots; /* used since it was last looked at */
		bool late;
		uint8_t wait;	 /* sweeps to let pass after the last reading */
		uint8_t waiting; /* of these, still to come */
	} at[MAP_CHANGES_PROCESSES];
};

/* A list of so many numbers was made for a process. */
void map_changes_made(struct map_changes *changes, uint32_t tgid, uint32_t slots);

/* May a change be taken at once? Else the process is read at one of the next sweeps. */
bool map_changes_at_once(struct map_changes *changes, uint32_t tgid);

/* It runs another program now, or none. */
void map_changes_forget(struct map_changes *changes, uint32_t tgid);

/* Calls @read for each process whose mappings are to be read now. */
void map_changes_sweep(struct map_changes *changes, void (*read)(void *data, uint32_t tgid), void *data);

#endif
