/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address_frames: the frame rows that stand for an address of a process, or of the kernel.
 *
 * Each address is named once; what was inlined there makes it several rows. A question to the symbolizer costs a round
 * trip: what is known to be needed is wanted first, and all of it named at once. JIT code that no map names yet, and what no
 * mapping holds yet, is pending (pending_addresses.h): it keeps a row of its own, and is asked for again until its process is
 * forgotten or there is a name, which the row then is defined anew with. Where too many are, one shares the row of its reason.
 */
#ifndef STOKER_ADDRESS_FRAMES_H
#define STOKER_ADDRESS_FRAMES_H

#include "profiler/collect/named_addresses.h"
#include "profiler/collect/pending_addresses.h"
#include "profiler/collect/processes.h"
#include "profiler/recording/recording_writer.h"
#include "symbolizer/base/time_share.h"
#include "symbolizer/symbolizer.h"

struct wanted_address {
	uint64_t address;
	const struct process *process; /* NULL: the kernel's */
};

/* All-zero but for the first two, which stay the caller's and must live longer, is empty. */
struct address_frames {
	struct symbolizer *symbolizer;
	struct recording_writer *writer;
	struct named_addresses named;
	ARRAY(struct wanted_address) wanted;
	ARRAY(uint64_t) asked; /* the addresses of one question, while it is made */
	struct symbols symbols;
	struct pending_addresses pending;
	struct time_share asking;		    /* for these */
	ARRAY(struct pending_address) without_room; /* given up, or refused: named_addresses has them */
	ARRAY(bool) still;	  /* of those asked for again, which are pending: while the answer is taken */
	ARRAY(string_id) strings; /* the writer's number + 1 for each of the symbolizer's; 0: not known yet */
	uint64_t names_forgotten, strings_forgotten; /* the writer's and the symbolizer's, as of all these */
};

void address_frames_deinit(struct address_frames *frames);

/*
 * In all of these @process may be NULL, for the kernel's addresses; else it has a snapshot. Callers' addresses are those of
 * the calls, not those where they return to.
 */

/* To be named by address_frames_name_wanted(), until which @process must live. Both return 0 or -ENOMEM. */
int address_frames_want(struct address_frames *frames, const struct process *process, uint64_t address);
int address_frames_name_wanted(struct address_frames *frames);

/**
 * address_frames_of() - the rows of one address, which is named now where it was not wanted before
 * @ret_rows: [@ret_count], innermost first; valid until the next call
 * Returns 0 or -ENOMEM.
 */
int address_frames_of(struct address_frames *frames, const struct process *process, uint64_t address,
		      const uint32_t **ret_rows, uint8_t *ret_count);

/* After each flush of the writer and symbolizer_trim(): what they have forgotten is asked for again. */
void address_frames_forget(struct address_frames *frames);

/* Has a process rows that are pending? */
bool address_frames_has_pending(const struct address_frames *frames, const struct process *process);

/* Its map was written a moment ago: it is asked the next time, whenever it was last asked. */
void address_frames_expect(struct address_frames *frames, const struct process *process);

/**
 * address_frames_name_pending() - ask again for what is pending: every second, before processes_forget()
 * @last: there is no later one: all are asked, for 5 s; else those whose turn it is, for 250 ms and a twentieth of the time
 * Returns 0 or -ENOMEM.
 */
int address_frames_name_pending(struct address_frames *frames, struct processes *processes, bool last);

/* Addresses that were pending and got no name, as there were too many of them, or no time was left to ask. */
uint64_t address_frames_given_up(const struct address_frames *frames);

#endif
