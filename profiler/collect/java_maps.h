/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * java_maps: has the JVMs of a recording write their perf maps, so that their JIT code gets names.
 *
 * Asked are processes with libjvm.so and with JIT frames that no map names: soon after the first such frame, then less
 * often, down to every 10 s, and at the end. One that fails twice in a row is left alone. One that is put off, as others of its
 * container are being asked, has not failed: it is asked at the next tick, before those that have had their turn. The maps
 * themselves are found and read like any other (stacks_name_pending()).
 */
#ifndef STOKER_JAVA_MAPS_H
#define STOKER_JAVA_MAPS_H

#include "profiler/collect/processes.h"
#include "profiler/collect/stacks.h"
#include "symbolizer/java_attach.h"

struct java_maps;

struct java_maps_parts {
	struct java_attach *attach;
	struct processes *processes;
	struct stacks *stacks;
};

/* Why a JVM gave no map. */
enum java_failure {
	JAVA_TIMEOUT,	 /* no answer in time */
	JAVA_TOO_OLD,	 /* before 17 */
	JAVA_NO_ATTACH,	 /* started with -XX:+DisableAttachMechanism, or it would die of SIGQUIT */
	JAVA_NOT_ITSELF, /* somebody else's socket or file stands in its place */
	JAVA_ENDED,
	JAVA_PUT_OFF, /* others of its container were being asked, or hang */
	JAVA_OTHER,
	JAVA_FAILURES,
};
const char *java_failure_text(enum java_failure failure);

struct java_maps_counts {
	uint32_t processes;		  /* JVMs that were asked, each once */
	uint32_t answered;		  /* of them, those that wrote a map at least once */
	uint64_t asked;			  /* questions */
	uint64_t written;		  /* maps */
	uint64_t failures[JAVA_FAILURES]; /* questions that failed, were put off, or given up at the end, by reason */
};

/* The parts stay the caller's and must live longer. Returns 0 or -ENOMEM. */
int java_maps_new(const struct java_maps_parts *parts, struct java_maps **ret_maps);
void java_maps_free(struct java_maps *maps);

/**
 * java_maps_tick() - take what answers there are, ask those whose turn it is; waits for nothing
 * @now_ns: the recorder's clock
 * Returns 0 or -ENOMEM.
 */
int java_maps_tick(struct java_maps *maps, uint64_t now_ns);

/* Asks all that still have frames without names, and waits for them: 2 s, however many they are. 0 or -ENOMEM. */
int java_maps_finish(struct java_maps *maps);

const struct java_maps_counts *java_maps_counts(const struct java_maps *maps);

#endif
