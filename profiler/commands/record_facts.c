/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/record_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "profiler/collect/copy_programs.h"
#include "profiler/collect/java_maps.h"
#include "profiler/collect/series.h"
#include "profiler/collect/tick_events.h"
#include "profiler/commands/own_memory.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"
#include "symbolizer/symbolizer.h"
#include "symbolizer/unwind_parser.h"

/* Facts on their way into a recording: after the first failure nothing more is written. */
struct facts {
	struct recording_writer *writer;
	int err;
};

static void put(struct facts *facts, const char *key, const char *value)
{
	if (!facts->err)
		facts->err = recording_writer_fact(facts->writer, key, value);
}

static void put_number(struct facts *facts, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	put(facts, key, text);
}

/* "pid 12, container web"; "" for all. */
static void join_filter(const struct record_settings *settings, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < settings->pids.entries.count; i++)
		text_append(text, size, "%spid %s", i ? ", " : "", settings->pids.entries.items[i]);
	for (size_t i = 0; i < settings->containers.entries.count; i++)
		text_append(text, size, "%scontainer %s", text[0] ? ", " : "", settings->containers.entries.items[i]);
}

/* "offcpu, syscalls": what was recorded but samples, also where there was none of it; "" for nothing. */
static void join_waits(const struct wait_settings *waits, char *text, size_t size)
{
	const struct {
		bool wanted;
		const char *name;
	} kinds[] = {
		{waits->offcpu, "offcpu"},
		{waits->runq, "runq"},
		{waits->locks, "locks"},
		{waits->syscalls, "syscalls"},
		{waits->syscall_counts, "syscall-counts"},
	};

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		if (kinds[i].wanted)
			text_append(text, size, "%s%s", text[0] ? ", " : "", kinds[i].name);
}

static const char *user_stacks(const struct record_settings *settings, const struct record_session *session)
{
	if (settings->kernel_only)
		return "none";
	if (settings->unwind == UNWIND_COPY)
		return "copies";
	return session->unwinder ? "tables and frame pointers" : "frame pointers";
}

int record_first_facts(const struct record_settings *settings, struct record_session *session)
{
	/* The sampler's: what this kernel does not tell is left out there. */
	const struct wait_settings *waits = sampler_wait_settings(session->sampler);
	struct facts facts = {.writer = session->writer};
	char filter[1024], recorded[128];
	struct utsname host;

	uname(&host);
	put(&facts, "stoker.version", STOKER_VERSION);
	put(&facts, "host.name", host.nodename);
	put(&facts, "kernel.release", host.release);
	put(&facts, "machine", host.machine);
	put_number(&facts, "cpus.online", (uint64_t)sampler_cpus(session->sampler));
	put(&facts, "event.name", sampler_event_name(session->sampler));
	put_number(&facts, "event.hz", settings->hz);
	put_number(&facts, "event.period_ns", sampler_period_ns(session->sampler));
	put_number(&facts, "start.realtime_ns", clock_read_ns(CLOCK_REALTIME));
	put(&facts, "cgroup.mode", cgroup_tree_mode(session->tree));
	put(&facts, "user_stacks", user_stacks(settings, session));
	join_waits(waits, recorded, sizeof(recorded));
	put(&facts, "recorded", recorded);
	if (waits->offcpu || waits->runq)
		put_number(&facts, "waits.min_block_ns", waits->min_block_ns);
	join_filter(settings, filter, sizeof(filter));
	if (filter[0])
		put(&facts, "filter", filter);
	return facts.err;
}

/* "2 no answer in time, 1 ended" */
static void join_failures(const struct java_maps_counts *counts, char *text, size_t size)
{
	text[0] = '\0';
	for (int i = 0; i < JAVA_FAILURES; i++)
		if (counts->failures[i])
			text_append(text, size, "%s%" PRIu64 " %s", text[0] ? ", " : "", counts->failures[i],
				    java_failure_text((enum java_failure)i));
}

static void put_java(struct facts *facts, struct record_session *session)
{
	const struct java_maps_counts *counts = recorder_java(session->recorder);
	char failures[512];

	if (!counts)
		return;
	join_failures(counts, failures, sizeof(failures));
	put_number(facts, "java.processes", counts->processes);
	put_number(facts, "java.answered", counts->answered);
	put_number(facts, "java.asked", counts->asked);
	put_number(facts, "java.maps", counts->written);
	if (failures[0])
		put(facts, "java.failures", failures);
	if (counts->answered < counts->processes)
		log_warning("%u of %u JVMs gave no map of their code: %s", counts->processes - counts->answered,
			    counts->processes, failures);
}

static void put_series(struct facts *facts, const struct series_counts *counts)
{
	put_number(facts, "series.containers", counts->containers);
	put_number(facts, "series.readings", counts->readings);
	put_number(facts, "series.put_off", counts->put_off);
	put_number(facts, "series.missed", counts->missed);
	put_number(facts, "series.left_out", counts->left_out);
	put_number(facts, "series.cpu_ns", counts->cpu_ns);
}

static void put_unwinding(struct facts *facts, struct record_session *session)
{
	struct unwinder_counts counts;

	if (!session->unwinder)
		return;
	counts = unwinder_counts(session->unwinder);
	put_number(facts, "unwind.files", counts.tables.files);
	put_number(facts, "unwind.loaded", counts.tables.loaded);
	put_number(facts, "unwind.failed", counts.tables.failed);
	put_number(facts, "unwind.evicted", counts.tables.evictions);
	put_number(facts, "unwind.no_room", counts.tables.no_room);
	put_number(facts, "unwind.row_bytes", counts.tables.row_bytes);
	put_number(facts, "unwind.parse_ns", counts.tables.parse_ns);
	put_number(facts, "unwind.held", counts.tables.held);
	put_number(facts, "unwind.tenants_over", counts.tables.tenants_over);
	put_number(facts, "unwind.files_refused", counts.tables.refused);
	put_number(facts, "unwind.mappings_cut", counts.processes.cut);
	put_number(facts, "unwind.lists_no_room", counts.processes.no_room);
	put_number(facts, "unwind.records_lost", counts.records_lost);
	put_number(facts, "unwind.cpus_missed", counts.cpus_missed);
	if (counts.processes.cut || counts.processes.no_room)
		log_warning("code that is mapped in too many pieces is walked by frame pointers: %" PRIu64
			    " pieces of one process were too many, %" PRIu64 " times there was no room for a process",
			    counts.processes.cut, counts.processes.no_room);
	if (counts.tables.tenants_over)
		log_warning("files of %u containers have used up the time for making unwind tables; %u of them still "
			    "had none at the end",
			    counts.tables.tenants_over, counts.tables.held);
	if (counts.tables.refused)
		log_warning("files without an unwind table, as there were too many of them: %u times",
			    counts.tables.refused);
	if (counts.tables.evictions || counts.tables.no_room)
		log_warning("the unwind tables of what runs do not fit: %u were taken out for others, %u times one "
			    "found no room; --unwind-memory gives more",
			    counts.tables.evictions, counts.tables.no_room);
}

static void put_copies(struct facts *facts, struct record_session *session)
{
	struct stack_copies_counts counts;
	struct copy_counters kernel = {0};

	if (!recorder_copies(session->recorder, &counts))
		return;
	if (!facts->err)
		facts->err = copy_programs_counters(sampler_skeleton(session->sampler), &kernel);
	put_number(facts, "copies.taken", kernel.taken);
	put_number(facts, "copies.refused", kernel.refused);
	put_number(facts, "copies.unread", kernel.unread);
	put_number(facts, "copies.no_room", kernel.no_room);
	put_number(facts, "copies.unwound", counts.unwound);
	put_number(facts, "copies.failed", counts.failed);
	put_number(facts, "copies.late", counts.late);
	if (sampler_copies(session->sampler) != COPY_BESIDE)
		return;
	put_number(facts, "compare.samples", counts.compare.samples);
	put_number(facts, "compare.frames", counts.compare.frames);
	put_number(facts, "compare.equal", counts.compare.equal);
	put_number(facts, "compare.walk_shorter", counts.compare.walk_shorter);
	put_number(facts, "compare.copy_shorter", counts.compare.copy_shorter);
	put_number(facts, "compare.differ", counts.compare.differ);
}

static void put_cpus(struct facts *facts, const struct tick_events_counts *counts)
{
	put_number(facts, "cpus.came", counts->came);
	put_number(facts, "cpus.went", counts->went);
	put_number(facts, "cpus.missed", counts->missed);
	if (counts->missed)
		log_warning("CPUs that came online while recording were not sampled for %" PRIu64 " s in all: %s",
			    counts->missed, strerror(-counts->error));
}

static uint64_t own_cpu_ns(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return clock_used_ns(&used);
}

int record_last_facts(struct record_session *session, uint64_t duration_ns)
{
	struct symbolizer_costs names = symbolizer_costs(session->symbolizer);
	struct facts facts = {.writer = session->writer};
	struct unwind_parser_costs rows = {0};
	struct tick_counters ticks = {0};
	uint64_t java_ns = session->java ? java_attach_cpu_ns(session->java) : 0;
	uint64_t runs = 0, run_ns = sampler_run_ns(session->sampler, &runs);

	if (session->unwind_parser)
		rows = unwind_parser_costs(session->unwind_parser);
	facts.err = sampler_ticks(session->sampler, &ticks);
	put_number(&facts, "duration_ns", duration_ns);
	put_number(&facts, "self.cpu_ns", own_cpu_ns() + names.cpu_ns + rows.cpu_ns + java_ns);
	put_number(&facts, "self.memory_bytes",
		   own_memory_bytes() + sampler_map_bytes(session->sampler) + names.memory_bytes + rows.memory_bytes);
	put_number(&facts, "parser.requests", names.requests);
	put_number(&facts, "parser.crashes", names.crashes + rows.crashes);
	put_number(&facts, "parser.timeouts", names.timeouts + rows.timeouts);
	put_number(&facts, "parser.quarantined", names.quarantined);
	put_number(&facts, "parser.slow", names.slow);
	put_number(&facts, "parser.skipped", names.skipped);
	put_number(&facts, "lookups.lost", names.lookups_lost);
	put_number(&facts, "names.given_up", recorder_names_given_up(session->recorder));
	put_number(&facts, "samples.unnamed", recorder_samples_left(session->recorder));
	put_cpus(&facts, sampler_cpu_counts(session->sampler));
	put_java(&facts, session);
	put_series(&facts, recorder_series(session->recorder));
	put_unwinding(&facts, session);
	put_copies(&facts, session);
	put_number(&facts, "bpf.hits", ticks.hits);
	put_number(&facts, "bpf.sent", ticks.sent);
	if (runs) {
		put_number(&facts, "bpf.runs", runs);
		put_number(&facts, "bpf.run_ns", run_ns);
	}
	return facts.err;
}
