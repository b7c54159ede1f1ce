/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "profiler/commands/commands.h"
#include "profiler/commands/options.h"
#include "profiler/containers/container.h"
#include "profiler/containers/container_processes.h"
#include "symbolizer/base/log.h"
#include "symbolizer/base/text.h"

struct ps_settings {
	int format;
};

struct ps_process {
	const struct host_process *process;
	struct container_info info;
};

/* Processes next to those of the same container. */
struct ps_list {
	struct host_process_array all;
	struct container_resolver *resolver;
	ARRAY(struct ps_process) shown;
};

static const char *const formats[] = {"text", "json", NULL};

static const struct option_row rows[] = {
	{'o', "output", OPTION_CHOICE, offsetof(struct ps_settings, format), "FORMAT", "text or json", 0, 0, formats},
	{0},
};

static const struct option_usage usage = {
	.command = "stoker ps",
	.arguments = "[OPTIONS] [CONTAINER|PID]",
	.about = "Containers of this host: names, ids, processes outside and inside, and the namespaces that they "
		 "share\n"
		 "with the host (marked with !). Of a CONTAINER, its processes; of a host PID, whose it is.",
	.rows = rows,
};

static int by_container(const void *left, const void *right)
{
	const struct ps_process *a = left, *b = right;
	int order = strcmp(a->info.name, b->info.name);

	if (!order)
		order = strcmp(a->info.id, b->info.id);
	return order ? order : (a->process->pid > b->process->pid) - (a->process->pid < b->process->pid);
}

static bool same_container(const struct ps_process *a, const struct ps_process *b)
{
	return !strcmp(a->info.name, b->info.name) && !strcmp(a->info.id, b->info.id);
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
	*shown = (struct ps_process){process, info};
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
	if (!err && list->shown.count)
		qsort(list->shown.items, list->shown.count, sizeof(struct ps_process), by_container);
	return err;
}

static void print_shared(uint32_t shared)
{
	bool color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"), any = false;

	for (uint32_t i = 0; i < CONTAINER_NAMESPACES; i++) {
		if (!(shared & 1u << i))
			continue;
		printf("%s%s%s!%s", any ? " " : "", color ? "\033[31m" : "", container_namespace_names[i],
		       color ? "\033[0m" : "");
		any = true;
	}
	fputs(any ? "" : "-", stdout);
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static void print_containers(const struct ps_list *list)
{
	char name[128], image[128], pod[128];

	printf("%-24s %-11s %-12s %-24s %-16s %5s  %-20s %s\n", "NAME", "RUNTIME", "ID", "IMAGE", "POD", "PROCS",
	       "PIDS OUTSIDE (INSIDE)", "SHARED WITH THE HOST");
	for (size_t i = 0, next; i < list->shown.count; i = next) {
		const struct ps_process *first = &list->shown.items[i];
		char pids[64];

		for (next = i; next < list->shown.count && same_container(first, &list->shown.items[next]);)
			next++;
		snprintf(pids, sizeof(pids), "%u (%u)%s", first->process->pid, first->process->ns_pid,
			 next - i > 1 ? " …" : "");
		printf("%-24s %-11s %-12.12s %-24s %-16s %5zu  %-20s ",
		       text_printable(first->info.name, name, sizeof(name)), or_dash(first->info.runtime),
		       or_dash(first->info.id), or_dash(text_printable(first->info.image, image, sizeof(image))),
		       or_dash(text_printable(first->info.pod, pod, sizeof(pod))), next - i, pids);
		print_shared(first->process->shared);
		putchar('\n');
	}
}

static void print_processes(const struct ps_list *list)
{
	char name[128], comm[64];

	printf("%10s %10s  %-16s %-24s %-12s %s\n", "PID", "INSIDE", "COMM", "CONTAINER", "ID", "SHARED WITH THE HOST");
	for (size_t i = 0; i < list->shown.count; i++) {
		const struct ps_process *shown = &list->shown.items[i];

		printf("%10u %10u  %-16s %-24s %-12.12s ", shown->process->pid, shown->process->ns_pid,
		       text_printable(shown->process->comm, comm, sizeof(comm)),
		       text_printable(shown->info.name, name, sizeof(name)), or_dash(shown->info.id));
		print_shared(shown->process->shared);
		putchar('\n');
	}
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	char printable[1024];

	json_object_object_add(object, key, json_object_new_string(text_printable(text, printable, sizeof(printable))));
}

static struct json_object *container_json(const struct ps_process *first, size_t count)
{
	struct json_object *object = json_object_new_object(), *shared = json_object_new_array();
	struct json_object *processes = json_object_new_array();

	add_text(object, "name", first->info.name);
	add_text(object, "runtime", first->info.runtime);
	add_text(object, "id", first->info.id);
	add_text(object, "image", first->info.image);
	add_text(object, "pod", first->info.pod);
	add_text(object, "namespace", first->info.namespace);
	add_text(object, "cgroup", first->process->cgroup);
	for (uint32_t i = 0; i < CONTAINER_NAMESPACES; i++)
		if (first->process->shared & 1u << i)
			json_object_array_add(shared, json_object_new_string(container_namespace_names[i]));
	json_object_object_add(object, "shared_namespaces", shared);
	for (size_t i = 0; i < count; i++) {
		struct json_object *process = json_object_new_object();

		json_object_object_add(process, "pid", json_object_new_int64(first[i].process->pid));
		json_object_object_add(process, "ns_pid", json_object_new_int64(first[i].process->ns_pid));
		add_text(process, "comm", first[i].process->comm);
		json_object_array_add(processes, process);
	}
	json_object_object_add(object, "processes", processes);
	return object;
}

static void print_json(const struct ps_list *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0, next; i < list->shown.count; i = next) {
		for (next = i;
		     next < list->shown.count && same_container(&list->shown.items[i], &list->shown.items[next]);)
			next++;
		json_object_array_add(array, container_json(&list->shown.items[i], next - i));
	}
	puts(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PRETTY));
	json_object_put(array);
}

static int show(const struct ps_list *list, const char *wanted, int format)
{
	char shown[128];

	if (wanted && !list->shown.count) {
		log_error("no container or process '%s'; 'stoker ps' lists the containers",
			  text_printable(wanted, shown, sizeof(shown)));
		return EXIT_FAILED;
	}
	if (format)
		print_json(list);
	else if (wanted)
		print_processes(list);
	else if (list->shown.count)
		print_containers(list);
	else
		printf("No containers on this host.\n");
	return EXIT_OK;
}

int command_ps(int argc, char **argv)
{
	struct ps_settings settings = {0};
	struct ps_list list = {0};
	const char *wanted;
	int first, err, status = EXIT_FAILED;
	enum options_result result = options_parse(&usage, argc, argv, &settings, &first);

	if (result != OPTIONS_GO_ON)
		return result == OPTIONS_HELPED ? EXIT_OK : EXIT_USAGE;
	if (first + 1 < argc) {
		log_error("stoker ps takes one container or pid; see 'stoker ps --help'");
		return EXIT_USAGE;
	}
	wanted = first < argc ? argv[first] : NULL;
	err = read_list(&list, wanted);
	if (err)
		log_error("cannot read processes: %s", strerror(-err));
	else
		status = show(&list, wanted, settings.format);
	array_deinit(&list.shown);
	container_processes_deinit(&list.all);
	container_resolver_free(list.resolver);
	return status;
}
