/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/collect/unwinder.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/collect/process_records.h"
#include "symbolizer/base/array.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"

#define SWEEP_NS 1000000000ull
#define ASKED_MAX 1024
#define THREADS_NICE -10 /* both have little to do, and samples wait for it */
#define LOADER_WAIT_MS 20
#define WAIT_PIECE_MS 50
#define FOLLOWER_RUNTIME_NS 3000000ull
#define FOLLOWER_PERIOD_NS 10000000ull

struct unwinder {
	struct walk_maps maps;
	struct unwind_tables *tables;
	struct unwind_processes *processes; /* the follower's alone, but for the counts */
	struct process_records *records;    /* the follower's alone */
	struct new_mappings *new_mappings;  /* that it passes on */
	pthread_t follower, loader;
	bool follower_runs, loader_runs;
	uint32_t interpreters; /* that the follower has seen among the tables */
	int wake;	       /* eventfd: asked, or to stop */
	pthread_mutex_t lock;
	pthread_cond_t changed;	   /* there is something to load, or something was loaded */
	uint32_t asked[ASKED_MAX]; /* tgids; with those below under the lock */
	uint32_t asked_count;
	bool stop, all_read;
	uint64_t records_lost;
	uint64_t cpus_missed;
	struct unwind_processes_counts process_counts; /* of the last sweep */
};

static void wake(struct unwinder *unwinder)
{
	uint64_t one = 1;

	if (write(unwinder->wake, &one, sizeof(one)) != sizeof(one))
		log_debug("unwinder: %s", strerror(errno));
}

static void wake_loader(struct unwinder *unwinder)
{
	if (!unwind_tables_counts(unwinder->tables).waiting)
		return;
	pthread_mutex_lock(&unwinder->lock);
	pthread_cond_broadcast(&unwinder->changed);
	pthread_mutex_unlock(&unwinder->lock);
}

static void take_mapped(void *data, uint32_t tgid, uint64_t start, uint64_t end, uint64_t offset, const char *path,
			uint64_t time_ns)
{
	struct unwinder *unwinder = data;
	struct unwind_mapping mapping = {start, end, offset, unwind_files_kind(path)};

	unwind_processes_map(unwinder->processes, tgid, &mapping);
	new_mappings_add(unwinder->new_mappings,
			 &(struct new_mapping){start, end, time_ns, tgid, !strcmp(path, "//anon")});
}

static void take_executed(void *data, uint32_t tgid)
{
	struct unwinder *unwinder = data;

	unwind_processes_exec(unwinder->processes, tgid);
}

static void take_lost(void *data, uint64_t count)
{
	struct unwinder *unwinder = data;

	pthread_mutex_lock(&unwinder->lock);
	unwinder->records_lost += count;
	pthread_mutex_unlock(&unwinder->lock);
	/* One container can fill a ring; whose records found no room there is not told. */
	new_mappings_lost(unwinder->new_mappings, clock_now_ns());
}

static void read_asked(struct unwinder *unwinder)
{
	uint32_t asked[ASKED_MAX], count;
	uint64_t wakes;

	if (read(unwinder->wake, &wakes, sizeof(wakes)) != sizeof(wakes))
		return;
	pthread_mutex_lock(&unwinder->lock);
	count = unwinder->asked_count;
	memcpy(asked, unwinder->asked, count * sizeof(*asked));
	unwinder->asked_count = 0;
	pthread_mutex_unlock(&unwinder->lock);
	for (uint32_t i = 0; i < count; i++)
		unwind_processes_read(unwinder->processes, asked[i]);
}

/* A file's table tells that it is an interpreter: by then processes map it. */
static void find_python(struct unwinder *unwinder)
{
	uint32_t interpreters = unwind_tables_counts(unwinder->tables).interpreters;

	if (interpreters == unwinder->interpreters)
		return;
	unwinder->interpreters = interpreters;
	unwind_processes_find_python(unwinder->processes);
}

static bool stopped(struct unwinder *unwinder)
{
	bool stop;

	pthread_mutex_lock(&unwinder->lock);
	stop = unwinder->stop;
	unwinder->process_counts = unwind_processes_counts(unwinder->processes);
	unwinder->cpus_missed = process_records_missed(unwinder->records);
	pthread_mutex_unlock(&unwinder->lock);
	return stop;
}

/* sched_setattr(2); the kernel's header for it and the C library's sched.h cannot be included both. */
struct deadline_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

/*
 * A process of 20 ms waits for what the follower does in a fraction of one. So it gets a CPU as soon as it wants one, however many
 * others do, and no more than 3 of 10 ms of it, however many processes are made. Where that is not allowed (a set of CPUs, a
 * kernel without) it goes before the others as far as it can.
 */
static void run_at_once(void)
{
	struct deadline_attributes attributes = {
		.size = sizeof(attributes),
		.policy = SCHED_DEADLINE,
		.flags = SCHED_FLAG_RESET_ON_FORK,
		.runtime_ns = FOLLOWER_RUNTIME_NS,
		.deadline_ns = FOLLOWER_PERIOD_NS,
		.period_ns = FOLLOWER_PERIOD_NS,
	};

	if (syscall(SYS_sched_setattr, 0, &attributes, 0))
		log_debug("unwinder: no deadline scheduling: %s", strerror(errno));
}

static void *follow(void *data)
{
	struct unwinder *unwinder = data;
	struct process_records_callbacks callbacks = {take_mapped, take_executed, take_lost, unwinder};
	uint64_t next_sweep = clock_now_ns() + SWEEP_NS;
	struct pollfd waited[] = {
		{.fd = process_records_fd(unwinder->records), .events = POLLIN},
		{.fd = unwinder->wake, .events = POLLIN},
	};

	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), THREADS_NICE);
	unwind_processes_read_all(unwinder->processes);
	pthread_mutex_lock(&unwinder->lock);
	unwinder->all_read = true;
	pthread_mutex_unlock(&unwinder->lock);
	run_at_once();
	while (!stopped(unwinder)) {
		uint64_t now = clock_now_ns();

		if (now >= next_sweep) {
			unwind_processes_sweep(unwinder->processes);
			process_records_look(unwinder->records, &callbacks);
			next_sweep = now + SWEEP_NS;
		}
		find_python(unwinder);
		wake_loader(unwinder);
		poll(waited, 2, (int)((next_sweep - now) / 1000000) + 1);
		process_records_read(unwinder->records, &callbacks);
		read_asked(unwinder);
	}
	return NULL;
}

static struct timespec after_ms(int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000l;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}

static void *load(void *data)
{
	struct unwinder *unwinder = data;
	struct timespec until;

	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), THREADS_NICE);
	pthread_mutex_lock(&unwinder->lock);
	while (!unwinder->stop) {
		uint32_t interpreters = unwind_tables_counts(unwinder->tables).interpreters;
		bool loaded;

		pthread_mutex_unlock(&unwinder->lock);
		loaded = unwind_tables_load_one(unwinder->tables);
		if (unwind_tables_counts(unwinder->tables).interpreters != interpreters)
			wake(unwinder);
		pthread_mutex_lock(&unwinder->lock);
		pthread_cond_broadcast(&unwinder->changed);
		if (loaded || unwinder->stop)
			continue;
		until = after_ms(LOADER_WAIT_MS);
		pthread_cond_timedwait(&unwinder->changed, &unwinder->lock, &until);
	}
	pthread_mutex_unlock(&unwinder->lock);
	return NULL;
}

/* Signals are the main thread's, which waits for them by descriptor. */
static int start_threads(struct unwinder *unwinder)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&unwinder->loader, NULL, load, unwinder);
	unwinder->loader_runs = !err;
	if (!err) {
		err = pthread_create(&unwinder->follower, NULL, follow, unwinder);
		unwinder->follower_runs = !err;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void cleanup_unwinder(struct unwinder **unwinder)
{
	unwinder_free(*unwinder);
}

int unwinder_new(const struct walk_map_fds *fds, struct unwind_parser *parser, uint64_t memory_bytes,
		 struct unwinder **ret_unwinder)
{
	_cleanup_(cleanup_unwinder) struct unwinder *unwinder = calloc(1, sizeof(*unwinder));
	int err;

	if (!unwinder)
		return -ENOMEM;
	pthread_mutex_init(&unwinder->lock, NULL);
	pthread_cond_init(&unwinder->changed, NULL);
	unwinder->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = unwinder->wake < 0 ? -errno : walk_maps_init(&unwinder->maps, fds);
	if (!err)
		err = unwind_tables_new(&unwinder->maps, parser, memory_bytes, UNWIND_PARSING_LIMIT, &unwinder->tables);
	if (!err)
		err = unwind_processes_new(&unwinder->maps, unwinder->tables, &unwinder->processes);
	if (!err)
		err = new_mappings_new(&unwinder->new_mappings);
	/* Records first: what starts while the others are read is told by them. */
	if (!err)
		err = process_records_new(&unwinder->records);
	if (err)
		return err;
	err = start_threads(unwinder);
	if (err)
		return err;
	*ret_unwinder = take_ptr(unwinder);
	return 0;
}

static void say_counts(struct unwinder *unwinder)
{
	struct unwinder_counts counts = unwinder_counts(unwinder);

	log_debug("unwind tables: %u files, %u loaded, %u failed, %u evicted, %u without room, %" PRIu64
		  " KiB of rows, %" PRIu64 " ms of parsing; processes: %" PRIu64 " read, %" PRIu64 " changes, %" PRIu64
		  " cut, %" PRIu64 " without room, %" PRIu64 " files gone; %" PRIu64 " records lost",
		  counts.tables.files, counts.tables.loaded, counts.tables.failed, counts.tables.evictions,
		  counts.tables.no_room, counts.tables.row_bytes >> 10, counts.tables.parse_ns / 1000000,
		  counts.processes.read, counts.processes.changed, counts.processes.cut, counts.processes.no_room,
		  counts.processes.gone, counts.records_lost);
}

void unwinder_free(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	if (unwinder->follower_runs)
		say_counts(unwinder);
	pthread_mutex_lock(&unwinder->lock);
	unwinder->stop = true;
	pthread_cond_broadcast(&unwinder->changed);
	pthread_mutex_unlock(&unwinder->lock);
	if (unwinder->follower_runs) {
		wake(unwinder);
		pthread_join(unwinder->follower, NULL);
	}
	if (unwinder->loader_runs)
		pthread_join(unwinder->loader, NULL);
	process_records_free(unwinder->records);
	new_mappings_free(unwinder->new_mappings);
	unwind_processes_free(unwinder->processes);
	unwind_tables_free(unwinder->tables);
	walk_maps_deinit(&unwinder->maps);
	if (unwinder->wake >= 0)
		close(unwinder->wake);
	pthread_cond_destroy(&unwinder->changed);
	pthread_mutex_destroy(&unwinder->lock);
	free(unwinder);
}

void unwinder_wait(struct unwinder *unwinder, int idle_ms, int timeout_ms)
{
	int64_t now_ms = clock_now_ms(), end_ms = now_ms + timeout_ms, waited_ms = 0, took_ms;
	uint32_t wanted, before = UINT32_MAX;

	pthread_mutex_lock(&unwinder->lock);
	while ((wanted = unwind_tables_wanted(unwinder->tables)) || !unwinder->all_read) {
		struct timespec until = after_ms(WAIT_PIECE_MS);

		if (wanted < before || !unwinder->all_read)
			waited_ms = 0;
		before = wanted;
		if (now_ms >= end_ms || waited_ms >= idle_ms)
			break;
		pthread_cond_timedwait(&unwinder->changed, &unwinder->lock, &until);
		/* What took longer than that was no waiting: nobody had a CPU. */
		took_ms = clock_now_ms() - now_ms;
		waited_ms += took_ms < WAIT_PIECE_MS ? took_ms : WAIT_PIECE_MS;
		now_ms += took_ms;
	}
	pthread_mutex_unlock(&unwinder->lock);
}

void unwinder_look_again(struct unwinder *unwinder, uint32_t tgid)
{
	pthread_mutex_lock(&unwinder->lock);
	if (unwinder->asked_count < ASKED_MAX)
		unwinder->asked[unwinder->asked_count++] = tgid;
	pthread_mutex_unlock(&unwinder->lock);
	wake(unwinder);
}

struct new_mappings *unwinder_new_mappings(struct unwinder *unwinder)
{
	return unwinder->new_mappings;
}

struct unwinder_counts unwinder_counts(struct unwinder *unwinder)
{
	struct unwinder_counts counts = {.tables = unwind_tables_counts(unwinder->tables)};

	pthread_mutex_lock(&unwinder->lock);
	counts.processes = unwinder->process_counts;
	counts.records_lost = unwinder->records_lost;
	counts.cpus_missed = unwinder->cpus_missed;
	pthread_mutex_unlock(&unwinder->lock);
	return counts;
}
