/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/record_setup.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/collect/user_reads.h"
#include "profiler/commands/commands.h"
#include "profiler/commands/host_view.h"
#include "profiler/containers/process_tree.h"
#include "symbolizer/base/clock.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"
#include "symbolizer/java_attach.h"
#include "symbolizer/symbolizer.h"
#include "symbolizer/unwind_parser.h"

#define PIDS_MAX 1024 /* whose children are looked for */
/* For the tables of what runs already: whole stacks from the first sample on. A busy machine takes its time. */
#define UNWINDER_IDLE_MS 1000
#define UNWINDER_WAIT_MS 5000

void record_session_deinit(struct record_session *session)
{
	recorder_free(session->recorder);
	java_attach_free(session->java);
	symbolizer_free(session->symbolizer);
	unwinder_free(session->unwinder);
	unwind_parser_free(session->unwind_parser);
	silent_devices_deinit(&session->silent);
	sampler_free(session->sampler);
	recording_writer_free(session->writer);
	container_filter_free(session->filter);
	container_resolver_free(session->resolver);
	cgroup_tree_free(session->tree);
	memset(session, 0, sizeof(*session));
}

static int refuse(int err, const char *what)
{
	log_error("%s", what);
	return err == -EPERM || err == -EACCES || err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
}

static int check_place(void)
{
	if (geteuid() != 0)
		return refuse(-EPERM, "recording needs root: BPF, perf events and other processes' files; try sudo");
	return host_view_check();
}

static bool walks_tables(const struct record_settings *settings, const struct record_session *session)
{
	return session->may_read_user && settings->unwind != UNWIND_FRAME_POINTERS && !settings->kernel_only;
}

/* By frame pointers too programs read user memory: the kernel's own walk, which is left, knows no tables. */
static int check_user_reads(const struct record_settings *settings, struct record_session *session)
{
	enum user_reads reads = settings->kernel_only ? USER_READS_SAFE : user_reads_probe();
	const char *why = reads == USER_READS_FREEZE
				  ? "this kernel may freeze when BPF reads user memory: update it (Linux 6.1.36, "
				    "6.3.10, 6.4 and later do not)"
				  : "whether this kernel may freeze when BPF reads user memory cannot be seen: set "
				    "kernel.kptr_restrict to 0 or 1";

	session->may_read_user = reads == USER_READS_SAFE;
	if (session->may_read_user)
		return EXIT_OK;
	if (settings->unwind != UNWIND_AUTO && settings->unwind != UNWIND_FRAME_POINTERS) {
		log_error("user stacks cannot be %s: %s",
			  settings->unwind == UNWIND_TABLES ? "walked by tables" : "copied", why);
		return EXIT_UNSUPPORTED;
	}
	log_warning("user stacks are walked by frame pointers alone: %s", why);
	return EXIT_OK;
}

static int want_pids(const struct record_settings *settings, struct sampler *sampler)
{
	for (size_t i = 0; i < settings->pids.entries.count; i++) {
		const char *text = settings->pids.entries.items[i];
		uint32_t process;
		uint64_t pid;
		char shown[64];

		if (!text_to_u64(text, 10, &pid) || !pid || pid > INT32_MAX) {
			log_error("record: '%s' is no pid", text_printable(text, shown, sizeof(shown)));
			return EXIT_USAGE;
		}
		if (kill((pid_t)pid, 0) && errno == ESRCH) {
			log_error("no process %" PRIu64 "; 'stoker ps' lists containers and their processes", pid);
			return EXIT_FAILED;
		}
		process = process_of_thread("", (uint32_t)pid);
		if (process && process != pid) {
			log_error("%" PRIu64 " is a thread of process %u: -p %u records all of that one's", pid,
				  process, process);
			return EXIT_FAILED;
		}
		if (sampler_want_tgid(sampler, (uint32_t)pid)) {
			log_error("too many processes to filter for");
			return EXIT_FAILED;
		}
	}
	return EXIT_OK;
}

static int want_cgroup(void *data, uint64_t cgroup_id)
{
	struct record_session *session = data;

	return sampler_want_cgroup(session->sampler, cgroup_id);
}

static int want_container(const char *word, bool wait, struct record_session *session)
{
	struct container_answer answer;
	char shown[128];
	int err = container_filter_add(session->filter, word, &answer);

	text_printable(word, shown, sizeof(shown));
	if (err)
		log_error("cannot filter for container '%s': %s", shown, strerror(-err));
	else if (answer.ambiguous)
		log_error("'%s' fits several containers: %s; give more of the id", shown, answer.others);
	else if (!answer.cgroups && !wait)
		log_error("no container '%s'%s%s; 'stoker ps' lists them, --wait records it when it starts", shown,
			  answer.others[0] ? "; did you mean " : "", answer.others);
	else
		return EXIT_OK;
	return EXIT_FAILED;
}

static int want_containers(const struct record_settings *settings, struct record_session *session)
{
	struct container_filter_parts parts = {session->tree, session->resolver, want_cgroup, session};
	int status = EXIT_OK;

	if (!settings->containers.entries.count)
		return EXIT_OK;
	if (container_filter_new(&parts, &session->filter))
		return refuse(-ENOMEM, "out of memory");
	for (size_t i = 0; i < settings->containers.entries.count && status == EXIT_OK; i++)
		status = want_container(settings->containers.entries.items[i], settings->wait, session);
	return status;
}

static enum copy_choice copies(const struct record_settings *settings, const struct record_session *session)
{
	static const enum copy_choice choices[] = {
		[UNWIND_AUTO] = COPY_CUT,   [UNWIND_TABLES] = COPY_NONE,    [UNWIND_FRAME_POINTERS] = COPY_NONE,
		[UNWIND_COPY] = COPY_EVERY, [UNWIND_COMPARE] = COPY_BESIDE,
	};

	return settings->kernel_only || !session->may_read_user ? COPY_NONE : choices[settings->unwind];
}

static int setup_sampler(const struct record_settings *settings, struct record_session *session)
{
	struct sampler_settings sampler = {
		.hz = settings->hz,
		.kernel_stacks = !settings->user_only,
		.user_stacks = !settings->kernel_only,
		.walk_by_tables = walks_tables(settings, session),
		.may_read_user = session->may_read_user,
		.copies = copies(settings, session),
		.filter_tgids = settings->pids.entries.count > 0,
		.filter_cgroups = settings->containers.entries.count > 0,
		.cgroup_v2 = cgroup_tree_has_v2(session->tree),
		.cgroup_v2_root = cgroup_tree_v2_root(session->tree),
		.cgroup_v1_mask = cgroup_tree_v1_mask(session->tree),
		.waits = settings->waits,
	};
	char error[512] = "";
	int err, status;

	if (sampler.waits.locks && !wait_programs_have_locks()) {
		log_warning("this kernel does not tell of waits for its locks (lock:contention_begin, 5.19, without "
			    "PREEMPT_RT): --locks is left out");
		sampler.waits.locks = false;
	}
	if ((sampler.waits.offcpu || sampler.waits.runq || sampler.waits.syscalls) && !wait_programs_have_times())
		return refuse(
			-EOPNOTSUPP,
			"this kernel does not keep the times of its threads (CONFIG_SCHED_INFO and "
			"CONFIG_FAIR_GROUP_SCHED): --offcpu, --runq and --syscalls need them, --syscall-counts does "
			"not");
	err = sampler_new(&sampler, &session->sampler, error, sizeof(error));
	if (err)
		return refuse(err, error[0] ? error : strerror(-err));
	status = want_pids(settings, session->sampler);
	return status == EXIT_OK ? want_containers(settings, session) : status;
}

static int setup_unwinder(const struct record_settings *settings, struct record_session *session)
{
	struct walk_map_fds maps = sampler_walk_maps(session->sampler);
	int err;

	if (!walks_tables(settings, session))
		return EXIT_OK;
	err = unwinder_new(&maps, session->unwind_parser, settings->unwind_memory << 20, &session->unwinder);
	if (err && settings->unwind == UNWIND_TABLES) {
		log_error("user stacks cannot be walked by tables: %s; --unwind fp does without", strerror(-err));
		return EXIT_FAILED;
	}
	if (err)
		log_warning("user stacks are walked by frame pointers alone: %s", strerror(-err));
	else
		unwinder_wait(session->unwinder, UNWINDER_IDLE_MS, UNWINDER_WAIT_MS);
	return EXIT_OK;
}

static int setup_writer(const struct record_settings *settings, struct record_session *session)
{
	char shown[256];
	int err = recording_writer_new(settings->output, &session->writer);
	const char *way_out = settings->picture ? "go to another folder, or see 'stoker record --help'"
						: "choose another place with -o";
	bool to_stdout = !strcmp(settings->output, "-");
	struct stat status;

	if (!err)
		return EXIT_OK;
	text_printable(settings->output, shown, sizeof(shown));
	/* It is moved away before anything is written: where it still is there, that is what failed. */
	if (!to_stdout && !stat(settings->output, &status) && S_ISREG(status.st_mode))
		log_error("cannot move the older %s to %s.old: %s; %s", shown, shown, strerror(-err), way_out);
	else if (err == -EEXIST && !lstat(settings->output, &status) && S_ISLNK(status.st_mode))
		log_error("cannot write %s: it is a link to what does not exist; %s", shown, way_out);
	else
		log_error("cannot write %s: %s; %s", shown, strerror(-err), way_out);
	return EXIT_FAILED;
}

int record_setup(const struct record_settings *settings, struct record_session *session)
{
	const struct symbolizer_options names = {
		.lines = settings->lines, .inlines = settings->inlines, .silent = &session->silent};
	struct recorder_parts parts;
	struct rlimit files;
	int status = check_place();

	if (status == EXIT_OK)
		status = check_user_reads(settings, session);
	if (status != EXIT_OK)
		return status;
	/* First of all: its children are copies of this process, and shall hold nothing that is opened later. */
	if (symbolizer_new(&names, &session->symbolizer) ||
	    (walks_tables(settings, session) && unwind_parser_new(&session->silent, &session->unwind_parser)))
		return refuse(-EAGAIN, "cannot start the process that parses what containers wrote: out of memory or "
				       "of processes");
	if (settings->java_maps && java_attach_new(&session->java))
		return refuse(-EAGAIN, "cannot start the process that asks JVMs: out of memory or of processes");
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (cgroup_tree_new("", &session->tree) || container_resolver_new("", &session->resolver))
		return refuse(-EOPNOTSUPP, "no cgroup hierarchy is mounted: mount one at /sys/fs/cgroup");
	if (cgroup_tree_scan(session->tree))
		return refuse(-EIO, "the cgroup hierarchy cannot be read");
	status = setup_sampler(settings, session);
	if (status == EXIT_OK)
		status = setup_unwinder(settings, session);
	if (status == EXIT_OK)
		status = setup_writer(settings, session);
	if (status != EXIT_OK)
		return status;
	session->start_ns = clock_now_ns();
	parts = (struct recorder_parts){
		.sampler = session->sampler,
		.symbolizer = session->symbolizer,
		.unwinder = session->unwinder,
		.writer = session->writer,
		.tree = session->tree,
		.resolver = session->resolver,
		.filter = session->filter,
		.java = session->java,
		.filtered = settings->pids.entries.count || settings->containers.entries.count,
		.lines = settings->lines,
		.start_ns = session->start_ns,
	};
	return recorder_new(&parts, &session->recorder) ? refuse(-ENOMEM, "out of memory") : EXIT_OK;
}

static int want_child(void *data, uint32_t pid)
{
	struct record_session *session = data;

	return sampler_want_tgid(session->sampler, pid);
}

int record_catch_up(const struct record_settings *settings, struct record_session *session)
{
	uint32_t pids[PIDS_MAX];
	size_t count = 0;
	uint64_t pid;

	if (cgroup_tree_scan(session->tree))
		return -ENOMEM;
	if (session->filter && container_filter_look(session->filter) == -ENOMEM)
		return -ENOMEM;
	for (size_t i = 0; i < settings->pids.entries.count && count < PIDS_MAX; i++)
		if (text_to_u64(settings->pids.entries.items[i], 10, &pid))
			pids[count++] = (uint32_t)pid;
	return count && process_descendants("", pids, count, want_child, session) == -ENOMEM ? -ENOMEM : 0;
}
