/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiler/commands/ps_output.h"

#include <errno.h>
#include <string.h>

#include "profiler/render/columns.h"
#include "profiler/render/json.h"
#include "profiler/render/name_text.h"
#include "symbolizer/base/cleanup.h"
#include "symbolizer/base/stream.h"
#include "symbolizer/base/text.h"

#define RED "\033[31m"
#define RED_OFF "\033[0m"

static void set_text(char *cell, const char *text)
{
	text_printable(text[0] ? text : "-", cell, COLUMN_CELL_BYTES);
}

static void set_name(char *cell, const char *name, const struct column *column)
{
	name_text(name[0] ? name : "-", column->max, cell, COLUMN_CELL_BYTES);
}

static void set_id(char *cell, const struct ps_process *process)
{
	char shown[COLUMN_CELL_BYTES];

	snprintf(shown, sizeof(shown), "%.*s", (int)process->id_length, process->info.id);
	set_text(cell, shown);
}

/* "net! uts!" */
static void set_shared(char *cell, const struct host_process *process, bool color)
{
	if (!process->shared_known) {
		set_text(cell, "?");
		return;
	}
	cell[0] = '\0';
	for (uint32_t i = 0; i < CONTAINER_NAMESPACES; i++)
		if (process->shared & 1u << i)
			text_append(cell, COLUMN_CELL_BYTES, "%s%s%s!%s", cell[0] ? " " : "", color ? RED : "",
				    container_namespace_names[i], color ? RED_OFF : "");
	if (!cell[0])
		set_text(cell, "");
}

static void set_cpu(const struct ps_group *group, char *cpu, char *quota, char *throttled)
{
	set_text(cpu, "");
	set_text(quota, "");
	set_text(throttled, "");
	if (group->change.usage_known)
		snprintf(cpu, COLUMN_CELL_BYTES, "%.2f", group->change.cpus);
	if (group->cpu.quota_us)
		snprintf(quota, COLUMN_CELL_BYTES, "%.2f", (double)group->cpu.quota_us / (double)group->cpu.period_us);
	if (group->change.throttled_known)
		snprintf(throttled, COLUMN_CELL_BYTES, "%.0f%%", group->change.throttled * 100);
}

static int add_container(const struct ps_list *list, const struct ps_group *group, bool color,
			 struct column_table *table)
{
	const struct ps_process *first = &list->shown.items[group->first];
	char cells[COLUMNS_MAX][COLUMN_CELL_BYTES] = {0};

	set_name(cells[0], first->info.name, &table->columns[0]);
	set_text(cells[1], first->info.runtime);
	set_id(cells[2], first);
	set_name(cells[3], first->info.image, &table->columns[3]);
	set_name(cells[4], first->info.pod, &table->columns[4]);
	set_cpu(group, cells[5], cells[6], cells[7]);
	snprintf(cells[8], COLUMN_CELL_BYTES, "%zu", group->count);
	snprintf(cells[9], COLUMN_CELL_BYTES, "%u (%u)%s", first->process->pid, first->process->ns_pid,
		 group->count > 1 ? " …" : "");
	set_shared(cells[10], first->process, color);
	return column_table_add(table, cells, NULL);
}

static int print(const struct column_table *table, FILE *out)
{
	column_table_print(table, out);
	return stream_end(out);
}

int ps_print_containers(const struct ps_list *list, bool color, FILE *out)
{
	char cpu_title[32] = "CPU";
	const struct column columns[] = {
		{"NAME", false, 32},
		{"RUNTIME", false, 11},
		{"ID", false, 64},
		{"IMAGE", false, 32},
		{"POD", false, 24},
		{cpu_title, true, 10},
		{"QUOTA", true, 10},
		{"THROTTLED", true, 10},
		{"PROCS", true, 10},
		{"PIDS OUTSIDE (INSIDE)", false, 32},
		{"SHARED WITH THE HOST", false, COLUMN_CELL_BYTES},
	};
	_cleanup_(column_table_deinit) struct column_table table = {columns, ARRAY_LENGTH(columns)};
	int err = 0;

	if (list->interval_ms)
		snprintf(cpu_title, sizeof(cpu_title), "CPU/%gs", (double)list->interval_ms / 1000);
	for (size_t i = 0; i < list->groups.count && !err; i++)
		err = add_container(list, &list->groups.items[i], color, &table);
	return err ? err : print(&table, out);
}

int ps_print_processes(const struct ps_list *list, bool color, FILE *out)
{
	static const struct column columns[] = {
		{"PID", true, 10},	  {"INSIDE", true, 10}, {"COMM", false, 16},
		{"CONTAINER", false, 32}, {"ID", false, 64},	{"SHARED WITH THE HOST", false, COLUMN_CELL_BYTES},
	};
	_cleanup_(column_table_deinit) struct column_table table = {columns, ARRAY_LENGTH(columns)};
	int err = 0;

	for (size_t i = 0; i < list->shown.count && !err; i++) {
		const struct ps_process *shown = &list->shown.items[i];
		char cells[COLUMNS_MAX][COLUMN_CELL_BYTES] = {0};

		snprintf(cells[0], COLUMN_CELL_BYTES, "%u", shown->process->pid);
		snprintf(cells[1], COLUMN_CELL_BYTES, "%u", shown->process->ns_pid);
		set_text(cells[2], shown->process->comm);
		set_name(cells[3], shown->info.name, &columns[3]);
		set_id(cells[4], shown);
		set_shared(cells[5], shown->process, color);
		err = column_table_add(&table, cells, NULL);
	}
	return err ? err : print(&table, out);
}

static int add_shared(struct json_object *object, const struct host_process *process)
{
	_cleanup_json_ struct json_object *array = NULL;

	if (!process->shared_known)
		return json_add_null(object, "shared_namespaces");
	array = json_object_new_array();
	for (uint32_t i = 0; i < CONTAINER_NAMESPACES && array; i++)
		if (process->shared & 1u << i &&
		    json_append(array, json_object_new_string(container_namespace_names[i])))
			return -ENOMEM;
	return json_add(object, "shared_namespaces", take_ptr(array));
}

/* What is not known, and what two readings would have told where there was one, is left out. */
static struct json_object *cpu_json(const struct ps_group *group)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	const struct cgroup_cpu *cpu = &group->cpu;
	int err = object ? 0 : -ENOMEM;

	if (!err && cpu->usage_known)
		err = json_add_number(object, "usage_ns", cpu->usage_ns);
	if (!err && group->change.usage_known)
		err = json_add_real(object, "cpus", group->change.cpus);
	if (!err && cpu->quota_us)
		err = json_add_real(object, "quota_cpus", (double)cpu->quota_us / (double)cpu->period_us);
	if (!err && cpu->quota_us)
		err = json_add_number(object, "periods", cpu->periods);
	if (!err && cpu->quota_us)
		err = json_add_number(object, "throttled_periods", cpu->throttled_periods);
	if (!err && cpu->quota_us)
		err = json_add_number(object, "throttled_ns", cpu->throttled_ns);
	if (!err && group->change.throttled_known)
		err = json_add_real(object, "throttled", group->change.throttled);
	return err ? NULL : take_ptr(object);
}

static struct json_object *process_json(const struct host_process *process)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();

	if (!object || json_add_number(object, "pid", process->pid) ||
	    json_add_number(object, "ns_pid", process->ns_pid) || json_add_text(object, "comm", process->comm))
		return NULL;
	return take_ptr(object);
}

static struct json_object *processes_json(const struct ps_process *first, size_t count)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count && array; i++)
		if (json_append(array, process_json(first[i].process)))
			return NULL;
	return take_ptr(array);
}

static struct json_object *group_json(const struct ps_list *list, const struct ps_group *group)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	const struct ps_process *first = &list->shown.items[group->first];
	const struct container_info *info = &first->info;

	if (!object || json_add_text_or_null(object, "name", info->name) ||
	    json_add_text_or_null(object, "runtime", info->runtime) || json_add_text_or_null(object, "id", info->id) ||
	    json_add_text_or_null(object, "image", info->image) || json_add_text_or_null(object, "pod", info->pod) ||
	    json_add_text_or_null(object, "namespace", info->namespace) ||
	    json_add_text(object, "cgroup", group->cgroup) || json_add(object, "cpu", cpu_json(group)) ||
	    add_shared(object, first->process) || json_add(object, "processes", processes_json(first, group->count)))
		return NULL;
	return take_ptr(object);
}

int ps_print_json(const struct ps_list *list, FILE *out)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	if (!array)
		return -ENOMEM;
	for (size_t i = 0; i < list->groups.count; i++)
		if (json_append(array, group_json(list, &list->groups.items[i])))
			return -ENOMEM;
	return json_print(array, out);
}
