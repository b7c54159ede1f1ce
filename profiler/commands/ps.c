/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/host_view.h"
#include "profiler/commands/ps_output.h"
#include "profiler/commands/report.h"
#include "profiler/containers/container_names.h"
#include "profiler/profile/short_ids.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

#define INTERVAL_MS 1000
#define INTERVAL_MS_MAX 60000

struct ps_settings {
	int format; /* enum report_format */
	uint64_t interval_ms;
};

static const struct option_row rows[] = {
	REPORT_FORMAT_ROW(struct ps_settings, format),
	{0, "interval", OPTION_NUMBER, offsetof(struct ps_settings, interval_ms), "MS",
	 "CPU and THROTTLED over so long (1000); 0: without them", .min = 0, .max = INTERVAL_MS_MAX},
	{0},
};

static const struct option_usage usage = {
	.command = "ps",
	.arguments = "[OPTIONS] [CONTAINER|PID]",
	.about = "Containers of this host: names, ids, CPUs used in the last second and allowed, the part of the "
		 "quota's\n"
		 "periods in which it was used up, processes outside and inside, and the namespaces that they share\n"
		 "with the host (marked with !). Of a CONTAINER, its processes; of a host PID, whose it is.",
	.rows = rows,
};

static void ps_list_deinit(struct ps_list *list)
{
	for (size_t i = 0; i < list->groups.count; i++)
		free(list->groups.items[i].cgroup);
	array_deinit(&list->groups);
	array_deinit(&list->shown);
	container_processes_deinit(&list->all);
	container_resolver_free(list->resolver);
}

static int by_container(const void *left, const void *right)
{
	const struct ps_process *a = left, *b = right;
	int order = strcmp(a->info.name, b->info.name);

	if (!order)
		order = strcmp(a->info.own, b->info.own);
	return order ? order : host_process_order(a->process, b->process);
}

static bool same_container(const struct ps_process *a, const struct ps_process *b)
{
	return !strcmp(a->info.own, b->info.own);
}

static int take(struct ps_list *list, const struct host_process *process, const char *wanted, uint64_t pid)
{
	struct container_info info;
	struct ps_process *shown;

	if (container_resolver_describe(list->resolver, process->cgroup, &info))
		return -ENOMEM;
	if (pid ? process->pid != pid : info.kind != CONTAINER_CONTAINER)
		return 0;
	if (!pid && wanted && !container_matches(&info, process->cgroup, wanted))
		return 0;
	shown = array_add(&list->shown);
	if (!shown)
		return -ENOMEM;
	*shown = (struct ps_process){.process = process, .info = info};
	return 0;
}

/* Short enough to read, long enough for a look at one container to tell it from those that are not shown. */
static int shorten_ids(struct ps_list *list)
{
	size_t count = list->all.list.count;
	_cleanup_free_ const char **ids = calloc(count + 1, sizeof(*ids));
	_cleanup_free_ size_t *lengths = calloc(count + 1, sizeof(*lengths));

	if (!ids || !lengths)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct container_info info;

		if (container_resolver_describe(list->resolver, list->all.list.items[i].cgroup, &info))
			return -ENOMEM;
		ids[i] = info.id;
	}
	if (short_id_lengths(ids, count, lengths))
		return -ENOMEM;
	for (size_t i = 0; i < list->shown.count; i++)
		list->shown.items[i].id_length = lengths[list->shown.items[i].process - list->all.list.items];
	return 0;
}

static int read_list(struct ps_list *list, const char *wanted)
{
	uint64_t pid = 0;
	int err = container_resolver_new("", &list->resolver);

	if (!err)
		err = container_processes_read("", &list->all);
	if (wanted && strlen(wanted) < 8)
		text_to_u64(wanted, 10, &pid);
	for (size_t i = 0; i < list->all.list.count && !err; i++)
		err = take(list, &list->all.list.items[i], wanted, pid);
	/* A number that is no pid may begin an id. */
	for (size_t i = 0; i < list->all.list.count && !err && pid && !list->shown.count; i++)
		err = take(list, &list->all.list.items[i], wanted, 0);
	if (!err)
		err = shorten_ids(list);
	if (!err && list->shown.count)
		qsort(list->shown.items, list->shown.count, sizeof(struct ps_process), by_container);
	return err;
}

static int group(struct ps_list *list)
{
	for (size_t i = 0, next; i < list->shown.count; i = next) {
		struct ps_group *added = array_add(&list->groups);

		for (next = i;
		     next < list->shown.count && same_container(&list->shown.items[i], &list->shown.items[next]);)
			next++;
		if (!added)
			return -ENOMEM;
		added->first = i;
		added->count = next - i;
		/* A container that makes cgroups inside of its own has its quota, and its sum, there. */
		added->cgroup = strdup(list->shown.items[i].info.own);
		if (!added->cgroup)
			return -ENOMEM;
	}
	return 0;
}

static void cleanup_reader(struct cgroup_cpu_reader **reader)
{
	cgroup_cpu_reader_free(*reader);
}

static int measure(struct ps_list *list, uint64_t interval_ms)
{
	_cleanup_(cleanup_reader) struct cgroup_cpu_reader *reader = NULL;
	struct timespec interval = {(time_t)(interval_ms / 1000), (long)(interval_ms % 1000) * 1000000};
	int err = cgroup_cpu_reader_new("", &reader);

	if (err)
		return err;
	for (size_t i = 0; i < list->groups.count; i++)
		cgroup_cpu_read(reader, list->groups.items[i].cgroup, &list->groups.items[i].cpu);
	if (!interval_ms || !list->groups.count)
		return 0;
	nanosleep(&interval, NULL);
	for (size_t i = 0; i < list->groups.count; i++) {
		struct ps_group *each = &list->groups.items[i];
		struct cgroup_cpu before = each->cpu;

		cgroup_cpu_read(reader, each->cgroup, &each->cpu);
		each->change = cgroup_cpu_between(&before, &each->cpu);
	}
	list->interval_ms = interval_ms;
	return 0;
}

static int print(const struct ps_list *list, bool processes, int format)
{
	bool color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");

	if (format == REPORT_JSON)
		return ps_print_json(list, stdout);
	if (processes)
		return ps_print_processes(list, color, stdout);
	if (list->groups.count)
		return ps_print_containers(list, color, stdout);
	return puts("No containers on this host.") < 0 ? -errno : 0;
}

static enum exit_status show(const struct ps_settings *settings, const char *wanted)
{
	_cleanup_(ps_list_deinit) struct ps_list list = {0};
	char shown[128];
	int err = read_list(&list, wanted);

	if (!err)
		err = group(&list);
	if (err) {
		log_error("cannot read processes: %s", strerror(-err));
		return EXIT_FAILED;
	}
	if (wanted && !list.shown.count) {
		log_error("no container or process '%s'; 'stoker ps' lists the containers",
			  text_printable(wanted, shown, sizeof(shown)));
		return EXIT_FAILED;
	}
	signal(SIGPIPE, SIG_IGN);
	/* A table of processes shows none of it, and need not wait. */
	if (!wanted || settings->format == REPORT_JSON)
		err = measure(&list, settings->interval_ms);
	if (!err)
		err = print(&list, wanted != NULL, settings->format);
	if (err && err != -EPIPE) {
		log_error("ps: cannot write: %s", strerror(-err));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int command_ps(int argc, char **argv)
{
	struct ps_settings settings = {.interval_ms = INTERVAL_MS};
	enum exit_status status;
	int first;

	if (!options_parse(&usage, argc, argv, &settings, &first, &status))
		return status;
	if (first + 1 < argc) {
		log_error("ps: one container or pid, please; see 'stoker ps --help'");
		return EXIT_USAGE;
	}
	status = host_view_check();
	if (status != EXIT_OK)
		return status;
	if (container_names_hidden(""))
		log_warning("ps: without root the containers that runc or crun runs by itself may be missing");
	return show(&settings, first < argc ? argv[first] : NULL);
}
